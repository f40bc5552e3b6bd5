//! The Internet checksum (RFC 1071).
//!
//! Sums are kept in 64 bits and in the machine's own byte order, which RFC 1071 2(B) shows to give the same result, and
//! folded at the end. The loop is plain so that the compiler vectorises it: every payload octet passes here once.

/// A running sum.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// Adds octets; all but the last addition must be of an even length.
    pub fn with(self, octets: &[u8]) -> Sum {
        let (blocks, rest) = octets.as_chunks::<32>();
        let mut lanes = [0u64; 8];
        for block in blocks {
            for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<4>().0) {
                *lane += u64::from(u32::from_ne_bytes(*word));
            }
        }
        let (pairs, odd) = rest.as_chunks::<2>();
        let tail: u64 = pairs.iter().map(|pair| u64::from(u16::from_ne_bytes(*pair))).sum();
        let last = odd.first().map_or(0, |octet| u64::from(u16::from_ne_bytes([*octet, 0])));
        Sum(self.0 + lanes.iter().sum::<u64>() + tail + last)
    }

    /// Adds a 16-bit number.
    pub fn with_u16(self, value: u16) -> Sum {
        Sum(self.0 + u64::from(value.to_be()))
    }

    /// The sum in 16 bits, not complemented: what a partial checksum holds. In wire order.
    pub fn fold(self) -> [u8; 2] {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        (sum as u16).to_ne_bytes()
    }

    /// The checksum field, in wire order.
    pub fn finish(self) -> [u8; 2] {
        self.fold().map(|octet| !octet)
    }

    /// Whether octets that include their checksum sum up right.
    pub fn is_valid(self) -> bool {
        self.fold() == [0xff; 2]
    }
}

/// The pseudo-header of an upper-layer packet of `length` octets (RFC 9293 3.1, RFC 8200 8.1). `addresses` are the
/// source and destination octets of the IP header.
pub fn pseudo_header(addresses: &[u8], protocol: u8, length: usize) -> Sum {
    Sum::default().with(addresses).with_u16(u16::from(protocol)).with_u16(length as u16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive(octets: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in octets.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }

    proptest! {
        #[test]
        fn equals_the_definition(octets in prop::collection::vec(any::<u8>(), 0..3000)) {
            prop_assert_eq!(u16::from_be_bytes(Sum::default().with(&octets).finish()), naive(&octets));
        }
    }

    /// The IPv4 header of RFC 1071's usual worked example.
    #[test]
    fn a_known_header() {
        let header = [0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7];
        assert!(Sum::default().with(&header).is_valid());
        let mut without = header;
        without[10..12].fill(0);
        assert_eq!(Sum::default().with(&without).finish(), [0xb8, 0x61]);
    }
}
