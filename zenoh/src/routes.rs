//! The way of one publisher's messages: the plan with the Zenoh publishers that it needs, and the subscriptions of the same
//! context, made anew when the graph changes.
//!
//! In: the graph and the context's subscriptions. Out: the keys that a message goes to, and who gets it without Zenoh. Without a
//! descriptor it goes to the base key, once. Nothing is encoded here.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use rosidl_buffer_runtime::{BackendRegistry, Message};
use zenoh::sample::Locality;

use crate::{
    error::Result,
    key::Gid,
    lane::Reader,
    local::{Here, Inlet},
    node::{EndpointName, Node},
    options::PublisherOptions,
    parcel::reason_for_bytes,
    qos::QosProfile,
    routing::{MAX_CHANNELS, Plan},
    sender::{BaseSender, CpuSender, PeerSender},
    stats::Fallback,
};

/// Where messages go, kept up to date.
pub(crate) struct Router<M> {
    base: BaseSender,
    /// The backends that are used, and whether that is fewer than the context has.
    backends: BackendRegistry,
    is_restricted: bool,
    /// Whether subscriptions of the context get the message itself.
    intra_process: bool,
    current: Mutex<(Option<Version>, Arc<Routes<M>>)>,
    /// The version for which the base key is all there is, as [`stamp`] makes it, so that each message need not lock; 0 for none.
    only_base: AtomicU64,
    said_no_channel: AtomicBool,
    said_too_many: AtomicBool,
}

/// Of the graph, and of the context's subscriptions.
type Version = (u64, u64);

/// One number for a version. Both parts only grow, so no other version has it.
fn stamp((graph, local): Version) -> u64 {
    graph.wrapping_add(local).wrapping_add(1)
}

fn version(node: &Node) -> Version {
    let context = node.context();
    (context.graph().version(), context.local().version())
}

/// Where messages go as long as the graph stays the same.
pub(crate) struct Routes<M> {
    /// Those that get the message itself.
    inlets: Vec<Arc<Inlet<M>>>,
    /// The names of those.
    served: Vec<Gid>,
    /// How the base key is written to when no subscription of this context has to be reached that way.
    elsewhere: Option<Elsewhere>,
    /// There are channels only when every subscription reads one. All subscriptions read the base key.
    channels: Option<Channels>,
    /// Why there are none, if somebody might have taken a descriptor otherwise.
    base_because: Option<Fallback>,
}

struct Elsewhere {
    sender: Arc<BaseSender>,
    /// Whether there is a subscription with a token, or may be.
    is_known: bool,
}

pub(crate) struct Channels {
    pub(crate) cpu: Option<Arc<CpuSender>>,
    pub(crate) peers: Vec<Arc<PeerSender>>,
}

impl<M> Router<M> {
    /// The backends that are used.
    pub(crate) fn backends(&self) -> &BackendRegistry {
        &self.backends
    }

    /// Whether one of the context's was chosen, or none.
    pub(crate) fn is_restricted(&self) -> bool {
        self.is_restricted
    }

    /// Why a backend that is not among them is not used.
    pub(crate) fn not_there(&self) -> Fallback {
        if self.is_restricted {
            Fallback::NotChosen
        } else {
            Fallback::NotRegistered
        }
    }

    fn say_once(said: &AtomicBool, what: &str) {
        if !said.swap(true, Ordering::Relaxed) {
            tracing::warn!("{what} (said once)");
        }
    }

    fn current(&self) -> MutexGuard<'_, (Option<Version>, Arc<Routes<M>>)> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Message> Router<M> {
    pub(crate) fn new(
        base: BaseSender,
        backends: BackendRegistry,
        options: &PublisherOptions,
    ) -> Self {
        let late_joiners = options.qos().is_transient_local();
        let because = late_joiners.then_some(Fallback::TransientLocal);
        Self {
            base,
            backends,
            is_restricted: options.wanted().is_some(),
            intra_process: options.uses_intra_process() && !late_joiners,
            current: Mutex::new((None, Arc::new(Routes::base(because)))),
            only_base: AtomicU64::new(0),
            said_no_channel: AtomicBool::new(false),
            said_too_many: AtomicBool::new(false),
        }
    }

