//! A sender with policies of every kind, and what must become of each frame from its TUN.
//!
//! A frame is cut as the kernel would cut it ([`model::segments`]); each packet of it goes out on the SA of the first
//! policy that matches, in order, under a sequence number of its own; or the frame is counted once for each of its
//! packets, under its reason. What is sent is opened with the peer's SA and compared.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use twinbore_esp::selector::{IpPrefix, PortMatch, Selector};
use twinbore_esp::tables::{Outbound, OutboundPolicy, Tables};

use crate::adapter::{Auth, Encap, End, Sa, SendReport, Suite, Wire, both_ends, open, sa_config};
use crate::model;

const IF_ID: u32 = 1;

/// Numbers of the SAs in [`Sending::peers`].
const TCP: usize = 0;
const UDP: usize = 1;
const V6: usize = 2;
/// Sequence numbers that the UDP policy's SA has left.
const LEFT: u64 = 100;

/// What a frame's first packet meets.
enum Route {
    Sa(usize),
    Acquire,
    NoPolicy,
}

/// A packet that was to be sent: SA, traffic class of the outer header, the packet.
type Due = (usize, u8, Vec<u8>);

pub struct Sending {
    end: End,
    mtu: usize,
    peers: [Arc<Sa>; 3],
    taken: [u64; 3],
    due: Vec<Due>,
    counts: BTreeMap<&'static str, u64>,
}

impl Sending {
    /// `answers` chooses what the wire says to a burst.
    pub fn new(mtu: u32, answers: u8) -> Sending {
        let far: IpAddr = "192.0.2.2".parse().unwrap();
        let suites = [
            Suite::AesGcm16 { key_bits: 128 },
            Suite::AesCbc { key_bits: 256, auth: Auth::HmacSha512_256 },
            Suite::AesGcm8 { key_bits: 256 },
        ];
        let mut pairs = suites.into_iter().enumerate().map(|(index, suite)| {
            both_ends(|| {
                let mut config = sa_config(suite, 0x100 + index as u32, "192.0.2.1".parse().unwrap(), far);
                config.encap = (index != UDP).then_some(Encap { src_port: 4500, dst_port: 4500 });
                (config.esn, config.copy_dscp, config.ecn) = (index != UDP, index != V6, index != UDP);
                (config.if_id, config.replay_window) = (IF_ID, 64);
                config.sequence.out_seq = if index == UDP { u64::from(u32::MAX) - LEFT } else { 0 };
                config
            })
        });
        let (ours, peers): (Vec<_>, Vec<_>) =
            std::array::from_fn::<_, 3, _>(|_| pairs.next().unwrap()).into_iter().unzip();
        let mut end = End::new(tables(&ours), &[(IF_ID, mtu)]);
        end.wire.answer = match answers % 4 {
            0 | 1 => |sent| SendReport { sent, ..SendReport::default() },
            2 => |count| SendReport { sent: count / 2, queue_full: count - count / 2, ..SendReport::default() },
            _ => |sent| SendReport { sent, path_mtu: Some(1300), fell_back: true, ..SendReport::default() },
        };
        let peers = peers.try_into().expect("three");
        Sending { end, mtu: mtu as usize, peers, taken: [0; 3], due: Vec::new(), counts: BTreeMap::new() }
    }

    /// Sends one batch of frames and compares what happens with what must.
    pub fn transmit(&mut self, frames: &[Vec<u8>]) {
        let Sending { end, mtu, peers, taken, due, counts } = self;
        let errors = RefCell::new(Vec::new());
        let mut rules = Rules { mtu: *mtu, peers, taken, due, counts, errors: &errors };
        let written = end.transmit(IF_ID, frames, |wire, frame| rules.judge(wire, frame));
        let errors = errors.into_inner();
        assert_eq!(written.len(), errors.len(), "ICMP errors");
        for ((if_id, error), packet) in written.iter().zip(&errors) {
            assert!(packet.starts_with(check_error(*if_id, error)), "an error quotes the packet that it is about");
        }
        self.check();
    }

