//! The virtio-net header in front of every packet of a TUN with IFF_VNET_HDR (linux/virtio_net.h).
//!
//! It says what is left to do: a checksum to complete, a super-packet to cut into segments. Fields are in the machine's
//! byte order (TUN's default for the legacy layout of 10 octets).

/// Length of the header, in octets.
pub const LEN: usize = 10;

pub const NEEDS_CSUM: u8 = 1;
pub const DATA_VALID: u8 = 2;

/// What kind of super-packet follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gso {
    #[default]
    None,
    TcpV4,
    TcpV6,
    Udp,
}

const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
const GSO_ECN: u8 = 0x80;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VnetHeader {
    pub flags: u8,
    pub gso: Gso,
    /// Length of the headers in front of the payload; a hint.
    pub hdr_len: u16,
    /// Payload octets of each segment but the last.
    pub gso_size: u16,
    /// Where the checksummed part begins, and where in it the checksum field is.
    pub csum_start: u16,
    pub csum_offset: u16,
}

impl VnetHeader {
    /// `None` for a kind of super-packet that was not asked for.
    pub fn parse(octets: &[u8; LEN]) -> Option<VnetHeader> {
        let field = |at: usize| u16::from_ne_bytes([octets[at], octets[at + 1]]);
        let gso = match octets[1] & !GSO_ECN {
            0 => Gso::None,
            GSO_TCPV4 => Gso::TcpV4,
            GSO_TCPV6 => Gso::TcpV6,
            GSO_UDP_L4 => Gso::Udp,
            _ => return None,
        };
        let (hdr_len, gso_size, csum_start, csum_offset) = (field(2), field(4), field(6), field(8));
        Some(VnetHeader { flags: octets[0], gso, hdr_len, gso_size, csum_start, csum_offset })
    }

    pub fn encode(&self) -> [u8; LEN] {
        let gso = match self.gso {
            Gso::None => 0,
            Gso::TcpV4 => GSO_TCPV4,
            Gso::TcpV6 => GSO_TCPV6,
            Gso::Udp => GSO_UDP_L4,
        };
        let mut octets = [self.flags, gso, 0, 0, 0, 0, 0, 0, 0, 0];
        let fields = [self.hdr_len, self.gso_size, self.csum_start, self.csum_offset];
        for (field, place) in fields.iter().zip(octets[2..].as_chunks_mut::<2>().0) {
            *place = field.to_ne_bytes();
        }
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_the_round_trip() {
        for gso in [Gso::None, Gso::TcpV4, Gso::TcpV6, Gso::Udp] {
            let header =
                VnetHeader { flags: NEEDS_CSUM, gso, hdr_len: 54, gso_size: 1398, csum_start: 20, csum_offset: 16 };
            assert_eq!(VnetHeader::parse(&header.encode()), Some(header));
        }
    }

    #[test]
    fn the_ecn_bit_is_ignored_and_old_udp_fragmentation_refused() {
        let mut octets = [0; LEN];
        octets[1] = GSO_TCPV4 | GSO_ECN;
        assert_eq!(VnetHeader::parse(&octets).unwrap().gso, Gso::TcpV4);
        octets[1] = 3;
        assert_eq!(VnetHeader::parse(&octets), None);
    }
}