    /// The routes of this moment.
    pub(crate) fn routes(
        &self,
        node: &Node,
        name: &EndpointName,
        qos: &QosProfile,
    ) -> Arc<Routes<M>> {
        let version = version(node);
        let old = {
            let current = self.current();
            let never_changes = !name.knows_buffers && !self.intra_process;
            if never_changes || current.0 == Some(version) {
                self.note(version, &current.1);
                return Arc::clone(&current.1);
            }
            Arc::clone(&current.1)
        };
        // The lock is not held: Zenoh is called. Two threads may do the same at once, which is harmless.
        let here = if self.intra_process {
            node.context().local().subscriptions(&name.key)
        } else {
            Here::nobody()
        };
        let routes = Arc::new(self.follow(&old, here, node, name, qos));
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
        if current
            .0
            .is_none_or(|old| old.0 <= version.0 && old.1 <= version.1)
        {
            *current = (Some(version), Arc::clone(&routes));
        }
        self.note(version, &routes);
        routes
    }

    /// A version that has passed by now is harmless: it never comes again.
    fn note(&self, version: Version, routes: &Routes<M>) {
        if !M::HAS_ROS_BUFFERS && routes.inlets.is_empty() && routes.channels.is_none() {
            self.only_base.store(stamp(version), Ordering::Release);
        }
    }

    /// The base key, if every message goes there at this moment, as bytes, and nowhere else. `None` as well until
    /// [`routes`](Self::routes) has looked at what is there.
    pub(crate) fn only_base(&self, node: &Node) -> Option<&BaseSender> {
        // First, so that what is read of the version then is not older than what was noted.
        let noted = self.only_base.load(Ordering::Acquire);
        (noted == stamp(version(node))).then_some(&self.base)
    }

    /// The routes for what is there now; Zenoh publishers that are there already are used again.
    fn follow(
        &self,
        old: &Routes<M>,
        here: Here<M>,
        node: &Node,
        name: &EndpointName,
        qos: &QosProfile,
    ) -> Routes<M> {
        let graph = node.context().graph();
        let (plan, is_known) = graph.readers(&name.key, |readers| {
            let Some(readers) = readers else {
                return (Plan::new(None), true);
            };
            let mut readers = readers
                .filter(|reader| !here.served.contains(&reader.gid))
                .peekable();
            let is_known = readers.peek().is_some();
            (Plan::new(Some(&mut readers)), is_known)
        });
        let plan = if name.knows_buffers {
            plan
        } else {
            Plan::Base { because: None }
        };
        // A subscription of this context that does not get the message itself is reached over Zenoh, as all others are.
        let all_served = !here.inlets.is_empty() && !here.others;
        let to = if all_served {
            Locality::Remote
        } else {
            Locality::Any
        };
        let mut routes = Routes {
            inlets: here.inlets,
            served: here.served,
            ..Routes::base(None)
        };
        let senders = || {
            let elsewhere = match &old.elsewhere {
                _ if !all_served => None,
                Some(there) => Some(Arc::clone(&there.sender)),
                None => Some(Arc::new(BaseSender::declare_elsewhere(node, name, qos)?)),
            };
            let sender = |sender| Elsewhere { sender, is_known };
            Ok((
                elsewhere.map(sender),
                old.plan_channels(plan, node, name, qos, to)?,
            ))
        };
        match senders() {
            Ok((elsewhere, Ok(channels))) => {
                routes.elsewhere = elsewhere;
                routes.channels = Some(channels);
            }
            Ok((elsewhere, Err(because))) => {
                routes.elsewhere = elsewhere;
                routes.base_because = because;
            }
            Err(error) => {
                let error: crate::Error = error;
                Self::say_once(&self.said_no_channel, &error.to_string());
                routes.base_because = Some(Fallback::NoChannel);
            }
        }
        routes
    }
}

impl<M> Routes<M> {
    fn base(because: Option<Fallback>) -> Self {
        Self {
            inlets: Vec::new(),
            served: Vec::new(),
            elsewhere: None,
            channels: None,
            base_because: because,
        }
    }

