//! The receiving thread of a worker: from the sockets to the TUNs.
//!
//! When a socket has been emptied and nothing in it was of any use, as in a flood of unknown SPIs, the thread rests before
//! it looks again, longer each time, up to [`LONGEST_REST`]. Woken for every single packet it would take the processor from
//! the threads that carry traffic, tens of thousands of times a second; the socket's buffer holds what comes meanwhile, and
//! taking many at once costs little more than taking one. While there is more to take there is no rest, so that a greater
//! flood does not fill the buffer. Whoever floods gains a millisecond's delay for the packets of tunnels that are next to
//! idle: what a busy tunnel sends is among what is read and ends the rest.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::ports::{Ports, TunPort};
use super::{Parts, Role};
use crate::counters::{DropReason, Total};
use crate::inbound::Inbound;
use crate::io::receive::{Receiver, Source};
use crate::io::socket::Sockets;
use crate::io::sys::Poller;

/// Datagrams and octets read from one socket before other sources have their turn.
const SOCKET_BATCH: usize = 128;
const SOCKET_OCTETS: usize = 512 << 10;
/// See above. The kernel's timer slack adds 50 microseconds (prctl(2), PR_SET_TIMERSLACK).
const SHORTEST_REST: Duration = Duration::from_micros(100);
const LONGEST_REST: Duration = Duration::from_millis(1);

const TOKEN_UDP4: u64 = 1;
const TOKEN_UDP6: u64 = 2;
const TOKEN_RAW4: u64 = 3;
const TOKEN_RAW6: u64 = 4;

pub struct Receiving {
    parts: Parts,
    ports: Ports,
    inbound: Inbound,
    receiver: Receiver,
    /// How long to rest when the next batch is useless.
    rest: Duration,
}

impl Receiving {
    pub fn new(parts: Parts) -> Receiving {
        let ports = Ports::new(parts.thread, Arc::clone(&parts.shard));
        let (inbound, receiver) = (Inbound::new(parts.joining), Receiver::new());
        Receiving { ports, inbound, receiver, rest: SHORTEST_REST, parts }
    }

    /// One batch from a socket to the TUNs.
    fn receive(&mut self, token: u64, source: Source) {
        let tables = self.parts.tables.load();
        let batch = self.parts.batch(&tables);
        let Some((_, socket)) = sources(&self.parts.sockets).find(|(of, _)| *of == token) else { return };
        let (mut datagrams, mut octets, mut useful, mut emptied) = (0, 0, false, false);
        while datagrams < SOCKET_BATCH && octets < SOCKET_OCTETS {
            // An error of a datagram socket is about one earlier datagram (ICMP), and is taken off by the read.
            let Ok(received) = self.receiver.receive(socket) else { break };
            for index in 0..received.count {
                let Some((at, datagram)) = self.receiver.datagram(index, source) else {
                    batch.shard.dropped(DropReason::Malformed, 1);
                    continue;
                };
                batch.shard.add(Total::ReceiveBursts, 1);
                let octets = &mut self.receiver.arena_mut()[at];
                let ike = self.parts.ike.as_ref();
                useful |= self.inbound.datagram(&batch, octets, &datagram, ike, &mut self.ports);
            }
            datagrams += received.count;
            octets += received.octets;
            if !received.more {
                emptied = true;
                break;
            }
        }
        self.inbound.flush(&mut self.ports);
        if useful {
            self.rest = SHORTEST_REST;
        } else if emptied && datagrams > 0 {
            thread::sleep(self.rest);
            self.rest = (self.rest * 2).min(LONGEST_REST);
        }
    }
}

impl Role for Receiving {
    fn watch(&self, poller: &Poller) -> io::Result<()> {
        sources(&self.parts.sockets).try_for_each(|(token, socket)| poller.add(socket, token))
    }

    fn ready(&mut self, _: &Poller, token: u64) {
        let source = match token {
            TOKEN_RAW4 => Source::Raw4,
            TOKEN_RAW6 => Source::Raw6,
            _ => Source::Udp,
        };
        self.receive(token, source);
    }

    fn add(&mut self, _: &Poller, port: TunPort) -> io::Result<()> {
        self.ports.insert(port);
        Ok(())
    }

    fn remove(&mut self, _: &Poller, if_id: u32) {
        self.ports.remove(if_id);
    }
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
