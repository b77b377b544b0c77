//! A service: a queryable on the service's key, as `rmw_zenoh_cpp` declares it.
//!
//! In: requests of clients, each a query with its payload and 33 bytes beside it. Out: one reply for each. The queryable is
//! `complete`, because clients ask complete ones only; key and liveliness token carry the hash of the service, not those
//! of its two messages. Buffers travel as bytes, never as descriptors. Two ways to answer: a callback on a thread of its
//! own, or requests that are taken and answered whenever it suits. No callback of the user's runs on Zenoh's threads.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rosidl_buffer_runtime::Service as ServiceType;
use zenoh::{Wait as _, handlers::CallbackDrop, key_expr::KeyExpr, query::Query, query::Queryable};

use crate::{
    error::{Error, Result},
    graph::OwnToken,
    introspection::Introspection,
    key::{Entity, Gid},
    node::{EndpointName, Node},
    qos::QosProfile,
    queue::Wait,
    requests::{RequestInbox, RequestInfo, ServiceRequest, ServiceStats},
    wait_set::{Source, Waitable},
    wakers::wait_in,
    worker::Jobs,
};

impl Node {
    /// A service that answers each request with what `callback` returns, on a thread of its own and one request at a time.
    /// [`QosProfile::services_default`] is ROS's choice of `qos`; its depth is how many requests wait at most.
    ///
    /// The callback may call other services, but it waits in vain for its own. A callback that panics is an error of that
    /// one call.
    ///
    /// # Errors
    /// When the name breaks ROS's rules, the session is gone, or the thread cannot be started.
    pub fn create_service<S: ServiceType>(
        &self,
        name: &str,
        qos: QosProfile,
        callback: impl FnMut(S::Request, RequestInfo) -> S::Response + Send + 'static,
    ) -> Result<Service<S>> {
        Service::answering(self.create_polled_service(name, qos)?, callback)
    }

    /// A service whose requests are taken with `recv` and its kin and answered at any time, several at once if need be.
    ///
    /// # Errors
    /// When the name breaks ROS's rules, or the session is gone.
    pub fn create_polled_service<S: ServiceType>(
        &self,
        name: &str,
        qos: QosProfile,
    ) -> Result<PolledService<S>> {
        PolledService::new(self, name, qos, |_| {})
    }
}

/// A service whose requests are taken one by one; made by [`Node::create_polled_service`].
///
/// ```no_run
/// # use rosidl_buffer_runtime::{BufferMessage, Service};
/// # #[derive(Clone, BufferMessage)]
/// # #[ros2(package = "example_interfaces", name = "AddTwoInts_Request", kind = "srv")]
/// # struct Request { a: i64, b: i64 }
/// # #[derive(Clone, BufferMessage)]
/// # #[ros2(package = "example_interfaces", name = "AddTwoInts_Response", kind = "srv")]
/// # struct Response { sum: i64 }
/// # #[derive(Service)]
/// # #[ros2(package = "example_interfaces", request = Request, response = Response)]
/// # struct AddTwoInts;
/// use rosidl_buffer_zenoh::{Node, QosProfile};
///
/// let node = Node::new("adder")?;
/// let service = node.create_polled_service::<AddTwoInts>("add", QosProfile::services_default())?;
/// loop {
///     let asked = service.recv()?;
///     // Here, on another thread, or later.
///     asked.responder.respond(&Response { sum: asked.request.a + asked.request.b })?;
/// }
/// # #[allow(unreachable_code)]
/// # Ok::<(), rosidl_buffer_zenoh::Error>(())
/// ```
pub struct PolledService<S: ServiceType> {
    // In the order in which they go.
    _token: OwnToken,
    _queryable: Queryable<()>,
    inbox: Arc<RequestInbox<S>>,
    pub(crate) introspection: Arc<Introspection<S>>,
    name: EndpointName,
    qos: QosProfile,
    node: Node,
}

impl<S: ServiceType> PolledService<S> {
    /// `arrived` is called after each request, on Zenoh's thread.
    fn new(
        node: &Node,
        name: &str,
        qos: QosProfile,
        arrived: impl Fn(&Arc<RequestInbox<S>>) + Send + Sync + 'static,
    ) -> Result<Self> {
        let name = node.service_endpoint::<S>(name, qos, Entity::Service)?;
        let failed = |cause| name.declare_error("the service", cause);
        let key = KeyExpr::try_from(name.key.to_string()).map_err(failed)?;
        let topic = &name.key.topic;
        let introspection = Arc::new(Introspection::new(node, topic));
        let inbox = RequestInbox::new(topic, key.clone(), qos.depth(), &introspection);
        let inbox = Arc::new(inbox);
        let (pushed, ended) = (Arc::clone(&inbox), Arc::clone(&inbox));
        let queryable = node
            .context()
            .zenoh_session()
            .declare_queryable(key)
            .complete(true)
            .with(CallbackDrop {
                callback: move |query: Query| {
                    pushed.push(query);
                    arrived(&pushed);
                },
                drop: move || ended.close(),
            })
            .wait()
            .map_err(failed)?;
        Ok(Self {
            _token: name.declare_token(node.context())?,
            _queryable: queryable,
            inbox,
            introspection,
            name,
            qos,
            node: node.clone(),
        })
    }