    fn check(&self) {
        let mut opened = Vec::new();
        let (mut sent, mut queue_full, mut path_mtus) = (0, 0, 0);
        // Every burst is opened from the first on, with windows of its own: numbers must be new and in order.
        let mut last = [0, u64::from(u32::MAX) - LEFT, 0];
        for burst in &self.end.wire.sent {
            let packets: Vec<&[u8]> = burst.octets.chunks(burst.segment).collect();
            assert!(packets.len() <= 64 && burst.octets.len() <= 66_000 && !packets.is_empty());
            assert!(packets.len() == 1 || burst.octets.len() <= 65_507, "more than a datagram takes");
            sent += burst.report.sent as u64;
            queue_full += burst.report.queue_full as u64;
            path_mtus += u64::from(burst.report.fell_back);
            for packet in packets {
                let index = usize::from(packet[3]);
                let seq = u64::from(u32::from_be_bytes(packet[4..8].try_into().unwrap()));
                assert_eq!(seq, last[index] + 1, "sequence numbers of SA {index}");
                last[index] = seq;
                assert_eq!(burst.encap.is_some(), index != UDP);
                opened.push((index, burst.tos, packet));
            }
        }
        assert_eq!(opened.len(), self.due.len(), "packets sent");
        for ((index, tos, packet), due) in opened.into_iter().zip(&self.due) {
            // A receiver that has seen nothing: the order is checked above.
            let peer = Sa::new(fresh(&self.peers[index], index)).expect("as before");
            let (inner, next) = open(&peer, packet).expect("an authentic packet");
            assert_eq!(next, if inner[0] >> 4 == 6 { 41 } else { 4 });
            assert_eq!((index, tos, inner), *due);
        }
        assert_eq!(self.end.total("esp_sent"), sent);
        assert_eq!(self.end.total("gso_fallbacks"), path_mtus);
        let mut drops = self.end.drops();
        assert_eq!(drops.remove("queue_full").unwrap_or(0), queue_full);
        let counts: BTreeMap<_, _> =
            self.counts.iter().filter(|(_, count)| **count > 0).map(|(k, v)| (*k, *v)).collect();
        assert_eq!(drops, counts);
        assert_eq!(self.end.tunnel(IF_ID).tx_packets, self.due.len() as u64);
    }
}

/// The parameters of a peer's SA once more.
fn fresh(peer: &Sa, index: usize) -> crate::adapter::SaConfig {
    let mut config = sa_config(peer.config.suite, peer.config.spi, peer.config.src, peer.config.dst);
    (config.esn, config.replay_window) = (index != UDP, 64);
    config
}

/// The rules for one batch.
struct Rules<'a> {
    mtu: usize,
    peers: &'a [Arc<Sa>; 3],
    taken: &'a mut [u64; 3],
    due: &'a mut Vec<Due>,
    counts: &'a mut BTreeMap<&'static str, u64>,
    errors: &'a RefCell<Vec<Vec<u8>>>,
}

impl Rules<'_> {
    /// Notes what must become of a frame that is about to be read.
    fn judge(&mut self, wire: &Wire, frame: &[u8]) {
        let Some(packets) = model::segments(frame) else { return self.drop("malformed", 1) };
        let count = packets.len() as u64;
        let whole = &frame[10..];
        let outline = model::outline(whole).expect("a packet");
        let whole = &whole[..outline.len];
        let index = match route(whole) {
            Route::Sa(index) => index,
            Route::Acquire => return self.drop("no_route", count),
            Route::NoPolicy => return self.drop("no_policy", count),
        };
        let path = wire.sent.iter().rfind(|burst| usize::from(burst.octets[3]) == index);
        let path = path.and_then(|burst| burst.report.path_mtu);
        let limit = path.map_or(self.mtu, |path| self.mtu.min(largest_inner(&self.peers[index], path as usize)));
        let dont_fragment = outline.v6 || whole[6] & 0x40 != 0;
        if packets[0].len() > limit && dont_fragment {
            if answers_error(whole) {
                self.errors.borrow_mut().push(whole.to_vec());
            }
            return self.drop("too_big", count);
        }
        if index == UDP && self.taken[UDP] + count > LEFT {
            return self.drop("sequence_exhausted", count);
        }
        self.taken[index] += count;
        let tos = model::tos(whole);
        let tos = if index == V6 { 0 } else { tos & !3 } | if index == UDP { 0 } else { tos & 3 };
        self.due.extend(packets.into_iter().map(|packet| (index, tos, packet)));
    }

    fn drop(&mut self, reason: &'static str, count: u64) {
        *self.counts.entry(reason).or_default() += count;
    }
}

