//! From the TUN to the peer: one packet or super-packet in, bursts of ESP packets out.
//!
//! A burst is what one UDP_SEGMENT send takes: ESP packets of one SA with the same traffic class, all of one size but
//! the last, back to back in one buffer. A super-packet's segments are written and sealed in place in the burst; small
//! packets of the same SA that are read in one batch share a burst when their sizes allow. The burst is sent when it is
//! full, when the next packet does not fit it, and at the end of the batch.

use std::sync::Arc;

use crate::batch::{Batch, Burst, Link};
use crate::counters::{DropReason, Total};
use crate::esp;
use crate::events::Event;
use crate::packet::MAX_SEGMENTS;
use crate::packet::coalesce::{FrameSink, write_single};
use crate::packet::icmp;
use crate::packet::ip::{Layout, Version};
use crate::packet::segment::SuperPacket;
use crate::packet::vnet::VnetHeader;
use crate::sa::Sa;
use crate::tables::Route;
use crate::tunnel::Tunnel;

/// Most octets in a burst: a UDP datagram's 65507 with a margin for IPv6 and options.
const MAX_BURST: usize = 65000;
/// Room for a burst, and for the longest ESP packet: one that no datagram can carry is the kernel's to refuse.
const BUFFER: usize = 66_000;

/// The sending half of a worker.
pub struct Outbound {
    buffer: Box<[u8]>,
    len: usize,
    count: usize,
    /// Size of the burst's packets but the last.
    segment: usize,
    closed: bool,
    tos: u8,
    sa: Option<Arc<Sa>>,
}

impl Default for Outbound {
    fn default() -> Outbound {
        let buffer = vec![0; BUFFER].into();
        Outbound { buffer, len: 0, count: 0, segment: 0, closed: false, tos: 0, sa: None }
    }
}

impl Outbound {
    /// Takes one frame read from the TUN of `tunnel`: virtio header and packet. ICMP errors go back to `tun`.
    pub fn frame(
        &mut self,
        batch: &Batch<'_>,
        tunnel: &Tunnel,
        frame: &[u8],
        link: &mut impl Link,
        tun: &mut impl FrameSink,
    ) {
        let parsed =
            frame.split_first_chunk().and_then(|(vnet, packet)| SuperPacket::new(&VnetHeader::parse(vnet)?, packet));
        let Some(whole) = parsed else { return batch.drop_outbound(tunnel, DropReason::Malformed, 1) };
        let count = whole.count() as u64;
        let flow = whole.layout().flow(whole.packet());
        let route = batch.tables.outbound(tunnel.if_id).map_or(Route::NoPolicy, |outbound| outbound.route(&flow));
        let sa = match route {
            Route::Sa(sa) => sa,
            Route::Acquire => {
                if tunnel.report_acquire(batch.now) {
                    batch.report(Event::Acquire { if_id: tunnel.if_id });
                }
                return batch.drop_outbound(tunnel, DropReason::NoRoute, count);
            }
            Route::NoPolicy => return batch.drop_outbound(tunnel, DropReason::NoPolicy, count),
        };
        let limit = inner_limit(sa, tunnel, batch.now);
        if whole.len(0) > limit && whole.layout().dont_fragment {
            if let Some(error) = icmp::too_big(whole.packet(), whole.layout(), limit as u32) {
                write_single(&error, tunnel.if_id, 0, tun);
                batch.shard.add(Total::TooBigSent, 1);
            }
            return batch.drop_outbound(tunnel, DropReason::TooBig, count);
        }
        let Some(first_seq) = sa.take_seqs(count) else {
            if sa.report_exhausted() {
                batch.report(Event::SequenceExhausted { spi: sa.config.spi, dst: sa.config.dst });
            }
            return batch.drop_outbound(tunnel, DropReason::SequenceExhausted, count);
        };
        let octets = self.encapsulate(batch, tunnel, sa, &whole, first_seq, link);
        sa.usage.add(count, octets, batch.now);
        tunnel.shard(batch.worker).sent(count, octets);
    }

