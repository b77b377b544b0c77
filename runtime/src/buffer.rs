//! [`Buffer`]: what a user holds where ROS has `uint8[]`.
//!
//! A vector or a storage of some backend goes in; slices, vectors and the storage come out. Cloning shares. Nothing
//! here copies unless its name or documentation says so, and nothing here fails silently.

use core::fmt;
use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use crate::backend::Storage;
use crate::cpu::{CPU, Payload};
use crate::element::Element;
use crate::error::BufferError;

/// Elements in any memory: a vector of this process, a received payload, or the storage of a backend.
///
/// * `clone` shares the memory, in constant time.
/// * [`as_slice`](Self::as_slice) is there for host memory, `None` for memory that the host cannot read in place.
/// * [`as_mut_slice`](Self::as_mut_slice) is there while nobody shares the memory; [`make_mut`](Self::make_mut) copies if it must.
/// * [`to_vec`](Self::to_vec), [`into_vec`](Self::into_vec) and [`host`](Self::host) may copy from a device and so may fail.
/// * `==` is true for the same storage and else compares content; a copy from a device that fails makes two buffers unequal and is logged.
///
/// # Example
/// ```
/// use rosidl_buffer_runtime::Buffer;
///
/// let pixels = vec![0u8; 640 * 480];
/// let address = pixels.as_ptr();
/// let buffer = Buffer::from(pixels);
/// assert_eq!(buffer.backend_type(), "cpu");
/// assert_eq!(buffer.as_slice().map(|s| s.as_ptr()), Some(address)); // moved in, not copied
/// assert_eq!(buffer.into_vec()?.as_ptr(), address); // and out
/// # Ok::<(), rosidl_buffer_runtime::BufferError>(())
/// ```
pub struct Buffer<T: Element> {
    repr: Repr<T>,
}

enum Repr<T> {
    Empty,
    Vec(Arc<Vec<T>>),
    Storage(Arc<dyn Storage>),
}

impl<T: Element> Buffer<T> {
    /// An empty buffer of host memory; allocates nothing.
    pub const fn new() -> Self {
        Self { repr: Repr::Empty }
    }

    /// Wraps the memory of a backend.
    ///
    /// # Errors
    /// [`BufferError::NotWhole`] if the length in bytes is no multiple of the element's size.
    pub fn from_storage(storage: Arc<dyn Storage>) -> Result<Self, BufferError> {
        let (bytes, element) = (storage.byte_len(), size_of::<T>());
        if bytes % element != 0 {
            return Err(BufferError::NotWhole {
                backend: storage.backend_type().to_owned(),
                bytes,
                element,
            });
        }
        Ok(Self::of_storage(storage))
    }

