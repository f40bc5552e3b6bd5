//! The data path as the targets see it: one worker in memory, its TUN devices and its wire made of vectors.
//!
//! Everything that depends on how the daemon's cores are called is here and nowhere else.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};

use twinbore_esp::batch::{Batch, Burst, Link};
pub use twinbore_esp::batch::{Datagram, SendReport};
use twinbore_esp::counters::{CounterSnapshot, DropReason, Shard, TunCounters, TunShard};
use twinbore_esp::crypto::SaKeys;
pub use twinbore_esp::crypto::{Auth, Suite};
use twinbore_esp::esp;
pub use twinbore_esp::events::Event;
use twinbore_esp::events::{IkeDatagram, IkeSink};
use twinbore_esp::inbound::{Inbound, TunSet};
use twinbore_esp::outbound::Outbound;
use twinbore_esp::packet::coalesce::{FrameSink, Joining};
pub use twinbore_esp::sa::{Encap, Sa, SaConfig, SequenceState};
use twinbore_esp::tables::Tables;
use twinbore_esp::tunnel::Tunnel;

use crate::model;

/// An SA for targets to vary, with keys that depend on its SPI.
pub fn sa_config(suite: Suite, spi: u32, src: IpAddr, dst: IpAddr) -> SaConfig {
    let octets: Vec<u8> = (0..=255u8).map(|octet| octet ^ spi as u8).collect();
    let key = usize::from(suite.key_bits()) / 8;
    let keys = match suite {
        Suite::AesCbc { auth, .. } => SaKeys::cbc_hmac(&octets[..key], &octets[100..100 + auth.key_len()]),
        _ => SaKeys::aead(&octets[..key + 4]).expect("a key and a salt"),
    };
    SaConfig {
        spi,
        src,
        dst,
        if_id: 1,
        reqid: 1,
        suite,
        keys,
        encap: None,
        replay_window: 64,
        esn: false,
        sequence: SequenceState::default(),
        copy_dscp: true,
        decap_dscp: false,
        ecn: true,
    }
}

/// An ESP packet with this text, which ends with pad length and next header and is a multiple of the suite's block.
pub fn seal(sa: &Sa, text: &[u8], seq: u64) -> Vec<u8> {
    let mut packet = sa.config.spi.to_be_bytes().to_vec();
    packet.extend((seq as u32).to_be_bytes());
    packet.resize(esp::payload_offset(sa), 0);
    packet.extend(text);
    packet.resize(packet.len() + sa.config.suite.icv_len(), 0);
    sa.cipher().seal(&mut packet, sa.config.esn.then_some((seq >> 32) as u32), seq);
    packet
}

/// What is in an ESP packet, and its next header; `None` when it is not accepted.
pub fn open(sa: &Sa, packet: &[u8]) -> Option<(Vec<u8>, u8)> {
    let mut packet = packet.to_vec();
    let opened = esp::open(sa, &mut sa.window(), &mut packet).ok()?;
    Some((packet[opened.inner].to_vec(), opened.next_header))
}

/// An ESP burst as it was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub dst: IpAddr,
    pub encap: Option<Encap>,
    pub tos: u8,
    pub segment: usize,
    pub octets: Vec<u8>,
    pub report: SendReport,
}

/// The wire: keeps what is sent, and answers as it is told to.
pub struct Wire {
    pub sent: Vec<Sent>,
    pub answer: fn(usize) -> SendReport,
}

impl Link for Wire {
    fn send(&mut self, burst: &Burst<'_>) -> SendReport {
        let report = (self.answer)(burst.octets.len().div_ceil(burst.segment));
        let Burst { dst, encap, tos, segment, octets, .. } = *burst;
        self.sent.push(Sent { dst, encap, tos, segment, octets: octets.to_vec(), report: report.clone() });
        report
    }
}

/// TUN devices: keep the packets that a kernel would make of what is written to them.
struct Tuns<'a> {
    tunnels: &'a BTreeMap<u32, Tunnel>,
    shard: &'a Shard,
    packets: Vec<(u32, Vec<u8>)>,
}

impl FrameSink for Tuns<'_> {
    fn write(&mut self, if_id: u32, packets: usize, frame: &[IoSlice<'_>]) {
        // As a worker does it.
        if !self.tunnels.contains_key(&if_id) {
            return self.shard.dropped(DropReason::NoTun, packets as u64);
        }
        let octets: Vec<u8> = frame.iter().flat_map(|part| part.to_vec()).collect();
        assert!(octets.len() <= 10 + 65535 + 40, "longer than any packet");
        let cut = model::segments(&octets).expect("a frame that the kernel takes");
        assert_eq!(cut.len(), packets, "the number of packets in a frame");
        self.packets.extend(cut.into_iter().map(|packet| (if_id, packet)));
    }
}

