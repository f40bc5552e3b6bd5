//! The socket that charon connects to in place of NETLINK_XFRM and of UDP port 4500.
//!
//! One thread serves all connections, the clock and the data path's events: charon sends one request at a time, so that
//! there is nothing to gain from more. What a connection is for is said by its first message (see the crate
//! `twinbore-esp-wire`). Whoever connects gets SAs to write and IKE to read, so only root and our own user may.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use twinbore_esp_wire::{Family, Hello, HelloError, VERSION, Verdict};
use zeroize::{Zeroize as _, Zeroizing};

use super::controller::{Controller, DataPath};
use super::engine::{Effects, Engine};
use super::generation::Generation;
use super::message::Notification;
use super::netlink::messages;
use super::{Now, seqpacket};
use crate::events::Event;
use crate::ike::IkeRouter;
use crate::io::sys::{Waker, check};
use crate::{dataplane, log};

/// charon has four connections; what is beyond this is a mistake or malice.
const MAX_CLIENTS: usize = 64;
/// Room for the events of thousands of SAs that expire in the same second.
const SEND_BUFFER: libc::c_int = 4 << 20;
/// charon's requests have at most 4096 octets.
const RECEIVE_BUFFER: usize = 64 << 10;
const TICK: Duration = Duration::from_secs(1);
/// Pause after a failed accept: the cause, no descriptors left, does not go away at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a connection is for.
enum Role {
    /// It has not said yet.
    New,
    Xfrm {
        generation: Generation,
        groups: u32,
    },
    Ike(Family),
}

struct Client {
    socket: Arc<OwnedFd>,
    pid: i32,
    role: Role,
}

pub struct Server<D> {
    controller: Arc<Controller<D>>,
    ike: Arc<IkeRouter>,
    natt_port: u16,
    listener: OwnedFd,
    clients: Vec<Client>,
    events: Receiver<Event>,
    waker: Arc<Waker>,
}

impl<D: DataPath> Server<D> {
    /// `listener` is what [`seqpacket::listen`] gave, `events` are the data path's.
    pub fn new(
        listener: OwnedFd,
        natt_port: u16,
        controller: Arc<Controller<D>>,
        ike: Arc<IkeRouter>,
        events: Receiver<Event>,
    ) -> io::Result<Server<D>> {
        let waker = Arc::new(Waker::new()?);
        let events = forward(events, Arc::clone(&waker))?;
        Ok(Server { controller, ike, natt_port, listener, clients: Vec::new(), events, waker })
    }

    /// Serves until `stop` becomes readable.
    pub fn run(&mut self, stop: &OwnedFd) -> io::Result<()> {
        let mut buffer = Zeroizing::new(vec![0; RECEIVE_BUFFER]);
        let mut next_tick = Instant::now() + TICK;
        loop {
            let ready = self.wait(stop, next_tick.saturating_duration_since(Instant::now()))?;
            if ready.stop {
                return Ok(());
            }
            for index in ready.clients.into_iter().rev() {
                if let Err(reason) = self.serve(index, &mut buffer) {
                    self.drop_client(index, &reason);
                }
            }
            if ready.events {
                self.waker.clear();
                while let Ok(event) = self.events.try_recv() {
                    self.apply(|engine, _, effects| engine.data_event(event, effects));
                }
            }
            if ready.listener {
                self.accept();
            }
            if Instant::now() >= next_tick {
                next_tick = Instant::now() + TICK;
                self.apply(|engine, now, effects| engine.tick(now, effects));
            }
        }
    }

    /// Changes the engine and tells the listeners.
    fn apply<T>(&self, work: impl FnOnce(&mut Engine, Now, &mut Effects) -> T) -> T {
        let (result, notifications) = self.controller.change(work);
        self.notify(&notifications);
        result
    }

    fn notify(&self, notifications: &[Notification]) {
        for notification in notifications {
            for client in &self.clients {
                let Role::Xfrm { groups, .. } = client.role else { continue };
                if groups & notification.group == 0 {
                    continue;
                }
                if let Err(error) = seqpacket::send(&client.socket, &[IoSlice::new(&notification.octets)], None) {
                    log::notice(format_args!("an event for charon (pid {}) is lost: {error}", client.pid));
                }
            }
        }
    }

    /// A failure concerns the one connection: SAs and everybody else go on.
    fn accept(&mut self) {
        let accepted = seqpacket::accept(&self.listener).and_then(|socket| socket.map(admit).transpose());
        match accepted {
            Ok(Some(client)) if self.clients.len() < MAX_CLIENTS => self.clients.push(client),
            Ok(Some(client)) => {
                log::notice(format_args!(
                    "connection of pid {} refused: there are {MAX_CLIENTS} already",
                    client.pid
                ));
            }
            Ok(None) => {}
            Err(error) => {
                log::notice(format_args!("connection refused: {error}"));
                thread::sleep(ACCEPT_PAUSE);
            }
        }
    }

    /// Reads what a client sent. The error says why it is to be dropped; an empty one is an ordinary end.
    fn serve(&mut self, index: usize, buffer: &mut Zeroizing<Vec<u8>>) -> Result<(), String> {
        let Client { socket, role, .. } = &self.clients[index];
        let len = match seqpacket::receive(socket, buffer) {
            Ok(None) => return Ok(()),
            Ok(Some(0)) => return Err(String::new()),
            Ok(Some(len)) => len,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Err(String::new()),
            Err(error) => return Err(error.to_string()),
        };
        let Some(datagram) = buffer.get(..len) else { return Err(format!("message of {len} octets")) };
        let result = match *role {
            Role::New => self.greet(index, datagram),
            Role::Xfrm { generation, .. } => self.request(index, generation, datagram),
            Role::Ike(_) => Err("message on a connection that has none".into()),
        };
        buffer[..len].zeroize();
        result
    }

