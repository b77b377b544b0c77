//! Two ends in one process, and real peers that die: this test binary starts itself anew for those.
//!
//! A test that forks has copies of all descriptors for a moment, so what ends here is given some seconds to end.
//! Whether descriptors are closed is seen at the other end of a pipe: it reports the end only when every copy is gone.

use std::io::ErrorKind;
use std::process::{Child, Command};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::FdFlags;
use rustix::process::{Resource, Rlimit};

use super::*;

fn random_name() -> SocketName {
    let mut name = [0; 16];
    rustix::rand::getrandom(&mut name, rustix::rand::GetRandomFlags::empty()).unwrap();
    SocketName(name)
}

fn listener() -> (SocketName, Listener) {
    let name = random_name();
    (name, Listener::bind(&name).unwrap())
}

fn pair() -> (Connection, Connection) {
    let (name, listener) = listener();
    let ours = Connection::connect(&name).unwrap();
    (ours, listener.accept().unwrap().unwrap())
}

/// Whether there is something to read, or the end, within seconds.
fn is_ready(fd: impl AsFd) -> bool {
    let time = Timespec {
        tv_sec: 10,
        tv_nsec: 0,
    };
    retry_on_intr(|| poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&time))).unwrap() > 0
}

/// What `f` gives, within seconds.
fn wait_for<T>(f: impl Fn() -> Option<T>) -> T {
    for _ in 0..1_000 {
        if let Some(found) = f() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("waited in vain");
}

/// The reading end of a pipe and its writing end.
fn pipe() -> (OwnedFd, OwnedFd) {
    let (reading, writing) = io::pipe().unwrap();
    (reading.into(), writing.into())
}

fn assert_closed_everywhere(reading: OwnedFd, writing: OwnedFd) {
    drop(writing);
    assert!(
        is_ready(reading),
        "somebody still has the other end of the pipe"
    );
}

/// Sends whatever the kernel lets through.
fn send_raw(from: &Connection, bytes: &[u8], fds: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(fds)));
    let flags = SendFlags::NOSIGNAL;
    rustix::net::sendmsg(from, &[IoSlice::new(bytes)], &mut control, flags).unwrap();
}

fn receive_error(from: &Connection) -> io::Error {
    from.receive(&mut [0; 256]).unwrap_err()
}

