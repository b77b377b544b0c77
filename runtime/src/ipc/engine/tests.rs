//! What all blocks of an engine have in common: it comes before any of them, and tells the end of its process.
//!
//! The memory is the host's, with a word for each cell as memory of a GPU has; here the words are written by hand.

use std::io::{BufRead as _, BufReader};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicUsize;

use super::*;
use crate::error::Loss;
use crate::ipc::memory::Created;
use crate::ipc::wire::Extra;
use crate::shm::HostMemory;

const VARIABLE: &str = "ROSIDL_BUFFER_ENGINE_TEST_READER";
const SOON: Duration = Duration::from_secs(10);
const GONE: u64 = 1 << 62;

struct Worded {
    words: Lease,
    fd: OwnedFd,
    /// So many blocks are mapped at once; the next one waits, as for a device.
    quick: AtomicUsize,
    waits: AtomicBool,
}

impl Worded {
    fn engine() -> Engine<Self> {
        let (words, fd) = Lease::create().unwrap();
        let memory = Self {
            words,
            fd,
            quick: AtomicUsize::new(usize::MAX),
            waits: AtomicBool::new(false),
        };
        Engine::start(memory, Config::default()).unwrap()
    }
}

impl Memory for Worded {
    type Block = <HostMemory as Memory>::Block;
    type Import = <HostMemory as Memory>::Import;
    type Common = Lease;
    const BACKEND: &'static str = "worded";

    fn granule(&self, domain: u32) -> u64 {
        HostMemory.granule(domain)
    }

    fn create(&self, domain: u32, cell: u32, size: u64) -> io::Result<Created<Self::Block>> {
        HostMemory.create(domain, cell, size)
    }

    fn import(&self, fd: OwnedFd, size: u64, extra: &Extra) -> io::Result<Self::Import> {
        while self.quick.load(Ordering::Acquire) == 0 {
            self.waits.store(true, Ordering::Release);
            std::thread::sleep(Duration::from_millis(1));
        }
        self.quick.fetch_sub(1, Ordering::AcqRel);
        HostMemory.import(fd, size, extra)
    }

    fn common(&self) -> Option<BorrowedFd<'_>> {
        Some(self.fd.as_fd())
    }

    fn import_common(&self, fd: OwnedFd) -> io::Result<Lease> {
        Lease::open(fd)
    }

    fn release(common: &Lease) {
        for word in (0..).map_while(|cell| common.cell(cell)) {
            word.fetch_or(GONE, Ordering::AcqRel);
        }
    }

    fn len(common: &Lease, cell: u32) -> Option<u64> {
        Some(common.beside(cell)?.load(Ordering::Acquire))
    }

    fn is_unfinished(common: &Lease, cell: u32, generation: u64) -> bool {
        let word = common.cell(cell).unwrap().load(Ordering::Acquire);
        word & GONE != 0 && word & !GONE < generation
    }
}

/// A block of 1,000 bytes, described to a reader; its word is written if it is `done`.
fn describe(engine: &Engine<Worded>, reader: EngineId, done: bool) -> Ticket {
    let block = engine.try_allocate(0, 1000).unwrap();
    let words = &engine.memory().words;
    words
        .beside(block.cell)
        .unwrap()
        .store(1000, Ordering::Release);
    if done {
        let word = words.cell(block.cell).unwrap();
        word.store(block.generation(), Ordering::Release);
    }
    engine.describe(&block, reader).unwrap().expect("connected")
}

fn take(engine: &Engine<Worded>, ticket: &Ticket) -> ReadHandle<Worded> {
    match engine.take(ticket).unwrap() {
        Taken::Imported(held) => held,
        Taken::Own(_) => panic!("it is not ours"),
    }
}

fn word(held: &ReadHandle<Worded>) -> u64 {
    let cell = held.common().unwrap().cell(held.place().0);
    cell.unwrap().load(Ordering::Acquire)
}

