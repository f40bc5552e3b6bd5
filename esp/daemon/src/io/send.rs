//! Sending bursts: one `sendmsg` with UDP_SEGMENT where it works, `sendmmsg` where it does not.
//!
//! The offload can fail in use, and no packet may be lost for it: the burst is then sent packet by packet. EIO says that
//! the device cannot checksum segments (linux `udp_send_skb`), and EINVAL, once the packets themselves go through, that
//! the kernel does not take the option: both switch the offload off for good. EMSGSIZE says that one segment exceeds the
//! path MTU (EINVAL before Linux 5.11): the kernel will fragment the single packets.
//!
//! Whatever exceeds the path MTU is reported, in bursts or alone, encapsulated in UDP or not ([`super::path`]), so that
//! inner senders can be told.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::control::{self, ControlBuffer};
use super::path::Paths;
use super::socket::Sockets;
use super::sys;
use crate::batch::{Burst, Link, SendReport};
use crate::packet::MAX_SEGMENTS;

/// How long a full send queue is waited for, in milliseconds.
const PATIENCE: i32 = 2;

/// The sending side of a worker's sockets.
pub struct SocketLink {
    sockets: Arc<Sockets>,
    segmentation: Arc<AtomicBool>,
    paths: Paths,
}

impl SocketLink {
    /// A link over a worker's sockets. `segmentation` says whether UDP_SEGMENT is used; all links share it, so that one
    /// that finds it unusable switches it off for all and is the only one to report that.
    pub fn new(sockets: Arc<Sockets>, segmentation: Arc<AtomicBool>) -> SocketLink {
        SocketLink { sockets, segmentation, paths: Paths::new(sys::path_mtu) }
    }

    /// What was learned about the path of a burst; by asking anew when its packets were refused.
    fn learned(&mut self, burst: &Burst<'_>, refused: bool) -> Option<u32> {
        let outer =
            burst.segment + if burst.dst.is_ipv4() { 20 } else { 40 } + if burst.encap.is_some() { 8 } else { 0 };
        let now = Instant::now();
        if refused {
            return self.paths.refresh(burst.src, burst.dst, now).filter(|mtu| outer > *mtu as usize);
        }
        self.paths.news(burst.src, burst.dst, outer, now)
    }
}

fn socket<'a>(sockets: &'a Sockets, burst: &Burst<'_>) -> Option<BorrowedFd<'a>> {
    match (burst.encap.is_some(), burst.dst.is_ipv4()) {
        (true, true) => Some(sockets.udp4.as_fd()),
        (true, false) => sockets.udp6.as_ref().map(AsFd::as_fd),
        (false, true) => Some(sockets.raw4.as_fd()),
        (false, false) => sockets.raw6.as_ref().map(AsFd::as_fd),
    }
}

impl Link for SocketLink {
    fn send(&mut self, burst: &Burst<'_>) -> SendReport {
        let count = burst.octets.len().div_ceil(burst.segment);
        assert!(count <= MAX_SEGMENTS, "a burst of {count} packets is more than one send takes");
        let sockets = Arc::clone(&self.sockets);
        let Some(socket) = socket(&sockets, burst) else {
            return SendReport { failed: count, ..SendReport::default() };
        };
        if burst.encap.is_none() || count == 1 || !self.segmentation.load(Ordering::Relaxed) {
            let mut report = send_each(socket, burst, count);
            if report.sent > 0 {
                report.path_mtu = self.learned(burst, false);
            }
            return report;
        }
        let error = match retry_full(socket, || send_segmented(socket, burst)) {
            Ok(()) => {
                return SendReport { sent: count, path_mtu: self.learned(burst, false), ..SendReport::default() };
            }
            Err(error) => error,
        };
        match error.raw_os_error() {
            Some(libc::EIO | libc::EMSGSIZE | libc::EINVAL | libc::EOPNOTSUPP) => {
                let mut report = send_each(socket, burst, count);
                report.fell_back = true;
                report.path_mtu = self.learned(burst, true);
                let unsupported = error.raw_os_error() != Some(libc::EMSGSIZE) && report.path_mtu.is_none();
                if unsupported && report.sent > 0 && self.segmentation.swap(false, Ordering::Relaxed) {
                    report.offload_disabled = Some(("udp_gso", error.to_string()));
                }
                report
            }
            Some(libc::EAGAIN | libc::ENOBUFS) => SendReport { queue_full: count, ..SendReport::default() },
            _ => SendReport { failed: count, ..SendReport::default() },
        }
    }
}

