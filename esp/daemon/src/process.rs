//! What the process may do and what others may see of it.
//!
//! The daemon holds keys: nobody may trace it or read its memory, and it leaves no core dump. It starts as root and
//! keeps only what it needs of that: CAP_NET_ADMIN and CAP_NET_RAW for TUN devices and sockets, CAP_SYS_ADMIN for
//! setns(2) into the tunnels' namespaces.
//!
//! References: prctl(2), capabilities(7), signalfd(2).

use std::io;
use std::mem;
use std::os::fd::OwnedFd;

use twinbore_esp::io::sys::{check, own};

const CAP_NET_ADMIN: u32 = 12;
const CAP_NET_RAW: u32 = 13;
const CAP_SYS_ADMIN: u32 = 21;
const KEPT: [u32; 3] = [CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN];

/// _LINUX_CAPABILITY_VERSION_3: 64 capabilities in two words.
const CAPABILITY_VERSION: u32 = 0x2008_0522;

#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: libc::c_int,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct CapabilityWord {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// No core dumps, no tracing, files for the owner only, as many descriptors as allowed.
pub fn harden() -> io::Result<()> {
    // SAFETY: system calls without pointers, or with pointers to a local.
    unsafe {
        libc::umask(0o077);
        check(libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0))?;
        check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        // A tunnel has a descriptor for each worker.
        let mut limit: libc::rlimit = mem::zeroed();
        check(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit))?;
        limit.rlim_cur = limit.rlim_max;
        check(libc::setrlimit(libc::RLIMIT_NOFILE, &limit))?;
    }
    Ok(())
}

/// Gives up every capability but those named above, of this thread and all that it starts.
pub fn drop_capabilities() -> io::Result<()> {
    let mut header = CapabilityHeader { version: CAPABILITY_VERSION, pid: 0 };
    let mut words = [CapabilityWord::default(); 2];
    // SAFETY: the structures have the kernel's layout for this version.
    unsafe { capability_call(libc::SYS_capget, &mut header, words.as_mut_ptr()) }?;
    let kept = KEPT.iter().fold(0u64, |set, capability| set | 1 << capability);
    for (word, kept) in words.iter_mut().zip([kept as u32, (kept >> 32) as u32]) {
        word.permitted &= kept;
        word.effective &= kept;
        word.inheritable = 0;
    }
    // SAFETY: as above.
    unsafe { capability_call(libc::SYS_capset, &mut header, words.as_mut_ptr()) }
}

/// # Safety
/// `words` must point to two words.
unsafe fn capability_call(
    number: libc::c_long,
    header: &mut CapabilityHeader,
    words: *mut CapabilityWord,
) -> io::Result<()> {
    // SAFETY: by the caller's promise.
    let result = unsafe { libc::syscall(number, std::ptr::from_mut(header), words) };
    check(result as libc::c_int).map(drop)
}

/// A descriptor that becomes readable on SIGTERM or SIGINT, which interrupt nothing from now on. To be called before
/// any thread is started: threads inherit the mask.
pub fn termination() -> io::Result<OwnedFd> {
    // SAFETY: all-zero octets are a valid signal set; every pointer is to a local.
    unsafe {
        let mut signals: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&mut signals);
        libc::sigaddset(&mut signals, libc::SIGTERM);
        libc::sigaddset(&mut signals, libc::SIGINT);
        match libc::pthread_sigmask(libc::SIG_BLOCK, &signals, std::ptr::null_mut()) {
            0 => own(libc::signalfd(-1, &signals, libc::SFD_CLOEXEC)),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}