#[test]
#[cfg_attr(miri, ignore = "asks the kernel")]
fn an_engine_that_ends_before_its_process_is_not_taken_for_dead() {
    let (writer, reader) = (Worded::engine(), Worded::engine());
    reader.connect(writer.identity(), SOON).unwrap();
    assert!(writer.wait_for_reader(reader.identity().engine, SOON));
    let ticket = describe(&writer, reader.identity().engine, true);
    let held = take(&reader, &ticket);
    assert_eq!(held.place(), (ticket.cell, ticket.generation));
    assert_eq!(word(&held), ticket.generation);
    // Its block has room for more than was written.
    let more = Ticket {
        size: 1001,
        ..describe(&writer, reader.identity().engine, true)
    };
    let refused = reader.take(&more).map(drop).unwrap_err();
    assert!(matches!(&refused, BackendError::Malformed(_)), "{refused}");
    drop(writer);
    let start = Instant::now();
    while reader.stats().writers > 0 {
        assert!(start.elapsed() < SOON, "its end is not seen");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(word(&held), ticket.generation, "this process still writes");
    drop(held);
    assert_eq!(reader.stats().lost_unfinished, 0);
}

/// The words of a killed process are marked, each frame of it is known to be whole or not, and what is not is counted.
#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_killed_process_leaves_nobody_waiting() {
    let reader = Worded::engine();
    let (mut child, tickets) = Killed::writer_for(&reader);
    let (done, unfinished) = (take(&reader, &tickets[0]), take(&reader, &tickets[1]));
    assert_eq!((word(&done), word(&unfinished)), (tickets[0].generation, 0));
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    let start = Instant::now();
    while word(&unfinished) & GONE == 0 {
        assert!(
            start.elapsed() < Duration::from_secs(1),
            "streams still wait"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    let late = reader.take(&tickets[2]).map(drop);
    assert_eq!(late, Err(BackendError::Lost(Loss::Unfinished)));
    assert_eq!(reader.stats().lost_unfinished, 1);
    drop(unfinished);
    drop(done);
    assert_eq!(reader.stats().lost_unfinished, 2);
}

/// The thread that maps blocks may have to wait for a device, which waits for the process that is gone.
#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn the_end_of_a_process_is_noticed_while_a_block_is_being_mapped() {
    /// Also after a failure the reader is to end.
    struct Opened<'a>(&'a AtomicUsize);
    impl Drop for Opened<'_> {
        fn drop(&mut self) {
            self.0.store(usize::MAX, Ordering::Release);
        }
    }
    let reader = Worded::engine();
    let memory = reader.memory();
    memory.quick.store(2, Ordering::Release);
    let opened = Opened(&memory.quick);
    let (mut child, tickets) = Killed::writer_for(&reader);
    let start = Instant::now();
    while !memory.waits.load(Ordering::Acquire) {
        assert!(start.elapsed() < SOON, "the third block does not come");
        std::thread::sleep(Duration::from_millis(1));
    }
    let unfinished = take(&reader, &tickets[1]);
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    let start = Instant::now();
    while word(&unfinished) & GONE == 0 {
        assert!(start.elapsed() < SOON, "streams still wait");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(reader.stats().imports, 2, "the third one still waits");
    drop(opened);
}

struct Killed(Child);

impl Killed {
    /// A process that describes three blocks, of which the first is done.
    fn writer_for(reader: &Engine<Worded>) -> (Self, Vec<Ticket>) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "ipc::engine::tests::second_process",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env(VARIABLE, reader.identity().to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let child = Self(child);
        let mut heard = || -> String {
            // The harness writes to the same line before.
            let said = lines.by_ref().map(Result::unwrap);
            let mut said = said.filter_map(|line| Some(line.split_once("says ")?.1.to_owned()));
            said.next().expect("the second process goes on")
        };
        let identity = Identity::parse(&heard()).unwrap();
        reader.connect(identity, SOON).unwrap();
        let tickets = (0..3).map(|_| parse(identity.engine, &heard()));
        (child, tickets.collect())
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn parse(engine: EngineId, text: &str) -> Ticket {
    let numbers: Vec<u64> = text.split(' ').map(|word| word.parse().unwrap()).collect();
    Ticket {
        engine,
        cell: u32::try_from(numbers[0]).unwrap(),
        block: numbers[1],
        generation: numbers[2],
        block_size: numbers[3],
        offset: 0,
        size: 1000,
    }
}

#[test]
#[ignore = "started by another test as a second process"]
fn second_process() {
    let Ok(reader) = std::env::var(VARIABLE) else {
        println!("skipped: nobody to write for");
        return;
    };
    let reader = Identity::parse(&reader).unwrap().engine;
    let engine = Worded::engine();
    println!("says {}", engine.identity());
    assert!(engine.wait_for_reader(reader, SOON));
    for done in [true, false, false] {
        let Ticket {
            cell,
            block,
            generation,
            block_size,
            ..
        } = describe(&engine, reader, done);
        println!("says {cell} {block} {generation} {block_size}");
    }
    std::thread::sleep(SOON); // killed long before
}
