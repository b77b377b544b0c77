//! Two devices: memory of one that is read on the other in place, copied, or through the host. All of it skips, and says so,
//! where there is one device only.

use std::sync::Arc;
use std::time::Duration;

use rosidl_buffer_runtime::cuda::{AccessError, CudaBackend, Device};
use rosidl_buffer_runtime::shm::ShmBackend;
use rosidl_buffer_runtime::{Buffer, BufferBackend as _};

use crate::frames::open_files;
use crate::gpu::Gpu;
use crate::kills::lanes;
use crate::link::{End, Frame, Link, from_words, now, shm_from_words, shm_to_words};
use crate::other::{Other, next};
use crate::queue::{MAPPED, OTHER_ERROR, OWN, RIGHT, WRONG};
use crate::side::{Side, eventually, place};

const MB: usize = 1 << 20;
const SOON: Duration = Duration::from_secs(20);
/// Marks of a reader: frames that lay in memory which is registered with CUDA.
const REGISTERED: usize = 10;

/// Two devices that share memory; says so if there are not as many.
fn two() -> Option<[Device; 2]> {
    let all = Device::all().unwrap_or_default();
    let shareable: Vec<Device> = all.into_iter().filter(Device::can_share).collect();
    let found = shareable.len();
    let Some((first, second)) = shareable.split_first().and_then(|(first, rest)| {
        let second = rest.first()?;
        Some((first.clone(), second.clone()))
    }) else {
        println!("skipped: two devices are needed, and there are {found}");
        return None;
    };
    Some([first, second])
}

/// Two devices, of which the second reads the first one's memory.
fn two_peers() -> Option<[Device; 2]> {
    let [a, b] = two()?;
    if b.can_access_peer(&a).unwrap() {
        return Some([a, b]);
    }
    println!("skipped: {} has no peer access to {}", b.uuid(), a.uuid());
    None
}

fn on(device: &Device) -> Side {
    Side::with(CudaBackend::builder().device(device.uuid())).expect("the device is there")
}

/// As many right frames as were sent, and nothing else.
fn all_right(link: &Link, frames: u64) {
    let marks = [RIGHT, WRONG, OTHER_ERROR].map(|mark| link.marks[mark].get());
    assert_eq!(marks, [frames, 0, 0]);
}

#[test]
fn frames_are_read_in_place_on_another_device() {
    let Some([a, b]) = two_peers() else { return };
    for (from, to) in [(&a, &b), (&b, &a)] {
        for (len, frames, window) in [(MB, 1000, 1), (4 * MB - 4, 1000, 3), (64 * MB, 200, 2)] {
            let side = on(from);
            let mut other = Other::start_with("prompt", &[place(to)]);
            send(&side, &mut other, len, frames, window);
            let (mapped, own) = (other.link.marks[MAPPED].get(), other.link.marks[OWN].get());
            println!("{len} bytes, {frames} frames, {window} in flight: {mapped} blocks mapped");
            assert_eq!((mapped, own), (side.cuda.stats().blocks as u64, 0));
            assert!(mapped <= window + 2);
        }
    }
}

#[test]
fn frames_are_copied_to_another_device_on_request() {
    let Some([a, b]) = two_peers() else { return };
    for (len, frames, window) in [(MB, 1000, 1), (4 * MB - 4, 1000, 3), (64 * MB, 200, 2)] {
        let side = on(&a);
        let mut other = Other::start_with("copy", &[place(&b)]);
        send(&side, &mut other, len, frames, window);
        let own = other.link.marks[OWN].get();
        println!("{len} bytes, {frames} frames, {window} in flight: {own} blocks of the reader");
        assert!((1..=3).contains(&own), "copied into {own} blocks");
        let blocks = side.cuda.stats().blocks as u64;
        assert!(blocks <= window + 2, "{blocks} blocks");
    }
}

/// Sends frames, now and then long before they are written: then only the order on the devices can make them right.
fn send(side: &Side, other: &mut Other, len: usize, frames: u64, window: u64) {
    let reader = side.serve(&other.link);
    for frame in 0..frames {
        eventually("the reader goes on", SOON, || {
            frame - other.link.consumed.get() < window
        });
        let busy = Duration::from_millis(if frame % 50 == 7 { 3 } else { 0 });
        let buffer = side.write(len, frame, busy).unwrap();
        assert!(side.send(&other.link, frame, &buffer, &reader), "connected");
    }
    other.end();
    all_right(&other.link, frames);
    eventually("all blocks come back", SOON, || side.in_use() == 0);
}

/// Every frame at once, of a copy in memory of this process.
pub fn copy(side: &Side, link: &Link) {
    side.join(link);
    for taken in 0.. {
        let Some(frame) = next(link, taken) else {
            return;
        };
        let storage = side.cuda.from_descriptor(from_words(&frame.words)).unwrap();
        let buffer = Buffer::<u8>::from_storage(storage).unwrap();
        let read = side.cuda.copy_input_buffer(&buffer, &side.stream).unwrap();
        let copied = read.buffer().expect("the copy");
        drop(buffer);
        assert_eq!(copied.len(), read.len());
        let right = side.gpu.is_right(
            side.stream.handle(),
            read.address(),
            read.len(),
            frame.number,
        );
        link.marks[if right { RIGHT } else { WRONG }].count();
        link.marks[OWN].set(side.cuda.stats().blocks as u64);
        link.consumed.set(taken + 1);
    }
}

