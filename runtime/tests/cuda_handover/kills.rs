//! `kill -9` with work in flight: who survives has right data, and everything comes back.

use std::time::{Duration, Instant};

use rosidl_buffer_runtime::cuda::{AccessError, CudaStream, ReadHandle};
use rosidl_buffer_runtime::{BackendError, Loss};

use crate::frames::open_files;
use crate::gpu::words;
use crate::link::{End, Frame, from_words};
use crate::other::Other;
use crate::queue::{HOLDING, LOST, OTHER_ERROR, RIGHT, WRONG};
use crate::side::{Side, eventually};

const MB: usize = 1 << 20;

fn rounds() -> u64 {
    std::env::var("ROUNDS").map_or(200, |text| text.parse().unwrap())
}

/// A number that differs from round to round.
fn random(round: u64) -> u64 {
    let mixed = (round + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 33
}

/// Processes that are started, killed and looked after at a time.
const LANES: u64 = 8;

/// What became of frames of a writer that was killed.
#[derive(Debug, Default)]
struct Seen {
    right: u64,
    wrong: u64,
    lost: u64,
    /// Taken, and then not written to the end.
    unfinished: u64,
    stuck: u64,
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.right += other.right;
        self.wrong += other.wrong;
        self.lost += other.lost;
        self.unfinished += other.unfinished;
        self.stuck += other.stuck;
    }

    /// Reads a frame and compares every word.
    fn take(&mut self, side: &Side, stream: &CudaStream, frame: &Frame) {
        match side.cuda.read(&from_words(&frame.words), stream) {
            Ok(read) => self.count(side, stream, frame, read),
            Err(AccessError::Backend(BackendError::Lost(Loss::Unfinished))) => self.unfinished += 1,
            Err(_) => self.lost += 1,
        }
    }

    fn count(&mut self, side: &Side, stream: &CudaStream, frame: &Frame, read: ReadHandle) {
        let counted = side
            .gpu
            .count(stream.handle(), read.address(), read.len(), frame.number);
        let all = u64::from(words(read.len()));
        match (counted.unwrap(), read.finish()) {
            (None, _) => self.stuck += 1,
            (Some(_), Err(AccessError::Backend(BackendError::Lost(Loss::Unfinished)))) => {
                self.unfinished += 1;
            }
            (Some(right), Ok(())) if right == all => self.right += 1,
            (Some(right), finish) => {
                println!(
                    "frame {}: {right} of {all} are right, {finish:?}",
                    frame.number
                );
                self.wrong += 1;
            }
        }
    }
}

/// What one lane saw.
#[derive(Debug, Default)]
struct Lane {
    before: Seen,
    after: Seen,
    blocks: usize,
    slowest: Back,
}

/// How long blocks took to come back after their reader was killed; compared by the whole.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Back {
    /// From the first kill to all blocks being back.
    all: Duration,
    /// Until the reader's connection was seen to end, which is one of its last files that the kernel closes.
    connection: Duration,
    /// Until the kernel was done with the reader's process.
    process: Duration,
}

#[test]
fn killed_readers_and_writers_leave_nothing_behind() {
    let Some(side) = Side::new() else { return };
    let state = || (open_files(), side.gpu.free_memory() >> 20);
    lanes(LANES, &[]); // whatever is made once, or once for as many at a time
    std::thread::sleep(Duration::from_millis(500));
    let start = state();
    assert!(lanes(rounds(), &[]) > 0, "nothing was read");
    // The driver takes back what killed processes had a moment after they are gone.
    std::thread::sleep(Duration::from_millis(500));
    let end = state();
    println!("files and free MiB: {start:?} became {end:?}");
    assert!(end.0 <= start.0 + 4, "{start:?} became {end:?}");
    assert!(end.1 + 4 >= start.1, "{start:?} became {end:?}");
}

