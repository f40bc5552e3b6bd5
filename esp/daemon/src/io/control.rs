//! Control messages of `sendmsg` and `recvmsg` (cmsg(3)): source address, traffic class, segmentation offload.

use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::sys::in_addr;

/// Room for the messages used here, aligned as `struct cmsghdr`.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug)]
pub struct ControlBuffer([u8; ControlBuffer::SIZE]);

impl ControlBuffer {
    pub const SIZE: usize = 192;

    pub fn as_mut_ptr(&mut self) -> *mut libc::c_void {
        self.0.as_mut_ptr().cast()
    }
}

impl Default for ControlBuffer {
    fn default() -> ControlBuffer {
        ControlBuffer([0; ControlBuffer::SIZE])
    }
}

/// Builds the control messages of a send and returns their length.
pub fn write(buffer: &mut ControlBuffer, src: IpAddr, tos: u8, segment: Option<u16>) -> usize {
    let mut writer = Writer { buffer, len: 0 };
    match src {
        IpAddr::V4(v4) => {
            let info =
                libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: in_addr(v4.octets()), ipi_addr: in_addr([0; 4]) };
            writer.push(libc::IPPROTO_IP, libc::IP_PKTINFO, info);
            if tos != 0 {
                writer.push(libc::IPPROTO_IP, libc::IP_TOS, libc::c_int::from(tos));
            }
        }
        IpAddr::V6(v6) => {
            let info = libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: v6.octets() }, ipi6_ifindex: 0 };
            writer.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
            if tos != 0 {
                writer.push(libc::IPPROTO_IPV6, libc::IPV6_TCLASS, libc::c_int::from(tos));
            }
        }
    }
    if let Some(segment) = segment {
        writer.push(libc::SOL_UDP, libc::UDP_SEGMENT, segment);
    }
    writer.len
}

struct Writer<'a> {
    buffer: &'a mut ControlBuffer,
    len: usize,
}

impl Writer<'_> {
    fn push<T: Copy>(&mut self, level: libc::c_int, kind: libc::c_int, value: T) {
        // SAFETY: pure arithmetic on a length.
        let (space, full) = unsafe {
            let size = mem::size_of::<T>() as u32;
            (libc::CMSG_SPACE(size) as usize, libc::CMSG_LEN(size) as usize)
        };
        assert!(self.len + space <= ControlBuffer::SIZE, "the buffer is sized for every message there is");
        let header: *mut libc::cmsghdr = self.buffer.0[self.len..].as_mut_ptr().cast();
        // SAFETY: `space` octets follow in the buffer, whose alignment is that of cmsghdr and `self.len` a multiple of it.
        unsafe {
            (*header).cmsg_level = level;
            (*header).cmsg_type = kind;
            (*header).cmsg_len = full;
            libc::CMSG_DATA(header).cast::<T>().write_unaligned(value);
        }
        self.len += space;
    }
}

/// What the control messages of a received datagram say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    pub local: Option<IpAddr>,
    pub ifindex: u32,
    pub tos: u8,
    /// Size of the datagrams that GRO merged.
    pub segment: Option<usize>,
}

/// Reads the control messages of a received datagram.
pub fn read(message: &libc::msghdr) -> Received {
    let mut received = Received::default();
    // SAFETY: `message` was filled in by the kernel, whose control messages are well-formed; each value is read as the
    // type that ip(7), ipv6(7) and udp(7) say it has.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            let data = libc::CMSG_DATA(header);
            match ((*header).cmsg_level, (*header).cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                    received.local = Some(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into());
                    received.ifindex = info.ipi_ifindex as u32;
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info = data.cast::<libc::in6_pktinfo>().read_unaligned();
                    received.local = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
                    received.ifindex = info.ipi6_ifindex;
                }
                (libc::IPPROTO_IP, libc::IP_TOS) => received.tos = data.read(),
                (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                    received.tos = data.cast::<libc::c_int>().read_unaligned() as u8;
                }
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    received.segment = usize::try_from(data.cast::<libc::c_int>().read_unaligned()).ok();
                }
                _ => {}
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    received
}
