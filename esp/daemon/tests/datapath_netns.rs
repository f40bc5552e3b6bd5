//! Two data paths with real sockets and TUN devices, back to back over a veth pair.
//!
//! ```text
//! inside-a ── TUN ── [underlay-a] ══ veth, ESP ══ [underlay-b] ── TUN ── inside-b
//! ```
//!
//! Each box is a network namespace; the TUN of each side lives in the "inside" namespace while its data path is in the
//! underlay, as on a gateway. Needs root, /dev/net/tun, ip, ping and iperf3, and so does not run by itself:
//! `cargo test --release --test datapath_netns -- --ignored --nocapture`. The throughput test prints what it measures;
//! `IPERF_SECONDS` sets its length.

#[path = "datapath/lab.rs"]
mod lab;

use lab::{Lab, Transport};
use twinbore_esp::crypto::{Auth, Suite};
use twinbore_esp::dataplane::Event;

const GCM: Suite = Suite::AesGcm16 { key_bits: 128 };
const CBC: Suite = Suite::AesCbc { key_bits: 256, auth: Auth::HmacSha256_128 };

#[test]
#[ignore = "needs root"]
fn packets_of_both_versions_pass_over_every_transport() {
    for transport in [Transport::UdpV4, Transport::UdpV6, Transport::RawV4, Transport::RawV6] {
        for suite in [GCM, CBC] {
            let lab = Lab::new(suite, transport, 2);
            lab.ping("10.99.0.2", 3, 56);
            lab.ping_with("10.99.0.2", 2, 56, &["-Q", "0xba"]);
            lab.ping("fd99::2", 3, 56);
            lab.ping("10.99.0.2", 2, 4000);
            let counters = lab.a.dataplane.counters();
            assert!(counters.totals["esp_sent"] >= 8, "{transport:?} {counters:?}");
            let tun = lab.a.dataplane.tun_counters(1).unwrap();
            assert!(tun.rx_packets >= 8 && tun.tx_packets >= 8, "{transport:?} {tun:?}");
            assert_eq!(counters.drops.values().sum::<u64>(), 0, "{transport:?} {counters:?}");
        }
    }
}

#[test]
#[ignore = "needs root"]
fn a_removed_tun_is_gone_and_its_name_free() {
    let lab = Lab::new(GCM, Transport::UdpV4, 2);
    lab.ping("10.99.0.2", 1, 56);
    let spec = lab.a.dataplane.tuns()[0].spec.clone();
    assert_eq!(lab.a.dataplane.add_tun(&spec).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    assert!(lab.a.dataplane.remove_tun(1).unwrap());
    assert!(!lab.a.dataplane.remove_tun(1).unwrap());
    assert!(!lab.has_interface(&lab.a, &spec.name));
    lab.a.dataplane.add_tun(&spec).unwrap();
    assert!(lab.has_interface(&lab.a, &spec.name));
    lab.a.dataplane.set_mtu(1, 1300).unwrap();
    assert_eq!(lab.mtu(&lab.a, &spec.name), 1300);
}

#[test]
#[ignore = "needs root"]
fn a_device_deleted_by_somebody_else_is_noticed_and_can_be_made_again() {
    let lab = Lab::new(GCM, Transport::UdpV4, 2);
    let spec = lab.a.dataplane.tuns()[0].spec.clone();
    lab.delete_interface(&lab.a, &spec.name);
    assert_eq!(lab.next_event_of_a(), Event::TunLost { if_id: 1 });
    assert!(lab.a.dataplane.tuns()[0].lost);
    assert!(lab.a.dataplane.remove_tun(1).unwrap());
    lab.a.dataplane.add_tun(&spec).unwrap();
    assert!(lab.has_interface(&lab.a, &spec.name) && !lab.a.dataplane.tuns()[0].lost);
    assert!(lab.events_of_a().is_empty());
}

#[test]
#[ignore = "needs root"]
fn a_tunnel_carries_nothing_of_its_own() {
    let lab = Lab::new(GCM, Transport::UdpV4, 1);
    assert_eq!(lab.link_local_addresses(&lab.a, "tun1"), "");
}

#[test]
#[ignore = "needs root"]
fn ike_on_the_encapsulation_port_is_handed_over_and_keepalives_are_not() {
    let lab = Lab::new(GCM, Transport::UdpV4, 2);
    for (to, from) in [("192.0.2.1", "192.0.2.2:4501"), ("2001:db8::1", "[2001:db8::2]:4501")] {
        lab.send_to_a(to, &[0xff]);
        lab.send_to_a(to, b"\0\0\0\0IKE message");
        let ike = lab.next_ike_of_a();
        assert_eq!((ike.from, ike.local), (from.parse().unwrap(), to.parse().unwrap()));
        assert!(ike.has_ifindex);
        assert_eq!(ike.payload, b"\0\0\0\0IKE message");
    }
    assert_eq!(lab.a.dataplane.counters().totals["keepalives"], 2);
}

#[test]
#[ignore = "needs root"]
fn a_smaller_path_mtu_is_learned_and_told_to_senders() {
    let lab = Lab::new(GCM, Transport::UdpV4, 1);
    lab.set_underlay_mtu(1300);
    let moved = lab.iperf(&["-t", "2"]);
    assert!(moved > 0.01, "{moved} Gbit/s");
    let counters = lab.a.dataplane.counters();
    assert!(counters.totals["gso_fallbacks"] > 0 && counters.totals["too_big_sent"] > 0, "{counters:?}");
    assert!(lab.events_of_a().is_empty(), "no offload is switched off for it");
}

#[test]
#[ignore = "needs root"]
fn bulk_traffic_flows_over_ipv6_and_as_datagrams() {
    let lab = Lab::new(GCM, Transport::UdpV6, 2);
    let tcp = lab.iperf_to("fd99::2", &["-t", "1"]);
    assert!(tcp > 0.1, "{tcp} Gbit/s");
    for address in ["10.99.0.2", "fd99::2"] {
        let before = lab.b.dataplane.counters().totals;
        let udp = lab.iperf_to(address, &["-u", "-b", "200M", "-l", "1200", "-t", "1"]);
        assert!(udp > 0.1, "{udp} Gbit/s");
        let after = lab.b.dataplane.counters().totals;
        println!(
            "{address}: {udp} Gbit/s of UDP, {} packets in {} writes to the TUN",
            after["esp_received"] - before["esp_received"],
            after["tun_writes"] - before["tun_writes"]
        );
    }
}

#[test]
#[ignore = "needs root"]
fn bulk_traffic_flows() {
    let seconds = std::env::var("IPERF_SECONDS").unwrap_or_else(|_| "2".to_owned());
    for (name, suite, transport) in [
        ("AES-128-GCM in UDP", GCM, Transport::UdpV4),
        ("AES-256-CBC, SHA-256 in UDP", CBC, Transport::UdpV4),
        ("AES-128-GCM, protocol 50", GCM, Transport::RawV4),
    ] {
        let lab = Lab::new(suite, transport, 2);
        let one = lab.iperf(&["-t", &seconds]);
        let four = lab.iperf(&["-t", &seconds, "-P", "4"]);
        let reverse = lab.iperf(&["-t", &seconds, "-R"]);
        println!("{name}: {one:.2} Gbit/s with 1 TCP stream, {four:.2} with 4, {reverse:.2} reverse");
        println!("  a: {:?}", lab.a.dataplane.counters());
        println!("  b: {:?}", lab.b.dataplane.counters());
        assert!(one > 0.1 && four > 0.1 && reverse > 0.1);
    }
}
