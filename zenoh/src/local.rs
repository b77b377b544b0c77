//! The subscriptions of one context, so that its publishers can give them the message itself.
//!
//! Subscriptions come in when they are made and go when they are dropped; a publisher asks which of its topic take messages of
//! its Rust type, and which do not and have to be reached as those of other processes are. Nothing is sent here.

use std::{
    any::Any,
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use rosidl_buffer_runtime::{BufferError, Message};

use crate::{
    inbox::Inbox,
    key::{Gid, TopicKey},
    lane::Reader,
    options::CPU,
};

/// The subscriptions of a context.
#[derive(Clone, Default)]
pub(crate) struct Local(Arc<Shared>);

#[derive(Default)]
struct Shared {
    topics: Mutex<HashMap<TopicKey, Vec<Entry>>>,
    next_id: AtomicU64,
    /// Grows with each change, so that who has looked need not look again.
    version: AtomicU64,
}

struct Entry {
    id: u64,
    /// The names that others know it by; more than one when it was announced anew.
    gids: Vec<Gid>,
    /// An `Arc<Inlet<M>>`; `None` for one that does not want messages in this way.
    inlet: Option<Arc<dyn Any + Send + Sync>>,
}

/// Where one subscription takes messages of this process.
pub(crate) struct Inlet<M> {
    inbox: Weak<Inbox<M>>,
    /// The memories, besides the host's own, that it takes.
    accepted: Vec<String>,
}

impl<M> Inlet<M> {
    pub(crate) fn new(inbox: &Arc<Inbox<M>>, accepted: Vec<String>) -> Self {
        Self {
            inbox: Arc::downgrade(inbox),
            accepted,
        }
    }

    /// Whether it is there, and takes memory of `backend`.
    pub(crate) fn takes_memory_of(&self, backend: &str) -> bool {
        self.inbox.strong_count() > 0 && is_taken(&self.accepted, backend)
    }

    /// `None` when the subscription is gone.
    pub(crate) fn inbox(&self) -> Option<Arc<Inbox<M>>> {
        self.inbox.upgrade()
    }

    /// The subscription, as a publisher's lane knows it. Routes that name it keep it in its place.
    pub(crate) fn reader(self: &Arc<Self>) -> Reader {
        Reader::Here(Arc::as_ptr(self).addr())
    }
}

impl<M: Message> Inlet<M> {
    /// Whether all buffers of the message are in memory that is accepted.
    pub(crate) fn takes(&self, message: &M) -> bool {
        let mut takes = true;
        message.for_each_buffer(&mut |_, buffer| {
            takes &= is_taken(&self.accepted, buffer.backend_type());
        });
        takes
    }
}

/// The subscriptions of a topic that are in the publisher's context.
pub(crate) struct Here<M> {
    /// Those that get the message itself.
    pub(crate) inlets: Vec<Arc<Inlet<M>>>,
    /// The names of those.
    pub(crate) served: Vec<Gid>,
    /// Whether there are others.
    pub(crate) others: bool,
}

impl<M> Here<M> {
    pub(crate) fn nobody() -> Self {
        Self {
            inlets: Vec::new(),
            served: Vec::new(),
            others: false,
        }
    }
}

impl Local {
    /// A higher number after each change.
    pub(crate) fn version(&self) -> u64 {
        self.0.version.load(Ordering::Acquire)
    }

    /// Adds a subscription.
    pub(crate) fn register<M: Message>(
        &self,
        key: &TopicKey,
        inlet: Option<Inlet<M>>,
    ) -> Registration {
        let id = self.0.next_id.fetch_add(1, Ordering::Relaxed);
        let entry = Entry {
            id,
            gids: Vec::new(),
            inlet: inlet.map(|inlet| Arc::new(inlet) as Arc<dyn Any + Send + Sync>),
        };
        let mut topics = self.0.lock();
        topics.entry(key.clone()).or_default().push(entry);
        self.0.changed();
        drop(topics);
        Registration {
            shared: Arc::clone(&self.0),
            key: key.clone(),
            id,
        }
    }

    /// The subscriptions of a topic, for a publisher of `M`.
    pub(crate) fn subscriptions<M: Message>(&self, key: &TopicKey) -> Here<M> {
        let mut here = Here::nobody();
        let topics = self.0.lock();
        for entry in topics.get(key).into_iter().flatten() {
            match entry.inlet.clone().map(Arc::downcast::<Inlet<M>>) {
                Some(Ok(inlet)) => {
                    here.inlets.push(inlet);
                    here.served.extend(&entry.gids);
                }
                // Another Rust type with the same ROS type, or none wanted.
                Some(Err(_)) | None => here.others = true,
            }
        }
        here
    }
}

impl Shared {
    /// Called with the lock held: who sees the number, sees the change.
    fn changed(&self) {
        self.version.fetch_add(1, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TopicKey, Vec<Entry>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A subscription among those of its context, until this is dropped.
pub(crate) struct Registration {
    shared: Arc<Shared>,
    key: TopicKey,
    id: u64,
}

impl Registration {
    /// Said before the token with that GID is declared.
    pub(crate) fn is_known_as(&self, gid: Gid) {
        let mut topics = self.shared.lock();
        let entries = topics.get_mut(&self.key).into_iter().flatten();
        for entry in entries.filter(|entry| entry.id == self.id) {
            entry.gids.push(gid);
        }
        self.shared.changed();
    }

    /// Said when that token could not be declared.
    pub(crate) fn is_not_known_as(&self, gid: Gid) {
        let mut topics = self.shared.lock();
        let entries = topics.get_mut(&self.key).into_iter().flatten();
        for entry in entries.filter(|entry| entry.id == self.id) {
            entry.gids.retain(|known| *known != gid);
        }
        self.shared.changed();
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut topics = self.shared.lock();
        if let Some(entries) = topics.get_mut(&self.key) {
            entries.retain(|entry| entry.id != self.id);
            if entries.is_empty() {
                topics.remove(&self.key);
            }
        }
        self.shared.changed();
    }
}

/// A message on its way to one subscription of the context.
pub(crate) struct Delivery<M> {
    pub(crate) inbox: Arc<Inbox<M>>,
    pub(crate) message: M,
    /// Because of memory that the subscription does not take.
    pub(crate) is_copied: bool,
}

/// A clone of the message for each of these subscriptions; the error when one could not be made.
///
/// Buffers in memory that a subscription does not take are copied to the host's, once for all who take the same.
pub(crate) fn deliveries<'a, M: Message>(
    inlets: impl Iterator<Item = &'a Arc<Inlet<M>>>,
    message: &M,
) -> (Vec<Delivery<M>>, Option<BufferError>) {
    let mut copies: Vec<(&[String], M)> = Vec::new();
    let (mut deliveries, mut error) = (Vec::new(), None);
    for inlet in inlets {
        let Some(inbox) = inlet.inbox() else { continue };
        let accepted = inlet.accepted.as_slice();
        let known = copies.iter().find(|(names, _)| *names == accepted);
        let (message, is_copied) = if inlet.takes(message) {
            (message.clone(), false)
        } else if let Some((_, copy)) = known {
            (copy.clone(), true)
        } else {
            match copy(accepted, message) {
                Ok(copy) => {
                    copies.push((accepted, copy.clone()));
                    (copy, true)
                }
                Err(cause) => {
                    error = Some(cause);
                    continue;
                }
            }
        };
        deliveries.push(Delivery {
            inbox,
            message,
            is_copied,
        });
    }
    (deliveries, error)
}

fn is_taken(accepted: &[String], backend: &str) -> bool {
    backend == CPU || accepted.iter().any(|name| name == backend)
}

/// The message with all buffers in memory that is accepted, or in the host's.
fn copy<M: Message>(accepted: &[String], message: &M) -> Result<M, BufferError> {
    let (mut copy, mut result) = (message.clone(), Ok(()));
    let accepts = |backend: &str| is_taken(accepted, backend);
    copy.for_each_buffer_mut(&mut |_, buffer| {
        if result.is_ok() && !accepts(buffer.backend_type()) {
            result = buffer.make_host(&accepts);
        }
    });
    result.map(|()| copy)
}

#[cfg(test)]
mod tests {
    use rosidl_buffer_interfaces::builtin_interfaces::msg::Time;

    use super::*;

    #[test]
    fn a_subscription_has_the_names_that_it_was_given_and_not_those_that_failed() {
        let key = TopicKey {
            domain: 0,
            topic: "/chatter".to_owned(),
            dds_type: "std_msgs::msg::dds_::String_".to_owned(),
            type_hash: "h".to_owned(),
        };
        let (local, inbox) = (Local::default(), Arc::new(Inbox::<Time>::new("", None)));
        let here = || local.register(&key, Some(Inlet::new(&inbox, Vec::new())));
        let (one, other) = (here(), here());
        let gid = |number| Gid([number; 16]);
        one.is_known_as(gid(1));
        other.is_known_as(gid(2));
        one.is_known_as(gid(3));
        let before = local.version();
        one.is_not_known_as(gid(3));
        assert!(local.version() > before);
        let served = || local.subscriptions::<Time>(&key).served;
        assert_eq!(served(), [gid(1), gid(2)]);
        drop(one);
        assert_eq!(served(), [gid(2)]);
        drop(other);
        assert!(local.0.lock().is_empty());
    }
}
