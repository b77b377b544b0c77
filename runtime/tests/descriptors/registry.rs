//! Backends by name.

use std::sync::Arc;

use rosidl_buffer_runtime::{BackendRegistry, BufferBackend as _, Peer, RegisterError};

use super::depot::Depot;
use super::mailbox::Mailbox;

#[test]
fn names_are_checked_and_sorted() {
    let mut registry = BackendRegistry::new();
    for name in ["shm", "cuda", "my_memory2"] {
        registry.register(Depot::new(name)).unwrap();
    }
    assert!(registry.names().eq(["cuda", "my_memory2", "shm"]));
    assert_eq!(format!("{registry:?}"), r#"{"cuda", "my_memory2", "shm"}"#);
    assert_eq!(
        registry.register(Depot::new("shm")),
        Err(RegisterError::Duplicate("shm".into()))
    );
    assert_eq!(
        registry.register(Depot::new("cpu")),
        Err(RegisterError::Reserved)
    );
    for name in [
        "", "Shm", "a b", "a:b", "a;b", "a,b", "a/b", "ü", "a-b", "a\0",
    ] {
        let error = registry.register(Depot::new(name)).unwrap_err();
        assert_eq!(error, RegisterError::Name(name.into()));
        assert!(error.to_string().contains("letters a to z"), "{error}");
    }
    assert_eq!(registry.names().count(), 3);
}

#[test]
fn a_backend_is_found_by_its_name_and_type() {
    let mut registry = BackendRegistry::new();
    let (near, _far) = Mailbox::pair("hall");
    registry.register(Arc::clone(&near)).unwrap();
    let found = registry.backend::<Mailbox>("mailbox").unwrap();
    assert!(std::ptr::eq(found, Arc::as_ptr(&near)));
    assert!(registry.backend::<Depot>("mailbox").is_none());
    assert!(registry.backend::<Mailbox>("shm").is_none());
}

#[test]
fn a_clone_is_a_registry_of_its_own() {
    let mut first = BackendRegistry::new();
    first.register(Depot::new("shm")).unwrap();
    let mut second = first.clone();
    second.register(Depot::new("cuda")).unwrap();
    assert!(first.contains("shm") && !first.contains("cuda"));
    assert!(second.contains("shm") && second.contains("cuda"));
}

#[test]
fn what_is_not_here_is_neither_ready_nor_readable() {
    let mut registry = BackendRegistry::new();
    let (near, far) = Mailbox::pair("hall");
    registry.register(Arc::clone(&near)).unwrap();
    assert!(registry.is_host_readable("mailbox") && !registry.is_host_readable("shm"));
    assert!(!registry.has_host_pool("mailbox") && !registry.has_host_pool("shm"));
    let metadata = far.backend_metadata();
    assert!(registry.is_ready("mailbox", &metadata) && !registry.is_ready("shm", &metadata));
    assert!(!registry.is_ready("mailbox", "elsewhere"));
    registry.on_discovering_endpoint("shm", &metadata);
    assert_eq!(
        registry.endpoint_backends(),
        [("mailbox".to_owned(), near.backend_metadata())]
    );
}

#[test]
fn of_a_peer_that_names_a_backend_twice_the_first_counts() {
    let pairs = [("shm", "1"), ("cpu", ""), ("shm", "2")];
    let owned = pairs.map(|(name, metadata)| (name.to_owned(), metadata.to_owned()));
    let peer: Peer = owned.into_iter().collect();
    assert_eq!(peer.metadata("shm"), Some("1"));
    assert_eq!(peer.metadata("cuda"), None);
    assert!(peer.backends().eq(pairs));
    assert_eq!(Peer::new(), Peer::default());
}
