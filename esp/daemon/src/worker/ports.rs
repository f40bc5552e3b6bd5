//! The TUN queues that a thread reads from or writes to.

use std::collections::HashMap;
use std::io::IoSlice;
use std::sync::Arc;

use crate::counters::{DropReason, Shard, Total, TunShard};
use crate::inbound::TunSet;
use crate::io::tun::Queue;
use crate::packet::coalesce::FrameSink;
use crate::tunnel::Tunnel;

/// A worker's queue of a tunnel's TUN.
#[derive(Clone)]
pub struct TunPort {
    pub tunnel: Arc<Tunnel>,
    pub queue: Arc<Queue>,
}

/// The queues of one thread.
pub struct Ports {
    thread: usize,
    shard: Arc<Shard>,
    by_if_id: HashMap<u32, TunPort>,
}

impl Ports {
    pub fn new(thread: usize, shard: Arc<Shard>) -> Ports {
        Ports { thread, shard, by_if_id: HashMap::new() }
    }

    pub fn get(&self, if_id: u32) -> Option<&TunPort> {
        self.by_if_id.get(&if_id)
    }

    pub fn insert(&mut self, port: TunPort) {
        self.by_if_id.insert(port.tunnel.if_id, port);
    }

    pub fn remove(&mut self, if_id: u32) -> Option<TunPort> {
        self.by_if_id.remove(&if_id)
    }
}

impl FrameSink for Ports {
    fn write(&mut self, if_id: u32, packets: usize, frame: &[IoSlice<'_>]) {
        let Some(port) = self.by_if_id.get(&if_id) else {
            return self.shard.dropped(DropReason::NoTun, packets as u64);
        };
        self.shard.add(Total::TunWrites, 1);
        if port.queue.write(frame).is_err() {
            self.shard.dropped(DropReason::TunWrite, packets as u64);
            port.tunnel.shard(self.thread).dropped(DropReason::TunWrite, packets as u64);
        }
    }
}

impl TunSet for Ports {
    fn counters(&self, if_id: u32) -> Option<&TunShard> {
        self.by_if_id.get(&if_id).map(|port| port.tunnel.shard(self.thread))
    }
}
