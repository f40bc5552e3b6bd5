//! The transmitting thread of a worker: from the TUNs to the peers.

use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;

use super::ports::{Ports, TunPort};
use super::{Parts, Role};
use crate::counters::Total;
use crate::events::Event;
use crate::io::send::SocketLink;
use crate::io::sys::Poller;
use crate::outbound::Outbound;

/// Frames and octets read from one TUN before other sources have their turn.
const TUN_BATCH: usize = 64;
const TUN_OCTETS: usize = 512 << 10;
/// A frame from the TUN: virtio header and the longest packet.
const FRAME: usize = 65535 + 64;

pub struct Transmitting {
    parts: Parts,
    ports: Ports,
    link: SocketLink,
    outbound: Outbound,
    frame: Box<[u8]>,
}

impl Transmitting {
    pub fn new(parts: Parts) -> Transmitting {
        Transmitting {
            ports: Ports::new(parts.thread, Arc::clone(&parts.shard)),
            link: SocketLink::new(Arc::clone(&parts.sockets), Arc::clone(&parts.segmentation)),
            outbound: Outbound::default(),
            frame: vec![0; FRAME].into(),
            parts,
        }
    }

    /// One batch from a TUN to the peer.
    fn transmit(&mut self, poller: &Poller, if_id: u32) {
        let Some(TunPort { tunnel, queue }) = self.ports.get(if_id).cloned() else { return };
        let tables = self.parts.tables.load();
        let batch = self.parts.batch(&tables);
        let mut octets = 0;
        for _ in 0..TUN_BATCH {
            let len = match queue.read(&mut self.frame) {
                Ok(Some(len)) => len,
                Ok(None) => break,
                Err(_) => {
                    // The device is gone; epoll would report it for ever.
                    poller.remove(queue.as_fd());
                    self.ports.remove(if_id);
                    if tunnel.report_lost() {
                        batch.report(Event::TunLost { if_id });
                    }
                    break;
                }
            };
            batch.shard.add(Total::TunReads, 1);
            self.outbound.frame(&batch, &tunnel, &self.frame[..len], &mut self.link, &mut self.ports);
            octets += len;
            if octets >= TUN_OCTETS {
                break;
            }
        }
        self.outbound.flush(&batch, &tunnel, &mut self.link);
    }
}

impl Role for Transmitting {
    fn watch(&self, _: &Poller) -> io::Result<()> {
        Ok(())
    }

    fn ready(&mut self, poller: &Poller, token: u64) {
        // Tokens are interface ids, which have 32 bits.
        self.transmit(poller, token as u32);
    }

    fn add(&mut self, poller: &Poller, port: TunPort) -> io::Result<()> {
        poller.add(port.queue.as_fd(), u64::from(port.tunnel.if_id))?;
        self.ports.insert(port);
        Ok(())
    }

    fn remove(&mut self, poller: &Poller, if_id: u32) {
        // Control closes the queue.
        if let Some(port) = self.ports.remove(if_id) {
            poller.remove(port.queue.as_fd());
        }
    }
}
