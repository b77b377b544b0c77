//! Which of a topic's keys a message takes, as `rmw_zenoh_cpp` decides it.
//!
//! In: the subscriptions of the topic that the graph knows. Out: the base key for all, or one channel for each need.
//! Nothing here encodes or sends.

use rosidl_buffer_runtime::Peer;

use crate::{graph::Reader, key::Gid, options::CPU};

/// Where messages go as long as the subscriptions stay the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plan {
    /// To the base key, which everybody reads: there is somebody who reads nothing else, or nobody whom we know.
    Base {
        /// Whether it is for the sake of a subscription that knows nothing of buffers.
        legacy: bool,
    },
    /// To channels, because every subscription reads one.
    Channels {
        /// Whether there are subscriptions that want bytes only; they share a channel.
        cpu: bool,
        /// The others, each with a channel of its own.
        peers: Vec<(Gid, Peer)>,
    },
}

impl Plan {
    pub(crate) fn new(readers: Vec<Reader>) -> Self {
        if readers.is_empty() {
            return Self::Base { legacy: false };
        }
        let (mut cpu, mut peers) = (false, Vec::new());
        for reader in readers {
            let Some(backends) = reader.backends else {
                return Self::Base { legacy: true };
            };
            if backends.iter().all(|backend| backend.name == CPU) {
                cpu = true;
                continue;
            }
            let backends = backends.into_iter().map(|b| (b.name, b.metadata));
            peers.push((reader.gid, backends.collect()));
        }
        Self::Channels { cpu, peers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Backend;

    fn reader(gid: u8, backends: Option<&[&str]>) -> Reader {
        let backend = |name: &&str| Backend {
            name: (*name).to_owned(),
            metadata: format!("of {gid}"),
        };
        Reader {
            gid: Gid([gid; 16]),
            backends: backends.map(|names| names.iter().map(backend).collect()),
        }
    }

    #[test]
    fn one_subscription_that_knows_no_buffers_takes_all_to_the_base_key() {
        assert_eq!(Plan::new(vec![]), Plan::Base { legacy: false });
        let shm = || reader(1, Some(&["shm"]));
        let legacy = || reader(2, None);
        for readers in [
            vec![legacy()],
            vec![shm(), legacy()],
            vec![legacy(), shm(), reader(3, Some(&["cpu"]))],
        ] {
            assert_eq!(Plan::new(readers), Plan::Base { legacy: true });
        }
    }

    #[test]
    fn bytes_share_a_channel_and_the_others_have_their_own() {
        let readers = vec![
            reader(1, Some(&["cpu"])),
            reader(2, Some(&["cuda", "shm"])),
            reader(3, Some(&[])),
            reader(4, Some(&["shm", "cpu"])),
        ];
        let Plan::Channels { cpu, peers } = Plan::new(readers) else {
            panic!("everybody knows buffers");
        };
        assert!(cpu);
        assert_eq!(peers.len(), 2);
        assert_eq!(peers[0].0, Gid([2; 16]));
        assert_eq!(peers[0].1.metadata("shm"), Some("of 2"));
        assert_eq!(peers[1].1.metadata("cuda"), None);
        let plan = Plan::new(vec![reader(1, Some(&["shm"]))]);
        assert!(matches!(plan, Plan::Channels { cpu: false, peers } if peers.len() == 1));
    }
}
