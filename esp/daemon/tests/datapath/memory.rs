//! One end of a tunnel in memory: the cores of a worker with a TUN and a wire made of vectors.

use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

use twinbore_esp::batch::{Batch, Burst, Datagram, Link, SendReport};
use twinbore_esp::counters::{CounterSnapshot, Shard, TunShard};
use twinbore_esp::crypto::{Auth, SaKeys, Suite};
use twinbore_esp::events::{Event, IkeDatagram, IkeSink};
use twinbore_esp::inbound::{Inbound, TunSet};
use twinbore_esp::outbound::Outbound;
use twinbore_esp::packet::coalesce::{FrameSink, Joining};
use twinbore_esp::packet::segment::SuperPacket;
use twinbore_esp::packet::vnet::VnetHeader;
use twinbore_esp::sa::{Encap, Sa, SaConfig, SequenceState};
use twinbore_esp::selector::{IpPrefix, Selector};
use twinbore_esp::tables::{InboundPolicy, Outbound as OutboundPolicies, OutboundPolicy, Tables};
use twinbore_esp::tunnel::Tunnel;

pub const IF_ID: u32 = 7;
pub const SPI: u32 = 0xc0ff_ee01;
pub const MTU: u32 = 1406;

/// An ESP burst as it was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub tos: u8,
    pub segment: usize,
    pub octets: Vec<u8>,
}

/// The wire: keeps what is sent, and answers what it is told to.
#[derive(Default)]
pub struct Wire {
    pub sent: Vec<Sent>,
    pub path_mtu: Option<u32>,
}

impl Link for Wire {
    fn send(&mut self, burst: &Burst<'_>) -> SendReport {
        self.sent.push(Sent { tos: burst.tos, segment: burst.segment, octets: burst.octets.to_vec() });
        let sent = burst.octets.len().div_ceil(burst.segment);
        SendReport { sent, path_mtu: self.path_mtu, fell_back: self.path_mtu.is_some(), ..SendReport::default() }
    }
}

/// The TUN of [`IF_ID`]: keeps frames, and the packets they are cut into.
pub struct Tun {
    pub tunnel: Tunnel,
    pub present: bool,
    pub frames: usize,
    pub packets: Vec<Vec<u8>>,
}

impl FrameSink for Tun {
    fn write(&mut self, if_id: u32, _packets: usize, frame: &[IoSlice<'_>]) {
        assert_eq!(if_id, IF_ID, "a packet for another tunnel");
        let octets: Vec<u8> = frame.iter().flat_map(|part| part.to_vec()).collect();
        let (vnet, packet) = octets.split_first_chunk().expect("a virtio header");
        self.frames += 1;
        self.packets.extend(cut(&VnetHeader::parse(vnet).expect("a known kind"), packet));
    }
}

impl TunSet for Tun {
    fn counters(&self, _if_id: u32) -> Option<&TunShard> {
        self.present.then(|| self.tunnel.shard(0))
    }
}

/// The packets a kernel would make of a frame.
pub fn cut(vnet: &VnetHeader, packet: &[u8]) -> Vec<Vec<u8>> {
    let whole = SuperPacket::new(vnet, packet).expect("a well-formed frame");
    let one = |index| {
        let mut out = vec![0; whole.len(index)];
        whole.write(index, &mut out);
        out
    };
    (0..whole.count()).map(one).collect()
}

/// Keeps IKE datagrams.
#[derive(Default)]
pub struct Ike(pub Mutex<Vec<(SocketAddr, Vec<u8>)>>);

impl IkeSink for Ike {
    fn deliver(&self, datagram: IkeDatagram<'_>) {
        self.0.lock().unwrap().push((datagram.from, datagram.payload.to_vec()));
    }
}

/// One end.
pub struct End {
    pub tables: Tables,
    pub now: u64,
    pub wire: Wire,
    pub tun: Tun,
    pub ike: Ike,
    /// Of the last datagram: whether something in it was of use.
    pub useful: bool,
    shard: Shard,
    events: (Sender<Event>, Receiver<Event>),
    outbound: Outbound,
    inbound: Inbound,
}

impl End {
    pub fn new(tables: Tables) -> End {
        End {
            tables,
            now: 1000,
            wire: Wire::default(),
            tun: Tun { tunnel: Tunnel::new(IF_ID, MTU, 1), present: true, frames: 0, packets: Vec::new() },
            ike: Ike::default(),
            useful: false,
            shard: Shard::default(),
            events: mpsc::channel(),
            outbound: Outbound::default(),
            inbound: Inbound::new(Joining { tcp: true, udp: true }),
        }
    }