fn destination(burst: &Burst<'_>) -> SocketAddr {
    SocketAddr::new(burst.dst, burst.encap.map_or(0, |encap| encap.dst_port))
}

/// Repeats `send` once after waiting when the queue is full.
fn retry_full<T>(socket: BorrowedFd<'_>, mut send: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    match send() {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock && sys::wait_writable(socket, PATIENCE) => send(),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => send(),
        other => other,
    }
}

fn send_segmented(socket: BorrowedFd<'_>, burst: &Burst<'_>) -> io::Result<()> {
    let mut control = ControlBuffer::default();
    let control_len = control::write(&mut control, burst.src, burst.tos, Some(burst.segment as u16));
    let (mut address, address_len) = sys::to_raw(destination(burst));
    let mut part = libc::iovec { iov_base: burst.octets.as_ptr().cast_mut().cast(), iov_len: burst.octets.len() };
    let message = message(&mut address, address_len, &mut part, &mut control, control_len);
    // SAFETY: everything `message` points to is a local or in the burst, and outlives the call.
    sys::check_len(unsafe { libc::sendmsg(socket.as_raw_fd(), &message, 0) }).map(drop)
}

fn send_each(socket: BorrowedFd<'_>, burst: &Burst<'_>, count: usize) -> SendReport {
    let mut control = ControlBuffer::default();
    let control_len = control::write(&mut control, burst.src, burst.tos, None);
    let (mut address, address_len) = sys::to_raw(destination(burst));
    let mut parts = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; MAX_SEGMENTS];
    for (part, packet) in parts.iter_mut().zip(burst.octets.chunks(burst.segment)) {
        *part = libc::iovec { iov_base: packet.as_ptr().cast_mut().cast(), iov_len: packet.len() };
    }
    let mut messages: [libc::mmsghdr; MAX_SEGMENTS] = std::array::from_fn(|index| libc::mmsghdr {
        msg_hdr: message(&mut address, address_len, &mut parts[index], &mut control, control_len),
        msg_len: 0,
    });
    let mut report = SendReport::default();
    let mut next = 0;
    while next < count {
        // SAFETY: the messages and all they point to are locals or in the burst, and outlive the call.
        let send = || {
            sys::check(unsafe {
                libc::sendmmsg(socket.as_raw_fd(), messages[next..].as_mut_ptr(), (count - next) as u32, 0)
            })
        };
        match retry_full(socket, send) {
            Ok(sent) => {
                report.sent += sent as usize;
                next += sent as usize;
            }
            Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::ENOBUFS)) => {
                report.queue_full = count - next;
                break;
            }
            Err(_) => {
                report.failed += 1;
                next += 1;
            }
        }
    }
    report
}

