use super::*;
use crate::sa::SequenceState;
use crate::xfrm::netlink::{Reader, attributes};
use crate::xfrm::records::{Id, LifetimeCurrent, PolicyIdRecord, Record, ReplayState, SaIdRecord, SaInfo, SpiRange};
use crate::xfrm::replay_state;
use crate::xfrm::request::{PolicyRequest, SaId};
use crate::xfrm::testing::{IF_ID, LOCAL, NOW, PEER, REQID, errno, message, only, policy, sa_attributes, sa_info};
use crate::xfrm::uapi::attr;

/// An engine with one client that counts SPIs up from the minimum.
struct Bench {
    engine: Engine,
    generation: Generation,
}

impl Bench {
    fn new() -> Bench {
        let mut next = 0;
        let mut engine = Engine::new(move || {
            next += 1;
            next - 1
        });
        let (generation, _) = engine.generations.joined(1);
        Bench { engine, generation }
    }

    fn ask(&mut self, request: &[u8]) -> (Octets, Effects) {
        let mut effects = Effects::default();
        let answer = self.engine.handle(&only(request), self.generation, NOW, &mut effects);
        (answer, effects)
    }

    /// Asks for what is acknowledged, and returns the errno.
    fn act(&mut self, kind: u16, body: &impl Record, attributes: &[(u16, Vec<u8>)]) -> i32 {
        errno(&self.ask(&message(kind, body, attributes)).0)
    }

    fn act_policy(&mut self, kind: u16, request: &PolicyRequest) -> i32 {
        self.act(kind, &request.info, &policy_attributes(request))
    }

    /// Installs what charon installs: a reserved SPI completed, an outbound SA, three policies.
    fn establish(&mut self) -> u32 {
        let range = SpiRange { info: sa_info(0, false), min: 0xc000_0000, max: 0xcfff_ffff };
        let answer = self.ask(&message(msg::ALLOCSPI, &range, &[])).0;
        let info = SaInfo::read(&mut Reader::new(only(&answer).body)).unwrap();
        assert_eq!(self.act(msg::UPDSA, &sa_info(info.id.spi, false), &sa_attributes()), 0);
        assert_eq!(self.act(msg::NEWSA, &sa_info(0xb1b1, true), &sa_attributes()), 0);
        for (direction, spi) in [(Direction::In, 0), (Direction::Forward, 0), (Direction::Out, 0xb1b1)] {
            assert_eq!(self.act_policy(msg::NEWPOLICY, &policy(IF_ID, direction, "0.0.0.0/0", "0.0.0.0/0", spi)), 0);
        }
        info.id.spi
    }
}

fn policy_attributes(request: &PolicyRequest) -> Vec<(u16, Vec<u8>)> {
    vec![(attr::TMPL, request.template.unwrap().to_vec()), (attr::IF_ID, request.id.if_id.to_ne_bytes().to_vec())]
}

fn id(spi: u32, dst: [u8; 4]) -> SaIdRecord {
    message::sa_id_record(SaId { dst: dst.into(), spi })
}

#[test]
fn charon_finds_out_about_thresholds_first() {
    let request =
        [&20u32.to_ne_bytes()[..], &msg::GETSPDINFO.to_ne_bytes(), &[1, 0, 42, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]];
    let (answer, _) = Bench::new().ask(&request.concat());
    let message = only(&answer);
    assert_eq!((message.header.kind, message.header.seq, message.header.pid), (msg::NEWSPDINFO, 42, 7));
    let found: Vec<_> = attributes(&message.body[4..]).map(Result::unwrap).collect();
    assert!(found.contains(&(3, &[32, 32])) && found.contains(&(4, &[128, 128])));
}

#[test]
fn establishing_publishes_and_logs_without_keys() {
    let mut bench = Bench::new();
    assert_eq!(bench.establish(), 0xc000_0000);
    let (_, effects) = bench.ask(&message(msg::NEWSA, &sa_info(0xb2b2, true), &sa_attributes()));
    assert_eq!(effects.changed, [IF_ID].into());
    assert_eq!(
        effects.notes,
        ["SA installed: spi 0000b2b2 192.0.2.1 > 198.51.100.1 if_id 7 reqid 3 aes-gcm-16-128".to_owned()]
    );
    let mut snapshot = Snapshot::default();
    bench.engine.refresh(&mut snapshot, &effects.changed);
    assert!(snapshot.tables().inbound(0xc000_0000, LOCAL.into()).is_some());
}

