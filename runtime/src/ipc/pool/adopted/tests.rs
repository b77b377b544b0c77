//! Adopted memory between two engines. Host memory stands in for that of others, and its cell for what the owner knows it by.

use super::*;
use crate::ipc::config::Config;
use crate::ipc::engine::{Engine, Taken};
use crate::ipc::imports::ReadHandle;
use crate::ipc::ticket::Ticket;
use crate::shm::HostMemory;

const SOON: Duration = Duration::from_secs(20);
const SIZE: u64 = 1 << 16;
const PART: Part = Part {
    offset: 4096,
    len: 1000,
    size: SIZE,
};

struct Pair {
    writer: Engine<HostMemory>,
    reader: Engine<HostMemory>,
}

impl Pair {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        let writer = Engine::start(HostMemory, config).unwrap();
        let reader = Engine::start(HostMemory, Config::default()).unwrap();
        reader.connect(writer.identity(), SOON).unwrap();
        assert!(writer.wait_for_reader(reader.identity().engine, SOON));
        Self { writer, reader }
    }

    fn pool(&self) -> &Pool<HostMemory> {
        self.writer.adopting().unwrap()
    }

    fn adopt(&self) -> Result<Arc<Block<HostMemory>>, AllocateError> {
        let make = |cell| HostMemory.create(0, cell, SIZE);
        self.pool().adopt(0, PART, make)
    }

    fn again(&self, id: u64, len: u64) -> Found<HostMemory> {
        self.pool().adopted(len, |block| block.id == id)
    }

    fn describe(&self, block: &Block<HostMemory>) -> Ticket {
        let reader = self.reader.identity().engine;
        self.writer.describe(block, reader).unwrap().unwrap()
    }

    fn take(&self, ticket: &Ticket) -> ReadHandle<HostMemory> {
        match self.reader.take(ticket).unwrap() {
            Taken::Imported(held) => held,
            Taken::Own(_) => panic!("it is not the reader's"),
        }
    }
}

fn eventually(mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < SOON, "it does not come");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
#[cfg_attr(miri, ignore = "asks the kernel")]
fn it_travels_once_and_each_frame_is_a_use_of_its_own() {
    let pair = Pair::new();
    let mut block = pair.adopt().unwrap();
    let id = block.id;
    for (generation, len) in (1..).zip([1000, 1000, 300, 1000]) {
        let ticket = pair.describe(&block);
        assert_eq!((ticket.block, ticket.generation), (id, generation));
        assert_eq!((ticket.offset, ticket.size), (PART.offset, len));
        let held = pair.take(&ticket);
        assert_eq!((held.offset as u64, held.len as u64), (PART.offset, len));
        drop(block);
        assert!(!pair.pool().is_over(id), "it is read");
        let next = if generation == 2 { 300 } else { 1000 };
        assert!(matches!(pair.again(id, next), Found::InUse));
        drop(held);
        assert!(pair.pool().is_over(id));
        let Found::Free(found) = pair.again(id, next) else {
            panic!("nobody has it");
        };
        block = found;
    }
    assert!(matches!(pair.again(id + 1, 1000), Found::Unknown));
    assert!(!pair.pool().is_over(id), "it is written");
    let (ours, theirs) = (pair.writer.stats(), pair.reader.stats());
    assert_eq!((ours.made, ours.allocated, ours.bytes), (1, 0, 0));
    assert_eq!((theirs.imports, theirs.imported_bytes), (1, SIZE));
}

#[test]
#[cfg_attr(miri, ignore = "asks the kernel")]
fn what_was_sent_and_not_taken_keeps_it_until_the_deadline() {
    let pair = Pair::with(Config {
        pending_deadline: Duration::from_millis(50),
        ..Config::default()
    });
    let block = pair.adopt().unwrap();
    let ticket = pair.describe(&block);
    let start = Instant::now();
    let id = block.id;
    drop(block);
    eventually(|| pair.pool().is_over(id));
    assert!(start.elapsed() >= Duration::from_millis(50));
    assert!(pair.reader.take(&ticket).is_err());
}

