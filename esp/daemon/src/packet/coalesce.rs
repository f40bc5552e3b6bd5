//! Joining received packets of a flow into super-packets for the TUN: the reverse of [`super::segment`], GRO in user
//! space.
//!
//! One write of 64 KB to the TUN costs little more than one of 1.5 KB, so this is worth a factor of four in throughput.
//! Packets are joined only when the kernel, cutting the super-packet up again, would make the same packets (its own rule
//! in `tcp_gro_receive` and `inet_gro_receive`): same headers but for length, identification, sequence number, PSH and
//! checksum; sequence numbers that follow each other; all payloads of one size but the last; checksums right, since they
//! are computed anew. Anything else first pushes out what its flow has collected, so that no flow is reordered.
//!
//! Each flow collects its super-packet in a buffer of its own, as it will be written: virtio header, headers, payloads back
//! to back. The copy costs nothing, since every payload octet is read here anyway for its checksum, and one write from one
//! buffer whose payload begins at a cache line costs the kernel half of what it takes to gather dozens of odd pieces.

use std::io::IoSlice;

use super::MAX_SEGMENTS;
use super::checksum::{Sum, pseudo_header};
use super::ip::{Layout, PROTO_TCP, PROTO_UDP, Version};
use super::vnet::{self, DATA_VALID, Gso, NEEDS_CSUM, VnetHeader};

/// Flows collected at the same time; with more, the oldest is written out.
const MAX_FLOWS: usize = 16;
/// Longest headers a candidate can have: IPv6 without extensions and TCP with all its options.
const MAX_HEADER: usize = 40 + 60;
/// Longest super-packet: the IPv4 total length.
const MAX_TOTAL: usize = 65535;
/// Room before a frame's payload: virtio header and headers, up to a whole cache line.
const HEAD_ROOM: usize = (vnet::LEN + MAX_HEADER).next_multiple_of(64);

const TCP_PSH: u8 = 0x08;
const TCP_ACK: u8 = 0x10;

/// Takes frames for a TUN: a virtio header and a packet in parts, `packets` of the wire joined into one.
pub trait FrameSink {
    fn write(&mut self, if_id: u32, packets: usize, frame: &[IoSlice<'_>]);
}

/// Which super-packets the TUN devices take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joining {
    pub tcp: bool,
    pub udp: bool,
}

/// What tells flows apart: tunnel, protocol, addresses, ports. Hashed to find candidates fast; equality is decided by
/// comparing headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FlowKey {
    if_id: u32,
    hash: u64,
}

/// A frame in the making. The payload begins at [`HEAD_ROOM`], with the headers and the virtio header right before it.
#[repr(C, align(64))]
struct Frame([u8; HEAD_ROOM + MAX_TOTAL]);

struct Flow {
    key: FlowKey,
    layout: Layout,
    header_len: usize,
    /// Payload octets of each segment but the last: `gso_size`.
    size: usize,
    /// Length of the super-packet so far, headers included.
    total: usize,
    count: usize,
    next_seq: u32,
    /// A short or pushed segment ends the super-packet.
    closed: bool,
    frame: Box<Frame>,
}

/// What a packet contributes when it can be joined. Its checksum has not been looked at yet.
struct Candidate<'a> {
    header: &'a [u8],
    payload: &'a [u8],
    seq: u32,
    push: bool,
}

pub struct Coalescer {
    joining: Joining,
    /// In order of age.
    flows: Vec<Flow>,
    /// Frames not in use; the one used last, which is still in the cache, is taken first. Nothing is allocated after the
    /// first flows.
    spare: Vec<Box<Frame>>,
}

impl Coalescer {
    pub fn new(joining: Joining) -> Coalescer {
        Coalescer { joining, flows: Vec::with_capacity(MAX_FLOWS), spare: Vec::with_capacity(MAX_FLOWS) }
    }

    /// Takes a packet of this layout, as long as the layout says; writes it now, or joins it to what will be written
    /// later.
    pub fn push(&mut self, packet: &[u8], layout: Layout, if_id: u32, sink: &mut impl FrameSink) {
        let joinable = !layout.fragment
            && match layout.proto {
                PROTO_TCP => self.joining.tcp,
                PROTO_UDP => self.joining.udp,
                _ => false,
            };
        if !joinable {
            return write_single(packet, if_id, 0, sink);
        }
        let key = flow_key(packet, &layout, if_id);
        let candidate = Candidate::new(packet, &layout);
        if let Some(index) = self.flows.iter().position(|flow| flow.key == key) {
            if let Some(candidate) = &candidate
                && self.flows[index].joins(packet, &layout, candidate)
                && self.flows[index].append(candidate)
            {
                return;
            }
            self.flush(index, sink);
        }
        match candidate.and_then(|candidate| self.begin(key, layout, &candidate, sink)) {
            Some(flow) => self.flows.push(flow),
            None => write_single(packet, if_id, 0, sink),
        }
    }

