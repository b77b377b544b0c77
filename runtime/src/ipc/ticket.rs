//! What a descriptor says about a block: which, at which use of it, and which bytes.

use super::identity::EngineId;
use super::lease::CELLS;

/// The fields of a descriptor that every memory has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    /// The engine that owns the block.
    pub(crate) engine: EngineId,
    /// The block's cell in each lease of that engine.
    pub(crate) cell: u32,
    /// The block itself, see [`block_number`].
    pub(crate) block: u64,
    /// Which use of the block.
    pub(crate) generation: u64,
    /// Whole size of the block in bytes.
    pub(crate) block_size: u64,
    /// Where the data begins, in bytes.
    pub(crate) offset: u64,
    /// Length of the data in bytes.
    pub(crate) size: u64,
}

/// The number of an engine's `count`th block, which stands at `cell`; an engine never uses a number twice.
///
/// Number and cell belong together, so that nobody is shown one block under the reference to another.
pub(crate) fn block_number(count: u64, cell: u32) -> u64 {
    count * CELLS as u64 + u64::from(cell)
}

/// The cell of the block with this number.
#[allow(clippy::cast_possible_truncation)] // below `CELLS`
pub(crate) fn block_cell(block: u64) -> u32 {
    (block % CELLS as u64) as u32
}

impl Ticket {
    /// Names the field that cannot be right, before anything is looked up.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.cell as usize >= CELLS {
            return Err(format!("cell {} where there are {CELLS}", self.cell));
        }
        if block_cell(self.block) != self.cell {
            return Err(format!("block {} at cell {}", self.block, self.cell));
        }
        if self.generation == 0 || self.generation > super::cell::MAX_GENERATION {
            return Err(format!("generation {}", self.generation));
        }
        let end = self.offset.checked_add(self.size);
        if end.is_none_or(|end| end > self.block_size) || isize::try_from(self.block_size).is_err()
        {
            return Err(format!(
                "{} bytes at {} in a block of {} bytes",
                self.size, self.offset, self.block_size
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_right_is_named() {
        let good = Ticket {
            engine: EngineId([1; 16]),
            cell: 0,
            block: block_number(1, 0),
            generation: 1,
            block_size: 4096,
            offset: 96,
            size: 4000,
        };
        assert_eq!(good.check(), Ok(()));
        for (bad, says) in [
            (Ticket { cell: 1024, ..good }, "cell 1024"),
            (Ticket { cell: 1, ..good }, "block 1024 at cell 1"),
            (
                Ticket {
                    block: 1025,
                    ..good
                },
                "block 1025 at cell 0",
            ),
            (
                Ticket {
                    generation: 0,
                    ..good
                },
                "generation 0",
            ),
            (
                Ticket {
                    generation: 1 << 40,
                    ..good
                },
                "generation",
            ),
            (Ticket { size: 4001, ..good }, "4001 bytes at 96"),
            (
                Ticket {
                    offset: u64::MAX,
                    ..good
                },
                "4000 bytes at",
            ),
            (
                Ticket {
                    block_size: u64::MAX,
                    ..good
                },
                "in a block of",
            ),
        ] {
            let said = bad.check().unwrap_err();
            assert!(said.contains(says), "{said}");
        }
    }
}