/// So many rounds in several lanes at a time, with this in the environment of those who are killed: nobody sees wrong
/// frames. How many right ones were seen.
pub fn lanes(rounds: u64, environment: &[(&str, String)]) -> u64 {
    let lanes: Vec<Lane> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..LANES)
            .map(|n| scope.spawn(move || lane(n, rounds / LANES, environment)))
            .collect();
        running
            .into_iter()
            .map(|lane| lane.join().unwrap())
            .collect()
    });
    let mut all = Lane::default();
    for lane in &lanes {
        all.before.add(&lane.before);
        all.after.add(&lane.after);
        all.slowest = all.slowest.max(lane.slowest);
        all.blocks = all.blocks.max(lane.blocks);
    }
    println!("{rounds} rounds: {all:?}");
    let Seen {
        wrong, lost, stuck, ..
    } = all.before;
    assert_eq!((wrong, lost, stuck), (0, 0, 0), "{all:?}");
    assert_eq!((all.after.wrong, all.after.stuck), (0, 0), "{all:?}");
    assert!(all.slowest.all < Duration::from_secs(1), "{all:?}");
    all.before.right
}

/// Writes to one process and reads from another, and kills both, again and again.
fn lane(number: u64, rounds: u64, environment: &[(&str, String)]) -> Lane {
    let side = Side::new().expect("there was a device");
    let mut seen = Lane::default();
    for round in 0..rounds {
        let mut reader = Other::start_with("busy 300", environment);
        let mut writer = Other::start_with("writer 4194304 300", environment);
        let to = side.serve(&reader.link);
        side.join(&writer.link);
        let stream = side.cuda.new_stream().unwrap();
        let (mut sent, mut taken) = (0, 0);
        let chance = random(number * 1000 + round);
        let end = Instant::now() + Duration::from_micros(500 + chance % 30_000);
        while Instant::now() < end {
            if sent - reader.link.consumed.get() < 8
                && let Ok(buffer) = side.write(4 * MB, sent, Duration::from_micros(100))
                && side.send(&reader.link, sent, &buffer, &to)
            {
                sent += 1;
            }
            if let Some(frame) = writer.link.next(taken) {
                taken += 1;
                seen.before.take(&side, &stream, &frame);
                writer.link.consumed.set(taken);
            }
        }
        let killed = Instant::now();
        if chance & 1 == 0 {
            reader.kill();
            writer.kill();
        } else {
            writer.kill();
            reader.kill();
        }
        let mut connection = None;
        let mut back = || {
            eventually("all blocks come back", Duration::from_secs(5), || {
                let stats = side.cuda.stats();
                if stats.readers == 0 {
                    connection.get_or_insert_with(|| killed.elapsed());
                }
                stats.blocks == stats.blocks_free
            })
        };
        let all = (chance & 2 == 0).then(|| {
            back();
            killed.elapsed()
        });
        reader.wait();
        if let Some(all) = all {
            let process = killed.elapsed();
            let connection = connection.unwrap_or_default();
            seen.slowest = seen.slowest.max(Back {
                all,
                connection,
                process,
            });
        }
        writer.wait();
        // What the killed writer had sent and may not have written.
        while let Some(frame) = writer.link.next(taken) {
            taken += 1;
            seen.after.take(&side, &stream, &frame);
        }
        eventually("all blocks come back", Duration::from_secs(2), || {
            side.in_use() == 0
        });
        let own = side.write(4 * MB, round, Duration::ZERO).unwrap();
        let read = side.cuda.from_input_buffer(&own, &side.stream).unwrap();
        assert!(
            side.gpu
                .is_right(side.stream.handle(), read.address(), read.len(), round)
        );
    }
    // A writer is known for a moment longer than its memory.
    eventually("what was mapped goes", Duration::from_secs(2), || {
        let stats = side.cuda.stats();
        (stats.imports, stats.readers, stats.writers) == (0, 0, 0)
    });
    seen.blocks = side.cuda.stats().blocks;
    seen
}

