//! Messages whose buffers lie, before they are written, where the current subscriptions can take them.
//!
//! In: a publisher, and how many bytes a field is to have. Out: host memory to write them into; when the message is published,
//! it is the field's. Which memory that is, follows from the publisher's routes; where none fits, it is a vector. Memory of a
//! device is lent only where somebody takes it, because the host cannot write it. Nothing is sent here.

use std::ops::{Deref, DerefMut};

use rosidl_buffer_runtime::{Buffer, HostWrite, Message};
#[cfg(feature = "cuda")]
use rosidl_buffer_runtime::{
    BufferBackend as _,
    cuda::{AccessError, CudaBackend, CudaStream, WriteHandle},
};

use crate::{error::Result, publisher::Publisher};

/// A message of a publisher that is being filled; made by [`Publisher::borrow_loaned_message`].
///
/// It is used as the message itself. Large fields get their memory by [`allocate`](Self::allocate), and
/// [`publish`](Self::publish) hands over all of it. Dropped without that, it gives the memory back.
///
/// ```no_run
/// use rosidl_buffer_runtime::{Buffer, BufferMessage};
/// use rosidl_buffer_zenoh::{Node, QosProfile};
///
/// #[derive(Debug, Clone, PartialEq, BufferMessage)]
/// #[ros2(package = "demo_msgs")]
/// struct Frame {
///     width: u32,
///     data: Buffer<u8>,
/// }
///
/// let publisher = Node::new("camera")?.create_publisher::<Frame>("frames", QosProfile::default())?;
/// loop {
///     let mut frame = publisher.borrow_loaned_message();
///     frame.width = 640;
///     frame.allocate(|frame| &mut frame.data, 640 * 480).fill(7);
///     frame.publish()?;
/// }
/// # #[allow(unreachable_code)]
/// # Ok::<(), rosidl_buffer_zenoh::Error>(())
/// ```
///
/// Nothing obliges a program to take loans. A message of its own, changed and published again and again, costs one copy for each
/// message as bytes; one whose buffer comes from a backend, such as `ShmBackend::allocate`, none. Memory that the program owns, and
/// wants back when nobody reads it any more, goes into a message by [`Buffer::from_owner`].
///
/// What is made on a GPU is written there, if somebody takes it there: `allocate_on_device` (feature `cuda`), or
/// [`allocate_with`](Self::allocate_with) for other devices.
pub struct LoanedMessage<'a, M: Message> {
    publisher: &'a Publisher<M>,
    message: M,
    loans: Vec<Loan<M>>,
}

/// Bytes that are being written, and the field that they are for.
struct Loan<M> {
    field: Field<M>,
    memory: Memory,
}

type Field<M> = fn(&mut M) -> &mut Buffer<u8>;

enum Memory {
    Shared(Box<dyn HostWrite>),
    Vec(Vec<u8>),
    /// Of a backend, and written by means of its own.
    Backend(Buffer<u8>),
}

impl<M: Message + Default> Publisher<M> {
    /// An empty message that is to be filled and published, with memory for its large fields that the current subscriptions
    /// take as it is. Any number may be held at a time.
    pub fn borrow_loaned_message(&self) -> LoanedMessage<'_, M> {
        LoanedMessage {
            publisher: self,
            message: M::default(),
            loans: Vec::new(),
        }
    }
}