#[test]
fn packets_come_whole_and_in_order() {
    let (a, b) = pair();
    let mut into = [0; 256];
    assert_eq!(receive_error(&b).kind(), ErrorKind::WouldBlock);
    a.send(b"first", None).unwrap();
    a.send(&[7; 256], None).unwrap();
    let received = b.receive(&mut into).unwrap();
    assert!(matches!(received, Received::Message { len: 5, fd: None }));
    assert_eq!(&into[..5], b"first");
    let received = b.receive(&mut into).unwrap();
    assert!(matches!(received, Received::Message { len: 256, fd: None }));
    assert_eq!(into, [7; 256]);
    assert_eq!(receive_error(&b).kind(), ErrorKind::WouldBlock);
    b.send(b"back", None).unwrap();
    assert!(matches!(
        a.receive(&mut into).unwrap(),
        Received::Message { len: 4, fd: None }
    ));
    assert_eq!(
        a.send(b"", None).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
}

#[test]
fn a_descriptor_travels() {
    let (a, b) = pair();
    let (reading, writing) = pipe();
    a.send(b"pipe", Some(writing.as_fd())).unwrap();
    let Received::Message {
        len: 4,
        fd: Some(copy),
    } = b.receive(&mut [0; 256]).unwrap()
    else {
        panic!("no descriptor");
    };
    rustix::io::write(&copy, b"through it").unwrap();
    assert_eq!(rustix::io::read(&reading, &mut [0; 16]), Ok(10));
    drop(copy);
    assert_closed_everywhere(reading, writing);
}

#[test]
fn nothing_is_inherited() {
    let (name, listener) = listener();
    let connected = Connection::connect(&name).unwrap();
    let accepted = listener.accept().unwrap().unwrap();
    connected.send(b"socket", Some(listener.as_fd())).unwrap();
    let Received::Message {
        fd: Some(received), ..
    } = accepted.receive(&mut [0; 256]).unwrap()
    else {
        panic!("no descriptor");
    };
    let signal = accepted.exit_signal().expect("kernel without pidfd");
    for fd in [
        listener.as_fd(),
        connected.as_fd(),
        accepted.as_fd(),
        received.as_fd(),
        signal.as_fd(),
    ] {
        assert!(
            rustix::io::fcntl_getfd(fd)
                .unwrap()
                .contains(FdFlags::CLOEXEC)
        );
    }
}

#[test]
fn more_than_one_descriptor_is_refused() {
    // 2 fit the space that alignment leaves, 20 do not: the kernel then cuts them off.
    for count in [2, 3, 20, 253] {
        let (a, b) = pair();
        let (reading, writing) = pipe();
        send_raw(&a, b"too many", &vec![writing.as_fd(); count]);
        assert_eq!(receive_error(&b).kind(), ErrorKind::InvalidData, "{count}");
        assert_closed_everywhere(reading, writing);
        a.send(b"next", None).unwrap();
        assert!(matches!(
            b.receive(&mut [0; 256]).unwrap(),
            Received::Message { len: 4, fd: None }
        ));
    }
}

#[test]
fn a_packet_that_is_too_long_is_refused() {
    let (a, b) = pair();
    let (reading, writing) = pipe();
    a.send(&[1; 257], Some(writing.as_fd())).unwrap();
    assert_eq!(receive_error(&b).kind(), ErrorKind::InvalidData);
    assert_closed_everywhere(reading, writing);
}

#[test]
fn the_end_of_a_connection() {
    let (a, b) = pair();
    a.send(b"last words", None).unwrap();
    assert!(!b.is_closed());
    drop(a);
    wait_for(|| b.is_closed().then_some(()));
    let mut into = [0; 256];
    assert!(matches!(
        b.receive(&mut into).unwrap(),
        Received::Message { len: 10, fd: None }
    ));
    assert!(is_ready(&b));
    assert!(matches!(b.receive(&mut into).unwrap(), Received::Closed));
    assert_eq!(
        b.send(b"anybody?", None).unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );

    let (a, b) = pair();
    b.send(b"never read", None).unwrap();
    drop(a);
    assert!(is_ready(&b));
    assert!(
        matches!(b.receive(&mut into).unwrap(), Received::Closed),
        "no error"
    );

    let (a, b) = pair();
    let (reading, writing) = pipe();
    send_raw(&a, b"", &[writing.as_fd()]);
    assert!(
        matches!(b.receive(&mut into).unwrap(), Received::Closed),
        "an empty packet"
    );
    assert_closed_everywhere(reading, writing);
}

#[test]
fn nobody_waits_for_a_peer_that_does_not_read() {
    let (a, b) = pair();
    let (sent, error) = count_until_error(|| a.send(&[0; 256], None));
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    let (received, _) = count_until_error(|| b.receive(&mut [0; 256]).map(drop));
    assert_eq!(received, sent, "what was sent is there, and no more");
    a.send(b"again", None).unwrap();
}

#[test]
fn nobody_waits_for_a_listener_that_does_not_accept() {
    let (name, listener) = listener();
    let mut waiting = Vec::new();
    let (_, error) = count_until_error(|| {
        waiting.push(Connection::connect(&name)?);
        Ok(())
    });
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert!(listener.accept().unwrap().is_some());
    Connection::connect(&name).unwrap();
}

fn count_until_error(mut f: impl FnMut() -> io::Result<()>) -> (usize, io::Error) {
    for count in 0..1_000_000 {
        if let Err(error) = f() {
            return (count, error);
        }
    }
    panic!("no end of it");
}

#[test]
fn a_name_has_one_listener() {
    let (name, listener) = listener();
    let address = rustix::net::getsockname(&listener).unwrap();
    let address = SocketAddrUnix::try_from(address).unwrap();
    assert_eq!(address.abstract_name(), Some(name.to_string().as_bytes()));
    assert_eq!(name.to_string().len(), "rosidl_buffer-".len() + 32);
    assert_eq!(
        SocketName([0xa0; 16]).to_string(),
        format!("rosidl_buffer-{}", "a0".repeat(16))
    );

    assert_eq!(
        Listener::bind(&name).unwrap_err().kind(),
        ErrorKind::AddrInUse
    );
    assert!(listener.accept().unwrap().is_none(), "nobody came");
    let other = Connection::connect(&random_name()).unwrap_err();
    assert_eq!(other.kind(), ErrorKind::ConnectionRefused);
    drop(listener);
    let again = wait_for(|| Listener::bind(&name).ok());
    drop(again);
    wait_for(|| Connection::connect(&name).err());
}

#[test]
fn the_kernel_says_who_it_is() {
    let (a, b) = pair();
    let uid = rustix::process::geteuid().as_raw();
    let pid = NonZeroI32::new(rustix::process::getpid().as_raw_nonzero().get());
    assert_eq!(a.credentials().unwrap(), Credentials { uid, pid });
    assert_eq!(b.credentials().unwrap(), Credentials { uid, pid });
}

const ROLE: &str = "ROSIDL_BUFFER_TEST_ROLE";

/// This test binary, to run the one test in another process; `role` is what the test finds in the variable [`ROLE`].
fn anew(test: &str, role: &str) -> Command {
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", &format!("{module}::{test}"), "--nocapture"])
        .env(ROLE, role);
    command
}

/// In a process of its own, because the limit is the process's.
#[test]
fn no_descriptor_left() {
    if std::env::var(ROLE).is_err() {
        assert!(
            anew("no_descriptor_left", "child")
                .status()
                .unwrap()
                .success()
        );
        return;
    }
    let (name, listener) = listener();
    let (a, b) = pair();
    let (reading, writing) = pipe();
    a.send(b"pipe", Some(writing.as_fd())).unwrap();
    a.send(b"next", None).unwrap();
    let early = Connection::connect(&name).unwrap();

    let before = rustix::process::getrlimit(Resource::Nofile);
    let lowest_free = u64::try_from(rustix::io::dup(&a).unwrap().as_raw_fd()).unwrap();
    let none = Rlimit {
        current: Some(lowest_free),
        maximum: before.maximum,
    };
    rustix::process::setrlimit(Resource::Nofile, none).unwrap();
    let accepted = listener.accept().unwrap_err();
    let connected = Connection::connect(&name).unwrap_err();
    let received = b.receive(&mut [0; 256]).unwrap();
    let signal = b.exit_signal();
    rustix::process::setrlimit(Resource::Nofile, before).unwrap();

    for error in [accepted, connected] {
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
    }
    assert!(matches!(received, Received::Message { len: 4, fd: None }));
    assert!(signal.is_none());
    assert_closed_everywhere(reading, writing);
    assert!(matches!(
        b.receive(&mut [0; 256]).unwrap(),
        Received::Message { len: 4, fd: None }
    ));
    let late = listener.accept().unwrap().expect("goes on waiting");
    early.send(b"hello", None).unwrap();
    assert!(matches!(
        late.receive(&mut [0; 256]).unwrap(),
        Received::Message { len: 5, fd: None }
    ));
}

/// A peer that is killed while a child of it keeps the connection open.
#[test]
fn the_end_of_a_peer_that_has_a_child() {
    if let Ok(name) = std::env::var(ROLE) {
        let name = u128::from_str_radix(&name, 16).unwrap().to_be_bytes();
        peer_with_a_child(&SocketName(name));
    }
    let (name, listener) = listener();
    let hex = format!("{:032x}", u128::from_be_bytes(name.0));
    let peer = Killed(
        anew("the_end_of_a_peer_that_has_a_child", &hex)
            .spawn()
            .unwrap(),
    );
    let (connection, mut into) = (wait_for(|| listener.accept().unwrap()), [0; 256]);
    assert!(
        is_ready(&connection),
        "the peer says when its child is there"
    );
    assert!(matches!(
        connection.receive(&mut into).unwrap(),
        Received::Message { len: 6, .. }
    ));
    let pid = NonZeroI32::new(i32::try_from(peer.0.id()).unwrap());
    assert_eq!(connection.credentials().unwrap().pid, pid);

    let signal = connection.exit_signal().expect("kernel without pidfd");
    let no_time = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let now = poll(&mut [PollFd::new(&signal, PollFlags::IN)], Some(&no_time));
    assert_eq!(now, Ok(0), "it lives");
    drop(peer);
    assert!(is_ready(&signal), "its end is told");
    assert_eq!(
        receive_error(&connection).kind(),
        ErrorKind::WouldBlock,
        "the child is there"
    );
    let signal = connection.exit_signal().expect("kernel without pidfd");
    assert!(is_ready(&signal), "told as well to one who asks too late");
}

/// Connects, starts a child that waits for the end of the connection, and waits to be killed.
fn peer_with_a_child(name: &SocketName) -> ! {
    let connection = Connection::connect(name).unwrap();
    // SAFETY: the child makes one system call on memory of its own and leaves through `_exit`.
    if unsafe { libc::fork() } == 0 {
        let _ended = poll(&mut [PollFd::new(&connection, PollFlags::IN)], None);
        // SAFETY: ends the child; nothing of its parent is touched.
        unsafe { libc::_exit(0) };
    }
    connection.send(b"forked", None).unwrap();
    loop {
        std::thread::park();
    }
}

/// Killed and waited for at the end.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}
