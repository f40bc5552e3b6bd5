use super::*;
use crate::xfrm::message::Notification;
use crate::xfrm::netlink::{Reader, attributes};
use crate::xfrm::records::{Acquire, Expire, Mapping, Record, Template};
use crate::xfrm::testing::{IF_ID, LOCAL, NOW, PEER, REQID, after, only, policy, sa_request};
use crate::xfrm::uapi::{attr, group, msg};

const FIRST: i32 = 100;
const SECOND: i32 = 200;

fn engine() -> Engine {
    Engine::new(|| 0)
}

/// A process connects and installs a pair of SAs with the SPIs given and the policies of charon.
fn establish(engine: &mut Engine, pid: i32, spi_in: u32, spi_out: u32, now: Now) -> Generation {
    let (generation, _) = engine.generations.joined(pid);
    engine.sad.add(sa_request(spi_in, false), generation, now).unwrap();
    engine.sad.add(sa_request(spi_out, true), generation, now).unwrap();
    for (direction, spi) in [(Direction::In, 0), (Direction::Forward, 0), (Direction::Out, spi_out)] {
        engine.spd.update(policy(IF_ID, direction, "0.0.0.0/0", "0.0.0.0/0", spi), generation, now);
    }
    generation
}

fn tick(engine: &mut Engine, now: Now) -> Effects {
    let mut effects = Effects::default();
    engine.tick(now, &mut effects);
    effects
}

fn tell(engine: &mut Engine, event: Event) -> Effects {
    let mut effects = Effects::default();
    engine.data_event(event, &mut effects);
    effects
}

/// SPIs of what is installed.
fn spis(engine: &Engine) -> BTreeSet<u32> {
    engine.sad.installed().map(|installed| installed.sa.config.spi).collect()
}

/// (SPI, hard) of each EXPIRE.
fn expired(notifications: &[Notification]) -> Vec<(u32, u8)> {
    let read = |notification: &Notification| {
        assert_eq!(notification.group, group::EXPIRE);
        let message = only(&notification.octets);
        assert_eq!(message.header.kind, msg::EXPIRE);
        let record = Expire::read(&mut Reader::new(message.body)).unwrap();
        (record.state.id.spi, record.hard)
    };
    notifications.iter().map(read).collect()
}

#[test]
fn lifetimes_are_told_once_each_and_the_hard_one_removes() {
    let mut engine = engine();
    establish(&mut engine, FIRST, 0xa1a1, 0xb1b1, NOW);
    assert!(tick(&mut engine, after(59)).notifications.is_empty());
    let soft = tick(&mut engine, after(60));
    assert_eq!(expired(&soft.notifications), [(0xa1a1, 0), (0xb1b1, 0)]);
    assert!(soft.changed.is_empty());
    assert!(tick(&mut engine, after(61)).notifications.is_empty());
    let hard = tick(&mut engine, after(66));
    assert_eq!(expired(&hard.notifications), [(0xa1a1, 1), (0xb1b1, 1)]);
    assert_eq!((hard.changed, spis(&engine)), ([IF_ID].into(), [].into()));
    assert!(tick(&mut engine, after(67)).notifications.is_empty());
}

#[test]
fn orphans_carry_traffic_until_their_hard_lifetime() {
    let mut engine = engine();
    establish(&mut engine, FIRST, 0xa1a1, 0xb1b1, NOW);
    let generation = engine.generations.left(FIRST).unwrap();
    let mut effects = Effects::default();
    engine.generation_ended(generation, &mut effects);
    assert!(effects.notes[0].contains("leaves 2 SAs"));
    assert!(tick(&mut engine, after(59)).changed.is_empty());
    assert_eq!((spis(&engine).len(), engine.spd.len()), (2, 3));
    assert!(engine.sad.installed().all(|installed| engine.is_orphan(installed)));
    assert_eq!(tick(&mut engine, after(66)).changed, [IF_ID].into());
    assert_eq!((spis(&engine).len(), engine.spd.len()), (0, 0));
}

#[test]
fn orphans_go_ten_seconds_after_a_newer_pair() {
    let mut engine = engine();
    establish(&mut engine, FIRST, 0xa1a1, 0xb1b1, NOW);
    engine.generations.left(FIRST);
    let second = establish(&mut engine, SECOND, 0xa2a2, 0xb2b2, after(20));
    tick(&mut engine, after(29));
    assert_eq!(spis(&engine), [0xa1a1, 0xa2a2, 0xb1b1, 0xb2b2].into());
    let effects = tick(&mut engine, after(30));
    assert_eq!(effects.changed, [IF_ID].into());
    assert!(effects.notes.iter().all(|note| note.starts_with("orphan replaced")));
    assert_eq!(spis(&engine), [0xa2a2, 0xb2b2].into());
    assert!(engine.spd.iter().all(|(_, policy)| policy.generation == second));
}

