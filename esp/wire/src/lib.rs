//! What the shim in charon and the daemon say to each other, besides XFRM netlink messages.
//!
//! One UNIX socket of type SEQPACKET stands for each of charon's sockets: it keeps message boundaries, and its end of
//! file tells either side at once that the other is gone. The client's first message is a [`Hello`], which says what the
//! connection is for:
//!
//! * `Xfrm`: from then on every message is a netlink message, or several, as on a socket of NETLINK_XFRM. Sent when
//!   charon binds its socket, since the group mask is an argument of `bind`. There is no answer.
//! * `Udp`: charon binds a UDP socket. The daemon answers with a [`Verdict`]; with `Accepted` comes, as SCM_RIGHTS, the
//!   socket to send from, and from then on every message from the daemon is an [`IkeHeader`] and a datagram.
//!
//! Both sides run on one machine and are built together; [`VERSION`] is there to notice when they were not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// Environment variable with the path of the daemon's socket. Without it the shim does nothing.
pub const SOCKET_VARIABLE: &str = "TWINBORE_ESP_SOCKET";
/// Environment variable that makes the shim tell on stderr what it intercepts.
pub const DEBUG_VARIABLE: &str = "TWINBORE_ESP_DEBUG";
/// Version of this framing.
pub const VERSION: u16 = 1;
/// Exit status of charon when its daemon is gone.
pub const DAEMON_GONE_STATUS: i32 = 111;

const MAGIC: [u8; 4] = *b"TBES";

/// Address family of a UDP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    fn octet(self) -> u8 {
        match self {
            Family::V4 => 4,
            Family::V6 => 6,
        }
    }

    fn from_octet(octet: u8) -> Option<Family> {
        match octet {
            4 => Some(Family::V4),
            6 => Some(Family::V6),
            _ => None,
        }
    }
}

/// The first message of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hello {
    /// `groups` is the mask of `nl_groups`: bit n-1 stands for XFRMNLGRP n.
    Xfrm { groups: u32 },
    /// `port` in host order.
    Udp { family: Family, port: u16 },
}

/// Why a message is not a [`Hello`] of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelloError {
    Malformed,
    Version(u16),
}

impl Hello {
    pub const SIZE: usize = 12;

    /// magic(4) version(2) kind(1) family(1) argument(4), integers big-endian.
    pub fn encode(&self) -> [u8; Hello::SIZE] {
        let (kind, family, argument) = match *self {
            Hello::Xfrm { groups } => (1, 0, groups),
            Hello::Udp { family, port } => (2, family.octet(), u32::from(port)),
        };
        let mut octets = [0; Hello::SIZE];
        octets[..4].copy_from_slice(&MAGIC);
        octets[4..6].copy_from_slice(&VERSION.to_be_bytes());
        octets[6] = kind;
        octets[7] = family;
        octets[8..].copy_from_slice(&argument.to_be_bytes());
        octets
    }

    pub fn decode(octets: &[u8]) -> Result<Hello, HelloError> {
        let &[m0, m1, m2, m3, v0, v1, kind, family, a0, a1, a2, a3] = octets else {
            return Err(HelloError::Malformed);
        };
        if [m0, m1, m2, m3] != MAGIC {
            return Err(HelloError::Malformed);
        }
        let version = u16::from_be_bytes([v0, v1]);
        if version != VERSION {
            return Err(HelloError::Version(version));
        }
        let argument = u32::from_be_bytes([a0, a1, a2, a3]);
        match (kind, Family::from_octet(family), u16::try_from(argument)) {
            (1, _, _) => Ok(Hello::Xfrm { groups: argument }),
            (2, Some(family), Ok(port)) => Ok(Hello::Udp { family, port }),
            _ => Err(HelloError::Malformed),
        }
    }
}

/// The daemon's answer to [`Hello::Udp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The daemon owns this port: a descriptor to send with comes along.
    Accepted,
    /// Not the daemon's port: bind a socket of your own.
    NotMine,
    /// The daemon's port, in a family that this machine does not have.
    NoFamily,
}

impl Verdict {
    pub const SIZE: usize = 1;

    pub fn encode(self) -> [u8; Verdict::SIZE] {
        [match self {
            Verdict::Accepted => 1,
            Verdict::NotMine => 2,
            Verdict::NoFamily => 3,
        }]
    }

    pub fn decode(octets: &[u8]) -> Option<Verdict> {
        match octets {
            [1] => Some(Verdict::Accepted),
            [2] => Some(Verdict::NotMine),
            [3] => Some(Verdict::NoFamily),
            _ => None,
        }
    }
}

