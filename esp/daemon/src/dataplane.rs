//! The data path as control sees it: start, publish tables, add and remove TUN devices, read counters, stop.
//!
//! The namespace in which [`Dataplane::start`] is called becomes the underlay: its sockets are opened there and the
//! workers stay there. TUN devices may be created in others. Everything goes away with the last reference: sockets close,
//! and the TUN devices disappear with their queues.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::counters::{CounterSnapshot, Shard, TunCounters};
pub use crate::events::{Event, IkeDatagram, IkeSink};
pub use crate::io::socket::Family;
use crate::io::socket::{Sockets, open_all};
use crate::io::sys::Waker;
use crate::io::tun;
use crate::packet::coalesce::Joining;
use crate::tables::Tables;
use crate::tunnel::Tunnel;
use crate::worker::{Command, DIRECTIONS, Parts, Receiving, Role, Transmitting, TunPort, Worker};

/// How long a thread may take to answer: it finishes one batch first.
const PATIENCE: Duration = Duration::from_secs(5);
/// Smallest and largest MTU of a TUN: what IPv4 must carry (RFC 791), what the kernel allows (`MAX_MTU` of tun.c).
const MTU_RANGE: std::ops::RangeInclusive<u32> = 68..=65521;

/// How to start the data path.
#[derive(Clone, Debug)]
pub struct Config {
    /// Workers, at least 1; each has a thread for each direction.
    pub workers: usize,
    /// UDP port of encapsulated ESP and IKE, 4500 by RFC 3948.
    pub natt_port: u16,
}

/// A tunnel's TUN device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunSpec {
    pub if_id: u32,
    /// Name under /run/netns; `None` is the namespace the data path was started in.
    pub netns: Option<String>,
    pub name: String,
    pub mtu: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunInfo {
    pub spec: TunSpec,
    /// The device was deleted by somebody else: remove the tunnel and add it again.
    pub lost: bool,
    pub counters: TunCounters,
}

/// Offloads in use: found at the start, and UDP_SEGMENT not switched off since (see [`Event::OffloadDisabled`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    pub tun_csum: bool,
    pub tun_tso: bool,
    pub tun_uso: bool,
    pub udp_gso: bool,
    pub udp_gro: bool,
}

/// The running data path.
pub struct Dataplane {
    features: Features,
    segmentation: Arc<AtomicBool>,
    tables: Arc<ArcSwap<Tables>>,
    /// Of each worker.
    sockets: Vec<Arc<Sockets>>,
    /// Two of each worker.
    threads: Vec<ThreadHandle>,
    tuns: Mutex<BTreeMap<u32, Tun>>,
}

struct ThreadHandle {
    shard: Arc<Shard>,
    commands: Sender<Command>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

struct Tun {
    spec: TunSpec,
    tunnel: Arc<Tunnel>,
}

impl Dataplane {
    /// Opens the sockets in the current network namespace and starts the workers.
    ///
    /// Errors: no worker asked for, the port is taken, CAP_NET_ADMIN or CAP_NET_RAW is missing.
    pub fn start(config: Config, events: Sender<Event>, ike: Arc<dyn IkeSink>) -> io::Result<Dataplane> {
        if config.workers == 0 {
            return Err(invalid("0 workers: at least 1 is needed"));
        }
        let (sockets, udp) = open_all(config.workers, config.natt_port)?;
        let offloads = tun::probe();
        let features = Features {
            tun_csum: offloads.csum,
            tun_tso: offloads.tso,
            tun_uso: offloads.uso,
            udp_gso: udp.gso,
            udp_gro: udp.gro,
        };
        let tables = Arc::new(ArcSwap::from_pointee(Tables::new()));
        let segmentation = Arc::new(AtomicBool::new(udp.gso));
        let tuns = Mutex::new(BTreeMap::new());
        let mut dataplane =
            Dataplane { features, segmentation, tables, sockets: Vec::new(), threads: Vec::new(), tuns };
        for sockets in sockets {
            dataplane.start_worker(Arc::new(sockets), events.clone(), Arc::clone(&ike))?;
        }
        Ok(dataplane)
    }