#[test]
#[cfg_attr(miri, ignore = "asks the kernel")]
fn this_process_takes_the_block_itself() {
    let pair = Pair::new();
    let block = pair.adopt().unwrap();
    let id = block.id;
    let own = pair.writer.identity().engine;
    let ticket = pair.writer.describe(&block, own).unwrap().unwrap();
    drop(block);
    let Taken::Own(taken) = pair.writer.take(&ticket).unwrap() else {
        panic!("it is of this process");
    };
    assert_eq!((taken.offset(), taken.len()), (PART.offset, PART.len));
    assert!(!pair.pool().is_over(id), "it is read here");
    let moved = Ticket {
        offset: 0,
        ..pair.writer.describe(&taken, own).unwrap().unwrap()
    };
    assert!(pair.writer.take(&moved).is_err(), "nothing was put there");
    drop(taken);
    assert!(pair.pool().is_over(id));
}

#[test]
#[cfg_attr(miri, ignore = "asks the kernel")]
fn idle_blocks_go_and_readers_let_go_of_them() {
    let pair = Pair::new();
    let block = pair.adopt().unwrap();
    let id = block.id;
    let held = pair.take(&pair.describe(&block));
    drop(block);
    let all = |_: &Block<HostMemory>| true;
    assert!(pair.pool().drop_adopted(Duration::ZERO, all), "it is read");
    drop(held);
    let none = |_: &Block<HostMemory>| false;
    assert!(pair.pool().drop_adopted(Duration::ZERO, none));
    assert!(pair.pool().drop_adopted(SOON, all), "it was used just now");
    assert_eq!(pair.pool().all_adopted(|block| block.id), [id]);
    assert!(!pair.pool().drop_adopted(Duration::ZERO, all));
    assert!(pair.pool().is_over(id) && pair.writer.stats().blocks == 0);
    eventually(|| pair.reader.stats().imports == 0);
    // The next one at the same cell is another one.
    let other = pair.adopt().unwrap();
    assert!(other.cell == block_cell(id) && other.id != id);
    assert_eq!(other.generation(), 2, "a cell never sees one twice");
}

#[test]
#[cfg_attr(miri, ignore = "asks the kernel")]
fn the_pool_does_not_hand_it_out() {
    let pair = Pair::with(Config {
        max_bytes: SIZE,
        max_blocks: 2,
        ..Config::default()
    });
    let adopted = pair.adopt().unwrap().id;
    let len = usize::try_from(SIZE).unwrap();
    let own = pair.writer.try_allocate(0, len).unwrap();
    assert!(own.id != adopted && !own.is_adopted());
    // The limit of bytes is for the pool's own; that of blocks for all.
    let Found::Free(kept) = pair.again(adopted, 1) else {
        panic!("nobody has it");
    };
    let full = pair.adopt().map(drop).unwrap_err();
    assert!(matches!(full, AllocateError::Exhausted { .. }), "{full}");
    drop(kept);
    let other = pair.adopt().unwrap();
    assert_ne!(other.id, adopted, "which made room");
    drop(own);
    assert_eq!(pair.writer.trim(Duration::ZERO), SIZE, "its own bytes");
    let stats = pair.writer.stats();
    assert_eq!((stats.blocks, stats.bytes), (1, 0), "one is in use");
}

#[test]
#[cfg_attr(miri, ignore = "asks the kernel")]
fn what_cannot_be_exported_leaves_nothing_behind() {
    let pair = Pair::new();
    let refused = |_| Err(io::Error::other("no"));
    let error = pair.pool().adopt(0, PART, refused).map(drop).unwrap_err();
    assert!(matches!(error, AllocateError::Memory { .. }), "{error}");
    assert_eq!(pair.writer.stats().blocks, 0);
    assert_eq!(pair.adopt().unwrap().cell, 0);
}
