//! From the peer to the TUN: datagrams in, inner packets and super-packets out.
//!
//! A datagram as the socket gives it may be many merged by GRO; each is told apart by its size and handled on its own.
//! On the encapsulation port it is IKE (four zero octets, RFC 3948 2.2), a keepalive (one octet 0xff) or ESP. An ESP
//! packet passes, in this order: SA lookup by SPI and destination, encapsulation mode, replay window, integrity, the
//! window's update, the inner header's form, ECN, the SA's policy. What remains goes to the TUN of the SA's `if_id` and
//! nowhere else. Packets of one SA that follow each other share the lookup and the lock of the replay window.

use std::ops::Range;
use std::sync::MutexGuard;

use crate::batch::{Batch, Datagram};
use crate::counters::{DropReason, Total, TunShard};
use crate::esp;
use crate::events::{Event, IkeDatagram, IkeSink};

use crate::packet::coalesce::{Coalescer, FrameSink, Joining};
use crate::packet::ip::{Layout, Version, set_tos};
use crate::replay::ReplayWindow;
use crate::tables::{self, InboundPolicy};

/// The TUN devices of a worker.
pub trait TunSet: FrameSink {
    /// The counters of this tunnel; `None` when it has no TUN.
    fn counters(&self, if_id: u32) -> Option<&TunShard>;
}

/// The receiving half of a worker.
pub struct Inbound {
    coalescer: Coalescer,
}

/// Packets of one SA that follow each other.
struct Run<'t> {
    spi: u32,
    entry: &'t tables::Inbound,
    window: MutexGuard<'t, ReplayWindow>,
    packets: u64,
    octets: u64,
}

impl Inbound {
    pub fn new(joining: Joining) -> Inbound {
        Inbound { coalescer: Coalescer::new(joining) }
    }

    /// Takes the octets of a datagram, opened in place; false when no packet in it was worth anything: nothing was
    /// authentic, and nothing was for IKE.
    pub fn datagram(
        &mut self,
        batch: &Batch<'_>,
        octets: &mut [u8],
        datagram: &Datagram,
        ike: &dyn IkeSink,
        tuns: &mut impl TunSet,
    ) -> bool {
        let mut run: Option<Run<'_>> = None;
        let mut useful = false;
        for packet in octets.chunks_mut(datagram.segment.max(1)) {
            if datagram.encapsulated && deliver_non_esp(batch, packet, datagram, ike) {
                useful = true;
                continue;
            }
            batch.shard.add(Total::EspReceived, 1);
            match find(batch, run.take(), packet, datagram, tuns) {
                Err(reason) => batch.shard.dropped(reason, 1),
                Ok(mut current) => {
                    let received = receive(batch, &mut current, packet, datagram);
                    useful |= received.is_ok();
                    match received {
                        Ok(Some((inner, layout))) => {
                            let inner = &packet[inner.start..inner.start + layout.len];
                            self.coalescer.push(inner, layout, current.entry.sa.config.if_id, tuns);
                        }
                        Ok(None) => batch.shard.add(Total::Dummies, 1),
                        Err(reason) => drop_on(batch, &current, reason, tuns),
                    }
                    run = Some(current);
                }
            }
        }
        if let Some(run) = run {
            finish(batch, run, tuns);
        }
        useful
    }

    /// Writes what has been collected to the TUN devices.
    pub fn flush(&mut self, tuns: &mut impl TunSet) {
        self.coalescer.flush_all(tuns);
    }
}

/// Takes what is not ESP; false when it is.
fn deliver_non_esp(batch: &Batch<'_>, packet: &[u8], datagram: &Datagram, ike: &dyn IkeSink) -> bool {
    match packet {
        [0, 0, 0, 0, ..] => {
            let Datagram { from, local, ifindex, .. } = *datagram;
            ike.deliver(IkeDatagram { from, local, ifindex, payload: packet });
            batch.shard.add(Total::IkeDelivered, 1);
            true
        }
        [0xff] => {
            batch.shard.add(Total::Keepalives, 1);
            true
        }
        _ => false,
    }
}

