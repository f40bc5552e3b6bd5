//! What the tests of this module share: a moment, messages as charon sends them, policies.

use std::time::Duration;

use super::Now;
use super::algorithm::testing::algorithm;
use super::netlink::{Builder, Header, Message, messages};
use super::records::{Address, Id, LifetimeLimits, PolicyInfo, Record, SaInfo, SelectorRecord, Template};
use super::request::{Direction, PolicyId, PolicyRequest, Request, SaRequest};
use super::uapi::{attr, msg};

pub(crate) const NOW: Now = Now { monotonic: Duration::from_secs(1000), wall: 1_700_000_000 };
pub(crate) const LOCAL: [u8; 4] = [192, 0, 2, 1];
pub(crate) const PEER: [u8; 4] = [198, 51, 100, 1];
pub(crate) const IF_ID: u32 = 7;
pub(crate) const REQID: u32 = 3;
const ACK: u16 = 5;

/// `seconds` after [`NOW`].
pub(crate) fn after(seconds: u64) -> Now {
    Now { monotonic: NOW.monotonic + Duration::from_secs(seconds), wall: NOW.wall + seconds }
}

/// A request as octets.
pub(crate) fn message(kind: u16, body: &impl Record, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let builder = Builder::new(kind).fields(|out| body.write(out));
    let octets = attributes.iter().fold(builder, |builder, (kind, payload)| builder.attribute(*kind, payload));
    let mut octets = octets.finish(42, 7).to_vec();
    octets[6..8].copy_from_slice(&ACK.to_ne_bytes());
    octets
}

/// The one message in `octets`.
pub(crate) fn only(octets: &[u8]) -> Message<'_> {
    let mut all = messages(octets);
    let message = all.next().expect("a message").expect("a well-formed message");
    assert!(all.next().is_none());
    message
}

/// As charon fills it in for an SA from the peer (or, `outbound`, to it).
pub(crate) fn sa_info(spi: u32, outbound: bool) -> SaInfo {
    let (src, dst) = if outbound { (LOCAL, PEER) } else { (PEER, LOCAL) };
    SaInfo {
        id: Id { daddr: address(dst), spi, proto: 50 },
        saddr: address(src),
        lft: LifetimeLimits {
            soft_byte_limit: u64::MAX,
            hard_byte_limit: u64::MAX,
            soft_packet_limit: u64::MAX,
            hard_packet_limit: u64::MAX,
            soft_add_expires_seconds: 60,
            hard_add_expires_seconds: 66,
            ..LifetimeLimits::default()
        },
        reqid: REQID,
        family: libc::AF_INET as u16,
        mode: 1,
        replay_window: 32,
        ..SaInfo::default()
    }
}

/// The attributes of an AES-128-GCM SA in [`IF_ID`].
pub(crate) fn sa_attributes() -> Vec<(u16, Vec<u8>)> {
    vec![
        (attr::ALG_AEAD, algorithm("rfc4106(gcm(aes))", &[0x5a; 20], Some(128))),
        (attr::IF_ID, IF_ID.to_ne_bytes().to_vec()),
    ]
}

pub(crate) fn sa_request(spi: u32, outbound: bool) -> SaRequest {
    match Request::parse(&only(&message(msg::NEWSA, &sa_info(spi, outbound), &sa_attributes()))) {
        Ok(Request::NewSa(request)) => *request,
        other => panic!("{other:?}"),
    }
}

/// A policy with selectors "source" and "destination" whose template is of [`REQID`] between [`LOCAL`] and [`PEER`].
pub(crate) fn policy(if_id: u32, direction: Direction, source: &str, destination: &str, spi: u32) -> PolicyRequest {
    let (src, dst) = if direction == Direction::Out { (LOCAL, PEER) } else { (PEER, LOCAL) };
    let selector = selector(source, destination);
    let template = Template {
        id: Id { daddr: address(dst), spi, proto: 50 },
        saddr: address(src),
        family: libc::AF_INET as u16,
        reqid: REQID,
        mode: 1,
        ..Template::default()
    };
    let dir = match direction {
        Direction::In => 0,
        Direction::Out => 1,
        Direction::Forward => 2,
    };
    PolicyRequest {
        id: PolicyId { if_id, direction, selector },
        info: PolicyInfo { sel: selector, dir, priority: 100, ..PolicyInfo::default() },
        template: Some(template),
        attributes: Vec::new(),
    }
}

/// An IPv4 selector on addresses.
pub(crate) fn selector(source: &str, destination: &str) -> SelectorRecord {
    let prefix = |text: &str| {
        let (ip, length) = text.split_once('/').unwrap();
        (address(ip.parse::<std::net::Ipv4Addr>().unwrap().octets()), length.parse().unwrap())
    };
    let ((saddr, prefixlen_s), (daddr, prefixlen_d)) = (prefix(source), prefix(destination));
    SelectorRecord {
        daddr,
        saddr,
        prefixlen_d,
        prefixlen_s,
        family: libc::AF_INET as u16,
        ..SelectorRecord::default()
    }
}

pub(crate) fn address(octets: [u8; 4]) -> Address {
    Address::from(std::net::IpAddr::from(octets))
}

/// The `error` of an acknowledgement, as a positive errno.
pub(crate) fn errno(answer: &[u8]) -> i32 {
    let message = only(answer);
    assert_eq!((message.header.kind, message.header.seq, message.header.pid), (2, 42, 7));
    -i32::from_ne_bytes(message.body[..4].try_into().unwrap())
}

/// Header of a request, for what is tested without one.
pub(crate) const HEADER: Header = Header { len: 16, kind: 0, flags: ACK, seq: 42, pid: 7 };