    /// Writes everything collected.
    pub fn flush_all(&mut self, sink: &mut impl FrameSink) {
        while !self.flows.is_empty() {
            self.flush(0, sink);
        }
    }

    /// A flow with this packet in it; `None` when its checksum is wrong.
    fn begin(
        &mut self,
        key: FlowKey,
        layout: Layout,
        candidate: &Candidate<'_>,
        sink: &mut impl FrameSink,
    ) -> Option<Flow> {
        if self.flows.len() == MAX_FLOWS {
            self.flush(0, sink);
        }
        let header_len = candidate.header.len();
        let mut frame = self.spare.pop().unwrap_or_else(Frame::new);
        frame.0[HEAD_ROOM - header_len..HEAD_ROOM].copy_from_slice(candidate.header);
        let mut flow = Flow {
            key,
            layout,
            header_len,
            size: candidate.payload.len(),
            total: header_len,
            count: 0,
            next_seq: 0,
            closed: false,
            frame,
        };
        if flow.append(candidate) {
            return Some(flow);
        }
        self.spare.push(flow.frame);
        None
    }

    fn flush(&mut self, index: usize, sink: &mut impl FrameSink) {
        let mut flow = self.flows.remove(index);
        flow.write(sink);
        self.spare.push(flow.frame);
    }
}

impl Frame {
    /// On the heap from the start: it is too large for a worker's stack.
    fn new() -> Box<Frame> {
        // SAFETY: all-zero octets are a valid array of octets.
        unsafe { Box::<Frame>::new_zeroed().assume_init() }
    }
}

impl Flow {
    fn header(&self) -> &[u8] {
        &self.frame.0[HEAD_ROOM - self.header_len..HEAD_ROOM]
    }

    fn joins(&self, packet: &[u8], layout: &Layout, candidate: &Candidate<'_>) -> bool {
        let (upper, header) = (self.layout.upper, self.header());
        !self.closed
            && self.count < MAX_SEGMENTS
            && candidate.header.len() == self.header_len
            && candidate.payload.len() <= self.size
            && self.total + candidate.payload.len() <= MAX_TOTAL
            && same_ip_header(header, packet, layout, self.count)
            && header[upper..upper + 4] == packet[upper..upper + 4]
            && (self.layout.proto == PROTO_UDP
                || (candidate.seq == self.next_seq && same_tcp_header(&header[upper..], &candidate.header[upper..])))
    }

    /// Copies the payload behind the others; false, with nothing changed that counts, when the packet's checksum is wrong.
    fn append(&mut self, candidate: &Candidate<'_>) -> bool {
        let upper = self.layout.upper;
        let start = HEAD_ROOM + self.total - self.header_len;
        let place = &mut self.frame.0[start..start + candidate.payload.len()];
        let payload = Sum::default().with_copied(place, candidate.payload);
        let length = candidate.header.len() - upper + candidate.payload.len();
        let pseudo = pseudo_header(self.layout.addresses(candidate.header), self.layout.proto, length);
        if !pseudo.with(&candidate.header[upper..]).with_sum(payload).is_valid() {
            return false;
        }
        self.total += candidate.payload.len();
        self.count += 1;
        self.next_seq = candidate.seq.wrapping_add(candidate.payload.len() as u32);
        if candidate.push {
            self.frame.0[HEAD_ROOM - self.header_len + upper + 13] |= TCP_PSH;
        }
        self.closed = candidate.push || candidate.payload.len() < self.size;
        true
    }

    fn write(&mut self, sink: &mut impl FrameSink) {
        let vnet = if self.count == 1 {
            // Alone it goes as it came, with the checksum that was found to be right.
            VnetHeader { flags: DATA_VALID, ..VnetHeader::default() }
        } else {
            self.rewrite_header()
        };
        let start = HEAD_ROOM - self.header_len;
        self.frame.0[start - vnet::LEN..start].copy_from_slice(&vnet.encode());
        let frame = &self.frame.0[start - vnet::LEN..start + self.total];
        sink.write(self.key.if_id, self.count, &[IoSlice::new(frame)]);
    }

