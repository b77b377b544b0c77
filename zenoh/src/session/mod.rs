//! The Zenoh session that nodes of one process share, opened and closed so that no async runtime minds.
//!
//! By default sessions of one machine and ROS domain find each other by themselves, a ROS router on
//! `tcp/localhost:7447` is joined when there is one, and nothing listens beyond the loopback interface.

mod backends;
mod config;
mod range;
mod rendezvous;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rosidl_buffer_runtime::BackendRegistry;
use zenoh::{
    Session, Wait as _,
    config::WhatAmI,
    internal::{
        ResolveFuture,
        runtime::{Runtime, RuntimeBuilder},
    },
};

pub use self::range::DiscoveryRange;
use self::{
    config::Base,
    range::{Asked, Discovery},
    rendezvous::Rendezvous,
};
use crate::{
    arguments::Arguments,
    error::{Error, Result},
    graph::GraphCache,
    local::Local,
    node::Node,
    node_builder::NodeBuilder,
    worker::{Jobs, Worker},
};

/// How often Zenoh is asked whether it knows an endpoint whose token is there already.
const MATCHING_PERIOD: Duration = Duration::from_millis(2);

/// One Zenoh session in one ROS domain, shared by the nodes that are made from it.
///
/// Cloning gives another handle to the same session; it closes with the last handle, node, publisher or
/// subscription.
///
/// ```no_run
/// use rosidl_buffer_zenoh::Context;
///
/// let context = Context::new()?;
/// let camera = context.create_node("camera")?;
/// let viewer = context.create_node("viewer")?;
/// # Ok::<(), rosidl_buffer_zenoh::Error>(())
/// ```
#[derive(Clone)]
pub struct Context {
    inner: Arc<ContextInner>,
}

struct ContextInner {
    domain: u32,
    next_id: AtomicU64,
    backends: BackendRegistry,
    arguments: Arguments,
    local: Local,
    graph: GraphCache,
    worker: Worker,
    callbacks: Worker,
    // Last: the graph's subscriber goes before its session.
    open: OpenSession,
}

impl Context {
    /// Opens a session as the environment says: `ROS_DOMAIN_ID`, `ZENOH_SESSION_CONFIG_URI`, `ZENOH_CONFIG_OVERRIDE`.
    ///
    /// # Errors
    /// When one of the variables cannot be used, or the session does not open.
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// As [`Context::new`], with the ROS arguments of this process's command line too, as launch files give them. A program
    /// whose own arguments are of interest reads them with [`Arguments::from_env`] and [`ContextBuilder::arguments`].
    ///
    /// # Errors
    /// As for [`Context::new`]; also when a ROS argument cannot be used.
    pub fn default_from_env() -> Result<Self> {
        Self::builder().arguments(Arguments::from_env()?).build()
    }

    /// A context with settings of its own.
    pub fn builder() -> ContextBuilder {
        ContextBuilder::default()
    }

    /// The ROS domain.
    pub fn domain_id(&self) -> u32 {
        self.inner.domain
    }

    /// The memories, besides the host's own, that publishers and subscriptions of this context hand over.
    pub fn backends(&self) -> &BackendRegistry {
        &self.inner.backends
    }

    /// A node in the root namespace.
    ///
    /// # Errors
    /// When the name breaks ROS's rules or the node cannot be announced.
    pub fn create_node(&self, name: &str) -> Result<Node> {
        self.node_builder(name).build()
    }

    /// A node of this context with settings of its own.
    pub fn node_builder(&self, name: &str) -> NodeBuilder {
        Node::builder(name).context(self)
    }

    /// The Zenoh session underneath, for what this crate does not offer.
    ///
    /// A Zenoh subscriber on it does not see messages that all subscriptions of this context get as they are; one on another session
    /// sees them, and so does this one when the publisher is told
    /// [not to give them so](crate::PublisherOptions::use_intra_process).
    ///
    /// Zenoh calls a callback on this session inside the `publish` that it hears, where the publisher is locked: it must not
    /// publish on that publisher again, which would wait for itself for ever.
    pub fn zenoh_session(&self) -> &Session {
        self.inner.open.session()
    }

    /// The ROS arguments that all nodes of this context follow.
    pub fn arguments(&self) -> &Arguments {
        &self.inner.arguments
    }

    pub(crate) fn enclave(&self) -> &str {
        self.inner.arguments.enclave.as_deref().unwrap_or("/")
    }

    pub(crate) fn graph(&self) -> &GraphCache {
        &self.inner.graph
    }

    /// Where work of the built-in services is done.
    pub(crate) fn jobs(&self) -> &Jobs {
        &self.inner.worker.jobs
    }

    /// Where the work of those built-in services is done that call functions of the user's.
    pub(crate) fn callback_jobs(&self) -> &Jobs {
        &self.inner.callbacks.jobs
    }

