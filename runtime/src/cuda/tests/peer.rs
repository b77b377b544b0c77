//! A second process that does what it is told: makes blocks, writes them, imports the first process's, reads them.
//!
//! One command a message, as words; one answer each. Blocks travel as they do for the engine: a message and its file.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::super::driver::{CudaError, Progress, Stream};
use super::super::memory::{CudaBlock, CudaImport, Words};
use super::kernels::Kernels;
use super::{CELL, gpu};
use crate::ipc::identity::Identity;
use crate::ipc::memory::{Created, Memory as _};
use crate::ipc::socket::{Connection, Listener, Received};
use crate::ipc::wire::{MAX_MESSAGE, ToReader};

const VARIABLE: &str = "ROSIDL_BUFFER_CUDA_TEST_PEER";
const PATIENCE: Duration = Duration::from_secs(60);

/// The second process, as the first one has it. Killed when this goes.
pub(super) struct Peer {
    child: Child,
    /// Until it is told to end.
    connection: Option<Connection>,
}

impl Peer {
    pub(super) fn start() -> Self {
        let identity = Identity::random().unwrap();
        let listener = Listener::bind(&identity.socket).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "cuda::tests::second_process",
                "--ignored",
                "--nocapture",
            ])
            .env(VARIABLE, identity.to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let connection = patiently(|| listener.accept().transpose());
        Self {
            child,
            connection: Some(connection),
        }
    }

    fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("has not been told to end")
    }

    /// Tells and waits for the answer.
    pub(super) fn ask(&self, command: &str) -> String {
        self.tell(command);
        self.hear()
    }

    pub(super) fn tell(&self, command: &str) {
        self.connection().send(command.as_bytes(), None).unwrap();
    }

    pub(super) fn hear(&self) -> String {
        String::from_utf8(
            receive(self.connection())
                .expect("the second process ended")
                .0,
        )
        .unwrap()
    }

    /// Gives a block to read; the answer is whether it could be imported.
    pub(super) fn give(&self, fd: &OwnedFd, size: u64, block: &[u8]) -> String {
        let extra = block.try_into().unwrap();
        let mut message = [0; MAX_MESSAGE];
        let len = ToReader::Block {
            block: 1,
            size,
            extra,
        }
        .write(&mut message);
        self.connection()
            .send(&message[..len], Some(fd.as_fd()))
            .unwrap();
        self.hear()
    }

    /// Gives the first process's words.
    pub(super) fn give_words(&self, fd: BorrowedFd<'_>) {
        self.connection().send(b"words", Some(fd)).unwrap();
        assert_eq!(self.hear(), "mapped");
    }

    /// The second process's words.
    pub(super) fn words(&self) -> OwnedFd {
        self.tell("words");
        let (_, fd) = receive(self.connection()).expect("the second process ended");
        fd.expect("a file")
    }

    /// A block that the second process makes.
    pub(super) fn make(&self, size: u64) -> (OwnedFd, ToReader) {
        self.tell(&format!("make {size}"));
        let (message, fd) = receive(self.connection()).expect("the second process ended");
        (fd.expect("a file"), ToReader::parse(&message).unwrap())
    }

    /// Lets the second process end by itself; how long that took, if it did.
    pub(super) fn end(mut self) -> Option<Duration> {
        self.connection.take();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(3) {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "the second process: {status}");
                return Some(start.elapsed());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        None
    }

    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn patiently<T>(mut attempt: impl FnMut() -> Option<io::Result<T>>) -> T {
    let start = Instant::now();
    loop {
        match attempt() {
            Some(Ok(found)) => return found,
            Some(Err(error)) if error.kind() != io::ErrorKind::WouldBlock => panic!("{error}"),
            _ => assert!(
                start.elapsed() < PATIENCE,
                "the other process does not answer"
            ),
        }
        std::thread::sleep(Duration::from_micros(50));
    }
}

/// `None` if the other process ended.
fn receive(connection: &Connection) -> Option<(Vec<u8>, Option<OwnedFd>)> {
    let mut message = [0; 2048];
    match patiently(|| Some(connection.receive(&mut message))) {
        Received::Message { len, fd } => Some((message[..len].to_vec(), fd)),
        Received::Closed => None,
    }
}

