//! A reader that is stopped (SIGSTOP, a debugger, a laptop lid) while the writer goes on.

use std::{
    io::Write as _,
    thread,
    time::{Duration, Instant},
};

use rosidl_buffer_runtime::BufferBackend as _;
use rustix::process::Signal;

use crate::{
    counts::{SOON, all_free, alone},
    frames,
    other::{Other, Settings, hear, send},
};

const BLOCKS: usize = 6;
const DEADLINE: Duration = Duration::from_millis(200);
const LEN: usize = 100_000;

#[test]
fn a_stopped_reader_costs_the_writer_nothing_and_gets_losses_instead_of_torn_frames() {
    let _turn = alone();
    let settings = Settings {
        max_blocks: BLOCKS,
        deadline: DEADLINE,
        ..Settings::default()
    };
    let shm = settings.build().unwrap();
    let mut other = Other::with(&settings);
    let connect = format!("connect {}", shm.backend_metadata());
    assert_eq!(other.ask(&connect), "ok");
    assert!(shm.wait_for_reader(&other.metadata, SOON));
    // One is held when it stops, and stays whole.
    assert_eq!(other.ask("keep 1"), "ok");
    let (_, first) = send(&shm, &other.metadata, 1, LEN).unwrap();
    let hex = frames::to_hex(&first.unwrap());
    assert_eq!(other.ask(&format!("take {hex}")), "frame 1");

    other.signal(Signal::STOP);
    let reader = other.metadata.clone();
    let (mut sent, mut none, mut exhausted) = (0, 0, 0);
    let mut slowest = Duration::ZERO;
    let start = Instant::now();
    let (mut lines, mut number) = (Vec::new(), 1);
    while start.elapsed() < 5 * DEADLINE || (sent < 50 && start.elapsed() < SOON) {
        number += 1;
        if number % 16 == 0 {
            // New blocks, which it would have to be sent: its end of the socket fills up.
            shm.trim(Duration::ZERO);
        }
        let before = Instant::now();
        match send(&shm, &reader, number, LEN) {
            Ok((_, Some(descriptor))) => {
                lines.push(format!("take {}\n", frames::to_hex(&descriptor)));
                sent += 1;
            }
            Ok((_, None)) => none += 1,
            Err(error) if error.starts_with("Exhausted") => exhausted += 1,
            Err(error) => panic!("{error}"),
        }
        slowest = slowest.max(before.elapsed());
        assert!(shm.stats().blocks <= BLOCKS, "{:?}", shm.stats());
        thread::sleep(Duration::from_millis(2));
    }
    println!("sent {sent}, bytes instead {none}, exhausted {exhausted}, slowest {slowest:?}");
    assert!(
        sent >= 50,
        "the writer goes on: sent {sent}, none {none}, exhausted {exhausted}"
    );
    assert!(
        slowest < DEADLINE,
        "nothing waits for the reader: {slowest:?}"
    );

    other.signal(Signal::CONT);
    let (mut input, mut output) = other.split();
    let writing = thread::spawn(move || {
        for line in lines {
            input.write_all(line.as_bytes()).unwrap();
        }
        input
    });
    let (mut whole, mut lost) = (0, 0);
    for _ in 0..sent {
        let answer = hear(&mut output).unwrap();
        if answer.starts_with("frame ") {
            whole += 1;
        } else {
            assert!(answer.starts_with("error Lost("), "{answer}");
            lost += 1;
        }
    }
    println!("then whole {whole}, lost {lost}");
    assert!(lost > 0 && shm.stats().expired > 0);
    let mut input = writing.join().unwrap();
    // It catches up: the next one arrives.
    let (_, next) = send(&shm, &reader, number + 1, LEN).unwrap();
    let hex = frames::to_hex(&next.expect("still connected"));
    input
        .write_all(format!("take {hex}\nlook\n").as_bytes())
        .unwrap();
    let answer = hear(&mut output).unwrap();
    assert_eq!(answer, format!("frame {}", number + 1));
    assert_eq!(hear(&mut output).unwrap(), "1 whole");
    drop(other);
    all_free(&shm, Duration::from_secs(1));
}
