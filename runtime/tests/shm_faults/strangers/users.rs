//! Processes of other users: refused, unless both sides allow it.

use rosidl_buffer_runtime::{BackendError, BufferBackend as _};

use super::still_serves;
use crate::{
    counts::{SOON, alone},
    frames,
    other::{self, Other, Settings},
};

const NOBODY: u32 = 65534;

/// Whether another user can run this binary at all.
fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("skipped: only root can start a process of another user");
    }
    root
}

#[test]
fn another_user_is_refused_and_gets_bytes() {
    let _turn = alone();
    if !is_root() {
        return;
    }
    let shm = Settings::default().build().unwrap();
    let mut other = Other::with(&Settings {
        uid: Some(NOBODY),
        ..Settings::default()
    });
    let answer = other.ask(&format!("connect {}", shm.backend_metadata()));
    assert!(answer.starts_with("error Disconnected("), "{answer}");
    assert!(answer.contains("user"), "it says why: {answer}");
    let error = shm.connect(&other.metadata, SOON).unwrap_err();
    assert!(
        matches!(&error, BackendError::Disconnected(why) if why.contains("user")),
        "{error:?}"
    );
    assert_eq!((shm.stats().readers, shm.stats().writers), (0, 0));
    let (_, descriptor) = other::send(&shm, &other.metadata, 1, 10_000).unwrap();
    assert_eq!(descriptor, None);
    still_serves(&shm);
}

#[test]
fn another_user_is_let_in_where_both_allow_it() {
    let _turn = alone();
    if !is_root() {
        return;
    }
    let shm = Settings {
        allow: Some(NOBODY),
        ..Settings::default()
    }
    .build()
    .unwrap();
    let mut other = Other::with(&Settings {
        uid: Some(NOBODY),
        allow: Some(0),
        ..Settings::default()
    });
    assert_eq!(
        other.ask(&format!("connect {}", shm.backend_metadata())),
        "ok"
    );
    assert!(shm.wait_for_reader(&other.metadata, SOON));
    let (_, descriptor) = other::send(&shm, &other.metadata, 1, 10_000).unwrap();
    let hex = frames::to_hex(&descriptor.unwrap());
    assert_eq!(other.ask(&format!("take {hex}")), "frame 1");
}