#[test]
fn what_exists_and_what_does_not() {
    let mut bench = Bench::new();
    assert_eq!(bench.act(msg::UPDSA, &sa_info(0xa1a1, false), &sa_attributes()), libc::ESRCH);
    assert_eq!(bench.act(msg::DELSA, &id(0xa1a1, LOCAL), &[]), libc::ESRCH);
    assert_eq!(bench.act(msg::GETSA, &id(0xa1a1, LOCAL), &[]), libc::ESRCH);
    let spi = bench.establish();
    assert_eq!(bench.act(msg::NEWSA, &sa_info(spi, false), &sa_attributes()), libc::EEXIST);
    let out = policy(IF_ID, Direction::Out, "0.0.0.0/0", "0.0.0.0/0", 0xb1b1);
    assert_eq!(bench.act_policy(msg::NEWPOLICY, &out), libc::EEXIST);
    assert_eq!(bench.act_policy(msg::UPDPOLICY, &out), 0);
    let record = PolicyIdRecord { sel: out.id.selector, index: 0, dir: 1 };
    assert_eq!(bench.act(msg::DELPOLICY, &record, &[]), libc::ENOENT);
    let if_id = [(attr::IF_ID, IF_ID.to_ne_bytes().to_vec())];
    assert_eq!(bench.act(msg::DELPOLICY, &record, &if_id), 0);
    assert_eq!(bench.act(msg::GETPOLICY, &record, &if_id), libc::ENOENT);
    assert_eq!(bench.act(msg::DELSA, &id(spi, LOCAL), &[]), 0);
    assert_eq!(bench.act(msg::DELSA, &id(spi, LOCAL), &[]), libc::ESRCH);
}

/// What GETSA says of the replay state of an outbound SA with extended sequence numbers, after nine packets.
fn reported_state(window: u32, says_direction: bool) -> Option<SequenceState> {
    let mut bench = Bench::new();
    let info = SaInfo { flags: crate::xfrm::uapi::STATE_ESN, ..sa_info(0xb1b1, true) };
    let fresh = SequenceState { bitmap: vec![0; window as usize / 32], ..SequenceState::default() };
    let mut with = sa_attributes();
    with.push((attr::REPLAY_ESN_VAL, replay_state::to_esn(&fresh, window)));
    if says_direction {
        with.push((attr::SA_DIR, vec![2]));
    }
    assert_eq!(bench.act(msg::NEWSA, &info, &with), 0);
    bench.engine.sad.get(SaId { dst: PEER.into(), spi: 0xb1b1 }).unwrap().sa.take_seqs(9);
    let (answer, _) = bench.ask(&message(msg::GETSA, &id(0xb1b1, PEER), &[]));
    let mut reader = Reader::new(only(&answer).body);
    SaInfo::read(&mut reader).unwrap();
    let found = attributes(reader.rest()).map(Result::unwrap).find(|(kind, _)| *kind == attr::REPLAY_ESN_VAL)?;
    Some(replay_state::from_esn(found.1).unwrap().0)
}

#[test]
fn the_replay_state_comes_with_the_sa_where_charon_has_room_for_it() {
    for (window, says_direction) in [(0, false), (1024, false), (0, true), (2048, true)] {
        assert_eq!(reported_state(window, says_direction).unwrap().out_seq, 9, "{window} {says_direction}");
    }
    assert_eq!(reported_state(2048, false), None);
}

#[test]
fn an_sa_is_moved_as_charon_moves_it() {
    let mut bench = Bench::new();
    bench.establish();
    bench.engine.sad.get(SaId { dst: PEER.into(), spi: 0xb1b1 }).unwrap().sa.take_seqs(9);
    let (answer, _) = bench.ask(&message(msg::GETSA, &id(0xb1b1, PEER), &[]));
    let read = only(&answer);
    assert_eq!(read.header.kind, msg::NEWSA);
    let mut reader = Reader::new(read.body);
    let mut info = SaInfo::read(&mut reader).unwrap();
    let mut kept: Vec<(u16, Vec<u8>)> =
        attributes(reader.rest()).map(|a| a.map(|(kind, payload)| (kind, payload.to_vec())).unwrap()).collect();
    assert_eq!(kept, sa_attributes());

    let query = AeId { sa_id: id(0xb1b1, PEER), ..AeId::default() };
    let (answer, _) = bench.ask(&message(msg::GETAE, &query, &[]));
    let read = only(&answer);
    assert_eq!(read.header.kind, msg::NEWAE);
    let mut reader = Reader::new(read.body);
    let found = AeId::read(&mut reader).unwrap();
    assert_eq!((found.reqid, found.saddr), (REQID, crate::xfrm::testing::address(LOCAL)));
    let state: Vec<(u16, Vec<u8>)> =
        attributes(reader.rest()).map(|a| a.map(|(kind, payload)| (kind, payload.to_vec())).unwrap()).collect();
    assert_eq!(state.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [attr::REPLAY_VAL, attr::LTIME_VAL]);
    assert_eq!(ReplayState::read(&mut Reader::new(&state[0].1)).unwrap().oseq, 9);
    assert_eq!(LifetimeCurrent::read(&mut Reader::new(&state[1].1)).unwrap().add_time, NOW.wall);

    assert_eq!(bench.act(msg::DELSA, &id(0xb1b1, PEER), &[]), 0);
    info.id = Id { daddr: crate::xfrm::testing::address([203, 0, 113, 5]), ..info.id };
    kept.extend(state);
    assert_eq!(bench.act(msg::NEWSA, &info, &kept), 0);
    let moved = bench.engine.sad.get(SaId { dst: [203, 0, 113, 5].into(), spi: 0xb1b1 }).unwrap();
    assert_eq!(moved.sa.take_seqs(1), Some(10));
}