#[test]
fn half_a_pair_and_other_tunnels_replace_nothing() {
    let mut engine = engine();
    establish(&mut engine, FIRST, 0xa1a1, 0xb1b1, NOW);
    engine.generations.left(FIRST);
    let (second, _) = engine.generations.joined(SECOND);
    engine.sad.add(sa_request(0xa2a2, false), second, after(1)).unwrap();
    let mut elsewhere = [sa_request(0xa3a3, false), sa_request(0xb3b3, true)];
    elsewhere.iter_mut().for_each(|request| request.if_id = IF_ID + 1);
    for request in elsewhere {
        engine.sad.add(request, second, after(1)).unwrap();
    }
    tick(&mut engine, after(30));
    assert!(spis(&engine).is_superset(&[0xa1a1, 0xb1b1].into()));
}

#[test]
fn a_connected_process_keeps_its_sas_beside_a_newer_one() {
    let mut engine = engine();
    establish(&mut engine, FIRST, 0xa1a1, 0xb1b1, NOW);
    establish(&mut engine, SECOND, 0xa2a2, 0xb2b2, after(1));
    tick(&mut engine, after(30));
    assert_eq!(spis(&engine).len(), 4);
}

#[test]
fn policies_of_the_dead_that_nobody_took_over_go_with_their_sas() {
    let mut engine = engine();
    let first = establish(&mut engine, FIRST, 0xa1a1, 0xb1b1, NOW);
    engine.spd.update(policy(IF_ID, Direction::Out, "10.0.0.0/8", "0.0.0.0/0", 0xb1b1), first, NOW);
    engine.generations.left(FIRST);
    establish(&mut engine, SECOND, 0xa2a2, 0xb2b2, after(1));
    assert_eq!(engine.spd.len(), 4);
    tick(&mut engine, after(11));
    assert_eq!(engine.spd.len(), 3);
}

#[test]
fn a_packet_without_sa_asks_for_one() {
    let mut engine = engine();
    let (generation, _) = engine.generations.joined(FIRST);
    assert!(tell(&mut engine, Event::Acquire { if_id: IF_ID }).notifications.is_empty());
    engine.spd.update(policy(IF_ID, Direction::Out, "10.1.0.0/16", "10.2.0.0/16", 0), generation, NOW);
    let effects = tell(&mut engine, Event::Acquire { if_id: IF_ID });
    let [notification] = &effects.notifications[..] else { panic!("{effects:?}") };
    let message = only(&notification.octets);
    assert_eq!((notification.group, message.header.kind), (group::ACQUIRE, msg::ACQUIRE));
    let mut reader = Reader::new(message.body);
    let acquire = Acquire::read(&mut reader).unwrap();
    assert_eq!((acquire.id.proto, acquire.id.spi, acquire.sel.prefixlen_d), (50, 0, 16));
    let found: Vec<_> = attributes(reader.rest()).map(Result::unwrap).collect();
    assert_eq!(found[0].0, attr::TMPL);
    assert_eq!(Template::read(&mut Reader::new(found[0].1)).unwrap().reqid, REQID);

    engine.sad.add(sa_request(0xb1b1, true), generation, NOW).unwrap();
    assert!(tell(&mut engine, Event::Acquire { if_id: IF_ID }).notifications.is_empty());
}

#[test]
fn a_moved_peer_is_announced_with_both_ports() {
    let mut engine = engine();
    let (generation, _) = engine.generations.joined(FIRST);
    let mut request = sa_request(0xa1a1, false);
    request.encap = Some(crate::sa::Encap { src_port: 4500, dst_port: 4500 });
    engine.sad.add(request, generation, NOW).unwrap();
    let moved = |spi| Event::Mapping { spi, dst: LOCAL.into(), new_addr: [203, 0, 113, 9].into(), new_port: 14500 };
    assert!(tell(&mut engine, moved(0xffff)).notifications.is_empty());
    let effects = tell(&mut engine, moved(0xa1a1));
    let message = only(&effects.notifications[0].octets);
    assert_eq!((effects.notifications[0].group, message.header.kind), (group::MAPPING, msg::MAPPING));
    let mapping = Mapping::read(&mut Reader::new(message.body)).unwrap();
    assert_eq!((mapping.old_sport, mapping.new_sport, mapping.id.spi, mapping.reqid), (4500, 14500, 0xa1a1, REQID));
    assert_eq!(mapping.old_saddr.ip(2).unwrap(), std::net::IpAddr::from(PEER));
    assert_eq!(mapping.new_saddr.ip(2).unwrap(), std::net::IpAddr::from([203, 0, 113, 9]));
    // Ports are in network byte order.
    assert_eq!(message.body[60..64], [0x11, 0x94, 0x38, 0xa4]);
}

#[test]
fn used_up_sequence_numbers_ask_for_a_rekey() {
    let mut engine = engine();
    establish(&mut engine, FIRST, 0xa1a1, 0xb1b1, NOW);
    let effects = tell(&mut engine, Event::SequenceExhausted { spi: 0xb1b1, dst: PEER.into() });
    assert_eq!(expired(&effects.notifications), [(0xb1b1, 0)]);
}
