//! The whole data path without root: the cores of two workers, back to back in memory.

#[path = "datapath/memory.rs"]
mod memory;
#[path = "datapath/packets.rs"]
mod packets;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use memory::*;
use packets::*;
use proptest::prelude::*;
use twinbore_esp::batch::Datagram;
use twinbore_esp::crypto::{Auth, Suite};
use twinbore_esp::events::Event;
use twinbore_esp::sa::Sa;
use twinbore_esp::selector::{IpPrefix, Selector};
use twinbore_esp::tables::{InboundPolicy, Outbound, Tables};

const GCM: Suite = Suite::AesGcm16 { key_bits: 128 };

/// One sealed packet of the peer.
fn sealed(a: &mut End, packet: Vec<u8>) -> Sent {
    a.transmit(&[plain(packet)]).remove(0)
}

#[test]
fn super_packets_arrive_whole_with_every_kind_of_suite() {
    for suite in [
        GCM,
        Suite::AesGcm8 { key_bits: 256 },
        Suite::AesCbc { key_bits: 192, auth: Auth::HmacSha1_96 },
        Suite::AesCbc { key_bits: 256, auth: Auth::HmacSha512_256 },
    ] {
        for v6 in [false, true] {
            let (mut a, mut b) = pair(|| config(suite));
            let payload: Vec<u8> = (0..60_000u32).map(|i| (i / 7) as u8).collect();
            let frame = super_tcp(v6, &payload, 1300);
            let sent = a.transmit(std::slice::from_ref(&frame));
            let got = b.receive_bursts(&sent);
            assert_eq!(got, cut(&frame.0, &frame.1), "{suite} v6 {v6}");
            assert_eq!(b.tun.frames, 1, "joined again into one frame");
            assert!(b.drops().is_empty() && a.drops().is_empty());
        }
    }
}

#[test]
fn a_burst_has_equal_packets_but_the_last_and_fits_one_send() {
    let (mut a, _) = pair(|| config(GCM));
    let frames = [
        super_tcp(false, &[1; 50_000], 500),
        plain(tcp(false, 1, &[1; 100])),
        plain(tcp(false, 1, &[1; 1200])),
        plain(tcp(false, 1, &[1; 1000])),
        plain(tcp(false, 1, &[1; 1000])),
    ];
    let sent = a.transmit(&frames);
    let counts: Vec<usize> = sent.iter().map(|burst| burst.octets.len().div_ceil(burst.segment)).collect();
    assert_eq!(counts, [64, 37, 2, 1], "64 segments; the rest with one shorter; 1200 with 1000; 1000");
    assert!(sent.iter().all(|burst| burst.octets.len() <= 65_000));
    assert_eq!((a.total("send_bursts"), a.total("esp_sent")), (4, 104));
}

#[test]
fn traffic_is_counted_on_the_sa_and_the_tunnel() {
    let sa = Arc::new(Sa::new(config(GCM)).unwrap());
    let mut a = End::new(outbound_tables(Some(Arc::clone(&sa))));
    a.transmit(&[plain(tcp(false, 1, &[1; 60])), plain(tcp(false, 1, &[1; 160]))]);
    let usage =
        [&sa.usage.packets, &sa.usage.bytes, &sa.usage.last_used].map(|counter| counter.load(Ordering::Relaxed));
    assert_eq!(usage, [2, 300, 1000]);
    assert_eq!(sa.replay_state().out_seq, 2);
}

#[test]
fn ike_and_keepalives_are_told_from_esp_within_one_merged_datagram() {
    let (mut a, mut b) = pair(|| config(GCM));
    let esp = sealed(&mut a, tcp(false, 1, &[1; 60]));
    let ike = [vec![0; 4], vec![7; esp.octets.len() - 4]].concat();
    let merged = Sent { octets: [&ike[..], &esp.octets, &[0xff]].concat(), ..esp.clone() };
    assert_eq!(b.receive_bursts(&[merged]), [tcp(false, 1, &[1; 60])]);
    assert!(b.useful);
    for alone in [vec![0xff], ike.clone()] {
        b.receive(&[(datagram(&esp), alone)]);
        assert!(b.useful);
    }
    b.ike.0.lock().unwrap().pop();
    assert_eq!(*b.ike.0.lock().unwrap(), [("192.0.2.1:4500".parse().unwrap(), ike)]);
    assert_eq!((b.total("ike_delivered"), b.total("keepalives"), b.total("esp_received")), (2, 2, 1));
}

