//! A worker: two threads, one for each direction, with their share of every socket and TUN.
//!
//! Worker `i` has UDP socket `i` of the reuseport groups, raw socket `i`, and queue `i` of every TUN. Its receiving thread
//! decrypts what comes from the sockets and writes it to TUNs ([`receiving`]); its transmitting thread encrypts what comes
//! from TUNs and sends it ([`transmitting`]). The directions are apart because a bulk transfer one way lives by the
//! acknowledgements that come the other way: behind half a megabyte of work they would keep the sender waiting.
//!
//! Each thread works on what it has read to the end, in batches. The tables are loaded once for a batch, and no lock is
//! taken for a packet. Batches are bounded, and epoll is level-triggered, so that no source starves another; what a thread
//! cannot keep up with waits in the kernel's bounded queues and is dropped there.

mod ports;
mod receiving;
mod transmitting;

use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver as CommandReceiver, Sender};
use std::time::SystemTime;

use arc_swap::ArcSwap;

use crate::batch::Batch;
use crate::counters::Shard;
use crate::events::{Event, IkeSink};
use crate::io::socket::Sockets;
use crate::io::sys::{Poller, Waker};
use crate::packet::coalesce::Joining;
use crate::tables::Tables;

pub use ports::TunPort;
pub use receiving::Receiving;
pub use transmitting::Transmitting;

/// Threads of one worker.
pub const DIRECTIONS: usize = 2;

/// Epoll token of the waker. A role has all numbers below it.
const TOKEN_WAKE: u64 = u64::MAX;

/// What control asks of a thread.
pub enum Command {
    /// Serve the queue, then answer.
    AddTun {
        port: TunPort,
        done: Sender<io::Result<()>>,
    },
    /// Give up the queue, then answer.
    RemoveTun {
        if_id: u32,
        done: Sender<()>,
    },
    Stop,
}

/// What both threads of a worker are made of.
#[derive(Clone)]
pub struct Parts {
    /// Of this thread, among those of all workers: whose counters are its own.
    pub thread: usize,
    pub sockets: Arc<Sockets>,
    pub tables: Arc<ArcSwap<Tables>>,
    pub shard: Arc<Shard>,
    pub events: Sender<Event>,
    pub ike: Arc<dyn IkeSink>,
    pub joining: Joining,
    /// Whether UDP_SEGMENT is used; shared by all workers.
    pub segmentation: Arc<AtomicBool>,
}

/// One direction.
pub trait Role {
    /// Has the poller watch what is read from, tunnels apart.
    fn watch(&self, poller: &Poller) -> io::Result<()>;
    /// Works on what was reported readable.
    fn ready(&mut self, poller: &Poller, token: u64);
    fn add(&mut self, poller: &Poller, port: TunPort) -> io::Result<()>;
    fn remove(&mut self, poller: &Poller, if_id: u32);
}

/// The loop of a thread.
pub struct Worker<R> {
    role: R,
    poller: Poller,
    waker: Arc<Waker>,
    commands: CommandReceiver<Command>,
}

impl<R: Role> Worker<R> {
    pub fn new(role: R, waker: Arc<Waker>, commands: CommandReceiver<Command>) -> io::Result<Worker<R>> {
        let poller = Poller::new()?;
        poller.add(waker.fd().as_fd(), TOKEN_WAKE)?;
        role.watch(&poller)?;
        Ok(Worker { role, poller, waker, commands })
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
                    token => self.role.ready(&self.poller, token),
                }
            }
        }
    }

    /// Carries out what control asked for; false for the end.
    fn obey(&mut self) -> bool {
        self.waker.clear();
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::AddTun { port, done } => {
                    let added = self.role.add(&self.poller, port);
                    // As below: when control gave up nobody waits.
                    let _ = done.send(added);
                }
                Command::RemoveTun { if_id, done } => {
                    self.role.remove(&self.poller, if_id);
                    // Nobody waits any more when control gave up; the queue is given up all the same.
                    let _ = done.send(());
                }
                Command::Stop => return false,
            }
        }
        true
    }
}

impl Parts {
    fn batch<'a>(&'a self, tables: &'a Tables) -> Batch<'a> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Batch { tables, worker: self.thread, shard: &self.shard, events: &self.events, now }
    }
}
