//! How two processes talk: packets over an abstract Unix socket, with at most one file descriptor each.
//!
//! A name in the abstract namespace has no file, so nothing is left behind, but anyone in the network namespace may
//! connect: [`Connection::credentials`] are the kernel's word on who it is. Sockets never block, are closed on `exec`,
//! and what comes in is taken whole or refused with all its descriptors closed. What the packets mean is not known here.

use core::fmt;
use core::mem::MaybeUninit;
use core::num::NonZeroI32;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Connections that wait to be accepted; one more, and the connecting side is told to try again.
const BACKLOG: i32 = 128;

/// Name of a socket: random, so that nobody can guess it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SocketName(pub(crate) [u8; 16]);

impl fmt::Display for SocketName {
    /// As `ss -xl` shows it, after an `@`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rosidl_buffer-{:032x}", u128::from_be_bytes(self.0))
    }
}

impl SocketName {
    fn address(self) -> io::Result<SocketAddrUnix> {
        Ok(SocketAddrUnix::new_abstract_name(
            self.to_string().as_bytes(),
        )?)
    }
}

fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        flags,
        None,
    )?)
}

/// A socket that others connect to.
#[derive(Debug)]
pub(crate) struct Listener(OwnedFd);

impl Listener {
    /// Takes the name; it is free again when the last copy of the socket is closed.
    pub(crate) fn bind(name: &SocketName) -> io::Result<Self> {
        let socket = socket()?;
        rustix::net::bind(&socket, &name.address()?)?;
        rustix::net::listen(&socket, BACKLOG)?;
        Ok(Self(socket))
    }

    /// The next connection; `None` if nobody is waiting.
    ///
    /// When the process has no file descriptor left (`EMFILE`), the connection goes on waiting and the socket stays
    /// readable: whoever polls it must pause, or it spins.
    pub(crate) fn accept(&self) -> io::Result<Option<Connection>> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        loop {
            return match rustix::net::accept_with(&self.0, flags) {
                Ok(socket) => Ok(Some(Connection(socket))),
                Err(Errno::INTR | Errno::CONNABORTED) => continue,
                Err(Errno::AGAIN) => Ok(None),
                Err(error) => Err(error.into()),
            };
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Who the other end is, as the kernel noted when the connection was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// Effective user; a user that this user namespace does not know shows as the overflow user, 65534.
    pub(crate) uid: u32,
    /// Process, as this pid namespace sees it; `None` if it does not.
    pub(crate) pid: Option<NonZeroI32>,
}

/// What came in.
#[derive(Debug)]
pub(crate) enum Received {
    /// The first `len` bytes of the buffer, and the descriptor that came with them.
    Message { len: usize, fd: Option<OwnedFd> },
    /// The other end is closed; nothing will come any more.
    Closed,
}

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct Connection(OwnedFd);

impl Connection {
    /// Connects without waiting.
    ///
    /// `ConnectionRefused`: nobody has the name (here: in this network namespace). `WouldBlock`: too many are waiting to be accepted.
    pub(crate) fn connect(name: &SocketName) -> io::Result<Self> {
        let (socket, address) = (socket()?, name.address()?);
        retry_on_intr(|| rustix::net::connect(&socket, &address))?;
        Ok(Self(socket))
    }

    /// Who the other end is: who connected, or who listened.
    pub(crate) fn credentials(&self) -> io::Result<Credentials> {
        // Not rustix's: its `Pid` cannot be 0, which the kernel says of processes outside of this pid namespace.
        let [pid, uid, _gid] = self.option(libc::SO_PEERCRED)?;
        let (uid, pid) = (uid.cast_unsigned(), NonZeroI32::new(pid));
        Ok(Credentials { uid, pid })
    }