#[test]
fn every_drop_has_its_reason() {
    let (mut a, mut b) = pair(|| config(GCM));
    let good = sealed(&mut a, tcp(false, 1, &[1; 60]));
    let bad = |change: &dyn Fn(&mut Datagram, &mut Vec<u8>)| {
        let (mut from, mut octets) = (datagram(&good), good.octets.clone());
        change(&mut from, &mut octets);
        (from, octets)
    };
    let cases = [
        ("unknown_spi", bad(&|_, octets| octets[3] ^= 1)),
        ("unknown_spi", bad(&|from, _| from.local = "198.51.100.9".parse().unwrap())),
        ("authentication", bad(&|_, octets| octets[20] ^= 1)),
        ("encap_mismatch", bad(&|from, _| from.encapsulated = false)),
        ("malformed", bad(&|_, octets| octets.truncate(30))),
        ("malformed", bad(&|_, octets| octets.truncate(3))),
    ];
    let mut expected = std::collections::BTreeMap::new();
    for (reason, datagram) in cases {
        assert!(b.receive(&[datagram]).is_empty() && !b.useful, "{reason}");
        *expected.entry(reason).or_insert(0) += 1;
        assert_eq!(b.drops(), expected.clone().into_iter().collect::<Vec<_>>());
    }
    assert_eq!(b.receive_bursts(std::slice::from_ref(&good)).len(), 1, "none of them spoiled the good packet");
    assert!(b.receive_bursts(&[good]).is_empty());
    assert!(b.drops().contains(&("replay", 1)));
}

#[test]
fn inner_packets_outside_the_policy_are_dropped() {
    let prefix = |address: &str, length| IpPrefix::new(address.parse().unwrap(), length).unwrap();
    let narrow =
        |src: &str, dst: &str| InboundPolicy::Only([Selector::prefixes(prefix(src, 32), prefix(dst, 32))].into());
    let cases = [
        (InboundPolicy::Any, true),
        (narrow("10.0.0.1", "10.0.0.2"), true),
        (narrow("10.0.0.3", "10.0.0.2"), false),
        (narrow("10.0.0.1", "10.0.0.3"), false),
        (InboundPolicy::Only([].into()), false),
    ];
    for (policy, passes) in cases {
        let (mut a, _) = pair(|| config(GCM));
        let mut b = End::new(inbound_tables(Arc::new(Sa::new(config(GCM)).unwrap()), policy.clone()));
        let sent = sealed(&mut a, tcp(false, 1, &[1; 60]));
        assert_eq!(b.receive_bursts(&[sent]).len(), usize::from(passes), "{policy:?}");
        assert_eq!(b.drops(), if passes { vec![] } else { vec![("selector", 1)] });
    }
}

#[test]
fn a_changed_peer_port_is_reported_once_a_second_and_only_when_authenticated() {
    let (mut a, mut b) = pair(|| config(GCM));
    let mut moved = |b: &mut End, spoil: bool| {
        let mut sent = sealed(&mut a, tcp(false, 1, &[1; 60]));
        sent.octets[20] ^= u8::from(spoil);
        let from = Datagram { from: "192.0.2.1:61000".parse().unwrap(), ..datagram(&sent) };
        b.receive(&[(from, sent.octets)]);
        b.events()
    };
    let event = Event::Mapping { spi: SPI, dst: local(), new_addr: "192.0.2.1".parse().unwrap(), new_port: 61000 };
    assert_eq!(moved(&mut b, true), []);
    let first = moved(&mut b, false);
    assert_eq!(moved(&mut b, false), []);
    b.now += 1;
    assert_eq!([first, moved(&mut b, false)], [[event.clone()], [event]]);
}

