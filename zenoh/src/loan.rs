//! Messages whose buffers lie, before they are written, where the current subscriptions can take them.
//!
//! In: a publisher, and how many bytes a field is to have. Out: host memory to write them into; when the message is published,
//! it is the field's. Which memory that is, follows from the publisher's routes; where none fits, it is a vector.

use std::ops::{Deref, DerefMut};

use rosidl_buffer_runtime::{Buffer, HostWrite, Message};

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
/// wants back when nobody reads it any more, goes into a message by [`Buffer::from_owner`]. Memory of a device is
/// allocated from its backend and put into the field.
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
            None => &mut [],
        }
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
