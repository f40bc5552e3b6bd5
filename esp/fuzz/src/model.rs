//! Definitions to compare with: nothing here is fast or clever, and nothing is taken from the daemon.

use std::collections::BTreeSet;

/// The Internet checksum (RFC 1071) of `octets`, begun with `sum`.
pub fn checksum(octets: &[u8], sum: u64) -> u16 {
    let words = octets.chunks(2).map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0)));
    let mut sum = sum + words.sum::<u64>();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The pseudo-header's share, for the packet that begins with `header`.
pub fn pseudo_sum(header: &[u8], proto: u8, upper: usize) -> u64 {
    let addresses = if header[0] >> 4 == 4 { &header[12..20] } else { &header[8..40] };
    let words: u64 = addresses.chunks(2).map(|pair| u64::from(pair[0]) << 8 | u64::from(pair[1])).sum();
    words + u64::from(proto) + upper as u64
}

/// Whether the checksum of an IPv4 header is right.
pub fn ipv4_header_valid(packet: &[u8]) -> bool {
    checksum(&packet[..usize::from(packet[0] & 15) * 4], 0) == 0
}

/// A packet's outline (RFC 791 3.1, RFC 8200 3 and 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
    pub v6: bool,
    pub len: usize,
    pub upper: usize,
    pub proto: u8,
    pub fragment: bool,
    pub later_fragment: bool,
}

/// `None` when it is not IP, or shorter than it says.
pub fn outline(packet: &[u8]) -> Option<Outline> {
    let be16 = |at: usize| Some(usize::from(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?])));
    match packet.first()? >> 4 {
        4 => {
            let (upper, len, offset) = (usize::from(packet[0] & 15) * 4, be16(2)?, be16(6)?);
            let proto = *packet.get(9)?;
            let sound = packet.len() >= 20 && upper >= 20 && upper <= len && len <= packet.len();
            let (fragment, later_fragment) = (offset & 0x3fff != 0, offset & 0x1fff != 0);
            sound.then_some(Outline { v6: false, len, upper, proto, fragment, later_fragment })
        }
        6 => {
            let len = 40 + be16(4)?;
            if packet.len() < 40 || packet.len() < len {
                return None;
            }
            let mut found =
                Outline { v6: true, len, upper: 40, proto: packet[6], fragment: false, later_fragment: false };
            for _ in 0..8 {
                let at = found.upper;
                if at + 4 > len || found.later_fragment {
                    break;
                }
                let units = usize::from(packet[at + 1]);
                let size = match found.proto {
                    0 | 43 | 60 => 8 + 8 * units,
                    51 => 8 + 4 * units,
                    44 => 8,
                    _ => break,
                };
                if found.proto == 44 {
                    found.fragment = true;
                    found.later_fragment = be16(at + 2)? >> 3 != 0;
                }
                (found.proto, found.upper) = (packet[at], at + size);
            }
            found.upper = found.upper.min(len);
            Some(found)
        }
        _ => None,
    }
}

/// A frame's virtio header in the names of linux/virtio_net.h.
#[derive(Clone, Copy, Debug)]
pub struct Virtio {
    pub needs_csum: bool,
    pub gso_type: u8,
    pub gso_size: usize,
    pub csum_start: usize,
    pub csum_offset: usize,
}

impl Virtio {
    pub fn parse(octets: &[u8]) -> Option<Virtio> {
        let field = |at: usize| Some(usize::from(u16::from_ne_bytes([*octets.get(at)?, *octets.get(at + 1)?])));
        Some(Virtio {
            needs_csum: *octets.first()? & 1 != 0,
            gso_type: *octets.get(1)? & !0x80,
            gso_size: field(4)?,
            csum_start: field(6)?,
            csum_offset: field(8)?,
        })
    }
}

/// The packets that a frame stands for; `None` when its header does not fit the packet, or it is of a kind that nobody
/// asked for.
pub fn segments(frame: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (virtio, packet) = (Virtio::parse(frame.get(..10)?)?, &frame[10..]);
    let outline = outline(packet)?;
    let packet = &packet[..outline.len];
    match virtio.gso_type {
        0 if !virtio.needs_csum => Some(vec![packet.to_vec()]),
        0 => {
            let field = virtio.csum_start + virtio.csum_offset;
            packet.get(field..field + 2)?;
            let mut out = packet.to_vec();
            put_checksum(&mut out, field, checksum(&packet[virtio.csum_start..], 0), outline.proto == 17);
            Some(vec![out])
        }
        1 | 4 => segment(packet, &outline, &virtio, 6),
        5 => segment(packet, &outline, &virtio, 17),
        _ => None,
    }
}

