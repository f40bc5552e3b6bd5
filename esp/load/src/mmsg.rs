//! sendmmsg(2) and recvmmsg(2) on buffers of one size.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd as _, BorrowedFd};

/// Packets for one system call.
pub const SLOTS: usize = 64;

/// Buffers for up to [`SLOTS`] packets, each `size` octets apart.
pub struct Packets {
    octets: Vec<u8>,
    size: usize,
}

impl Packets {
    /// Every slot begins as a copy of `template`.
    pub fn new(template: &[u8]) -> Packets {
        Packets { octets: template.repeat(SLOTS), size: template.len() }
    }

    pub fn slot(&mut self, index: usize) -> &mut [u8] {
        &mut self.octets[index * self.size..][..self.size]
    }

    /// Sends the first `count` slots; gives how many the kernel took.
    pub fn send(&mut self, socket: BorrowedFd<'_>, count: usize, mut to: libc::sockaddr_in) -> io::Result<usize> {
        self.with_headers(|headers| {
            for header in headers.iter_mut() {
                header.msg_hdr.msg_name = (&raw mut to).cast();
                header.msg_hdr.msg_namelen = mem::size_of_val(&to) as libc::socklen_t;
            }
            // SAFETY: the headers point to `self.octets` and `to`, which outlive the call; `count` is in bounds.
            unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count.min(SLOTS) as u32, 0) }
        })
        .map(|(sent, _)| sent)
    }

    /// Receives without waiting; gives the lengths of what came, slot by slot.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<Vec<usize>> {
        let (count, lengths) = self.with_headers(|headers| {
            // SAFETY: the headers point to `self.octets`, which outlives the call.
            unsafe {
                libc::recvmmsg(
                    socket.as_raw_fd(),
                    headers.as_mut_ptr(),
                    SLOTS as u32,
                    libc::MSG_DONTWAIT,
                    std::ptr::null_mut(),
                )
            }
        })?;
        Ok(lengths[..count].to_vec())
    }

    /// Calls with headers that describe every slot; gives the call's count and the lengths it left.
    fn with_headers(
        &mut self,
        call: impl FnOnce(&mut [libc::mmsghdr; SLOTS]) -> libc::c_int,
    ) -> io::Result<(usize, [usize; SLOTS])> {
        let base = self.octets.as_mut_ptr();
        let mut vectors: [libc::iovec; SLOTS] = std::array::from_fn(|index| libc::iovec {
            // SAFETY: the slot is within the vector.
            iov_base: unsafe { base.add(index * self.size) }.cast(),
            iov_len: self.size,
        });
        // SAFETY: all-zero octets are valid headers.
        let mut headers: [libc::mmsghdr; SLOTS] = unsafe { mem::zeroed() };
        for (header, vector) in headers.iter_mut().zip(&mut vectors) {
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
        }
        let count = usize::try_from(call(&mut headers)).map_err(|_| io::Error::last_os_error())?;
        Ok((count, headers.map(|header| header.msg_len as usize)))
    }
}