    pub(crate) fn local(&self) -> &Local {
        &self.inner.local
    }

    /// A number that no other entity of this session has.
    pub(crate) fn next_entity_id(&self) -> u64 {
        self.inner.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits until `is_matched`, which asks Zenoh, says so; `false` when the time is over or the session closed before.
    pub(crate) fn wait_until(
        &self,
        deadline: Option<Instant>,
        is_matched: impl Fn() -> bool + Send,
    ) -> bool {
        on_plain_thread(move || {
            while !is_matched() {
                let is_late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
                if is_late || self.zenoh_session().is_closed() {
                    return false;
                }
                std::thread::sleep(MATCHING_PERIOD);
            }
            true
        })
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("domain_id", &self.inner.domain)
            .field("zenoh_id", &self.zenoh_session().zid().to_string())
            .finish_non_exhaustive()
    }
}

/// Settings of a [`Context`] before it opens.
///
/// ```no_run
/// use rosidl_buffer_zenoh::Context;
///
/// // Reachable from other machines, because it is asked for.
/// let context = Context::builder()
///     .domain_id(7)
///     .zenoh_setting("listen/endpoints", r#"["tcp/0.0.0.0:7448"]"#)
///     .build()?;
/// # Ok::<(), rosidl_buffer_zenoh::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ContextBuilder {
    domain: Option<u32>,
    base: Base,
    settings: Vec<(String, String)>,
    local_discovery: Option<bool>,
    discovery: Asked,
    backends: Option<BackendRegistry>,
    arguments: Arguments,
    #[cfg(feature = "cuda")]
    cuda: bool,
}

impl ContextBuilder {
    /// The ROS domain, instead of `ROS_DOMAIN_ID`.
    #[must_use]
    pub fn domain_id(mut self, domain: u32) -> Self {
        self.domain = Some(domain);
        self
    }

    /// A Zenoh configuration file (`.json5`, `.json` or `.yaml`), instead of `ZENOH_SESSION_CONFIG_URI`. It replaces
    /// the defaults as a whole.
    #[must_use]
    pub fn zenoh_config_file(mut self, path: impl Into<String>) -> Self {
        self.base = Base::File(path.into());
        self
    }

    /// A whole Zenoh configuration, instead of the defaults and of any file.
    #[must_use]
    pub fn zenoh_config(mut self, config: zenoh::Config) -> Self {
        self.base = Base::Given(Box::new(config));
        self
    }

    /// One Zenoh setting, its value in JSON5; applied after `ZENOH_CONFIG_OVERRIDE`.
    #[must_use]
    pub fn zenoh_setting(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((key.into(), value.into()));
        self
    }

    /// Whether sessions of this machine and domain find each other without a router. By default they do, unless a
    /// configuration file or a whole configuration is given.
    #[must_use]
    pub fn local_discovery(mut self, on: bool) -> Self {
        self.local_discovery = Some(on);
        self
    }

    /// How far to look for others, instead of `ROS_AUTOMATIC_DISCOVERY_RANGE`. Beside a Zenoh configuration file or a whole
    /// configuration it means nothing.
    #[must_use]
    pub fn discovery_range(mut self, range: DiscoveryRange) -> Self {
        self.discovery.range = Some(range);
        self
    }

    /// Whom to connect to besides, instead of `ROS_STATIC_PEERS`: names or addresses, with port 7447 (a ROS router's) where
    /// none is given, or Zenoh endpoints.
    #[must_use]
    pub fn static_peers(mut self, peers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.discovery.peers = Some(peers.into_iter().map(Into::into).collect());
        self
    }

    /// The memories, besides the host's own, in which buffers are handed over, instead of the default: shared memory
    /// (`shm`) where the system has it. With an empty registry all buffers travel as bytes.
    #[must_use]
    pub fn backends(mut self, backends: BackendRegistry) -> Self {
        self.backends = Some(backends);
        self
    }

    /// The ROS arguments that the nodes follow, instead of none.
    #[must_use]
    pub fn arguments(mut self, arguments: Arguments) -> Self {
        self.arguments = arguments;
        self
    }

