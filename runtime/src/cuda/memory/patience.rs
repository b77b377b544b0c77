//! How long the host waits for blocks whose writing does not end: many that wait for the same stream wait for it once.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Whoever waits on the host for a writer waits no longer than this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// What each gets that comes right after one that was given up: 5 s for all blocks that an engine can have.
const REST: Duration = Duration::from_millis(5);

#[derive(Debug, Default)]
pub(super) struct Patience {
    gave_up: Mutex<Option<Instant>>,
}

impl Patience {
    /// What the next one gets.
    pub(super) fn left(&self) -> Duration {
        let gave_up = *self.gave_up.lock().unwrap_or_else(PoisonError::into_inner);
        match gave_up {
            Some(when) if when.elapsed() < PATIENCE => REST,
            _ => PATIENCE,
        }
    }

    /// It did not end in time.
    pub(super) fn give_up(&self) {
        let mut gave_up = self.gave_up.lock().unwrap_or_else(PoisonError::into_inner);
        *gave_up = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipc::lease::CELLS;

    #[test]
    fn all_blocks_of_an_engine_end_in_a_bounded_time() {
        let patience = Patience::default();
        assert_eq!(patience.left(), PATIENCE);
        patience.give_up();
        let all = patience.left() * u32::try_from(CELLS).unwrap();
        assert!(all <= 2 * PATIENCE, "{all:?}");
        let before = Instant::now().checked_sub(PATIENCE);
        *patience.gave_up.lock().unwrap() = before;
        assert_eq!(patience.left(), PATIENCE, "that was long ago");
    }
}
