//! Receiving batches of datagrams into one arena.
//!
//! The arena is cut into slots that take the largest datagram GRO can make; packets are decrypted where they are. How many
//! slots are offered at a time follows the traffic. Datagrams that GRO merged are large: a few at a time are still in the
//! second-level cache when they are worked on, and wake the receiver of their contents once rather than each time. Unmerged ones are small, and then the system calls count: the
//! more at a time the better, but a batch that is mostly empty costs its preparation. Pages that no datagram has reached
//! are never backed by memory.

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::control::{self, ControlBuffer};
use super::sys;
use crate::batch::Datagram;

/// Most and fewest datagrams taken with one system call.
const SLOTS: usize = 64;
const FEWEST: usize = 4;
/// The largest datagram.
const SLOT: usize = 65536;
/// From slot to slot. The odd cache lines, as many as a packet of 1500 octets has, keep neighbours from falling into the
/// same sets of the caches.
const STRIDE: usize = SLOT + 25 * 64;
/// A datagram longer than this was merged by GRO: no path MTU is.
const MERGED: usize = 9216;

/// What kind of socket a datagram came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The encapsulation port.
    Udp,
    /// A raw IPv4 socket, which delivers the IP header too.
    Raw4,
    /// A raw IPv6 socket, which does not.
    Raw6,
}

/// What one [`Receiver::receive`] took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    pub count: usize,
    pub octets: usize,
    /// There may be more: all slots were used, or datagrams come quickly enough to be merged.
    pub more: bool,
}

/// The receive buffers of one worker.
pub struct Receiver {
    arena: Box<[u8]>,
    names: Box<[libc::sockaddr_storage; SLOTS]>,
    controls: Box<[ControlBuffer; SLOTS]>,
    /// Slots to offer next.
    offered: usize,
    /// What the last [`Receiver::receive`] gave.
    lengths: [usize; SLOTS],
    details: [control::Received; SLOTS],
}

impl Receiver {
    pub fn new() -> Receiver {
        Receiver {
            arena: vec![0; SLOTS * STRIDE].into(),
            // SAFETY: all-zero octets are a valid sockaddr_storage.
            names: Box::new(unsafe { std::mem::zeroed() }),
            controls: Box::new([ControlBuffer::default(); SLOTS]),
            offered: FEWEST,
            lengths: [0; SLOTS],
            details: [control::Received::default(); SLOTS],
        }
    }

    pub fn arena_mut(&mut self) -> &mut [u8] {
        &mut self.arena
    }

    /// Takes what is waiting, as far as there is room.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<Received> {
        let offered = self.offered;
        let mut parts = [const { MaybeUninit::<libc::iovec>::uninit() }; SLOTS];
        let mut messages = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; SLOTS];
        for index in 0..offered {
            let slot = &mut self.arena[index * STRIDE..][..SLOT];
            let part = parts[index].write(libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: SLOT });
            // SAFETY: all-zero octets are a valid mmsghdr.
            let message = &mut messages[index].write(unsafe { std::mem::zeroed() }).msg_hdr;
            message.msg_name = (&raw mut self.names[index]).cast();
            message.msg_namelen = std::mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            message.msg_iov = part;
            message.msg_iovlen = 1;
            message.msg_control = self.controls[index].as_mut_ptr();
            message.msg_controllen = ControlBuffer::SIZE;
        }
        // SAFETY: the first `offered` messages are initialised and point to distinct parts of this receiver and to
        // locals, which outlive the call.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                messages.as_mut_ptr().cast(),
                offered as u32,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let count = match sys::check(received) {
            Ok(count) => count as usize,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        let mut octets = 0;
        for (index, message) in messages[..count].iter().enumerate() {
            // SAFETY: the kernel filled in `count` of the messages initialised above.
            let message = unsafe { message.assume_init_ref() };
            self.lengths[index] = message.msg_len as usize;
            self.details[index] = control::read(&message.msg_hdr);
            octets += message.msg_len as usize;
        }
        let merged = octets > count * MERGED;
        self.offered = match count {
            _ if merged => FEWEST,
            full if full == offered => (offered * 2).min(SLOTS),
            _ if count < offered / 4 => (offered / 2).max(FEWEST),
            _ => offered,
        };
        // While a merged datagram is worked on the next arrives: asking again is cheaper than waiting for it.
        Ok(Received { count, octets, more: merged || count == offered })
    }

    /// Where datagram `index` of the last batch is in the arena, and where it came from; `None` when it is not IP.
    pub fn datagram(&self, index: usize, source: Source) -> Option<(Range<usize>, Datagram)> {
        let details = self.details[index];
        let start = index * STRIDE;
        let mut at = start..start + self.lengths[index];
        if source == Source::Raw4 {
            at.start += usize::from(self.arena.get(at.start)? & 15) * 4;
        }
        let from = sys::from_raw(&self.names[index])?;
        let encapsulated = source == Source::Udp;
        let from = if encapsulated { from } else { SocketAddr::new(from.ip(), 0) };
        let segment = details.segment.unwrap_or(at.len());
        let (ifindex, tos) = (details.ifindex, details.tos);
        (!at.is_empty())
            .then_some((at, Datagram { from, local: details.local?, ifindex, encapsulated, tos, segment }))
    }
}

impl Default for Receiver {
    fn default() -> Receiver {
        Receiver::new()
    }
}
