//! What a subscription has on the network: its key, its channels, and the token by which publishers know it.
//!
//! When a memory cannot be taken here for good, the subscription is announced anew without it. ROS's wire format has no other word
//! for that: a new token is a new GID, and that a new channel. The new channel and token are there before the old token goes, and
//! the old channel stays a while, so nothing is lost in between; what a publisher of ours sends on both is known by its number. The old
//! channel then goes: publishers of `rmw_zenoh_cpp` never stop writing to it, with numbers of its own. No user code runs here.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use rosidl_buffer_runtime::Message;
use zenoh::Wait as _;

use crate::{
    error::Result,
    failures::GiveUp,
    graph::{OwnToken, Watch},
    inbox::Inbox,
    key::{Backend, Channel, Entity, Gid, Token},
    local::Registration,
    node::{EndpointName, Node},
    options::CPU,
    qos::QosProfile,
    receiver::Receiver,
};

/// How long the old channel is still read: until publishers know the new token, and what was on its way is here.
const OLD_CHANNEL_STAYS: Duration = Duration::from_secs(5);

pub(crate) struct Announcement<M> {
    // In the order in which they go.
    current: Mutex<Current>,
    _receiver: Receiver,
    inbox: Arc<Inbox<M>>,
    here: Registration,
    node: Node,
}

struct Current {
    token: OwnToken,
    watch: Option<Watch>,
    /// Each with the identifier for which it was declared: that of the token, and those to which something may be on its way.
    channels: Vec<(Gid, zenoh::pubsub::Subscriber<()>)>,
    name: EndpointName,
    /// The memories that it takes.
    accepted: Vec<String>,
}

impl<M: Message> Announcement<M> {
    /// Announces a subscription under `name`.
    pub(crate) fn new(
        node: &Node,
        name: EndpointName,
        qos: &QosProfile,
        accepted: Vec<String>,
        inbox: &Arc<Inbox<M>>,
        here: Registration,
    ) -> Result<Arc<Self>> {
        // The channel first: when the base key is known elsewhere, so is the channel.
        let channel = if name.knows_buffers {
            Some(declare_channel(node, &name, &accepted, inbox)?)
        } else {
            None
        };
        let receiver = Receiver::declare(node, &name, qos, inbox)?;
        here.is_known_as(name.gid);
        let token = name.declare_token(node.context())?;
        let current = Current {
            token,
            watch: watch(node, &name, &accepted),
            channels: channel
                .map(|channel| (name.gid, channel))
                .into_iter()
                .collect(),
            name,
            accepted,
        };
        let announcement = Arc::new(Self {
            current: Mutex::new(current),
            _receiver: receiver,
            inbox: Arc::clone(inbox),
            here,
            node: node.clone(),
        });
        let weak = Arc::downgrade(&announcement);
        inbox.on_lasting_failure(move |what| Self::give_up_soon(&weak, what));
        Ok(announcement)
    }

    /// Called on one of Zenoh's threads, or inside somebody's `put`, where nothing may be declared.
    fn give_up_soon(announcement: &Weak<Self>, given_up: &GiveUp) {
        let (asking, what) = (Weak::clone(announcement), given_up.clone());
        let work = move || {
            let announced = asking.upgrade().map(|announcement| {
                let announced = announcement.give_up(&what);
                if announced.is_err() {
                    announcement.inbox.still_asks_for(&what);
                }
                announced
            });
            match announced {
                Some(Ok(Some(old))) => {
                    std::thread::sleep(OLD_CHANNEL_STAYS);
                    if let Some(announcement) = asking.upgrade() {
                        announcement.leave(old);
                    }
                }
                Some(Err(error)) => {
                    let backend = what.backend.escape_debug();
                    tracing::warn!("{backend} buffers are still asked for, and lost: {error}");
                }
                Some(Ok(None)) | None => {}
            }
        };
        let thread = std::thread::Builder::new().name("ros_announce".to_owned());
        if let Err(error) = thread.spawn(work) {
            tracing::warn!("no thread to announce a subscription anew: {error}");
            if let Some(announcement) = announcement.upgrade() {
                announcement.inbox.still_asks_for(given_up);
            }
        }
    }

