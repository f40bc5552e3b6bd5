//! A laboratory of four namespaces; removed when dropped, also after a failure.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use twinbore_esp::crypto::{Auth, SaKeys, Suite};
use twinbore_esp::dataplane::{Config, Dataplane, Event, IkeDatagram, IkeSink, TunSpec};
use twinbore_esp::netns;
use twinbore_esp::sa::{Encap, Sa, SaConfig, SequenceState};
use twinbore_esp::selector::{IpPrefix, Selector};
use twinbore_esp::tables::{InboundPolicy, Outbound, OutboundPolicy, Tables};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// What the ESP packets travel in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    UdpV4,
    UdpV6,
    RawV4,
    RawV6,
}

/// One end of the tunnel.
pub struct Side {
    pub dataplane: Dataplane,
    inside: String,
    underlay: String,
    events: Receiver<Event>,
    ike: Receiver<Ike>,
}

pub struct Lab {
    pub a: Side,
    pub b: Side,
    _namespaces: Namespaces,
}

struct Namespaces(Vec<String>);

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in &self.0 {
            let _ = Command::new("ip").args(["netns", "del", name]).output();
        }
    }
}

/// An IKE datagram as it was handed over.
#[derive(Debug, PartialEq, Eq)]
pub struct Ike {
    pub from: SocketAddr,
    pub local: IpAddr,
    pub has_ifindex: bool,
    pub payload: Vec<u8>,
}

struct Recorder(Mutex<Sender<Ike>>);

impl IkeSink for Recorder {
    fn deliver(&self, datagram: IkeDatagram<'_>) {
        let IkeDatagram { from, local, ifindex, payload } = datagram;
        let ike = Ike { from, local, has_ifindex: ifindex != 0, payload: payload.to_vec() };
        let _ = self.0.lock().unwrap().send(ike);
    }
}

impl Lab {
    pub fn new(suite: Suite, transport: Transport, workers: usize) -> Lab {
        let prefix = format!("tbdp{}x{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let name = |part: &str| format!("{prefix}-{part}");
        let names = ["ua", "ub", "ia", "ib"].map(name);
        let namespaces = Namespaces(names.to_vec());
        for name in &names {
            ip(&["netns", "add", name]);
            ip(&["-n", name, "link", "set", "lo", "up"]);
        }
        let [underlay_a, underlay_b, inside_a, inside_b] = names;
        ip(&["-n", &underlay_a, "link", "add", "wan", "type", "veth", "peer", "name", "wan", "netns", &underlay_b]);
        for (underlay, end) in [(&underlay_a, "1"), (&underlay_b, "2")] {
            ip(&["-n", underlay, "addr", "add", &format!("192.0.2.{end}/24"), "dev", "wan"]);
            ip(&["-n", underlay, "addr", "add", &format!("2001:db8::{end}/64"), "dev", "wan", "nodad"]);
            ip(&["-n", underlay, "link", "set", "wan", "up"]);
        }
        let a = Side::new(underlay_a, inside_a, 1, suite, transport, workers);
        let b = Side::new(underlay_b, inside_b, 2, suite, transport, workers);
        Lab { a, b, _namespaces: namespaces }
    }

    /// Pings from side a; panics unless all answers arrive.
    pub fn ping(&self, to: &str, count: u32, size: u32) {
        self.ping_with(to, count, size, &[]);
    }

    /// As [`Lab::ping`], with more options.
    pub fn ping_with(&self, to: &str, count: u32, size: u32, options: &[&str]) {
        let (count, size) = (count.to_string(), size.to_string());
        let fixed = ["ping", "-n", "-i", "0.05", "-W", "2", "-c", &count, "-s", &size];
        let output = self.a.run(&[&fixed, options, &[to]].concat());
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            text.contains(" 0% packet loss"),
            "ping {to}: {text}\na: {:?}\nb: {:?}",
            self.a.drops(),
            self.b.drops()
        );
    }

    /// Runs iperf3 from a to b and returns what the receiver got, in Gbit/s.
    pub fn iperf(&self, arguments: &[&str]) -> f64 {
        self.iperf_to("10.99.0.2", arguments)
    }

    /// As [`Lab::iperf`], to another address of b.
    pub fn iperf_to(&self, address: &str, arguments: &[&str]) -> f64 {
        let server = Killed(self.b.spawn(&["iperf3", "-s", "-1"]));
        thread::sleep(Duration::from_millis(300));
        let output = self.a.run(&[&["iperf3", "-c", address, "-f", "g"], arguments].concat());
        drop(server);
        let text = String::from_utf8_lossy(&output.stdout);
        let line = |tag: &str| {
            let of = |line: &&str| line.contains("receiver") && line.contains(tag);
            text.lines().rfind(of).map(str::to_owned)
        };
        let line = line("SUM")
            .or_else(|| line("receiver"))
            .unwrap_or_else(|| panic!("iperf3: {text} {}", String::from_utf8_lossy(&output.stderr)));
        let words: Vec<&str> = line.split_whitespace().collect();
        let unit = words.iter().position(|word| *word == "Gbits/sec").expect("a rate");
        words[unit - 1].parse().unwrap()
    }

    pub fn set_underlay_mtu(&self, mtu: u32) {
        for side in [&self.a, &self.b] {
            ip(&["-n", &side.underlay, "link", "set", "wan", "mtu", &mtu.to_string()]);
        }
    }