    /// The length in bytes is a whole number of elements.
    pub(crate) fn of_storage(storage: Arc<dyn Storage>) -> Self {
        Self {
            repr: Repr::Storage(storage),
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match &self.repr {
            Repr::Empty => 0,
            Repr::Vec(vec) => vec.len(),
            Repr::Storage(storage) => storage.byte_len() / size_of::<T>(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The backend that owns the memory: `"cpu"` for host memory of this process.
    pub fn backend_type(&self) -> &str {
        match &self.repr {
            Repr::Storage(storage) => storage.backend_type(),
            Repr::Empty | Repr::Vec(_) => CPU,
        }
    }

    /// The backend's storage, if the elements do not lie in a vector of this process. Whoever keeps it, also as a
    /// [`Weak`](std::sync::Weak), keeps the memory from being used again.
    pub fn storage(&self) -> Option<&Arc<dyn Storage>> {
        match &self.repr {
            Repr::Storage(storage) => Some(storage),
            Repr::Empty | Repr::Vec(_) => None,
        }
    }

    /// The elements in place; `None` if the host cannot read them there.
    pub fn as_slice(&self) -> Option<&[T]> {
        match &self.repr {
            Repr::Empty => Some(&[]),
            Repr::Vec(vec) => Some(vec),
            Repr::Storage(storage) => match storage.host_bytes()? {
                [] => Some(&[]),
                bytes => T::PLAIN.cast(bytes),
            },
        }
    }

    /// The elements in place, writable; `None` if they are shared or not a vector of this process.
    ///
    /// # Example
    /// ```
    /// let mut buffer = rosidl_buffer_runtime::Buffer::from(vec![1u8, 2]);
    /// buffer.as_mut_slice().unwrap()[0] = 9;
    /// let shared = buffer.clone();
    /// assert!(buffer.as_mut_slice().is_none());
    /// assert_eq!(shared, [9, 2]);
    /// ```
    pub fn as_mut_slice(&mut self) -> Option<&mut [T]> {
        match &mut self.repr {
            Repr::Empty => Some(&mut []),
            Repr::Vec(vec) => Arc::get_mut(vec).map(Vec::as_mut_slice),
            Repr::Storage(_) => None,
        }
    }

    /// The elements as a vector that may be changed and resized; copies them first if they are shared or elsewhere.
    ///
    /// # Errors
    /// When the backend's memory cannot be read; the buffer is unchanged then.
    pub fn make_mut(&mut self) -> Result<&mut Vec<T>, BufferError> {
        if let Repr::Empty | Repr::Storage(_) = self.repr {
            self.repr = Repr::Vec(Arc::new(self.to_vec()?));
        }
        match &mut self.repr {
            Repr::Vec(vec) => Ok(Arc::make_mut(vec)),
            Repr::Empty | Repr::Storage(_) => unreachable!("made a vector above"),
        }
    }

    /// The elements on the host: in place where that is possible, else copied.
    ///
    /// # Errors
    /// When the backend's memory cannot be read.
    pub fn host(&self) -> Result<Cow<'_, [T]>, BufferError> {
        match self.as_slice() {
            Some(slice) => Ok(Cow::Borrowed(slice)),
            None => self.to_vec().map(Cow::Owned),
        }
    }

    /// A copy of the elements.
    ///
    /// # Errors
    /// When the backend's memory cannot be read.
    pub fn to_vec(&self) -> Result<Vec<T>, BufferError> {
        if let Some(slice) = self.as_slice() {
            return Ok(slice.to_vec());
        }
        let mut vec = vec![T::default(); self.len()];
        if let (Repr::Storage(storage), Some(bytes)) = (&self.repr, T::PLAIN.bytes_mut(&mut vec)) {
            storage.copy_to_host(bytes)?;
        }
        Ok(vec)
    }

    /// The elements as a vector: the vector that went in, if nobody else shares it, else a copy.
    ///
    /// # Errors
    /// When the backend's memory cannot be read.
    pub fn into_vec(self) -> Result<Vec<T>, BufferError> {
        match self.repr {
            Repr::Vec(vec) => Ok(Arc::unwrap_or_clone(vec)),
            Repr::Empty => Ok(Vec::new()),
            Repr::Storage(_) => self.to_vec(),
        }
    }

    fn shares_with(&self, other: &Self) -> bool {
        match (&self.repr, &other.repr) {
            (Repr::Vec(a), Repr::Vec(b)) => Arc::ptr_eq(a, b),
            (Repr::Storage(a), Repr::Storage(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    fn content_eq(&self, other: &[T]) -> bool {
        match self.host() {
            Ok(content) => *content == *other,
            Err(error) => {
                tracing::warn!(%error, "buffers are taken as unequal: the content of one could not be read");
                false
            }
        }
    }
}

impl Buffer<u8> {
    /// Wraps the memory of a backend; every length is a whole number of bytes.
    #[cfg(target_os = "linux")]
    pub(crate) fn from_bytes_storage(storage: Arc<dyn Storage>) -> Self {
        Self {
            repr: Repr::Storage(storage),
        }
    }

    /// Shares bytes that already exist, such as a received payload, without a copy.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self {
            repr: Repr::Storage(Arc::new(Payload(bytes))),
        }
    }
}

impl<T: Element> Buffer<T> {
    /// Shares a part of a payload; `None` if `T` could not be read in place there.
    pub(crate) fn from_payload(bytes: Bytes) -> Option<Self> {
        T::PLAIN.cast(&bytes)?;
        Some(Self {
            repr: Repr::Storage(Arc::new(Payload(bytes))),
        })
    }
}

impl<T: Element> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        let repr = match &self.repr {
            Repr::Empty => Repr::Empty,
            Repr::Vec(vec) => Repr::Vec(Arc::clone(vec)),
            Repr::Storage(storage) => Repr::Storage(Arc::clone(storage)),
        };
        Self { repr }
    }
}

impl<T: Element> Default for Buffer<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Element> fmt::Debug for Buffer<T> {
    /// Prints backend, length and at most the first eight elements; never reads memory that is not on the host.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        write!(f, "Buffer({}, {} elements", self.backend_type(), self.len())?;
        if let Some(slice) = self.as_slice().filter(|slice| !slice.is_empty()) {
            f.write_str(": ")?;
            f.debug_list().entries(slice.iter().take(SHOWN)).finish()?;
            if slice.len() > SHOWN {
                f.write_str("…")?;
            }
        }
        f.write_str(")")
    }
}

impl<T: Element> PartialEq for Buffer<T> {
    fn eq(&self, other: &Self) -> bool {
        if self.len() != other.len() {
            return false;
        }
        if self.shares_with(other) {
            return true;
        }
        match other.host() {
            Ok(content) => self.content_eq(&content),
            Err(error) => {
                tracing::warn!(%error, "buffers are taken as unequal: the content of one could not be read");
                false
            }
        }
    }
}

impl<T: Element> PartialEq<[T]> for Buffer<T> {
    fn eq(&self, other: &[T]) -> bool {
        self.len() == other.len() && self.content_eq(other)
    }
}

impl<T: Element, const N: usize> PartialEq<[T; N]> for Buffer<T> {
    fn eq(&self, other: &[T; N]) -> bool {
        *self == other[..]
    }
}

impl<T: Element> PartialEq<Vec<T>> for Buffer<T> {
    fn eq(&self, other: &Vec<T>) -> bool {
        *self == other[..]
    }
}

impl<T: Element> From<Vec<T>> for Buffer<T> {
    fn from(vec: Vec<T>) -> Self {
        Self {
            repr: Repr::Vec(Arc::new(vec)),
        }
    }
}

impl<T: Element> From<&[T]> for Buffer<T> {
    fn from(slice: &[T]) -> Self {
        slice.to_vec().into()
    }
}

impl<T: Element, const N: usize> From<[T; N]> for Buffer<T> {
    fn from(array: [T; N]) -> Self {
        array.to_vec().into()
    }
}

impl From<Bytes> for Buffer<u8> {
    fn from(bytes: Bytes) -> Self {
        Self::from_bytes(bytes)
    }
}

impl<T: Element> FromIterator<T> for Buffer<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Vec::from_iter(items).into()
    }
}

