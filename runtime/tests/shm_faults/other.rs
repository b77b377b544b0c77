//! The other process: this test binary, started again. It does what is said on its standard input, a line each, and answers with
//! a line each; what the test runner prints lies between and is passed over.

use std::{
    collections::VecDeque,
    fs::File,
    io::{BufRead as _, BufReader, Lines, StdinLock, Write as _, stdin, stdout},
    os::unix::process::CommandExt as _,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use rosidl_buffer_runtime::{
    Buffer, BufferBackend as _,
    shm::{ReadHandle, ShmBackend, ShmBufferDescriptor},
};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    counts::SOON,
    forked, frames,
    limits::{self, Limit},
    soak::BATCH,
};

const ROLE: &str = "ROSIDL_BUFFER_SHM_TEST";
const ANSWER: &str = "> ";

/// Which backend the other process starts, and as what.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) max_blocks: usize,
    pub(crate) deadline: Duration,
    /// Who else is let in.
    pub(crate) allow: Option<u32>,
    /// The user that the process runs as.
    pub(crate) uid: Option<u32>,
    /// What the process does without.
    pub(crate) limit: Option<Limit>,
    /// Words to put before the command, such as `unshare --net`.
    pub(crate) under: Vec<&'static str>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_blocks: 16,
            deadline: Duration::from_secs(1),
            allow: None,
            uid: None,
            limit: None,
            under: Vec::new(),
        }
    }
}

impl Settings {
    pub(crate) fn build(&self) -> Result<ShmBackend, rosidl_buffer_runtime::BackendError> {
        let mut builder = ShmBackend::builder()
            .max_blocks(self.max_blocks)
            .pending_deadline(self.deadline);
        if let Some(uid) = self.allow {
            builder = builder.allow_user(uid);
        }
        builder.build()
    }

    fn to_text(&self) -> String {
        let allow = self.allow.map_or(String::from("-"), |uid| uid.to_string());
        let limit = self.limit.map_or("-", Limit::name);
        let deadline = self.deadline.as_millis();
        format!("{} {deadline} {allow} {limit}", self.max_blocks)
    }

    fn from_text(text: &str) -> Self {
        let words: Vec<&str> = text.split(' ').collect();
        Self {
            max_blocks: words[0].parse().unwrap(),
            deadline: Duration::from_millis(words[1].parse().unwrap()),
            allow: words[2].parse().ok(),
            limit: Limit::named(words[3]),
            ..Self::default()
        }
    }
}

/// A started process; killed when dropped.
pub(crate) struct Other {
    child: Child,
    input: Option<ChildStdin>,
    output: Option<BufReader<ChildStdout>>,
    /// What it told of itself.
    pub(crate) metadata: String,
}

impl Other {
    pub(crate) fn start() -> Self {
        Self::with(&Settings::default())
    }

    /// Starts it and waits until its backend is there.
    pub(crate) fn with(settings: &Settings) -> Self {
        let mut other = Self::launch(settings);
        other.metadata = other.ask("metadata");
        other
    }

