//! XFRM: what the kernel is to charon, in user space.
//!
//! charon's `kernel-netlink` plugin installs SAs and policies with about a dozen messages of linux/xfrm.h and listens to
//! four kinds of events. Here those messages end (the shim in charon sends them over a UNIX socket), in the layers
//!
//! * [`netlink`], [`uapi`], [`records`], [`replay_state`], [`algorithm`], [`request`], [`message`]: octets to typed values and back, pure;
//! * [`sad`], [`spd`], [`lifetime`], [`generation`], [`publish`]: the databases of RFC 4301 4.4 and their rules, pure,
//!   with time as an argument;
//! * [`engine`], [`upkeep`]: a request, the passing of time or an event of the data path, applied to the databases;
//! * [`controller`], [`seqpacket`], [`server`]: the threads and the sockets.
//!
//! **Answers.** charon sends one request at a time and waits without a limit, so every request gets exactly one answer:
//! the data asked for, or an acknowledgement (NLMSG_ERROR, 0 or a negative errno). What the kernel would accept and we
//! cannot do is refused, with a line in the log, never accepted and ignored.
//!
//! **Generations and orphans.** A generation is one charon process: the connections of one pid that overlap in time.
//! Each SA and each policy belongs to the generation that wrote it last. charon may be killed and started again while
//! traffic flows, so SAs outlive it: when a generation's last connection closes, what it leaves are *orphans*, which
//! carry traffic as before. Nobody will ever delete them by request (a new charon knows nothing of them), so
//!
//! 1. orphans of an `if_id` go 10 s after a newer generation has installed a pair of SAs (in and out) for that `if_id`:
//!    until then the peer may still send with the old ones;
//! 2. any SA goes when its hard lifetime passes, whether or not somebody is connected, and a larval one after 165 s;
//! 3. orphaned policies go with the last of the orphans of rule 1, or when no SA of their `if_id` is left;
//! 4. the control socket can remove everything of an `if_id`.
//!
//! A policy that an orphan left behind does not stand in the way of a new charon: NEWPOLICY gets EEXIST, charon then
//! sends UPDPOLICY, and with that the policy is the new generation's. Requests act on whatever they name, of whichever
//! generation; events go to every listener of their group, as the kernel's do.
//!
//! References: linux/xfrm.h, linux/netlink.h, net/xfrm/xfrm_user.c, RFC 4301, strongSwan's kernel_netlink_ipsec.c.

pub mod algorithm;
pub mod controller;
pub mod engine;
pub mod generation;
pub mod lifetime;
pub mod message;
pub mod netlink;
pub mod publish;
pub mod records;
pub mod replay_state;
pub mod request;
pub mod sad;
pub mod seqpacket;
pub mod server;
pub mod spd;
#[cfg(test)]
mod testing;
pub mod uapi;
pub mod upkeep;

use std::borrow::Cow;
use std::time::Duration;

/// A moment, given to everything that depends on time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Since an arbitrary start; never goes back. Lifetimes are measured with it.
    pub monotonic: Duration,
    /// Unix seconds, as reported in `struct xfrm_lifetime_cur`.
    pub wall: u64,
}

/// Why a request was not done: the `errno` of the answer, and words for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    pub errno: i32,
    pub reason: Cow<'static, str>,
}

impl Refusal {
    pub fn new(errno: i32, reason: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { errno, reason: reason.into() }
    }

    /// The message is not what linux/xfrm.h says.
    pub fn malformed(reason: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal::new(libc::EINVAL, reason)
    }

    /// The kernel can do this, we cannot.
    pub fn unsupported(reason: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal::new(libc::EOPNOTSUPP, reason)
    }
}
