//! Receiving batches of datagrams into one arena.
//!
//! The arena is cut into slots that take the largest datagram GRO can make. Packets are decrypted where they are and
//! written to the TUN from there: the arena is the only place they are ever in.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::control::{self, ControlBuffer};
use super::sys;
use crate::batch::Datagram;

/// Datagrams taken with one system call. With GRO each can be 64 KB: more slots would fall out of the second-level cache.
pub const SLOTS: usize = 16;
const SLOT: usize = 65536;

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

/// The receive buffers of one worker.
pub struct Receiver {
    arena: Box<[u8]>,
    names: Box<[libc::sockaddr_storage; SLOTS]>,
    controls: Box<[ControlBuffer; SLOTS]>,
    /// What the last [`Receiver::receive`] gave.
    lengths: [usize; SLOTS],
    details: [control::Received; SLOTS],
}

impl Receiver {
    pub fn new() -> Receiver {
        Receiver {
            arena: vec![0; SLOTS * SLOT].into(),
            // SAFETY: all-zero octets are a valid sockaddr_storage.
            names: Box::new(unsafe { std::mem::zeroed() }),
            controls: Box::new([ControlBuffer::default(); SLOTS]),
            lengths: [0; SLOTS],
            details: [control::Received::default(); SLOTS],
        }
    }

    pub fn arena(&self) -> &[u8] {
        &self.arena
    }

    pub fn arena_mut(&mut self) -> &mut [u8] {
        &mut self.arena
    }

    /// Takes what is waiting, at most [`SLOTS`] datagrams, and returns how many.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let mut parts: [libc::iovec; SLOTS] = std::array::from_fn(|index| libc::iovec {
            iov_base: self.arena[index * SLOT..].as_mut_ptr().cast(),
            iov_len: SLOT,
        });
        let mut messages: [libc::mmsghdr; SLOTS] = std::array::from_fn(|index| {
            // SAFETY: all-zero octets are a valid mmsghdr.
            let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
            message.msg_hdr.msg_name = (&raw mut self.names[index]).cast();
            message.msg_hdr.msg_namelen = std::mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            message.msg_hdr.msg_iov = &raw mut parts[index];
            message.msg_hdr.msg_iovlen = 1;
            message.msg_hdr.msg_control = self.controls[index].as_mut_ptr();
            message.msg_hdr.msg_controllen = ControlBuffer::SIZE;
            message
        });
        // SAFETY: the messages point to distinct parts of this receiver and to locals, which outlive the call.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                messages.as_mut_ptr(),
                SLOTS as u32,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let count = match sys::check(received) {
            Ok(count) => count as usize,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error),
        };
        for (index, message) in messages[..count].iter().enumerate() {
            self.lengths[index] = message.msg_len as usize;
            self.details[index] = control::read(&message.msg_hdr);
        }
        Ok(count)
    }

    /// Where datagram `index` of the last batch is in the arena, and where it came from; `None` when it is not IP.
    pub fn datagram(&self, index: usize, source: Source) -> Option<(Range<usize>, Datagram)> {
        let details = self.details[index];
        let start = index * SLOT;
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
