//! ESP tunnel mode for one packet (RFC 4303): trailer, sealing, opening, replay check.
//!
//! Sending works in the final buffer: the caller puts the inner packet where [`payload_offset`] says and calls [`seal`].
//! Receiving is in the order of RFC 4303 3.4: sequence number inferred and checked, integrity checked and decrypted,
//! window moved, trailer removed. Padding content is not inspected: it is authenticated, and peers differ in what they
//! put there.

use std::ops::Range;

use crate::counters::DropReason;
use crate::crypto::{ESP_HEADER, OpenError};
use crate::replay::ReplayWindow;
use crate::sa::Sa;

/// Next header values of the inner packet (IANA protocol numbers).
pub const NEXT_IPV4: u8 = 4;
pub const NEXT_IPV6: u8 = 41;
/// A dummy packet to be discarded without notice (RFC 4303 2.6).
pub const NEXT_NONE: u8 = 59;

/// Pad length and next header, in octets.
const TRAILER: usize = 2;

/// Where in an ESP packet the inner packet begins, in octets.
pub fn payload_offset(sa: &Sa) -> usize {
    ESP_HEADER + sa.config.suite.iv_len()
}

/// Length of the ESP packet that carries `inner` octets.
pub fn sealed_len(sa: &Sa, inner: usize) -> usize {
    let suite = sa.config.suite;
    payload_offset(sa) + (inner + TRAILER).next_multiple_of(suite.block_len()) + suite.icv_len()
}

/// The largest inner packet whose outer IP packet is at most `mtu` octets.
pub fn largest_inner(sa: &Sa, mtu: usize) -> usize {
    let suite = sa.config.suite;
    let outer = if sa.config.dst.is_ipv4() { 20 } else { 40 } + if sa.config.encap.is_some() { 8 } else { 0 };
    let room = mtu.saturating_sub(outer + payload_offset(sa) + suite.icv_len());
    (room / suite.block_len() * suite.block_len()).saturating_sub(TRAILER)
}

/// Makes an ESP packet of `packet`, which is [`sealed_len`] octets long and has the inner packet at [`payload_offset`].
pub fn seal(sa: &Sa, packet: &mut [u8], inner: usize, next_header: u8, seq: u64) {
    let start = payload_offset(sa);
    let text_end = packet.len() - sa.config.suite.icv_len();
    let padding = &mut packet[start + inner..text_end - TRAILER];
    let pad_len = padding.len();
    for (octet, value) in padding.iter_mut().zip(1u8..) {
        *octet = value;
    }
    packet[text_end - 2] = pad_len as u8;
    packet[text_end - 1] = next_header;
    packet[..4].copy_from_slice(&sa.config.spi.to_be_bytes());
    packet[4..8].copy_from_slice(&(seq as u32).to_be_bytes());
    sa.cipher().seal(packet, sa.config.esn.then_some((seq >> 32) as u32), seq);
}

/// What was in an ESP packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Where the inner packet is, relative to the ESP packet.
    pub inner: Range<usize>,
    pub next_header: u8,
}

/// Opens an ESP packet in place and moves the window. The error is the reason to drop it by.
pub fn open(sa: &Sa, window: &mut ReplayWindow, packet: &mut [u8]) -> Result<Opened, DropReason> {
    let wire = packet.get(4..8).and_then(|octets| octets.try_into().ok()).map(u32::from_be_bytes);
    let seq = window.infer(wire.ok_or(DropReason::Malformed)?, sa.config.esn);
    window.check(seq).map_err(|_| DropReason::Replay)?;
    let text =
        sa.cipher().open(packet, sa.config.esn.then_some((seq >> 32) as u32)).map_err(|error| match error {
            OpenError::Malformed => DropReason::Malformed,
            OpenError::Authentication => DropReason::Authentication,
        })?;
    window.accept(seq);
    let (pad_len, next_header) = (usize::from(packet[text.end - 2]), packet[text.end - 1]);
    let inner_end = text.end.checked_sub(TRAILER + pad_len).filter(|end| *end >= text.start);
    Ok(Opened { inner: text.start..inner_end.ok_or(DropReason::Malformed)?, next_header })
}

