//! A client: asks a service, as `rmw_zenoh_cpp` does, by a Zenoh query on the service's key.
//!
//! In: a request. Out: the response, or an error that says why there is none. The query goes to complete queryables only,
//! its replies unconsolidated; beside its payload stand 33 bytes: the client's own count, the time, its GID. Which reply
//! belongs to which request is the query's business, so any number of calls may be under way. Of several servers with one
//! name the first answer counts. Other than in C++, a call ends when nobody can answer it any more.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use rosidl_buffer_runtime::{Service, cdr};
use zenoh::{
    Wait as _,
    handlers::CallbackDrop,
    key_expr::KeyExpr,
    query::{ConsolidationMode, Querier, QueryTarget, Reply},
};

use crate::{
    error::{Error, Result},
    graph::OwnToken,
    info::now,
    introspection::{CallEvent, Introspection, Said},
    key::{Attachment, Entity, EntityKind, Gid},
    node::{EndpointName, Node},
    qos::QosProfile,
    reply::{Call, Pending, Slot},
    session::on_plain_thread,
};

/// How long [`Client::call_async`] waits at most: as long as queries last in ROS's sessions. Zenoh keeps a task for each query
/// until the longest time that it may take is over, answered or not, so that is not for ever.
const ASYNC_LIMIT: Duration = Duration::from_secs(600);

impl Node {
    /// A client of the service `name`. [`QosProfile::services_default`] is ROS's choice of `qos`.
    ///
    /// # Errors
    /// When the name breaks ROS's rules, or the session is gone.
    pub fn create_client<S: Service>(&self, name: &str, qos: QosProfile) -> Result<Client<S>> {
        Client::new(self, name, qos)
    }
}

/// A client of a service; made by [`Node::create_client`].
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
/// use std::time::Duration;
/// use rosidl_buffer_zenoh::{Node, QosProfile};
///
/// let node = Node::new("asker")?;
/// let client = node.create_client::<AddTwoInts>("add", QosProfile::services_default())?;
/// client.wait_for_service(Duration::from_secs(1));
/// let response = client.call(&Request { a: 1, b: 2 }, Duration::from_secs(1))?;
/// assert_eq!(response.sum, 3);
/// # Ok::<(), rosidl_buffer_zenoh::Error>(())
/// ```
pub struct Client<S: Service> {
    // In the order in which they go.
    _token: OwnToken,
    /// Sends nothing: it knows whether there is a queryable.
    querier: Querier<'static>,
    pub(crate) introspection: Arc<Introspection<S>>,
    key: KeyExpr<'static>,
    name: EndpointName,
    qos: QosProfile,
    sequence_number: AtomicI64,
    node: Node,
}

impl<S: Service> Client<S> {
    fn new(node: &Node, name: &str, qos: QosProfile) -> Result<Self> {
        let name = node.service_endpoint::<S>(name, qos, Entity::Client)?;
        let failed = |cause| name.declare_error("the client", cause);
        let key = KeyExpr::try_from(name.key.to_string()).map_err(failed)?;
        let querier = node
            .context()
            .zenoh_session()
            .declare_querier(key.clone())
            .target(QueryTarget::AllComplete)
            .wait()
            .map_err(failed)?;
        Ok(Self {
            _token: name.declare_token(node.context())?,
            querier,
            introspection: Arc::new(Introspection::new(node, &name.key.topic)),
            key,
            name,
            qos,
            sequence_number: AtomicI64::new(0),
            node: node.clone(),
        })
    }

    /// Sends a request and waits for the response, but not longer than `timeout`. Blocks the calling thread, also in a
    /// callback, where it must not be the callback of the service that is asked.
    ///
    /// # Errors
    /// [`Error::NoServer`] at once when there is none; [`Error::CallTimeout`]; [`Error::NoAnswer`] and [`Error::ServerError`]
    /// when the server does not answer, the second with its reason; [`Error::Response`] when the answer cannot be decoded;
    /// also when the request cannot be encoded or sent.
    pub fn call(&self, request: &S::Request, timeout: Duration) -> Result<S::Response> {
        self.call_async_timeout(request, timeout).wait()
    }