    /// Waits for the next request. Queries that are no requests are refused, counted, logged and passed over.
    ///
    /// # Errors
    /// [`Error::ServiceClosed`] when the session under it is closed.
    pub fn recv(&self) -> Result<ServiceRequest<S>> {
        loop {
            if let Some(request) = self.inbox.take(Wait::Forever)? {
                return Ok(request);
            }
        }
    }

    /// Waits for the next request, but not longer than `timeout`; `None` when nothing came.
    ///
    /// # Errors
    /// As for [`PolledService::recv`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Option<ServiceRequest<S>>> {
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.inbox.take(Wait::Until(deadline)),
            None => self.recv().map(Some),
        }
    }

    /// The next request, if there is one already.
    ///
    /// # Errors
    /// As for [`PolledService::recv`].
    pub fn try_recv(&self) -> Result<Option<ServiceRequest<S>>> {
        self.inbox.take(Wait::No)
    }

    /// The next request, as a future for any executor. Dropping it loses nothing.
    ///
    /// # Errors
    /// As for [`PolledService::recv`].
    pub async fn recv_async(&self) -> Result<ServiceRequest<S>> {
        let inbox = &*self.inbox;
        wait_in(inbox, |waiter, context| inbox.poll_take(waiter, context)).await
    }

    /// What was counted since the service was created.
    pub fn stats(&self) -> ServiceStats {
        self.inbox.stats()
    }

    /// The full name of the service.
    pub fn service_name(&self) -> &str {
        &self.name.key.topic
    }

    /// The node that made this service.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The quality of service as asked for.
    pub fn qos(&self) -> QosProfile {
        self.qos
    }

    /// The identifier under which other nodes know this service.
    pub fn gid(&self) -> Gid {
        self.name.gid
    }
}

impl<S: ServiceType> Drop for PolledService<S> {
    fn drop(&mut self) {
        self.inbox.stop();
    }
}

impl<S: ServiceType> Waitable for PolledService<S> {
    fn source(&self) -> Source {
        Source::new(&self.inbox)
    }
}

impl<S: ServiceType> std::fmt::Debug for PolledService<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolledService")
            .field("key", &self.name.key.to_string())
            .field("gid", &self.name.gid)
            .finish_non_exhaustive()
    }
}

/// A service that answers by a callback; made by [`Node::create_service`]. The calls end when it is dropped.
///
/// ```no_run
/// # use rosidl_buffer_runtime::{BufferMessage, Service};
/// # #[derive(Clone, BufferMessage)]
/// # #[ros2(package = "example_interfaces", name = "AddTwoInts_Request", kind = "srv")]
/// # struct Request { a: i64, b: i64 }
/// # #[derive(Clone, BufferMessage)]
/// # #[ros2(package = "example_interfaces", name = "AddTwoInts_Response", kind = "srv")]
/// # struct Response { sum: i64 }
/// # #[derive(Service)]
/// # #[ros2(package = "example_interfaces", request = Request, response = Response)]
/// # struct AddTwoInts;
/// use rosidl_buffer_zenoh::{Node, QosProfile};
///
/// let node = Node::new("adder")?;
/// let _service = node.create_service::<AddTwoInts>(
///     "add",
///     QosProfile::services_default(),
///     |request, _info| Response { sum: request.a + request.b },
/// )?;
/// std::thread::park();
/// # Ok::<(), rosidl_buffer_zenoh::Error>(())
/// ```
#[derive(Debug)]
pub struct Service<S: ServiceType> {
    pub(crate) service: PolledService<S>,
    thread: Option<JoinHandle<()>>,
}

impl<S: ServiceType> Service<S> {
    fn answering(
        service: PolledService<S>,
        mut callback: impl FnMut(S::Request, RequestInfo) -> S::Response + Send + 'static,
    ) -> Result<Self> {
        Self::new(service, move |inbox, request| {
            inbox.answer(request, &mut callback);
        })
    }

    /// `handler` answers by itself and may go on after the answer; the next request waits for it.
    pub(crate) fn new(
        service: PolledService<S>,
        mut handler: impl FnMut(&RequestInbox<S>, ServiceRequest<S>) + Send + 'static,
    ) -> Result<Self> {
        let inbox = Arc::clone(&service.inbox);
        let work = move || {
            loop {
                match inbox.take(Wait::Forever) {
                    Ok(Some(request)) => handler(&inbox, request),
                    Ok(None) => {}
                    Err(_) => return,
                }
            }
        };
        let thread = std::thread::Builder::new().name("ros_service".to_owned());
        let thread = thread.spawn(work).map_err(|source| Error::Thread {
            topic: service.service_name().to_owned(),
            source,
        })?;
        Ok(Self {
            service,
            thread: Some(thread),
        })
    }

