//! A receiver with SAs of every kind, and what must become of each datagram it is given.
//!
//! The rules, in the order of RFC 4303 3.4 and RFC 3948 2.2: a packet comes out exactly when it is, octet for octet, one
//! that the peer sealed, the first of its sequence number, on the SA's address, within the policy; with the traffic
//! class of RFC 6040; in the order of its flow; on the TUN of its SA's tunnel. Everything else is counted once, under
//! its reason. What was damaged after sealing may meet the replay check, the check of its length or that of its
//! integrity first: which one is left open, delivery is not.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use twinbore_esp::selector::{IpPrefix, PortMatch, Selector};
use twinbore_esp::tables::{InboundPolicy, Tables};

use crate::adapter::{Auth, Datagram, Encap, End, Event, Sa, Suite, both_ends, sa_config};
use crate::model::{self, Window};

/// What may be in an SA's packets.
#[derive(Clone, Copy, PartialEq)]
enum Policy {
    Any,
    /// TCP to port 5201 from 10.0.0.0/16 to 10.9.0.0/16, and all of IPv6.
    Narrow,
    Nothing,
}

#[derive(Clone, Copy)]
struct Kind {
    suite: Suite,
    spi: u32,
    v6: bool,
    encap: bool,
    esn: bool,
    window: u32,
    if_id: u32,
    policy: Policy,
    ecn: bool,
    decap_dscp: bool,
}

/// A tunnel without a TUN device.
const NO_TUN: u32 = 3;
const PLAIN: Kind = Kind {
    suite: Suite::AesGcm16 { key_bits: 128 },
    spi: 0xc000_0001,
    v6: false,
    encap: true,
    esn: true,
    window: 64,
    if_id: 1,
    policy: Policy::Any,
    ecn: true,
    decap_dscp: false,
};
/// The third has the SPI of the first at another address.
const KINDS: [Kind; 6] = [
    PLAIN,
    Kind { policy: Policy::Narrow, ..short(Suite::AesGcm8 { key_bits: 256 }, 0xc000_0002, 32, 2, false) },
    Kind { suite: Suite::AesCbc { key_bits: 128, auth: Auth::HmacSha1_96 }, v6: true, window: 128, ..PLAIN },
    Kind { v6: true, ..short(cbc(Auth::HmacSha512_256), 0x100, 33, NO_TUN, false) },
    Kind { policy: Policy::Nothing, if_id: 2, suite: Suite::AesGcm12 { key_bits: 192 }, spi: u32::MAX, ..PLAIN },
    Kind { ecn: false, decap_dscp: true, ..short(cbc(Auth::HmacSha256_128), 0xc000_0003, 0, 2, true) },
];

const fn short(suite: Suite, spi: u32, window: u32, if_id: u32, encap: bool) -> Kind {
    Kind { suite, spi, window, if_id, encap, esn: false, ..PLAIN }
}

const fn cbc(auth: Auth) -> Suite {
    Suite::AesCbc { key_bits: 256, auth }
}

/// What a packet was sealed from.
struct Sealed {
    sa: usize,
    seq: u64,
    /// Pad length and next header included.
    text: Vec<u8>,
}

/// Packets that came out, by tunnel and flow.
type Flows = BTreeMap<(u32, Vec<u8>), Vec<Vec<u8>>>;

pub struct Receiving {
    pub end: End,
    /// The sender's SAs.
    pub peers: Vec<Arc<Sa>>,
    windows: Vec<Window>,
    sealed: HashMap<Vec<u8>, Sealed>,
    counts: BTreeMap<&'static str, u64>,
    /// Dropped for one of [`OPEN`].
    foreign: u64,
    accepted: BTreeMap<u32, u64>,
    moved: bool,
}

/// Reasons that a damaged packet may be dropped by.
const OPEN: [&str; 3] = ["replay", "malformed", "authentication"];

impl Receiving {
    pub const SAS: usize = KINDS.len();

    pub fn new() -> Receiving {
        let mut tables = Tables::new();
        let mut peers = Vec::new();
        for kind in &KINDS {
            let (peer, ours) = both_ends(|| {
                let mut config = sa_config(kind.suite, kind.spi, peer_address(kind.v6), local_address(kind.v6));
                config.encap = kind.encap.then_some(Encap { src_port: 4500, dst_port: 4500 });
                (config.if_id, config.replay_window, config.esn) = (kind.if_id, kind.window, kind.esn);
                (config.ecn, config.decap_dscp) = (kind.ecn, kind.decap_dscp);
                config
            });
            tables.add_inbound(ours, kind.policy.selectors());
            peers.push(peer);
        }
        Receiving {
            end: End::new(tables, &[(1, 1406), (2, 1406)]),
            peers,
            windows: KINDS.iter().map(|kind| Window::new(u64::from(kind.window))).collect(),
            sealed: HashMap::new(),
            counts: BTreeMap::new(),
            foreign: 0,
            accepted: BTreeMap::new(),
            moved: false,
        }
    }