fn message(
    address: &mut libc::sockaddr_storage,
    address_len: libc::socklen_t,
    part: &mut libc::iovec,
    control: &mut ControlBuffer,
    control_len: usize,
) -> libc::msghdr {
    // SAFETY: all-zero octets are a valid msghdr.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_name = std::ptr::from_mut(address).cast();
    message.msg_namelen = address_len;
    message.msg_iov = part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr();
    message.msg_controllen = control_len;
    message
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::OwnedFd;

    use super::*;
    use crate::io::receive::{Receiver, Source};
    use crate::io::sys::set_option;
    use crate::sa::Encap;

    /// A link and the socket of its peer, both on loopback: what can be tried without raw sockets.
    fn loopback() -> (SocketLink, UdpSocket, u16) {
        let (ours, theirs) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        set_option(theirs.as_raw_fd(), libc::IPPROTO_IP, libc::IP_PKTINFO, &1i32).unwrap();
        set_option(theirs.as_raw_fd(), libc::IPPROTO_IP, libc::IP_RECVTOS, &1i32).unwrap();
        set_option(theirs.as_raw_fd(), libc::SOL_UDP, libc::UDP_GRO, &1i32).unwrap();
        let udp4 = OwnedFd::from(ours);
        let raw4 = udp4.try_clone().unwrap();
        let sockets = Arc::new(Sockets { udp4, udp6: None, raw4, raw6: None });
        let port = theirs.local_addr().unwrap().port();
        (SocketLink::new(sockets, Arc::new(AtomicBool::new(true))), theirs, port)
    }

    fn burst(port: u16, octets: &[u8]) -> Burst<'_> {
        let loopback = "127.0.0.1".parse().unwrap();
        let encap = Some(Encap { src_port: 4500, dst_port: port });
        Burst { src: loopback, dst: loopback, encap, tos: 0xb8, segment: 100, octets }
    }

    /// What arrives: datagrams merged or not, cut up again.
    fn received(socket: &UdpSocket) -> Vec<Vec<u8>> {
        let mut receiver = Receiver::new();
        let count = receiver.receive(socket.as_fd()).unwrap().count;
        let mut packets = Vec::new();
        for index in 0..count {
            let (at, datagram) = receiver.datagram(index, Source::Udp).unwrap();
            assert_eq!((datagram.local.to_string().as_str(), datagram.tos), ("127.0.0.1", 0xb8));
            packets.extend(receiver.arena_mut()[at].chunks(datagram.segment).map(<[u8]>::to_vec));
        }
        packets
    }

    #[test]
    fn a_burst_arrives_whole_with_and_without_the_offload() {
        let octets: Vec<u8> = (0..250).collect();
        for offload in [true, false] {
            let (mut link, peer, port) = loopback();
            link.segmentation.store(offload, Ordering::Relaxed);
            assert_eq!(link.send(&burst(port, &octets)), SendReport { sent: 3, ..SendReport::default() });
            let expected: Vec<Vec<u8>> = octets.chunks(100).map(<[u8]>::to_vec).collect();
            assert_eq!(received(&peer), expected);
        }
    }

    /// The kernel refuses UDP_SEGMENT with EINVAL on a socket that sends no checksums: a stand-in for a device or kernel
    /// that cannot do it.
    #[test]
    fn an_offload_that_fails_loses_nothing_and_is_switched_off_once() {
        let (mut link, peer, port) = loopback();
        set_option(link.sockets.udp4.as_raw_fd(), libc::SOL_SOCKET, libc::SO_NO_CHECK, &1i32).unwrap();
        let octets = [5; 250];
        let first = link.send(&burst(port, &octets));
        assert_eq!((first.sent, first.failed, first.fell_back, first.path_mtu), (3, 0, true, None));
        assert_eq!(first.offload_disabled.unwrap().0, "udp_gso");
        assert_eq!(received(&peer).concat(), octets);
        assert_eq!(link.send(&burst(port, &octets)), SendReport { sent: 3, ..SendReport::default() });
    }

    /// One octet too many for the path of the raw and of the UDP socket, alone and in bursts.
    #[test]
    fn what_exceeds_the_path_is_reported_however_it_is_sent() {
        let (mut link, _peer, port) = loopback();
        link.paths = Paths::new(|_, _| Ok(1400));
        let octets = [5; 3000];
        let mut told = |encap, segment: usize, count| {
            let burst = Burst { encap, segment, octets: &octets[..segment * count], ..burst(port, &octets) };
            link.send(&burst).path_mtu
        };
        let encap = Some(Encap { src_port: 4500, dst_port: port });
        for count in [1, 2] {
            assert_eq!([told(encap, 1372, count), told(encap, 1373, count)], [None, Some(1400)]);
        }
        // The stand-in for the raw socket has no port to send to.
        assert_eq!(told(None, 1381, 1), None, "what was not sent");
    }

    #[test]
    fn packets_that_cannot_be_sent_are_counted() {
        let (mut link, _peer, port) = loopback();
        let octets = [5; 250];
        let elsewhere = Burst { src: "192.0.2.99".parse().unwrap(), ..burst(port, &octets) };
        assert_eq!(link.send(&elsewhere).failed, 3, "not our address");
        let v6 = Burst { dst: "::1".parse().unwrap(), ..burst(port, &octets) };
        assert_eq!(link.send(&v6), SendReport { failed: 3, ..SendReport::default() }, "no socket of that family");
        assert!(link.segmentation.load(Ordering::Relaxed), "which says nothing about the offload");
    }
}
