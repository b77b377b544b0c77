//! How sessions of ours on one machine find each other with no router, no configuration and nothing to listen to
//! but loopback TCP.
//!
//! Each session binds an abstract Unix socket whose name says its domain, its Zenoh id and its loopback address;
//! whoever comes later reads the names in `/proc/net/unix` and connects. The kernel removes a name with
//! its process, and shows names exactly as far as a network namespace reaches, which is how far loopback
//! addresses reach. Nothing is ever received on the socket.
//!
//! Zenoh's multicast scouting does the same job with a UDP socket bound to all interfaces, on which
//! anybody in the network could announce himself; it is the fallback where this is not available.
#![cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, unused_imports, reason = "only the fallback is there")
)]

use std::{net::SocketAddr, time::Duration};

use zenoh::{
    config::{Locator, ZenohId},
    internal::runtime::{Runtime, ZRuntime},
};

/// How long opening a session waits for those who are there already.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// After these pauses the names are read again: two sessions that start at once may miss each other, and
/// a connection may break.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_secs(3);

/// Names that are looked at: no more than Zenoh's own limit of connections, whatever a process writes there.
const MAX_PEERS: usize = 1000;

/// Another session, as its name says.
#[derive(Debug, PartialEq, Eq)]
struct Peer {
    id: ZenohId,
    locator: Locator,
}

/// The first part of the names of one domain.
fn prefix(domain: u32) -> String {
    format!("rosidl_buffer_zenoh/{domain}/")
}

/// The peers named in the text of `/proc/net/unix`. Only loopback addresses are believed.
fn parse_peers(table: &str, prefix: &str) -> Vec<Peer> {
    let marked = format!(" @{prefix}");
    let names = table.lines().filter_map(|line| line.split_once(&marked));
    names
        .filter_map(|(_, name)| {
            let (id, address) = name.split_once('/')?;
            let address: SocketAddr = address.parse().ok()?;
            let locator = format!("tcp/{address}").parse().ok()?;
            let id = id.parse().ok()?;
            address.ip().is_loopback().then_some(Peer { id, locator })
        })
        .take(MAX_PEERS)
        .collect()
}

/// The loopback address that a session listens on, if any.
fn loopback_address(locators: impl IntoIterator<Item = Locator>) -> Option<SocketAddr> {
    locators.into_iter().find_map(|locator| {
        let text = locator.to_string();
        let address: SocketAddr = text.strip_prefix("tcp/")?.parse().ok()?;
        address.ip().is_loopback().then_some(address)
    })
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        fs, io,
        os::{
            linux::net::SocketAddrExt as _,
            unix::net::{SocketAddr as UnixAddr, UnixDatagram},
        },
        sync::mpsc::{RecvTimeoutError, Sender, channel},
        thread::JoinHandle,
        time::Instant,
    };

    use super::{
        Duration, FIRST_PAUSE, FIRST_WAIT, PAUSE, Runtime, ZRuntime, loopback_address, parse_peers,
        prefix,
    };

    const TABLE: &str = "/proc/net/unix";

    /// A session's name among the others, and the thread that looks for theirs.
    pub(in crate::session) struct Rendezvous {
        _name: Option<UnixDatagram>,
        stop: Option<Sender<()>>,
        thread: Option<JoinHandle<()>>,
    }

    /// Whether abstract names can be bound and seen here.
    pub(in crate::session) fn is_available() -> bool {
        let name = format!(
            "rosidl_buffer_zenoh_probe/{:?}",
            std::thread::current().id()
        );
        let name = format!("{name}/{}", std::process::id());
        let Ok(_bound) = bind(&name) else {
            return false;
        };
        read_table().is_ok_and(|table| table.contains(&name))
    }

    impl Rendezvous {
        /// Binds the name of this session, connects to those who are there and goes on looking.
        pub(in crate::session) fn start(runtime: &Runtime, domain: u32) -> io::Result<Self> {
            let prefix = prefix(domain);
            let name = loopback_address(runtime.get_locators())
                .map(|address| bind(&format!("{prefix}{}/{address}", runtime.zid())))
                .transpose()?;
            let (stop, stopped) = channel();
            connect(runtime, &prefix, Some(FIRST_WAIT))?;
            let runtime = runtime.clone();
            let look = move || {
                let mut pause = FIRST_PAUSE;
                let mut readable = true;
                while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                    let result = connect(&runtime, &prefix, None);
                    if let (Err(error), true) = (&result, readable) {
                        tracing::warn!("{TABLE} cannot be read, trying on: {error} (said once)");
                    }
                    readable = result.is_ok();
                    pause = PAUSE;
                }
            };
            let thread = std::thread::Builder::new()
                .name("ros_rendezvous".into())
                .spawn(look)?;
            Ok(Self {
                _name: name,
                stop: Some(stop),
                thread: Some(thread),
            })
        }
    }

    impl Drop for Rendezvous {
        fn drop(&mut self) {
            drop(self.stop.take());
            if let Some(thread) = self.thread.take() {
                // The thread only looks and connects; what it could have panicked on does not matter now.
                let _ = thread.join();
            }
        }
    }

    fn bind(name: &str) -> io::Result<UnixDatagram> {
        let socket = UnixDatagram::bind_addr(&UnixAddr::from_abstract_name(name)?)?;
        // The name is all that is wanted: whatever somebody sends is refused by the kernel.
        socket.shutdown(std::net::Shutdown::Both)?;
        Ok(socket)
    }

    fn read_table() -> io::Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(TABLE)?).into_owned())
    }

    /// Connects to every named peer that is not connected yet, and waits so long for the answers.
    fn connect(runtime: &Runtime, prefix: &str, wait: Option<Duration>) -> io::Result<()> {
        let own = runtime.zid();
        let (done, answers) = channel();
        for peer in parse_peers(&read_table()?, prefix) {
            if peer.id == own {
                continue;
            }
            let (runtime, done) = (runtime.clone(), done.clone());
            ZRuntime::Net.spawn(async move {
                if !runtime
                    .connect_peer(&peer.id.into(), std::slice::from_ref(&peer.locator))
                    .await
                {
                    tracing::debug!("not connected to {peer:?} yet");
                }
                // Nobody may be waiting for the answer.
                let _ = done.send(());
            });
        }
        drop(done);
        let Some(wait) = wait else { return Ok(()) };
        let deadline = Instant::now() + wait;
        while answers
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            .is_ok()
        {}
        Ok(())
    }
}

