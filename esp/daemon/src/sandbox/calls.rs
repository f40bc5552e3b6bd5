//! The lists of system calls for the [`filter`](super::filter), and why what is on them is.
//!
//! A call belongs here when the daemon makes it after its start, itself or through the standard library, libc or AWS-LC.
//! Where an argument tells a harmless use from another, only that is allowed: threads but not processes, memory that is
//! not executable, datagram sockets of the Internet families, the ioctls of TUN devices and interfaces.

use libc::{
    AF_INET, AF_INET6, AF_NETLINK, CLONE_NEWNET, CLONE_THREAD, F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_SETFL,
    NETLINK_ROUTE, PR_SET_NAME, PR_SET_VMA, PROT_EXEC, SIGABRT, SOCK_DGRAM,
};

use super::filter::Test::{self, Bits, Is};
use super::filter::{Call, List, Way};
use crate::io::tun::SIOCETHTOOL;

/// Of the daemon, from the end of its start on.
pub const DAEMON: List = List { allowed: &[COMMON, COMMON_X86, DAEMON_ONLY, DAEMON_X86], missing: MISSING };

/// Of the namespace helper, from its first request on.
pub const HELPER: List = List { allowed: &[COMMON, COMMON_X86, HELPER_ONLY], missing: &[libc::SYS_clone3] };

/// `clone3` hides its flags from a filter: without it libc calls `clone`. `openat` is asked for by libc's allocator, to
/// read /proc/sys/vm/overcommit_memory, and by the standard library for a backtrace: both can do without.
const MISSING: &[libc::c_long] = &[libc::SYS_clone3, libc::SYS_openat];

/// SOCK_TYPE_MASK of linux/net.h.
const TYPE_MASK: u64 = 0xf;

const NOT_EXECUTABLE: &[(u8, Test)] = &[(2, Bits(PROT_EXEC as u64, 0))];
const ANY: &[Way] = &[];

/// Memory, time, signals, the end, random numbers, descriptors: what every program does.
const COMMON: &[Call] = &[
    Call(libc::SYS_brk, ANY),
    Call(libc::SYS_mmap, &[NOT_EXECUTABLE]),
    Call(libc::SYS_mprotect, &[NOT_EXECUTABLE]),
    Call(libc::SYS_mremap, ANY),
    Call(libc::SYS_munmap, ANY),
    Call(libc::SYS_madvise, ANY),
    Call(libc::SYS_futex, ANY),
    Call(libc::SYS_restart_syscall, ANY),
    Call(libc::SYS_clock_gettime, ANY),
    Call(libc::SYS_getrandom, ANY),
    Call(libc::SYS_getpid, ANY),
    Call(libc::SYS_gettid, ANY),
    Call(libc::SYS_tgkill, &[&[(2, Is(SIGABRT as u64))]]),
    Call(libc::SYS_rt_sigaction, ANY),
    Call(libc::SYS_rt_sigprocmask, ANY),
    Call(libc::SYS_rt_sigreturn, ANY),
    Call(libc::SYS_sigaltstack, ANY),
    Call(libc::SYS_exit, ANY),
    Call(libc::SYS_exit_group, ANY),
    Call(libc::SYS_close, ANY),
    Call(libc::SYS_read, ANY),
    Call(libc::SYS_write, ANY),
    Call(libc::SYS_recvmsg, ANY),
    Call(libc::SYS_sendmsg, ANY),
    Call(
        libc::SYS_fcntl,
        &[
            &[(1, Is(F_GETFD as u64))],
            &[(1, Is(F_GETFL as u64))],
            &[(1, Is(F_SETFL as u64))],
            &[(1, Is(F_DUPFD_CLOEXEC as u64))],
        ],
    ),
];

/// Of the kernel's older calls, which newer architectures lack.
#[cfg(target_arch = "x86_64")]
const COMMON_X86: &[Call] = &[Call(libc::SYS_poll, ANY), Call(libc::SYS_time, ANY)];
#[cfg(not(target_arch = "x86_64"))]
const COMMON_X86: &[Call] = &[];

