//! The way of one publisher's messages: the plan with the Zenoh publishers that it needs, made anew when the graph
//! changes.
//!
//! In: a message. Out: parcels, each with the key that it goes to. A message is serialised once for all that take bytes,
//! and once more for each subscription that takes a descriptor. Without a descriptor it goes to the base key, once.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use rosidl_buffer_runtime::{BackendRegistry, Buffer, EncodeError, Message, Peer, Storage};

use crate::{
    error::Result,
    info::Fallback,
    key::Attachment,
    node::{EndpointName, Node},
    options::CPU,
    qos::QosProfile,
    routing::{MAX_CHANNELS, Plan},
    sender::{Addressed, BaseSender, Bytes, CpuSender, Encoded, PeerSender},
};

/// Where messages go, kept up to date.
pub(crate) struct Router {
    base: BaseSender,
    current: Mutex<(Option<u64>, Arc<Routes>)>,
    said_no_channel: AtomicBool,
    said_too_many: AtomicBool,
}

/// Where messages go as long as the graph stays the same.
pub(crate) struct Routes {
    /// There are channels only when every subscription reads one. All subscriptions read the base key.
    channels: Option<Channels>,
    /// Why there are none, if somebody might have taken a descriptor otherwise.
    base_because: Option<Fallback>,
}

struct Channels {
    cpu: Option<Arc<CpuSender>>,
    peers: Vec<Arc<PeerSender>>,
}

impl Router {
    pub(crate) fn new(base: BaseSender, qos: &QosProfile) -> Self {
        let late_joiners = qos.is_transient_local();
        let routes = Routes::base(late_joiners.then_some(Fallback::TransientLocal));
        Self {
            base,
            current: Mutex::new((None, Arc::new(routes))),
            said_no_channel: AtomicBool::new(false),
            said_too_many: AtomicBool::new(false),
        }
    }

    pub(crate) fn base(&self) -> &BaseSender {
        &self.base
    }

    /// The routes of this moment.
    pub(crate) fn routes(&self, node: &Node, name: &EndpointName, qos: &QosProfile) -> Arc<Routes> {
        let graph = node.context().graph();
        let version = graph.version();
        let old = {
            let current = self.current();
            if !name.knows_buffers || current.0 == Some(version) {
                return Arc::clone(&current.1);
            }
            Arc::clone(&current.1)
        };
        // The lock is not held: Zenoh is called. Two threads may do the same at once, which is harmless.
        let plan = Plan::new(graph.readers(&name.key));
        let routes = Arc::new(old.follow(plan, node, name, qos).unwrap_or_else(|error| {
            Self::say_once(&self.said_no_channel, &error.to_string());
            Routes::base(Some(Fallback::NoChannel))
        }));
        if routes.base_because == Some(Fallback::TooManySubscriptions) {
            let topic = &name.key.topic;
            Self::say_once(
                &self.said_too_many,
                &format!(
                    "{topic}: more than {MAX_CHANNELS} subscriptions take descriptors; all get bytes"
                ),
            );
        }
        let mut current = self.current();
        if current.0 < Some(version) {
            *current = (Some(version), Arc::clone(&routes));
        }
        routes
    }

    fn say_once(said: &AtomicBool, what: &str) {
        if !said.swap(true, Ordering::Relaxed) {
            tracing::warn!("{what} (said once)");
        }
    }

    fn current(&self) -> MutexGuard<'_, (Option<u64>, Arc<Routes>)> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Routes {
    fn base(because: Option<Fallback>) -> Self {
        Self {
            channels: None,
            base_because: because,
        }
    }

    /// The routes for `plan`; Zenoh publishers that are there already are used again.
    fn follow(
        &self,
        plan: Plan,
        node: &Node,
        name: &EndpointName,
        qos: &QosProfile,
    ) -> Result<Self> {
        let (cpu, peers) = match plan {
            Plan::Base { because } => return Ok(Self::base(because)),
            Plan::Channels { cpu, peers } => (cpu, peers),
        };
        let old = self.channels.as_ref();
        let cpu = match (cpu, old.and_then(|old| old.cpu.as_ref())) {
            (true, Some(there)) => Some(Arc::clone(there)),
            (true, None) => Some(Arc::new(CpuSender::declare(node, name, qos)?)),
            (false, _) => None,
        };
        let mut senders = Vec::with_capacity(peers.len());
        for (gid, peer) in peers {
            let there = old.and_then(|old| old.peers.iter().find(|sender| sender.gid() == gid));
            senders.push(match there {
                Some(there) => Arc::clone(there),
                None => Arc::new(PeerSender::declare(node, name, qos, (gid, peer))?),
            });
        }
        Ok(Self {
            channels: Some(Channels {
                cpu,
                peers: senders,
            }),
            base_because: None,
        })
    }