#[cfg(target_os = "linux")]
pub(super) use linux::{Rendezvous, is_available};

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::{Rendezvous, is_available};

/// Without abstract sockets there is only multicast scouting.
#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::Runtime;

    pub(in crate::session) struct Rendezvous;

    pub(in crate::session) fn is_available() -> bool {
        false
    }

    impl Rendezvous {
        pub(in crate::session) fn start(_: &Runtime, _: u32) -> std::io::Result<Self> {
            Ok(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_read_from_the_table() {
        let table = "\
Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00000000 0002 01 11 @rosidl_buffer_zenoh/7/1a2b/127.0.0.1:4567
0000000000000000: 00000002 00000000 00000000 0002 01 12 @rosidl_buffer_zenoh/77/1a2b/127.0.0.1:4567
0000000000000000: 00000002 00000000 00000000 0002 01 13 @rosidl_buffer_zenoh/7/1a2b/192.0.2.1:4567
0000000000000000: 00000002 00000000 00000000 0002 01 14 @rosidl_buffer_zenoh/7/zz/127.0.0.1:4567
0000000000000000: 00000002 00000000 00000000 0002 01 15 @rosidl_buffer_zenoh/7/1a2b
0000000000000000: 00000002 00000000 00000000 0002 01 16 /run/rosidl_buffer_zenoh/7/1a2b/127.0.0.1:4567
0000000000000000: 00000002 00000000 00000000 0002 01 17 @rosidl_buffer_zenoh/7/3c/[::1]:80
";
        let peers = parse_peers(table, &prefix(7));
        let texts: Vec<String> = peers
            .iter()
            .map(|peer| format!("{} {}", peer.id, peer.locator))
            .collect();
        assert_eq!(texts, ["1a2b tcp/127.0.0.1:4567", "3c tcp/[::1]:80"]);
    }

    proptest::proptest! {
        #[test]
        fn hostile_names_never_panic(name in "\\PC{0,60}", id in "[0-9a-fA-F]{0,40}", port in "[0-9:.]{0,20}") {
            parse_peers(&format!(" @rosidl_buffer_zenoh/7/{name}"), &prefix(7));
            parse_peers(&format!(" @rosidl_buffer_zenoh/7/{id}/127.0.0.1:{port}"), &prefix(7));
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn abstract_names_are_seen_here() {
        assert!(is_available());
    }
}
