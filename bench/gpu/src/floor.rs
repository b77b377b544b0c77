//! The least that two processes can do with the same means: eight blocks of virtual memory, passed on once, an event for each and one
//! back; then four calls a frame, and neither a pool nor a lease, a check or a way to survive anything.

use std::ffi::c_void;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Command;

use cudarc::driver::sys::{
    self, CUdeviceptr, CUevent, CUipcEventHandle, CUmemAccess_flags, CUmemAccessDesc,
    CUmemAllocationHandleType, CUmemAllocationProp, CUmemAllocationType, CUmemLocationType,
    CUresult, CUstream,
};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::link::WORDS;
use crate::round::{Publisher, Subscriber};

pub const BLOCKS: usize = 8;
const VARIABLE: &str = "GPU_BENCH_SOCKET";
const EVENT_FLAGS: u32 = 0x2 | 0x4; // no times, interprocess
const NON_BLOCKING: u32 = 1;
const FD: CUmemAllocationHandleType =
    CUmemAllocationHandleType::CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;

fn ok(status: CUresult) {
    assert_eq!(status, CUresult::CUDA_SUCCESS);
}

/// How the two find each other: a pair of sockets, one of which the started process inherits.
pub fn sockets(command: &mut Command) -> (UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    fcntl_setfd(&theirs, FdFlags::empty()).unwrap();
    command.env(VARIABLE, theirs.as_raw_fd().to_string());
    (ours, theirs)
}

fn inherited() -> UnixStream {
    let number = std::env::var(VARIABLE).unwrap().parse().unwrap();
    // SAFETY: the parent made it for this process, and nothing else here knows the number.
    unsafe { OwnedFd::from_raw_fd(number) }.into()
}

fn properties() -> CUmemAllocationProp {
    // SAFETY: plain numbers and a pointer, and enums whose zero exists.
    let mut properties: CUmemAllocationProp = unsafe { std::mem::zeroed() };
    properties.type_ = CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED;
    properties.requestedHandleTypes = FD;
    properties.location.type_ = CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE;
    properties
}

fn map(handle: u64, size: usize, access: CUmemAccess_flags) -> CUdeviceptr {
    let mut address = 0;
    let mut description = CUmemAccessDesc {
        location: properties().location,
        flags: access,
    };
    // SAFETY: the pointers are valid; the range is reserved before it is mapped and has the allocation's size.
    unsafe {
        ok(sys::cuMemAddressReserve(&raw mut address, size, 0, 0, 0));
        ok(sys::cuMemMap(address, size, 0, handle, 0));
        ok(sys::cuMemSetAccess(address, size, &raw mut description, 1));
    }
    address
}

fn new_event() -> (CUevent, CUipcEventHandle) {
    let (mut event, mut handle) = (std::ptr::null_mut(), CUipcEventHandle { reserved: [0; 64] });
    // SAFETY: the pointers are valid; a context is current.
    unsafe {
        ok(sys::cuEventCreate(&raw mut event, EVENT_FLAGS));
        ok(sys::cuIpcGetEventHandle(&raw mut handle, event));
    }
    (event, handle)
}

fn open_event(handle: CUipcEventHandle) -> CUevent {
    let mut event = std::ptr::null_mut();
    // SAFETY: the pointer is valid; a context is current.
    ok(unsafe { sys::cuIpcOpenEventHandle(&raw mut event, handle) });
    event
}

fn new_stream() -> CUstream {
    let mut stream = std::ptr::null_mut();
    // SAFETY: the pointer is valid; a context is current.
    ok(unsafe { sys::cuStreamCreate(&raw mut stream, NON_BLOCKING) });
    stream
}

fn to_bytes(handle: &CUipcEventHandle) -> [u8; 64] {
    handle.reserved.map(i8::cast_unsigned)
}

fn to_handle(bytes: [u8; 64]) -> CUipcEventHandle {
    CUipcEventHandle {
        reserved: bytes.map(u8::cast_signed),
    }
}

fn send(socket: &UnixStream, bytes: &[u8], fd: Option<&OwnedFd>) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = fd.map(|fd| [fd.as_fd()]);
    if let Some(fds) = &fds {
        assert!(control.push(SendAncillaryMessage::ScmRights(fds)));
    }
    let sent = sendmsg(
        socket,
        &[IoSlice::new(bytes)],
        &mut control,
        SendFlags::empty(),
    );
    assert_eq!(sent.unwrap(), bytes.len());
}

fn receive<const N: usize>(socket: &UnixStream) -> ([u8; N], Option<OwnedFd>) {
    let mut bytes = [0; N];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    );
    assert_eq!(got.unwrap().bytes, N);
    let mut fds = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    let fd = fds.next();
    (bytes, fd)
}

struct Block {
    address: CUdeviceptr,
    written: CUevent,
    read: Option<CUevent>,
}

pub struct FloorPublisher {
    socket: UnixStream,
    size: usize,
    blocks: Vec<Block>,
    stream: CUstream,
    frame: usize,
}

impl FloorPublisher {
    /// With no block yet.
    pub fn new(socket: UnixStream, size: usize) -> Self {
        let size = size.next_multiple_of(2 << 20);
        Self {
            socket,
            size,
            blocks: Vec::new(),
            stream: new_stream(),
            frame: 0,
        }
    }

