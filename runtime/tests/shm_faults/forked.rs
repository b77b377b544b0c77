//! `fork` after the start: the child is told so, and changes nothing.

use std::{
    io::{Read as _, Write as _, pipe},
    panic::{AssertUnwindSafe, catch_unwind, set_hook},
    time::Duration,
};

use rosidl_buffer_runtime::{
    AllocateError, BackendError, Buffer, BufferBackend as _, BufferError,
    shm::{ReadHandle, ShmBackend, ShmBufferDescriptor, WriteHandle},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    counts::{SOON, all_free, alone, within},
    frames,
    other::{Other, Settings, send, take},
};

const LEN: usize = 10_000;

/// All that a process can have when it forks.
struct Everything {
    writer: ShmBackend,
    reader: ShmBackend,
    /// Not frozen yet.
    writing: WriteHandle,
    frozen: Buffer<u8>,
    reading: ReadHandle,
    waiting: ShmBufferDescriptor,
    name: String,
}

impl Everything {
    fn new() -> Self {
        let writer = Settings::default().build().unwrap();
        let reader = Settings::default().build().unwrap();
        reader.connect(&writer.backend_metadata(), SOON).unwrap();
        let name = reader.backend_metadata();
        let (_, taken) = send(&writer, &name, 1, LEN).unwrap();
        let (frozen, waiting) = send(&writer, &name, 2, LEN).unwrap();
        within(SOON, "the memory of both came", || {
            reader.stats().imports == 2
        });
        Self {
            writing: writer.try_allocate(LEN).unwrap(),
            frozen,
            reading: take(&reader, &taken.unwrap()).unwrap().1,
            waiting: waiting.unwrap(),
            name,
            writer,
            reader,
        }
    }

    /// What the child finds that should not be so; then everything is dropped.
    fn wrong_in_child(mut self) -> Vec<&'static str> {
        let allocated = self.writer.try_allocate(LEN).err();
        let waited = self.writer.allocate(LEN, SOON).err();
        let storage = self.frozen.storage().unwrap();
        let described = self.writer.create_descriptor(storage, &self.name).err();
        let read = self.reader.read(&self.waiting).err();
        let own = self.writer.backend_metadata();
        let connected = self.reader.connect(&own, SOON).err();
        let shared = ShmBackend::shared().and_then(|shared| {
            let buffer = shared.to_buffer(&[1; 100]).map_err(BackendError::other)?;
            let own = shared.backend_metadata();
            let described = shared.create_descriptor(buffer.storage().unwrap(), &own)?;
            Ok(shared.read(&described.unwrap())?[..] == [1; 100])
        });
        self.writer.trim(Duration::ZERO);
        self.writer
            .retract_descriptor(self.waiting.clone(), &self.name);
        self.reader.on_discovering_endpoint(&own);
        let is_forked = |error: Option<BackendError>| error == Some(BackendError::Forked);
        let no_block = |error| matches!(error, Some(AllocateError::Forked));
        let checks = [
            ("try_allocate", no_block(allocated)),
            ("allocate", no_block(waited)),
            ("create_descriptor", is_forked(described)),
            ("read", is_forked(read)),
            ("connect", is_forked(connected)),
            ("is_connected", !self.writer.is_connected(&self.name)),
            (
                "wait_for_reader",
                !self.writer.wait_for_reader(&self.name, SOON),
            ),
            ("a new engine of the child's own", shared == Ok(true)),
            ("frozen", gives_nothing(&self.frozen)),
            (
                "writing",
                is_refused(|| frames::stamp(&mut self.writing, 4)),
            ),
            ("what is there to write", is_refused(|| self.writing[0])),
            ("what was held", is_refused(|| self.reading[0])),
            (
                "its name",
                format!("{:?}", self.reading).contains("10000 bytes"),
            ),
            (
                "frozen in the child",
                gives_nothing(&self.writing.into_buffer()),
            ),
            ("held in a buffer", gives_nothing(&self.reading.into())),
        ];
        let wrong = checks.into_iter().filter(|(_, right)| !right);
        wrong.map(|(what, _)| what).collect()
    }
}