    fn rewrite_header(&mut self) -> VnetHeader {
        let (upper, total, udp) = (self.layout.upper, self.total, self.layout.proto == PROTO_UDP);
        let header = &mut self.frame.0[HEAD_ROOM - self.header_len..HEAD_ROOM];
        let gso = match self.layout.version {
            Version::V4 => {
                header[2..4].copy_from_slice(&(total as u16).to_be_bytes());
                header[10..12].fill(0);
                let checksum = Sum::default().with(&header[..upper]).finish();
                header[10..12].copy_from_slice(&checksum);
                if udp { Gso::Udp } else { Gso::TcpV4 }
            }
            Version::V6 => {
                header[4..6].copy_from_slice(&((total - 40) as u16).to_be_bytes());
                if udp { Gso::Udp } else { Gso::TcpV6 }
            }
        };
        let field = if udp { 6 } else { 16 };
        if udp {
            header[upper + 4..upper + 6].copy_from_slice(&((total - upper) as u16).to_be_bytes());
        }
        // The partial checksum: the kernel adds the rest (VIRTIO_NET_HDR_F_NEEDS_CSUM).
        let partial = pseudo_header(self.layout.addresses(header), self.layout.proto, total - upper).fold();
        header[upper + field..upper + field + 2].copy_from_slice(&partial);
        VnetHeader {
            flags: NEEDS_CSUM,
            gso,
            hdr_len: self.header_len as u16,
            gso_size: self.size as u16,
            csum_start: upper as u16,
            csum_offset: field as u16,
        }
    }
}

impl<'a> Candidate<'a> {
    /// `None` when the packet cannot be part of a super-packet.
    fn new(packet: &'a [u8], layout: &Layout) -> Option<Candidate<'a>> {
        let upper = layout.upper;
        if upper != if layout.version == Version::V4 { 20 } else { 40 } {
            return None;
        }
        let (header_len, seq, push) = if layout.proto == PROTO_TCP {
            let tcp = packet.get(upper..upper + 20)?;
            if tcp[13] & !TCP_PSH != TCP_ACK {
                return None;
            }
            let header = usize::from(tcp[12] >> 4) * 4;
            if header < 20 {
                return None;
            }
            let seq = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
            (upper + header, seq, tcp[13] & TCP_PSH != 0)
        } else {
            let udp = packet.get(upper..upper + 8)?;
            let length = usize::from(u16::from_be_bytes([udp[4], udp[5]]));
            if length != packet.len() - upper || udp[6..8] == [0; 2] {
                return None;
            }
            (upper + 8, 0, false)
        };
        let ip_valid = layout.version == Version::V6 || Sum::default().with(&packet[..upper]).is_valid();
        let (header, payload) = packet.split_at_checked(header_len)?;
        (ip_valid && !payload.is_empty()).then_some(Candidate { header, payload, seq, push })
    }
}

/// Everything but lengths, identification and checksum. IPv4 identifications must count up as the kernel will count
/// them, except with DF, where they mean nothing (RFC 6864).
fn same_ip_header(first: &[u8], packet: &[u8], layout: &Layout, index: usize) -> bool {
    match layout.version {
        Version::V4 => {
            let id = |octets: &[u8]| u16::from_be_bytes([octets[4], octets[5]]);
            first[..2] == packet[..2]
                && first[6..10] == packet[6..10]
                && first[12..20] == packet[12..20]
                && (layout.dont_fragment || id(packet) == id(first).wrapping_add(index as u16))
        }
        Version::V6 => first[..4] == packet[..4] && first[6..40] == packet[6..40],
    }
}

/// Acknowledgement number, window, urgent pointer and options; the flags but PSH are ACK in every candidate.
fn same_tcp_header(first: &[u8], packet: &[u8]) -> bool {
    first[8..13] == packet[8..13]
        && first[14..16] == packet[14..16]
        && first[18..20] == packet[18..20]
        && first[20..] == packet[20..first.len()]
}

fn flow_key(packet: &[u8], layout: &Layout, if_id: u32) -> FlowKey {
    let ports = packet.get(layout.upper..layout.upper + 4).unwrap_or(&[]);
    let words = layout.addresses(packet).chunks_exact(4).chain(ports.chunks_exact(4));
    // FNV-1a by words; a collision costs a flush, not correctness.
    let hash = words.fold(0xcbf2_9ce4_8422_2325_u64 ^ u64::from(layout.proto), |hash, word| {
        (hash ^ u64::from(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]))).wrapping_mul(0x100_0000_01b3)
    });
    FlowKey { if_id, hash }
}

/// Writes one packet as it is, with virtio `flags`.
pub fn write_single(packet: &[u8], if_id: u32, flags: u8, sink: &mut impl FrameSink) {
    let vnet: [u8; vnet::LEN] = VnetHeader { flags, ..VnetHeader::default() }.encode();
    sink.write(if_id, 1, &[IoSlice::new(&vnet), IoSlice::new(packet)]);
}

#[cfg(test)]
#[path = "coalesce_tests.rs"]
mod tests;
