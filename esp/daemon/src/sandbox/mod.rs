//! What the process may do, and what others may see of it.
//!
//! The daemon reads packets that anybody may send and holds keys. So it is two processes:
//!
//! * the **daemon** carries traffic and answers requests, with CAP_NET_ADMIN and CAP_NET_RAW only;
//! * the **namespace helper** ([`crate::devices::helper`]), one thread that reads nothing but the daemon's requests,
//!   keeps CAP_SYS_ADMIN, which setns(2) asks for, and CAP_NET_ADMIN to make TUN devices.
//!
//! Each starts with what its parent had, and gives up the rest before its work begins, for itself and all that it could
//! ever execute: capabilities in every set ([`capabilities`]), new privileges by execve (no_new_privs), and system calls
//! that are not on its list ([`filter`]). Nobody may trace them or read their memory, and they leave no core dump.
//!
//! References: capabilities(7), prctl(2), seccomp(2), getrlimit(2).

pub mod calls;
pub mod capabilities;
pub mod filter;

use std::{io, mem};

use crate::io::sys::check;

/// No core dumps, no tracing, no new privileges, files for the owner only, as many descriptors as allowed.
pub fn harden() -> io::Result<()> {
    let no_core = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: system calls without pointers, or with pointers to locals.
    unsafe {
        libc::umask(0o077);
        check(libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0))?;
        check(libc::setrlimit(libc::RLIMIT_CORE, &no_core))?;
        check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        // A tunnel has a descriptor for each worker.
        let mut limit: libc::rlimit = mem::zeroed();
        check(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit))?;
        limit.rlim_cur = limit.rlim_max;
        check(libc::setrlimit(libc::RLIMIT_NOFILE, &limit))?;
    }
    Ok(())
}

/// A set of SIGTERM and SIGINT, blocked in this thread and in those that it starts: they interrupt nothing any more.
pub fn block_termination() -> io::Result<libc::sigset_t> {
    // SAFETY: all-zero octets are a valid signal set; every pointer is to a local.
    unsafe {
        let mut signals: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&mut signals);
        libc::sigaddset(&mut signals, libc::SIGTERM);
        libc::sigaddset(&mut signals, libc::SIGINT);
        match libc::pthread_sigmask(libc::SIG_BLOCK, &signals, std::ptr::null_mut()) {
            0 => Ok(signals),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}