    /// Makes `tables` what workers read, from their next batch on.
    pub fn publish(&self, tables: Tables) {
        self.tables.store(Arc::new(tables));
    }

    /// Creates a TUN device, brings it up and starts to serve it.
    ///
    /// Errors: a tunnel with this `if_id` exists, or what [`tun::create`] refuses.
    pub fn add_tun(&self, spec: &TunSpec) -> io::Result<()> {
        check_mtu(spec.mtu)?;
        let mut tuns = self.lock_tuns();
        let Entry::Vacant(place) = tuns.entry(spec.if_id) else {
            let text = format!("tunnel with if_id {} exists already: remove it first", spec.if_id);
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        };
        let queues = tun::create(spec.netns.as_deref(), &spec.name, self.sockets.len(), spec.mtu)?;
        let tunnel = Arc::new(Tunnel::new(spec.if_id, spec.mtu, self.threads.len()));
        let (done, added) = mpsc::channel();
        for (threads, queue) in self.threads.chunks(DIRECTIONS).zip(queues) {
            let port = TunPort { tunnel: Arc::clone(&tunnel), queue: Arc::new(queue) };
            for thread in threads {
                thread.command(Command::AddTun { port: port.clone(), done: done.clone() })?;
            }
        }
        let added: io::Result<()> = self.await_threads(&added).and_then(|results| results.into_iter().collect());
        if let Err(error) = added {
            self.close_queues(spec.if_id)?;
            return Err(error);
        }
        place.insert(Tun { spec: spec.clone(), tunnel });
        Ok(())
    }

    /// Removes a tunnel's TUN device; false when there was none. When it returns the name is free again.
    pub fn remove_tun(&self, if_id: u32) -> io::Result<bool> {
        let mut tuns = self.lock_tuns();
        if tuns.remove(&if_id).is_none() {
            return Ok(false);
        }
        self.close_queues(if_id)?;
        Ok(true)
    }