    /// How the peer of SA `index` sends: not moved, and with `tos` in the outer header.
    pub fn envelope(&self, index: usize, tos: u8, segment: usize) -> Datagram {
        let Kind { v6, encap, .. } = KINDS[index];
        let from = SocketAddr::new(peer_address(v6), if encap { 4500 } else { 0 });
        Datagram { from, local: local_address(v6), ifindex: 2, encapsulated: encap, tos, segment }
    }

    /// The highest number that SA `index` has accepted.
    pub fn top(&self, index: usize) -> u64 {
        self.windows[index].top()
    }

    pub fn is_extended(&self, index: usize) -> bool {
        KINDS[index].esn
    }

    /// Remembers what the peer sealed.
    pub fn note(&mut self, packet: &[u8], sa: usize, seq: u64, text: Vec<u8>) {
        self.sealed.insert(packet.to_vec(), Sealed { sa, seq, text });
    }

    /// Receives one batch and compares what happens with what must.
    pub fn receive(&mut self, batch: &[(Datagram, Vec<u8>)]) {
        let (mut expected, mut ike) = (Flows::new(), Vec::new());
        for (datagram, octets) in batch {
            for piece in octets.chunks(datagram.segment.max(1)) {
                match self.judge(datagram, piece, &mut ike) {
                    Ok(Some((if_id, packet))) => file(&mut expected, if_id, packet),
                    Ok(None) => {}
                    Err(reason) => *self.counts.entry(reason).or_default() += 1,
                }
            }
        }
        let mut came = Flows::new();
        for (if_id, packet) in self.end.receive(batch) {
            file(&mut came, if_id, packet);
        }
        assert_eq!(came, expected, "what came out of the TUN devices");
        assert_eq!(self.end.take_ike(), ike, "what IKE was given");
        self.check_counters();
        let moved = self.end.events().iter().any(|event| matches!(event, Event::Mapping { .. }));
        assert!(!moved || self.moved, "only an authentic packet says that the peer has moved");
    }

    fn check_counters(&self) {
        let mut drops = self.end.drops();
        for (name, total) in [("keepalive", "keepalives"), ("ike", "ike_delivered"), ("dummy", "dummies")] {
            assert_eq!(self.end.total(total), self.count(name), "{total}");
        }
        assert_eq!(self.end.total("esp_received"), self.count("esp"), "esp_received");
        let mut open = 0;
        for reason in OPEN {
            let counted = drops.remove(reason).unwrap_or(0);
            assert!(counted >= self.count(reason), "{reason}");
            open += counted - self.count(reason);
        }
        assert_eq!(open, self.foreign, "damaged packets");
        for reason in ["unknown_spi", "encap_mismatch", "selector", "ecn_not_capable", "no_tun"] {
            assert_eq!(drops.remove(reason).unwrap_or(0), self.count(reason), "{reason}");
        }
        assert!(drops.is_empty(), "{drops:?}");
        for if_id in [1, 2] {
            let accepted = self.accepted.get(&if_id).copied().unwrap_or(0);
            assert_eq!(self.end.tunnel(if_id).rx_packets, accepted, "packets of tunnel {if_id}");
        }
    }

    fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// What must become of one datagram: a packet for a TUN, nothing, or a reason to drop it.
    fn judge(
        &mut self,
        datagram: &Datagram,
        piece: &[u8],
        ike: &mut Vec<Vec<u8>>,
    ) -> Result<Option<(u32, Vec<u8>)>, &'static str> {
        let mut count = |name| *self.counts.entry(name).or_default() += 1;
        if datagram.encapsulated && piece.starts_with(&[0; 4]) {
            count("ike");
            ike.push(piece.to_vec());
            return Ok(None);
        }
        if datagram.encapsulated && piece == [0xff] {
            count("keepalive");
            return Ok(None);
        }
        count("esp");
        let spi = u32::from_be_bytes(piece.get(..4).ok_or("malformed")?.try_into().unwrap());
        let named = |kind: &Kind| kind.spi == spi && local_address(kind.v6) == datagram.local;
        let index = KINDS.iter().position(named).ok_or("unknown_spi")?;
        let kind = KINDS[index];
        if kind.encap != datagram.encapsulated {
            return Err("encap_mismatch");
        }
        let Some(sealed) = self.sealed.get(piece).filter(|sealed| sealed.sa == index) else {
            self.foreign += 1;
            return Ok(None);
        };
        if !self.windows[index].is_fresh(sealed.seq) {
            // An old number of an SA with ESN is taken for one of the next subspace, for which it does not authenticate.
            self.foreign += 1;
            return Ok(None);
        }
        self.windows[index].accept(sealed.seq);
        self.moved |= kind.encap && datagram.from != SocketAddr::new(peer_address(kind.v6), 4500);
        let (pad, next) = (usize::from(sealed.text[sealed.text.len() - 2]), sealed.text[sealed.text.len() - 1]);
        let inner = sealed.text.len().checked_sub(2 + pad).map(|end| &sealed.text[..end]).ok_or("malformed")?;
        if next == 59 {
            *self.counts.entry("dummy").or_default() += 1;
            return Ok(None);
        }
        let outline = model::outline(inner).ok_or("malformed")?;
        if next != if outline.v6 { 41 } else { 4 } {
            return Err("malformed");
        }
        let inner = &inner[..outline.len];
        if !kind.policy.allows(inner) {
            return Err("selector");
        }
        let tos = model::tos(inner);
        let ecn = if kind.ecn { model::ecn(tos & 3, datagram.tos & 3).ok_or("ecn_not_capable")? } else { tos & 3 };
        let dscp = if kind.decap_dscp { datagram.tos & !3 } else { tos & !3 };
        let packet = model::with_tos(inner, dscp | ecn);
        *self.accepted.entry(kind.if_id).or_default() += 1;
        if kind.if_id == NO_TUN { Err("no_tun") } else { Ok(Some((kind.if_id, packet))) }
    }
}

impl Default for Receiving {
    fn default() -> Receiving {
        Receiving::new()
    }
}

impl Policy {
    fn selectors(self) -> InboundPolicy {
        let prefix = |text: &str, length| IpPrefix::new(text.parse().unwrap(), length).unwrap();
        match self {
            Policy::Any => InboundPolicy::Any,
            Policy::Nothing => InboundPolicy::Only([].into()),
            Policy::Narrow => {
                let tcp = Selector {
                    proto: 6,
                    dst_port: PortMatch { value: 5201, mask: 0xffff },
                    ..Selector::prefixes(prefix("10.0.0.0", 16), prefix("10.9.0.0", 16))
                };
                InboundPolicy::Only([tcp, Selector::prefixes(prefix("::", 0), prefix("::", 0))].into())
            }
        }
    }

    fn allows(self, packet: &[u8]) -> bool {
        let outline = model::outline(packet).expect("a packet");
        match self {
            Policy::Any => true,
            Policy::Nothing => false,
            Policy::Narrow if outline.v6 => true,
            Policy::Narrow => {
                let port = packet.get(outline.upper + 2..outline.upper + 4).filter(|_| !outline.later_fragment);
                outline.proto == 6
                    && packet[12..14] == [10, 0]
                    && packet[16..18] == [10, 9]
                    && port == Some(&[0x14, 0x51])
            }
        }
    }
}

fn peer_address(v6: bool) -> IpAddr {
    if v6 { "2001:db8:ffff::1".parse().unwrap() } else { "192.0.2.1".parse().unwrap() }
}

fn local_address(v6: bool) -> IpAddr {
    if v6 { "2001:db8:ffff::2".parse().unwrap() } else { "198.51.100.1".parse().unwrap() }
}

/// Puts a packet in its flow, without what joining and cutting up again may change: the identification of an IPv4
/// packet that is not to be fragmented (RFC 6864), and which of its two forms a checksum of zero has.
fn file(flows: &mut Flows, if_id: u32, mut packet: Vec<u8>) {
    let outline = model::outline(&packet).expect("a packet");
    let ports = packet.get(outline.upper..outline.upper + 4).unwrap_or(&[]);
    let addresses = if outline.v6 { &packet[8..40] } else { &packet[12..20] };
    let key = [addresses, &[outline.proto, u8::from(outline.fragment)], ports].concat();
    if !outline.v6 && model::ipv4_header_valid(&packet) {
        packet[10..12].fill(0);
        if packet[6] & 0x40 != 0 && !outline.fragment {
            packet[4..6].fill(0);
        }
    }
    let field = outline.upper + 16;
    if outline.proto == 6 && packet.len() >= field + 2 && packet[field..field + 2] == [0xff; 2] {
        packet[field..field + 2].fill(0);
    }
    flows.entry((if_id, key)).or_default().push(packet);
}