impl TunSet for Tuns<'_> {
    fn counters(&self, if_id: u32) -> Option<&TunShard> {
        self.tunnels.get(&if_id).map(|tunnel| tunnel.shard(0))
    }
}

struct Ike(Mutex<Vec<Vec<u8>>>);

impl IkeSink for Ike {
    fn deliver(&self, datagram: IkeDatagram<'_>) {
        self.0.lock().unwrap().push(datagram.payload.to_vec());
    }
}

/// One worker.
pub struct End {
    pub tables: Tables,
    /// Unix seconds.
    pub now: u64,
    pub wire: Wire,
    tunnels: BTreeMap<u32, Tunnel>,
    shard: Shard,
    events: (Sender<Event>, Receiver<Event>),
    inbound: Inbound,
    outbound: Outbound,
    ike: Ike,
}

impl End {
    /// `tunnels` are `if_id` and MTU of the TUN devices there are.
    pub fn new(tables: Tables, tunnels: &[(u32, u32)]) -> End {
        let tunnels = tunnels.iter().map(|(if_id, mtu)| (*if_id, Tunnel::new(*if_id, *mtu, 1))).collect();
        End {
            tables,
            now: 1000,
            wire: Wire { sent: Vec::new(), answer: |sent| SendReport { sent, ..SendReport::default() } },
            tunnels,
            shard: Shard::default(),
            events: mpsc::channel(),
            inbound: Inbound::new(Joining { tcp: true, udp: true }),
            outbound: Outbound::default(),
            ike: Ike(Mutex::new(Vec::new())),
        }
    }

    /// A batch of datagrams from the wire; gives what came out of TUN devices, with their `if_id`.
    pub fn receive(&mut self, datagrams: &[(Datagram, Vec<u8>)]) -> Vec<(u32, Vec<u8>)> {
        let batch =
            Batch { tables: &self.tables, worker: 0, shard: &self.shard, events: &self.events.0, now: self.now };
        let mut tuns = Tuns { tunnels: &self.tunnels, shard: &self.shard, packets: Vec::new() };
        for (datagram, octets) in datagrams {
            self.inbound.datagram(&batch, &mut octets.clone(), datagram, &self.ike, &mut tuns);
        }
        self.inbound.flush(&mut tuns);
        tuns.packets
    }

    /// Frames read from the TUN of `if_id`, one after the other, `before` called before each; gives what was written to
    /// TUN devices meanwhile.
    pub fn transmit(
        &mut self,
        if_id: u32,
        frames: &[Vec<u8>],
        mut before: impl FnMut(&Wire, &[u8]),
    ) -> Vec<(u32, Vec<u8>)> {
        let batch =
            Batch { tables: &self.tables, worker: 0, shard: &self.shard, events: &self.events.0, now: self.now };
        let mut tuns = Tuns { tunnels: &self.tunnels, shard: &self.shard, packets: Vec::new() };
        let tunnel = &self.tunnels[&if_id];
        for frame in frames {
            before(&self.wire, frame);
            self.outbound.frame(&batch, tunnel, frame, &mut self.wire, &mut tuns);
        }
        self.outbound.flush(&batch, tunnel, &mut self.wire);
        tuns.packets
    }

    pub fn events(&self) -> Vec<Event> {
        self.events.1.try_iter().collect()
    }

    pub fn take_ike(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.ike.0.lock().unwrap())
    }

    /// Drops by reason, without zeros.
    pub fn drops(&self) -> BTreeMap<&'static str, u64> {
        CounterSnapshot::sum([&self.shard]).drops.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    pub fn total(&self, name: &str) -> u64 {
        CounterSnapshot::sum([&self.shard]).totals[name]
    }

    pub fn tunnel(&self, if_id: u32) -> TunCounters {
        TunCounters::sum(self.tunnels[&if_id].shards())
    }
}

/// An SA twice: as the sender has it and as the receiver has it.
pub fn both_ends(config: impl Fn() -> SaConfig) -> (Arc<Sa>, Arc<Sa>) {
    let sa = || Arc::new(Sa::new(config()).expect("parameters that fit"));
    (sa(), sa())
}
