//! Datagrams with numbers, at a steady rate.
//!
//! Datagrams are handed to the kernel in batches (UDP_SEGMENT of udp(7)), which costs the sender a third of what a system
//! call's share, a route and a socket for each would. Whether they leave the host as one or as single packets is for its
//! device to say: with `tx-udp-segmentation off` the kernel takes them apart before it, and the gateway gets what any
//! sender would have sent.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};

use crate::cli::SendOptions;
use crate::pace::{Sent, pace};
use crate::socket::set_option;
use crate::tally;

/// Segments of one batch: UDP_MAX_SEGMENTS of older kernels, and what a packet may be long.
const MAX_SEGMENTS: usize = 64;
const MAX_BATCH: usize = 65_000;

pub fn run(options: &SendOptions) -> io::Result<Sent> {
    let size = options.load.size;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(options.load.to)?;
    set_option(&socket, libc::SOL_UDP, libc::UDP_SEGMENT, size as libc::c_int)?;
    let most = MAX_SEGMENTS.min(MAX_BATCH / size);
    let mut octets = vec![0; most * size];
    let mut number = 0;
    pace(&options.load, |due| {
        let mut left = due;
        while left > 0 {
            let batch = left.min(most);
            for (index, datagram) in octets.chunks_exact_mut(size).take(batch).enumerate() {
                tally::mark(datagram, options.run, number + index as u64);
            }
            match socket.send(&octets[..batch * size]) {
                // A refusal is about an earlier datagram (ICMP), and is taken off by the call that reports it.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
                other => other?,
            };
            number += batch as u64;
            left -= batch;
        }
        Ok(due)
    })
}
