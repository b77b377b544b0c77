//! Strangers at both ends of the socket: clients that say nothing, too much or nonsense, false publishers, other users.

use std::{
    fs::File,
    io::{IoSlice, pipe},
    mem::MaybeUninit,
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
    net::{
        AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen, recv, send,
        sendmsg, socket_with,
    },
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use crate::{
    counts::{Random, SOON, all_free, alone, held, within},
    frames,
    other::{self, Other, Settings, take},
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

/// The engine under attack, and what it holds in peace; afterwards it has to come back to that by itself.
fn attacked(attack: impl FnOnce(&ShmBackend, &str) -> Vec<OwnedFd>) {
    let shm = Settings::default().build().unwrap();
    still_serves(&shm);
    within(SOON, "that reader is gone", || shm.stats().readers == 0);
    all_free(&shm, SOON);
    let before = held("self");
    let strangers = attack(&shm, &shm.backend_metadata());
    still_serves(&shm);
    within(SOON, "every stranger is shown out", || {
        strangers.iter().all(is_closed)
    });
    drop(strangers);
    all_free(&shm, SOON);
    within(SOON, "nothing is left of them", || {
        held("self").no_more_than(before)
    });
}

#[test]
fn clients_that_say_nothing_are_shown_out() {
    let _turn = alone();
    attacked(|_, name| (0..100).map(|_| client(name)).collect());
}

#[test]
fn a_thousand_connections_do_no_harm() {
    let _turn = alone();
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(4096, |maximum| maximum.min(4096));
    let raised = Rlimit {
        current: Some(wanted),
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    attacked(|_, name| {
        let count = usize::try_from(wanted).unwrap().min(2048) / 2 - 24;
        println!("{count} connections");
        (0..count).map(|_| client(name)).collect()
    });
    setrlimit(Resource::Nofile, limit).unwrap();
}

#[test]
fn clients_that_say_nonsense_are_shown_out() {
    let _turn = alone();
    let mut random = Random::new();
    attacked(|_, name| {
        let half = HELLO[..4].to_vec();
        let short = [HELLO, &[7; 15]].concat();
        let long = [HELLO, &[7; 17]].concat();
        let newer = [b"\x01RBuf\x02\x00".as_slice(), &[7; 16]].concat();
        let need = [b"\x02".as_slice(), &[0; 8]].concat();
        let welcome = [WELCOME, &[7; 16]].concat();
        let mut said = vec![
            half,
            short,
            long,
            newer,
            need,
            welcome,
            vec![0],
            vec![0xFF; 100_000],
        ];
        for _ in 0..200 {
            let len = 1 + random.below(400);
            said.push((0..len).map(|_| random.next().to_le_bytes()[0]).collect());
        }
        said.iter()
            .map(|bytes| {
                let socket = client(name);
                // It may be shown out before.
                let _ = send(&socket, bytes, SendFlags::NOSIGNAL);
                socket
            })
            .collect()
    });
}

#[test]
fn files_that_nobody_asked_for_are_closed() {
    let _turn = alone();
    let (end, _other) = pipe().unwrap();
    let files = [end.as_fd(); 16];
    attacked(|_, name| {
        let clients = (0..50).map(|index| {
            let socket = client(name);
            let hello = [HELLO, &[index; 16]].concat();
            let text = if index % 2 == 0 {
                &hello
            } else {
                b"look" as &[u8]
            };
            let _ = say(&socket, text, &files[..usize::from(index % 17)]);
            socket
        });
        // Those with one file at most were let in; they go by themselves.
        let clients: Vec<_> = clients.collect();
        std::thread::sleep(Duration::from_millis(100));
        for socket in &clients {
            let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
        }
        clients
    });
}

/// Let in properly, then out of order. Such a one gets nothing more, and its end is noticed all the same.
#[test]
fn readers_that_break_the_protocol_later_are_cut_off() {
    let _turn = alone();
    let shm = Settings::default().build().unwrap();
    still_serves(&shm);
    within(SOON, "that reader is gone", || shm.stats().readers == 0);
    all_free(&shm, SOON);
    let before = held("self");
    let breaches: [&[u8]; 5] = [
        b"\x01RBuf\x01\x00",
        b"\x02",
        b"\x83\0\0\0\0\0\0\0\0",
        &[0xEE; 300],
        b"?",
    ];
    for (id, breach) in (1..).zip(breaches) {
        let socket = client(&shm.backend_metadata());
        let name = format!("1.{}.{:032}", format!("{id:02x}").repeat(16), 0);
        send(&socket, &[HELLO, &[id; 16]].concat(), SendFlags::NOSIGNAL).unwrap();
        assert!(shm.wait_for_reader(&name, SOON));
        let (_, descriptor) = other::send(&shm, &name, 1, 10_000).unwrap();
        assert!(descriptor.is_some());
        send(&socket, breach, SendFlags::NOSIGNAL).unwrap();
        within(SOON, "it gets bytes from now on", || {
            !shm.is_connected(&name)
        });
        let (_, descriptor) = other::send(&shm, &name, 2, 10_000).unwrap();
        assert_eq!(descriptor, None);
        drop(socket);
        within(SOON, "its end is noticed", || shm.stats().readers == 0);
    }
    // Asking for blocks that are not there is allowed, and costs nothing.
    let socket = client(&shm.backend_metadata());
    send(&socket, &[HELLO, &[9; 16]].concat(), SendFlags::NOSIGNAL).unwrap();
    for block in 0..10_000_u64 {
        let need = [b"\x02".as_slice(), &block.to_le_bytes()].concat();
        within(SOON, "it reads on", || {
            let full = Err(Errno::AGAIN);
            is_closed(&socket) || send(&socket, &need, SendFlags::NOSIGNAL) != full
        });
    }
    still_serves(&shm);
    drop(socket);
    within(SOON, "its end is noticed", || shm.stats().readers == 0);
    all_free(&shm, SOON);
    within(SOON, "nothing is left", || {
        held("self").no_more_than(before)
    });
}

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

const NOBODY: u32 = 65534;

/// Whether another user can run this binary at all.
fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("skipped: only root can start a process of another user");
    }
    root
}

#[test]
fn another_user_is_refused_and_gets_bytes() {
    let _turn = alone();
    if !is_root() {
        return;
    }
    let shm = Settings::default().build().unwrap();
    let mut other = Other::with(&Settings {
        uid: Some(NOBODY),
        ..Settings::default()
    });
    let answer = other.ask(&format!("connect {}", shm.backend_metadata()));
    assert!(answer.starts_with("error Disconnected("), "{answer}");
    assert!(answer.contains("user"), "it says why: {answer}");
    let error = shm.connect(&other.metadata, SOON).unwrap_err();
    assert!(
        matches!(&error, BackendError::Disconnected(why) if why.contains("user")),
        "{error:?}"
    );
    assert_eq!((shm.stats().readers, shm.stats().writers), (0, 0));
    let (_, descriptor) = other::send(&shm, &other.metadata, 1, 10_000).unwrap();
    assert_eq!(descriptor, None);
    still_serves(&shm);
}

#[test]
fn another_user_is_let_in_where_both_allow_it() {
    let _turn = alone();
    if !is_root() {
        return;
    }
    let shm = Settings {
        allow: Some(NOBODY),
        ..Settings::default()
    }
    .build()
    .unwrap();
    let mut other = Other::with(&Settings {
        uid: Some(NOBODY),
        allow: Some(0),
        ..Settings::default()
    });
    assert_eq!(
        other.ask(&format!("connect {}", shm.backend_metadata())),
        "ok"
    );
    assert!(shm.wait_for_reader(&other.metadata, SOON));
    let (_, descriptor) = other::send(&shm, &other.metadata, 1, 10_000).unwrap();
    let hex = frames::to_hex(&descriptor.unwrap());
    assert_eq!(other.ask(&format!("take {hex}")), "frame 1");
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
    assert!(took < Duration::from_secs(2), "{took:?}");
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
