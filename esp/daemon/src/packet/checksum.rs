//! The Internet checksum (RFC 1071), alone and while copying.
//!
//! Sums are kept in 64 bits and in the machine's own byte order, which RFC 1071 2(B) shows to give the same result, and
//! folded at the end. Every payload octet passes here once in each direction, so the loops are plain enough for the
//! compiler to vectorise and are compiled twice on x86-64: for any processor and for AVX2, chosen at run time. Copying
//! and summing in one pass costs as much as either alone, because both wait for the same loads.

/// Octets that one turn of a loop takes: two vectors of AVX2.
const BLOCK: usize = 64;
const LOW_HALVES: u64 = 0xffff_ffff;

/// A running sum.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// Adds octets; all but the last addition must be of an even length.
    #[inline]
    pub fn with(self, octets: &[u8]) -> Sum {
        // Headers: the work is less than the choice.
        if octets.len() < BLOCK {
            return Sum(self.0 + tail(octets));
        }
        Sum(self.0 + best_sum(octets))
    }

    /// Adds octets as [`Sum::with`] does and copies them to `out`, which has their length.
    pub fn with_copied(self, out: &mut [u8], octets: &[u8]) -> Sum {
        assert_eq!(out.len(), octets.len());
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return Sum(self.0 + unsafe { avx2::copy(out, octets) });
        }
        Sum(self.0 + copy(out, octets))
    }

    /// Adds another sum, of what began at an even place.
    pub fn with_sum(self, other: Sum) -> Sum {
        Sum(self.0 + other.0)
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

fn best_sum(octets: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        return unsafe { avx2::sum(octets) };
    }
    sum(octets)
}

#[inline(always)]
fn sum(octets: &[u8]) -> u64 {
    let (blocks, rest) = octets.as_chunks::<BLOCK>();
    let mut lanes = [0u64; BLOCK / 8];
    for block in blocks {
        add(&mut lanes, block);
    }
    lanes.iter().sum::<u64>() + tail(rest)
}

#[inline(always)]
fn copy(out: &mut [u8], octets: &[u8]) -> u64 {
    let (blocks, rest) = octets.as_chunks::<BLOCK>();
    let (out_blocks, out_rest) = out.as_chunks_mut::<BLOCK>();
    let mut lanes = [0u64; BLOCK / 8];
    for (block, place) in blocks.iter().zip(out_blocks) {
        *place = *block;
        add(&mut lanes, block);
    }
    out_rest.copy_from_slice(rest);
    lanes.iter().sum::<u64>() + tail(rest)
}

/// Adds a block by words of 32 bits. A lane takes 2^31 blocks before it could overflow.
#[inline(always)]
fn add(lanes: &mut [u64; BLOCK / 8], block: &[u8; BLOCK]) {
    for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
        let word = u64::from_ne_bytes(*word);
        *lane += (word & LOW_HALVES) + (word >> 32);
    }
}

#[inline(always)]
fn tail(octets: &[u8]) -> u64 {
    let (words, rest) = octets.as_chunks::<4>();
    let (pairs, odd) = rest.as_chunks::<2>();
    let words: u64 = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
    let pairs: u64 = pairs.iter().map(|pair| u64::from(u16::from_ne_bytes(*pair))).sum();
    words + pairs + odd.first().map_or(0, |octet| u64::from(u16::from_ne_bytes([*octet, 0])))
}

/// The same loops, compiled for AVX2.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    #[target_feature(enable = "avx2")]
    pub fn sum(octets: &[u8]) -> u64 {
        super::sum(octets)
    }

    #[target_feature(enable = "avx2")]
    pub fn copy(out: &mut [u8], octets: &[u8]) -> u64 {
        super::copy(out, octets)
    }
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
            prop_assert_eq!(u16::from_be_bytes(Sum(sum(&octets)).finish()), naive(&octets), "without AVX2");
            let mut out = vec![0; octets.len()];
            let copied = Sum::default().with_copied(&mut out, &octets);
            prop_assert_eq!(u16::from_be_bytes(copied.finish()), naive(&octets));
            prop_assert_eq!(&out, &octets);
            out.fill(0);
            prop_assert_eq!(u16::from_be_bytes(Sum(copy(&mut out, &octets)).finish()), naive(&octets));
            prop_assert_eq!(out, octets);
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
