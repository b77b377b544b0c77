//! The other process: this binary, started again for one role, and what it does there.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rosidl_buffer_runtime::cuda::{AccessError, CudaStream};
use rosidl_buffer_runtime::{BackendError, Loss};

use crate::broken;
use crate::gpu::words;
use crate::link::{Frame, Link, SLOTS, from_words};
use crate::peers;
use crate::queue::{HOLDING, LOST, MAPPED, OTHER_ERROR, OWN, RIGHT, WORDS_RIGHT, WRONG, queue};
use crate::side::{Side, builder};

const ROLE: &str = "ROSIDL_BUFFER_GPU_ROLE";

/// A started process and the link to it; killed when dropped.
pub struct Other {
    child: Child,
    pub link: Link,
}

impl Other {
    /// Its output goes nowhere unless it fails; see [`end`](Self::end).
    pub fn start(role: &str) -> Self {
        Self::start_with(role, &[])
    }

    /// With this in its environment.
    pub fn start_with(role: &str, environment: &[(&str, String)]) -> Self {
        let link = Link::new();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([
            "other::second_process",
            "--exact",
            "--ignored",
            "--nocapture",
        ]);
        let child = link
            .pass(command.env(ROLE, role).stdout(Stdio::null()))
            .envs(environment.iter().cloned())
            .spawn()
            .unwrap();
        Self { child, link }
    }

    /// Asks it to end when it has taken all frames, and waits until it has.
    pub fn end(&mut self) {
        self.link.stop.set(1);
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "the other process: {status}");
                return;
            }
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "the other process does not end"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether it ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// As `kill -9`; does not wait until the kernel is done with it.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Waits until nothing of it is left.
    pub fn wait(&mut self) {
        self.child.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "started by other tests as a second process"]
fn second_process() {
    let role = std::env::var(ROLE).expect("started by other tests only");
    let link = Link::inherited().expect("a link");
    let role: Vec<&str> = role.split(' ').collect();
    let number = |at: usize| -> u64 { role[at].parse().unwrap() };
    let builder = match role[0] {
        "through-host" => builder().peer_access(number(1) == 1),
        _ => builder(),
    };
    let side = Side::with(builder).expect("the first process has a device");
    match role[0] {
        "prompt" => prompt(&side, &link, &side.stream),
        "prompt-default" => {
            let device = side.cuda.devices().next().unwrap().uuid();
            prompt(&side, &link, &side.cuda.default_stream(device).unwrap());
        }
        "copy" => peers::copy(&side, &link),
        "through-host" => peers::through_host(&side, &link),
        "busy" => busy(&side, &link, Duration::from_micros(number(1))),
        "queue" => queue(&side, &link, number(1), Duration::from_millis(number(2))),
        "hold" => hold(&side, &link),
        "vandal" => vandal(&side, &link),
        "survivor" => survive(&side, &link),
        "broken-writer" => broken::write(&side, &link, role[1]),
        "broken-reader" => broken::read(&side, &link),
        "leaver" => leave(&side, &link),
        "writer" => write(&side, &link, number(1), Duration::from_micros(number(2))),
        other => panic!("what is {other:?}?"),
    }
}

/// The next frame; `None` when no more will come.
pub fn next(link: &Link, taken: u64) -> Option<Frame> {
    loop {
        let ending = link.stop.get() == 1; // looked at first, so that no frame is left over
        if let Some(frame) = link.next(taken) {
            return Some(frame);
        }
        if ending {
            return None;
        }
        std::hint::spin_loop();
    }
}

/// Every frame at once, and every word of it.
fn prompt(side: &Side, link: &Link, stream: &CudaStream) {
    side.join(link);
    for taken in 0.. {
        let Some(frame) = next(link, taken) else {
            return;
        };
        match side.cuda.read(&from_words(&frame.words), stream) {
            Ok(read) => {
                let right =
                    side.gpu
                        .is_right(stream.handle(), read.address(), read.len(), frame.number);
                link.marks[if right { RIGHT } else { WRONG }].count();
            }
            Err(error) => {
                eprintln!("frame {}: {error}", frame.number);
                link.marks[OTHER_ERROR].count();
            }
        }
        let stats = side.cuda.stats();
        link.marks[MAPPED].set(stats.imports as u64);
        link.marks[OWN].set(stats.blocks as u64);
        link.consumed.set(taken + 1);
    }
}

