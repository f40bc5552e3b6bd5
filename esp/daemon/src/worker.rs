//! A worker: one thread, one epoll loop, its share of every socket and TUN.
//!
//! Worker `i` has UDP socket `i` of the reuseport groups, raw socket `i`, and queue `i` of every TUN. What it reads it
//! works on to the end, in batches: a batch from a socket is decrypted and written to TUNs, a batch from a TUN is
//! encrypted and sent. The tables are loaded once for a batch, and no lock is taken for a packet. Batches are bounded, and
//! epoll is level-triggered, so that no source starves another; what a worker cannot keep up with waits in the kernel's
//! bounded queues and is dropped there.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver as CommandReceiver, Sender};
use std::time::SystemTime;

use arc_swap::ArcSwap;

use crate::batch::Batch;
use crate::counters::{DropReason, Shard, Total, TunShard};
use crate::events::{Event, IkeSink};
use crate::inbound::{Inbound, TunSet};
use crate::io::receive::{Receiver, SLOTS, Source};
use crate::io::send::SocketLink;
use crate::io::socket::Sockets;
use crate::io::sys::{Poller, Waker};
use crate::io::tun::Queue;
use crate::outbound::Outbound;
use crate::packet::coalesce::{FrameSink, Joining};
use crate::tables::Tables;
use crate::tunnel::Tunnel;

/// Frames read from one TUN before other sources have their turn.
const TUN_BATCH: usize = 32;
/// Rounds of [`SLOTS`] datagrams read from one socket before other sources have their turn.
const SOCKET_ROUNDS: usize = 4;
/// A frame from the TUN: virtio header and the longest packet.
const FRAME: usize = 65535 + 64;

/// Epoll tokens: tunnels have their `if_id`, which is 32 bits wide, the rest is above.
const TOKEN_WAKE: u64 = 1 << 32;
const TOKEN_UDP4: u64 = TOKEN_WAKE + 1;
const TOKEN_UDP6: u64 = TOKEN_WAKE + 2;
const TOKEN_RAW4: u64 = TOKEN_WAKE + 3;
const TOKEN_RAW6: u64 = TOKEN_WAKE + 4;

/// What control asks of a worker.
pub enum Command {
    /// Serve the queue, then answer.
    AddTun {
        port: TunPort,
        done: Sender<io::Result<()>>,
    },
    /// Close the queue, then answer.
    RemoveTun {
        if_id: u32,
        done: Sender<()>,
    },
    Stop,
}

/// A worker's queue of a tunnel's TUN.
#[derive(Clone)]
pub struct TunPort {
    pub tunnel: Arc<Tunnel>,
    pub queue: Arc<Queue>,
}

/// What a worker is made of.
pub struct Parts {
    pub index: usize,
    pub sockets: Arc<Sockets>,
    pub waker: Arc<Waker>,
    pub commands: CommandReceiver<Command>,
    pub tables: Arc<ArcSwap<Tables>>,
    pub shard: Arc<Shard>,
    pub events: Sender<Event>,
    pub ike: Arc<dyn IkeSink>,
    pub joining: Joining,
    /// Whether UDP_SEGMENT is used; shared by all workers.
    pub segmentation: Arc<AtomicBool>,
}

pub struct Worker {
    parts: Parts,
    poller: Poller,
    ports: Ports,
    link: SocketLink,
    inbound: Inbound,
    outbound: Outbound,
    receiver: Receiver,
    frame: Box<[u8]>,
}

/// The TUN queues of a worker.
struct Ports {
    worker: usize,
    shard: Arc<Shard>,
    by_if_id: HashMap<u32, TunPort>,
}

impl FrameSink for Ports {
    fn write(&mut self, if_id: u32, packets: usize, frame: &[IoSlice<'_>]) {
        let Some(port) = self.by_if_id.get(&if_id) else {
            return self.shard.dropped(DropReason::NoTun, packets as u64);
        };
        self.shard.add(Total::TunWrites, 1);
        if port.queue.write(frame).is_err() {
            self.shard.dropped(DropReason::TunWrite, packets as u64);
            port.tunnel.shard(self.worker).dropped(DropReason::TunWrite, packets as u64);
        }
    }
}

impl TunSet for Ports {
    fn counters(&self, if_id: u32) -> Option<&TunShard> {
        self.by_if_id.get(&if_id).map(|port| port.tunnel.shard(self.worker))
    }
}

impl Worker {
    pub fn new(parts: Parts) -> io::Result<Worker> {
        let poller = Poller::new()?;
        poller.add(parts.waker.fd().as_fd(), TOKEN_WAKE)?;
        for (token, socket) in sources(&parts.sockets) {
            poller.add(socket, token)?;
        }
        Ok(Worker {
            poller,
            ports: Ports { worker: parts.index, shard: Arc::clone(&parts.shard), by_if_id: HashMap::new() },
            link: SocketLink::new(Arc::clone(&parts.sockets), Arc::clone(&parts.segmentation)),
            inbound: Inbound::new(parts.joining),
            outbound: Outbound::default(),
            receiver: Receiver::new(),
            frame: vec![0; FRAME].into(),
            parts,
        })
    }