    fn greet(&mut self, index: usize, datagram: &[u8]) -> Result<(), String> {
        let hello = Hello::decode(datagram).map_err(|error| match error {
            HelloError::Malformed => "first message is not a greeting".into(),
            HelloError::Version(version) => format!(
                "shim speaks version {version}, this daemon {VERSION}: both must be of the same build of twinbore-esp"
            ),
        })?;
        let client = &self.clients[index];
        match hello {
            Hello::Xfrm { groups } => {
                let pid = client.pid;
                let generation = self.apply(|engine, _, effects| {
                    let (generation, begun) = engine.generations.joined(pid);
                    if begun {
                        effects.notes.push(format!("charon connected (pid {pid})"));
                    }
                    generation
                });
                self.clients[index].role = Role::Xfrm { generation, groups };
                Ok(())
            }
            Hello::Udp { family, port } => {
                let plane_family = match family {
                    Family::V4 => dataplane::Family::V4,
                    Family::V6 => dataplane::Family::V6,
                };
                let send_fd = self.controller.data.ike_send_fd(plane_family);
                let verdict = match send_fd {
                    _ if port != self.natt_port => Verdict::NotMine,
                    None => Verdict::NoFamily,
                    Some(_) => Verdict::Accepted,
                };
                let send_fd = send_fd.filter(|_| verdict == Verdict::Accepted);
                seqpacket::send(&client.socket, &[IoSlice::new(&verdict.encode())], send_fd)
                    .map_err(|error| error.to_string())?;
                // Only now, so that no datagram comes before the verdict. IKE repeats what is lost meanwhile.
                if verdict == Verdict::Accepted {
                    self.ike.connect(family, Arc::clone(&client.socket));
                    self.clients[index].role = Role::Ike(family);
                }
                Ok(())
            }
        }
    }

    /// Answers every netlink message of a datagram.
    fn request(&self, index: usize, generation: Generation, datagram: &[u8]) -> Result<(), String> {
        for message in messages(datagram) {
            let answer = match message {
                Ok(message) => self.apply(|engine, now, effects| engine.handle(&message, generation, now, effects)),
                Err(Some(header)) => self.apply(|engine, _, effects| engine.refuse_malformed(&header, effects)),
                Err(None) => return Err("message without a netlink header".into()),
            };
            seqpacket::send(&self.clients[index].socket, &[IoSlice::new(&answer)], None)
                .map_err(|error| format!("an answer could not be sent: {error}"))?;
        }
        Ok(())
    }

    fn drop_client(&mut self, index: usize, reason: &str) {
        let client = self.clients.swap_remove(index);
        if !reason.is_empty() {
            log::notice(format_args!("connection of pid {} closed: {reason}", client.pid));
        }
        match client.role {
            Role::New => {}
            Role::Ike(family) => self.ike.disconnect(family, &client.socket),
            Role::Xfrm { .. } => self.apply(|engine, _, effects| {
                if let Some(generation) = engine.generations.left(client.pid) {
                    engine.generation_ended(generation, effects);
                }
            }),
        }
    }

    fn wait(&self, stop: &OwnedFd, timeout: Duration) -> io::Result<Ready> {
        let fixed = [stop.as_raw_fd(), self.waker.fd().as_raw_fd(), self.listener.as_raw_fd()];
        let clients = self.clients.iter().map(|client| client.socket.as_raw_fd());
        let mut polled: Vec<libc::pollfd> = fixed
            .into_iter()
            .chain(clients)
            .map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 })
            .collect();
        // Rounded up, so as not to wake just before the time.
        let milliseconds = timeout.as_millis() as libc::c_int + 1;
        // SAFETY: the pointer and length describe a local.
        match check(unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, milliseconds) }) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let mut ready = polled.iter().map(|entry| entry.revents != 0);
        let mut next = || ready.next().unwrap_or(false);
        let (stop, events, listener) = (next(), next(), next());
        let clients = ready.enumerate().filter_map(|(index, ready)| ready.then_some(index)).collect();
        Ok(Ready { stop, events, listener, clients })
    }
}

/// Looks at who connects.
fn admit(socket: OwnedFd) -> io::Result<Client> {
    let peer = seqpacket::peer(socket.as_fd())?;
    if !seqpacket::is_trusted(&peer) {
        return Err(io::Error::other(format!("uid {}: only root and our own user may", peer.uid)));
    }
    seqpacket::set_send_buffer(&socket, SEND_BUFFER)?;
    Ok(Client { socket: Arc::new(socket), pid: peer.pid, role: Role::New })
}

/// What there is to do.
struct Ready {
    stop: bool,
    events: bool,
    listener: bool,
    /// Indices, ascending.
    clients: Vec<usize>,
}

/// Makes events wake the server, which waits for descriptors. The thread ends with the data path.
fn forward(events: Receiver<Event>, waker: Arc<Waker>) -> io::Result<Receiver<Event>> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().name("events".into()).spawn(move || {
        for event in events {
            if sender.send(event).is_err() {
                break;
            }
            waker.wake();
        }
    })?;
    Ok(receiver)
}