fn segment(packet: &[u8], outline: &Outline, virtio: &Virtio, proto: u8) -> Option<Vec<Vec<u8>>> {
    let upper = outline.upper;
    let udp = proto == 17;
    if outline.proto != proto || outline.fragment || virtio.gso_size == 0 {
        return None;
    }
    let own = if udp { 8 } else { usize::from(*packet.get(upper + 12)? >> 4) * 4 };
    let header = upper + own;
    if own < if udp { 8 } else { 20 } || header >= packet.len() {
        return None;
    }
    let pieces: Vec<&[u8]> = packet[header..].chunks(virtio.gso_size).collect();
    let number = pieces.len();
    let one = |(index, piece): (usize, &&[u8])| {
        let mut out = [&packet[..header], piece].concat();
        let (total, rest) = (out.len(), out.len() - upper);
        if outline.v6 {
            out[4..6].copy_from_slice(&((total - 40) as u16).to_be_bytes());
        } else {
            out[2..4].copy_from_slice(&(total as u16).to_be_bytes());
            let id = u16::from_be_bytes([out[4], out[5]]).wrapping_add(index as u16);
            out[4..6].copy_from_slice(&id.to_be_bytes());
            out[10..12].fill(0);
            let sum = checksum(&out[..upper], 0);
            out[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        let field = upper + if udp { 6 } else { 16 };
        if udp {
            out[upper + 4..upper + 6].copy_from_slice(&(rest as u16).to_be_bytes());
        } else {
            let seq = u32::from_be_bytes(out[upper + 4..upper + 8].try_into().unwrap());
            let seq = seq.wrapping_add((index * virtio.gso_size) as u32);
            out[upper + 4..upper + 8].copy_from_slice(&seq.to_be_bytes());
            if index + 1 < number {
                out[upper + 13] &= !0x09;
            }
            if index > 0 {
                out[upper + 13] &= !0x80;
            }
        }
        out[field..field + 2].fill(0);
        let sum = checksum(&out[upper..], pseudo_sum(&out, proto, rest));
        put_checksum(&mut out, field, sum, udp);
        out
    };
    Some(pieces.iter().enumerate().map(one).collect())
}

fn put_checksum(out: &mut [u8], field: usize, sum: u16, udp: bool) {
    let sum = if udp && sum == 0 { 0xffff } else { sum };
    out[field..field + 2].copy_from_slice(&sum.to_be_bytes());
}

/// The replay window by its definition (RFC 4303 3.4.3): what was accepted, and how far back the receiver looks.
#[derive(Clone, Debug, Default)]
pub struct Window {
    pub size: u64,
    seen: BTreeSet<u64>,
}

impl Window {
    pub fn new(size: u64) -> Window {
        Window { size, seen: BTreeSet::new() }
    }

    /// Whether `seq` would be accepted.
    pub fn is_fresh(&self, seq: u64) -> bool {
        let top = self.seen.last().copied().unwrap_or(0);
        self.size == 0 || seq > top || (seq != 0 && top - seq < self.size && !self.seen.contains(&seq))
    }

    pub fn accept(&mut self, seq: u64) {
        self.seen.insert(seq);
    }

    pub fn top(&self) -> u64 {
        self.seen.last().copied().unwrap_or(0)
    }
}

/// The inner ECN field after decapsulation, by the rows and columns of RFC 6040 figure 4: Not-ECT, ECT(1), ECT(0), CE.
pub fn ecn(inner: u8, outer: u8) -> Option<u8> {
    const DROP: u8 = 9;
    const TABLE: [[u8; 4]; 4] = [[0, 0, 0, DROP], [1, 1, 1, 3], [2, 1, 2, 3], [3, 3, 3, 3]];
    Some(TABLE[usize::from(inner & 3)][usize::from(outer & 3)]).filter(|ecn| *ecn != DROP)
}

/// The traffic class: DSCP and ECN.
pub fn tos(packet: &[u8]) -> u8 {
    if packet[0] >> 4 == 4 { packet[1] } else { packet[0] << 4 | packet[1] >> 4 }
}

/// The packet with another traffic class; an IPv4 header checksum is as right or as wrong as it was (RFC 1624, eqn. 3).
pub fn with_tos(packet: &[u8], new: u8) -> Vec<u8> {
    let mut out = packet.to_vec();
    if packet[0] >> 4 == 6 {
        out[0] = 0x60 | new >> 4;
        out[1] = new << 4 | packet[1] & 0x0f;
    } else if packet[1] != new {
        out[1] = new;
        let words = [[!packet[10], !packet[11]], [!packet[0], !packet[1]], [packet[0], new]];
        let sum = words.map(u16::from_be_bytes).map(u64::from).iter().sum();
        out[10..12].copy_from_slice(&checksum(&[], sum).to_be_bytes());
    }
    out
}
