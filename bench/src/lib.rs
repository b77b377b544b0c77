//! What the measuring programs share: times of repeated runs, the interfaces that all sides read, and the generators behind
//! one kind of call. All sides of a comparison are measured in one process and one run.

mod clock;
mod count;
pub mod end_to_end;
mod generators;
mod inputs;
mod shared;

pub use clock::{Side, Time, median, on_one_core, take_turns};
pub use count::{Counting, Watch, allocations, sleeps_of_others};
pub use generators::{hiroz, ours, roslibrust};
pub use inputs::{Packages, common, synthetic};
pub use shared::{SLOTS, Shared, Slot, now};