    /// A batch of frames from the TUN; gives what went out on the wire.
    pub fn transmit(&mut self, frames: &[(VnetHeader, Vec<u8>)]) -> Vec<Sent> {
        let tunnel = Tunnel::new(IF_ID, self.tun.tunnel.mtu(), 1);
        let (tables, shard, now) = (&self.tables, &self.shard, self.now);
        let batch = Batch { tables, worker: 0, shard, events: &self.events.0, now };
        for (vnet, packet) in frames {
            let frame = [&vnet.encode()[..], packet].concat();
            self.outbound.frame(&batch, &tunnel, &frame, &mut self.wire, &mut self.tun);
        }
        self.outbound.flush(&batch, &tunnel, &mut self.wire);
        std::mem::take(&mut self.wire.sent)
    }

    /// A batch of datagrams from the wire; gives the packets that came out of the TUN.
    pub fn receive(&mut self, datagrams: &[(Datagram, Vec<u8>)]) -> Vec<Vec<u8>> {
        let (tables, shard, now) = (&self.tables, &self.shard, self.now);
        let batch = Batch { tables, worker: 0, shard, events: &self.events.0, now };
        for (datagram, octets) in datagrams {
            self.useful = self.inbound.datagram(&batch, &mut octets.clone(), datagram, &self.ike, &mut self.tun);
        }
        self.inbound.flush(&mut self.tun);
        std::mem::take(&mut self.tun.packets)
    }

    /// As [`End::receive`], for bursts of [`End::transmit`] as GRO would give them.
    pub fn receive_bursts(&mut self, bursts: &[Sent]) -> Vec<Vec<u8>> {
        let datagrams: Vec<_> = bursts.iter().map(|sent| (datagram(sent), sent.octets.clone())).collect();
        self.receive(&datagrams)
    }

    pub fn events(&self) -> Vec<Event> {
        self.events.1.try_iter().collect()
    }

    /// Drops by reason, without zeros.
    pub fn drops(&self) -> Vec<(&'static str, u64)> {
        CounterSnapshot::sum([&self.shard]).drops.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    pub fn total(&self, name: &str) -> u64 {
        CounterSnapshot::sum([&self.shard]).totals[name]
    }
}

/// Where a burst of the peer comes from.
pub fn datagram(sent: &Sent) -> Datagram {
    Datagram {
        from: "192.0.2.1:4500".parse().unwrap(),
        local: local(),
        ifindex: 2,
        encapsulated: true,
        tos: sent.tos,
        segment: sent.segment,
    }
}

pub fn local() -> IpAddr {
    "198.51.100.1".parse().unwrap()
}

/// The parameters of the SA under test.
pub fn config(suite: Suite) -> SaConfig {
    let octets: Vec<u8> = (0..=255).collect();
    let key = usize::from(suite.key_bits()) / 8;
    let keys = match suite {
        Suite::AesCbc { auth, .. } => SaKeys::cbc_hmac(&octets[..key], &octets[100..100 + Auth::key_len(auth)]),
        _ => SaKeys::aead(&octets[..key + 4]).unwrap(),
    };
    SaConfig {
        spi: SPI,
        src: "192.0.2.1".parse().unwrap(),
        dst: local(),
        if_id: IF_ID,
        reqid: 1,
        suite,
        keys,
        encap: Some(Encap { src_port: 4500, dst_port: 4500 }),
        replay_window: 1024,
        esn: true,
        sequence: SequenceState::default(),
        copy_dscp: true,
        decap_dscp: false,
        ecn: true,
    }
}

/// Two ends with one SA from the first to the second, each with its own copy of it.
pub fn pair(config: impl Fn() -> SaConfig) -> (End, End) {
    let sa = || Arc::new(Sa::new(config()).unwrap());
    (
        End::new(outbound_tables(Some(sa()))),
        End::new(inbound_tables(sa(), InboundPolicy::Only(any_selectors().into()))),
    )
}

pub fn any_selectors() -> [Selector; 2] {
    ["0.0.0.0", "::"].map(|address| {
        let prefix = IpPrefix::new(address.parse().unwrap(), 0).unwrap();
        Selector::prefixes(prefix, prefix)
    })
}

pub fn outbound_tables(sa: Option<Arc<Sa>>) -> Tables {
    let policies = any_selectors().map(|selector| OutboundPolicy { selector, sa: sa.clone(), discard: false });
    let mut tables = Tables::new();
    tables.set_outbound(IF_ID, OutboundPolicies { policies: policies.into() });
    tables
}

pub fn inbound_tables(sa: Arc<Sa>, policy: InboundPolicy) -> Tables {
    let mut tables = Tables::new();
    tables.add_inbound(sa, policy);
    tables
}