    /// Starts it, and no more; its metadata is not known.
    pub(crate) fn launch(settings: &Settings) -> Self {
        let binary = std::env::current_exe().unwrap();
        let mut command = match settings.under.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(binary);
                command
            }
            None => Command::new(binary),
        };
        command.args(["other::peer", "--exact", "--ignored", "--nocapture"]);
        command.env(ROLE, settings.to_text());
        if let Some(uid) = settings.uid {
            command.uid(uid);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take(),
            output: child.stdout.take().map(BufReader::new),
            child,
            metadata: String::new(),
        }
    }

    pub(crate) fn id(&self) -> String {
        self.child.id().to_string()
    }

    /// Says a line; `false` when nobody listens any more.
    pub(crate) fn say(&mut self, line: &str) -> bool {
        let mut input = self.input.as_ref().unwrap();
        input.write_all(format!("{line}\n").as_bytes()).is_ok()
    }

    /// The next answer; `None` at the end.
    pub(crate) fn hear(&mut self) -> Option<String> {
        hear(self.output.as_mut().unwrap())
    }

    /// Says a line and waits for the answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, line: &str) -> String {
        assert!(self.say(line), "it ended before `{line}`");
        let answer = self.hear();
        answer.unwrap_or_else(|| panic!("it ended instead of answering `{line}`"))
    }

    /// Its ends of the conversation, for threads of their own.
    pub(crate) fn split(&mut self) -> (ChildStdin, BufReader<ChildStdout>) {
        (self.input.take().unwrap(), self.output.take().unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// SIGKILL: nothing is said before the end. Its id is free afterwards.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next answer in what a process prints.
pub(crate) fn hear(output: &mut BufReader<ChildStdout>) -> Option<String> {
    let mut line = String::new();
    loop {
        line.clear();
        if !matches!(output.read_line(&mut line), Ok(1..)) || !line.ends_with('\n') {
            return None;
        }
        if let Some(answer) = line.trim_end().strip_prefix(ANSWER) {
            return Some(answer.to_owned());
        }
    }
}

/// Writes frame `number` into a block and describes it to `reader`.
pub(crate) fn send(
    shm: &ShmBackend,
    reader: &str,
    number: u64,
    len: usize,
) -> Result<(Buffer<u8>, Option<ShmBufferDescriptor>), String> {
    let mut block = shm
        .try_allocate(len)
        .map_err(|error| format!("{error:?}"))?;
    frames::stamp(&mut block, number);
    let buffer = block.into_buffer();
    let descriptor = shm
        .create_descriptor(buffer.storage().unwrap(), reader)
        .map_err(|error| format!("{error:?}"))?;
    Ok((buffer, descriptor))
}

/// Takes what a descriptor stands for and looks whether it is whole: the number, or an error's name and text.
pub(crate) fn take(
    shm: &ShmBackend,
    descriptor: &ShmBufferDescriptor,
) -> Result<(u64, ReadHandle), String> {
    let handle = shm.read(descriptor).map_err(|error| format!("{error:?}"))?;
    frames::check(&handle).map(|number| (number, handle))
}

struct Peer {
    shm: ShmBackend,
    /// Frames taken and not given back, the last `keep`.
    held: VecDeque<(u64, ReadHandle)>,
    keep: usize,
    files: Vec<File>,
}

impl Peer {
    fn answer(&mut self, words: &[&str]) -> Result<String, String> {
        let number = |text: &str| -> u64 { text.parse().unwrap() };
        let length = |text: &str| -> usize { text.parse().unwrap() };
        match *words {
            ["metadata"] => Ok(self.shm.backend_metadata()),
            ["connect", writer] => {
                let done = self.shm.connect(writer, SOON);
                done.map(|()| "ok".into())
                    .map_err(|error| format!("{error:?}"))
            }
            ["sees", reader] => Ok(self.shm.wait_for_reader(reader, SOON).to_string()),
            ["send", reader, frame, len] => {
                let (_, descriptor) = send(&self.shm, reader, number(frame), length(len))?;
                Ok(descriptor.map_or("none".into(), |descriptor| frames::to_hex(&descriptor)))
            }
            ["keep", frames] => {
                self.keep = length(frames);
                self.held.clear();
                Ok("ok".into())
            }
            ["take", hex] => {
                let taken = take(&self.shm, &frames::from_hex(hex))?;
                let answer = format!("frame {}", taken.0);
                self.held.push_back(taken);
                while self.held.len() > self.keep {
                    self.held.pop_front();
                }
                Ok(answer)
            }
            // Whether what is held is still what was taken.
            ["look"] => {
                for (number, handle) in &self.held {
                    if frames::check(handle)? != *number {
                        return Err(format!("another frame in place of {number}"));
                    }
                }
                Ok(format!("{} whole", self.held.len()))
            }
            ["local", frame, len] => {
                limits::hand_over_locally(&self.shm, number(frame), length(len))
            }
            ["fill"] => {
                while let Ok(file) = File::open("/dev/null") {
                    self.files.push(file);
                }
                Ok("ok".into())
            }
            ["unfill"] => {
                self.files.clear();
                Ok("ok".into())
            }
            ["trim"] => Ok(self.shm.trim(Duration::ZERO).to_string()),
            ["fork"] => Ok(forked::leave_a_child()),
            ["exhaust", len] => limits::allocate_until_it_fails(&self.shm, length(len)),
            _ => panic!("what is `{}`?", words.join(" ")),
        }
    }

    /// Frames without end, a line with the descriptor of each.
    fn stream(&self, reader: &str, len: usize) {
        let mut out = stdout().lock();
        for number in 1.. {
            match send(&self.shm, reader, number, len) {
                Ok((_, Some(descriptor))) => {
                    let line = format!("{ANSWER}{}\n", frames::to_hex(&descriptor));
                    if out.write_all(line.as_bytes()).is_err() {
                        return;
                    }
                }
                // The reader is slow, or gone; somebody will kill this process.
                Ok((_, None)) | Err(_) => std::thread::sleep(Duration::from_micros(200)),
            }
        }
    }
}

/// A descriptor a line, and an answer for each batch.
fn soak(shm: &ShmBackend, lines: Lines<StdinLock<'_>>) {
    for (number, line) in (1..).zip(lines) {
        let taken = take(shm, &frames::from_hex(&line.unwrap()));
        let taken = taken.map(|(found, _)| found);
        assert_eq!(taken, Ok(number));
        if number % BATCH == 0 {
            println!("{ANSWER}at {number}");
        }
    }
}

#[test]
#[ignore = "the other process of the tests beside this one"]
fn peer() {
    let Ok(settings) = std::env::var(ROLE) else {
        return;
    };
    let settings = Settings::from_text(&settings);
    if let Some(limit) = settings.limit {
        limit.impose();
    }
    println!();
    let shm = match settings.build() {
        Ok(shm) => shm,
        Err(error) => return println!("{ANSWER}error {error:?}"),
    };
    let mut peer = Peer {
        shm,
        held: VecDeque::new(),
        keep: 0,
        files: Vec::new(),
    };
    let mut lines = stdin().lines();
    while let Some(line) = lines.next() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        if let ["stream", reader, len] = words[..] {
            return peer.stream(reader, len.parse().unwrap());
        }
        if words == ["soak"] {
            return soak(&peer.shm, lines);
        }
        let answer = match peer.answer(&words) {
            Ok(answer) => format!("{ANSWER}{answer}\n"),
            Err(error) => format!("{ANSWER}error {error}\n"),
        };
        // Nobody may listen any more; then there is no next line either.
        let _ = stdout().write_all(answer.as_bytes());
    }
}