/// The run this packet belongs to: the one given, or a new one after that is finished.
fn find<'t>(
    batch: &Batch<'t>,
    run: Option<Run<'t>>,
    packet: &[u8],
    datagram: &Datagram,
    tuns: &impl TunSet,
) -> Result<Run<'t>, DropReason> {
    let spi = esp::spi(packet);
    if let Some(run) = run {
        if Some(run.spi) == spi {
            return Ok(run);
        }
        finish(batch, run, tuns);
    }
    let spi = spi.ok_or(DropReason::Malformed)?;
    let entry = batch.tables.inbound(spi, datagram.local).ok_or(DropReason::UnknownSpi)?;
    if entry.sa.config.encap.is_some() != datagram.encapsulated {
        return Err(DropReason::EncapMismatch);
    }
    Ok(Run { spi, entry, window: entry.sa.window(), packets: 0, octets: 0 })
}

/// Opens and checks one packet. `None` for a dummy.
fn receive(
    batch: &Batch<'_>,
    run: &mut Run<'_>,
    packet: &mut [u8],
    datagram: &Datagram,
) -> Result<Option<(Range<usize>, Layout)>, DropReason> {
    let sa = &run.entry.sa;
    let opened = esp::open(sa, &mut run.window, packet)?;
    if let Some(encap) = sa.config.encap
        && (datagram.from.ip(), datagram.from.port()) != (sa.config.src, encap.src_port)
        && sa.report_mapping(batch.now)
    {
        let (spi, dst, from) = (sa.config.spi, sa.config.dst, datagram.from);
        batch.report(Event::Mapping { spi, dst, new_addr: from.ip(), new_port: from.port() });
    }
    if opened.next_header == esp::NEXT_NONE {
        return Ok(None);
    }
    let inner = &mut packet[opened.inner.clone()];
    let mut layout = Layout::parse(inner).ok_or(DropReason::Malformed)?;
    match (opened.next_header, layout.version) {
        (esp::NEXT_IPV4, Version::V4) | (esp::NEXT_IPV6, Version::V6) => {}
        _ => return Err(DropReason::Malformed),
    }
    if let InboundPolicy::Only(selectors) = &run.entry.policy {
        let flow = layout.flow(inner);
        if !selectors.iter().any(|selector| selector.matches(&flow)) {
            return Err(DropReason::Selector);
        }
    }
    let ecn = if sa.config.ecn {
        decapsulated_ecn(layout.tos & 3, datagram.tos & 3).ok_or(DropReason::EcnNotCapable)?
    } else {
        layout.tos & 3
    };
    let dscp = if sa.config.decap_dscp { datagram.tos & !3 } else { layout.tos & !3 };
    if dscp | ecn != layout.tos {
        set_tos(inner, layout.version, dscp | ecn);
        layout.tos = dscp | ecn;
    }
    run.packets += 1;
    run.octets += layout.len as u64;
    Ok(Some((opened.inner, layout)))
}

/// The inner ECN field after decapsulation (RFC 6040 figure 4); `None` is "drop".
fn decapsulated_ecn(inner: u8, outer: u8) -> Option<u8> {
    const NOT_ECT: u8 = 0;
    const ECT_1: u8 = 1;
    const ECT_0: u8 = 2;
    const CE: u8 = 3;
    match (inner, outer) {
        (NOT_ECT, CE) => None,
        (ECT_0 | ECT_1, CE) => Some(CE),
        (ECT_0, ECT_1) => Some(ECT_1),
        _ => Some(inner),
    }
}

fn drop_on(batch: &Batch<'_>, run: &Run<'_>, reason: DropReason, tuns: &impl TunSet) {
    batch.shard.dropped(reason, 1);
    if let Some(counters) = tuns.counters(run.entry.sa.config.if_id) {
        counters.dropped(reason, 1);
    }
}

fn finish(batch: &Batch<'_>, run: Run<'_>, tuns: &impl TunSet) {
    if run.packets > 0 {
        run.entry.sa.usage.add(run.packets, run.octets, batch.now);
        if let Some(counters) = tuns.counters(run.entry.sa.config.if_id) {
            counters.received(run.packets, run.octets);
        }
    }
}
