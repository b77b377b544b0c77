//! The one door to the atomics that processes share, so that loom can stand behind it.

#[cfg(all(test, loom))]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};

#[cfg(not(all(test, loom)))]
#[cfg(any(test, feature = "cuda"))]
pub(crate) use core::sync::atomic::fence;
#[cfg(not(all(test, loom)))]
pub(crate) use core::sync::atomic::{AtomicU64, Ordering};