    /// Makes all blocks and passes them on.
    pub fn fill_up(&mut self) {
        while self.blocks.len() < BLOCKS {
            let (message, fd) = self.make();
            self.pass(&message, &fd);
        }
    }

    /// A block, and what to pass on.
    pub fn make(&mut self) -> ([u8; 72], OwnedFd) {
        let (mut handle, mut fd, properties) = (0, -1i32, properties());
        // SAFETY: the pointers are valid; for this kind of handle the driver writes one C integer.
        unsafe {
            ok(sys::cuMemCreate(
                &raw mut handle,
                self.size,
                &raw const properties,
                0,
            ));
            ok(sys::cuMemExportToShareableHandle(
                (&raw mut fd).cast(),
                handle,
                FD,
                0,
            ));
        }
        // SAFETY: the driver opened it for us.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let address = map(
            handle,
            self.size,
            CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE,
        );
        let (written, event) = new_event();
        self.blocks.push(Block {
            address,
            written,
            read: None,
        });
        let mut message = [0; 72];
        message[..8].copy_from_slice(&self.size.to_le_bytes());
        message[8..].copy_from_slice(&to_bytes(&event));
        (message, fd)
    }

    pub fn pass(&mut self, message: &[u8; 72], fd: &OwnedFd) {
        send(&self.socket, message, Some(fd));
        let (answer, _) = receive::<64>(&self.socket);
        self.blocks.last_mut().unwrap().read = Some(open_event(to_handle(answer)));
    }

    /// As [`pass`](Self::pass), without waiting for the answer.
    pub fn pass_only(&mut self, message: &[u8; 72], fd: &OwnedFd) {
        send(&self.socket, message, Some(fd));
    }
}

impl Publisher for FloorPublisher {
    fn begin(&mut self, _len: usize) -> u64 {
        let block = &self.blocks[self.frame % self.blocks.len()];
        if let (Some(read), true) = (block.read, self.frame >= self.blocks.len()) {
            // SAFETY: both are alive.
            ok(unsafe { sys::cuStreamWaitEvent(self.stream, read, 0) });
        }
        block.address
    }

    fn record(&mut self) {
        let block = &self.blocks[self.frame % self.blocks.len()];
        // SAFETY: both are alive.
        ok(unsafe { sys::cuEventRecord(block.written, self.stream) });
    }

    fn describe(&mut self) -> [u64; WORDS] {
        let mut words = [0; WORDS];
        words[0] = (self.frame % self.blocks.len()) as u64;
        words
    }

    fn finish(&mut self) {
        self.frame += 1;
    }

    fn stream(&self) -> usize {
        self.stream.addr()
    }

    fn blocks(&self) -> usize {
        self.blocks.len()
    }

    fn block_of(&self, words: &[u64; WORDS]) -> u64 {
        words[0]
    }

    fn calls(&self) -> u64 {
        2 * self.frame as u64 // as one counts them above
    }
}

pub struct FloorSubscriber {
    socket: UnixStream,
    blocks: Vec<(CUdeviceptr, CUevent, CUevent)>,
    stream: CUstream,
    current: usize,
    taken: u64,
    size: usize,
}

impl FloorSubscriber {
    pub fn new() -> Self {
        Self {
            socket: inherited(),
            blocks: Vec::new(),
            stream: new_stream(),
            current: 0,
            taken: 0,
            size: 0,
        }
    }

    pub fn fill_up(&mut self) {
        while self.blocks.len() < BLOCKS {
            let event = self.import();
            send(&self.socket, &to_bytes(&event), None);
        }
    }

    /// Imports one block and takes the frame in it: its size and address.
    pub fn first(&mut self) -> (usize, u64) {
        self.import();
        let address = self.take(&[0; WORDS], 0);
        (self.size, address)
    }

    /// Waits for a block and maps it; the handle of the event by which its end of reading is told.
    pub fn import(&mut self) -> CUipcEventHandle {
        let (message, fd) = receive::<72>(&self.socket);
        let (size, event) = message.split_at(8);
        let size = usize::from_le_bytes(size.try_into().unwrap());
        self.size = size;
        let mut handle = 0;
        let number = fd.unwrap();
        let number =
            std::ptr::without_provenance_mut::<c_void>(number.as_raw_fd().cast_unsigned() as usize);
        // SAFETY: the pointer is valid; the second argument is the number of an open descriptor.
        ok(unsafe { sys::cuMemImportFromShareableHandle(&raw mut handle, number, FD) });
        let address = map(
            handle,
            size,
            CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READ,
        );
        let written = open_event(to_handle(event.try_into().unwrap()));
        let (read, handle) = new_event();
        self.blocks.push((address, written, read));
        handle
    }
}

impl Subscriber for FloorSubscriber {
    fn take(&mut self, words: &[u64; WORDS], _len: usize) -> u64 {
        self.current = usize::try_from(words[0]).unwrap();
        let (address, written, _) = self.blocks[self.current];
        // SAFETY: both are alive.
        ok(unsafe { sys::cuStreamWaitEvent(self.stream, written, 0) });
        address
    }

    fn release(&mut self) {
        // SAFETY: both are alive.
        ok(unsafe { sys::cuEventRecord(self.blocks[self.current].2, self.stream) });
        self.taken += 1;
    }

    fn stream(&self) -> usize {
        self.stream.addr()
    }

    fn calls(&self) -> u64 {
        2 * self.taken
    }
}
