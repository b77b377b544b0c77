//! The other processes of a measurement: this program again, with lines in and out, in a ROS domain of this run's own.

use std::{
    io::{BufRead as _, BufReader, Lines, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// Everything of one run, so that nobody else is heard.
pub struct Domain(u32);

impl Domain {
    pub fn new() -> Self {
        Self(1000 + std::process::id() % 1_000_000)
    }

    pub fn number(&self) -> u32 {
        self.0
    }

    /// Starts this program in a role, which may be more than one word.
    pub fn start(&self, role: &str) -> Process {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(role.split(' '))
            .env("ROS_DOMAIN_ID", self.0.to_string());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take(), child.stdout.take().unwrap());
        Process {
            child,
            input,
            lines: BufReader::new(output).lines(),
        }
    }
}

/// Another process; it is killed with its handle.
pub struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// The next line that it prints.
    pub fn line(&mut self) -> String {
        self.lines
            .next()
            .expect("it ended before it said anything")
            .unwrap()
    }

    /// A line for it to read.
    pub fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Its standard input ends; then it does.
    pub fn finish(mut self) {
        drop(self.input.take());
        assert!(self.child.wait().unwrap().success());
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In the other process: what it is told next; nothing when it shall end.
pub fn heard() -> Option<String> {
    std::io::stdin().lines().next().map(Result::unwrap)
}

/// The middle value.
pub fn middle<T: Copy + PartialOrd>(mut values: Vec<T>) -> T {
    values.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap());
    values[values.len() / 2]
}

/// The value that this share of all does not exceed.
pub fn percentile(sorted: &[u64], share: f64) -> u64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

/// Resident memory of a process in KiB, and the CPU time it took so far in seconds.
pub fn usage(process: u32) -> (u64, f64) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    let kibibytes = resident.trim().trim_end_matches(" kB").parse().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // Behind the name, which may have spaces: user and system time are the 12th and 13th, in hundredths of a second.
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (kibibytes, (ticks(11) + ticks(12)) / 100.0)
}