/// What precedes each datagram for IKE: where it came from, and on which address and interface it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IkeHeader {
    pub from: SocketAddr,
    pub local: IpAddr,
    pub ifindex: u32,
}

impl IkeHeader {
    pub const SIZE: usize = 44;

    /// family(1) pad(1) port(2) ifindex(4) scope(4) from(16) local(16), integers big-endian, addresses left-aligned.
    pub fn encode(&self) -> [u8; IkeHeader::SIZE] {
        let mut octets = [0; IkeHeader::SIZE];
        let (family, scope) = match self.from {
            SocketAddr::V4(_) => (Family::V4, 0),
            SocketAddr::V6(from) => (Family::V6, from.scope_id()),
        };
        octets[0] = family.octet();
        octets[2..4].copy_from_slice(&self.from.port().to_be_bytes());
        octets[4..8].copy_from_slice(&self.ifindex.to_be_bytes());
        octets[8..12].copy_from_slice(&scope.to_be_bytes());
        put_address(&mut octets[12..28], self.from.ip());
        put_address(&mut octets[28..44], self.local);
        octets
    }

    /// `None` for another length or family.
    pub fn decode(octets: &[u8]) -> Option<IkeHeader> {
        let octets: &[u8; IkeHeader::SIZE] = octets.try_into().ok()?;
        let family = Family::from_octet(octets[0])?;
        let port = u16::from_be_bytes(octets[2..4].try_into().ok()?);
        let ifindex = u32::from_be_bytes(octets[4..8].try_into().ok()?);
        let scope = u32::from_be_bytes(octets[8..12].try_into().ok()?);
        let from = match get_address(family, &octets[12..28])? {
            IpAddr::V4(address) => SocketAddr::from((address, port)),
            IpAddr::V6(address) => SocketAddrV6::new(address, port, 0, scope).into(),
        };
        Some(IkeHeader { from, local: get_address(family, &octets[28..44])?, ifindex })
    }
}

fn put_address(octets: &mut [u8], address: IpAddr) {
    match address {
        IpAddr::V4(v4) => octets[..4].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => octets.copy_from_slice(&v6.octets()),
    }
}

fn get_address(family: Family, octets: &[u8]) -> Option<IpAddr> {
    match family {
        Family::V4 => octets.first_chunk::<4>().map(|v4| Ipv4Addr::from(*v4).into()),
        Family::V6 => octets.first_chunk::<16>().map(|v6| Ipv6Addr::from(*v6).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hellos_survive_the_round_trip() {
        for hello in [
            Hello::Xfrm { groups: 0xc3 },
            Hello::Udp { family: Family::V4, port: 4500 },
            Hello::Udp { family: Family::V6, port: 65535 },
        ] {
            assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
        }
    }

    #[test]
    fn foreign_hellos_are_refused() {
        let good = Hello::Udp { family: Family::V4, port: 4500 }.encode();
        let with = |index: usize, value: u8| {
            let mut bad = good;
            bad[index] = value;
            Hello::decode(&bad)
        };
        assert_eq!(Hello::decode(&good[..11]), Err(HelloError::Malformed));
        assert_eq!(Hello::decode(&[&good[..], &[0]].concat()), Err(HelloError::Malformed));
        assert_eq!(with(0, b'X'), Err(HelloError::Malformed));
        assert_eq!(with(5, 9), Err(HelloError::Version(9)));
        assert_eq!(with(6, 3), Err(HelloError::Malformed));
        assert_eq!(with(7, 5), Err(HelloError::Malformed));
        assert_eq!(with(8, 1), Err(HelloError::Malformed));
    }

    #[test]
    fn verdicts_survive_the_round_trip() {
        for verdict in [Verdict::Accepted, Verdict::NotMine, Verdict::NoFamily] {
            assert_eq!(Verdict::decode(&verdict.encode()), Some(verdict));
        }
        assert_eq!(Verdict::decode(&[0]), None);
        assert_eq!(Verdict::decode(&[]), None);
    }

    #[test]
    fn ike_headers_survive_the_round_trip() {
        let v4 =
            IkeHeader { from: "192.0.2.1:4500".parse().unwrap(), local: "198.51.100.7".parse().unwrap(), ifindex: 3 };
        let v6 = IkeHeader {
            from: "[fe80::1%5]:61234".parse().unwrap(),
            local: "2001:db8::7".parse().unwrap(),
            ifindex: u32::MAX,
        };
        for header in [v4, v6] {
            assert_eq!(IkeHeader::decode(&header.encode()), Some(header));
        }
        assert_eq!(IkeHeader::decode(&v4.encode()[..43]), None);
        assert_eq!(IkeHeader::decode(&[0; IkeHeader::SIZE]), None);
    }
}
