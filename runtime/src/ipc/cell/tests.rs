//! The steps one after another: against words of any content, and against a model that keeps sets.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Miri is slow and may not look for files of earlier failures.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: if cfg!(miri) { 2 } else { 500 },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn word(generation: u64, pending: u64, held: u64) -> u64 {
    (generation << GENERATION_SHIFT) | (pending << COUNT_BITS) | held
}

/// What `step` makes of a word, and what it gives.
fn after<T>(before: u64, step: impl Fn(&AtomicU64) -> T) -> (u64, T) {
    let cell = AtomicU64::new(before);
    let given = step(&cell);
    (cell.into_inner(), given)
}

#[test]
fn a_descriptor_goes_from_pending_to_held_to_free() {
    let cell = AtomicU64::new(0);
    assert!(state(&cell).is_free(), "fresh memory is free");
    assert!(publish(&cell, 7));
    let (generation, pending, held) = (7, 1, 0);
    assert_eq!(
        state(&cell),
        State {
            generation,
            pending,
            held
        }
    );
    assert_eq!(take(&cell, 6), Err(TakeError::Reused));
    assert_eq!(take(&cell, 7), Ok(()));
    assert_eq!(take(&cell, 7), Err(TakeError::Expired), "only once");
    let (pending, held) = (0, 1);
    assert_eq!(
        state(&cell),
        State {
            generation,
            pending,
            held
        }
    );
    release(&cell, 6);
    assert!(
        !state(&cell).is_free(),
        "another generation releases nothing"
    );
    release(&cell, 7);
    assert!(state(&cell).is_free());
    release(&cell, 7);
    assert!(state(&cell).is_free(), "one too many changes nothing");
}

#[test]
fn counts_stop_at_their_limit() {
    let cell = AtomicU64::new(0);
    let (max, generation) = (u16::try_from(MAX_COUNT).unwrap(), MAX_GENERATION);
    for _ in 0..MAX_COUNT {
        assert!(publish(&cell, generation));
    }
    assert!(!publish(&cell, generation));
    assert_eq!(
        state(&cell),
        State {
            generation,
            pending: max,
            held: 0
        }
    );
    for _ in 0..MAX_COUNT {
        assert_eq!(take(&cell, generation), Ok(()));
    }
    assert!(publish(&cell, generation));
    assert_eq!(take(&cell, generation), Err(TakeError::Full));
    assert_eq!(
        state(&cell),
        State {
            generation,
            pending: 1,
            held: max
        },
        "still pending"
    );
    refuse(&cell, generation);
    assert_eq!(
        state(&cell),
        State {
            generation,
            pending: 0,
            held: max
        }
    );
    assert_eq!(expire(&cell, generation), 0);
}

#[derive(Debug, Clone)]
enum Step {
    /// A descriptor leaves, of the present generation or, where the cell is free, of the next.
    Publish {
        reuse: bool,
    },
    Retract {
        age: u64,
    },
    Expire {
        age: u64,
    },
    Take {
        age: u64,
    },
    Refuse {
        age: u64,
    },
    Release {
        age: u64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Mostly the present generation, sometimes one before it.
    let age = prop_oneof![4 => Just(0_u64), 1 => 1_u64..3];
    let step = prop_oneof![
        3 => any::<bool>().prop_map(|reuse| Step::Publish { reuse }),
        1 => age.clone().prop_map(|age| Step::Retract { age }),
        1 => age.clone().prop_map(|age| Step::Expire { age }),
        3 => age.clone().prop_map(|age| Step::Take { age }),
        1 => age.clone().prop_map(|age| Step::Refuse { age }),
        3 => age.prop_map(|age| Step::Release { age }),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    #![proptest_config(config())]

    /// Each descriptor has a name here; the cell only counts them.
    #[test]
    fn counts_are_the_sizes_of_sets(steps in steps()) {
        let cell = AtomicU64::new(0);
        let mut now = 10; // so that there are generations before
        let (mut pending, mut held) = (BTreeSet::new(), BTreeSet::new());
        let mut published_any = false;
        for (name, step) in steps.into_iter().enumerate() {
            match step {
                Step::Publish { reuse } => {
                    if reuse && pending.is_empty() && held.is_empty() {
                        now += 1;
                    }
                    prop_assert!(publish(&cell, now));
                    pending.insert(name);
                    published_any = true;
                }
                Step::Retract { age } => {
                    retract(&cell, now - age);
                    if age == 0 {
                        pending.pop_first();
                    }
                }
                Step::Refuse { age } => {
                    refuse(&cell, now - age);
                    if age == 0 {
                        pending.pop_first();
                    }
                }
                Step::Expire { age } => {
                    let gone = if age == 0 { std::mem::take(&mut pending).len() } else { 0 };
                    prop_assert_eq!(usize::from(expire(&cell, now - age)), gone);
                }
                Step::Take { age } => {
                    let taken = take(&cell, now - age);
                    if age > 0 || !published_any {
                        prop_assert_eq!(taken, Err(TakeError::Reused));
                    } else if let Some(name) = pending.pop_first() {
                        prop_assert_eq!(taken, Ok(()));
                        held.insert(name);
                    } else {
                        prop_assert_eq!(taken, Err(TakeError::Expired));
                    }
                }
                Step::Release { age } => {
                    release(&cell, now - age);
                    if age == 0 {
                        held.pop_first();
                    }
                }
            }
            let state = state(&cell);
            prop_assert_eq!(usize::from(state.pending), pending.len());
            prop_assert_eq!(usize::from(state.held), held.len());
            prop_assert_eq!(state.is_free(), pending.is_empty() && held.is_empty());
            prop_assert_eq!(state.generation, if published_any { now } else { 0 });
        }
    }

    /// A peer may have written anything into the cell: a step changes its own count by one or nothing, and never another.
    #[test]
    fn no_word_is_too_strange(
        at in prop_oneof![Just(0_u64), Just(MAX_GENERATION), 0..=MAX_GENERATION],
        of in prop_oneof![Just(0_u64), Just(MAX_GENERATION), 0..=MAX_GENERATION],
        same in any::<bool>(),
        p in prop_oneof![Just(0_u64), Just(MAX_COUNT), 0..=MAX_COUNT],
        h in prop_oneof![Just(0_u64), Just(MAX_COUNT), 0..=MAX_COUNT],
    ) {
        let of = if same { at } else { of };
        let (here, before) = (at == of, word(at, p, h));
        let one_less = if here && p > 0 { word(at, p - 1, h) } else { before };

        let published = if !here {
            (word(of, 1, 0), true)
        } else if p < MAX_COUNT {
            (word(at, p + 1, h), true)
        } else {
            (before, false)
        };
        prop_assert_eq!(after(before, |cell| publish(cell, of)), published);
        prop_assert_eq!(after(before, |cell| retract(cell, of)), (one_less, ()));
        prop_assert_eq!(after(before, |cell| refuse(cell, of)), (one_less, ()));

        let expired = if here { (word(at, 0, h), u16::try_from(p).unwrap()) } else { (before, 0) };
        prop_assert_eq!(after(before, |cell| expire(cell, of)), expired);

        let taken = if !here {
            (before, Err(TakeError::Reused))
        } else if p == 0 {
            (before, Err(TakeError::Expired))
        } else if h == MAX_COUNT {
            (before, Err(TakeError::Full))
        } else {
            (word(at, p - 1, h + 1), Ok(()))
        };
        prop_assert_eq!(after(before, |cell| take(cell, of)), taken);

        let released = if here && h > 0 { word(at, p, h - 1) } else { before };
        prop_assert_eq!(after(before, |cell| release(cell, of)), (released, ()));
    }
}