    /// Announces the subscription anew, without what is given up. The identifier that it had before; `None` when it did not
    /// ask for such memory.
    fn give_up(&self, what: &GiveUp) -> Result<Option<Gid>> {
        let mut current = self.current();
        let current = &mut *current;
        let mut accepted = current.accepted.clone();
        accepted.retain(|name| !what.all && *name != what.backend);
        let entity_id = self.node.context().next_entity_id();
        let Some(token) = (accepted.len() < current.accepted.len())
            .then(|| without(&current.name.token, what, entity_id))
            .flatten()
        else {
            return Ok(None);
        };
        let old_gid = current.name.gid;
        let old = current.name.rename(token);
        self.here.is_known_as(current.name.gid);
        let declared = declare_channel(&self.node, &current.name, &accepted, &self.inbox)
            .and_then(|channel| Ok((channel, current.name.declare_token(self.node.context())?)));
        let (channel, token) = match declared {
            Ok(declared) => declared,
            Err(error) => {
                self.here.is_not_known_as(current.name.gid);
                current.name.rename(old);
                return Err(error);
            }
        };
        current.channels.push((current.name.gid, channel));
        current.watch = watch(&self.node, &current.name, &accepted);
        current.accepted = accepted;
        // The old one goes.
        current.token = token;
        Ok(Some(old_gid))
    }

    /// Reads an old channel no more.
    fn leave(&self, old: Gid) {
        let mut current = self.current();
        let at = current.channels.iter().position(|(gid, _)| *gid == old);
        let gone = at.map(|at| current.channels.remove(at));
        drop(current);
        drop(gone);
    }
}

impl<M> Announcement<M> {
    /// The identifier under which others know the subscription now.
    pub(crate) fn gid(&self) -> Gid {
        self.current().name.gid
    }

    /// The memories that it takes now.
    pub(crate) fn accepted(&self) -> Vec<String> {
        self.current().accepted.clone()
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The token of the same subscription, which does not take what is given up.
fn without(token: &str, what: &GiveUp, entity_id: u64) -> Option<String> {
    // It was made from these parts.
    let mut token: Token = token.parse().ok()?;
    token.entity_id = entity_id;
    let Entity::Subscription(endpoint) = &mut token.entity else {
        return None;
    };
    let named = endpoint.backends.as_mut()?;
    named.retain(|named| !what.all && named.name != what.backend);
    if named.is_empty() {
        named.push(Backend {
            name: CPU.to_owned(),
            metadata: String::new(),
        });
    }
    Some(token.to_string())
}

/// Publishers' memory is prepared as soon as they are known, not when their first message is there.
fn watch(node: &Node, name: &EndpointName, accepted: &[String]) -> Option<Watch> {
    if !name.knows_buffers || accepted.is_empty() {
        return None;
    }
    let (backends, accepted) = (node.context().backends().clone(), accepted.to_vec());
    let tell = move |theirs: &[Backend]| {
        let taken = theirs
            .iter()
            .filter(|backend| accepted.contains(&backend.name));
        for backend in taken {
            backends.on_discovering_endpoint(&backend.name, &backend.metadata);
        }
    };
    Some(node.context().graph().watch_publishers(&name.key, tell))
}

/// The key on which publishers that know about buffers reach this subscription.
fn declare_channel<M: Message>(
    node: &Node,
    name: &EndpointName,
    accepted: &[String],
    inbox: &Arc<Inbox<M>>,
) -> Result<zenoh::pubsub::Subscriber<()>> {
    let arrived = Arc::clone(inbox);
    let session = node.context().zenoh_session();
    let declared = if accepted.is_empty() {
        session
            .declare_subscriber(name.on(Channel::Cpu))
            .callback(move |sample| arrived.push(&sample))
            .wait()
    } else {
        // Who sends other memory did not look at what is asked for, and is as one who sends what nobody here knows.
        let backends = node
            .context()
            .backends()
            .filtered(|name| accepted.iter().any(|accepted| accepted == name));
        session
            .declare_subscriber(name.on(Channel::Buffer(name.gid)))
            .callback(move |sample| arrived.push_described(&sample, &backends))
            .wait()
    };
    declared.map_err(|cause| name.declare_error("the buffer channel", cause))
}