    /// What was counted since the service was created.
    pub fn stats(&self) -> ServiceStats {
        self.service.stats()
    }

    /// The full name of the service.
    pub fn service_name(&self) -> &str {
        self.service.service_name()
    }

    /// The node that made this service.
    pub fn node(&self) -> &Node {
        self.service.node()
    }

    /// The quality of service as asked for.
    pub fn qos(&self) -> QosProfile {
        self.service.qos()
    }

    /// The identifier under which other nodes know this service.
    pub fn gid(&self) -> Gid {
        self.service.gid()
    }
}

impl<S: ServiceType> Drop for Service<S> {
    fn drop(&mut self) {
        self.service.inbox.stop();
        if let Some(thread) = self.thread.take()
            // Dropped by its own callback: the thread ends by itself after this call.
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the service {} panicked", self.service_name());
        }
    }
}

/// A service that a node has by itself: answered on the context's one thread for such work.
pub(crate) struct BuiltinService<S: ServiceType> {
    #[expect(dead_code, reason = "held to be dropped")]
    service: PolledService<S>,
}

type Handler<S> = dyn FnMut(&RequestInbox<S>, ServiceRequest<S>) + Send;

impl<S: ServiceType> BuiltinService<S> {
    /// `handler` answers at once: other services of the context wait for it.
    pub(crate) fn new(
        node: &Node,
        name: &str,
        qos: QosProfile,
        mut handler: impl FnMut(S::Request, RequestInfo) -> S::Response + Send + 'static,
    ) -> Result<Self> {
        let jobs = node.context().jobs();
        Self::start(node, name, qos, jobs, move |inbox, request| {
            inbox.answer(request, &mut handler);
        })
    }

    /// `handler` calls functions of the user's: other such services of the context wait for it.
    pub(crate) fn with_callbacks(
        node: &Node,
        name: &str,
        qos: QosProfile,
        mut handler: impl FnMut(S::Request, RequestInfo) -> S::Response + Send + 'static,
    ) -> Result<Self> {
        let jobs = node.context().callback_jobs();
        Self::start(node, name, qos, jobs, move |inbox, request| {
            inbox.answer(request, &mut handler);
        })
    }

    /// `handler` answers when it likes, but returns at once.
    pub(crate) fn deferred(
        node: &Node,
        name: &str,
        qos: QosProfile,
        mut handler: impl FnMut(ServiceRequest<S>) + Send + 'static,
    ) -> Result<Self> {
        let jobs = node.context().jobs();
        Self::start(node, name, qos, jobs, move |_, request| handler(request))
    }

    fn start(
        node: &Node,
        name: &str,
        qos: QosProfile,
        jobs: &Jobs,
        handler: impl FnMut(&RequestInbox<S>, ServiceRequest<S>) + Send + 'static,
    ) -> Result<Self> {
        let handler: Arc<Mutex<Handler<S>>> = Arc::new(Mutex::new(handler));
        let jobs = jobs.clone();
        let due = Arc::new(AtomicBool::new(false));
        let service = PolledService::new(&node.bare(), name, qos, move |inbox| {
            schedule(&jobs, inbox, &handler, &due);
        })?;
        Ok(Self { service })
    }
}

/// Has the next request answered when it is dropped, also by a panic.
struct Next<S: ServiceType> {
    jobs: Jobs,
    inbox: Arc<RequestInbox<S>>,
    handler: Arc<Mutex<Handler<S>>>,
    due: Arc<AtomicBool>,
}

impl<S: ServiceType> Drop for Next<S> {
    fn drop(&mut self) {
        schedule(&self.jobs, &self.inbox, &self.handler, &self.due);
    }
}

/// Has one request answered, and then the next: however many wait, one piece of work stands for them.
fn schedule<S: ServiceType>(
    jobs: &Jobs,
    inbox: &Arc<RequestInbox<S>>,
    handler: &Arc<Mutex<Handler<S>>>,
    due: &Arc<AtomicBool>,
) {
    if due.swap(true, Ordering::AcqRel) {
        return;
    }
    let (jobs_again, inbox) = (jobs.clone(), Arc::clone(inbox));
    let (handler, due) = (Arc::clone(handler), Arc::clone(due));
    jobs.run(move || {
        due.store(false, Ordering::Release);
        if let Ok(Some(request)) = inbox.take(Wait::No) {
            let next = Next {
                jobs: jobs_again,
                inbox,
                handler,
                due,
            };
            let mut answer = next.handler.lock().unwrap_or_else(PoisonError::into_inner);
            answer(&next.inbox, request);
        }
    });
}
