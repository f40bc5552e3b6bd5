//! ICMP errors for inner packets that are too big and may not be fragmented: "fragmentation needed" (RFC 792, RFC 1191)
//! and "packet too big" (RFC 4443 3.2).
//!
//! The error claims to come from the destination of the packet it answers: the data path has no address of its own in
//! the routing domain, and this one passes reverse-path checks on the TUN.

use super::checksum::{Sum, pseudo_header};
use super::ip::{Layout, PROTO_ICMP, PROTO_ICMPV6, Version};

/// Smallest MTU an IPv6 node may be told (RFC 8200 5).
const IPV6_MIN_MTU: u32 = 1280;

/// Builds the error; `mtu` is the largest inner packet that fits. `None` when none may be sent: for ICMP errors, later
/// fragments, and packets from or to more than one host (RFC 1122 3.2.2, RFC 4443 2.4; a too-big error is due to a
/// multicast destination).
pub fn too_big(packet: &[u8], layout: &Layout, mtu: u32) -> Option<Vec<u8>> {
    let flow = layout.flow(packet);
    let error = match layout.proto {
        PROTO_ICMP => !matches!(flow.src_port, 0 | 8 | 13 | 14 | 15..=18),
        PROTO_ICMPV6 => flow.src_port < 128,
        _ => false,
    };
    if error || layout.later_fragment || flow.src.is_unspecified() || flow.src.is_multicast() {
        return None;
    }
    match layout.version {
        Version::V4 if flow.dst.is_multicast() => None,
        Version::V4 => Some(v4(packet, layout, mtu)),
        Version::V6 => Some(v6(packet, mtu.max(IPV6_MIN_MTU))),
    }
}

fn v4(packet: &[u8], layout: &Layout, mtu: u32) -> Vec<u8> {
    let quoted = &packet[..packet.len().min(layout.upper + 8)];
    let mut message = vec![3, 4, 0, 0, 0, 0];
    message.extend((mtu.min(u32::from(u16::MAX)) as u16).to_be_bytes());
    message.extend(quoted);
    let checksum = Sum::default().with(&message).finish();
    message[2..4].copy_from_slice(&checksum);
    let mut answer = vec![0x45, 0xc0, 0, 0, 0, 0, 0, 0, 64, PROTO_ICMP, 0, 0];
    answer[2..4].copy_from_slice(&((20 + message.len()) as u16).to_be_bytes());
    answer.extend(&packet[16..20]);
    answer.extend(&packet[12..16]);
    let checksum = Sum::default().with(&answer).finish();
    answer[10..12].copy_from_slice(&checksum);
    answer.extend(message);
    answer
}

fn v6(packet: &[u8], mtu: u32) -> Vec<u8> {
    let quoted = &packet[..packet.len().min(IPV6_MIN_MTU as usize - 40 - 8)];
    let mut message = vec![2, 0, 0, 0];
    message.extend(mtu.to_be_bytes());
    message.extend(quoted);
    let mut answer = vec![0x60, 0, 0, 0, 0, 0, PROTO_ICMPV6, 64];
    answer[4..6].copy_from_slice(&(message.len() as u16).to_be_bytes());
    answer.extend(&packet[24..40]);
    answer.extend(&packet[8..24]);
    let checksum = pseudo_header(&answer[8..40], PROTO_ICMPV6, message.len()).with(&message).finish();
    message[2..4].copy_from_slice(&checksum);
    answer.extend(message);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::segment::testing::tcp_packet;

    fn answer(packet: &[u8], mtu: u32) -> Option<Vec<u8>> {
        too_big(packet, &Layout::parse(packet).unwrap(), mtu)
    }

    #[test]
    fn ipv4_says_fragmentation_needed() {
        let packet = tcp_packet(false, 1, &[0; 1400]);
        let error = answer(&packet, 1380).unwrap();
        let layout = Layout::parse(&error).unwrap();
        assert_eq!((layout.proto, layout.len), (PROTO_ICMP, error.len()));
        assert_eq!((&error[12..16], &error[16..20]), (&packet[16..20], &packet[12..16]));
        assert_eq!(error[20..22], [3, 4]);
        assert_eq!(error[26..28], 1380u16.to_be_bytes());
        assert_eq!(error[28..], packet[..28]);
        assert!(Sum::default().with(&error[..20]).is_valid() && Sum::default().with(&error[20..]).is_valid());
    }

    #[test]
    fn ipv6_says_packet_too_big_and_never_less_than_1280() {
        let packet = tcp_packet(true, 1, &[0; 1400]);
        let error = answer(&packet, 1000).unwrap();
        assert_eq!(error.len(), 1280);
        assert_eq!(error[40], 2);
        assert_eq!(error[44..48], 1280u32.to_be_bytes());
        assert!(pseudo_header(&error[8..40], PROTO_ICMPV6, error.len() - 40).with(&error[40..]).is_valid());
    }

    #[test]
    fn errors_are_not_answered() {
        let error = answer(&tcp_packet(false, 1, &[0; 1400]), 1380).unwrap();
        assert_eq!(answer(&error, 20), None);
        let error = answer(&tcp_packet(true, 1, &[0; 1400]), 1380).unwrap();
        assert_eq!(answer(&error, 20), None);
        let mut multicast = tcp_packet(false, 1, &[0; 100]);
        multicast[16] = 239;
        assert_eq!(answer(&multicast, 20), None);
    }
}
