//! Memory that two processes map, streams of all kinds, copies.

use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::driver::{Access, CudaError, Device, Driver, Progress, Registered, Stream};
use super::super::memory::{CudaMemory, Written};
use super::kernels::{Kernels, words};
use super::peer::Peer;
use super::{CELL, device, gpu};
use crate::ipc::lease::{Mapping, memfd};
use crate::ipc::memory::{Created, Memory as _};

const SIZE: u64 = 64 << 20;

#[test]
fn what_one_process_writes_another_reads_in_place() {
    let Some((context, memory)) = gpu() else {
        return;
    };
    let kernels = Kernels::load(&context);
    let stream = Stream::new(&context).unwrap();
    let peer = Peer::start();
    let start = Instant::now();
    let Created { block, fd, extra } = memory.create(0, CELL, SIZE).unwrap();
    // A program that is started would keep the memory.
    let flags = rustix::io::fcntl_getfd(&fd).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    let made = start.elapsed();
    let start = Instant::now();
    assert_eq!(peer.give(&fd, SIZE, extra.as_slice()), "imported");
    println!(
        "64 MiB: made in {made:?}, imported by another process in {:?}, message and answer included",
        start.elapsed()
    );
    peer.give_words(memory.common().unwrap());
    for seed in 1..=100 {
        kernels.fill(&stream, block.address(), block.len(), seed);
        block.end_write(&stream, seed.into(), SIZE).unwrap();
        let answer = peer.ask(&format!("check true {seed}"));
        assert_eq!(
            answer,
            format!("right {}", words(block.len())),
            "frame {seed}"
        );
    }
}

#[test]
fn an_import_outlives_the_writers_block() {
    let Some((context, memory)) = gpu() else {
        return;
    };
    let kernels = Kernels::load(&context);
    let stream = Stream::new(&context).unwrap();
    let peer = Peer::start();
    let Created { block, fd, extra } = memory.create(0, CELL, SIZE).unwrap();
    kernels.fill(&stream, block.address(), block.len(), 7);
    block.end_write(&stream, 7, SIZE).unwrap();
    assert_eq!(peer.give(&fd, SIZE, extra.as_slice()), "imported");
    let count = words(block.len());
    drop((block, fd)); // waits for the kernel
    assert_eq!(peer.ask("check false 7"), format!("right {count}"));
}

#[test]
fn memory_goes_back_to_the_device() {
    let Some((context, memory)) = gpu() else {
        return;
    };
    let peer = Peer::start();
    let (before, _) = context.memory().unwrap();
    let Created { block, fd, extra } = memory.create(0, CELL, 1 << 30).unwrap();
    assert_eq!(peer.give(&fd, 1 << 30, extra.as_slice()), "imported");
    let (during, _) = context.memory().unwrap();
    assert!(
        before - during >= 1 << 30,
        "{before} before, {during} with a block"
    );
    drop((block, fd));
    // A reader that is killed gives its share back too.
    peer.kill();
    let start = Instant::now();
    while context.memory().unwrap().0 < before {
        assert!(
            start.elapsed() < Duration::from_secs(1),
            "a killed reader keeps memory"
        );
    }
}

#[test]
fn every_kind_of_stream_orders_work() {
    let Some((context, memory)) = gpu() else {
        return;
    };
    let kernels = Kernels::load(&context);
    let Created { block, .. } = memory.create(0, CELL, SIZE).unwrap();
    let word = block.word().unwrap();
    let reader = Stream::new(&context).unwrap();
    let own = Stream::new(&context).unwrap();
    // SAFETY: `own` lives longer than this.
    let foreign = unsafe { Stream::foreign(&context, own.handle()) };
    // SAFETY: null stands for the legacy default stream.
    let null = unsafe { Stream::foreign(&context, core::ptr::null_mut()) };
    let kinds = [
        ("own", Stream::new(&context).unwrap()),
        ("foreign", foreign),
        ("null", null),
        ("legacy", Stream::legacy(&context)),
        ("per thread", Stream::per_thread(&context)),
    ];
    for (seed, (name, stream)) in (1..).zip(&kinds) {
        kernels.spin(stream, Duration::from_millis(50));
        kernels.fill(stream, block.address(), block.len(), seed);
        block.end_write(stream, seed.into(), SIZE).unwrap();
        assert_eq!(word.look(seed.into()), Written::NotYet, "{name}");
        assert_eq!(stream.query(), Ok(Progress::Running), "{name}");
        word.wait(&reader, seed.into()).unwrap();
        let right = kernels.check(&reader, block.address(), block.len(), seed);
        assert_eq!(right, Ok(words(block.len())), "{name} writes");
    }
    for (seed, (name, stream)) in (11..).zip(&kinds) {
        kernels.spin(&own, Duration::from_millis(50));
        kernels.fill(&own, block.address(), block.len(), seed);
        block.end_write(&own, seed.into(), SIZE).unwrap();
        word.wait(stream, seed.into()).unwrap();
        let right = kernels.check(stream, block.address(), block.len(), seed);
        assert_eq!(right, Ok(words(block.len())), "{name} reads");
    }
}

