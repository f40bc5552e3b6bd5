//! Inner packets to start from: well-formed TCP, UDP and ICMP of both versions, with right checksums, then varied.

use crate::Script;
use crate::model::{checksum, pseudo_sum};

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;

/// A packet that the script describes: from well-formed to arbitrary octets.
pub fn any(script: &mut Script<'_>) -> Vec<u8> {
    let mut packet = match script.below(5) {
        0 => {
            let len = usize::from(script.u8());
            return script.octets(len).to_vec();
        }
        1 => tcp(script),
        2 => udp(script),
        3 => icmp(script),
        _ => extended(script),
    };
    if script.below(4) == 0 {
        let rounds = script.below(3);
        (0..=rounds).for_each(|_| script.damage(&mut packet));
    }
    packet
}

/// A TCP segment; those of one flow follow each other when the script says so.
pub fn tcp(script: &mut Script<'_>) -> Vec<u8> {
    let (v6, flow) = (script.chance(), script.below(3) as u8);
    let options = script.below(3) * 4;
    let (index, size) = (u32::from(script.u8() % 8), usize::from(script.pick(&[1u16, 8, 100, 536, 1300])));
    let payload = script.filled(size);
    let mut upper = vec![0; 20 + options];
    upper[..4].copy_from_slice(&[0x9c, 0x40 + flow, 0x14, 0x51]);
    upper[4..8].copy_from_slice(&(u32::MAX - 2000).wrapping_add(index * size as u32).to_be_bytes());
    upper[12] = (((20 + options) / 4) << 4) as u8;
    upper[13] = script.pick(&[0x10, 0x10, 0x10, 0x18, 0x11, 0x02, 0x90]);
    upper[14] = 0x20;
    upper.extend(payload);
    ip(script, v6, TCP, upper, Some(16))
}

pub fn udp(script: &mut Script<'_>) -> Vec<u8> {
    let (v6, flow) = (script.chance(), script.below(3) as u8);
    let size = usize::from(script.pick(&[0u16, 1, 8, 100, 1300]));
    let payload = script.filled(size);
    let mut upper = vec![0x9c, 0x40 + flow, 0x14, 0x51, 0, 0, 0, 0];
    upper[4..6].copy_from_slice(&((8 + payload.len()) as u16).to_be_bytes());
    upper.extend(payload);
    ip(script, v6, UDP, upper, Some(6))
}

fn icmp(script: &mut Script<'_>) -> Vec<u8> {
    let v6 = script.chance();
    let mut upper = vec![script.u8(), script.u8(), 0, 0, 0, 1, 0, 1];
    let len = usize::from(script.u16() % 1500);
    upper.extend(script.filled(len));
    if v6 {
        return ip(script, true, 58, upper, Some(2));
    }
    let sum = checksum(&upper, 0);
    upper[2..4].copy_from_slice(&sum.to_be_bytes());
    ip(script, false, 1, upper, None)
}

/// IPv6 with a chain of extension headers.
fn extended(script: &mut Script<'_>) -> Vec<u8> {
    let kinds: Vec<u8> = (0..=script.below(10)).map(|_| script.pick(&[0u8, 43, 44, 51, 60, 59, TCP, UDP])).collect();
    let mut upper = Vec::new();
    for next in &kinds[1..] {
        upper.extend([*next, script.below(3) as u8, script.u8(), script.u8(), 0, 0, 0, 0]);
    }
    upper.extend(script.octets(24));
    ip(script, true, kinds[0], upper, None)
}

/// Puts an IP header in front, and the checksum at `field` of the upper header: right, but for one in eight packets, whose
/// last octet is another one than it was made for.
fn ip(script: &mut Script<'_>, v6: bool, proto: u8, mut upper: Vec<u8>, field: Option<usize>) -> Vec<u8> {
    let (tos, host) = (script.u8(), script.below(3) as u8);
    let mut header = if v6 {
        let mut header = vec![0x60 | tos >> 4, tos << 4, 0, 0, 0, 0, proto, 64];
        header[4..6].copy_from_slice(&(upper.len() as u16).to_be_bytes());
        for last in [host, 9] {
            header.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
        }
        header
    } else {
        let options = script.pick(&[0usize, 0, 0, 8]);
        let mut header = vec![0x45 + (options / 4) as u8, tos, 0, 0, 0, script.u8() % 4, 0, 0, 64, proto, 0, 0];
        header[2..4].copy_from_slice(&((20 + options + upper.len()) as u16).to_be_bytes());
        header[6] = script.pick(&[0x40, 0x40, 0, 0x20]);
        header.extend([10, 0, host, 1, 10, 9, 0, 2]);
        header.extend(vec![1; options]);
        header
    };
    if let Some(field) = field {
        let sum = checksum(&upper, pseudo_sum(&header, proto, upper.len()));
        upper[field..field + 2].copy_from_slice(&sum.to_be_bytes());
        if script.below(8) == 7
            && let Some(last) = upper.last_mut()
        {
            *last ^= 1;
        }
    }
    if !v6 {
        let sum = checksum(&header, 0);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    header.extend(upper);
    header
}
