//! What one publisher counts, has said, and has to say with the next message.
//!
//! In: what happened to messages, from the publishing thread and from the publisher's lane. Out: the counters, the log, each
//! kind of trouble once, and what went wrong after `publish` had returned. Nothing is sent here.

use std::{
    collections::HashSet,
    io,
    mem::{Discriminant, discriminant},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rosidl_buffer_runtime::{BackendError, EncodeError, EncodeErrorKind};

use crate::{error::Error, stats::PublicationStats};

type ErrorKind = (
    Discriminant<EncodeErrorKind>,
    Option<Discriminant<BackendError>>,
);

/// What went wrong after `publish` had returned.
pub(crate) enum Late {
    Encode(EncodeError),
    /// The first refusal, and how many there were.
    Refused(zenoh::Error, u64),
    Panicked,
}

pub(crate) struct Ledger {
    topic: String,
    stats: Mutex<PublicationStats>,
    said: Mutex<Said>,
    /// What went wrong after `publish` had returned, and whether there is such a thing: nobody has to look else.
    earlier: Mutex<Option<Error>>,
    has_earlier: AtomicBool,
}

#[derive(Default)]
struct Said {
    errors: HashSet<ErrorKind>,
    late: HashSet<Discriminant<Late>>,
    no_lane: bool,
}

impl Ledger {
    pub(crate) fn new(topic: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            stats: Mutex::default(),
            said: Mutex::default(),
            earlier: Mutex::default(),
            has_earlier: AtomicBool::new(false),
        }
    }

    pub(crate) fn stats(&self) -> MutexGuard<'_, PublicationStats> {
        lock(&self.stats)
    }

    /// Says what backends answered, each kind of error once.
    pub(crate) fn say(&self, errors: &[EncodeError]) {
        for error in errors {
            let text = error.to_string();
            let new = lock(&self.said).errors.insert(kind(error));
            if new {
                let topic = &self.topic;
                tracing::warn!("{topic}: sent as bytes: {text} (this kind of error is said once)");
            }
            self.stats().last_backend_error = Some(text);
        }
    }

    /// Says that there is no thread for copies, once.
    pub(crate) fn say_no_lane(&self, error: &io::Error) {
        if !std::mem::replace(&mut lock(&self.said).no_lane, true) {
            let topic = &self.topic;
            tracing::warn!("{topic}: copies hold publishing up: {error} (said once)");
        }
    }

    /// Counts what went wrong after `publish` had returned, and keeps the first for the next one.
    pub(crate) fn late(&self, what: Late) {
        let refused = match what {
            Late::Refused(_, times) => Some(times),
            _ => None,
        };
        let new = lock(&self.said).late.insert(discriminant(&what));
        let error = Error::Earlier {
            topic: self.topic.clone(),
            cause: match what {
                Late::Encode(error) => error.into(),
                Late::Refused(cause, _) => cause,
                Late::Panicked => "copying or encoding it panicked".into(),
            },
        };
        if new {
            tracing::warn!("{error} (this kind of error is said once)");
        }
        self.keep(error);
        // Whoever sees it counted, has it said by the next message.
        let mut stats = self.stats();
        match refused {
            Some(times) => stats.refused += times,
            None => stats.failed += 1,
        }
    }

    /// For the next message to say, unless there is something already.
    pub(crate) fn keep(&self, earlier: Error) {
        lock(&self.earlier).get_or_insert(earlier);
        self.has_earlier.store(true, Ordering::Release);
    }

    /// What went wrong since this was asked last.
    pub(crate) fn take_earlier(&self) -> Option<Error> {
        let has_one = self.has_earlier.load(Ordering::Relaxed)
            && self.has_earlier.swap(false, Ordering::Acquire);
        has_one.then(|| lock(&self.earlier).take()).flatten()
    }
}

/// What kind of error it is, whatever numbers and names stand in its text.
fn kind(error: &EncodeError) -> ErrorKind {
    let cause = match error.kind() {
        EncodeErrorKind::Backend { cause, .. } => Some(discriminant(cause)),
        _ => None,
    };
    (discriminant(error.kind()), cause)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
