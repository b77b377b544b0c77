//! One message as it is handed to Zenoh: serialised once for all that take bytes, and once more for each subscription that
//! takes a descriptor; and who takes device memory as it is, so that they need not wait for copies that others need.
//!
//! In: a message and the routes. Out: parcels, each with the key that it goes to, and why there are bytes among them where
//! there might have been descriptors. Nothing is sent here.

use rosidl_buffer_runtime::{AnyBuffer, Buffer, EncodeError, Message, Peer, Storage};

use crate::{
    key::Attachment,
    lane::Reader,
    local::Inlet,
    options::CPU,
    routes::{Router, Routes},
    sender::{Addressed, BaseSender, Bytes, CpuSender, Encoded, PeerSender},
    stats::Fallback,
};

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
    /// Whether somebody gets a descriptor, or had one.
    described: bool,
}

impl<'a> Made<'a> {
    fn add<M: Message>(&mut self, peer: &'a PeerSender, message: &M, router: &'a Router<M>) {
        match choose(message, peer.peer(), router) {
            Choice::HostMemory => {}
            Choice::Bytes(reason) => self.fallbacks.push(reason),
            Choice::Descriptor => match peer.describe(message, router.backends()) {
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

    /// Calls `visit` with the backend of each descriptor.
    pub(crate) fn for_each_backend(&self, visit: impl FnMut(&str)) {
        if let Self::Addressed(addressed) = self {
            addressed.backends().for_each(visit);
        }
    }

    /// Hands it to Zenoh; calls `not_left` with the backend of each descriptor if that refuses it.
    pub(crate) fn put(
        self,
        attachment: &Attachment,
        not_left: impl FnMut(&str),
    ) -> zenoh::Result<()> {
        match self {
            Self::Base(sender, bytes) => sender.put(bytes, attachment),
            Self::Cpu(sender, bytes) => sender.put(bytes, attachment),
            Self::Peer(sender, bytes) => sender.put(bytes, attachment),
            Self::Addressed(addressed) => addressed.put(attachment, not_left),
        }
    }
}

impl<M: Message> Routes<M> {
    /// Who takes all memory of `message` that the host cannot read as it is, so that nothing is copied for them, with the
    /// descriptors for those who are not in the context. Nobody, if there is no such memory, or none that anybody could be handed.
    ///
    /// Whoever turns out not to be able to is not among them; what fails is found again when the message is encoded for all others.
    pub(crate) fn direct<'a>(
        &'a self,
        router: &'a Router<M>,
        message: &M,
    ) -> (Vec<Reader>, Vec<Parcel<'a>>) {
        if !M::HAS_ROS_BUFFERS || !in_device_memory(message) {
            return Default::default();
        }
        let here = self.inlets_but(&[]).filter(|inlet| {
            // Two copies of one message have to follow each other closely.
            !self.comes_again() && inlet.takes(message)
        });
        let mut direct: Vec<_> = here.map(Inlet::reader).collect();
        let mut parcels = Vec::new();
        for peer in self.peers() {
            if takes_devices(message, peer.peer(), router)
                && let Some(addressed) = peer.describe_uncopied(message, router.backends())
            {
                direct.push(peer.reader());
                parcels.push(Parcel::Addressed(addressed));
            }
        }
        (direct, parcels)
    }

    /// Whether there is anybody but those who had it.
    pub(crate) fn has_others(&self, router: &Router<M>, had: &[Reader]) -> bool {
        if self.inlets_but(had).next().is_some() {
            return true;
        }
        let is_cpu = self.channels().is_some_and(|all| all.cpu.is_some());
        self.base_sender(router).is_some()
            && (!on_channels(had)
                || is_cpu
                || self.peers().any(|peer| !had.contains(&peer.reader())))
    }

    /// Serialises `message` for everybody but those who had it.
    ///
    /// Bytes alone go to the base key, once, for all; the channels carry a message only if somebody gets a descriptor. One
    /// message takes the one way and the next the other, and still they arrive in order: all keys of a publisher have the
    /// same reliability and priority, so the same conduit of a link, and at the other end one thread reads it.
    pub(crate) fn encode<'a>(
        &'a self,
        router: &'a Router<M>,
        message: &M,
        had: &[Reader],
    ) -> Outgoing<'a> {
        let Some(base) = self.base_sender(router) else {
            return Outgoing::default(); // all who are there get the message itself
        };
        let mut made = Made {
            described: on_channels(had),
            ..Made::default()
        };
        for peer in self.peers().filter(|peer| !had.contains(&peer.reader())) {
            made.add(peer, message, router);
        }
        let Made {
            mut out,
            mut fallbacks,
            bytes,
            plain,
            described,
        } = made;
        let cpu = self.channels().and_then(|all| all.cpu.as_deref());
        let shared = match (self.channels(), cpu) {
            (None, _) => self.base_because(),
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

/// Why `peer` does not get memory of the backend `name` as a descriptor; `None` if it does.
pub(crate) fn reason_for_bytes<M>(name: &str, peer: &Peer, router: &Router<M>) -> Option<Fallback> {
    let backends = router.backends();
    match peer.metadata(name) {
        _ if !backends.contains(name) => Some(router.not_there()),
        None => Some(Fallback::NotAccepted),
        Some(metadata) if !backends.is_ready(name, metadata) => Some(Fallback::NotReady),
        Some(_) => None,
    }
}

fn choose<M: Message>(message: &M, peer: &Peer, router: &Router<M>) -> Choice {
    let by_backend = |name: &str| match reason_for_bytes(name, peer, router) {
        Some(reason) => Choice::Bytes(reason),
        None => Choice::Descriptor,
    };
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

/// Whether some of them had it by a channel of their own.
fn on_channels(had: &[Reader]) -> bool {
    had.iter().any(|reader| matches!(reader, Reader::There(_)))
}

/// Calls `visit` with each buffer that the host cannot read in place.
fn for_each_device<M: Message>(message: &M, mut visit: impl FnMut(&dyn AnyBuffer, &dyn Storage)) {
    message.for_each_buffer(&mut |_, buffer| {
        if let Some(storage) = buffer.storage()
            && storage.host_bytes().is_none()
        {
            visit(buffer, storage.as_ref());
        }
    });
}

fn in_device_memory<M: Message>(message: &M) -> bool {
    let mut found = false;
    for_each_device(message, |_, _| found = true);
    found
}

/// Whether a subscription takes all device memory of a message as it is, so that nothing is copied to the host for it.
fn takes_devices<M: Message>(message: &M, peer: &Peer, router: &Router<M>) -> bool {
    let mut all = true;
    for_each_device(message, |buffer, storage| {
        let because = || reason_for_bytes(storage.backend_type(), peer, router);
        all &= is_describable(buffer) && because().is_none();
    });
    all
}

/// Whether it is a buffer in ROS too. (A bounded `uint8[<=n]` cannot be told from it here; it is bytes as well.)
fn is_describable(buffer: &dyn AnyBuffer) -> bool {
    buffer.as_any().is::<Buffer<u8>>()
}

fn in_memory_of_a_backend<M: Message>(message: &M) -> bool {
    let mut found = false;
    for_each_memory(message, |_| found = true);
    found
}

/// Calls `visit` with the storage of each buffer that can be described and lies in memory of a backend.
fn for_each_memory<M: Message>(message: &M, mut visit: impl FnMut(&dyn Storage)) {
    message.for_each_buffer(&mut |_, buffer| {
        if let Some(storage) = buffer.storage()
            && storage.backend_type() != CPU
            && is_describable(buffer)
        {
            visit(storage.as_ref());
        }
    });
}
