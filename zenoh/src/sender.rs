//! The keys of one publisher, and what may be put on which.
//!
//! [`Bytes`] are a whole message, made without any backend, and go anywhere. What describes memory is made by the
//! channel of one subscription and can be put on that channel only: no path leads from a descriptor to the base key.

use std::time::Duration;

use rosidl_buffer_runtime::{
    BackendRegistry, EncodeError, Message, Peer,
    cdr::{self, Described},
};
use zenoh::{Wait as _, bytes::ZBytes, sample::Locality};
use zenoh_ext::{
    AdvancedPublisher, AdvancedPublisherBuilderExt as _, CacheConfig, MissDetectionConfig,
};

use crate::{
    error::Result,
    key::{Attachment, Channel, Gid},
    lane::Reader,
    node::{EndpointName, Node},
    qos::{QosProfile, Reliability},
    session::on_plain_thread,
};

/// How often a reliable, transient-local publisher tells its last sequence number, when it changed.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// A message without descriptors; cloning shares the bytes.
#[derive(Clone)]
pub(crate) struct Bytes(ZBytes);

impl Bytes {
    pub(crate) fn encode<M: Message>(message: &M) -> Result<Self, EncodeError> {
        cdr::encode(message).map(|bytes| Self(ZBytes::from(bytes)))
    }
}

/// The topic's own key. Volatile publishers need nothing of an advanced one, and look the same to everybody else.
pub(crate) enum BaseSender {
    Plain(zenoh::pubsub::Publisher<'static>),
    /// `None` only while it is dropped.
    Advanced(Option<Box<AdvancedPublisher<'static>>>),
}

impl BaseSender {
    pub(crate) fn declare(node: &Node, name: &EndpointName, qos: &QosProfile) -> Result<Self> {
        let builder = node
            .context()
            .zenoh_session()
            .declare_publisher(name.on(Channel::Base))
            .reliability(qos.zenoh_reliability())
            .congestion_control(qos.zenoh_congestion_control());
        let failed = |cause| name.declare_error("the publisher", cause);
        if !qos.is_transient_local() {
            return Ok(Self::Plain(builder.wait().map_err(failed)?));
        }
        let cache = CacheConfig::default().max_samples(qos.depth().unwrap_or(usize::MAX));
        let mut builder = builder.advanced().cache(cache).publisher_detection();
        if qos.reliability == Reliability::Reliable {
            let detection = MissDetectionConfig::default().sporadic_heartbeat(HEARTBEAT);
            builder = builder.sample_miss_detection(detection);
        }
        Ok(Self::Advanced(Some(Box::new(
            builder.wait().map_err(failed)?,
        ))))
    }

    /// Of a volatile publisher, for subscriptions of other sessions only.
    pub(crate) fn declare_elsewhere(
        node: &Node,
        name: &EndpointName,
        qos: &QosProfile,
    ) -> Result<Self> {
        declare_channel(node, name, qos, Channel::Base, Locality::Remote).map(Self::Plain)
    }

    pub(crate) fn put(&self, Bytes(payload): Bytes, attachment: &Attachment) -> zenoh::Result<()> {
        match self {
            Self::Plain(publisher) => put(publisher, payload, attachment),
            Self::Advanced(Some(publisher)) => {
                let attachment = attachment.to_bytes();
                publisher.put(payload).attachment(attachment).wait()
            }
            Self::Advanced(None) => Ok(()),
        }
    }

    pub(crate) fn is_matched(&self) -> bool {
        match self {
            Self::Plain(publisher) => is_matched(publisher),
            Self::Advanced(Some(publisher)) => {
                let status = publisher.matching_status().wait();
                status.is_ok_and(|status| status.matching())
            }
            Self::Advanced(None) => false,
        }
    }
}

impl Drop for BaseSender {
    fn drop(&mut self) {
        if let Self::Advanced(publisher) = self {
            let publisher = publisher.take();
            on_plain_thread(move || drop(publisher));
        }
    }
}

/// The channel of all subscriptions that know about buffers and want bytes.
pub(crate) struct CpuSender {
    publisher: zenoh::pubsub::Publisher<'static>,
    to: Locality,
}

impl CpuSender {
    pub(crate) fn declare(
        node: &Node,
        name: &EndpointName,
        qos: &QosProfile,
        to: Locality,
    ) -> Result<Self> {
        let publisher = declare_channel(node, name, qos, Channel::Cpu, to)?;
        Ok(Self { publisher, to })
    }

    /// Whose subscriptions it reaches.
    pub(crate) fn reaches(&self) -> Locality {
        self.to
    }

    pub(crate) fn put(&self, Bytes(payload): Bytes, attachment: &Attachment) -> zenoh::Result<()> {
        put(&self.publisher, payload, attachment)
    }

    pub(crate) fn is_matched(&self) -> bool {
        is_matched(&self.publisher)
    }
}

/// The channel of one subscription that accepts other memories than the host's.
pub(crate) struct PeerSender {
    gid: Gid,
    peer: Peer,
    publisher: zenoh::pubsub::Publisher<'static>,
}

impl PeerSender {
    pub(crate) fn declare(
        node: &Node,
        name: &EndpointName,
        qos: &QosProfile,
        (gid, peer): (Gid, Peer),
    ) -> Result<Self> {
        let publisher = declare_channel(node, name, qos, Channel::Buffer(gid), Locality::Any)?;
        Ok(Self {
            gid,
            peer,
            publisher,
        })
    }

    /// The subscription. The memories that it accepts follow from it, as the GID is a hash of all that it says.
    pub(crate) fn gid(&self) -> Gid {
        self.gid
    }

    /// The subscription, as a publisher's lane knows it.
    pub(crate) fn reader(&self) -> Reader {
        Reader::There(self.gid)
    }

    /// The memories that it accepts.
    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Encodes for this subscription: what it can take where it is goes as a descriptor.
    pub(crate) fn describe<'a, M: Message>(
        &'a self,
        message: &M,
        backends: &'a BackendRegistry,
    ) -> Result<Encoded<'a>, EncodeError> {
        let mut payload = Vec::new();
        let described = cdr::encode_for(message, backends, &self.peer, &mut payload)?;
        Ok(if described.count() == 0 {
            Encoded::Bytes(Bytes(payload.into()))
        } else {
            Encoded::Addressed(self.address(payload, described))
        })
    }