    /// Changes the MTU of a tunnel's TUN.
    ///
    /// Errors: no such tunnel, an MTU out of range, or the namespace is gone.
    pub fn set_mtu(&self, if_id: u32, mtu: u32) -> io::Result<()> {
        check_mtu(mtu)?;
        let mut tuns = self.lock_tuns();
        let tun = tuns.get_mut(&if_id).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("there is no tunnel with if_id {if_id}"))
        })?;
        tun::set_mtu(tun.spec.netns.as_deref(), &tun.spec.name, mtu)?;
        tun.tunnel.set_mtu(mtu);
        tun.spec.mtu = mtu;
        Ok(())
    }

    /// Every tunnel with its counters, by `if_id`.
    pub fn tuns(&self) -> Vec<TunInfo> {
        self.lock_tuns().values().map(Tun::info).collect()
    }

    /// The counters of one tunnel.
    pub fn tun_counters(&self, if_id: u32) -> Option<TunCounters> {
        self.lock_tuns().get(&if_id).map(|tun| tun.info().counters)
    }

    /// The sum over all workers.
    pub fn counters(&self) -> CounterSnapshot {
        CounterSnapshot::sum(self.threads.iter().map(|thread| thread.shard.as_ref()))
    }

    /// The offloads in use now.
    pub fn features(&self) -> Features {
        Features { udp_gso: self.segmentation.load(Ordering::Relaxed), ..self.features }
    }

    /// The socket with which IKE datagrams are to be sent from the encapsulation port; `None` where the kernel has no
    /// IPv6. It is non-blocking; the source address goes into IP_PKTINFO or IPV6_PKTINFO.
    pub fn ike_send_fd(&self, family: Family) -> Option<BorrowedFd<'_>> {
        let sockets = self.sockets.first()?;
        match family {
            Family::V4 => Some(sockets.udp4.as_fd()),
            Family::V6 => sockets.udp6.as_ref().map(AsFd::as_fd),
        }
    }

    /// Ends the workers and removes the TUN devices; so does dropping.
    pub fn stop(self) {}

    /// Starts both threads of a worker.
    fn start_worker(
        &mut self,
        sockets: Arc<Sockets>,
        events: Sender<Event>,
        ike: Arc<dyn IkeSink>,
    ) -> io::Result<()> {
        let joining = Joining { tcp: self.features.tun_tso, udp: self.features.tun_uso };
        let index = self.threads.len() / DIRECTIONS;
        let parts = |thread| Parts {
            thread,
            sockets: Arc::clone(&sockets),
            tables: Arc::clone(&self.tables),
            shard: Arc::new(Shard::default()),
            events: events.clone(),
            ike: Arc::clone(&ike),
            joining,
            segmentation: Arc::clone(&self.segmentation),
        };
        let (receiving, transmitting) = (parts(index * DIRECTIONS), parts(index * DIRECTIONS + 1));
        self.start_thread(format!("esp-rx-{index}"), Arc::clone(&receiving.shard), Receiving::new(receiving))?;
        self.start_thread(
            format!("esp-tx-{index}"),
            Arc::clone(&transmitting.shard),
            Transmitting::new(transmitting),
        )?;
        self.sockets.push(sockets);
        Ok(())
    }

    fn start_thread(&mut self, name: String, shard: Arc<Shard>, role: impl Role + Send + 'static) -> io::Result<()> {
        let waker = Arc::new(Waker::new()?);
        let (commands, receiver) = mpsc::channel();
        let worker = Worker::new(role, Arc::clone(&waker), receiver)?;
        let thread = thread::Builder::new().name(name).spawn(move || worker.run())?;
        self.threads.push(ThreadHandle { shard, commands, waker, thread: Some(thread) });
        Ok(())
    }

    fn close_queues(&self, if_id: u32) -> io::Result<()> {
        let (done, closed) = mpsc::channel();
        for thread in &self.threads {
            thread.command(Command::RemoveTun { if_id, done: done.clone() })?;
        }
        self.await_threads(&closed).map(drop)
    }

    /// One answer from each thread.
    fn await_threads<T>(&self, answers: &Receiver<T>) -> io::Result<Vec<T>> {
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, format!("a thread did not answer in {PATIENCE:?}"));
        self.threads.iter().map(|_| answers.recv_timeout(PATIENCE).map_err(late)).collect()
    }

    fn lock_tuns(&self) -> MutexGuard<'_, BTreeMap<u32, Tun>> {
        self.tuns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Dataplane {
    fn drop(&mut self) {
        for thread in &self.threads {
            // A thread that is gone needs no command to end.
            let _ = thread.command(Command::Stop);
        }
        for thread in self.threads.iter_mut().filter_map(|thread| thread.thread.take()) {
            let _ = thread.join();
        }
    }
}

impl ThreadHandle {
    fn command(&self, command: Command) -> io::Result<()> {
        self.commands
            .send(command)
            .map_err(|_| io::Error::other("a thread of the data path has ended: restart the daemon"))?;
        self.waker.wake();
        Ok(())
    }
}

impl Tun {
    fn info(&self) -> TunInfo {
        TunInfo {
            spec: self.spec.clone(),
            lost: self.tunnel.is_lost(),
            counters: TunCounters::sum(self.tunnel.shards()),
        }
    }
}

fn check_mtu(mtu: u32) -> io::Result<()> {
    if MTU_RANGE.contains(&mtu) {
        return Ok(());
    }
    Err(invalid(&format!("mtu {mtu}: {} to {} is allowed", MTU_RANGE.start(), MTU_RANGE.end())))
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
