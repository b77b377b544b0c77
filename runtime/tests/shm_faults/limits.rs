//! Systems that lack something: file descriptors, memfd, /proc, the same namespaces.

use std::{
    io::Error,
    process::{Command, Stdio},
    time::Duration,
};

use rosidl_buffer_runtime::{AllocateError, BackendError, BufferBackend as _, shm::ShmBackend};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::{
    counts::{SOON, alone, within},
    frames,
    other::{Other, Settings, send, take},
};

/// What the other process does without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// At most 64 open files.
    Files,
    /// The kernel does not know `memfd_create`.
    NoMemfd,
}

impl Limit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::NoMemfd => "memfd",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Files, Self::NoMemfd]
            .into_iter()
            .find(|limit| limit.name() == name)
    }

    /// In the other process, before it does anything.
    pub(crate) fn impose(self) {
        match self {
            Self::Files => {
                let limit = Rlimit {
                    current: Some(64),
                    maximum: Some(64),
                };
                setrlimit(Resource::Nofile, limit).unwrap();
            }
            Self::NoMemfd => {
                if let Err(error) = forbid_memfd() {
                    println!("\n> no seccomp here: {error}");
                }
            }
        }
    }
}

/// From now on `memfd_create` answers as a kernel that does not have it, to this thread and those that it starts.
fn forbid_memfd() -> Result<(), Error> {
    let statement = |code: u32, jump: (u8, u8), operand: u32| libc::sock_filter {
        code: u16::try_from(code).unwrap(),
        jt: jump.0,
        jf: jump.1,
        k: operand,
    };
    let number = u32::try_from(libc::SYS_memfd_create).unwrap();
    let missing = libc::SECCOMP_RET_ERRNO | u32::try_from(libc::ENOSYS).unwrap();
    let mut program = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, (0, 0), 0),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, (0, 1), number),
        statement(libc::BPF_RET | libc::BPF_K, (0, 0), missing),
        statement(libc::BPF_RET | libc::BPF_K, (0, 0), libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: 4,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: takes numbers only.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY: `program` points to four instructions that outlive the call; the kernel checks and copies them.
    let done = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    if done != 0 {
        return Err(Error::last_os_error());
    }
    Ok(())
}

/// Whether a process can be started like this here; says so if not.
fn possible(under: &[&str]) -> bool {
    let (first, rest) = under.split_first().unwrap();
    let mut command = Command::new(first);
    command.args(rest).arg("true");
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let possible = status.is_ok_and(|status| status.success());
    if !possible {
        println!("skipped: `{}` is refused here", under.join(" "));
    }
    possible
}

/// In the other process: to itself, through the own engine.
pub(crate) fn hand_over_locally(
    shm: &ShmBackend,
    number: u64,
    len: usize,
) -> Result<String, String> {
    let (buffer, descriptor) = send(shm, &shm.backend_metadata(), number, len)?;
    let (found, handle) = take(shm, &descriptor.ok_or("none")?)?;
    let same = buffer.as_slice().unwrap().as_ptr() == handle.as_ptr();
    Ok(format!(
        "frame {found}{}",
        if same { "" } else { " copied" }
    ))
}

/// In the other process: blocks until there are no more, which are then given back.
pub(crate) fn allocate_until_it_fails(shm: &ShmBackend, len: usize) -> Result<String, String> {
    let mut blocks = Vec::new();
    loop {
        match shm.try_allocate(len) {
            Ok(block) => blocks.push(block),
            Err(AllocateError::Memory { source, .. }) => {
                return Ok(format!(
                    "{} {}",
                    blocks.len(),
                    source.raw_os_error().unwrap_or(0)
                ));
            }
            Err(error) => return Err(format!("{error:?}")),
        }
    }
}

/// Both directions between this process and another one work.
fn works_both_ways(shm: &ShmBackend, other: &mut Other, number: u64) {
    let own = shm.backend_metadata();
    assert_eq!(other.ask(&format!("connect {own}")), "ok");
    assert!(shm.wait_for_reader(&other.metadata, SOON));
    let (_, descriptor) = send(shm, &other.metadata, number, 10_000).unwrap();
    let hex = frames::to_hex(&descriptor.expect("connected"));
    assert_eq!(other.ask(&format!("take {hex}")), format!("frame {number}"));
    shm.connect(&other.metadata, SOON).unwrap();
    assert_eq!(other.ask(&format!("sees {own}")), "true");
    let hex = other.ask(&format!("send {own} {number} 10000"));
    assert_eq!(take(shm, &frames::from_hex(&hex)).unwrap().0, number);
}

#[test]
fn a_writer_out_of_file_descriptors_says_so_and_goes_on() {
    let _turn = alone();
    let shm = Settings::default().build().unwrap();
    let mut other = Other::with(&Settings {
        max_blocks: 1000,
        limit: Some(Limit::Files),
        ..Settings::default()
    });
    works_both_ways(&shm, &mut other, 1);
    let answer = other.ask("exhaust 10000");
    let (blocks, code) = answer.split_once(' ').unwrap();
    assert_eq!(code.parse(), Ok(libc::EMFILE), "{answer}");
    assert!((20..64).contains(&blocks.parse().unwrap()), "{answer}");
    works_both_ways(&shm, &mut other, 2);
    // Free blocks give up their descriptors to let in who comes anew.
    assert_eq!(other.ask("fill"), "ok");
    let late = Settings::default().build().unwrap();
    within(SOON, "let in after all", || {
        late.connect(&other.metadata, Duration::from_millis(200))
            .is_ok()
    });
    works_both_ways(&shm, &mut other, 3);
    assert_eq!(other.ask("unfill"), "ok");
}