    /// Serialises `message` for everybody.
    ///
    /// Bytes alone go to the base key, once, for all; the channels carry a message only if somebody gets a descriptor. One
    /// message takes the one way and the next the other, and still they arrive in order: all keys of a publisher have the
    /// same reliability and priority, so the same conduit of a link, and at the other end one thread reads it.
    ///
    /// The parcels for those who take device memory as it is are handed to `send_first`, if there are any, before its bytes are
    /// copied to the host for the others: that waits for the device.
    pub(crate) fn encode<'a, M: Message>(
        &'a self,
        base: &'a BaseSender,
        message: &M,
        backends: &'a BackendRegistry,
        send_first: impl FnOnce(Vec<Parcel<'a>>),
    ) -> Outgoing<'a> {
        let mut made = Made::default();
        let peers = self.channels.iter().flat_map(|channels| &channels.peers);
        if in_device_memory(message) {
            let direct = |peer: &&Arc<PeerSender>| takes_devices(message, peer.peer(), backends);
            let (direct, others) = peers.partition::<Vec<_>, _>(direct);
            for peer in direct {
                made.add(peer, message, backends);
            }
            if made.described {
                send_first(std::mem::take(&mut made.out.parcels));
            }
            for peer in others {
                made.add(peer, message, backends);
            }
        } else {
            for peer in peers {
                made.add(peer, message, backends);
            }
        }
        let Made {
            mut out,
            mut fallbacks,
            bytes,
            plain,
            described,
        } = made;
        let cpu = self.channels.as_ref().and_then(|all| all.cpu.as_deref());
        let shared = match (&self.channels, cpu) {
            (None, _) => self.base_because,
            (Some(_), Some(_)) => Some(Fallback::NotAccepted),
            (Some(_), None) => None,
        };
        if let Some(reason) = shared
            && in_memory_of_a_backend(message)
        {
            fallbacks.push(reason);
        }
        if described && cpu.is_none() && plain.is_empty() {
            return out;
        }
        let bytes = match bytes.map_or_else(|| Bytes::encode(message), Ok) {
            Ok(bytes) => bytes,
            // What is described already goes its way.
            Err(error) => {
                out.error = Some(error);
                return out;
            }
        };
        if described {
            let plain = plain.into_iter();
            out.parcels
                .extend(plain.map(|peer| Parcel::Peer(peer, bytes.clone())));
            out.parcels.extend(cpu.map(|cpu| Parcel::Cpu(cpu, bytes)));
        } else {
            out.parcels.push(Parcel::Base(base, bytes));
        }
        out.fallbacks = fallbacks;
        out
    }

    /// Whether Zenoh knows somebody whom a message would reach, whichever way it takes.
    pub(crate) fn is_matched(&self, base: &BaseSender) -> bool {
        let on_a_channel = |channels: &Channels| {
            channels.cpu.as_ref().is_some_and(|cpu| cpu.is_matched())
                || channels.peers.iter().any(|peer| peer.is_matched())
        };
        base.is_matched() && self.channels.as_ref().is_none_or(on_a_channel)
    }

    /// Whether a buffer in memory of `backend` would reach somebody as a descriptor.
    pub(crate) fn is_ready(&self, backend: &str, backends: &BackendRegistry) -> bool {
        let peers = self.channels.iter().flat_map(|channels| &channels.peers);
        peers.into_iter().any(|peer| {
            let metadata = peer.peer().metadata(backend);
            metadata.is_some_and(|metadata| backends.is_ready(backend, metadata))
                && peer.is_matched()
        })
    }
}

/// One message on its way.
#[derive(Default)]
pub(crate) struct Outgoing<'a> {
    pub(crate) parcels: Vec<Parcel<'a>>,
    /// Why there are bytes among them, once for each need.
    pub(crate) fallbacks: Vec<Fallback>,
    /// What backends answered that failed.
    pub(crate) backend_errors: Vec<EncodeError>,
    /// Why there are no bytes among them, although some should get them.
    pub(crate) error: Option<EncodeError>,
}

/// What was made of a message for subscriptions with a channel of their own.
#[derive(Default)]
struct Made<'a> {
    /// Descriptors, and what went wrong with some.
    out: Outgoing<'a>,
    fallbacks: Vec<Fallback>,
    /// The message without a descriptor, if that was made already.
    bytes: Option<Bytes>,
    /// Who gets that.
    plain: Vec<&'a PeerSender>,
    /// Whether somebody gets a descriptor.
    described: bool,
}

