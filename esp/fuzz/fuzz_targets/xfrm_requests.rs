//! Sequences of netlink datagrams from charon: well-formed requests that meet each other, damaged ones, arbitrary octets;
//! with processes that come and go, time that passes and events of the data path in between.
//!
//! Every message has exactly one answer, which fits charon's buffer and echoes the request. What workers see is what the
//! databases say, after every step and whichever steps led there. An SA that is read, deleted and installed again with
//! what was read, as charon does to move it, is as it was.
#![no_main]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use twinbore_esp::events::Event;
use twinbore_esp::sa::SaConfig;
use twinbore_esp::tables::{InboundPolicy, Outbound, Tables};
use twinbore_esp::xfrm::Now;
use twinbore_esp::xfrm::engine::{Effects, Engine};
use twinbore_esp::xfrm::generation::Generation;
use twinbore_esp::xfrm::message::sa_id_record;
use twinbore_esp::xfrm::netlink::{MAX_MESSAGE, Message, attributes, messages};
use twinbore_esp::xfrm::publish::Snapshot;
use twinbore_esp::xfrm::records::{AeId, Record, SaInfo};
use twinbore_esp::xfrm::request::SaId;
use twinbore_esp::xfrm::uapi::{attr, msg};
use twinbore_esp_fuzz::{Script, netlink};

const MAX_STEPS: usize = 40;
/// NLMSG_ERROR, and EINVAL of errno-base.h.
const ERROR: u16 = 2;
const EINVAL: i32 = 22;

struct World {
    engine: Engine,
    snapshot: Snapshot,
    now: Now,
    /// The process that asks.
    pid: i32,
    generation: Generation,
}

fuzz_target!(|input: &[u8]| {
    let (mut script, mut world) = (Script::new(input), World::new());
    for _ in 0..MAX_STEPS {
        if script.is_empty() {
            break;
        }
        match script.below(10) {
            0 => {
                let len = usize::from(script.u8());
                world.datagram(script.octets(len));
            }
            1 => {
                let mut datagram = [netlink::any(&mut script), netlink::any(&mut script)].concat();
                script.damage(&mut datagram);
                world.datagram(&datagram);
            }
            2 => world.pass(&mut script),
            3 => world.event(&mut script),
            4 => world.move_sa(&mut script),
            _ => world.datagram(&netlink::any(&mut script)),
        }
        world.check();
    }
});

impl World {
    fn new() -> World {
        let mut next = 0u32;
        let mut engine = Engine::new(move || {
            next = next.wrapping_add(0x0123_4567);
            next
        });
        let (generation, _) = engine.generations.joined(1);
        let now = Now { monotonic: Duration::from_secs(1000), wall: 1_700_000_000 };
        World { engine, snapshot: Snapshot::default(), now, pid: 1, generation }
    }

    fn datagram(&mut self, datagram: &[u8]) {
        for message in messages(datagram) {
            match message {
                Ok(message) => drop(self.ask(&message)),
                Err(Some(header)) => {
                    let mut effects = Effects::default();
                    let answer = self.engine.refuse_malformed(&header, &mut effects);
                    assert_eq!(errno(&answer), Some(EINVAL));
                }
                Err(None) => {}
            }
        }
    }

    /// One request and its answer.
    fn ask(&mut self, message: &Message<'_>) -> Vec<u8> {
        let mut effects = Effects::default();
        let answer = self.engine.handle(message, self.generation, self.now, &mut effects);
        assert!(answer.len() <= MAX_MESSAGE, "an answer of {} octets", answer.len());
        let header = netlink::only(&answer).header;
        assert_eq!((header.seq, header.pid, header.flags), (message.header.seq, message.header.pid, 0));
        if matches!(message.header.kind, msg::GETSA | msg::GETAE | msg::GETPOLICY | msg::GETSPDINFO | msg::ALLOCSPI) {
            assert!(effects.changed.is_empty(), "a question changes nothing");
        }
        assert!(effects.notes.len() <= 1, "{:?}", effects.notes);
        self.follow(&effects);
        answer.to_vec()
    }

    fn follow(&mut self, effects: &Effects) {
        self.engine.refresh(&mut self.snapshot, &effects.changed);
        for notification in &effects.notifications {
            assert!(notification.group.is_power_of_two() && notification.octets.len() <= MAX_MESSAGE);
            netlink::only(&notification.octets);
        }
    }

    /// Time passes, or a process comes or goes.
    fn pass(&mut self, script: &mut Script<'_>) {
        let mut effects = Effects::default();
        match script.below(3) {
            0 => {
                let seconds = u64::from(script.u8());
                self.now.monotonic += Duration::from_secs(seconds);
                self.now.wall += seconds;
                self.engine.tick(self.now, &mut effects);
            }
            1 => {
                if let Some(generation) = self.engine.generations.left(self.pid) {
                    self.engine.generation_ended(generation, &mut effects);
                }
                self.pid += 1;
                (self.generation, _) = self.engine.generations.joined(self.pid);
            }
            _ => {
                self.engine.remove_tunnel(script.pick(&netlink::IF_IDS), &mut effects);
            }
        }
        self.follow(&effects);
    }

    fn event(&mut self, script: &mut Script<'_>) {
        let mut effects = Effects::default();
        let (spi, dst, if_id) =
            (script.pick(&netlink::SPIS), netlink::address(script), script.pick(&netlink::IF_IDS));
        let event = match script.below(4) {
            0 => Event::Mapping { spi, dst, new_addr: netlink::address(script), new_port: script.u16() },
            1 => Event::Acquire { if_id },
            2 => Event::SequenceExhausted { spi, dst },
            _ => {
                let installed = self.engine.sad.get(SaId { dst, spi });
                installed.inspect(|installed| {
                    installed.sa.usage.add(u64::from(script.u8()), u64::from(script.u16()), self.now.wall);
                    installed.sa.take_seqs(script.u64());
                });
                Event::TunLost { if_id }
            }
        };
        self.engine.data_event(event, &mut effects);
        self.follow(&effects);
    }