/// No bytes, and an error that says why.
fn gives_nothing(buffer: &Buffer<u8>) -> bool {
    let error = match buffer.to_vec() {
        Err(BufferError::Backend { cause, .. }) => cause.to_string(),
        _ => return false,
    };
    buffer.len() == LEN && buffer.as_slice().is_none() && error.contains("forked")
}

/// Panics, and says why.
fn is_refused<T>(what: impl FnOnce() -> T) -> bool {
    let Err(said) = catch_unwind(AssertUnwindSafe(what)) else {
        return false;
    };
    said.downcast_ref::<String>()
        .is_some_and(|said| said.contains("forked child"))
}

/// In the other process: a child that has all its files and does nothing, until it is killed. Its id.
pub(crate) fn leave_a_child() -> String {
    // SAFETY: the child calls `pause` only, which needs nothing of the parent.
    match unsafe { libc::fork() } {
        0 => loop {
            // SAFETY: takes nothing and changes nothing.
            unsafe { libc::pause() };
        },
        pid => pid.to_string(),
    }
}

#[test]
fn a_forked_child_is_told_so_and_changes_nothing() {
    let _turn = alone();
    // The child finds one here that is its parent's.
    let shared = ShmBackend::shared().unwrap();
    let everything = Everything::new();
    let before = (everything.writer.stats(), everything.reader.stats());
    let (mut from_child, mut to_parent) = pipe().unwrap();
    // SAFETY: the child has this thread only. It takes no lock that another thread may have had: those of the engines it must not
    // touch, which is what is tested; malloc's the C library sees to; `Everything` is this test's. It ends by `_exit`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        set_hook(Box::new(|_| {})); // panics are expected, and the parent says what is wrong
        let wrong = catch_unwind(AssertUnwindSafe(|| everything.wrong_in_child()));
        let text = wrong.map_or("panic".into(), |wrong| wrong.join(", "));
        let _ = to_parent.write_all(format!("wrong: {text}").as_bytes());
        // SAFETY: ends the process; nothing is run that belongs to the parent.
        unsafe { libc::_exit(0) };
    }
    assert!(pid > 0);
    drop(to_parent);
    let mut text = String::new();
    from_child.read_to_string(&mut text).unwrap();
    let mut status = 0;
    // SAFETY: waits for the child made above; `status` outlives the call.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!((text.as_str(), status), ("wrong: ", 0));

    assert_eq!(
        (everything.writer.stats(), everything.reader.stats()),
        before
    );
    let Everything {
        writer,
        reader,
        mut writing,
        frozen,
        reading,
        waiting,
        name,
    } = everything;
    assert_eq!(take(&reader, &waiting).unwrap().0, 2);
    assert_eq!(frames::check(frozen.as_slice().unwrap()), Ok(2));
    assert_eq!(frames::check(&reading), Ok(1));
    frames::stamp(&mut writing, 3);
    let buffer = writing.into_buffer();
    let descriptor = writer
        .create_descriptor(buffer.storage().unwrap(), &name)
        .unwrap();
    assert_eq!(take(&reader, &descriptor.unwrap()).unwrap().0, 3);
    drop((frozen, buffer, reading));
    all_free(&writer, SOON);
    assert_eq!(&*shared.try_allocate(3).unwrap(), [0; 3]);
}

/// The name and the lease are the parent's: a child that lives on does not keep the parent's death from being noticed.
#[test]
fn a_child_that_outlives_its_parent_does_not_hide_its_death() {
    let _turn = alone();
    let shm = Settings::default().build().unwrap();
    let mut other = Other::start();
    assert_eq!(
        other.ask(&format!("connect {}", shm.backend_metadata())),
        "ok"
    );
    assert!(shm.wait_for_reader(&other.metadata, SOON));
    assert_eq!(other.ask("keep 1"), "ok");
    let (_, descriptor) = send(&shm, &other.metadata, 1, LEN).unwrap();
    let hex = frames::to_hex(&descriptor.unwrap());
    assert_eq!(other.ask(&format!("take {hex}")), "frame 1");
    let child = other.ask("fork");
    other.kill();
    within(Duration::from_secs(1), "the parent's death is seen", || {
        shm.stats().readers == 0
    });
    all_free(&shm, SOON);
    let child = Pid::from_raw(child.parse().unwrap()).unwrap();
    kill_process(child, Signal::KILL).unwrap();
}