/// A reader that wants no peer access, and one that does not even see the publisher's device.
#[test]
fn without_peer_access_frames_come_through_registered_host_memory() {
    let Some([a, b]) = two() else { return };
    let hidden = ("CUDA_VISIBLE_DEVICES", format!("GPU-{}", b.uuid()));
    for (role, environment) in [("through-host 0", place(&b)), ("through-host 1", hidden)] {
        for (len, frames) in [(MB, 200), (64 * MB + 4, 50)] {
            let shm = ShmBackend::builder().max_bytes(1 << 30).build().unwrap();
            let builder = CudaBackend::builder().device(a.uuid());
            let side = Side::with(builder.host_pool(Arc::new(shm.clone()))).unwrap();
            let mut other = Other::start_with(role, std::slice::from_ref(&environment));
            let metadata = [side.cuda.backend_metadata(), shm.backend_metadata()];
            other.link.say(End::Writer, &metadata.join(" "));
            let reader = other.link.hear(End::Reader);
            let (cuda, host) = reader.split_once(' ').unwrap();
            assert!(side.cuda.wait_for_reader(cuda, SOON) && shm.wait_for_reader(host, SOON));
            for frame in 0..frames {
                eventually("the reader goes on", SOON, || {
                    frame - other.link.consumed.get() < 2
                });
                let busy = Duration::from_millis(if frame % 50 == 7 { 3 } else { 0 });
                let buffer = side.write(len, frame, busy).unwrap();
                let storage = buffer.storage().unwrap();
                let described = side.cuda.create_descriptor(storage, cuda).unwrap();
                assert_eq!(described, None, "the reader cannot reach the device");
                let copied = storage.host_storage().expect("there is a pool");
                assert!(side.gpu.is_registered(copied.host_bytes().unwrap()));
                let descriptor = shm.describe(copied.as_ref(), host).unwrap();
                other.link.publish(&Frame {
                    number: frame,
                    start: now(),
                    words: shm_to_words(&descriptor.expect("connected")),
                });
            }
            other.end();
            all_right(&other.link, frames);
            assert_eq!(other.link.marks[REGISTERED].get(), frames);
            assert!(shm.stats().blocks <= 4, "{:?}", shm.stats());
        }
    }
}

/// Every frame at once, from shared host memory to the device.
pub fn through_host(side: &Side, link: &Link) {
    let shm = ShmBackend::new().unwrap();
    let metadata = [side.cuda.backend_metadata(), shm.backend_metadata()];
    link.say(End::Reader, &metadata.join(" "));
    let writer = link.hear(End::Writer);
    let (cuda, host) = writer.split_once(' ').unwrap();
    side.cuda.connect(cuda, SOON).unwrap();
    shm.connect(host, SOON).unwrap();
    for taken in 0.. {
        let Some(frame) = next(link, taken) else {
            return;
        };
        let storage = shm.from_descriptor(shm_from_words(&frame.words)).unwrap();
        let buffer = Buffer::<u8>::from_storage(storage).unwrap();
        let read = side.cuda.from_input_buffer(&buffer, &side.stream).unwrap();
        if side.gpu.is_registered(buffer.as_slice().unwrap()) {
            link.marks[REGISTERED].count();
        }
        drop(buffer); // the copy may still run
        let right = side.gpu.is_right(
            side.stream.handle(),
            read.address(),
            read.len(),
            frame.number,
        );
        link.marks[if right { RIGHT } else { WRONG }].count();
        link.consumed.set(taken + 1);
    }
}

/// Whichever number a device has in the reader's process.
#[test]
fn devices_are_known_by_uuid_whatever_is_visible() {
    let Some([a, b]) = two_peers() else { return };
    let visible = |order: [&Device; 2]| {
        let names = order.map(|device| format!("GPU-{}", device.uuid()));
        ("CUDA_VISIBLE_DEVICES", names.join(","))
    };
    // The reader's first device is the other one, or is told.
    for (environment, wants) in [
        (vec![visible([&b, &a])], "in place, from the second device"),
        (vec![visible([&b, &a]), place(&a)], "on the same device"),
        (vec![visible([&a, &b]), place(&b)], "in place"),
    ] {
        let side = on(&a);
        let mut other = Other::start_with("prompt", &environment);
        send(&side, &mut other, 4 * MB, 200, 2);
        assert_eq!(other.link.marks[OWN].get(), 0, "{wants}");
    }
}