    pub fn has_interface(&self, side: &Side, name: &str) -> bool {
        Command::new("ip").args(["-n", &side.inside, "link", "show", name]).output().unwrap().status.success()
    }

    /// Sends a datagram from side b's underlay, port 4501, to port 4500 of side a.
    pub fn send_to_a(&self, to: &str, payload: &[u8]) {
        netns::run_in(Some(&self.b.underlay), || {
            let any = if to.contains('.') { "0.0.0.0:4501" } else { "[::]:4501" };
            UdpSocket::bind(any)?.send_to(payload, SocketAddr::new(to.parse().unwrap(), 4500))
        })
        .unwrap();
    }

    /// Waits for an IKE datagram handed over by side a.
    pub fn next_ike_of_a(&self) -> Ike {
        self.a.ike.recv_timeout(Duration::from_secs(5)).expect("a datagram within 5 s")
    }

    pub fn delete_interface(&self, side: &Side, name: &str) {
        ip(&["-n", &side.inside, "link", "del", name]);
    }

    pub fn link_local_addresses(&self, side: &Side, name: &str) -> String {
        let output = ip(&["-n", &side.inside, "-6", "-o", "addr", "show", "dev", name, "scope", "link"]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn mtu(&self, side: &Side, name: &str) -> u32 {
        let output = ip(&["-n", &side.inside, "-o", "link", "show", name]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let words: Vec<&str> = text.split_whitespace().collect();
        words[words.iter().position(|word| *word == "mtu").unwrap() + 1].parse().unwrap()
    }

    /// Waits for an event of side a.
    pub fn next_event_of_a(&self) -> Event {
        self.a.events.recv_timeout(Duration::from_secs(5)).expect("an event within 5 s")
    }

    pub fn events_of_a(&self) -> Vec<Event> {
        self.a.events.try_iter().collect()
    }
}

impl Side {
    fn new(underlay: String, inside: String, end: u8, suite: Suite, transport: Transport, workers: usize) -> Side {
        let (sender, events) = mpsc::channel();
        let (recorder, ike) = mpsc::channel();
        let recorder = Arc::new(Recorder(Mutex::new(recorder)));
        let config = Config { workers, natt_port: 4500 };
        let dataplane = netns::run_in(Some(&underlay), || Dataplane::start(config, sender, recorder)).unwrap();
        let name = format!("tun{end}");
        let spec = TunSpec { if_id: 1, netns: Some(inside.clone()), name: name.clone(), mtu: 1406 };
        dataplane.add_tun(&spec).unwrap();
        ip(&["-n", &inside, "addr", "add", &format!("10.99.0.{end}/30"), "dev", &name]);
        ip(&["-n", &inside, "addr", "add", &format!("fd99::{end}/64"), "dev", &name, "nodad"]);
        dataplane.publish(tables(end, suite, transport));
        Side { dataplane, inside, underlay, events, ike }
    }

    fn drops(&self) -> Vec<(&'static str, u64)> {
        self.dataplane.counters().drops.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.inside]).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::null()).spawn().unwrap()
    }
}

/// A child process that does not outlive the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ip(arguments: &[&str]) -> Output {
    let output = Command::new("ip").args(arguments).output().unwrap();
    assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn tables(end: u8, suite: Suite, transport: Transport) -> Tables {
    let address = |of: u8| match transport {
        Transport::UdpV4 | Transport::RawV4 => format!("192.0.2.{of}").parse().unwrap(),
        Transport::UdpV6 | Transport::RawV6 => format!("2001:db8::{of}").parse().unwrap(),
    };
    let udp = matches!(transport, Transport::UdpV4 | Transport::UdpV6);
    let sa = |from: u8, to: u8| {
        let octets: Vec<u8> = (0..=255).map(|octet: u8| octet ^ from).collect();
        let key = usize::from(suite.key_bits()) / 8;
        let keys = match suite {
            Suite::AesCbc { auth, .. } => SaKeys::cbc_hmac(&octets[..key], &octets[100..100 + Auth::key_len(auth)]),
            _ => SaKeys::aead(&octets[..key + 4]).unwrap(),
        };
        let config = SaConfig {
            spi: 0xc0ff_ee00 + u32::from(from),
            src: address(from),
            dst: address(to),
            if_id: 1,
            reqid: 1,
            suite,
            keys,
            encap: udp.then_some(Encap { src_port: 4500, dst_port: 4500 }),
            replay_window: 1024,
            esn: true,
            sequence: SequenceState::default(),
            copy_dscp: true,
            decap_dscp: false,
            ecn: true,
        };
        Arc::new(Sa::new(config).unwrap())
    };
    let (outgoing, incoming) = (sa(end, 3 - end), sa(3 - end, end));
    let any = |address: &str| IpPrefix::new(address.parse().unwrap(), 0).unwrap();
    let selectors = [any("0.0.0.0"), any("::")].map(|any| Selector::prefixes(any, any));
    let mut tables = Tables::new();
    tables.add_inbound(incoming, InboundPolicy::Only(selectors.into()));
    let policies =
        selectors.map(|selector| OutboundPolicy { selector, sa: Some(Arc::clone(&outgoing)), discard: false });
    tables.set_outbound(1, Outbound { policies: policies.into() });
    tables
}
