//! Clients that say nothing, too much or nonsense, at once or after they were let in.

use std::{
    io::pipe,
    os::fd::{AsFd as _, OwnedFd},
    time::Duration,
};

use rosidl_buffer_runtime::{BufferBackend as _, shm::ShmBackend};
use rustix::{
    io::Errno,
    net::{SendFlags, send},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use super::{HELLO, WELCOME, client, is_closed, say, still_serves};
use crate::{
    counts::{Random, SOON, all_free, alone, held, within},
    other::{self, Settings},
};

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