    /// The channels of `plan`, or why there are none.
    fn plan_channels(
        &self,
        plan: Plan,
        node: &Node,
        name: &EndpointName,
        qos: &QosProfile,
        to: Locality,
    ) -> Result<std::result::Result<Channels, Option<Fallback>>> {
        let (cpu, peers) = match plan {
            Plan::Base { because } => return Ok(Err(because)),
            Plan::Channels { cpu, peers } => (cpu, peers),
        };
        let old = self.channels.as_ref();
        let there = old.and_then(|old| old.cpu.as_ref());
        let cpu = match there.filter(|there| there.reaches() == to) {
            _ if !cpu => None,
            Some(there) => Some(Arc::clone(there)),
            None => Some(Arc::new(CpuSender::declare(node, name, qos, to)?)),
        };
        let mut senders = Vec::with_capacity(peers.len());
        for (gid, peer) in peers {
            let there = old.and_then(|old| old.peers.iter().find(|sender| sender.gid() == gid));
            senders.push(match there {
                Some(there) => Arc::clone(there),
                None => Arc::new(PeerSender::declare(node, name, qos, (gid, peer))?),
            });
        }
        Ok(Ok(Channels {
            cpu,
            peers: senders,
        }))
    }

    /// The subscriptions that get the message itself, but for those who had it.
    pub(crate) fn inlets_but<'a>(
        &'a self,
        had: &'a [Reader],
    ) -> impl Iterator<Item = &'a Arc<Inlet<M>>> {
        let inlets = self.inlets.iter();
        inlets.filter(|inlet| !had.contains(&inlet.reader()))
    }

    /// The subscriptions that have a channel of their own.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &Arc<PeerSender>> {
        let channels = self.channels.iter();
        channels.flat_map(|channels| &channels.peers)
    }

    /// Whether what goes to Zenoh may come to those again who get the message itself.
    pub(crate) fn comes_again(&self) -> bool {
        self.elsewhere.is_none()
    }

    /// Whether the subscription with this name gets the message itself.
    pub(crate) fn serves(&self, gid: Gid) -> bool {
        self.served.contains(&gid)
    }

    pub(crate) fn channels(&self) -> Option<&Channels> {
        self.channels.as_ref()
    }

    /// Why there are no channels, if somebody might have taken a descriptor otherwise.
    pub(crate) fn base_because(&self) -> Option<Fallback> {
        self.base_because
    }

    /// How the base key is written to; `None` when nobody reads it who does not get the message itself.
    pub(crate) fn base_sender<'a>(&'a self, router: &'a Router<M>) -> Option<&'a BaseSender> {
        match &self.elsewhere {
            None => Some(&router.base),
            Some(elsewhere) => {
                (elsewhere.is_known || elsewhere.sender.is_matched()).then_some(&*elsewhere.sender)
            }
        }
    }

    /// Whether Zenoh knows somebody whom a message would reach, whichever way it takes.
    pub(crate) fn is_matched(&self, router: &Router<M>) -> bool {
        let on_a_channel = |channels: &Channels| {
            channels.cpu.as_ref().is_some_and(|cpu| cpu.is_matched())
                || channels.peers.iter().any(|peer| peer.is_matched())
        };
        !self.inlets.is_empty()
            || router.base.is_matched() && self.channels.as_ref().is_none_or(on_a_channel)
    }

    /// Whether somebody takes descriptors of memory of `backend`.
    pub(crate) fn is_taken(&self, backend: &str, router: &Router<M>) -> bool {
        self.peers()
            .any(|peer| reason_for_bytes(backend, peer.peer(), router).is_none())
    }

    /// Whether a buffer in memory of `backend` would reach somebody as a descriptor.
    pub(crate) fn is_ready(&self, backend: &str, backends: &BackendRegistry) -> bool {
        self.peers().any(|peer| {
            let metadata = peer.peer().metadata(backend);
            metadata.is_some_and(|metadata| backends.is_ready(backend, metadata))
                && peer.is_matched()
        })
    }
}
