//! The sockets of the underlay: a reuseport group on the encapsulation port and raw sockets for protocol 50.
//!
//! Each worker has one socket of each kind. On the port, a classic BPF program on the group picks worker `SPI mod n`, so
//! that all packets of an SA meet one worker (and one CPU's caches); IKE, whose first word is zero, goes to worker 0. Raw
//! sockets all see every packet, and each has a filter that takes its share by the same rule.
//!
//! The outer DF bit is clear and the kernel fragments what does not fit (IP_PMTUDISC_DONT), as AWS's tunnels do; the
//! inner MTU keeps that from happening in good order.
//!
//! References: socket(7) SO_ATTACH_REUSEPORT_CBPF, udp(7) UDP_GRO and UDP_SEGMENT, RFC 3948.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::sys::{check, get_option, own, set_option, to_raw};

/// Address family of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    V4,
    V6,
}

/// Octets of a socket's buffers: some milliseconds at 10 Gbit/s. More would only add delay under load.
const BUFFER: libc::c_int = 4 << 20;

impl Family {
    fn raw(self) -> libc::c_int {
        match self {
            Family::V4 => libc::AF_INET,
            Family::V6 => libc::AF_INET6,
        }
    }
}

/// The sockets of one worker. IPv6 is missing where the kernel has none.
#[derive(Debug)]
pub struct Sockets {
    pub udp4: OwnedFd,
    pub udp6: Option<OwnedFd>,
    pub raw4: OwnedFd,
    pub raw6: Option<OwnedFd>,
}

/// What the kernel's UDP can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpOffloads {
    /// UDP_SEGMENT (Linux 4.18).
    pub gso: bool,
    /// UDP_GRO (Linux 5.0).
    pub gro: bool,
}

/// Opens the sockets of all workers in the current network namespace, with what was found out about them.
pub fn open_all(workers: usize, port: u16) -> io::Result<(Vec<Sockets>, UdpOffloads)> {
    let udp4 = open_group(Family::V4, workers, port)?;
    let udp6 = optional(open_group(Family::V6, workers, port))?;
    let raw4 = open_raw_group(Family::V4, workers)?;
    let raw6 = optional(open_raw_group(Family::V6, workers))?;
    let gro = udp4.iter().chain(udp6.iter().flatten()).all(|fd| enable_gro(fd).is_ok());
    let gso = get_option(udp4[0].as_raw_fd(), libc::SOL_UDP, libc::UDP_SEGMENT).is_ok();
    let mut udp6 = udp6.unwrap_or_default().into_iter();
    let mut raw6 = raw6.unwrap_or_default().into_iter();
    let sockets = udp4
        .into_iter()
        .zip(raw4)
        .map(|(udp4, raw4)| Sockets { udp4, udp6: udp6.next(), raw4, raw6: raw6.next() })
        .collect();
    Ok((sockets, UdpOffloads { gso, gro }))
}

fn optional<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn open_group(family: Family, workers: usize, port: u16) -> io::Result<Vec<OwnedFd>> {
    // A socket that shares the port joins the group of another process of the same user without a word, and takes its
    // packets. One that does not share is refused if there is any.
    drop(open_udp(family, port, false)?);
    let group: Vec<OwnedFd> = (0..workers).map(|_| open_udp(family, port, true)).collect::<io::Result<_>>()?;
    let pick = [
        filter(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        filter(libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K, 0, 0, workers as u32),
        filter(libc::BPF_RET | libc::BPF_A, 0, 0, 0),
    ];
    attach(group[0].as_raw_fd(), libc::SO_ATTACH_REUSEPORT_CBPF, &pick)?;
    Ok(group)
}

fn open_udp(family: Family, port: u16, shared: bool) -> io::Result<OwnedFd> {
    let socket = open_socket(family, libc::SOCK_DGRAM, 0)?;
    let fd = socket.as_raw_fd();
    set_option(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, &i32::from(shared))?;
    if family == Family::V6 {
        set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, &1i32)?;
    }
    let any = match family {
        Family::V4 => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        Family::V6 => SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
    };
    let (address, len) = to_raw(any);
    // SAFETY: the pointer and length describe a local.
    check(unsafe { libc::bind(fd, (&raw const address).cast(), len) }).map_err(|error| match error.raw_os_error() {
        Some(libc::EADDRINUSE) => io::Error::new(
            error.kind(),
            format!("UDP port {port} is in use by another process (`ss -ulnp sport = :{port}` shows it): stop it first"),
        ),
        _ => error,
    })?;
    Ok(socket)
}

fn open_raw_group(family: Family, workers: usize) -> io::Result<Vec<OwnedFd>> {
    (0..workers)
        .map(|worker| {
            let socket = open_socket(family, libc::SOCK_RAW, libc::IPPROTO_ESP)?;
            let load = match family {
                // The packet begins with its IPv4 header, whose length comes first.
                Family::V4 => [
                    filter(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, 0, 0, 0),
                    filter(libc::BPF_LD | libc::BPF_W | libc::BPF_IND, 0, 0, 0),
                ],
                Family::V6 => [
                    filter(libc::BPF_LDX | libc::BPF_IMM, 0, 0, 0),
                    filter(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
                ],
            };
            let take = [
                filter(libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K, 0, 0, workers as u32),
                filter(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, worker as u32),
                filter(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
                filter(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
            ];
            attach(socket.as_raw_fd(), libc::SO_ATTACH_FILTER, &[&load[..], &take[..]].concat())?;
            Ok(socket)
        })
        .collect()
}

fn open_socket(family: Family, kind: libc::c_int, protocol: libc::c_int) -> io::Result<OwnedFd> {
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: a system call without pointers.
    let socket = own(unsafe { libc::socket(family.raw(), kind | flags, protocol) }).map_err(|error| {
        match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => {
                io::Error::new(error.kind(), "opening raw sockets needs CAP_NET_RAW: run as root or grant it")
            }
            _ => error,
        }
    })?;
    let fd = socket.as_raw_fd();
    set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &BUFFER)?;
    set_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &BUFFER)?;
    match family {
        Family::V4 => {
            set_option(fd, libc::IPPROTO_IP, libc::IP_PKTINFO, &1i32)?;
            set_option(fd, libc::IPPROTO_IP, libc::IP_RECVTOS, &1i32)?;
            set_option(fd, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, &libc::IP_PMTUDISC_DONT)?;
        }
        Family::V6 => {
            set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, &1i32)?;
            set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS, &1i32)?;
            set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, &libc::IPV6_PMTUDISC_DONT)?;
        }
    }
    Ok(socket)
}

fn enable_gro(fd: &OwnedFd) -> io::Result<()> {
    set_option(fd.as_raw_fd(), libc::SOL_UDP, libc::UDP_GRO, &1i32)
}

fn filter(code: u32, jump_true: u8, jump_false: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: jump_true, jf: jump_false, k }
}

fn attach(fd: RawFd, option: libc::c_int, program: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    set_option(fd, libc::SOL_SOCKET, option, &program)
}