#[test]
fn bytes_are_copied_all_ways() {
    let Some((context, memory)) = gpu() else {
        return;
    };
    let stream = Stream::new(&context).unwrap();
    let Created { block: a, .. } = memory.create(0, CELL, SIZE).unwrap();
    let Created { block: b, .. } = memory.create(0, CELL, SIZE).unwrap();
    let len = a.len();
    let source: Vec<u8> = (0..len).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let mut target = vec![0; len];
    // SAFETY: all ranges are `len` long and used by this stream only, which is waited for.
    unsafe { stream.htod_async(a.address(), source.as_ptr(), len) }.unwrap();
    // SAFETY: as above.
    unsafe { stream.dtod_async(b.address(), a.address(), len) }.unwrap();
    // SAFETY: as above.
    unsafe { stream.dtoh_async(target.as_mut_ptr(), b.address(), len) }.unwrap();
    stream.synchronize().unwrap();
    assert!(source == target);
    // SAFETY: as above, on the legacy default stream.
    unsafe { context.set(b.address(), 7, len) }.unwrap();
    // SAFETY: as above.
    unsafe { context.dtoh(target.as_mut_ptr(), b.address(), len) }.unwrap();
    assert!(target.iter().all(|byte| *byte == 7));
    // SAFETY: as above.
    unsafe { context.htod(a.address(), source.as_ptr(), len) }.unwrap();
    // SAFETY: as above.
    unsafe { context.dtod(b.address(), a.address(), len) }.unwrap();
    // SAFETY: as above.
    unsafe { context.dtoh(target.as_mut_ptr(), b.address(), len) }.unwrap();
    assert!(source == target);
    // SAFETY: as above, waited for.
    unsafe { stream.peer_async((a.address(), &context), (b.address(), &context), len) }.unwrap();
    stream.synchronize().unwrap();
}

#[test]
fn shared_host_memory_is_registered_writable_and_read_only() {
    let Some((context, memory)) = gpu() else {
        return;
    };
    let Created { block, .. } = memory.create(0, CELL, SIZE).unwrap();
    let stream = Stream::new(&context).unwrap();
    let len = block.len();
    let legacy = Stream::legacy(&context);
    let fd = memfd("rosidl_buffer-test", SIZE).unwrap();
    let writable = Mapping::writable(fd.as_fd(), len).unwrap();
    let read_only = Mapping::read_only(fd.as_fd(), len).unwrap();
    let (to, from) = (writable.as_ptr().as_ptr(), read_only.as_ptr().as_ptr());
    // SAFETY: mapped writable until after it is dropped.
    let registered = unsafe { Registered::new(&context, to, len, Access::ReadWrite) }.unwrap();
    // SAFETY: valid ranges; waited for.
    unsafe { context.set(block.address(), 9, len) }.unwrap();
    legacy.synchronize().unwrap(); // `stream` does not wait for it
    let start = Instant::now();
    // SAFETY: as above.
    unsafe { stream.dtoh_async(to, block.address(), len) }.unwrap();
    stream.synchronize().unwrap();
    println!("64 MiB to registered shared memory: {:?}", start.elapsed());
    drop(registered);
    if !context.device().registers_read_only() {
        println!("skipped: the device does not register memory that is mapped read-only");
        return;
    }
    // SAFETY: mapped read-only until after it is dropped.
    let refused = unsafe { Registered::new(&context, from, len, Access::ReadWrite) };
    assert!(
        refused.is_err(),
        "a mapping that cannot be written was registered for writing"
    );
    // SAFETY: as above.
    let registered = unsafe { Registered::new(&context, from, len, Access::Read) }.unwrap();
    // SAFETY: valid ranges; waited for.
    unsafe { context.set(block.address(), 0, len) }.unwrap();
    legacy.synchronize().unwrap();
    let start = Instant::now();
    // SAFETY: as above.
    unsafe { stream.htod_async(block.address(), from, len) }.unwrap();
    stream.synchronize().unwrap();
    println!(
        "64 MiB from memory registered read-only: {:?}",
        start.elapsed()
    );
    let mut back = vec![0; len];
    // SAFETY: as above.
    unsafe { context.dtoh(back.as_mut_ptr(), block.address(), len) }.unwrap();
    assert!(back.iter().all(|byte| *byte == 9));
    drop(registered);
}

#[test]
fn devices_are_known_by_their_uuid() {
    let Some(device) = device() else { return };
    let found = Device::by_uuid(device.uuid()).unwrap();
    assert_eq!(found, device);
    let (driver, uuid) = (Driver::get().unwrap(), device.uuid());
    println!(
        "{} {uuid}: blocks in steps of {} bytes; {} offers CUDA {:?}",
        device.name(),
        device.granularity(),
        driver.library(),
        driver.version(),
    );
    assert!(device.granularity().is_power_of_two());
    let mut other = uuid;
    other.0[0] ^= 1;
    let Err(error) = CudaMemory::open(&[device], true).unwrap().reach(other) else {
        panic!("reached a device that does not exist");
    };
    assert_eq!(error, CudaError::NoSuchDevice { uuid: other });
}

#[test]
fn what_was_current_stays_current() {
    let Some((context, _)) = gpu() else { return };
    let context = Arc::clone(&context);
    std::thread::spawn(move || {
        let current = || {
            let mut current = core::ptr::null_mut();
            // SAFETY: the pointer is valid for one handle.
            let status = unsafe { cudarc::driver::sys::cuCtxGetCurrent(&raw mut current) };
            assert_eq!(status, cudarc::driver::sys::CUresult::CUDA_SUCCESS);
            current
        };
        assert!(current().is_null());
        let outer = context.enter().unwrap();
        assert!(!current().is_null());
        drop(context.enter().unwrap());
        assert!(!current().is_null());
        drop(outer);
        assert!(current().is_null());
    })
    .join()
    .unwrap();
}
