//! Cutting a super-packet from the TUN into packets of the wire.
//!
//! The kernel hands over up to 64 KB of one flow with one set of headers (TSO, USO). Each segment gets a copy of the
//! headers with what must differ: lengths, IPv4 identification (counting up), TCP sequence number; CWR on the first only,
//! PSH and FIN on the last only (RFC 3168 6.1.2 and the kernel's `tcp_gso_segment`); and its checksums. A segment is
//! written straight to where it will be encrypted, so that each payload octet is copied once and checksummed in cache.

use super::checksum::{Sum, pseudo_header};
use super::ip::{Layout, PROTO_TCP, PROTO_UDP, Version};
use super::vnet::{Gso, NEEDS_CSUM, VnetHeader};

const TCP_FIN_PSH: u8 = 0x09;
const TCP_CWR: u8 = 0x80;

/// A packet read from the TUN, with what its virtio header left to do.
#[derive(Clone, Copy, Debug)]
pub struct SuperPacket<'a> {
    packet: &'a [u8],
    layout: Layout,
    work: Work,
}

#[derive(Clone, Copy, Debug)]
enum Work {
    /// Nothing: one packet as it is.
    Copy,
    /// One packet whose checksum at `field` over everything from `start` is to be completed.
    Checksum { start: usize, field: usize },
    /// Segments of `size` payload octets.
    Segment { udp: bool, upper: usize, header: usize, size: usize },
}

