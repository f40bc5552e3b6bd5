//! ESP in UDP that nobody has asked for: random SPIs from random sources, as from an attacker who forges addresses.
//!
//! Sources are of 198.18.0.0/15, the network for benchmarks (RFC 2544), which no bed uses. The UDP checksum is 0, as
//! RFC 3948 2.1 wants it. SPIs are above 255 (RFC 4303 2.1) and random: that one of 2^32 hits an SA is not to be expected.

use std::io;
use std::mem;
use std::os::fd::{AsFd as _, FromRawFd as _, OwnedFd};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cli::FloodOptions;
use crate::mmsg::{Packets, SLOTS};
use crate::pace::{Sent, pace};

const IP: usize = 20;
const UDP: usize = 8;
const SOURCES: u32 = 0xc612_0000;
const SOURCE_BITS: u32 = 0x0001_ffff;

pub fn run(options: &FloodOptions) -> io::Result<Sent> {
    // SAFETY: no pointers; the descriptor is ours alone.
    let socket = unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_RAW);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(fd)
    };
    let mut packets = Packets::new(&template(options));
    let mut random =
        Random::new(SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64));
    let to = destination(options);
    pace(&options.load, |due| {
        let mut left = due;
        while left > 0 {
            let batch = left.min(SLOTS);
            for index in 0..batch {
                disguise(packets.slot(index), random.next(), random.next());
            }
            left -= packets.send(socket.as_fd(), batch, to)?;
        }
        Ok(due)
    })
}

/// A packet without source and SPI. The kernel fills in length and checksum of the IP header (raw(7)).
fn template(options: &FloodOptions) -> Vec<u8> {
    let mut packet = vec![0; IP + UDP + options.load.size];
    packet[0] = 0x45;
    packet[8] = 64;
    packet[9] = libc::IPPROTO_UDP as u8;
    packet[16..20].copy_from_slice(&options.load.to.ip().octets());
    packet[22..24].copy_from_slice(&options.load.to.port().to_be_bytes());
    packet[24..26].copy_from_slice(&((UDP + options.load.size) as u16).to_be_bytes());
    packet
}

fn disguise(packet: &mut [u8], first: u64, second: u64) {
    let source = SOURCES | (first as u32 & SOURCE_BITS);
    packet[12..16].copy_from_slice(&source.to_be_bytes());
    packet[20..22].copy_from_slice(&((first >> 32) as u16 | 0x400).to_be_bytes());
    packet[28..32].copy_from_slice(&(second as u32 | 0x100).to_be_bytes());
    packet[32..36].copy_from_slice(&((second >> 32) as u32).to_be_bytes());
}

fn destination(options: &FloodOptions) -> libc::sockaddr_in {
    // SAFETY: all-zero octets are a valid address.
    let mut address: libc::sockaddr_in = unsafe { mem::zeroed() };
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_addr.s_addr = u32::from_ne_bytes(options.load.to.ip().octets());
    address
}

/// xorshift64 (G. Marsaglia, "Xorshift RNGs", 2003): quick, and nobody is to be kept from guessing.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Load;
    use std::time::Duration;

    #[test]
    fn packets_are_esp_in_udp_from_the_network_for_benchmarks() {
        let load =
            Load { to: "203.0.113.2:4500".parse().unwrap(), size: 100, rate: 1.0, duration: Duration::from_secs(1) };
        let mut packet = template(&FloodOptions { load });
        let mut random = Random::new(5);
        for _ in 0..100 {
            disguise(&mut packet, random.next(), random.next());
            assert_eq!((packet[12], packet[13] & 0xfe), (198, 18));
            assert!(u32::from_be_bytes(packet[28..32].try_into().unwrap()) > 0xff);
            assert_eq!(packet[16..20], [203, 0, 113, 2]);
            assert_eq!(packet[22..24], 4500u16.to_be_bytes());
            assert_eq!(packet[24..26], 108u16.to_be_bytes());
        }
        assert_eq!(packet.len(), 128);
    }
}
