//! Counts the datagrams of a run.
//!
//! The socket is emptied once in a [`PAUSE`]: to be woken by each datagram would cost the machine more than the datagram.
//! Its buffer holds what may come meanwhile many times over.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsFd as _;
use std::thread;
use std::time::Duration;

use crate::cli::ReceiveOptions;
use crate::mmsg::{Packets, SLOTS};
use crate::socket::set_option;
use crate::tally::Tally;

const PAUSE: Duration = Duration::from_millis(1);
const BUFFER: libc::c_int = 64 << 20;
/// More than any datagram over an Ethernet.
const LARGEST: usize = 2048;

pub fn run(options: &ReceiveOptions) -> io::Result<Tally> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, options.port))?;
    // Beyond net.core.rmem_max, which takes CAP_NET_ADMIN.
    set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, BUFFER)?;
    let mut packets = Packets::new(&[0; LARGEST]);
    let mut tally = Tally::new(options.run);
    println!("ready");
    io::stdout().flush()?;
    loop {
        // Looked at before the socket: what was there when the input ended is still counted.
        let ended = input_ended()?;
        while drain(&socket, &mut packets, &mut tally)? == SLOTS {}
        if ended {
            return Ok(tally);
        }
        thread::sleep(PAUSE);
    }
}

fn drain(socket: &UdpSocket, packets: &mut Packets, tally: &mut Tally) -> io::Result<usize> {
    let lengths = match packets.receive(socket.as_fd()) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
        other => other?,
    };
    for (index, len) in lengths.iter().enumerate() {
        tally.take(&packets.slot(index)[..*len]);
    }
    Ok(lengths.len())
}

fn input_ended() -> io::Result<bool> {
    let mut poll = libc::pollfd { fd: libc::STDIN_FILENO, events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry, which outlives the call.
    let ready = unsafe { libc::poll(&mut poll, 1, 0) };
    if ready < 0 { Err(io::Error::last_os_error()) } else { Ok(ready > 0) }
}