#[test]
fn a_reader_out_of_file_descriptors_loses_a_frame_and_no_more() {
    let _turn = alone();
    let shm = Settings::default().build().unwrap();
    let mut other = Other::with(&Settings {
        limit: Some(Limit::Files),
        ..Settings::default()
    });
    works_both_ways(&shm, &mut other, 1);
    // A hundred blocks, each a descriptor on its way: none of them stays open over there.
    for number in 2..102 {
        shm.trim(Duration::ZERO);
        works_both_ways(&shm, &mut other, number);
    }
    assert_eq!(other.ask("fill"), "ok");
    shm.trim(Duration::ZERO);
    // A block that it has is read in place, also later.
    let warm = |other: &mut Other| {
        let (_, descriptor) = send(&shm, &other.metadata, 101, 20_000).unwrap();
        let hex = frames::to_hex(&descriptor.expect("mapped before"));
        assert_eq!(other.ask(&format!("take {hex}")), "frame 101");
    };
    assert_eq!(other.ask("unfill"), "ok");
    warm(&mut other);
    assert_eq!(other.ask("fill"), "ok");
    let (first, descriptor) = send(&shm, &other.metadata, 102, 10_000).unwrap();
    let hex = frames::to_hex(&descriptor.expect("connected"));
    let answer = other.ask(&format!("take {hex}"));
    assert!(answer.starts_with("error Io"), "{answer}");
    within(SOON, "it is told", || shm.stats().unmapped > 0);
    // Nothing else is lost: what is new to it goes as bytes.
    let mut ours = vec![first];
    for number in 103..108 {
        let (buffer, descriptor) = send(&shm, &other.metadata, number, 10_000).unwrap();
        assert_eq!(descriptor, None, "frame {number}");
        ours.push(buffer);
    }
    warm(&mut other);
    drop(ours);
    assert_eq!(other.ask("unfill"), "ok");
    within(SOON, "it is shown new blocks again", || {
        let (_, descriptor) = send(&shm, &other.metadata, 108, 10_000).unwrap();
        let hex = descriptor.map(|descriptor| frames::to_hex(&descriptor));
        hex.is_some_and(|hex| other.ask(&format!("take {hex}")) == "frame 108")
    });
    within(SOON, "nothing is held of the lost frame", || {
        shm.stats().blocks_free == shm.stats().blocks
    });
}

#[test]
fn a_system_without_memfd_is_told_so() {
    let _turn = alone();
    let mut other = Other::launch(&Settings {
        limit: Some(Limit::NoMemfd),
        ..Settings::default()
    });
    let answer = other.hear().unwrap();
    if answer.starts_with("no seccomp") {
        return println!("skipped: {answer}");
    }
    assert!(answer.starts_with("error Unavailable("), "{answer}");
    assert!(
        answer.contains("memfd"),
        "it says what is missing: {answer}"
    );
}

#[test]
fn a_process_without_proc_takes_part() {
    let _turn = alone();
    let hide = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        r#"umount -l /proc && exec "$0" "$@""#,
    ];
    if !possible(&hide) {
        return;
    }
    let shm = Settings::default().build().unwrap();
    let mut other = Other::with(&Settings {
        under: hide.into(),
        ..Settings::default()
    });
    works_both_ways(&shm, &mut other, 1);
    other.kill();
    within(Duration::from_secs(1), "its death is noticed", || {
        shm.stats().readers == 0
    });
}

#[test]
fn another_network_namespace_gets_bytes() {
    let _turn = alone();
    let apart = ["unshare", "--net"];
    if !possible(&apart) {
        return;
    }
    let shm = Settings::default().build().unwrap();
    let mut other = Other::with(&Settings {
        under: apart.into(),
        ..Settings::default()
    });
    let error = shm.connect(&other.metadata, SOON).unwrap_err();
    assert!(matches!(error, BackendError::Disconnected(_)), "{error:?}");
    let answer = other.ask(&format!("connect {}", shm.backend_metadata()));
    assert!(answer.starts_with("error Disconnected("), "{answer}");
    assert!(!shm.is_connected(&other.metadata));
    let (_, descriptor) = send(&shm, &other.metadata, 1, 10_000).unwrap();
    assert_eq!(descriptor, None);
    assert_eq!(other.ask("local 2 10000"), "frame 2");
}

#[test]
fn another_pid_namespace_takes_part() {
    let _turn = alone();
    let apart = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    if !possible(&apart) {
        return;
    }
    let shm = Settings::default().build().unwrap();
    let mut other = Other::with(&Settings {
        under: apart.into(),
        ..Settings::default()
    });
    works_both_ways(&shm, &mut other, 1);
    other.kill();
    within(Duration::from_secs(1), "its death is noticed", || {
        let stats = shm.stats();
        stats.readers == 0 && stats.writers == 0
    });
}
