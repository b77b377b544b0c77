//! `kill -9` at any moment: what the other side held of the dead process is gone within a second, and nothing else is.

use std::{
    collections::VecDeque,
    io::Write as _,
    thread,
    time::{Duration, Instant},
};

use rosidl_buffer_runtime::{BufferBackend as _, shm::ShmBackend};

use crate::{
    counts::{Random, SOON, all_free, alone, held, name_exists, within},
    frames,
    other::{Other, Settings, hear, send, take},
};

const LEN: usize = 20_000;
/// What may pass between a death and everything being as before it.
const RECOVERY: Duration = Duration::from_secs(1);

/// Kills at a random moment of the next 15 ms, in a thread of its own: the caller goes on meanwhile.
fn kill_soon(other: Other, random: &mut Random) -> thread::JoinHandle<Instant> {
    let delay = random.millis(15);
    thread::spawn(move || {
        thread::sleep(delay);
        other.kill();
        Instant::now()
    })
}

/// Frames to the other process, as fast as it takes them, until it dies.
fn reader_dies(shm: &ShmBackend, random: &mut Random) -> Duration {
    let mut other = Other::start();
    if random.below(10) == 0 {
        // Not connected yet, or in the middle of it.
        other.say(&format!("connect {}", shm.backend_metadata()));
    } else {
        assert_eq!(
            other.ask(&format!("connect {}", shm.backend_metadata())),
            "ok"
        );
        assert!(shm.wait_for_reader(&other.metadata, SOON));
        assert_eq!(other.ask(&format!("keep {}", random.below(4))), "ok");
    }
    let reader = other.metadata.clone();
    let (mut input, mut output) = other.split();
    let answers = thread::spawn(move || {
        while let Some(answer) = hear(&mut output) {
            let whole = answer == "ok" || answer.starts_with("frame ");
            assert!(whole || answer.starts_with("error Lost("), "{answer}");
        }
    });
    let killer = kill_soon(other, random);
    for number in 1.. {
        let line = match send(shm, &reader, number, LEN) {
            Ok((_, Some(descriptor))) => format!("take {}\n", frames::to_hex(&descriptor)),
            Ok((_, None)) | Err(_) if killer.is_finished() => break,
            Ok((_, None)) | Err(_) => {
                thread::sleep(Duration::from_micros(200));
                continue;
            }
        };
        if input.write_all(line.as_bytes()).is_err() {
            break;
        }
    }
    let died = killer.join().unwrap();
    within(RECOVERY, "the dead reader is forgotten", || {
        shm.stats().readers == 0
    });
    all_free(shm, RECOVERY);
    let recovery = died.elapsed();
    answers.join().unwrap();
    assert!(!name_exists(&reader));
    recovery
}

/// Frames from the other process, as fast as they come, until it dies; the last three are held beyond that.
fn writer_dies(shm: &ShmBackend, random: &mut Random) -> Duration {
    let mut other = Other::start();
    let writer = other.metadata.clone();
    shm.connect(&writer, SOON).unwrap();
    let reader = shm.backend_metadata();
    assert_eq!(other.ask(&format!("sees {reader}")), "true");
    other.say(&format!("stream {reader} {LEN}"));
    let (_input, mut output) = other.split();
    let killer = kill_soon(other, random);
    let mut taken = VecDeque::new();
    while let Some(line) = hear(&mut output) {
        match take(shm, &frames::from_hex(&line)) {
            Ok(frame) => taken.push_back(frame),
            Err(error) => {
                let known = error.starts_with("Lost(") || error.starts_with("Disconnected(");
                assert!(known, "{error}");
            }
        }
        if taken.len() > 3 {
            taken.pop_front();
        }
    }
    let died = killer.join().unwrap();
    within(RECOVERY, "the dead writer is forgotten", || {
        shm.stats().writers == 0
    });
    for (number, handle) in taken {
        // Whose process is gone, but not their memory.
        assert_eq!(frames::check(&handle), Ok(number));
    }
    within(RECOVERY, "nothing is mapped any more", || {
        shm.stats().imports == 0
    });
    assert!(!name_exists(&writer));
    died.elapsed()
}

