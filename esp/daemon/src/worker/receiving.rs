//! The receiving thread of a worker: from the sockets to the TUNs.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;

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

const TOKEN_UDP4: u64 = 1;
const TOKEN_UDP6: u64 = 2;
const TOKEN_RAW4: u64 = 3;
const TOKEN_RAW6: u64 = 4;

pub struct Receiving {
    parts: Parts,
    ports: Ports,
    inbound: Inbound,
    receiver: Receiver,
}

impl Receiving {
    pub fn new(parts: Parts) -> Receiving {
        let ports = Ports::new(parts.thread, Arc::clone(&parts.shard));
        Receiving { ports, inbound: Inbound::new(parts.joining), receiver: Receiver::new(), parts }
    }

    /// One batch from a socket to the TUNs.
    fn receive(&mut self, token: u64, source: Source) {
        let tables = self.parts.tables.load();
        let batch = self.parts.batch(&tables);
        let Some((_, socket)) = sources(&self.parts.sockets).find(|(of, _)| *of == token) else { return };
        let (mut datagrams, mut octets) = (0, 0);
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
                self.inbound.datagram(&batch, octets, &datagram, self.parts.ike.as_ref(), &mut self.ports);
            }
            if !received.more {
                break;
            }
            datagrams += received.count;
            octets += received.octets;
        }
        self.inbound.flush(&mut self.ports);
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
