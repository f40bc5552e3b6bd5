//! What the data path needs to know of an IP header.

use std::net::IpAddr;

use crate::selector::Flow;

pub const PROTO_ICMP: u8 = 1;
pub const PROTO_TCP: u8 = 6;
pub const PROTO_UDP: u8 = 17;
pub const PROTO_ICMPV6: u8 = 58;

/// Extension headers looked through to find the upper-layer protocol; a longer chain is opaque.
const MAX_EXTENSIONS: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V4,
    V6,
}

/// A well-formed IP packet's layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub version: Version,
    /// Length of the packet by its header; what follows is padding (RFC 4303 2.7 allows it).
    pub len: usize,
    /// Where the upper-layer header is.
    pub upper: usize,
    /// Upper-layer protocol.
    pub proto: u8,
    /// Part of a fragmented packet, the first included.
    pub fragment: bool,
    /// A fragment without the upper-layer header.
    pub later_fragment: bool,
    /// IPv4 DF, and true for IPv6, which routers never fragment.
    pub dont_fragment: bool,
    /// Traffic class: DSCP and ECN.
    pub tos: u8,
}

impl Layout {
    /// Parses a header; `None` when it is not IP, or shorter than it says.
    pub fn parse(packet: &[u8]) -> Option<Layout> {
        match packet.first()? >> 4 {
            4 => parse_v4(packet),
            6 => parse_v6(packet),
            _ => None,
        }
    }

    /// Source and destination octets, as they lie in `packet`.
    pub fn addresses<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        match self.version {
            Version::V4 => &packet[12..20],
            Version::V6 => &packet[8..40],
        }
    }

    /// The fields a selector looks at.
    pub fn flow(&self, packet: &[u8]) -> Flow {
        let addresses = self.addresses(packet);
        let (src, dst) = addresses.split_at(addresses.len() / 2);
        let (src_port, dst_port) = self.ports(packet);
        Flow { src: address(src), dst: address(dst), proto: self.proto, src_port, dst_port }
    }

    fn ports(&self, packet: &[u8]) -> (u16, u16) {
        let upper = if self.later_fragment { &[] } else { packet.get(self.upper..self.len).unwrap_or(&[]) };
        match (self.proto, upper) {
            (PROTO_ICMP | PROTO_ICMPV6, [kind, code, ..]) => (u16::from(*kind), u16::from(*code)),
            (PROTO_TCP | PROTO_UDP | 132 | 33 | 136, [a, b, c, d, ..]) => {
                (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]))
            }
            _ => (0, 0),
        }
    }
}

fn parse_v4(packet: &[u8]) -> Option<Layout> {
    let header: &[u8; 20] = packet.first_chunk()?;
    let (upper, len) = (usize::from(header[0] & 15) * 4, usize::from(u16::from_be_bytes([header[2], header[3]])));
    if upper < 20 || len < upper || len > packet.len() {
        return None;
    }
    let fragment_field = u16::from_be_bytes([header[6], header[7]]);
    Some(Layout {
        version: Version::V4,
        len,
        upper,
        proto: header[9],
        fragment: fragment_field & 0x3fff != 0,
        later_fragment: fragment_field & 0x1fff != 0,
        dont_fragment: fragment_field & 0x4000 != 0,
        tos: header[1],
    })
}

fn parse_v6(packet: &[u8]) -> Option<Layout> {
    let header: &[u8; 40] = packet.first_chunk()?;
    let len = 40 + usize::from(u16::from_be_bytes([header[4], header[5]]));
    if len > packet.len() {
        return None;
    }
    let (mut upper, mut proto, mut fragment, mut later_fragment) = (40, header[6], false, false);
    for _ in 0..MAX_EXTENSIONS {
        // Hop-by-hop 0, routing 43, fragment 44, authentication 51, destination options 60 (RFC 8200 4.1).
        let Some(extension) = packet[..len].get(upper..).and_then(|rest| rest.first_chunk::<4>()) else { break };
        let size = match proto {
            0 | 43 | 60 => (usize::from(extension[1]) + 1) * 8,
            51 => (usize::from(extension[1]) + 2) * 4,
            44 => {
                fragment = true;
                later_fragment = u16::from_be_bytes([extension[2], extension[3]]) & 0xfff8 != 0;
                8
            }
            _ => break,
        };
        (upper, proto) = (upper + size, extension[0]);
        if later_fragment {
            break;
        }
    }
    let tos = (header[0] << 4) | (header[1] >> 4);
    let version = Version::V6;
    Some(Layout { version, len, upper: upper.min(len), proto, fragment, later_fragment, dont_fragment: true, tos })
}

fn address(octets: &[u8]) -> IpAddr {
    match octets.first_chunk::<16>() {
        Some(v6) => IpAddr::from(*v6),
        None => IpAddr::from([octets[0], octets[1], octets[2], octets[3]]),
    }
}