/// What the second process does until the first one goes.
pub(super) fn serve() {
    let Ok(identity) = std::env::var(VARIABLE) else {
        println!("skipped: nobody to work for");
        return;
    };
    let identity = Identity::parse(&identity).unwrap();
    let connection = Connection::connect(&identity.socket).unwrap();
    let (context, memory) = gpu().expect("the first process has a GPU");
    let kernels = Kernels::load(&context);
    let stream = Stream::new(&context).unwrap();
    let mut made: Vec<CudaBlock> = Vec::new();
    let mut imported: Vec<CudaImport> = Vec::new();
    let mut words_of_other: Option<Words> = None;
    while let Some((message, fd)) = receive(&connection) {
        let answer = if let Some(fd) = fd {
            if message == b"words" {
                words_of_other = Some(Words::open(&context, fd).unwrap());
                connection.send(b"mapped", None).unwrap();
                continue;
            }
            let Ok(ToReader::Block { size, extra, .. }) = ToReader::parse(&message) else {
                panic!("a file came without a block");
            };
            match memory.import(fd, size, &extra) {
                Ok(import) => {
                    imported.push(import);
                    "imported".to_owned()
                }
                Err(error) => format!("error: {error}"),
            }
        } else {
            let text = String::from_utf8(message).unwrap();
            let words: Vec<&str> = text.split(' ').collect();
            let number = |at: usize| words[at].parse::<u32>().unwrap();
            let wait = |seed: u32| {
                let words = words_of_other.as_ref().unwrap();
                words.word(CELL).unwrap().wait(&stream, seed.into())
            };
            match words[0] {
                "make" => {
                    let size = words[1].parse().unwrap();
                    let Created { block, fd, extra } = memory.create(0, CELL, size).unwrap();
                    made.push(block);
                    let mut message = [0; MAX_MESSAGE];
                    let len = ToReader::Block {
                        block: 1,
                        size,
                        extra,
                    }
                    .write(&mut message);
                    connection.send(&message[..len], Some(fd.as_fd())).unwrap();
                    continue;
                }
                // frame <milliseconds of work before it> <seed>: fills the last block that was made
                "frame" => {
                    let block = made.last().unwrap();
                    kernels.spin(&stream, Duration::from_millis(number(1).into()));
                    kernels.fill(&stream, block.address(), block.len(), number(2));
                    block
                        .end_write(&stream, number(2).into(), block.len() as u64)
                        .unwrap();
                    "written".to_owned()
                }
                "forget" => {
                    made.clear();
                    imported.clear();
                    "forgotten".to_owned()
                }
                // The last import: wait <bool> before its words are compared with <seed>
                "check" => {
                    let import = imported.last().unwrap();
                    let right =
                        |()| kernels.check(&stream, import.address(), import.len(), number(2));
                    let waited = if words[1] == "true" {
                        wait(number(2))
                    } else {
                        Ok(())
                    };
                    said(waited.and_then(right).map(|right| format!("right {right}")))
                }
                // Writes to the last import, in two ways that must both fail
                "set" => {
                    let import = imported.last().unwrap();
                    // SAFETY: the driver refuses it, and if not, the first process sees it.
                    let set = unsafe { stream.set_async(import.address(), 0, import.len()) };
                    said(
                        set.and_then(|()| stream.synchronize())
                            .map(|()| "written".to_owned()),
                    )
                }
                "fill" => {
                    let import = imported.last().unwrap();
                    kernels.fill(&stream, import.address(), import.len(), number(1));
                    let first = stream.synchronize();
                    let again = Stream::new(&context).map(|_| ());
                    let sticky = first.as_ref().is_err_and(CudaError::is_sticky);
                    format!("{first:?}; sticky {sticky}; then {again:?}")
                }
                // Puts a wait for the frame <seed> on the stream: is it over within 1 s?
                "wait" => {
                    wait(number(1)).unwrap();
                    over(&stream)
                }
                "words" => {
                    connection.send(b"words", memory.common()).unwrap();
                    continue;
                }
                // What a process does that learns of the other one's end; then: was the frame <seed> written?
                "release" => {
                    let words = words_of_other.as_ref().unwrap();
                    words.release();
                    let written = words.word(CELL).unwrap().look(number(1).into());
                    format!("{}, {written:?}", over(&stream))
                }
                "reset" => {
                    let block = made.pop().unwrap();
                    // SAFETY: what a framework may do; nothing that is used here is behind it.
                    let reset = unsafe { cudarc::driver::sys::cuDevicePrimaryCtxReset_v2(0) };
                    let write = block.end_write(&stream, 1, 1);
                    let query = stream.query();
                    let create = memory.create(0, CELL, 2 << 20).map(|_| ());
                    drop(block);
                    format!("reset {reset:?}; write {write:?}; query {query:?}; create {create:?}")
                }
                other => panic!("what is {other:?}?"),
            }
        };
        connection
            .send(&answer.as_bytes()[..answer.len().min(1024)], None)
            .unwrap();
    }
}

fn over(stream: &Stream) -> String {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1) {
        if stream.query().unwrap() == Progress::Done {
            return "over".to_owned();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    "not over".to_owned()
}

fn said(result: Result<String, CudaError>) -> String {
    result.unwrap_or_else(|error| format!("error: {error}"))
}
