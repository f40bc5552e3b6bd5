//! Address prefixes and traffic selectors.
//!
//! A selector is what an XFRM policy or SA says about the packets it applies to: a source and a destination prefix, an
//! upper-layer protocol and a port pair with masks (linux/xfrm.h, `struct xfrm_selector`; RFC 4301 4.4.1.1). The match
//! is on the inner packet and is decided for each packet, so that it costs a few integer operations and no allocation.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address prefix. Host bits are cleared at construction, so that equal prefixes compare equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct IpPrefix {
    address: IpAddr,
    length: u8,
}

impl IpPrefix {
    /// The prefix of `length` bits that contains `address`; `None` when `length` exceeds 32 (IPv4) or 128 (IPv6).
    pub fn new(address: IpAddr, length: u8) -> Option<IpPrefix> {
        let address = match address {
            IpAddr::V4(a) if length <= 32 => IpAddr::V4(Ipv4Addr::from_bits(a.to_bits() & mask32(length))),
            IpAddr::V6(a) if length <= 128 => IpAddr::V6(Ipv6Addr::from_bits(a.to_bits() & mask128(length))),
            _ => return None,
        };
        Some(IpPrefix { address, length })
    }

    pub fn address(&self) -> IpAddr {
        self.address
    }

    pub fn length(&self) -> u8 {
        self.length
    }

    /// Whether `address` is of the same family and inside the prefix.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(p), IpAddr::V4(a)) => (p.to_bits() ^ a.to_bits()) & mask32(self.length) == 0,
            (IpAddr::V6(p), IpAddr::V6(a)) => (p.to_bits() ^ a.to_bits()) & mask128(self.length) == 0,
            _ => false,
        }
    }
}

impl fmt::Display for IpPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl fmt::Debug for IpPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn mask32(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

fn mask128(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

/// A port and the bits of it that count: mask 0 matches every port, 0xffff only `value`. Host byte order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PortMatch {
    pub value: u16,
    pub mask: u16,
}

impl PortMatch {
    fn matches(self, port: u16) -> bool {
        (self.value ^ port) & self.mask == 0
    }
}

/// What a packet must look like. `proto` 0 matches every upper-layer protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Selector {
    pub src: IpPrefix,
    pub dst: IpPrefix,
    pub proto: u8,
    pub src_port: PortMatch,
    pub dst_port: PortMatch,
}

impl Selector {
    /// A selector on addresses only.
    pub fn prefixes(src: IpPrefix, dst: IpPrefix) -> Selector {
        Selector { src, dst, proto: 0, src_port: PortMatch::default(), dst_port: PortMatch::default() }
    }

    pub fn matches(&self, flow: &Flow) -> bool {
        self.src.contains(flow.src)
            && self.dst.contains(flow.dst)
            && (self.proto == 0 || self.proto == flow.proto)
            && self.src_port.matches(flow.src_port)
            && self.dst_port.matches(flow.dst_port)
    }
}

/// What a selector looks at in a packet. Ports are 0 where the protocol has none or a fragment hides them; for ICMP
/// the type is the source port and the code the destination port, as in the kernel's flow decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    pub src: IpAddr,
    pub dst: IpAddr,
    pub proto: u8,
    pub src_port: u16,
    pub dst_port: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> IpPrefix {
        let (address, length) = text.split_once('/').unwrap();
        IpPrefix::new(address.parse().unwrap(), length.parse().unwrap()).unwrap()
    }

    fn flow(src: &str, dst: &str) -> Flow {
        Flow { src: src.parse().unwrap(), dst: dst.parse().unwrap(), proto: 6, src_port: 40000, dst_port: 443 }
    }

    #[test]
    fn host_bits_are_cleared_and_length_is_checked() {
        assert_eq!(prefix("10.1.2.3/16"), prefix("10.1.0.0/16"));
        assert_eq!(prefix("10.1.2.3/16").to_string(), "10.1.0.0/16");
        assert_eq!(IpPrefix::new("10.0.0.0".parse().unwrap(), 33), None);
        assert_eq!(IpPrefix::new("::".parse().unwrap(), 129), None);
    }

    #[test]
    fn prefixes_contain_their_own_family_only() {
        assert!(prefix("0.0.0.0/0").contains("192.0.2.1".parse().unwrap()));
        assert!(!prefix("0.0.0.0/0").contains("2001:db8::1".parse().unwrap()));
        assert!(prefix("::/0").contains("2001:db8::1".parse().unwrap()));
        assert!(prefix("192.0.2.1/32").contains("192.0.2.1".parse().unwrap()));
        assert!(!prefix("192.0.2.0/31").contains("192.0.2.2".parse().unwrap()));
        assert!(!prefix("2001:db8::/127").contains("2001:db8::2".parse().unwrap()));
    }

    #[test]
    fn every_field_of_a_selector_counts() {
        let selector = Selector {
            proto: 6,
            dst_port: PortMatch { value: 443, mask: 0xffff },
            ..Selector::prefixes(prefix("10.0.0.0/8"), prefix("172.16.0.0/12"))
        };
        let good = flow("10.1.1.1", "172.16.5.5");
        assert!(selector.matches(&good));
        assert!(!selector.matches(&flow("11.1.1.1", "172.16.5.5")));
        assert!(!selector.matches(&flow("10.1.1.1", "172.32.5.5")));
        assert!(!selector.matches(&Flow { proto: 17, ..good }));
        assert!(!selector.matches(&Flow { dst_port: 444, ..good }));
        assert!(Selector { proto: 0, ..selector }.matches(&Flow { proto: 17, ..good }));
    }
}