#[test]
fn a_policy_reports_when_its_sas_were_used() {
    let mut bench = Bench::new();
    let spi = bench.establish();
    bench.engine.sad.get(SaId { dst: LOCAL.into(), spi }).unwrap().sa.usage.add(1, 1, NOW.wall + 5);
    bench.engine.sad.get(SaId { dst: PEER.into(), spi: 0xb1b1 }).unwrap().sa.usage.add(1, 1, NOW.wall + 9);
    let if_id = [(attr::IF_ID, IF_ID.to_ne_bytes().to_vec())];
    let selector = policy(IF_ID, Direction::In, "0.0.0.0/0", "0.0.0.0/0", 0).id.selector;
    for (dir, used) in [(0, 5), (1, 9), (2, 5)] {
        let record = PolicyIdRecord { sel: selector, index: 0, dir };
        let (answer, _) = bench.ask(&message(msg::GETPOLICY, &record, &if_id));
        let read = only(&answer);
        assert_eq!(read.header.kind, msg::NEWPOLICY);
        let info = PolicyInfo::read(&mut Reader::new(read.body)).unwrap();
        assert_eq!((info.dir, info.curlft.use_time), (dir, NOW.wall + used));
    }
}

#[test]
fn a_flush_empties_the_databases() {
    let mut bench = Bench::new();
    bench.establish();
    let flush = |kind: u16, body: &[u8]| {
        let header = Header { len: 16, kind, flags: 5, seq: 42, pid: 7 };
        (header, body.to_vec())
    };
    for (header, body) in [flush(msg::FLUSHSA, &[50]), flush(msg::FLUSHPOLICY, &[])] {
        let mut effects = Effects::default();
        let message = Message { header, body: &body };
        assert_eq!(errno(&bench.engine.handle(&message, bench.generation, NOW, &mut effects)), 0);
        assert_eq!(effects.changed, [IF_ID].into());
    }
    assert_eq!((bench.engine.sad.installed().count(), bench.engine.spd.len()), (0, 0));
}

#[test]
fn refusals_are_logged_and_questions_are_not() {
    let mut bench = Bench::new();
    let (answer, effects) = bench.ask(&message(msg::NEWAE, &AeId::default(), &[]));
    assert_eq!((errno(&answer), effects.notes.len()), (libc::EOPNOTSUPP, 1));
    assert_eq!(effects.notes[0], "NEWAE refused: message type 0x1e");
    let (answer, effects) = bench.ask(&message(msg::DELSA, &id(1, LOCAL), &[]));
    assert_eq!((errno(&answer), effects.notes.len(), effects.changed.len()), (libc::ESRCH, 0, 0));
}

#[test]
fn a_tunnel_is_removed_as_a_whole() {
    let mut bench = Bench::new();
    bench.establish();
    let mut remove = |if_id| {
        let mut effects = Effects::default();
        (bench.engine.remove_tunnel(if_id, &mut effects), effects.changed)
    };
    assert_eq!(remove(IF_ID + 1), ((0, 0), [].into()));
    assert_eq!(remove(IF_ID), ((2, 3), [IF_ID].into()));
    assert_eq!(remove(IF_ID), ((0, 0), [].into()));
}

#[test]
fn an_sa_that_goes_to_another_tunnel_leaves_the_first() {
    let mut bench = Bench::new();
    let spi = bench.establish();
    let (mut snapshot, before) = (Snapshot::default(), BTreeSet::from([IF_ID]));
    bench.engine.refresh(&mut snapshot, &before);
    for if_id in [IF_ID + 1, IF_ID - 1] {
        let mut attributes = sa_attributes();
        attributes.retain(|(kind, _)| *kind != attr::IF_ID);
        attributes.push((attr::IF_ID, if_id.to_ne_bytes().to_vec()));
        let (_, effects) = bench.ask(&message(msg::UPDSA, &sa_info(spi, false), &attributes));
        bench.engine.refresh(&mut snapshot, &effects.changed);
        let sa = &snapshot.tables().inbound(spi, LOCAL.into()).unwrap().sa;
        assert_eq!(sa.config.if_id, if_id);
    }
}
