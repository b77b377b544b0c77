//! Service introspection: what happens to the calls of a client or service, told on a topic, as `rcl` tells it.
//!
//! In: a request or response on its way. Out: a message of the type `<service>_Event` on `<service>/_service_event`, with the call's
//! number and its client, and with what is said if that is wanted. The publisher is there only while it is wanted. That an event
//! cannot be published never fails a call.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use rosidl_buffer_interfaces::builtin_interfaces::msg::Time;
use rosidl_buffer_runtime::{
    BoundedSequence, Service as ServiceType, ServiceEventInfoMessage, TimeMessage, service::Event,
};

use crate::{
    client::Client,
    error::Result,
    key::Attachment,
    node::Node,
    options::PublisherOptions,
    publisher::Publisher,
    qos::QosProfile,
    service::{PolledService, Service},
};

/// What is told of the calls of a client or service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ServiceIntrospection {
    /// Nothing.
    #[default]
    Off,
    /// That they are there: client, number, time.
    Metadata,
    /// Also what is asked and answered.
    Contents,
}

/// What happened to a call; the codes of `service_msgs/msg/ServiceEventInfo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum CallEvent {
    RequestSent = 0,
    RequestReceived = 1,
    ResponseSent = 2,
    ResponseReceived = 3,
}

/// What is said in a call.
pub(crate) enum Said<'a, S: ServiceType> {
    Request(&'a S::Request),
    Response(&'a S::Response),
}

/// Tells of the calls of one client or service.
pub(crate) struct Introspection<S: ServiceType> {
    /// The full name of the service.
    service: String,
    node: Node,
    active: Mutex<Option<Arc<Active<S>>>>,
    said: AtomicBool,
}

struct Active<S: ServiceType> {
    publisher: Publisher<Event<S>>,
    with_contents: bool,
}

impl<S: ServiceType> Introspection<S> {
    /// Tells nothing at first.
    pub(crate) fn new(node: &Node, service: &str) -> Self {
        Self {
            service: service.to_owned(),
            node: node.clone(),
            active: Mutex::default(),
            said: AtomicBool::new(false),
        }
    }

    pub(crate) fn configure(&self, what: ServiceIntrospection, qos: QosProfile) -> Result<()> {
        let options = PublisherOptions::from(qos);
        let topic = format!("{}/_service_event", self.service);
        let active = match what {
            ServiceIntrospection::Off => None,
            ServiceIntrospection::Metadata | ServiceIntrospection::Contents => Some(Active {
                publisher: Publisher::new(&self.node, &topic, &options)?,
                with_contents: what == ServiceIntrospection::Contents,
            }),
        };
        let before = std::mem::replace(&mut *self.active(), active.map(Arc::new));
        drop(before);
        Ok(())
    }

    /// Tells of a call, known by what came beside its request.
    pub(crate) fn tell(&self, event: CallEvent, call: &Attachment, said: &Said<'_, S>) {
        let Some(active) = self.active().clone() else {
            return;
        };
        let published = active
            .event(event, call, said)
            .map_err(|error| error.to_string())
            .and_then(|event| {
                let published = active.publisher.publish(&event);
                published.map_err(|error| error.to_string())
            });
        if let Err(why) = published
            && !self.said.swap(true, Ordering::Relaxed)
        {
            let service = &self.service;
            tracing::warn!("{service}: a call was not told of: {why} (said once)");
        }
    }

    fn active(&self) -> MutexGuard<'_, Option<Arc<Active<S>>>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: ServiceType> Active<S> {
    fn event(
        &self,
        event: CallEvent,
        call: &Attachment,
        said: &Said<'_, S>,
    ) -> std::result::Result<Event<S>, Box<dyn std::error::Error>> {
        let now: Time = self.publisher.node().clock().now().to_message()?;
        let stamp =
            <S::EventInfo as ServiceEventInfoMessage>::Time::from_parts(now.sec, now.nanosec);
        let info = S::EventInfo::from_parts(event as u8, stamp, call.gid.0, call.sequence_number);
        let (mut request, mut response) = (BoundedSequence::new(), BoundedSequence::new());
        match said {
            _ if !self.with_contents => {}
            Said::Request(asked) => request.push((*asked).clone())?,
            Said::Response(answered) => response.push((*answered).clone())?,
        }
        Ok(Event {
            info,
            request,
            response,
        })
    }
}

impl<S: ServiceType> Client<S> {
    /// Tells of each call from now on on `<service>/_service_event`, as a message of the type `<service>_Event`: when its request
    /// was sent, and when its response was taken. The clock is the node's. Whoever knows the topic knows what is asked, with
    /// [`ServiceIntrospection::Contents`].
    ///
    /// ```no_run
    /// # use rosidl_buffer_interfaces::rcl_interfaces::srv::ListParameters;
    /// use rosidl_buffer_zenoh::{Node, QosProfile, ServiceIntrospection};
    ///
    /// let node = Node::new("asker")?;
    /// let client = node.create_client::<ListParameters>("/camera/list_parameters", QosProfile::services_default())?;
    /// client.configure_introspection(ServiceIntrospection::Contents, QosProfile::default())?;
    /// # Ok::<(), rosidl_buffer_zenoh::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the topic cannot be announced; what was told before, goes on.
    pub fn configure_introspection(
        &self,
        what: ServiceIntrospection,
        qos: QosProfile,
    ) -> Result<()> {
        self.introspection.configure(what, qos)
    }
}

impl<S: ServiceType> PolledService<S> {
    /// As [`Client::configure_introspection`], of the requests that are taken and the responses that are sent. A response that is sent
    /// when the service is gone is not told of.
    ///
    /// # Errors
    /// As for [`Client::configure_introspection`].
    pub fn configure_introspection(
        &self,
        what: ServiceIntrospection,
        qos: QosProfile,
    ) -> Result<()> {
        self.introspection.configure(what, qos)
    }
}

impl<S: ServiceType> Service<S> {
    /// As [`PolledService::configure_introspection`].
    ///
    /// # Errors
    /// As for [`Client::configure_introspection`].
    pub fn configure_introspection(
        &self,
        what: ServiceIntrospection,
        qos: QosProfile,
    ) -> Result<()> {
        self.service.configure_introspection(what, qos)
    }
}