    /// Hands over memory of the GPU too, as `cuda_rs`, where the machine has one: the memory of
    /// [`CudaBackend::shared`](rosidl_buffer_runtime::cuda::CudaBackend::shared), which is opened here if it is not yet. Where
    /// there is no driver or no device the context is what it would be without this, and says so at level `debug`.
    ///
    /// It has to be asked for because it is not free: a tenth of a second, and some hundred megabytes on the device for each
    /// process. Publishers of the context hand over GPU buffers from then on; a subscription takes them if its
    /// [`acceptable_buffer_backends`](crate::SubscriptionOptions::acceptable_buffer_backends) say so. All others on the
    /// host get the frame in shared host memory, copied there once, and the rest of the world gets bytes.
    ///
    /// For other devices than the first, or limits of your own, register a
    /// [`CudaBackend`](rosidl_buffer_runtime::cuda::CudaBackend) with [`backends`](Self::backends) instead.
    ///
    /// ```no_run
    /// # use rosidl_buffer_runtime::{Buffer, BufferMessage};
    /// use rosidl_buffer_runtime::cuda::CudaBackend;
    /// use rosidl_buffer_zenoh::{Context, QosProfile, SubscriptionOptions};
    ///
    /// # #[derive(Debug, Clone, PartialEq, BufferMessage)]
    /// # #[ros2(package = "demo_msgs")]
    /// # struct Frame {
    /// #     data: Buffer<u8>,
    /// # }
    /// let node = Context::builder().cuda().build()?.create_node("viewer")?;
    /// let any = SubscriptionOptions::from(QosProfile::sensor_data()).acceptable_buffer_backends("any");
    /// let frame = node.create_subscription::<Frame>("frames", any)?.recv()?.message;
    /// if frame.data.backend_type() == "cuda_rs" {
    ///     let cuda = CudaBackend::shared()?;
    ///     let stream = cuda.new_stream()?;
    ///     let read = cuda.from_input_buffer(&frame.data, &stream)?;
    ///     // … launch kernels on `stream` that read `read.len()` bytes at `read.address()` …
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "cuda")]
    #[must_use]
    pub fn cuda(mut self) -> Self {
        self.cuda = true;
        self
    }

    /// Opens the session. It does not wait for a router.
    ///
    /// # Errors
    /// When the configuration cannot be used, or the session does not open.
    pub fn build(self) -> Result<Context> {
        let domain = self
            .domain
            .map_or_else(config::domain_from_environment, Ok)?;
        let discovery = Discovery::new(self.discovery)?;
        let wanted = self.local_discovery != Some(false) && discovery.range != DiscoveryRange::Off;
        let by_name = wanted && rendezvous::is_available();
        let multicast = wanted && !by_name;
        let loaded = config::load(self.base, &self.settings, multicast, &discovery)?;
        let by_name = by_name && (loaded.is_default || self.local_discovery == Some(true));
        let open = OpenSession::open(loaded.config, by_name.then_some(domain))?;
        let graph = GraphCache::watch(open.session(), domain)?;
        let backends = self.backends.unwrap_or_else(backends::of_the_host);
        #[cfg(feature = "cuda")]
        let backends = if self.cuda {
            backends::with_cuda(backends)
        } else {
            backends
        };
        let inner = ContextInner {
            domain,
            next_id: AtomicU64::new(0),
            backends,
            arguments: self.arguments,
            local: Local::default(),
            graph,
            worker: Worker::default(),
            callbacks: Worker::default(),
            open,
        };
        Ok(Context {
            inner: Arc::new(inner),
        })
    }
}

/// A session with the runtime that it was made from.
struct OpenSession {
    // Both are there until `drop` takes them.
    session: Option<Session>,
    runtime: Option<Runtime>,
    rendezvous: Option<Rendezvous>,
}

impl OpenSession {
    /// The same steps as `zenoh::open`, keeping the runtime, through which peers are connected.
    fn open(config: zenoh::Config, domain: Option<u32>) -> Result<Self> {
        let start = async move {
            let mut runtime = RuntimeBuilder::new(config).build().await?;
            let session = zenoh::session::init(runtime.clone().into()).await?;
            runtime.start().await?;
            Ok((session, runtime))
        };
        let opened: zenoh::Result<_> = on_plain_thread(|| ResolveFuture::new(start).wait());
        let (session, runtime) = opened.map_err(|cause| Error::Open { cause })?;
        let mut open = Self {
            session: Some(session),
            runtime: Some(runtime.clone()),
            rendezvous: None,
        };
        if let Some(domain) = domain.filter(|_| runtime.whatami() == WhatAmI::Peer) {
            let found = Rendezvous::start(&runtime, domain);
            open.rendezvous = Some(found.map_err(|error| Error::Open {
                cause: Box::new(error),
            })?);
        }
        Ok(open)
    }

    #[expect(clippy::expect_used, reason = "only `drop` takes the session")]
    fn session(&self) -> &Session {
        self.session
            .as_ref()
            .expect("the session is there until drop")
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        drop(self.rendezvous.take());
        let (session, runtime) = (self.session.take(), self.runtime.take());
        on_plain_thread(move || {
            drop(session);
            if let Some(runtime) = runtime
                && let Err(error) = runtime.close().wait()
            {
                tracing::warn!("the Zenoh session did not close cleanly: {error}");
            }
        });
    }
}

/// Runs `work` on a thread without an async runtime: Zenoh blocks while it opens and closes, which panics
/// inside a single-threaded tokio runtime.
pub(crate) fn on_plain_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
