//! Inner packets: parsing, checksums, cutting up and joining of super-packets, ICMP errors. Pure.

pub mod checksum;
pub mod coalesce;
pub mod icmp;
pub mod ip;
pub mod segment;
pub mod vnet;

/// Most segments in one super-packet or UDP_SEGMENT send: UDP_MAX_SEGMENTS of linux/udp.h before 6.6.
pub const MAX_SEGMENTS: usize = 64;