    /// As [`describe`](Self::describe), but only if nothing has to be copied to the host for it.
    pub(crate) fn describe_uncopied<'a, M: Message>(
        &'a self,
        message: &M,
        backends: &'a BackendRegistry,
    ) -> Option<Box<Addressed<'a>>> {
        let mut payload = Vec::new();
        let described = cdr::encode_uncopied_for(message, backends, &self.peer, &mut payload);
        Some(self.address(payload, described.ok()?))
    }

    fn address<'a>(&'a self, payload: Vec<u8>, described: Described<'a>) -> Box<Addressed<'a>> {
        Box::new(Addressed {
            to: self,
            payload: payload.into(),
            described,
        })
    }

    pub(crate) fn put(&self, Bytes(payload): Bytes, attachment: &Attachment) -> zenoh::Result<()> {
        put(&self.publisher, payload, attachment)
    }

    pub(crate) fn is_matched(&self) -> bool {
        is_matched(&self.publisher)
    }
}

/// What a message became for one subscription.
pub(crate) enum Encoded<'a> {
    /// Bytes, for everybody: no memory was described after all.
    Bytes(Bytes),
    /// With a descriptor.
    Addressed(Box<Addressed<'a>>),
}

/// A message with descriptors for one subscription. Dropped without being put, it takes them back.
pub(crate) struct Addressed<'a> {
    to: &'a PeerSender,
    payload: ZBytes,
    described: Described<'a>,
}

impl Addressed<'_> {
    /// The backend of each descriptor.
    pub(crate) fn backends(&self) -> impl Iterator<Item = &str> {
        self.described.backends()
    }

    /// Hands it to Zenoh; calls `not_left` with the backend of each descriptor if that refuses it.
    pub(crate) fn put(
        self,
        attachment: &Attachment,
        not_left: impl FnMut(&str),
    ) -> zenoh::Result<()> {
        if let Err(cause) = put(&self.to.publisher, self.payload, attachment) {
            self.described.backends().for_each(not_left);
            return Err(cause);
        }
        self.described.sent();
        Ok(())
    }
}

fn declare_channel(
    node: &Node,
    name: &EndpointName,
    qos: &QosProfile,
    channel: Channel,
    to: Locality,
) -> Result<zenoh::pubsub::Publisher<'static>> {
    node.context()
        .zenoh_session()
        .declare_publisher(name.on(channel))
        .reliability(qos.zenoh_reliability())
        .congestion_control(qos.zenoh_congestion_control())
        .allowed_destination(to)
        .wait()
        .map_err(|cause| name.declare_error("a channel of the publisher", cause))
}

fn put(
    publisher: &zenoh::pubsub::Publisher<'static>,
    payload: ZBytes,
    attachment: &Attachment,
) -> zenoh::Result<()> {
    let attachment = attachment.to_bytes();
    publisher.put(payload).attachment(attachment).wait()
}

fn is_matched(publisher: &zenoh::pubsub::Publisher<'static>) -> bool {
    let status = publisher.matching_status().wait();
    status.is_ok_and(|status| status.matching())
}
