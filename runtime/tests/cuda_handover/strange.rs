//! Descriptors that lie: an error or memory that is there, never a fault.

use std::time::Duration;

use crate::link::{Frame, from_words};
use crate::other::Other;
use crate::side::{Side, eventually};

/// xorshift
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn descriptors_that_lie_never_fault() {
    let Some(side) = Side::new() else { return };
    let mut other = Other::start("writer 4194304 0");
    side.join(&other.link);
    let mut random = Random(0x1234_5678_9ABC_DEF1);
    let (mut accepted, mut refused, mut right, mut unknown) = (0, 0, 0, 0);
    for taken in 0..2000 {
        eventually("a frame", Duration::from_secs(10), || {
            other.link.published.get() > taken
        });
        let frame = other.link.next(taken).unwrap();
        for _ in 0..10 {
            let mut lying = frame;
            change(&mut lying, &mut random, &mut unknown);
            match side.cuda.read(&from_words(&lying.words), &side.stream) {
                Ok(read) => {
                    accepted += 1;
                    // The kernel reads whole words.
                    let len = read.len() & !3;
                    let counted = side.gpu.count(side.stream.handle(), read.address(), len, 0);
                    assert!(
                        counted.is_ok_and(|count| count.is_some()),
                        "{:?}",
                        lying.words
                    );
                }
                Err(_) => refused += 1,
            }
        }
        if let Ok(read) = side.cuda.read(&from_words(&frame.words), &side.stream) {
            assert!(side.gpu.is_right(
                side.stream.handle(),
                read.address(),
                read.len(),
                frame.number
            ));
            right += 1;
        }
        other.link.consumed.set(taken + 1);
    }
    println!(
        "{accepted} accepted, {refused} refused; then {right} of 2000 right, the others' references were used up before"
    );
    assert!(refused > 10_000 && accepted > 20 && right > 20);
    assert!(side.cuda.stats().lost_malformed > 1000, "they are counted");
    other.end();
}

/// Changes one to three words; not the block's number more than a few times, since unknown blocks are waited for.
fn change(frame: &mut Frame, random: &mut Random, unknown: &mut u32) {
    for _ in 0..=random.next() % 3 {
        let at = usize::try_from(random.next() % 11).unwrap();
        if at == 6 {
            *unknown += 1;
            if *unknown > 3 {
                continue;
            }
        }
        let word = &mut frame.words[at];
        *word = match random.next() % 5 {
            0 => 0,
            1 => word.wrapping_add(random.next() % 4096),
            2 => word.wrapping_sub(random.next() % 4096),
            3 => *word ^ 1 << (random.next() % 64),
            _ => random.next(),
        };
        match at {
            0 => *word &= 0xFF,
            5 => *word &= 0xFFFF_FFFF,
            _ => {}
        }
    }
}