/// A buffer of any element type, as a message's buffers are visited.
pub trait AnyBuffer: fmt::Debug + Send + Sync {
    /// As [`Buffer::backend_type`].
    fn backend_type(&self) -> &str;
    /// Length in bytes.
    fn byte_len(&self) -> usize;
    /// Size of one element in bytes.
    fn element_size(&self) -> usize;
    /// As [`Buffer::storage`].
    fn storage(&self) -> Option<&Arc<dyn Storage>>;
    /// Brings the elements to the host if they lie elsewhere: into a vector of this process or, where `accepts` says so of its
    /// backend, into the memory that the storage's readers on this host share ([`Storage::host_storage`]). What has been brought
    /// there for others is not asked of the device again.
    ///
    /// # Errors
    /// When the backend's memory cannot be read; the buffer is unchanged then.
    fn make_host(&mut self, accepts: &dyn Fn(&str) -> bool) -> Result<(), BufferError>;
    /// The `Buffer<T>` itself.
    fn as_any(&self) -> &dyn core::any::Any;
    /// The `Buffer<T>` itself, to be replaced or changed.
    fn as_any_mut(&mut self) -> &mut dyn core::any::Any;
}

impl<T: Element> AnyBuffer for Buffer<T> {
    fn backend_type(&self) -> &str {
        self.backend_type()
    }
    fn byte_len(&self) -> usize {
        self.len() * size_of::<T>()
    }
    fn element_size(&self) -> usize {
        size_of::<T>()
    }
    fn storage(&self) -> Option<&Arc<dyn Storage>> {
        self.storage()
    }
    fn make_host(&mut self, accepts: &dyn Fn(&str) -> bool) -> Result<(), BufferError> {
        let Some(storage) = self.storage() else {
            return Ok(());
        };
        let is_elsewhere = storage.host_bytes().is_none();
        *self = match is_elsewhere.then(|| storage.host_storage()).flatten() {
            Some(host) if accepts(host.backend_type()) => Self::from_storage(host)?,
            Some(host) => Self::from_storage(host)?.to_vec()?.into(),
            None => self.to_vec()?.into(),
        };
        Ok(())
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn core::any::Any {
        self
    }
}