/// Two other processes, and this one connected to both.
fn both_die(shm: &ShmBackend, random: &mut Random) -> Duration {
    let (mut writer, mut reader) = (Other::start(), Other::start());
    shm.connect(&writer.metadata, SOON).unwrap();
    let metadata = shm.backend_metadata();
    assert_eq!(reader.ask(&format!("connect {metadata}")), "ok");
    assert_eq!(reader.ask(&format!("connect {}", writer.metadata)), "ok");
    assert_eq!(writer.ask(&format!("sees {}", reader.metadata)), "true");
    assert_eq!(reader.ask("keep 2"), "ok");
    writer.say(&format!("stream {} {LEN}", reader.metadata));
    let names = [writer.metadata.clone(), reader.metadata.clone()];
    let (_, mut frames) = writer.split();
    let (mut input, mut answers) = reader.split();
    let relay = thread::spawn(move || {
        while let Some(frame) = hear(&mut frames) {
            if input
                .write_all(format!("take {frame}\n").as_bytes())
                .is_err()
            {
                break;
            }
        }
    });
    let listener = thread::spawn(move || {
        while let Some(answer) = hear(&mut answers) {
            let whole = answer.starts_with("frame ");
            let known =
                answer.starts_with("error Lost(") || answer.starts_with("error Disconnected(");
            assert!(whole || known, "{answer}");
        }
    });
    let killers = if random.below(2) == 0 {
        [kill_soon(writer, random), kill_soon(reader, random)]
    } else {
        [kill_soon(reader, random), kill_soon(writer, random)]
    };
    let died = killers.map(|killer| killer.join().unwrap());
    within(RECOVERY, "both are forgotten", || {
        let stats = shm.stats();
        stats.readers == 0 && stats.writers == 0 && stats.imports == 0
    });
    let recovery = died.into_iter().max().unwrap().elapsed();
    relay.join().unwrap();
    listener.join().unwrap();
    for name in names {
        assert!(!name_exists(&name));
    }
    recovery
}

/// What one engine lives through: all that its side of it shows must be as before each time.
fn survive(shm: &ShmBackend, rounds: usize, random: &mut Random) -> [Duration; 3] {
    let mut slowest = [Duration::ZERO; 3];
    for round in 0..rounds {
        let which = random.below(3);
        let recovery = match which {
            0 => reader_dies(shm, random),
            1 => writer_dies(shm, random),
            _ => both_die(shm, random),
        };
        assert!(recovery <= RECOVERY, "round {round}: {recovery:?}");
        let slowest = &mut slowest[usize::try_from(which).unwrap()];
        *slowest = recovery.max(*slowest);
    }
    slowest
}

/// Several engines at a time, as most of a round is waiting.
#[test]
fn two_hundred_times_killed_at_any_moment() {
    let _turn = alone();
    const ENGINES: usize = 5;
    const ROUNDS: usize = 200;
    let mut random = Random::new();
    let start = held("self");
    let engines: Vec<_> = (0..ENGINES)
        .map(|_| Settings::default().build().unwrap())
        .collect();
    let before = held("self");
    thread::scope(|scope| {
        for shm in &engines {
            let mut random = random.fork();
            scope.spawn(move || {
                let slowest = survive(shm, ROUNDS / ENGINES, &mut random);
                println!("slowest recovery from a dead reader, writer, both: {slowest:?}");
            });
        }
    });
    within(RECOVERY, "file descriptors and mappings as before", || {
        held("self").no_more_than(before)
    });
    let metadata: Vec<_> = engines.iter().map(ShmBackend::backend_metadata).collect();
    drop(engines);
    for metadata in metadata {
        assert!(!name_exists(&metadata), "the own name is gone");
    }
    assert_eq!(held("self"), start);
}
