//! False publishers: nobody, nonsense, memory that is none, and silence.

use std::{
    fs::File,
    io::pipe,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rosidl_buffer_runtime::{
    BackendError, BufferBackend as _,
    shm::{ShmBackend, ShmBufferDescriptor},
};
use rustix::{
    fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create},
    io::Errno,
    net::{RecvFlags, SocketFlags, accept_with, bind, listen, recv},
};

use super::{HELLO, WELCOME, address, say, socket, still_serves};
use crate::{
    counts::{SOON, all_free, alone, held, within},
    other::Settings,
};

/// Metadata of a false publisher, whose engine is `[0xAB; 16]`: a socket that only this run of the tests has.
fn false_name(socket: u64) -> String {
    let engine = "ab".repeat(16);
    format!("1.{engine}.{:016x}{socket:016x}", std::process::id())
}

/// What a false publisher answers to a greeting.
type Answer<'a> = Box<dyn Fn(&OwnedFd) + 'a>;

fn memfd(len: u64, seals: SealFlags) -> OwnedFd {
    let file = memfd_create("false", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    ftruncate(&file, len).unwrap();
    fcntl_add_seals(&file, seals).unwrap();
    file
}

#[test]
fn false_publishers_are_errors_in_time() {
    let _turn = alone();
    const LEASE: u64 = 1 << 16;
    let sealed = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    let welcome = [WELCOME, &[0xAB; 16]].concat();
    let say = |bytes: &[u8], file: Option<BorrowedFd<'_>>, to: &OwnedFd| {
        let _ = say(to, bytes, file.as_slice());
    };
    let (end, _end) = pipe().unwrap();
    let null = File::open("/dev/null").unwrap();
    let unsealed = memfd(LEASE, SealFlags::empty());
    let short = memfd(LEASE / 2, sealed);
    let long = memfd(2 * LEASE, sealed);
    let unwritable = memfd(LEASE, sealed | SealFlags::WRITE);
    let good = memfd(LEASE, sealed);
    let answers: Vec<(&str, Answer<'_>)> = vec![
        ("nothing", Box::new(|_| {})),
        ("noise", Box::new(|to| say(&[0x55; 100], None, to))),
        ("too much", Box::new(|to| say(&[0x81; 10_000], None, to))),
        ("no lease", Box::new(|to| say(&welcome, None, to))),
        (
            "a pipe",
            Box::new(|to| say(&welcome, Some(end.as_fd()), to)),
        ),
        (
            "a device",
            Box::new(|to| say(&welcome, Some(null.as_fd()), to)),
        ),
        (
            "unsealed",
            Box::new(|to| say(&welcome, Some(unsealed.as_fd()), to)),
        ),
        (
            "short",
            Box::new(|to| say(&welcome, Some(short.as_fd()), to)),
        ),
        ("long", Box::new(|to| say(&welcome, Some(long.as_fd()), to))),
        (
            "unwritable",
            Box::new(|to| say(&welcome, Some(unwritable.as_fd()), to)),
        ),
        (
            "another",
            Box::new(|to| say(&[WELCOME, &[1; 16]].concat(), Some(good.as_fd()), to)),
        ),
        ("refusal", Box::new(|to| say(&[0x84, 3], None, to))),
        ("no refusal", Box::new(|to| say(&[0x84, 99], None, to))),
    ];
    for (index, (what, answer)) in (1..).zip(answers) {
        let shm = Settings::default().build().unwrap();
        let before = held("self");
        let listener = socket();
        bind(&listener, &address(&false_name(index))).unwrap();
        listen(&listener, 16).unwrap();
        shm.on_discovering_endpoint(&false_name(index));
        let mut accepted = None;
        within(SOON, "it connects", || {
            accepted = accept_with(&listener, SocketFlags::CLOEXEC).ok();
            accepted.is_some()
        });
        answer(accepted.as_ref().unwrap());
        let start = Instant::now();
        let error = shm
            .connect(&false_name(index), Duration::from_millis(700))
            .unwrap_err();
        assert!(
            matches!(error, BackendError::Disconnected(_)),
            "{what}: {error:?}"
        );
        assert!(start.elapsed() < Duration::from_secs(5), "{what}");
        still_serves(&shm);
        drop((accepted, listener));
        all_free(&shm, SOON);
        within(SOON, what, || held("self").no_more_than(before));
    }
}