#[test]
fn without_an_sa_one_is_asked_for_once_a_second() {
    let mut a = End::new(outbound_tables(None));
    let packets = [plain(tcp(false, 1, &[1; 60])), plain(tcp(true, 1, &[1; 60]))];
    assert!(a.transmit(&packets).is_empty());
    assert_eq!(a.events(), [Event::Acquire { if_id: IF_ID }]);
    assert_eq!(a.drops(), [("no_route", 2)]);
    let mut none = End::new(Tables::new());
    assert!(none.transmit(&packets).is_empty());
    assert_eq!((none.events(), none.drops()), (vec![], vec![("no_policy", 2)]));
    none.tables.set_outbound(IF_ID, Outbound::default());
    none.transmit(&packets);
    assert_eq!(none.drops(), [("no_policy", 4)]);
}

#[test]
fn the_last_sequence_number_is_the_last() {
    let mut exhausted = config(GCM);
    (exhausted.esn, exhausted.sequence.out_seq) = (false, u64::from(u32::MAX) - 1);
    let mut a = End::new(outbound_tables(Some(Arc::new(Sa::new(exhausted).unwrap()))));
    assert_eq!(a.transmit(&[plain(tcp(false, 1, b"x"))]).len(), 1);
    for expected in [vec![Event::SequenceExhausted { spi: SPI, dst: local() }], vec![]] {
        assert!(a.transmit(&[plain(tcp(false, 1, b"x"))]).is_empty());
        assert_eq!(a.events(), expected);
    }
    assert_eq!(a.drops(), [("sequence_exhausted", 2)]);
}

#[test]
fn what_is_too_big_and_must_not_be_fragmented_is_answered() {
    for v6 in [false, true] {
        let (mut a, _) = pair(|| config(GCM));
        assert!(a.transmit(&[plain(tcp(v6, 1, &[1; 1400]))]).is_empty());
        let answers = std::mem::take(&mut a.tun.packets);
        assert_eq!(answers.len(), 1);
        let mtu = if v6 { &answers[0][44..48] } else { &answers[0][24..28] };
        assert_eq!(mtu, MTU.to_be_bytes());
        assert_eq!((a.drops(), a.total("too_big_sent")), (vec![("too_big", 1)], 1));
    }
    let (mut a, mut b) = pair(|| config(GCM));
    let mut may_be_fragmented = tcp(false, 1, &[1; 1400]);
    may_be_fragmented[6] = 0;
    fix_ipv4(&mut may_be_fragmented);
    let sent = sealed(&mut a, may_be_fragmented.clone());
    assert_eq!(b.receive_bursts(&[sent]), [may_be_fragmented]);
}

#[test]
fn a_learned_path_mtu_lowers_the_limit_for_ten_minutes() {
    let (mut a, _) = pair(|| config(GCM));
    a.wire.path_mtu = Some(1300);
    assert_eq!(a.transmit(&[plain(tcp(false, 1, &[1; 1300]))]).len(), 1, "the packet that taught it is not lost");
    a.wire.path_mtu = None;
    assert!(a.transmit(&[super_tcp(false, &[1; 5000], 1300)]).is_empty());
    assert_eq!(a.tun.packets.remove(0)[26..28], 1238u16.to_be_bytes());
    assert_eq!(a.drops(), [("too_big", 4)]);
    a.now += 601;
    assert_eq!(a.transmit(&[super_tcp(false, &[1; 5000], 1300)]).len(), 1);
}

