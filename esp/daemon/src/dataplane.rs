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
use crate::devices::Devices;
use crate::devices::direct::Direct;
pub use crate::events::{Event, IkeDatagram, IkeSink};
pub use crate::io::socket::Family;
use crate::io::socket::{Sockets, open_all};
use crate::io::sys::Waker;
use crate::io::tun::{self, Offloads, Queue};
use crate::log;
use crate::packet::coalesce::Joining;
use crate::tables::Tables;
use crate::tunnel::Tunnel;
use crate::worker::{Command, DIRECTIONS, Parts, Receiving, Role, Transmitting, TunPort, Worker};

/// How long a thread may take to answer: it finishes one batch first.
const PATIENCE: Duration = Duration::from_secs(5);

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
    devices: Arc<dyn Devices>,
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
    /// Held here too so that it is not a worker that closes the last one, which takes the kernel 20 ms.
    queues: Vec<Arc<Queue>>,
}

impl Dataplane {
    /// As [`Dataplane::start_with`], with devices made by this process.
    pub fn start(config: Config, events: Sender<Event>, ike: Arc<dyn IkeSink>) -> io::Result<Dataplane> {
        Dataplane::start_with(config, events, ike, Arc::new(Direct))
    }

    /// Opens the sockets in the current network namespace and starts the workers. `devices` makes the TUN devices.
    ///
    /// Errors: no worker asked for, the port is taken, CAP_NET_ADMIN or CAP_NET_RAW is missing.
    pub fn start_with(
        config: Config,
        events: Sender<Event>,
        ike: Arc<dyn IkeSink>,
        devices: Arc<dyn Devices>,
    ) -> io::Result<Dataplane> {
        if config.workers == 0 {
            return Err(invalid("0 workers: at least 1 is needed"));
        }
        let (sockets, udp) = open_all(config.workers, config.natt_port)?;
        // Without the means to find out (no /dev/net/tun) nothing is claimed.
        let offloads = devices.offloads().unwrap_or_else(|error| {
            log::notice(format_args!("TUN devices could not be tried, so no offloads are used: {error}"));
            Offloads::default()
        });
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
        let (sockets_of, threads) = (Vec::new(), Vec::new());
        let mut dataplane = Dataplane { features, segmentation, tables, devices, sockets: sockets_of, threads, tuns };
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
    /// Errors: a tunnel with this `if_id` exists, or what [`Devices::create`] refuses.
    pub fn add_tun(&self, spec: &TunSpec) -> io::Result<()> {
        tun::check_mtu(spec.mtu)?;
        let mut tuns = self.lock_tuns();
        let Entry::Vacant(place) = tuns.entry(spec.if_id) else {
            let text = format!("tunnel with if_id {} exists already: remove it first", spec.if_id);
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        };
        let Features { tun_csum: csum, tun_tso: tso, tun_uso: uso, .. } = self.features;
        let offloads = Offloads { csum, tso, uso };
        let queues =
            self.devices.create(spec.netns.as_deref(), &spec.name, self.sockets.len(), spec.mtu, offloads)?;
        let queues: Vec<Arc<Queue>> = queues.into_iter().map(Arc::new).collect();
        let tunnel = Arc::new(Tunnel::new(spec.if_id, spec.mtu, self.threads.len()));
        let (done, added) = mpsc::channel();
        for (threads, queue) in self.threads.chunks(DIRECTIONS).zip(&queues) {
            let port = TunPort { tunnel: Arc::clone(&tunnel), queue: Arc::clone(queue) };
            for thread in threads {
                thread.command(Command::AddTun { port: port.clone(), done: done.clone() })?;
            }
        }
        let added: io::Result<()> = self.await_threads(&added).and_then(|results| results.into_iter().collect());
        if let Err(error) = added {
            self.leave_queues(&[spec.if_id])?;
            return Err(error);
        }
        place.insert(Tun { spec: spec.clone(), tunnel, queues });
        Ok(())
    }

    /// Removes a tunnel's TUN device; false when there was none. When it returns the name is free again.
    pub fn remove_tun(&self, if_id: u32) -> io::Result<bool> {
        self.remove_tuns(&[if_id]).map(|removed| !removed.is_empty())
    }

    /// Removes the TUN devices of several tunnels, which takes little more time than that of one, and returns those
    /// that there were. When it returns their names are free again.
    pub fn remove_tuns(&self, if_ids: &[u32]) -> io::Result<Vec<u32>> {
        let mut tuns = self.lock_tuns();
        let removed: Vec<Tun> = if_ids.iter().filter_map(|if_id| tuns.remove(if_id)).collect();
        let if_ids: Vec<u32> = removed.iter().map(|tun| tun.spec.if_id).collect();
        if removed.is_empty() {
            return Ok(if_ids);
        }
        self.leave_queues(&if_ids)?;
        let mut names: BTreeMap<Option<&str>, Vec<String>> = BTreeMap::new();
        for tun in removed.iter().filter(|tun| !tun.tunnel.is_lost()) {
            names.entry(tun.spec.netns.as_deref()).or_default().push(tun.spec.name.clone());
        }
        // Where it fails (the namespace is gone, the helper is) closing the queues is what deletes them: only slower.
        for (netns, names) in names {
            let _ = self.devices.delete(netns, &names);
        }
        for queue in removed.into_iter().filter_map(|tun| tun.queues.into_iter().next()) {
            // An error says that the device is gone.
            let _ = queue.keep(false);
        }
        Ok(if_ids)
    }

    /// Changes the MTU of a tunnel's TUN.
    ///
    /// Errors: no such tunnel, an MTU out of range, or the namespace is gone.
    pub fn set_mtu(&self, if_id: u32, mtu: u32) -> io::Result<()> {
        tun::check_mtu(mtu)?;
        let mut tuns = self.lock_tuns();
        let tun = tuns.get_mut(&if_id).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("there is no tunnel with if_id {if_id}"))
        })?;
        self.devices.set_mtu(tun.spec.netns.as_deref(), &tun.spec.name, mtu)?;
        tun.tunnel.set_mtu(mtu);
        tun.spec.mtu = mtu;
        Ok(())
    }

    /// Every tunnel with its counters, by `if_id`.
    pub fn tuns(&self) -> Vec<TunInfo> {
        self.lock_tuns().values().map(Tun::info).collect()
    }

    /// One tunnel.
    pub fn tun(&self, if_id: u32) -> Option<TunInfo> {
        self.lock_tuns().get(&if_id).map(Tun::info)
    }

    /// The counters of one tunnel.
    pub fn tun_counters(&self, if_id: u32) -> Option<TunCounters> {
        self.tun(if_id).map(|tun| tun.counters)
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

    /// Asks the workers to end and removes the TUN devices all at once: for the end of the process, when others still
    /// have references.
    pub fn shut_down(&self) {
        self.stop_threads();
        self.devices.close();
    }

    fn stop_threads(&self) {
        for thread in &self.threads {
            // A thread that is gone needs no command to end.
            let _ = thread.command(Command::Stop);
        }
    }

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

    /// Makes the workers give up their queues of these tunnels.
    fn leave_queues(&self, if_ids: &[u32]) -> io::Result<()> {
        let (done, left) = mpsc::channel();
        for if_id in if_ids {
            for thread in &self.threads {
                thread.command(Command::RemoveTun { if_id: *if_id, done: done.clone() })?;
            }
        }
        if_ids.iter().try_for_each(|_| self.await_threads(&left).map(drop))
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
        self.stop_threads();
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

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
