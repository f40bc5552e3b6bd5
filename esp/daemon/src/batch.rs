//! What one batch of packets needs from outside and gives to it: plain values, and the way to the peers as a trait, so
//! that the cores ([`crate::outbound`], [`crate::inbound`]) know no socket and tests run them in memory.

use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::Sender;

use crate::counters::{DropReason, Shard};
use crate::events::Event;
use crate::sa::Encap;
use crate::tables::Tables;
use crate::tunnel::Tunnel;

/// What is the same for all packets of one batch.
#[derive(Clone, Copy)]
pub struct Batch<'a> {
    /// The snapshot, loaded once.
    pub tables: &'a Tables,
    pub worker: usize,
    pub shard: &'a Shard,
    pub events: &'a Sender<Event>,
    /// Unix seconds.
    pub now: u64,
}

impl Batch<'_> {
    /// Tells control. When nobody listens the data path is ending.
    pub fn report(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// Counts packets from a TUN that were dropped.
    pub fn drop_outbound(&self, tunnel: &Tunnel, reason: DropReason, packets: u64) {
        if packets > 0 {
            self.shard.dropped(reason, packets);
            tunnel.shard(self.worker).dropped(reason, packets);
        }
    }
}

/// Where a datagram came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// For plain ESP the port is 0.
    pub from: SocketAddr,
    pub local: IpAddr,
    pub ifindex: u32,
    /// UDP-encapsulated, as opposed to protocol 50.
    pub encapsulated: bool,
    /// Traffic class of the outer header.
    pub tos: u8,
    /// Size of each merged datagram but the last; the whole length when nothing was merged.
    pub segment: usize,
}

/// ESP packets of one SA to be sent at once.
#[derive(Clone, Copy, Debug)]
pub struct Burst<'a> {
    pub src: IpAddr,
    pub dst: IpAddr,
    pub encap: Option<Encap>,
    /// Traffic class of the outer header.
    pub tos: u8,
    /// Size of each packet but the last, which may be shorter.
    pub segment: usize,
    pub octets: &'a [u8],
}

/// What became of a burst, in packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendReport {
    pub sent: usize,
    pub queue_full: usize,
    pub failed: usize,
    /// What was learned about the path: its MTU, which the packets exceed so that the kernel fragmented them, or which
    /// is larger than it was before.
    pub path_mtu: Option<u32>,
    /// The offload refused the burst, which went packet by packet.
    pub fell_back: bool,
    /// The offload is off from now on, and why.
    pub offload_disabled: Option<(&'static str, String)>,
}

/// The way to the peers.
pub trait Link {
    fn send(&mut self, burst: &Burst<'_>) -> SendReport;
}