impl<'a> Made<'a> {
    fn add<M: Message>(
        &mut self,
        peer: &'a PeerSender,
        message: &M,
        backends: &'a BackendRegistry,
    ) {
        match choose(message, peer.peer(), backends) {
            Choice::HostMemory => {}
            Choice::Bytes(reason) => self.fallbacks.push(reason),
            Choice::Descriptor => match peer.describe(message, backends) {
                Ok(Encoded::Addressed(addressed)) => {
                    self.described = true;
                    return self.out.parcels.push(Parcel::Addressed(addressed));
                }
                Ok(Encoded::Bytes(same_for_all)) => {
                    self.bytes.get_or_insert(same_for_all);
                    self.fallbacks.push(Fallback::Refused);
                }
                // What is wrong with the message itself is found again later.
                Err(error) => {
                    self.fallbacks.push(Fallback::Failed);
                    self.out.backend_errors.push(error);
                }
            },
        }
        self.plain.push(peer);
    }
}

/// A serialised message and the one key that it goes to.
pub(crate) enum Parcel<'a> {
    Base(&'a BaseSender, Bytes),
    Cpu(&'a CpuSender, Bytes),
    Peer(&'a PeerSender, Bytes),
    Addressed(Box<Addressed<'a>>),
}

impl Parcel<'_> {
    /// Whether it is bytes.
    pub(crate) fn is_bytes(&self) -> bool {
        !matches!(self, Self::Addressed(_))
    }

    /// Hands it to Zenoh, and calls `described` with the backend of each descriptor that left.
    pub(crate) fn put(
        self,
        attachment: &Attachment,
        described: impl FnMut(&str),
    ) -> zenoh::Result<()> {
        match self {
            Self::Base(sender, bytes) => sender.put(bytes, attachment),
            Self::Cpu(sender, bytes) => sender.put(bytes, attachment),
            Self::Peer(sender, bytes) => sender.put(bytes, attachment),
            Self::Addressed(addressed) => addressed.put(attachment, described),
        }
    }
}

/// How a message goes to one subscription.
enum Choice {
    /// As bytes, because that is what its buffers are.
    HostMemory,
    /// As bytes, although a buffer lies in memory of a backend.
    Bytes(Fallback),
    /// One buffer at least can be described.
    Descriptor,
}

fn by_backend(name: &str, peer: &Peer, backends: &BackendRegistry) -> Choice {
    match peer.metadata(name) {
        _ if !backends.contains(name) => Choice::Bytes(Fallback::NotRegistered),
        None => Choice::Bytes(Fallback::NotAccepted),
        Some(metadata) if !backends.is_ready(name, metadata) => Choice::Bytes(Fallback::NotReady),
        Some(_) => Choice::Descriptor,
    }
}

fn choose<M: Message>(message: &M, peer: &Peer, backends: &BackendRegistry) -> Choice {
    let by_backend = |name: &str| by_backend(name, peer, backends);
    let mut choice = Choice::HostMemory;
    for_each_memory(message, |storage| {
        if matches!(choice, Choice::Descriptor) {
            return;
        }
        choice = by_backend(storage.backend_type());
        // A peer that does not reach that memory may reach the same bytes in host memory, as the encoder does it.
        if matches!(choice, Choice::Bytes(_))
            && storage.host_bytes().is_none()
            && let Some(host) = storage.host_storage()
            && matches!(by_backend(host.backend_type()), Choice::Descriptor)
        {
            choice = Choice::Descriptor;
        }
    });
    choice
}

fn in_device_memory<M: Message>(message: &M) -> bool {
    let mut found = false;
    for_each_memory(message, |storage| found |= storage.host_bytes().is_none());
    found
}

/// Whether a subscription takes all device memory of a message as it is, so that nothing is copied to the host for it.
fn takes_devices<M: Message>(message: &M, peer: &Peer, backends: &BackendRegistry) -> bool {
    let mut all = true;
    for_each_memory(message, |storage| {
        let choice = || by_backend(storage.backend_type(), peer, backends);
        all &= storage.host_bytes().is_some() || matches!(choice(), Choice::Descriptor);
    });
    all
}

fn in_memory_of_a_backend<M: Message>(message: &M) -> bool {
    let mut found = false;
    for_each_memory(message, |_| found = true);
    found
}

/// Calls `visit` with the storage of each buffer that is one in ROS too and lies in memory of a backend: only such a one can
/// be described. (A bounded `uint8[<=n]` cannot be told from it here; it is bytes as well.)
fn for_each_memory<M: Message>(message: &M, mut visit: impl FnMut(&dyn Storage)) {
    message.for_each_buffer(&mut |_, buffer| {
        if let Some(storage) = buffer.storage()
            && storage.backend_type() != CPU
            && buffer.as_any().is::<Buffer<u8>>()
        {
            visit(storage.as_ref());
        }
    });
}