    /// A descriptor that becomes readable when the other end's process ends, even if a child of it keeps the socket open;
    /// `None` where there is none to be had: an old kernel, another pid namespace, no descriptor left.
    pub(crate) fn exit_signal(&self) -> Option<OwnedFd> {
        // Since Linux 6.5, and proof against a pid that was given to another process meanwhile.
        if let Ok([fd]) = self.option(libc::SO_PEERPIDFD)
            && fd >= 0
        {
            // SAFETY: the kernel made this descriptor for the call above, so it is open and nobody else owns it.
            return Some(unsafe { OwnedFd::from_raw_fd(fd) });
        }
        let pid = Pid::from_raw(self.credentials().ok()?.pid?.get())?;
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => Some(fd),
            // Ended already: a descriptor that is readable from the start.
            Err(Errno::SRCH) => eventfd(1, EventfdFlags::CLOEXEC).ok(),
            Err(_) => None,
        }
    }

    /// A socket option of level `SOL_SOCKET` that is `N` numbers.
    fn option<const N: usize>(&self, name: libc::c_int) -> io::Result<[i32; N]> {
        let mut value = [-1_i32; N];
        let size = libc::socklen_t::try_from(size_of_val(&value)).map_err(io::Error::other)?;
        let mut len = size;
        let into = value.as_mut_ptr().cast();
        let socket = self.0.as_raw_fd();
        // SAFETY: the socket is open; `into` points to `len` bytes that may be written with any bits, and outlives the call.
        let done = unsafe { libc::getsockopt(socket, libc::SOL_SOCKET, name, into, &raw mut len) };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
        if len != size {
            return Err(invalid("a socket option has another size than expected"));
        }
        Ok(value)
    }

    /// Whether the other end is closed, also if something is still to be read.
    pub(crate) fn is_closed(&self) -> bool {
        let mut polled = [PollFd::new(&self.0, PollFlags::RDHUP)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let found = retry_on_intr(|| poll(&mut polled, Some(&now)));
        let ended = PollFlags::HUP | PollFlags::RDHUP | PollFlags::ERR;
        found.is_ok() && polled[0].revents().intersects(ended)
    }

    /// Sends one packet, with a descriptor if there is one; the other end gets its own copy.
    ///
    /// `WouldBlock`: the other end does not read, nothing was sent. `BrokenPipe` or `ConnectionReset`: it is closed.
    pub(crate) fn send(&self, bytes: &[u8], fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
        if bytes.is_empty() {
            // The other end could not tell it from the end of the connection.
            let text = "an empty packet cannot be sent";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if fd.is_some() && !control.push(SendAncillaryMessage::ScmRights(fd.as_slice())) {
            return Err(io::Error::other(
                "a descriptor does not fit beside a packet",
            ));
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let packet = [IoSlice::new(bytes)];
        let sent = retry_on_intr(|| rustix::net::sendmsg(&self.0, &packet, &mut control, flags))?;
        if sent != bytes.len() {
            return Err(invalid("a packet was sent in part"));
        }
        Ok(())
    }

    /// Receives one packet.
    ///
    /// `WouldBlock`: nothing is there. `InvalidData`: the packet is longer than `into` or came with more than one
    /// descriptor; it is gone then, and all its descriptors are closed. A descriptor that this process has no room for (or
    /// is not allowed to have) does not come along.
    pub(crate) fn receive(&self, into: &mut [u8]) -> io::Result<Received> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let mut packet = [IoSliceMut::new(into)];
        let message =
            retry_on_intr(|| rustix::net::recvmsg(&self.0, &mut packet, &mut control, flags));
        let message = match message {
            // The other end closed without having read all that was sent to it.
            Err(Errno::CONNRESET) => return Ok(Received::Closed),
            other => other?,
        };
        let mut fds = control
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(fds) => Some(fds),
                _ => None,
            })
            .flatten();
        let fd = fds.next();
        let more = fds.count();
        // Cut off without a descriptor means that this process has no room for one; the packet itself still counts.
        if more > 0 || (message.flags.contains(ReturnFlags::CTRUNC) && fd.is_some()) {
            return Err(invalid("a packet came with more than one file descriptor"));
        }
        if message.flags.contains(ReturnFlags::TRUNC) {
            return Err(invalid("a packet is longer than any message"));
        }
        Ok(match message.bytes {
            0 => Received::Closed,
            len => Received::Message { len, fd },
        })
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
#[cfg(not(miri))] // which has no such sockets
mod tests;
