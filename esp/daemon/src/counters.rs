//! Counters of packets, and of every drop with its reason.
//!
//! A thread counts into shards of its own (one for itself, one for each tunnel), so that counting contends with nobody and
//! takes no locked instruction; readers add the shards up. A snapshot is not atomic across counters, each of which only grows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Declares an enum of counters with the names they are reported by.
macro_rules! counter_set {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every member, in the order of the discriminants.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The name it is reported by.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }
    };
}

counter_set! {
    /// Why a packet was dropped.
    DropReason {
        /// Sequence number seen before, or older than the replay window.
        Replay = "replay",
        /// Integrity check failed.
        Authentication = "authentication",
        /// No SA with this SPI and destination.
        UnknownSpi = "unknown_spi",
        /// UDP-encapsulated packet for an SA without encapsulation, or the reverse.
        EncapMismatch = "encap_mismatch",
        /// Inner packet outside the SA's inbound policy.
        Selector = "selector",
        /// Too short, truncated, or an inner packet that is not IP.
        Malformed = "malformed",
        /// Outer header says congestion, inner header says its transport does not understand it (RFC 6040 4.2).
        EcnNotCapable = "ecn_not_capable",
        /// The SA's tunnel has no TUN device.
        NoTun = "no_tun",
        /// The TUN device refused the packet (it is down, or out of memory).
        TunWrite = "tun_write",
        /// An outbound policy matches but has no SA.
        NoRoute = "no_route",
        /// No outbound policy matches.
        NoPolicy = "no_policy",
        /// The SA has used its last sequence number.
        SequenceExhausted = "sequence_exhausted",
        /// The inner packet may not be fragmented and is too big for the tunnel.
        TooBig = "too_big",
        /// The socket's send queue stayed full.
        QueueFull = "queue_full",
        /// The kernel refused to send (no route to the peer, interface down).
        SendError = "send_error",
    }
}

counter_set! {
    /// What workers did.
    Total {
        /// Bursts handed to a socket: system calls' worth of sending.
        SendBursts = "send_bursts",
        /// ESP packets sent.
        EspSent = "esp_sent",
        /// Datagrams as sockets gave them, merged ones counting as one.
        ReceiveBursts = "receive_bursts",
        /// ESP packets received.
        EspReceived = "esp_received",
        /// Writes to TUN devices; a coalesced super-packet is one.
        TunWrites = "tun_writes",
        /// Reads from TUN devices; a super-packet is one.
        TunReads = "tun_reads",
        /// Datagrams handed to IKE.
        IkeDelivered = "ike_delivered",
        /// NAT keepalives (RFC 3948 2.3).
        Keepalives = "keepalives",
        /// Dummy packets (next header 59, RFC 4303 2.6).
        Dummies = "dummies",
        /// Bursts sent packet by packet because the offload failed.
        GsoFallbacks = "gso_fallbacks",
        /// ICMP "fragmentation needed" and "packet too big" written to TUN devices.
        TooBigSent = "too_big_sent",
    }
}

/// Adds to a counter of which the calling thread is the only writer.
fn count(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

/// One thread's share of the counters: nobody else may add to it.
#[derive(Debug, Default)]
pub struct Shard {
    drops: [AtomicU64; DropReason::ALL.len()],
    totals: [AtomicU64; Total::ALL.len()],
}

impl Shard {
    pub fn dropped(&self, reason: DropReason, packets: u64) {
        count(&self.drops[reason as usize], packets);
    }

    pub fn add(&self, total: Total, n: u64) {
        count(&self.totals[total as usize], n);
    }
}

/// One thread's share of a TUN's counters: nobody else may add to it.
#[derive(Debug, Default)]
pub struct TunShard {
    rx_packets: AtomicU64,
    rx_bytes: AtomicU64,
    tx_packets: AtomicU64,
    tx_bytes: AtomicU64,
    drops: [AtomicU64; DropReason::ALL.len()],
}

impl TunShard {
    pub fn received(&self, packets: u64, bytes: u64) {
        count(&self.rx_packets, packets);
        count(&self.rx_bytes, bytes);
    }

    pub fn sent(&self, packets: u64, bytes: u64) {
        count(&self.tx_packets, packets);
        count(&self.tx_bytes, bytes);
    }

    pub fn dropped(&self, reason: DropReason, packets: u64) {
        count(&self.drops[reason as usize], packets);
    }
}

/// A sum over all workers: totals and drops by name, zeros included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CounterSnapshot {
    pub totals: BTreeMap<&'static str, u64>,
    pub drops: BTreeMap<&'static str, u64>,
}

impl CounterSnapshot {
    pub fn sum<'a>(shards: impl IntoIterator<Item = &'a Shard>) -> CounterSnapshot {
        let mut sum = CounterSnapshot::default();
        for shard in shards {
            for total in Total::ALL {
                *sum.totals.entry(total.name()).or_default() += shard.totals[*total as usize].load(Ordering::Relaxed);
            }
            add_drops(&mut sum.drops, &shard.drops);
        }
        sum
    }
}

/// Traffic of one tunnel's TUN: rx is from the peer after decryption, tx to the peer before encryption; inner bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TunCounters {
    pub rx_packets: u64,
    pub rx_bytes: u64,
    pub tx_packets: u64,
    pub tx_bytes: u64,
    pub drops: BTreeMap<&'static str, u64>,
}

impl TunCounters {
    pub fn sum<'a>(shards: impl IntoIterator<Item = &'a TunShard>) -> TunCounters {
        let mut sum = TunCounters::default();
        for shard in shards {
            sum.rx_packets += shard.rx_packets.load(Ordering::Relaxed);
            sum.rx_bytes += shard.rx_bytes.load(Ordering::Relaxed);
            sum.tx_packets += shard.tx_packets.load(Ordering::Relaxed);
            sum.tx_bytes += shard.tx_bytes.load(Ordering::Relaxed);
            add_drops(&mut sum.drops, &shard.drops);
        }
        sum
    }
}

fn add_drops(sum: &mut BTreeMap<&'static str, u64>, drops: &[AtomicU64]) {
    for reason in DropReason::ALL {
        *sum.entry(reason.name()).or_default() += drops[*reason as usize].load(Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_add_up_under_their_names() {
        let shards = [Shard::default(), Shard::default()];
        shards[0].dropped(DropReason::Replay, 2);
        shards[1].dropped(DropReason::Replay, 3);
        shards[1].add(Total::EspSent, 7);
        let sum = CounterSnapshot::sum(&shards);
        assert_eq!((sum.drops["replay"], sum.drops["too_big"], sum.totals["esp_sent"]), (5, 0, 7));
        assert_eq!(sum.drops.len(), DropReason::ALL.len());
        assert_eq!(sum.totals.len(), Total::ALL.len());
    }

    #[test]
    fn tun_shards_add_up() {
        let shards = [TunShard::default(), TunShard::default()];
        shards[0].received(1, 100);
        shards[1].received(2, 200);
        shards[1].sent(3, 300);
        shards[0].dropped(DropReason::NoRoute, 1);
        let sum = TunCounters::sum(&shards);
        assert_eq!((sum.rx_packets, sum.rx_bytes, sum.tx_packets, sum.tx_bytes), (3, 300, 3, 300));
        assert_eq!(sum.drops["no_route"], 1);
    }
}