/// SPI of an ESP packet, host order; `None` when it is too short to have one.
pub fn spi(packet: &[u8]) -> Option<u32> {
    packet.first_chunk::<4>().map(|octets| u32::from_be_bytes(*octets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::testing::all_suites;
    use crate::crypto::{Auth, Suite};
    use crate::sa::testing::config;

    fn sealed(sa: &Sa, inner: &[u8], seq: u64) -> Vec<u8> {
        let mut packet = vec![0; sealed_len(sa, inner.len())];
        let start = payload_offset(sa);
        packet[start..start + inner.len()].copy_from_slice(inner);
        seal(sa, &mut packet, inner.len(), NEXT_IPV4, seq);
        packet
    }

    #[test]
    fn every_length_survives_the_round_trip_of_every_suite() {
        for suite in all_suites() {
            for esn in [false, true] {
                let mut config = config(suite);
                config.esn = esn;
                let sa = Sa::new(config).unwrap();
                for (seq, len) in (1..).zip(0..70) {
                    let inner: Vec<u8> = (0..len).collect();
                    let mut packet = sealed(&sa, &inner, seq);
                    let opened = open(&sa, &mut sa.window(), &mut packet).unwrap();
                    assert_eq!((&packet[opened.inner], opened.next_header), (&inner[..], NEXT_IPV4), "{suite} {len}");
                }
            }
        }
    }

    #[test]
    fn a_packet_is_accepted_once() {
        let sa = Sa::new(config(Suite::AesGcm16 { key_bits: 128 })).unwrap();
        let packet = sealed(&sa, &[1; 40], 9);
        assert!(open(&sa, &mut sa.window(), &mut packet.clone()).is_ok());
        assert_eq!(open(&sa, &mut sa.window(), &mut packet.clone()), Err(DropReason::Replay));
    }

    #[test]
    fn a_forged_packet_does_not_move_the_window() {
        let sa = Sa::new(config(Suite::AesCbc { key_bits: 256, auth: Auth::HmacSha256_128 })).unwrap();
        let mut forged = sealed(&sa, &[1; 40], 1_000_000);
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(open(&sa, &mut sa.window(), &mut forged), Err(DropReason::Authentication));
        assert!(open(&sa, &mut sa.window(), &mut sealed(&sa, &[1; 40], 1)).is_ok());
    }

    #[test]
    fn esn_carries_on_over_the_32_bit_border() {
        let mut config = config(Suite::AesGcm16 { key_bits: 256 });
        config.esn = true;
        (config.sequence.in_seq, config.sequence.bitmap) = (0xffff_fff0, vec![0; 2]);
        let sa = Sa::new(config).unwrap();
        for seq in [0xffff_fffe_u64, 0x1_0000_0001, 0xffff_ffff, 0x1_0000_0000] {
            assert!(open(&sa, &mut sa.window(), &mut sealed(&sa, &[5; 20], seq)).is_ok(), "{seq:#x}");
        }
        assert_eq!(sa.replay_state().in_seq, 0x1_0000_0001);
    }

    #[test]
    fn padding_longer_than_the_packet_is_malformed() {
        let sa = Sa::new(config(Suite::AesGcm16 { key_bits: 128 })).unwrap();
        let mut packet = vec![0; 16 + 4 + 16];
        packet[..8].copy_from_slice(&[0xc0, 0xff, 0xee, 1, 0, 0, 0, 1]);
        packet[18] = 200;
        sa.cipher().seal(&mut packet, None, 1);
        assert_eq!(open(&sa, &mut sa.window(), &mut packet), Err(DropReason::Malformed));
        assert_eq!(open(&sa, &mut sa.window(), &mut [0; 7]), Err(DropReason::Malformed));
    }

    /// The MTU table of AWS's customer gateway guide ("Your customer gateway device", best practices).
    #[test]
    fn largest_inner_packets_are_those_of_the_published_table() {
        let cbc = |auth| Suite::AesCbc { key_bits: 256, auth };
        let cases = [
            (Suite::AesGcm16 { key_bits: 256 }, false, 1446),
            (Suite::AesGcm16 { key_bits: 256 }, true, 1438),
            (cbc(Auth::HmacSha1_96), false, 1438),
            (cbc(Auth::HmacSha256_128), false, 1438),
            (cbc(Auth::HmacSha256_128), true, 1422),
            (cbc(Auth::HmacSha384_192), true, 1422),
            (cbc(Auth::HmacSha512_256), false, 1422),
            (cbc(Auth::HmacSha512_256), true, 1406),
        ];
        for (suite, nat, expected) in cases {
            let mut config = config(suite);
            if !nat {
                config.encap = None;
            }
            let sa = Sa::new(config).unwrap();
            assert_eq!(largest_inner(&sa, 1500), expected, "{suite} NAT-T {nat}");
            let outer = 20 + if nat { 8 } else { 0 };
            assert!(outer + sealed_len(&sa, expected) <= 1500);
            assert!(outer + sealed_len(&sa, expected + 1) > 1500);
        }
    }
}