#[test]
fn nobody_at_the_address_is_an_error_at_once() {
    let _turn = alone();
    let shm = Settings::default().build().unwrap();
    let start = Instant::now();
    let nobody = format!("1.{}.{}", "cd".repeat(16), "ef".repeat(16));
    let error = shm.connect(&nobody, SOON).unwrap_err();
    assert!(matches!(error, BackendError::Disconnected(_)), "{error:?}");
    assert!(start.elapsed() < SOON / 2);
    for text in [
        "",
        "1",
        "1..",
        "2.a.b",
        "1.zz.zz",
        &nobody[..60],
        &format!("{nobody}0"),
        "ü.ü.ü",
    ] {
        let error = shm.connect(text, SOON).unwrap_err();
        assert!(
            matches!(error, BackendError::Malformed(_)),
            "{text}: {error:?}"
        );
        shm.on_discovering_endpoint(text);
        assert!(!shm.is_connected(text) && !shm.wait_for_reader(text, Duration::ZERO));
    }
    // Half the network, none of it here: remembered up to a limit.
    for index in 0..5_000_u32 {
        shm.on_discovering_endpoint(&format!("1.{index:032x}.{index:032x}"));
    }
    still_serves(&shm);
}

/// A publisher that lets this one reader in and says nothing more. A hundred descriptors of the first use of its only block
/// are on their way.
struct Silent {
    shm: ShmBackend,
    connection: OwnedFd,
    descriptor: ShmBufferDescriptor,
}

impl Silent {
    /// `number` makes its name.
    fn start(number: u64) -> Self {
        const LEASE: u64 = 1 << 16;
        let sealed = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        let lease = memfd(LEASE, sealed);
        let cell = (1_u64 << 24) | (100 << 12);
        rustix::io::pwrite(&lease, &cell.to_le_bytes(), 0).unwrap();
        let name = false_name(number);
        let listener = socket();
        bind(&listener, &address(&name)).unwrap();
        listen(&listener, 16).unwrap();
        let shm = Settings::default().build().unwrap();
        shm.on_discovering_endpoint(&name);
        let mut accepted = None;
        within(SOON, "it connects", || {
            accepted = accept_with(&listener, SocketFlags::CLOEXEC).ok();
            accepted.is_some()
        });
        let connection = accepted.unwrap();
        let welcome = [WELCOME, &[0xAB; 16]].concat();
        say(&connection, &welcome, &[lease.as_fd()]).unwrap();
        shm.connect(&name, SOON).unwrap();
        let descriptor = ShmBufferDescriptor {
            version: ShmBufferDescriptor::VERSION,
            engine_id: [0xAB; 16],
            cell: 0,
            block_id: 1024,
            generation: 1,
            block_size: 4096,
            offset: 0,
            size: 4096,
        };
        Self {
            shm,
            connection,
            descriptor,
        }
    }
}

/// A stopped publisher, as it looks to its reader: blocks are described and never come.
#[test]
fn a_publisher_that_does_not_answer_is_waited_for_once() {
    let _turn = alone();
    let silent = Silent::start(0);
    let start = Instant::now();
    for _ in 0..20 {
        let error = silent.shm.read(&silent.descriptor).unwrap_err();
        assert!(matches!(error, BackendError::Disconnected(_)), "{error}");
    }
    let took = start.elapsed();
    // Waited for each time, it would take ten seconds.
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_block_that_cannot_be_mapped_is_told_to_all_who_wait_and_to_its_publisher() {
    let _turn = alone();
    let silent = Silent::start(100);
    let (shm, descriptor) = (&silent.shm, &silent.descriptor);
    let message = |kind: u8| [&[kind][..], &1024_u64.to_le_bytes()].concat();
    let hear = || {
        let mut bytes = [0; 512];
        let mut len = 0;
        within(SOON, "the reader speaks", || {
            match recv(&silent.connection, &mut bytes, RecvFlags::DONTWAIT) {
                Ok((received, _)) => len = received,
                Err(Errno::AGAIN) => return false,
                Err(error) => panic!("{error}"),
            }
            true
        });
        bytes[..len].to_vec()
    };
    assert!(hear().starts_with(HELLO));
    std::thread::scope(|scope| {
        let waiting = [(); 3].map(|()| scope.spawn(|| shm.read(descriptor).map(drop)));
        for _ in 0..3 {
            assert_eq!(hear(), message(2), "it asks for the block");
        }
        let size = 4096_u64.to_le_bytes();
        let block = [&message(0x82)[..], &size, &[0]].concat();
        let (no_memory, _end) = pipe().unwrap();
        say(&silent.connection, &block, &[no_memory.as_fd()]).unwrap();
        for thread in waiting {
            let error = thread.join().unwrap().unwrap_err();
            assert!(matches!(error, BackendError::Io { .. }), "{error}");
        }
    });
    assert_eq!(hear(), message(3), "it could not be mapped");
}