/// Frames that were published long before the device would have written them, by a process that is killed meanwhile.
#[test]
fn a_frame_that_was_never_written_is_not_taken_for_one() {
    let Some(side) = Side::new() else { return };
    let mut seen = Seen::default();
    for round in 0..4 {
        let mut writer = Other::start("writer 4194304 500000");
        side.join(&writer.link);
        eventually("frames", Duration::from_secs(10), || {
            writer.link.published.get() >= 3
        });
        let frames = [0, 1, 2].map(|taken| writer.link.next(taken).unwrap());
        let streams = [0; 3].map(|_| side.cuda.new_stream().unwrap());
        let before = side.cuda.stats().lost_unfinished;
        let read = |(frame, stream): (&Frame, &CudaStream)| {
            side.cuda.read(&from_words(&frame.words), stream)
        };
        let both = || frames.iter().zip(&streams);
        if round % 2 == 0 {
            // The streams wait already when the writer is killed.
            let reads: Vec<_> = both().map(|both| read(both).unwrap()).collect();
            let start = Instant::now();
            writer.kill();
            for ((frame, stream), read) in both().zip(reads) {
                seen.count(&side, stream, frame, read);
            }
            println!("round {round}: {seen:?} after {:?}", start.elapsed());
            assert!(start.elapsed() < Duration::from_secs(1), "streams wait");
        } else {
            writer.kill();
            writer.wait();
            std::thread::sleep(Duration::from_millis(250));
            for both in both() {
                let lost = read(both).expect_err("is not there");
                assert!(
                    matches!(
                        lost,
                        AccessError::Backend(BackendError::Lost(Loss::Unfinished))
                    ),
                    "{lost}"
                );
                seen.unfinished += 1;
            }
        }
        let counted = || side.cuda.stats().lost_unfinished - before == 3;
        eventually("they are counted", Duration::from_secs(1), counted);
    }
    let Seen { wrong, stuck, .. } = seen;
    assert_eq!((wrong, stuck, seen.unfinished), (0, 0, 12), "{seen:?}");
}

/// The same as a reader in a process of its own sees it, which then ends as a program does.
#[test]
fn a_reader_whose_writer_was_killed_ends_as_usual() {
    if Side::new().is_none() {
        return;
    }
    let mut writer = Other::start("writer 4194304 500000");
    let mut reader = Other::start("survivor");
    let (from, to) = (&writer.link, &reader.link);
    from.say(End::Reader, &to.hear(End::Reader));
    to.say(End::Writer, &from.hear(End::Writer));
    eventually("frames", Duration::from_secs(10), || {
        from.published.get() >= 3
    });
    for taken in 0..3 {
        to.publish(&from.next(taken).unwrap());
    }
    eventually("its streams wait", Duration::from_secs(10), || {
        reader.link.marks[HOLDING].get() == 3
    });
    let start = Instant::now();
    writer.kill();
    eventually("they go on", Duration::from_secs(1), || {
        reader.link.consumed.get() == 3
    });
    let went_on = start.elapsed();
    let marks = [RIGHT, WRONG, LOST, OTHER_ERROR].map(|mark| reader.link.marks[mark].get());
    assert_eq!(marks, [0, 0, 3, 0]);
    let start = Instant::now();
    reader.end();
    println!(
        "a reader's streams went on {went_on:?} after its writer was killed, and its end took {:?}",
        start.elapsed()
    );
    assert!(start.elapsed() < Duration::from_secs(1));
}

/// One reader killed while it holds: the block is back within a second, as other readers go on.
#[test]
fn blocks_of_a_killed_reader_come_back_at_once() {
    let Some(side) = Side::new() else { return };
    let mut slowest = Duration::ZERO;
    for _ in 0..10 {
        let mut other = Other::start("hold");
        let to = side.serve(&other.link);
        for frame in 0..3 {
            let buffer = side.write(64 * MB, frame, Duration::ZERO).unwrap();
            assert!(side.send(&other.link, frame, &buffer, &to));
        }
        eventually("it holds them", Duration::from_secs(5), || {
            other.link.marks[HOLDING].get() == 3
        });
        assert_eq!(side.in_use(), 3);
        let start = Instant::now();
        other.kill();
        eventually("they come back", Duration::from_secs(5), || {
            side.in_use() == 0
        });
        slowest = slowest.max(start.elapsed());
    }
    println!("slowest of 10: {slowest:?} from the kill to three free blocks");
    assert!(slowest < Duration::from_secs(1));
}