impl<'a> SuperPacket<'a> {
    /// Checks that the virtio header fits the packet; `None` when either is malformed.
    pub fn new(vnet: &VnetHeader, packet: &'a [u8]) -> Option<SuperPacket<'a>> {
        let layout = Layout::parse(packet)?;
        let packet = &packet[..layout.len];
        let start = usize::from(vnet.csum_start);
        let work = match vnet.gso {
            Gso::None if vnet.flags & NEEDS_CSUM == 0 => Work::Copy,
            Gso::None => {
                let field = start + usize::from(vnet.csum_offset);
                packet.get(field..field + 2)?;
                Work::Checksum { start, field }
            }
            gso => {
                let udp = gso == Gso::Udp;
                let expected = if udp { PROTO_UDP } else { PROTO_TCP };
                if layout.proto != expected || layout.fragment || vnet.gso_size == 0 {
                    return None;
                }
                let fixed = if udp { 8 } else { usize::from(packet.get(layout.upper + 12)? >> 4) * 4 };
                let header = layout.upper + fixed;
                if fixed < if udp { 8 } else { 20 } || header >= packet.len() {
                    return None;
                }
                Work::Segment { udp, upper: layout.upper, header, size: usize::from(vnet.gso_size) }
            }
        };
        Some(SuperPacket { packet, layout, work })
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The packet as it was read.
    pub fn packet(&self) -> &'a [u8] {
        self.packet
    }

    /// Number of packets it makes, at least 1.
    pub fn count(&self) -> usize {
        match self.work {
            Work::Segment { header, size, .. } => (self.packet.len() - header).div_ceil(size),
            _ => 1,
        }
    }

    /// Length of packet `index`; none is longer than the first.
    pub fn len(&self, index: usize) -> usize {
        match self.work {
            Work::Segment { header, size, .. } => header + size.min(self.packet.len() - header - index * size),
            _ => self.packet.len(),
        }
    }

    /// Writes packet `index` to `out`, which is [`SuperPacket::len`] octets long.
    pub fn write(&self, index: usize, out: &mut [u8]) {
        match self.work {
            Work::Copy => out.copy_from_slice(self.packet),
            Work::Checksum { start, field } => {
                out.copy_from_slice(self.packet);
                // The field holds the sum of the pseudo-header, which the rest is added to.
                let checksum = Sum::default().with(&out[start..]).finish();
                // A UDP checksum of 0 means "none" (RFC 768): it is sent as its other representation.
                let udp = self.layout.proto == PROTO_UDP && checksum == [0; 2];
                out[field..field + 2].copy_from_slice(if udp { &[0xff; 2] } else { &checksum });
            }
            Work::Segment { udp, upper, header, size } => {
                let payload = &self.packet[header + index * size..];
                let payload = &payload[..out.len() - header];
                out[..header].copy_from_slice(&self.packet[..header]);
                let payload = Sum::default().with_copied(&mut out[header..], payload);
                self.write_ip(index, upper, out);
                let (udp_proto, field) = if udp { (PROTO_UDP, 6) } else { (PROTO_TCP, 16) };
                let total = out.len() - upper;
                if udp {
                    out[upper + 4..upper + 6].copy_from_slice(&(total as u16).to_be_bytes());
                } else {
                    write_tcp(index, index * size, index + 1 == self.count(), &mut out[upper..]);
                }
                out[upper + field..upper + field + 2].fill(0);
                let pseudo = pseudo_header(self.layout.addresses(out), udp_proto, total);
                let checksum = pseudo.with(&out[upper..header]).with_sum(payload).finish();
                let zero = udp && checksum == [0; 2];
                out[upper + field..upper + field + 2].copy_from_slice(if zero { &[0xff; 2] } else { &checksum });
            }
        }
    }

    fn write_ip(&self, index: usize, upper: usize, out: &mut [u8]) {
        let total = out.len();
        match self.layout.version {
            Version::V4 => {
                out[2..4].copy_from_slice(&(total as u16).to_be_bytes());
                let id = u16::from_be_bytes([out[4], out[5]]).wrapping_add(index as u16);
                out[4..6].copy_from_slice(&id.to_be_bytes());
                out[10..12].fill(0);
                let checksum = Sum::default().with(&out[..upper]).finish();
                out[10..12].copy_from_slice(&checksum);
            }
            Version::V6 => out[4..6].copy_from_slice(&((total - 40) as u16).to_be_bytes()),
        }
    }
}

fn write_tcp(index: usize, offset: usize, last: bool, tcp: &mut [u8]) {
    let seq = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]).wrapping_add(offset as u32);
    tcp[4..8].copy_from_slice(&seq.to_be_bytes());
    if !last {
        tcp[13] &= !TCP_FIN_PSH;
    }
    if index > 0 {
        tcp[13] &= !TCP_CWR;
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A TCP packet with right checksums, ports 40000 to 5201, flag ACK.
    pub(crate) fn tcp_packet(v6: bool, seq: u32, payload: &[u8]) -> Vec<u8> {
        let mut tcp = vec![0; 20];
        tcp[..2].copy_from_slice(&40000u16.to_be_bytes());
        tcp[2..4].copy_from_slice(&5201u16.to_be_bytes());
        tcp[4..8].copy_from_slice(&seq.to_be_bytes());
        (tcp[12], tcp[13], tcp[14]) = (0x50, 0x10, 0x20);
        tcp.extend(payload);
        ip_packet(v6, PROTO_TCP, &tcp, 16)
    }

    /// A UDP packet with right checksums, ports 40000 to 5201.
    pub(crate) fn udp_packet(v6: bool, payload: &[u8]) -> Vec<u8> {
        let mut udp = vec![0; 8];
        udp[..2].copy_from_slice(&40000u16.to_be_bytes());
        udp[2..4].copy_from_slice(&5201u16.to_be_bytes());
        udp[4..6].copy_from_slice(&((8 + payload.len()) as u16).to_be_bytes());
        udp.extend(payload);
        ip_packet(v6, PROTO_UDP, &udp, 6)
    }

    fn ip_packet(v6: bool, proto: u8, upper: &[u8], field: usize) -> Vec<u8> {
        let mut packet = if v6 {
            let mut header = vec![0; 40];
            (header[0], header[6], header[7]) = (0x60, proto, 64);
            header[4..6].copy_from_slice(&(upper.len() as u16).to_be_bytes());
            header[8..24].copy_from_slice(&"2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
            header[24..40].copy_from_slice(&"2001:db8::2".parse::<std::net::Ipv6Addr>().unwrap().octets());
            header
        } else {
            let mut header = vec![0x45, 0, 0, 0, 0, 7, 0x40, 0, 64, proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
            header[2..4].copy_from_slice(&((20 + upper.len()) as u16).to_be_bytes());
            header
        };
        packet.extend(upper);
        fix_checksums(&mut packet, field);
        packet
    }

    /// Recomputes the checksums of a packet after a test changed it; `field` is the place in the upper header.
    pub(crate) fn fix_checksums(packet: &mut [u8], field: usize) {
        let layout = Layout::parse(packet).unwrap();
        if layout.version == Version::V4 {
            packet[10..12].fill(0);
            let checksum = Sum::default().with(&packet[..layout.upper]).finish();
            packet[10..12].copy_from_slice(&checksum);
        }
        let at = layout.upper + field;
        packet[at..at + 2].fill(0);
        let sum = pseudo_header(layout.addresses(packet), layout.proto, packet.len() - layout.upper);
        let checksum = sum.with(&packet[layout.upper..]).finish();
        packet[at..at + 2].copy_from_slice(&checksum);
    }

    /// Whether all checksums of a TCP or UDP packet are right.
    pub(crate) fn checksums_valid(packet: &[u8]) -> bool {
        let layout = Layout::parse(packet).unwrap();
        let header = layout.version == Version::V6 || Sum::default().with(&packet[..layout.upper]).is_valid();
        let sum = pseudo_header(layout.addresses(packet), layout.proto, packet.len() - layout.upper);
        header && sum.with(&packet[layout.upper..]).is_valid()
    }

    /// The packets a super-packet makes.
    pub(crate) fn segments(vnet: &VnetHeader, packet: &[u8]) -> Vec<Vec<u8>> {
        let whole = SuperPacket::new(vnet, packet).unwrap();
        let one = |index| {
            let mut out = vec![0; whole.len(index)];
            whole.write(index, &mut out);
            out
        };
        (0..whole.count()).map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::*;
    use super::*;

    fn gso(gso: Gso, gso_size: u16) -> VnetHeader {
        VnetHeader { flags: NEEDS_CSUM, gso, gso_size, ..VnetHeader::default() }
    }

    #[test]
    fn tcp_segments_count_up_and_flags_go_to_the_ends() {
        for v6 in [false, true] {
            let payload: Vec<u8> = (0..2500u32).map(|i| i as u8).collect();
            let mut packet = tcp_packet(v6, 0xffff_ff00, &payload);
            let upper = Layout::parse(&packet).unwrap().upper;
            packet[upper + 13] = 0x80 | 0x10 | 0x08 | 0x01;
            let cut = segments(&gso(if v6 { Gso::TcpV6 } else { Gso::TcpV4 }, 1000), &packet);
            assert_eq!(cut.iter().map(|s| s.len() - upper - 20).collect::<Vec<_>>(), [1000, 1000, 500]);
            assert_eq!(cut.iter().map(|s| s[upper + 13]).collect::<Vec<_>>(), [0x90, 0x10, 0x19]);
            let joined: Vec<u8> = cut.iter().flat_map(|s| s[upper + 20..].to_vec()).collect();
            assert_eq!(joined, payload);
            for (i, segment) in cut.iter().enumerate() {
                assert!(checksums_valid(segment));
                let seq = u32::from_be_bytes(segment[upper + 4..upper + 8].try_into().unwrap());
                assert_eq!(seq, 0xffff_ff00u32.wrapping_add(1000 * i as u32));
                if !v6 {
                    assert_eq!(segment[4..6], (7 + i as u16).to_be_bytes());
                }
            }
        }
    }

    #[test]
    fn udp_segments_are_datagrams_of_their_own() {
        for v6 in [false, true] {
            let packet = udp_packet(v6, &[3; 1050]);
            let upper = Layout::parse(&packet).unwrap().upper;
            let cut = segments(&gso(Gso::Udp, 500), &packet);
            let lengths: Vec<u8> = cut.iter().flat_map(|s| s[upper + 4..upper + 6].to_vec()).collect();
            assert_eq!(lengths, [508u16, 508, 58].map(u16::to_be_bytes).concat());
            assert!(cut.iter().all(|s| checksums_valid(s)));
        }
    }

    #[test]
    fn a_partial_checksum_is_completed() {
        for v6 in [false, true] {
            let good = tcp_packet(v6, 5, b"hello");
            let layout = Layout::parse(&good).unwrap();
            let mut partial = good.clone();
            let pseudo = pseudo_header(layout.addresses(&good), PROTO_TCP, good.len() - layout.upper);
            partial[layout.upper + 16..layout.upper + 18].copy_from_slice(&pseudo.fold());
            let vnet = VnetHeader {
                flags: NEEDS_CSUM,
                csum_start: layout.upper as u16,
                csum_offset: 16,
                ..VnetHeader::default()
            };
            assert_eq!(segments(&vnet, &partial), [good]);
        }
    }

    #[test]
    fn headers_that_lie_are_refused() {
        let packet = tcp_packet(false, 5, &[1; 100]);
        assert!(SuperPacket::new(&gso(Gso::TcpV4, 0), &packet).is_none(), "no segment size");
        assert!(SuperPacket::new(&gso(Gso::Udp, 50), &packet).is_none(), "not UDP");
        let far = VnetHeader { flags: NEEDS_CSUM, csum_start: 139, csum_offset: 1, ..VnetHeader::default() };
        assert!(SuperPacket::new(&far, &packet).is_none(), "checksum field beyond the packet");
        let mut short = packet.clone();
        short[32] = 0xf0;
        let header_only = &short[..40];
        assert!(SuperPacket::new(&gso(Gso::TcpV4, 50), header_only).is_none());
    }
}