/// Every frame, without waiting for the device; counts the right words of all.
fn busy(side: &Side, link: &Link, busy: Duration) {
    side.join(link);
    let stream = side.stream.handle();
    side.gpu.reset();
    for taken in 0.. {
        let Some(frame) = next(link, taken) else {
            break;
        };
        match side.cuda.read(&from_words(&frame.words), &side.stream) {
            Ok(read) => {
                if !busy.is_zero() {
                    side.gpu.spin(stream, busy);
                }
                side.gpu
                    .check(stream, read.address(), read.len(), frame.number)
                    .unwrap();
                link.marks[RIGHT].count();
            }
            Err(error) => {
                eprintln!("frame {}: {error}", frame.number);
                link.marks[OTHER_ERROR].count();
            }
        }
        link.consumed.set(taken + 1);
    }
    let right = side.gpu.answer(stream, Duration::from_secs(20)).unwrap();
    link.marks[WORDS_RIGHT].set(right.expect("the device gets ready"));
    link.marks[MAPPED].set(side.cuda.stats().imports as u64);
}

/// Keeps what it gets.
fn hold(side: &Side, link: &Link) {
    side.join(link);
    let mut held = Vec::new();
    for taken in 0.. {
        let Some(frame) = next(link, taken) else {
            return;
        };
        let read = side
            .cuda
            .read(&from_words(&frame.words), &side.stream)
            .unwrap();
        side.gpu
            .spin(side.stream.handle(), Duration::from_millis(20));
        held.push(read);
        link.marks[HOLDING].set(held.len() as u64);
        link.consumed.set(taken + 1);
    }
}

/// Writes to what it should only read, and ends.
fn vandal(side: &Side, link: &Link) {
    side.join(link);
    let frame = next(link, 0).expect("a frame");
    let read = side
        .cuda
        .read(&from_words(&frame.words), &side.stream)
        .unwrap();
    side.gpu
        .fill(side.stream.handle(), read.address(), read.len(), 666);
    let fault = side.stream.synchronize().expect_err("the kernel faults");
    assert!(fault.is_sticky(), "{fault}");
    drop(read);
    let after = side
        .cuda
        .read(&from_words(&frame.words), &side.stream)
        .expect_err("taken once");
    eprintln!("as it should be: {fault}; then: {after}");
    let error = side.cuda.new_stream().expect_err("nothing works any more");
    assert!(error.to_string().contains("failed"), "{error}");
    link.marks[RIGHT].count();
    link.consumed.set(1);
}

/// Lets three streams wait for three frames, and says what became of them.
fn survive(side: &Side, link: &Link) {
    side.join(link);
    let streams = [0; 3].map(|_| side.cuda.new_stream().unwrap());
    let mut reads = Vec::new();
    for (taken, stream) in (0..).zip(&streams) {
        let frame = next(link, taken).expect("three frames");
        let read = side.cuda.read(&from_words(&frame.words), stream).unwrap();
        reads.push((frame, read));
        link.marks[HOLDING].count();
    }
    for (frame, read) in reads {
        let stream = read.stream().clone();
        let right = side
            .gpu
            .is_right(stream.handle(), read.address(), read.len(), frame.number);
        let what = match read.finish() {
            Ok(()) if right => RIGHT,
            Ok(()) => WRONG,
            Err(AccessError::Backend(BackendError::Lost(Loss::Unfinished))) => LOST,
            Err(error) => {
                eprintln!("frame {}: {error}", frame.number);
                OTHER_ERROR
            }
        };
        link.marks[what].count();
        link.consumed.add(1);
    }
    while link.stop.get() == 0 {
        std::thread::yield_now();
    }
}

/// Writes three frames and ends as a program does.
fn leave(side: &Side, link: &Link) {
    let reader = side.serve(link);
    for frame in 0..3 {
        let buffer = side
            .write(4 << 20, frame, Duration::from_millis(30))
            .unwrap();
        assert!(side.send(link, frame, &buffer, &reader));
    }
}

/// Writes frames as fast as blocks and the other end allow.
fn write(side: &Side, link: &Link, len: u64, busy: Duration) {
    let len = usize::try_from(len).unwrap();
    let reader = side.serve(link);
    for frame in 0.. {
        while link.published.get() - link.consumed.get() >= 8 {
            if link.stop.get() == 1 {
                return;
            }
            std::hint::spin_loop();
        }
        if link.stop.get() == 1 {
            return;
        }
        let buffer = side.write_soon(len, frame, busy);
        assert!(side.send(link, frame, &buffer, &reader));
    }
}

const _: () = assert!(SLOTS >= 16);

/// Words of so many frames.
pub fn all_words(frames: u64, len: usize) -> u64 {
    frames * u64::from(words(len))
}
