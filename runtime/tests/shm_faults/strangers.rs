//! Strangers at both ends of the socket: clients that say nothing, too much or nonsense, false publishers, other users.

mod clients;
mod publishers;
mod users;

use std::{
    io::IoSlice,
    mem::MaybeUninit,
    os::fd::{BorrowedFd, OwnedFd},
};

use rosidl_buffer_runtime::{BufferBackend as _, shm::ShmBackend};
use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        SocketAddrUnix, SocketFlags, SocketType, connect, recv, sendmsg, socket_with,
    },
};

use crate::{
    counts::{SOON, within},
    other::{self, Settings, take},
};

const HELLO: &[u8] = b"\x01RBuf\x01\x00";
const WELCOME: &[u8] = b"\x81RBuf\x01\x00";

fn socket() -> OwnedFd {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap()
}

/// The socket of this metadata, `1.<engine>.<socket>`.
fn address(metadata: &str) -> SocketAddrUnix {
    let name = format!("rosidl_buffer-{}", metadata.rsplit('.').next().unwrap());
    SocketAddrUnix::new_abstract_name(name.as_bytes()).unwrap()
}

/// Connects, waiting for room among those who wait.
fn client(metadata: &str) -> OwnedFd {
    let (socket, address) = (socket(), address(metadata));
    within(SOON, "room to connect", || {
        match connect(&socket, &address) {
            Ok(()) => true,
            Err(Errno::AGAIN) => false,
            Err(error) => panic!("{error}"),
        }
    });
    socket
}

fn say(socket: &OwnedFd, bytes: &[u8], files: &[BorrowedFd<'_>]) -> Result<usize, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(16))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() {
        assert!(control.push(SendAncillaryMessage::ScmRights(files)));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags)
}

/// Whether the other end is closed; throws away what it said.
fn is_closed(socket: &OwnedFd) -> bool {
    let mut bytes = [0; 512];
    loop {
        match recv(socket, &mut bytes, RecvFlags::DONTWAIT) {
            Ok((_, 1..)) => {}
            Ok(_) | Err(Errno::CONNRESET) => return true,
            Err(Errno::AGAIN) => return false,
            Err(error) => panic!("{error}"),
        }
    }
}

/// A new reader is let in and gets frames, whatever strangers do.
#[track_caller]
fn still_serves(shm: &ShmBackend) {
    let reader = Settings::default().build().unwrap();
    reader.connect(&shm.backend_metadata(), SOON).unwrap();
    let name = reader.backend_metadata();
    assert!(shm.wait_for_reader(&name, SOON));
    let (_, descriptor) = other::send(shm, &name, 5, 10_000).unwrap();
    assert_eq!(take(&reader, &descriptor.unwrap()).unwrap().0, 5);
}
