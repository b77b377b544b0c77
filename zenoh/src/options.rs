//! What a subscription is asked for: quality of service, and the memories that it takes buffers in.
//!
//! In: ROS's text form of `acceptable_buffer_backends`. Out: the backends of the registry that it stands for,
//! or an error that names the unknown one. Bytes are always acceptable, whatever the text says.

use rosidl_buffer_runtime::BackendRegistry;

use crate::{
    error::{Error, Result},
    key::Backend,
    qos::QosProfile,
};

/// The name of host memory, which every subscription takes.
pub(crate) const CPU: &str = "cpu";
/// Stands for every backend of the context.
const ANY: &str = "any";

/// Settings of a subscription. A [`QosProfile`] alone is enough where these are asked for.
///
/// ```no_run
/// # use rosidl_buffer_runtime::{Buffer, BufferMessage};
/// use rosidl_buffer_zenoh::{Node, QosProfile, SubscriptionOptions};
///
/// #[derive(Debug, Clone, PartialEq, BufferMessage)]
/// #[ros2(package = "demo_msgs")]
/// struct Frame {
///     data: Buffer<u8>,
/// }
///
/// let node = Node::new("viewer")?;
/// let bytes_only = SubscriptionOptions::from(QosProfile::sensor_data()).acceptable_buffer_backends("cpu");
/// let frames = node.create_subscription::<Frame>("frames", bytes_only)?;
/// # Ok::<(), rosidl_buffer_zenoh::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct SubscriptionOptions {
    qos: QosProfile,
    acceptable: Option<String>,
}

impl SubscriptionOptions {
    /// The memories in which buffers may arrive, in ROS's form: `"cpu"` or nothing for bytes only, `"any"` for every
    /// backend of the context, else names with commas between them, such as `"shm,cuda"`. Bytes are always accepted
    /// too: they come from publishers that do not have the memory or cannot reach this process with it.
    ///
    /// Left unsaid, it is every backend whose memory the host reads in place, such as `shm`: a program that uses
    /// [`Buffer::as_slice`](rosidl_buffer_runtime::Buffer::as_slice) sees no difference but speed. Device memory has to
    /// be asked for. (In ROS, unsaid means `"cpu"`.)
    ///
    /// As in ROS, this means nothing where buffers never travel as anything but bytes: for types without `uint8[]`, and with
    /// `transient_local`.
    ///
    /// A C++ publisher of buffers in CUDA memory sends descriptors also to subscriptions that cannot reach that memory, and
    /// those get nothing. With such publishers on the topic, ask for `"cpu"`.
    pub fn acceptable_buffer_backends(mut self, names: &str) -> Self {
        self.acceptable = Some(names.to_owned());
        self
    }

    /// The quality of service.
    pub(crate) fn qos(&self) -> QosProfile {
        self.qos
    }

    /// The backends that are meant, `cpu` left out.
    pub(crate) fn accepted(&self, registry: &BackendRegistry, topic: &str) -> Result<Vec<String>> {
        let known = || registry.names().map(str::to_owned);
        let Some(text) = &self.acceptable else {
            return Ok(known()
                .filter(|name| registry.is_host_readable(name))
                .collect());
        };
        let mut accepted = Vec::new();
        let asked = || {
            text.split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty())
        };
        // As in ROS: beside it, other names are not looked at.
        if asked().any(|name| name == ANY) {
            return Ok(known().collect());
        }
        for name in asked().filter(|name| *name != CPU) {
            if !registry.contains(name) {
                return Err(Error::UnknownBackend {
                    topic: topic.to_owned(),
                    asked: text.clone(),
                    name: name.to_owned(),
                    known: known().collect::<Vec<_>>().join(", "),
                });
            }
            if !accepted.iter().any(|accepted| accepted == name) {
                accepted.push(name.to_owned());
            }
        }
        Ok(accepted)
    }
}

impl From<QosProfile> for SubscriptionOptions {
    fn from(qos: QosProfile) -> Self {
        Self {
            qos,
            acceptable: None,
        }
    }
}

/// What a publisher's token names: every backend of the context, and `cpu`.
pub(crate) fn all_backends(registry: &BackendRegistry) -> Vec<Backend> {
    let backend = |(name, metadata)| Backend { name, metadata };
    let cpu = backend((CPU.to_owned(), String::new()));
    let others = registry.endpoint_backends().into_iter().map(backend);
    std::iter::once(cpu).chain(others).collect()
}

/// What a subscription's token names: what it accepts, or `cpu` alone.
pub(crate) fn named_backends(registry: &BackendRegistry, accepted: &[String]) -> Vec<Backend> {
    let mut backends = all_backends(registry);
    backends.retain(|backend| match accepted {
        [] => backend.name == CPU,
        names => names.contains(&backend.name),
    });
    backends
}