/// RFC 6040 figures 3 and 4, RFC 2983.
#[test]
fn the_traffic_class_crosses_the_tunnel() {
    let run = |inner: u8, congested: bool, change: fn(&mut twinbore_esp::sa::SaConfig)| {
        let (mut a, mut b) = pair(|| {
            let mut config = config(GCM);
            change(&mut config);
            config
        });
        let mut packet = tcp(false, 1, &[1; 60]);
        packet[1] = inner;
        fix_ipv4(&mut packet);
        let mut sent = sealed(&mut a, packet);
        let outer = sent.tos;
        sent.tos |= if congested { 3 } else { 0 };
        (outer, b.receive_bursts(&[sent]).first().map(|packet| packet[1]))
    };
    assert_eq!(run(0xb8, false, |_| {}), (0xb8, Some(0xb8)));
    assert_eq!(run(0xba, true, |_| {}), (0xba, Some(0xbb)));
    assert_eq!(run(0xb8, true, |_| {}), (0xb8, None), "the inner transport would not understand");
    assert_eq!(run(0xba, true, |config| config.ecn = false), (0xb8, Some(0xba)));
    assert_eq!(run(0xba, false, |config| config.copy_dscp = false), (0x02, Some(0xba)));
    assert_eq!(run(0xb8, false, |c| (c.copy_dscp, c.decap_dscp) = (false, true)), (0x00, Some(0x00)));
}

#[test]
fn packets_for_a_tunnel_without_a_tun_are_not_counted_on_it() {
    let (mut a, mut b) = pair(|| config(GCM));
    b.tun.present = false;
    let sent = sealed(&mut a, tcp(false, 1, &[1; 60]));
    b.receive_bursts(&[sent]);
    assert_eq!(twinbore_esp::counters::TunCounters::sum(b.tun.tunnel.shards()).rx_packets, 0);
}

proptest! {
    /// No octets from the network can do more than be dropped.
    #[test]
    fn hostile_datagrams_are_dropped(
        mut octets in prop::collection::vec(any::<u8>(), 1..400),
        right_spi in any::<bool>(),
        segment in 0usize..200,
        encapsulated in any::<bool>(),
    ) {
        let (_, mut b) = pair(|| config(GCM));
        if right_spi && octets.len() >= 4 {
            octets[..4].copy_from_slice(&SPI.to_be_bytes());
        }
        let from = datagram(&Sent { tos: 0, segment, octets: vec![] });
        let got = b.receive(&[(Datagram { encapsulated, ..from }, octets)]);
        prop_assert!(got.is_empty());
    }

    /// Nor can an authenticated peer do more than deliver well-formed packets.
    #[test]
    fn hostile_inner_packets_are_dropped_or_well_formed(
        mut inner in prop::collection::vec(any::<u8>(), 0..200),
        next_header in prop::sample::select(vec![4u8, 41, 59, 6]),
        version in prop::sample::select(vec![0x45u8, 0x46, 0x60, 0x00]),
    ) {
        if let Some(first) = inner.first_mut() {
            *first = version;
        }
        let (_, mut b) = pair(|| config(GCM));
        let sa = Sa::new(config(GCM)).unwrap();
        let mut packet = vec![0; twinbore_esp::esp::sealed_len(&sa, inner.len())];
        let start = twinbore_esp::esp::payload_offset(&sa);
        packet[start..start + inner.len()].copy_from_slice(&inner);
        twinbore_esp::esp::seal(&sa, &mut packet, inner.len(), next_header, 1);
        for got in b.receive_bursts(&[Sent { tos: 0, segment: packet.len(), octets: packet }]) {
            prop_assert!(inner.starts_with(&got), "what is delivered is what was sent, without its padding");
        }
    }

    /// Frames from the kernel that make no sense are dropped.
    #[test]
    fn strange_frames_are_dropped(vnet in any::<[u8; 10]>(), mut packet in prop::collection::vec(any::<u8>(), 0..300), v6 in any::<bool>()) {
        let (mut a, _) = pair(|| config(GCM));
        if let Some(first) = packet.first_mut() {
            *first = if v6 { 0x60 } else { 0x45 };
        }
        if let Some(vnet) = twinbore_esp::packet::vnet::VnetHeader::parse(&vnet) {
            for sent in a.transmit(&[(vnet, packet)]) {
                prop_assert!(!sent.octets.is_empty());
            }
        }
    }
}
