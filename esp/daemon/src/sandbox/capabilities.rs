//! Capabilities: giving up all but a few, in every set there is.
//!
//! Effective and permitted are what counts now. The others are about what could be gained by execve: the bounding set
//! caps it, the ambient and inheritable sets pass it on, and the securebits take from root its privileges by being root.
//! Changing the last three needs CAP_SETPCAP, without which there is nothing in them to gain either (no_new_privs).
//!
//! Reference: capabilities(7), linux/capability.h, linux/securebits.h.

use std::io;

use crate::io::sys::check;

pub const NET_ADMIN: u32 = 12;
pub const NET_RAW: u32 = 13;
pub const SYS_ADMIN: u32 = 21;

/// What the daemon keeps: sockets, and their buffers beyond the usual limit.
pub const DAEMON: [u32; 2] = [NET_ADMIN, NET_RAW];
/// What the namespace helper keeps: TUN devices, and setns(2).
pub const HELPER: [u32; 2] = [NET_ADMIN, SYS_ADMIN];

/// No kernel has more than fits the two words of the structures below.
const COUNT: u32 = 64;
/// _LINUX_CAPABILITY_VERSION_3: 64 capabilities in two words.
const VERSION: u32 = 0x2008_0522;

/// SECBIT_NOROOT, SECBIT_NO_SETUID_FIXUP and SECBIT_NO_CAP_AMBIENT_RAISE with their locks, and SECBIT_KEEP_CAPS locked
/// off.
const SECUREBITS: libc::c_ulong = 0b11 | 0b11 << 2 | 0b10 << 4 | 0b11 << 6;

#[repr(C)]
struct Header {
    version: u32,
    pid: libc::c_int,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Word {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Gives up every capability but `kept`, of this thread and all that it starts. Those that it does not have are no error
/// here: what needs them says so.
pub fn keep_only(kept: &[u32]) -> io::Result<()> {
    // SAFETY: system calls without pointers.
    unsafe {
        // Refused without CAP_SETPCAP, and then there is no way to gain any.
        libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        libc::prctl(libc::PR_SET_SECUREBITS, SECUREBITS, 0, 0, 0);
        for capability in (0..COUNT).filter(|capability| !kept.contains(capability)) {
            libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability), 0, 0, 0);
        }
    }
    let mask = mask(kept);
    change(|word, index| {
        word.permitted &= mask[index];
        word.effective &= mask[index];
        word.inheritable = 0;
    })
}

/// Lets the next program executed have `kept`, as far as we have them, also when it is not executed by root.
pub fn pass_on(kept: &[u32]) -> io::Result<()> {
    let mask = mask(kept);
    change(|word, index| word.inheritable = word.permitted & mask[index])?;
    for capability in kept {
        // SAFETY: a system call without pointers. It fails for what we do not have, or may not pass on: root needs none.
        unsafe {
            libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, libc::c_ulong::from(*capability), 0, 0)
        };
    }
    Ok(())
}

fn mask(capabilities: &[u32]) -> [u32; 2] {
    let set = capabilities.iter().fold(0u64, |set, capability| set | 1 << capability);
    [set as u32, (set >> 32) as u32]
}

fn change(mut each: impl FnMut(&mut Word, usize)) -> io::Result<()> {
    let mut header = Header { version: VERSION, pid: 0 };
    let mut words = [Word::default(); 2];
    call(libc::SYS_capget, &mut header, &mut words)?;
    words.iter_mut().enumerate().for_each(|(index, word)| each(word, index));
    call(libc::SYS_capset, &mut header, &mut words)
}

fn call(number: libc::c_long, header: &mut Header, words: &mut [Word; 2]) -> io::Result<()> {
    // SAFETY: the structures have the kernel's layout for this version, which has two words.
    let result = unsafe { libc::syscall(number, std::ptr::from_mut(header), words.as_mut_ptr()) };
    check(result as libc::c_int).map(drop)
}
