//! Which of a topic's keys a message takes, as `rmw_zenoh_cpp` decides it.
//!
//! In: the subscriptions of the topic that the graph knows. Out: the base key for all, or one channel for each need.
//! Nothing here encodes or sends.

use rosidl_buffer_runtime::Peer;

use crate::{graph::Reader, key::Gid, options::CPU, stats::Fallback};

/// Subscriptions with a channel of their own that a topic has at most: each costs a Zenoh publisher and its own encoding of
/// each message, and anybody in the network may declare any number of tokens.
pub(crate) const MAX_CHANNELS: usize = 64;

/// Where messages go as long as the subscriptions stay the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plan {
    /// To the base key, which everybody reads: there is somebody who reads nothing else, or nobody whom we know.
    Base {
        /// Why nobody gets a descriptor, if somebody might have taken one otherwise.
        because: Option<Fallback>,
    },
    /// To channels if somebody takes a descriptor, because every subscription reads one; else to the base key.
    Channels {
        /// Whether there are subscriptions that want bytes only; they share a channel.
        cpu: bool,
        /// The others, each with a channel of its own.
        peers: Vec<(Gid, Peer)>,
    },
}

impl Plan {
    /// The plan for these subscriptions; `None` when there may be others.
    pub(crate) fn new(readers: Option<&mut dyn Iterator<Item = Reader<'_>>>) -> Self {
        let base = |reason| Self::Base {
            because: Some(reason),
        };
        let Some(readers) = readers else {
            return base(Fallback::LegacySubscription);
        };
        let (mut cpu, mut peers) = (false, Vec::new());
        for reader in readers {
            // ROS takes one that names no memory for one that knows nothing of buffers, and what such a one reads is unsure.
            let Some(backends) = reader.backends.filter(|backends| !backends.is_empty()) else {
                return base(Fallback::LegacySubscription);
            };
            if backends.iter().all(|backend| backend.name == CPU) {
                cpu = true;
                continue;
            }
            if peers.len() == MAX_CHANNELS {
                return base(Fallback::TooManySubscriptions);
            }
            let backends = backends.iter();
            let backends = backends.map(|b| (b.name.clone(), b.metadata.clone()));
            peers.push((reader.gid, backends.collect()));
        }
        if !cpu && peers.is_empty() {
            return Self::Base { because: None };
        }
        Self::Channels { cpu, peers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Backend;

    /// As the graph remembers it.
    struct Known {
        gid: Gid,
        backends: Option<Vec<Backend>>,
    }

    fn plan(known: Option<Vec<Known>>) -> Plan {
        let Some(known) = known else {
            return Plan::new(None);
        };
        let mut readers = known.iter().map(|known| Reader {
            gid: known.gid,
            backends: known.backends.as_deref(),
        });
        Plan::new(Some(&mut readers))
    }

    fn reader(gid: u8, backends: Option<&[&str]>) -> Known {
        let backend = |name: &&str| Backend {
            name: (*name).to_owned(),
            metadata: format!("of {gid}"),
        };
        Known {
            gid: Gid([gid; 16]),
            backends: backends.map(|names| names.iter().map(backend).collect()),
        }
    }

    #[test]
    fn one_subscription_that_knows_no_buffers_takes_all_to_the_base_key() {
        assert_eq!(plan(Some(vec![])), Plan::Base { because: None });
        let shm = || reader(1, Some(&["shm"]));
        let legacy = || reader(2, None);
        for readers in [
            Some(vec![legacy()]),
            Some(vec![shm(), legacy()]),
            Some(vec![legacy(), shm(), reader(3, Some(&["cpu"]))]),
            Some(vec![shm(), reader(3, Some(&[]))]),
            None,
        ] {
            let because = Some(Fallback::LegacySubscription);
            assert_eq!(plan(readers), Plan::Base { because });
        }
    }

    #[test]
    fn the_number_of_channels_is_limited() {
        let readers = |count: usize| -> Vec<Known> {
            let numbers = (0..count).map(|number| u8::try_from(number).unwrap());
            let peers = numbers.map(|number| reader(number, Some(&["shm"])));
            peers.chain([reader(255, Some(&["cpu"]))]).collect()
        };
        let most = plan(Some(readers(MAX_CHANNELS)));
        assert!(matches!(most, Plan::Channels { cpu: true, peers } if peers.len() == MAX_CHANNELS));
        let because = Some(Fallback::TooManySubscriptions);
        let more = plan(Some(readers(MAX_CHANNELS + 1)));
        assert_eq!(more, Plan::Base { because });
        // However many there are, no more of them are looked at.
        let backends = [Backend {
            name: "shm".to_owned(),
            metadata: String::new(),
        }];
        let mut looked = 0;
        let mut endless = std::iter::repeat_with(|| {
            looked += 1;
            Reader {
                gid: Gid([1; 16]),
                backends: Some(&backends),
            }
        });
        let endless = Plan::new(Some(&mut endless));
        assert_eq!((endless, looked), (more, MAX_CHANNELS + 1));
    }

    #[test]
    fn bytes_share_a_channel_and_the_others_have_their_own() {
        let readers = vec![
            reader(1, Some(&["cpu"])),
            reader(2, Some(&["cuda", "shm"])),
            reader(4, Some(&["shm", "cpu"])),
        ];
        let Plan::Channels { cpu, peers } = plan(Some(readers)) else {
            panic!("everybody knows buffers");
        };
        assert!(cpu);
        assert_eq!(peers.len(), 2);
        assert_eq!(peers[0].0, Gid([2; 16]));
        assert_eq!(peers[0].1.metadata("shm"), Some("of 2"));
        assert_eq!(peers[1].1.metadata("cuda"), None);
        let plan = plan(Some(vec![reader(1, Some(&["shm"]))]));
        assert!(matches!(plan, Plan::Channels { cpu: false, peers } if peers.len() == 1));
    }
}
