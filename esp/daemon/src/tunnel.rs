//! What workers share of a tunnel's TUN device: its MTU, its counters and the limit on its events.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::counters::TunShard;

/// One tunnel, shared by control and all workers.
#[derive(Debug)]
pub struct Tunnel {
    pub if_id: u32,
    mtu: AtomicU32,
    acquire_reported: AtomicU64,
    lost: AtomicBool,
    shards: Box<[TunShard]>,
}

impl Tunnel {
    /// A tunnel with one counter shard for each worker.
    pub fn new(if_id: u32, mtu: u32, workers: usize) -> Tunnel {
        let shards = (0..workers).map(|_| TunShard::default()).collect();
        let (acquire_reported, lost) = (AtomicU64::new(0), AtomicBool::new(false));
        Tunnel { if_id, mtu: AtomicU32::new(mtu), acquire_reported, lost, shards }
    }

    pub fn mtu(&self) -> u32 {
        self.mtu.load(Ordering::Relaxed)
    }

    pub fn set_mtu(&self, mtu: u32) {
        self.mtu.store(mtu, Ordering::Relaxed);
    }

    /// The counters of one worker.
    pub fn shard(&self, worker: usize) -> &TunShard {
        &self.shards[worker]
    }

    pub fn shards(&self) -> &[TunShard] {
        &self.shards
    }

    /// Whether the device was deleted by somebody else (`ip link del`, its namespace).
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Notes that the device is gone; whether this is news.
    pub fn report_lost(&self) -> bool {
        !self.lost.swap(true, Ordering::Relaxed)
    }

    /// Whether the lack of an SA may be reported at `now`, in Unix seconds: at most once a second.
    pub fn report_acquire(&self, now: u64) -> bool {
        self.acquire_reported.swap(now, Ordering::Relaxed) != now
    }
}
