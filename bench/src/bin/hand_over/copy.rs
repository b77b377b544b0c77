//! The floor of everything that copies: one `memcpy` of the payload, out of memory that both sides have mapped.

use std::sync::atomic::{Ordering, fence};

use rosidl_buffer_bench::{Shared, Slot};

use crate::pair;

/// The bytes are in place before the clock starts: what is measured is the reader's copy alone.
pub struct Writer {
    payload: *mut u8,
    len: usize,
}

impl Writer {
    pub fn new(shared: &Shared, len: usize) -> Self {
        let (payload, room) = shared.payload();
        assert_eq!(room, len);
        // SAFETY: the room is there; the reader does not look before it is told to.
        unsafe { payload.write_bytes(1, len) };
        Self { payload, len }
    }
}

impl pair::Write for Writer {
    fn prepare(&mut self, number: u64, len: usize) {
        assert_eq!(len, self.len);
        // SAFETY: inside the room; the reader is done with the frame before.
        pair::mark(
            unsafe { std::slice::from_raw_parts_mut(self.payload, len) },
            number,
        );
    }

    fn send(&mut self, number: u64, slot: &Slot) {
        slot.publish(number, [0; 8]);
    }
}

pub struct Reader {
    payload: *mut u8,
    own: Vec<u8>,
}

impl Reader {
    pub fn new(shared: &Shared, len: usize) -> Self {
        Self {
            payload: shared.payload().0,
            own: vec![1; len],
        }
    }
}

impl pair::Read for Reader {
    fn receive(&mut self, number: u64, slot: &Slot, look: impl FnOnce(&[u8])) {
        slot.wait(number);
        fence(Ordering::Acquire);
        // SAFETY: the room is that long; the writer waits until this frame is consumed.
        unsafe {
            self.own
                .as_mut_ptr()
                .copy_from_nonoverlapping(self.payload, self.own.len())
        };
        look(&self.own);
    }
}