    /// Sends what has been collected.
    pub fn flush(&mut self, batch: &Batch<'_>, tunnel: &Tunnel, link: &mut impl Link) {
        let Some(sa) = self.sa.take() else { return };
        let burst = Burst {
            src: sa.config.src,
            dst: sa.config.dst,
            encap: sa.config.encap,
            tos: self.tos,
            segment: self.segment,
            octets: &self.buffer[..self.len],
        };
        let report = link.send(&burst);
        batch.shard.add(Total::SendBursts, 1);
        batch.shard.add(Total::EspSent, report.sent as u64);
        batch.drop_outbound(tunnel, DropReason::QueueFull, report.queue_full as u64);
        batch.drop_outbound(tunnel, DropReason::SendError, report.failed as u64);
        if report.fell_back {
            batch.shard.add(Total::GsoFallbacks, 1);
        }
        if let Some(mtu) = report.path_mtu {
            sa.learn_path_mtu(mtu, batch.now);
        }
        if let Some((offload, reason)) = report.offload_disabled {
            batch.report(Event::OffloadDisabled { offload, reason });
        }
        (self.len, self.count, self.closed) = (0, 0, false);
    }

    /// Seals every segment into the burst and returns the sum of the inner lengths.
    fn encapsulate(
        &mut self,
        batch: &Batch<'_>,
        tunnel: &Tunnel,
        sa: &Arc<Sa>,
        whole: &SuperPacket<'_>,
        first_seq: u64,
        link: &mut impl Link,
    ) -> u64 {
        let tos = outer_tos(sa, whole.layout().tos);
        let next_header = next_header(whole.layout());
        let start = esp::payload_offset(sa);
        let mut octets = 0;
        for (index, seq) in (0..whole.count()).zip(first_seq..) {
            let inner = whole.len(index);
            let sealed = esp::sealed_len(sa, inner);
            if !self.takes(sa, tos, sealed) {
                self.flush(batch, tunnel, link);
            }
            if self.sa.is_none() {
                (self.sa, self.tos, self.segment) = (Some(Arc::clone(sa)), tos, sealed);
            }
            let packet = &mut self.buffer[self.len..self.len + sealed];
            whole.write(index, &mut packet[start..start + inner]);
            esp::seal(sa, packet, inner, next_header, seq);
            self.len += sealed;
            self.count += 1;
            self.closed = sealed < self.segment;
            octets += inner as u64;
        }
        octets
    }

    /// Whether the burst can take one more packet like this.
    fn takes(&self, sa: &Arc<Sa>, tos: u8, sealed: usize) -> bool {
        match &self.sa {
            None => true,
            Some(current) => {
                Arc::ptr_eq(current, sa)
                    && !self.closed
                    && self.tos == tos
                    && sealed <= self.segment
                    && self.count < MAX_SEGMENTS
                    && self.len + sealed <= MAX_BURST
            }
        }
    }
}

/// The largest inner packet: the TUN's MTU, or less where the path is known to take less.
fn inner_limit(sa: &Sa, tunnel: &Tunnel, now: u64) -> usize {
    let mtu = tunnel.mtu() as usize;
    sa.path_mtu(now).map_or(mtu, |path| mtu.min(esp::largest_inner(sa, path)))
}

/// Traffic class of the outer header (RFC 2983, RFC 6040 4.1 "normal mode").
fn outer_tos(sa: &Sa, inner: u8) -> u8 {
    let dscp = if sa.config.copy_dscp { inner & !3 } else { 0 };
    let ecn = if sa.config.ecn { inner & 3 } else { 0 };
    dscp | ecn
}

fn next_header(layout: &Layout) -> u8 {
    match layout.version {
        Version::V4 => esp::NEXT_IPV4,
        Version::V6 => esp::NEXT_IPV6,
    }
}