    /// Sends a request now; the response comes as a future for any executor, which does not need the client any more.
    /// Dropping it gives the response up. It waits ten minutes at most. The errors are those of [`Client::call`].
    pub fn call_async(&self, request: &S::Request) -> Call<S> {
        self.call_async_timeout(request, ASYNC_LIMIT)
    }

    /// As [`call_async`](Self::call_async), but waits for `timeout` at most. Until that is over the call costs a few
    /// hundred bytes, also when it was answered: with many calls, let it not be much longer than they take.
    pub fn call_async_timeout(&self, request: &S::Request, timeout: Duration) -> Call<S> {
        Call::new(self.query(request, timeout))
    }

    fn query(&self, request: &S::Request, limit: Duration) -> Result<Pending<S>> {
        let payload = cdr::encode(request).map_err(|source| Error::Encode {
            topic: self.name.key.topic.clone(),
            source,
        })?;
        let attachment = Attachment {
            sequence_number: self.sequence_number.fetch_add(1, Ordering::Relaxed) + 1,
            source_timestamp: now(),
            gid: self.name.gid,
        };
        let slot = Arc::new(Slot::new(Instant::now().checked_add(limit)));
        let (answered, ended) = (Arc::clone(&slot), Arc::clone(&slot));
        let callback = CallbackDrop {
            callback: move |reply: Reply| answered.put(reply),
            drop: move || ended.end(),
        };
        self.node
            .context()
            .zenoh_session()
            .get(&self.key)
            .target(QueryTarget::AllComplete)
            .consolidation(ConsolidationMode::None)
            .timeout(limit)
            .payload(payload)
            .attachment(attachment.to_bytes())
            .with(callback)
            .wait()
            .map_err(|cause| Error::Call {
                service: self.name.key.topic.clone(),
                cause,
            })?;
        let said = Said::Request(request);
        self.introspection
            .tell(CallEvent::RequestSent, &attachment, &said);
        Ok(Pending {
            slot,
            request: attachment,
            introspection: Arc::downgrade(&self.introspection),
            key: self.name.key.clone(),
            limit,
            context: self.node.context().clone(),
        })
    }

    /// Whether there is a server that a request sent next will reach.
    pub fn service_is_ready(&self) -> bool {
        self.server_count() > 0 && on_plain_thread(|| self.is_matched())
    }

    /// Waits until there is a server that a request sent next will reach.
    ///
    /// Returns whether there is one before `timeout` is over. Blocks the calling thread.
    pub fn wait_for_service(&self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        let graph = self.node.context().graph();
        if !graph.wait_for(EntityKind::Service, &self.name.key, timeout) {
            return false;
        }
        // Its token is here; the route to it may be a moment behind.
        self.node
            .context()
            .wait_until(deadline, || self.is_matched())
    }

    fn is_matched(&self) -> bool {
        let status = self.querier.matching_status().wait();
        status.is_ok_and(|status| status.matching())
    }

    /// How many servers there are with this name, type and type hash.
    pub fn server_count(&self) -> usize {
        let graph = self.node.context().graph();
        graph.count(EntityKind::Service, &self.name.key)
    }

    /// The full name of the service.
    pub fn service_name(&self) -> &str {
        &self.name.key.topic
    }

    /// The node that made this client.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The quality of service as asked for.
    pub fn qos(&self) -> QosProfile {
        self.qos
    }

    /// The identifier that comes with each request.
    pub fn gid(&self) -> Gid {
        self.name.gid
    }
}

impl<S: Service> std::fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("key", &self.name.key.to_string())
            .field("gid", &self.name.gid)
            .finish_non_exhaustive()
    }
}
