//! What every [`BufferBackend`] has to pass, whatever its memory is.
//!
//! A test gives two connected ends of a backend; each check hands storages over between them, through the same encoder
//! and decoder that messages go through, and says in words what is wrong. Nothing here knows a backend.

mod checks;

use std::any::Any;
use std::error::Error;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{BufferBackend, Storage};

/// Makes a storage with these bytes.
pub type Store = dyn Fn(&[u8]) -> Result<Arc<dyn Storage>, Box<dyn Error>>;

/// Two ends of a backend that can hand storages over, from the first to the second.
pub struct Pair<B> {
    /// The end that owns the memory.
    pub writer: Arc<B>,
    /// The end that takes descriptors; the writer knows it by its metadata.
    pub reader: Arc<B>,
    /// Makes storages of the writer.
    pub store: Box<Store>,
    /// How many storages the writer cannot use again yet.
    pub in_use: Box<dyn Fn() -> usize>,
    /// How long the writer may take to notice that a storage is free.
    pub patience: Duration,
}

/// Runs all checks, each with a pair of its own.
///
/// # Panics
/// When a check fails; the text names all that failed and says what was expected.
///
/// # Example
/// ```
/// # #[cfg(target_os = "linux")]
/// # fn main() {
/// use std::{sync::Arc, time::Duration};
/// use rosidl_buffer_runtime::{BufferBackend, conformance::{self, Pair}, shm::ShmBackend};
///
/// conformance::check(|| {
///     let (writer, reader) = (ShmBackend::new().unwrap(), ShmBackend::new().unwrap());
///     reader.connect(&writer.backend_metadata(), Duration::from_secs(1)).unwrap();
///     let (store, pool) = (writer.clone(), writer.clone());
///     Pair {
///         writer: Arc::new(writer),
///         reader: Arc::new(reader),
///         store: Box::new(move |bytes| Ok(Arc::clone(store.to_buffer(bytes)?.storage().unwrap()))),
///         in_use: Box::new(move || pool.stats().blocks - pool.stats().blocks_free),
///         patience: Duration::from_secs(10),
///     }
/// });
/// # }
/// # #[cfg(not(target_os = "linux"))]
/// # fn main() {}
/// ```
pub fn check<B: BufferBackend>(pair: impl Fn() -> Pair<B>) {
    let checks: &[(&str, Check<B>)] = &[
        (
            "its name and metadata can stand in discovery",
            checks::names,
        ),
        ("bytes of any length arrive", checks::lengths),
        ("a message with a buffer arrives", checks::messages),
        ("slices, copies and vectors agree", checks::views),
        ("clones share one storage", checks::clones),
        ("equal content is equal", checks::equality),
        (
            "a descriptor is small and survives encoding",
            checks::descriptors,
        ),
        (
            "a descriptor taken twice shows no other bytes",
            checks::taken_twice,
        ),
        ("a descriptor outlives its storage", checks::outlives),
        ("a storage outlives the writer's", checks::outlived),
        ("descriptors that are not valid are errors", checks::hostile),
        ("an unknown peer gets bytes", checks::strangers),
        (
            "a storage of another backend is not described",
            checks::foreign,
        ),
        ("what is retracted is free again", checks::retracted),
        ("storages may be dropped on another thread", checks::threads),
        (
            "a thousand hand-overs leave nothing behind",
            checks::a_thousand,
        ),
    ];
    let mut failures = Vec::new();
    let mut backend = String::new();
    for (name, check) in checks {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let pair = pair();
            pair.writer.backend_type().clone_into(&mut backend);
            check(&pair)
        }));
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(text)) => failures.push(format!("{name}: {text}")),
            Err(panic) => failures.push(format!("{name}: panicked: {}", text_of(&*panic))),
        }
    }
    assert!(
        failures.is_empty(),
        "backend `{backend}` fails {} of {} checks:\n  {}",
        failures.len(),
        checks.len(),
        failures.join("\n  ")
    );
}

type Outcome = Result<(), String>;
type Check<B> = fn(&Pair<B>) -> Outcome;

impl<B: BufferBackend> Pair<B> {
    fn stored(&self, bytes: &[u8]) -> Result<Arc<dyn Storage>, String> {
        (self.store)(bytes).map_err(said(format_args!(
            "a storage of {} bytes cannot be made",
            bytes.len()
        )))
    }

    fn described(&self, storage: &Arc<dyn Storage>) -> Result<B::Descriptor, String> {
        self.writer
            .create_descriptor(storage, &self.reader.backend_metadata())
            .map_err(said("the storage cannot be described"))?
            .ok_or_else(|| "a connected peer gets no descriptor".to_owned())
    }

    fn taken(&self, descriptor: B::Descriptor) -> Result<Arc<dyn Storage>, String> {
        self.reader
            .from_descriptor(descriptor)
            .map_err(said("the reader cannot take the descriptor"))
    }

    fn handed_over(&self, bytes: &[u8]) -> Result<Arc<dyn Storage>, String> {
        self.taken(self.described(&self.stored(bytes)?)?)
    }

    /// Waits until no more than `count` storages are in use.
    fn free_down_to(&self, count: usize) -> Outcome {
        let start = Instant::now();
        while (self.in_use)() > count {
            if start.elapsed() > self.patience {
                return Err(format!(
                    "{} storages are in use {:?} after the last one was dropped, {count} before",
                    (self.in_use)(),
                    self.patience
                ));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

fn ensure(holds: bool, text: impl Display) -> Outcome {
    if holds { Ok(()) } else { Err(text.to_string()) }
}

/// Puts what was done before an error's own text.
fn said<E: Display>(what: impl Display) -> impl Fn(E) -> String {
    move |error| format!("{what}: {error}")
}

/// Compares in place and by copy.
fn expect_bytes(storage: &Arc<dyn Storage>, bytes: &[u8], what: impl Display) -> Outcome {
    ensure(
        storage.byte_len() == bytes.len(),
        format_args!(
            "{what} has {} bytes, {} expected",
            storage.byte_len(),
            bytes.len()
        ),
    )?;
    if let Some(host) = storage.host_bytes() {
        ensure(
            host == bytes,
            format_args!("{what} has other bytes in place"),
        )?;
    }
    let mut copy = vec![0xA5; bytes.len()];
    storage
        .copy_to_host(&mut copy)
        .map_err(said(format_args!("{what} cannot be copied")))?;
    ensure(
        copy == bytes,
        format_args!("{what} has other bytes when copied"),
    )
}

/// Bytes that differ from their neighbours and from those of another seed.
fn pattern(len: usize, seed: u8) -> Vec<u8> {
    let mut random = Random(u64::from(seed) + 1);
    (0..len).map(|_| random.byte()).collect()
}

/// Xorshift: the same in each run.
struct Random(u64);

impl Random {
    fn byte(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.to_le_bytes()[5]
    }

    fn below(&mut self, end: usize) -> usize {
        usize::from(u16::from_le_bytes([self.byte(), self.byte()])) % end
    }
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no text")
}