    /// GETSA, GETAE, DELSA and NEWSA with what they gave.
    fn move_sa(&mut self, script: &mut Script<'_>) {
        let nth = script.below(4);
        let Some(installed) = self.engine.sad.installed().nth(nth) else { return };
        let (id, lifetime, esn_layout) = (installed.id(), installed.lifetime(), installed.esn_layout);
        let (sequence, before) = (installed.sa.replay_state(), parameters(&installed.sa.config));
        let record = sa_id_record(id);
        let get = self.ask(&netlink::only(&netlink::request(msg::GETSA, &record, &[])));
        let get = netlink::only(&get);
        let ae = AeId { sa_id: record, ..AeId::default() };
        let replay = self.ask(&netlink::only(&netlink::request(msg::GETAE, &ae, &[])));
        let replay = netlink::only(&replay);
        assert_eq!((get.header.kind, replay.header.kind), (msg::NEWSA, msg::NEWAE));
        let (fixed, kept) = get.body.split_at(SaInfo::SIZE);
        let info = SaInfo::read(&mut twinbore_esp::xfrm::netlink::Reader::new(fixed)).expect("a structure");
        let given: Vec<(u16, Vec<u8>)> = attributes(kept)
            .chain(attributes(&replay.body[AeId::SIZE..]))
            .map(|attribute| attribute.expect("a well-formed attribute"))
            .map(|(kind, payload)| (kind, payload.to_vec()))
            .collect();
        assert!(given.iter().any(|(kind, _)| *kind == attr::LTIME_VAL));
        let deleted = self.ask(&netlink::only(&netlink::request(msg::DELSA, &record, &[])));
        assert_eq!(errno(&deleted), Some(0));
        let installed = self.ask(&netlink::only(&netlink::request(msg::NEWSA, &info, &given)));
        assert_eq!(errno(&installed), Some(0), "what was read is installed again");
        let again = self.engine.sad.get(id).expect("it is there");
        let short = |state: &twinbore_esp::sa::SequenceState| {
            state.in_seq <= u64::from(u32::MAX) && state.out_seq <= u64::from(u32::MAX)
        };
        assert_eq!(again.lifetime(), lifetime);
        if esn_layout || (again.sa.config.replay_window <= 32 && short(&sequence)) {
            assert_eq!(parameters(&again.sa.config), before);
            let now = again.sa.replay_state();
            assert_eq!((now.in_seq, now.out_seq), (sequence.in_seq, sequence.out_seq));
        }
    }

    /// Workers see what the databases say: the snapshot is as if it had been made anew.
    fn check(&self) {
        let mut fresh = Snapshot::default();
        let all: BTreeSet<u32> = netlink::IF_IDS.into_iter().chain(self.engine.sad.tunnels()).collect();
        self.engine.refresh(&mut fresh, &all);
        let (ours, fresh) = (self.snapshot.tables(), fresh.tables());
        for dst in netlink::ADDRESSES.map(|text| text.parse().expect("an address")) {
            for spi in netlink::SPIS {
                assert_eq!(received(ours, spi, dst), received(fresh, spi, dst), "SPI {spi:#x} at {dst}");
                if let Some(inbound) = ours.inbound(spi, dst) {
                    let installed = self.engine.sad.get(SaId { dst, spi }).expect("an SA in the database");
                    assert!(Arc::ptr_eq(&installed.sa, &inbound.sa), "workers have another SA than the database");
                }
            }
        }
        for if_id in all {
            assert_eq!(sent(ours.outbound(if_id), if_id), sent(fresh.outbound(if_id), if_id), "if_id {if_id}");
        }
    }
}

/// Of an SA, without its sequence numbers.
fn parameters(config: &SaConfig) -> String {
    let SaConfig { if_id, reqid, suite, encap, replay_window, esn, copy_dscp, decap_dscp, ecn, src, .. } = config;
    format!("{if_id} {reqid} {suite} {encap:?} {replay_window} {esn} {copy_dscp} {decap_dscp} {ecn} {src}")
}

/// What workers do with received packets of this SPI and address, to compare.
fn received(tables: &Tables, spi: u32, dst: std::net::IpAddr) -> Option<(usize, String)> {
    let inbound = tables.inbound(spi, dst)?;
    let policy = match &inbound.policy {
        InboundPolicy::Any => panic!("an SA without a policy lets nothing in"),
        InboundPolicy::Only(selectors) => format!("{selectors:?}"),
    };
    Some((Arc::as_ptr(&inbound.sa) as usize, policy))
}

fn sent(outbound: Option<&Outbound>, if_id: u32) -> Vec<(String, Option<usize>)> {
    let policies = outbound.map(|outbound| outbound.policies.as_slice()).unwrap_or_default();
    let one = |policy: &twinbore_esp::tables::OutboundPolicy| {
        let sa = policy.sa.as_ref();
        assert!(sa.is_none_or(|sa| sa.config.if_id == if_id), "an SA of another tunnel");
        (format!("{:?}", policy.selector), sa.map(|sa| Arc::as_ptr(sa) as usize))
    };
    policies.iter().map(one).collect()
}

/// The errno of an acknowledgement; `None` when it is an answer with data.
fn errno(answer: &[u8]) -> Option<i32> {
    let message = netlink::only(answer);
    (message.header.kind == ERROR).then(|| -i32::from_ne_bytes(*message.body.first_chunk().expect("an error")))
}