impl<M: Message> LoanedMessage<'_, M> {
    /// Memory for `len` bytes of a field, to be written here. What it holds at first is not specified. The field has it when
    /// the message is published or taken out, in place of whatever it has until then.
    ///
    /// The memory is that of a backend if some subscription takes that from this publisher, or if
    /// [`PublisherOptions::buffer_backend`](crate::PublisherOptions::buffer_backend) names it, and a block is free; it is a
    /// vector otherwise.
    pub fn allocate(&mut self, field: fn(&mut M) -> &mut Buffer<u8>, len: usize) -> &mut [u8] {
        let memory = match self.publisher.allocate_host(len) {
            Some(shared) => Memory::Shared(shared),
            None => Memory::Vec(vec![0; len]),
        };
        let at = self.loans.len();
        self.loans.push(Loan { field, memory });
        match self.loans.get_mut(at).map(|loan| &mut loan.memory) {
            Some(Memory::Shared(shared)) => shared,
            Some(Memory::Vec(vec)) => vec,
            Some(Memory::Backend(_)) | None => &mut [], // never: it was pushed above
        }
    }

    /// Memory of `backend` for a field, made by `make`: the buffer, and what writes it. The field has it as with
    /// [`allocate`](Self::allocate).
    ///
    /// `None`, and nothing is made, when no subscription takes such memory from this publisher, unless
    /// [`PublisherOptions::buffer_backend`](crate::PublisherOptions::buffer_backend) names it: then the frame is better made in
    /// host memory, or brought there, since it would be copied for everybody.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn allocate_with<W, E>(
        &mut self,
        field: fn(&mut M) -> &mut Buffer<u8>,
        backend: &str,
        make: impl FnOnce() -> std::result::Result<(Buffer<u8>, W), E>,
    ) -> std::result::Result<Option<W>, E> {
        if !self.publisher.is_taken(backend) {
            return Ok(None);
        }
        let (buffer, write) = make()?;
        let memory = Memory::Backend(buffer);
        self.loans.push(Loan { field, memory });
        Ok(Some(write))
    }

    /// Memory for `len` bytes of a field on the device of `stream`, to be written by work on that stream. The field has it as
    /// with [`allocate`](Self::allocate). Drop the handle, or [`finish`](WriteHandle::finish) it, before the message is published;
    /// the work on the stream need not be over by then, and nobody waits for it here.
    ///
    /// `None` when no subscription takes such memory from this publisher, as for [`allocate_with`](Self::allocate_with). `cuda`
    /// is the backend of the publisher's context: memory of another one would reach everybody as bytes.
    ///
    /// ```no_run
    /// # use rosidl_buffer_runtime::{Buffer, BufferMessage, cuda::CudaBackend};
    /// # use rosidl_buffer_zenoh::{Context, QosProfile};
    /// # #[derive(Debug, Clone, PartialEq, BufferMessage)]
    /// # #[ros2(package = "demo_msgs")]
    /// # struct Frame {
    /// #     data: Buffer<u8>,
    /// # }
    /// let node = Context::builder().cuda().build()?.create_node("camera")?;
    /// let publisher = node.create_publisher::<Frame>("frames", QosProfile::default())?;
    /// let cuda = CudaBackend::shared()?;
    /// let stream = cuda.new_stream()?;
    /// let mut frame = publisher.borrow_loaned_message();
    /// match frame.allocate_on_device(|frame| &mut frame.data, 640 * 480, &cuda, &stream)? {
    ///     Some(write) => {
    ///         // … launch kernels on `stream` that write `write.len()` bytes at `write.address()` …
    ///         write.finish()?;
    ///     }
    ///     None => frame.allocate(|frame| &mut frame.data, 640 * 480).fill(7),
    /// }
    /// frame.publish()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AccessError::NotOpened`] for a stream of another device; [`AccessError::Allocate`] when no block is free; when CUDA
    /// refuses.
    #[cfg(feature = "cuda")]
    pub fn allocate_on_device(
        &mut self,
        field: fn(&mut M) -> &mut Buffer<u8>,
        len: usize,
        cuda: &CudaBackend,
        stream: &CudaStream,
    ) -> std::result::Result<Option<WriteHandle>, AccessError> {
        self.allocate_with(field, cuda.backend_type(), || {
            let mut buffer = cuda.allocate_buffer_on(stream.device().uuid(), len)?;
            let write = cuda.from_output_buffer(&mut buffer, stream)?;
            Ok((buffer, write))
        })
    }

    /// Publishes the message, and hands over its memory.
    ///
    /// # Errors
    /// As for [`Publisher::publish`].
    pub fn publish(self) -> Result<()> {
        let publisher = self.publisher;
        publisher.publish(&self.into_message())
    }

    /// The message with its memory, not to be written any more; it may be published as often as one likes.
    pub fn into_message(self) -> M {
        let mut message = self.message;
        for Loan { field, memory } in self.loans {
            *field(&mut message) = match memory {
                Memory::Shared(shared) => {
                    let storage = shared.freeze();
                    // A whole number of bytes, always.
                    Buffer::from_storage(storage).unwrap_or_default()
                }
                Memory::Vec(vec) => vec.into(),
                Memory::Backend(buffer) => buffer,
            };
        }
        message
    }
}

impl<M: Message> Deref for LoanedMessage<'_, M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.message
    }
}

impl<M: Message> DerefMut for LoanedMessage<'_, M> {
    fn deref_mut(&mut self) -> &mut M {
        &mut self.message
    }
}

impl<M: Message> std::fmt::Debug for LoanedMessage<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoanedMessage")
            .field("topic", &self.publisher.topic_name())
            .field("fields", &self.loans.len())
            .finish_non_exhaustive()
    }
}
