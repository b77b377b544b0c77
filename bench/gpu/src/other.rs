//! The other process: this program, started again for one role.

use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::floor::{self, FloorSubscriber};
use crate::gpu::Gpu;
use crate::link::Link;
use crate::ours::OurSubscriber;
use crate::peers::{CopySubscriber, HostSubscriber};
use crate::queue::queue;
use crate::round::{READY, subscribe};
use crate::side::Side;
use crate::{bytes, cold, deaths};

const ROLE: &str = "GPU_BENCH_ROLE";
/// Where the two threads run that are measured; all others run anywhere.
pub const WRITER_CORE: usize = 2;
const READER_CORE: usize = 4;

pub fn is_started() -> bool {
    std::env::var(ROLE).is_ok()
}

pub fn act() {
    let role = std::env::var(ROLE).unwrap();
    let link = Link::inherited().unwrap();
    let role: Vec<&str> = role.split(' ').collect();
    let side = || Side::new().expect("a device");
    match role[0] {
        "ours" => {
            let side = side();
            let gpu = Gpu::on(side.stream.device());
            let mut subscriber = OurSubscriber::new(side, &link);
            pin(READER_CORE);
            subscribe(&mut subscriber, &gpu, &link);
        }
        #[cfg(feature = "tensors")]
        "tensors" => {
            let side = side();
            let gpu = Gpu::on(side.stream.device());
            let mut subscriber = crate::tensors::TorchSubscriber::new(side, &link);
            pin(READER_CORE);
            subscribe(&mut subscriber, &gpu, &link);
        }
        "copy" => {
            let side = side();
            let gpu = Gpu::on(side.stream.device());
            let mut subscriber = CopySubscriber::new(side, &link);
            pin(READER_CORE);
            subscribe(&mut subscriber, &gpu, &link);
        }
        "host" => {
            let mut subscriber = HostSubscriber::new(&link);
            let gpu = Gpu::on(subscriber.device());
            pin(READER_CORE);
            subscribe(&mut subscriber, &gpu, &link);
        }
        "floor" => {
            let gpu = Gpu::new();
            let mut subscriber = FloorSubscriber::new();
            subscriber.fill_up();
            pin(READER_CORE);
            subscribe(&mut subscriber, &gpu, &link);
        }
        "cold-ours" => cold::take_ours(&side(), &link),
        "cold-floor" => cold::take_floor(&link),
        "queue" => {
            let callback = Duration::from_millis(role[2].parse().unwrap());
            queue(&side(), &link, role[1].parse().unwrap(), callback);
        }
        "holder" => deaths::hold(&side(), &link),
        "publisher" => deaths::publish(&link),
        "bytes" => bytes::read(&link),
        other => panic!("what is {other:?}?"),
    }
}

/// This thread runs on one core; where there is no such core, anywhere.
pub fn pin(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    let _ = sched_setaffinity(None, &cores);
}

/// This thread, and those that it starts, run anywhere.
pub fn unpin() {
    let mut cores = CpuSet::new();
    (0..CpuSet::MAX_CPU).for_each(|core| cores.set(core));
    let _ = sched_setaffinity(None, &cores);
}

/// A started process; killed when dropped.
pub struct Other {
    child: Child,
    pub link: Link,
    /// Only for the floor.
    pub socket: Option<UnixStream>,
}

impl Other {
    pub fn start(role: &str) -> Self {
        Self::start_with(role, &[])
    }

    /// With this in its environment.
    pub fn start_with(role: &str, environment: &[(&str, String)]) -> Self {
        let link = Link::new();
        let mut command = Command::new(std::env::current_exe().unwrap());
        link.pass(command.env(ROLE, role).stdin(Stdio::null()))
            .envs(environment.iter().cloned());
        let sockets = role.contains("floor").then(|| floor::sockets(&mut command));
        let child = command.spawn().unwrap();
        let socket = sockets.map(|(ours, _theirs)| ours);
        Self {
            child,
            link,
            socket,
        }
    }

    pub fn wait_until_ready(&self) {
        let start = Instant::now();
        while self.link.marks[READY].get() == 0 {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "the other process does not get ready"
            );
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    pub fn end(mut self) -> ExitStatus {
        self.link.stop.set(1);
        self.wait()
    }

    pub fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "the other process does not end"
            );
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// As `kill -9`; the kernel may still be busy with it afterwards.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