    /// Works until [`Command::Stop`].
    ///
    /// Panics when epoll fails, which takes a bug.
    pub fn run(mut self) {
        let mut ready = [libc::epoll_event { events: 0, u64: 0 }; 64];
        loop {
            let count = self.poller.wait(&mut ready).expect("epoll works on its own descriptor");
            for event in &ready[..count] {
                match event.u64 {
                    TOKEN_WAKE => {
                        if !self.obey() {
                            return;
                        }
                    }
                    TOKEN_UDP4 | TOKEN_UDP6 => self.receive(event.u64, Source::Udp),
                    TOKEN_RAW4 => self.receive(TOKEN_RAW4, Source::Raw4),
                    TOKEN_RAW6 => self.receive(TOKEN_RAW6, Source::Raw6),
                    if_id => self.transmit(if_id as u32),
                }
            }
        }
    }

    /// Carries out what control asked for; false for the end.
    fn obey(&mut self) -> bool {
        self.parts.waker.clear();
        while let Ok(command) = self.parts.commands.try_recv() {
            match command {
                Command::AddTun { port, done } => {
                    let added = self.poller.add(port.queue.as_fd(), u64::from(port.tunnel.if_id));
                    if added.is_ok() {
                        self.ports.by_if_id.insert(port.tunnel.if_id, port);
                    }
                    // As below: when control gave up nobody waits.
                    let _ = done.send(added);
                }
                Command::RemoveTun { if_id, done } => {
                    self.ports.by_if_id.remove(&if_id);
                    // Nobody waits any more when control gave up; the queue is closed all the same.
                    let _ = done.send(());
                }
                Command::Stop => return false,
            }
        }
        true
    }

    /// One batch from a socket to the TUNs.
    fn receive(&mut self, token: u64, source: Source) {
        let tables = self.parts.tables.load();
        let batch = batch(&self.parts, &tables);
        let Some((_, socket)) = sources(&self.parts.sockets).find(|(of, _)| *of == token) else { return };
        for _ in 0..SOCKET_ROUNDS {
            // An error of a datagram socket is about one earlier datagram (ICMP), and is taken off by the read.
            let Ok(count) = self.receiver.receive(socket) else { return };
            for index in 0..count {
                let Some((at, datagram)) = self.receiver.datagram(index, source) else {
                    batch.shard.dropped(DropReason::Malformed, 1);
                    continue;
                };
                batch.shard.add(Total::ReceiveBursts, 1);
                let arena = self.receiver.arena_mut();
                self.inbound.datagram(&batch, arena, at, &datagram, self.parts.ike.as_ref(), &mut self.ports);
            }
            self.inbound.flush(self.receiver.arena(), &mut self.ports);
            if count < SLOTS {
                return;
            }
        }
    }

    /// One batch from a TUN to the peer.
    fn transmit(&mut self, if_id: u32) {
        let Some(TunPort { tunnel, queue }) = self.ports.by_if_id.get(&if_id).cloned() else { return };
        let tables = self.parts.tables.load();
        let batch = batch(&self.parts, &tables);
        for _ in 0..TUN_BATCH {
            let len = match queue.read(&mut self.frame) {
                Ok(Some(len)) => len,
                Ok(None) => break,
                Err(_) => {
                    // The device is gone; closing the queue keeps epoll from reporting it for ever.
                    self.ports.by_if_id.remove(&if_id);
                    if tunnel.report_lost() {
                        batch.report(Event::TunLost { if_id });
                    }
                    break;
                }
            };
            batch.shard.add(Total::TunReads, 1);
            self.outbound.frame(&batch, &tunnel, &self.frame[..len], &mut self.link, &mut self.ports);
        }
        self.outbound.flush(&batch, &tunnel, &mut self.link);
    }
}

fn batch<'a>(parts: &'a Parts, tables: &'a Tables) -> Batch<'a> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Batch { tables, worker: parts.index, shard: &parts.shard, events: &parts.events, now }
}

fn sources(sockets: &Sockets) -> impl Iterator<Item = (u64, BorrowedFd<'_>)> {
    [
        Some((TOKEN_UDP4, sockets.udp4.as_fd())),
        sockets.udp6.as_ref().map(|fd| (TOKEN_UDP6, fd.as_fd())),
        Some((TOKEN_RAW4, sockets.raw4.as_fd())),
        sockets.raw6.as_ref().map(|fd| (TOKEN_RAW6, fd.as_fd())),
    ]
    .into_iter()
    .flatten()
}