/// Sets the traffic class (DSCP and ECN). The IPv4 checksum follows the change (RFC 1624, equation 3) instead of being
/// computed anew: a header that was damaged must not become a valid one.
pub fn set_tos(packet: &mut [u8], version: Version, tos: u8) {
    match version {
        Version::V4 => {
            let change = [!packet[10], !packet[11], !packet[0], !packet[1], packet[0], tos];
            packet[1] = tos;
            packet[10..12].copy_from_slice(&super::checksum::Sum::default().with(&change).finish());
        }
        Version::V6 => {
            packet[0] = packet[0] & 0xf0 | tos >> 4;
            packet[1] = packet[1] & 0x0f | tos << 4;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packet::checksum::Sum;
    use crate::packet::segment::testing::{fix_checksums, tcp_packet, udp_packet};

    #[test]
    fn a_tcp_packet_of_each_version() {
        for (v6, upper) in [(false, 20), (true, 40)] {
            let packet = tcp_packet(v6, 1, &[9; 30]);
            let layout = Layout::parse(&packet).unwrap();
            assert_eq!((layout.upper, layout.len, layout.proto), (upper, upper + 20 + 30, PROTO_TCP));
            assert!(!layout.fragment && layout.dont_fragment);
            let flow = layout.flow(&packet);
            assert_eq!((flow.src_port, flow.dst_port), (40000, 5201));
            assert_eq!(flow.src.to_string(), if v6 { "2001:db8::1" } else { "10.0.0.1" });
        }
    }

    #[test]
    fn extension_headers_are_looked_through() {
        let udp = udp_packet(true, &[7; 8]);
        let mut packet = udp[..40].to_vec();
        packet[6] = 60;
        packet.extend([44, 0, 1, 4, 0, 0, 0, 0]);
        packet.extend([17, 0, 0, 1, 0, 0, 0, 5]);
        packet.extend(&udp[40..]);
        packet[5] += 16;
        let layout = Layout::parse(&packet).unwrap();
        assert_eq!((layout.proto, layout.upper, layout.fragment, layout.later_fragment), (17, 56, true, false));
        assert_eq!(layout.flow(&packet).dst_port, 5201);
        packet[51] = 8;
        let later = Layout::parse(&packet).unwrap();
        assert!(later.later_fragment);
        assert_eq!(later.flow(&packet).dst_port, 0);
    }

    #[test]
    fn truncated_packets_are_refused() {
        for v6 in [false, true] {
            let packet = tcp_packet(v6, 1, &[9; 30]);
            assert!(Layout::parse(&packet[..packet.len() - 1]).is_none());
            assert!(Layout::parse(&packet[..10]).is_none());
        }
        assert!(Layout::parse(&[]).is_none());
        assert!(Layout::parse(&[0x20; 60]).is_none());
        assert!(Layout::parse(&[0x44; 60]).is_none(), "header length below 20");
    }

    #[test]
    fn the_traffic_class_is_set_and_the_checksum_kept_right() {
        let mut packet = tcp_packet(false, 1, b"x");
        set_tos(&mut packet, Version::V4, 0xb9);
        assert_eq!(Layout::parse(&packet).unwrap().tos, 0xb9);
        assert!(Sum::default().with(&packet[..20]).is_valid());
        let mut packet = tcp_packet(true, 1, b"x");
        set_tos(&mut packet, Version::V6, 0xb9);
        assert_eq!((Layout::parse(&packet).unwrap().tos, packet[0] >> 4), (0xb9, 6));
    }

    #[test]
    fn a_wrong_checksum_stays_wrong() {
        let mut packet = tcp_packet(false, 1, b"x");
        packet[4] ^= 1;
        set_tos(&mut packet, Version::V4, 3);
        assert!(!Sum::default().with(&packet[..20]).is_valid());
    }

    proptest! {
        #[test]
        fn the_checksum_follows_every_traffic_class(before in any::<u8>(), after in any::<u8>(), id in any::<u16>()) {
            let mut packet = tcp_packet(false, 1, b"x");
            packet[4..6].copy_from_slice(&id.to_be_bytes());
            packet[1] = before;
            fix_checksums(&mut packet, 16);
            set_tos(&mut packet, Version::V4, after);
            prop_assert!(Sum::default().with(&packet[..20]).is_valid());
        }

        #[test]
        fn no_octets_make_it_panic(mut octets in prop::collection::vec(any::<u8>(), 0..200), v6 in any::<bool>()) {
            if let Some(first) = octets.first_mut() {
                *first = if v6 { 0x60 } else { 0x45 };
            }
            if let Some(layout) = Layout::parse(&octets) {
                prop_assert!(layout.len <= octets.len() && layout.upper <= layout.len);
                layout.flow(&octets);
            }
        }
    }
}