/// Packets, connections, threads.
const DAEMON_ONLY: &[Call] = &[
    Call(libc::SYS_readv, ANY),
    Call(libc::SYS_writev, ANY),
    Call(libc::SYS_recvfrom, ANY),
    Call(libc::SYS_sendto, ANY),
    Call(libc::SYS_recvmmsg, ANY),
    Call(libc::SYS_sendmmsg, ANY),
    Call(libc::SYS_epoll_ctl, ANY),
    Call(libc::SYS_epoll_pwait, ANY),
    Call(libc::SYS_epoll_pwait2, ANY),
    Call(libc::SYS_ppoll, ANY),
    Call(libc::SYS_accept4, ANY),
    Call(libc::SYS_shutdown, ANY),
    Call(libc::SYS_getsockopt, ANY),
    Call(libc::SYS_setsockopt, ANY),
    // The path MTU is asked of a socket of its own (`io::sys::path_mtu`).
    Call(
        libc::SYS_socket,
        &[
            &[(0, Is(AF_INET as u64)), (1, Bits(TYPE_MASK, SOCK_DGRAM as u64))],
            &[(0, Is(AF_INET6 as u64)), (1, Bits(TYPE_MASK, SOCK_DGRAM as u64))],
        ],
    ),
    // A device that is removed shall not outlive its queues.
    Call(libc::SYS_ioctl, &[&[(1, Is(libc::TUNSETPERSIST)), (2, Is(0))]]),
    Call(libc::SYS_bind, ANY),
    Call(libc::SYS_connect, ANY),
    // A thread for each control connection.
    Call(libc::SYS_clone, &[&[(0, Bits(CLONE_THREAD as u64, CLONE_THREAD as u64))]]),
    Call(libc::SYS_set_robust_list, ANY),
    Call(libc::SYS_rseq, ANY),
    Call(libc::SYS_prctl, &[&[(0, Is(PR_SET_NAME as u64))], &[(0, Is(PR_SET_VMA as u64))]]),
    Call(libc::SYS_sched_yield, ANY),
    Call(libc::SYS_sched_getaffinity, ANY),
    Call(libc::SYS_sched_setaffinity, ANY),
    Call(libc::SYS_membarrier, ANY),
    Call(libc::SYS_nanosleep, ANY),
    Call(libc::SYS_clock_nanosleep, ANY),
    Call(libc::SYS_geteuid, ANY),
    // At the end: the sockets' paths are removed, the helper is waited for.
    Call(libc::SYS_unlinkat, ANY),
    Call(libc::SYS_wait4, ANY),
    Call(libc::SYS_waitid, ANY),
];

#[cfg(target_arch = "x86_64")]
const DAEMON_X86: &[Call] = &[Call(libc::SYS_epoll_wait, ANY), Call(libc::SYS_unlink, ANY)];
#[cfg(not(target_arch = "x86_64"))]
const DAEMON_X86: &[Call] = &[];

/// Namespaces and TUN devices.
const HELPER_ONLY: &[Call] = &[
    // Named namespaces, /dev/net/tun, one file below /proc/sys.
    Call(libc::SYS_openat, ANY),
    Call(libc::SYS_setns, &[&[(1, Is(CLONE_NEWNET as u64))]]),
    Call(libc::SYS_unshare, &[&[(0, Is(CLONE_NEWNET as u64))]]),
    Call(
        libc::SYS_socket,
        &[
            &[(0, Is(AF_INET as u64)), (1, Bits(TYPE_MASK, SOCK_DGRAM as u64))],
            &[(0, Is(AF_NETLINK as u64)), (2, Is(NETLINK_ROUTE as u64))],
        ],
    ),
    Call(libc::SYS_sendto, ANY),
    Call(libc::SYS_recvfrom, ANY),
    Call(
        libc::SYS_ioctl,
        &[
            &[(1, Is(libc::TUNSETIFF))],
            &[(1, Is(libc::TUNSETOFFLOAD))],
            &[(1, Is(libc::TUNSETPERSIST))],
            &[(1, Is(SIOCETHTOOL))],
            &[(1, Is(libc::SIOCSIFMTU))],
            &[(1, Is(libc::SIOCSIFTXQLEN))],
            &[(1, Is(libc::SIOCGIFINDEX))],
            &[(1, Is(libc::SIOCGIFFLAGS))],
            &[(1, Is(libc::SIOCSIFFLAGS))],
        ],
    ),
];
