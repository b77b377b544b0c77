//! What publishers and subscriptions are asked for: quality of service, and the memories that buffers go or come in.
//!
//! In: ROS's text form of `acceptable_buffer_backends`, or the one name that a publisher is to use. Out: the backends of the
//! registry that it stands for, or an error that names the unknown one. Bytes always go, whatever the text says.

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
/// Stands for what is left unsaid by a publisher.
const AUTO: &str = "auto";

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
    intra_process: IntraProcess,
}

/// Whether messages go to subscriptions of the same context as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct IntraProcess(bool);

impl Default for IntraProcess {
    fn default() -> Self {
        Self(true)
    }
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
    /// those lose what comes before they have seen it and ask for bytes. With such publishers on the topic, ask for `"cpu"`.
    pub fn acceptable_buffer_backends(mut self, names: &str) -> Self {
        self.acceptable = Some(names.to_owned());
        self
    }

    /// Whether messages of publishers in the same [`Context`](crate::Context) come as they are, without Zenoh and without being encoded;
    /// they do unless `false` is said here or by the publisher. Buffers are shared with the publisher then, as clones
    /// share them; such in memory that is not acceptable come copied to the host's.
    ///
    /// Messages of publishers with `transient_local`, and of publishers of another Rust type with the same ROS type, come over
    /// Zenoh in any case.
    pub fn use_intra_process(mut self, on: bool) -> Self {
        self.intra_process = IntraProcess(on);
        self
    }

    /// The quality of service.
    pub(crate) fn qos(&self) -> QosProfile {
        self.qos
    }

    pub(crate) fn uses_intra_process(&self) -> bool {
        self.intra_process.0
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
            ..Self::default()
        }
    }
}

/// Settings of a publisher. A [`QosProfile`] alone is enough where these are asked for.
///
/// ```no_run
/// # use rosidl_buffer_runtime::{Buffer, BufferMessage};
/// use rosidl_buffer_zenoh::{Node, PublisherOptions, QosProfile};
///
/// #[derive(Debug, Clone, PartialEq, BufferMessage)]
/// #[ros2(package = "demo_msgs")]
/// struct Frame {
///     data: Buffer<u8>,
/// }
///
/// let node = Node::new("camera")?;
/// let bytes_only = PublisherOptions::from(QosProfile::sensor_data()).buffer_backend("cpu");
/// let frames = node.create_publisher::<Frame>("frames", bytes_only)?;
/// # Ok::<(), rosidl_buffer_zenoh::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct PublisherOptions {
    qos: QosProfile,
    backend: Option<String>,
    intra_process: IntraProcess,
}

impl PublisherOptions {
    /// The memory in which buffers are handed to other processes, and in which
    /// [`LoanedMessage`](crate::LoanedMessage)s lie: `"auto"`, which is what is left unsaid, for whatever each subscription takes;
    /// `"cpu"` for bytes only; or the name of one backend of the context, such as `"shm"`.
    ///
    /// A buffer in memory of another backend is bytes then. (ROS has no such option: its publishers are `"auto"`.) As for
    /// [`SubscriptionOptions::acceptable_buffer_backends`], this means nothing where buffers never travel as anything but
    /// bytes.
    pub fn buffer_backend(mut self, name: &str) -> Self {
        self.backend = Some(name.trim().to_owned());
        self
    }

    /// As [`SubscriptionOptions::use_intra_process`]; both have to want it.
    pub fn use_intra_process(mut self, on: bool) -> Self {
        self.intra_process = IntraProcess(on);
        self
    }

    /// The quality of service.
    pub(crate) fn qos(&self) -> QosProfile {
        self.qos
    }

    pub(crate) fn uses_intra_process(&self) -> bool {
        self.intra_process.0
    }

    /// The one backend that is wanted; `None` for `auto`.
    pub(crate) fn wanted(&self) -> Option<&str> {
        self.backend.as_deref().filter(|name| *name != AUTO)
    }

    /// The backends of the registry that are used.
    pub(crate) fn chosen(
        &self,
        registry: &BackendRegistry,
        topic: &str,
    ) -> Result<BackendRegistry> {
        let Some(wanted) = self.wanted() else {
            return Ok(registry.clone());
        };
        if wanted != CPU && !registry.contains(wanted) {
            return Err(Error::UnknownBackendToUse {
                topic: topic.to_owned(),
                name: wanted.to_owned(),
                known: registry.names().collect::<Vec<_>>().join(", "),
            });
        }
        Ok(registry.filtered(|name| name == wanted))
    }
}

impl From<QosProfile> for PublisherOptions {
    fn from(qos: QosProfile) -> Self {
        Self {
            qos,
            ..Self::default()
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