#[test]
fn a_reader_on_another_device_that_writes_faults_alone() {
    let Some([a, b]) = two_peers() else { return };
    let side = on(&a);
    let mut vandal = Other::start_with("vandal", &[place(&b)]);
    let reader = side.serve(&vandal.link);
    let buffer = side.write(4 * MB, 0, Duration::ZERO).unwrap();
    assert!(side.send(&vandal.link, 0, &buffer, &reader));
    vandal.end();
    assert_eq!(vandal.link.marks[RIGHT].get(), 1);
    let read = side.cuda.from_input_buffer(&buffer, &side.stream).unwrap();
    let handle = side.stream.handle();
    assert!(side.gpu.is_right(handle, read.address(), read.len(), 0));
    drop((read, buffer));
    let mut good = Other::start_with("prompt", &[place(&b)]);
    send(&side, &mut good, 4 * MB, 100, 2);
}

#[test]
fn killed_readers_and_writers_on_another_device_leave_nothing_behind() {
    let Some([a, b]) = two_peers() else { return };
    let gpus = [Gpu::on(&a), Gpu::on(&b)];
    let state = || {
        (
            open_files(),
            gpus.each_ref().map(|gpu| gpu.free_memory() >> 20),
        )
    };
    let pause = || std::thread::sleep(Duration::from_millis(500)); // as for one device
    let environment = [place(&b)];
    lanes(8, &environment);
    pause();
    let start = state();
    assert!(lanes(80, &environment) > 0, "nothing was read");
    pause();
    let end = state();
    println!("files and free MiB of both devices: {start:?} became {end:?}");
    assert!(end.0 <= start.0 + 4, "{start:?} became {end:?}");
    let is_back = |(before, after): (u64, u64)| after + 4 >= before;
    assert!(start.1.into_iter().zip(end.1).all(is_back));
}

#[test]
fn one_process_uses_both_devices() {
    let Some(devices) = two_peers() else { return };
    let gpus = devices.each_ref().map(Gpu::on);
    for peer_access in [true, false] {
        let builder = devices
            .iter()
            .fold(CudaBackend::builder(), |builder, device| {
                builder.device(device.uuid())
            });
        let side = Side::with(builder.peer_access(peer_access)).unwrap();
        let streams = devices
            .each_ref()
            .map(|device| side.cuda.new_stream_on(device.uuid()).unwrap());
        for (from, to) in [(0, 1), (1, 0)] {
            for frame in 0..100 {
                let device = devices[from].uuid();
                let mut buffer = side.cuda.allocate_buffer_on(device, 4 * MB).unwrap();
                let refused = side.cuda.from_output_buffer(&mut buffer, &streams[to]);
                assert!(matches!(refused, Err(AccessError::OtherDevice { .. })));
                let write = side
                    .cuda
                    .from_output_buffer(&mut buffer, &streams[from])
                    .unwrap();
                let address = write.address();
                let (writes, reads) = (streams[from].handle(), streams[to].handle());
                if frame % 10 == 3 {
                    gpus[from].spin(writes, Duration::from_millis(3));
                }
                gpus[from].fill(writes, address, write.len(), frame);
                drop(write);
                let read = side.cuda.from_input_buffer(&buffer, &streams[to]).unwrap();
                let copy = side.cuda.copy_input_buffer(&buffer, &streams[to]).unwrap();
                assert_eq!(read.address() == address, peer_access, "in place");
                assert_ne!(copy.address(), address);
                for read in [&read, &copy] {
                    assert_eq!(read.len(), 4 * MB);
                    assert!(gpus[to].is_right(reads, read.address(), read.len(), frame));
                }
                let copied = copy.buffer().expect("the copy");
                drop((read, copy));
                if frame == 50 {
                    assert_eq!(copied.to_vec().unwrap(), buffer.to_vec().unwrap());
                }
            }
        }
        eventually("all blocks come back", SOON, || side.in_use() == 0);
        assert_eq!(side.cuda.unfinished_reads(), 0);
    }
}

/// From the pools of both devices to one reader, which is on the second.
#[test]
fn one_process_publishes_from_both_devices() {
    let Some([a, b]) = two_peers() else { return };
    let builder = CudaBackend::builder().device(a.uuid()).device(b.uuid());
    let side = Side::with(builder).unwrap();
    let gpus = [Gpu::on(&a), Gpu::on(&b)];
    let streams = [&a, &b].map(|device| side.cuda.new_stream_on(device.uuid()).unwrap());
    let mut other = Other::start_with("prompt", &[place(&b)]);
    let reader = side.serve(&other.link);
    for frame in 0..400 {
        eventually("the reader goes on", SOON, || {
            frame - other.link.consumed.get() < 2
        });
        let at = usize::try_from(frame % 2).unwrap();
        let stream = &streams[at];
        let device = stream.device().uuid();
        let mut buffer = side.cuda.allocate_buffer_on(device, MB).unwrap();
        let write = side.cuda.from_output_buffer(&mut buffer, stream).unwrap();
        gpus[at].fill(stream.handle(), write.address(), write.len(), frame);
        drop(write);
        assert!(side.send(&other.link, frame, &buffer, &reader), "connected");
    }
    other.end();
    all_right(&other.link, 400);
    assert_eq!(
        (other.link.marks[MAPPED].get(), other.link.marks[OWN].get()),
        (side.cuda.stats().blocks as u64, 0)
    );
}
