//! Leases between two mappings, files that are none, and a real `fork`.

use std::fs::File;
use std::io::ErrorKind;

use super::super::cell;
use super::*;

/// A memfd with these seals.
fn sealed(len: u64, seals: SealFlags) -> OwnedFd {
    let fd = memfd("rosidl_buffer-test", len).unwrap();
    seal(fd.as_fd(), seals).unwrap();
    fd
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no memfd")]
fn both_sides_see_the_same_cells() {
    let (writer, fd) = Lease::create().unwrap();
    let reader = Lease::open(fd).unwrap();
    for index in [0, 1, 1023] {
        assert!(cell::publish(writer.cell(index).unwrap(), 5));
        assert_eq!(cell::take(reader.cell(index).unwrap(), 5), Ok(()));
        assert_eq!(cell::state(writer.cell(index).unwrap()).held, 1);
    }
    assert!(
        cell::state(writer.cell(2).unwrap()).is_free(),
        "the cells are apart"
    );
    assert!(writer.cell(1024).is_none());
    assert!(reader.cell(u32::MAX).is_none());
}

#[test]
fn a_private_lease_is_one_too() {
    let lease = Lease::private().unwrap();
    assert!((0..1024).all(|index| cell::state(lease.cell(index).unwrap()).is_free()));
    assert!(cell::publish(lease.cell(1023).unwrap(), 1));
    assert_eq!(cell::take(lease.cell(1023).unwrap(), 1), Ok(()));
    assert!(lease.cell(1024).is_none());
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no memfd")]
fn what_is_no_lease_is_refused() {
    let len = LEASE_LEN as u64;
    let refused = |what: &str, fd: OwnedFd| {
        let error = Lease::open(fd).expect_err(what);
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{what}: {error}");
        assert!(error.to_string().starts_with("lease: "), "{what}: {error}");
    };
    refused("not sealed", memfd("rosidl_buffer-test", len).unwrap());
    for seal in LEASE_SEALS {
        refused("a seal is missing", sealed(len, LEASE_SEALS - seal));
    }
    refused("short", sealed(len - 1, LEASE_SEALS));
    refused("long", sealed(len + 1, LEASE_SEALS));
    refused("empty", sealed(0, LEASE_SEALS));
    refused("pipe", io::pipe().unwrap().0.into());
    refused("device", File::open("/dev/zero").unwrap().into());
    refused("file", File::open("Cargo.toml").unwrap().into());
    refused("directory", File::open("/").unwrap().into());

    for seal in [SealFlags::WRITE, SealFlags::FUTURE_WRITE] {
        let error = Lease::open(sealed(len, LEASE_SEALS | seal)).unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::PermissionDenied,
            "sealed against writing"
        );
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no memfd")]
fn the_size_of_a_lease_is_final() {
    let (_lease, fd) = Lease::create().unwrap();
    for len in [0, LEASE_LEN as u64 - 1, LEASE_LEN as u64 + 1] {
        assert_eq!(rustix::fs::ftruncate(&fd, len), Err(Errno::PERM));
    }
    assert_eq!(
        rustix::fs::fcntl_add_seals(&fd, SealFlags::FUTURE_WRITE),
        Err(Errno::PERM)
    );
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no memfd")]
fn lengths_that_cannot_be_mapped() {
    let fd = memfd("rosidl_buffer-test", 4096).unwrap();
    for len in [0, isize::MAX as usize + 1, usize::MAX] {
        for mapping in [
            Mapping::read_only(fd.as_fd(), len),
            Mapping::writable(fd.as_fd(), len),
            Mapping::anonymous(len),
        ] {
            assert_eq!(
                mapping.unwrap_err().kind(),
                ErrorKind::InvalidInput,
                "{len}"
            );
        }
    }
    let error = Mapping::anonymous(isize::MAX as usize).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no memfd")]
fn memfds_are_not_inherited() {
    let fd = memfd("rosidl_buffer-test", 1).unwrap();
    let flags = rustix::io::fcntl_getfd(&fd).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no fork")]
fn a_child_knows_that_it_is_one() {
    let guard = ForkGuard::new().unwrap();
    assert!(!guard.is_child());
    // SAFETY: the child only reads memory and leaves through `_exit`; it takes no lock and runs no destructor.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let status = i32::from(!guard.is_child());
        // SAFETY: ends the child; nothing of the parent is touched.
        unsafe { libc::_exit(status) };
    }
    let child = rustix::process::Pid::from_raw(child).expect("fork failed");
    let options = rustix::process::WaitOptions::empty();
    let (_, status) = rustix::process::waitpid(Some(child), options)
        .unwrap()
        .unwrap();
    assert_eq!(
        status.exit_status(),
        Some(0),
        "the child took itself for its parent"
    );
    assert!(!guard.is_child(), "the parent stays what it was");
}
