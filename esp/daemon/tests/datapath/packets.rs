//! Inner packets for tests, with right checksums.

use twinbore_esp::packet::checksum::{Sum, pseudo_header};
use twinbore_esp::packet::vnet::{Gso, NEEDS_CSUM, VnetHeader};

/// A TCP segment from 10.0.0.1 (2001:db8:a::1) port 40000 to 10.0.0.2 (…::2) port 5201 with the ACK flag.
pub fn tcp(v6: bool, seq: u32, payload: &[u8]) -> Vec<u8> {
    let mut tcp = vec![0; 20];
    tcp[..2].copy_from_slice(&40000u16.to_be_bytes());
    tcp[2..4].copy_from_slice(&5201u16.to_be_bytes());
    tcp[4..8].copy_from_slice(&seq.to_be_bytes());
    (tcp[12], tcp[13], tcp[14]) = (0x50, 0x10, 0x20);
    tcp.extend(payload);
    let header = header(v6, tcp.len());
    let addresses = if v6 { &header[8..40] } else { &header[12..20] };
    let checksum = pseudo_header(addresses, 6, tcp.len()).with(&tcp).finish();
    tcp[16..18].copy_from_slice(&checksum);
    [header, tcp].concat()
}

fn header(v6: bool, upper: usize) -> Vec<u8> {
    if v6 {
        let mut header = vec![0x60, 0, 0, 0, 0, 0, 6, 64];
        header[4..6].copy_from_slice(&(upper as u16).to_be_bytes());
        for host in [1, 2] {
            header.extend([0x20, 1, 0x0d, 0xb8, 0, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, host]);
        }
        header
    } else {
        let mut header = vec![0x45, 0, 0, 0, 0, 7, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        header[2..4].copy_from_slice(&((20 + upper) as u16).to_be_bytes());
        fix_ipv4(&mut header);
        header
    }
}

/// Recomputes the IPv4 header checksum after a test changed the header.
pub fn fix_ipv4(packet: &mut [u8]) {
    packet[10..12].fill(0);
    let checksum = Sum::default().with(&packet[..20]).finish();
    packet[10..12].copy_from_slice(&checksum);
}

/// A super-packet of TCP with segments of `size` octets.
pub fn super_tcp(v6: bool, payload: &[u8], size: u16) -> (VnetHeader, Vec<u8>) {
    let gso = if v6 { Gso::TcpV6 } else { Gso::TcpV4 };
    (VnetHeader { flags: NEEDS_CSUM, gso, gso_size: size, ..VnetHeader::default() }, tcp(v6, 1, payload))
}

/// A packet as it is.
pub fn plain(packet: Vec<u8>) -> (VnetHeader, Vec<u8>) {
    (VnetHeader::default(), packet)
}