/// TCP to port 5201 in 10.0.0.0/8, UDP from 10.0.0.0/16, IPv6 from 2001:db8::1; from 2001:db8::2 there is no SA, and from 2001:db8::
/// nothing may leave, whatever the policies after it allow.
fn tables(sas: &[Arc<Sa>]) -> Tables {
    let prefix = |text: &str, length| IpPrefix::new(text.parse().unwrap(), length).unwrap();
    let selector = |proto, src, dst| Selector { proto, ..Selector::prefixes(src, dst) };
    let (v4, v6) = (prefix("0.0.0.0", 0), prefix("::", 0));
    let with = |selector, sa: Option<usize>| OutboundPolicy {
        selector,
        sa: sa.map(|index| Arc::clone(&sas[index])),
        discard: false,
    };
    let discard = |selector| OutboundPolicy { selector, sa: None, discard: true };
    let port = PortMatch { value: 5201, mask: 0xffff };
    let tcp = Selector { dst_port: port, ..selector(6, prefix("10.0.0.0", 8), v4) };
    let policies = vec![
        with(tcp, Some(TCP)),
        with(selector(17, prefix("10.0.0.0", 16), v4), Some(UDP)),
        with(selector(0, prefix("2001:db8::1", 128), v6), Some(V6)),
        with(selector(0, prefix("2001:db8::2", 128), v6), None),
        discard(selector(0, prefix("2001:db8::", 128), v6)),
        with(selector(0, prefix("2001:db8::", 128), v6), Some(V6)),
    ];
    let mut tables = Tables::new();
    tables.set_outbound(IF_ID, Outbound { policies });
    tables
}

fn route(packet: &[u8]) -> Route {
    let outline = model::outline(packet).expect("a packet");
    if outline.v6 {
        let host = &packet[8..24];
        let of = |last| [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
        return if host == of(1) {
            Route::Sa(V6)
        } else if host == of(2) {
            Route::Acquire
        } else {
            Route::NoPolicy
        };
    }
    let port = packet.get(outline.upper + 2..outline.upper + 4).filter(|_| !outline.later_fragment);
    match outline.proto {
        6 if packet[12] == 10 && port == Some(&[0x14, 0x51]) => Route::Sa(TCP),
        17 if packet[12..14] == [10, 0] => Route::Sa(UDP),
        _ => Route::NoPolicy,
    }
}

/// By trying: the longest inner packet whose outer packet fits `mtu`.
fn largest_inner(sa: &Sa, mtu: usize) -> usize {
    let suite = sa.config.suite;
    let outer = 20 + if sa.config.encap.is_some() { 8 } else { 0 } + 8 + suite.iv_len() + suite.icv_len();
    (0..mtu).rfind(|inner| outer + (inner + 2).next_multiple_of(suite.block_len()) <= mtu).unwrap_or(0)
}

/// Whether an ICMP error may answer the packet (RFC 1122 3.2.2, RFC 4443 2.4).
fn answers_error(packet: &[u8]) -> bool {
    let outline = model::outline(packet).expect("a packet");
    let kind = packet.get(outline.upper).copied().unwrap_or(0);
    // Without its two octets of type and code an ICMP message says nothing of what it is.
    let kind = if outline.upper + 2 <= packet.len() { kind } else { 0 };
    let error = match outline.proto {
        1 => !matches!(kind, 0 | 8 | 13..=18),
        58 => kind < 128,
        _ => false,
    };
    let (source, multicast) = if outline.v6 {
        (IpAddr::from(<[u8; 16]>::try_from(&packet[8..24]).unwrap()), false)
    } else {
        (IpAddr::from(<[u8; 4]>::try_from(&packet[12..16]).unwrap()), packet[16] >> 4 == 14)
    };
    !(error || outline.later_fragment || multicast || source.is_unspecified() || source.is_multicast())
}

/// A too-big error is well-formed, not too long, and goes to where the packet came from, whose beginning is returned.
fn check_error(if_id: u32, error: &[u8]) -> &[u8] {
    assert_eq!(if_id, IF_ID);
    let outline = model::outline(error).expect("a packet");
    assert_eq!(outline.len, error.len());
    let message = &error[outline.upper..];
    if outline.v6 {
        assert!(error.len() <= 1280);
        assert_eq!((outline.proto, &message[..2]), (58, &[2, 0][..]));
        assert_eq!(model::checksum(message, model::pseudo_sum(error, 58, message.len())), 0);
    } else {
        assert!(error.len() <= 576 && model::ipv4_header_valid(error));
        assert_eq!((outline.proto, &message[..2]), (1, &[3, 4][..]));
        assert_eq!(model::checksum(message, 0), 0);
    }
    let quoted = &message[8..];
    let (addresses, half) = if outline.v6 { (8, 16) } else { (12, 4) };
    let swapped = [&quoted[addresses + half..][..half], &quoted[addresses..][..half]].concat();
    assert_eq!(error[addresses..addresses + 2 * half], swapped, "it goes back to where the packet came from");
    quoted
}
