//! The filter of system calls: what is forbidden ends the process, what the daemon needs does not.
//!
//! A process that installs the filter does not get rid of it, so each case runs in one of its own: this program again,
//! told by an environment variable which case it is.

use std::env;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::ptr;
use std::thread;

use twinbore_esp::io::sys::path_mtu;
use twinbore_esp::sandbox::filter::{List, Mode, install};
use twinbore_esp::sandbox::{calls, capabilities, harden};

const CASE: &str = "TWINBORE_SANDBOX_CASE";

/// A case: its name, its list, and what it does under the filter. It returns if nothing stopped it.
type Case = (&'static str, List, fn());

const FORBIDDEN: [Case; 9] = [
    ("execute", calls::DAEMON, || drop(Command::new("/bin/true").status())),
    ("fork", calls::DAEMON, || call(libc::SYS_clone, [libc::SIGCHLD as usize, 0, 0])),
    ("trace", calls::DAEMON, || call(libc::SYS_ptrace, [libc::PTRACE_TRACEME as usize, 0, 0])),
    ("enter a namespace", calls::DAEMON, || call(libc::SYS_setns, [0, libc::CLONE_NEWNET as usize, 0])),
    ("packet socket", calls::DAEMON, || {
        call(libc::SYS_socket, [libc::AF_PACKET as usize, libc::SOCK_RAW as usize, 0])
    }),
    ("executable memory", calls::DAEMON, || map(libc::PROT_READ | libc::PROT_EXEC)),
    ("io_uring", calls::DAEMON, || call(libc::SYS_io_uring_setup, [1, 0, 0])),
    ("helper: internet", calls::HELPER, || {
        call(libc::SYS_socket, [libc::AF_INET6 as usize, libc::SOCK_DGRAM as usize, 0])
    }),
    ("helper: mount namespace", calls::HELPER, || call(libc::SYS_unshare, [libc::CLONE_NEWNS as usize, 0, 0])),
];

const ALLOWED: [Case; 4] = [
    ("threads", calls::DAEMON, || {
        let threads: Vec<_> = (0..4).map(|_| thread::spawn(|| vec![0u8; 1 << 20].len())).collect();
        assert!(threads.into_iter().all(|thread| thread.join().unwrap() == 1 << 20));
    }),
    ("path MTU", calls::DAEMON, || assert!(path_mtu([127, 0, 0, 1].into(), [127, 0, 0, 1].into()).is_ok())),
    ("files are missing", calls::DAEMON, || {
        assert_eq!(std::fs::read("/etc/passwd").unwrap_err().raw_os_error(), Some(libc::ENOSYS));
    }),
    ("helper: memory and the end", calls::HELPER, || {
        map(libc::PROT_READ | libc::PROT_WRITE);
        // The test harness would need more than the helper does.
        // SAFETY: no pointers, and nothing is left to be done.
        unsafe { libc::_exit(0) }
    }),
];

fn call(number: libc::c_long, [a, b, c]: [usize; 3]) {
    // SAFETY: none of the calls above reads or writes memory of ours before it fails.
    unsafe { libc::syscall(number, a, b, c, 0, 0, 0) };
}

fn map(protection: libc::c_int) {
    // SAFETY: a mapping of our own that nobody uses.
    let place = unsafe { libc::mmap(ptr::null_mut(), 4096, protection, libc::MAP_PRIVATE | libc::MAP_ANON, -1, 0) };
    assert_ne!(place, libc::MAP_FAILED);
}

/// Not a test by itself: what the others execute.
#[test]
fn case() {
    let Ok(wanted) = env::var(CASE) else { return };
    let (_, list, work) = FORBIDDEN.into_iter().chain(ALLOWED).find(|(name, ..)| *name == wanted).unwrap();
    // A thread that was there before the filter is bound by it as well. It must be through its own start by then, for
    // which libc and the standard library make calls that the helper, which has no threads, is not allowed.
    let (ready, is_ready) = std::sync::mpsc::channel::<()>();
    let (start, started) = std::sync::mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        ready.send(()).unwrap();
        started.recv().unwrap();
        work();
    });
    is_ready.recv().unwrap();
    harden().unwrap();
    install(&list, mode()).unwrap();
    start.send(()).unwrap();
    thread.join().unwrap();
    work();
}

fn mode() -> Mode {
    env::var("TWINBORE_SANDBOX_MODE").ok().and_then(|name| Mode::from_name(&name)).unwrap_or_default()
}

fn run(case: &str, mode: Mode) -> io::Result<ExitStatus> {
    Command::new(env::current_exe()?)
        .args(["--exact", "case", "--test-threads", "1"])
        .env(CASE, case)
        .env("TWINBORE_SANDBOX_MODE", mode.name())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
}

#[test]
fn a_forbidden_call_ends_the_process() {
    for (case, ..) in FORBIDDEN {
        assert_eq!(run(case, Mode::Kill).unwrap().signal(), Some(libc::SIGSYS), "{case}");
    }
}

#[test]
fn what_the_daemon_needs_is_allowed() {
    for (case, ..) in ALLOWED {
        let status = run(case, Mode::Kill).unwrap();
        assert!(status.success(), "{case}: {status}");
    }
}

#[test]
fn without_the_filter_nothing_is_forbidden() {
    for case in ["packet socket", "executable memory"] {
        for mode in [Mode::Log, Mode::Off] {
            let status = run(case, mode).unwrap();
            assert!(status.success(), "{case}: {status}");
        }
    }
}

#[test]
fn capabilities_that_nobody_has_are_no_error() {
    // In a thread of its own: capabilities are a thread's.
    thread::spawn(|| {
        capabilities::keep_only(&[]).unwrap();
        capabilities::keep_only(&capabilities::DAEMON).unwrap();
    })
    .join()
    .unwrap();
}
