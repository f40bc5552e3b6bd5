use super::*;
use crate::selector::Flow;
use crate::tables::Route;
use crate::xfrm::generation::{Generation, Generations};
use crate::xfrm::testing::{IF_ID, LOCAL, NOW, PEER, after, policy, sa_request};

/// An inbound SA 0xa1, an outbound SA 0xb1 and the three policies of charon.
fn databases() -> (Sad, Spd, Generation) {
    let (generation, _) = Generations::default().joined(1);
    let (mut sad, mut spd) = (Sad::default(), Spd::default());
    sad.add(sa_request(0xa1a1, false), generation, NOW).unwrap();
    sad.add(sa_request(0xb1b1, true), generation, NOW).unwrap();
    spd.add(policy(IF_ID, Direction::Out, "10.1.0.0/16", "10.2.0.0/16", 0xb1b1), generation, NOW).unwrap();
    spd.add(policy(IF_ID, Direction::In, "10.2.0.0/16", "10.1.0.0/16", 0), generation, NOW).unwrap();
    spd.add(policy(IF_ID, Direction::Forward, "10.2.0.0/16", "10.1.0.0/16", 0), generation, NOW).unwrap();
    (sad, spd, generation)
}

fn flow(src: [u8; 4], dst: [u8; 4]) -> Flow {
    Flow { src: src.into(), dst: dst.into(), proto: 1, src_port: 0, dst_port: 0 }
}

/// The SPI that a packet from 10.1.0.1 to 10.2.0.1 is sent with; 0 for none, `None` without a policy.
fn sent_with(tables: &Tables) -> Option<u32> {
    match tables.outbound(IF_ID).map(|outbound| outbound.route(&flow([10, 1, 0, 1], [10, 2, 0, 1])))? {
        Route::Sa(sa) => Some(sa.config.spi),
        Route::Acquire => Some(0),
        Route::NoPolicy => None,
    }
}

fn tables(sad: &Sad, spd: &Spd) -> Tables {
    let mut snapshot = Snapshot::default();
    snapshot.refresh(IF_ID, sad, spd);
    snapshot.tables().clone()
}

#[test]
fn a_refresh_forgets_what_is_gone_and_touches_no_other_tunnel() {
    let (mut sad, mut spd, generation) = databases();
    let mut other = sa_request(0xa9a9, false);
    other.if_id = IF_ID + 1;
    sad.add(other, generation, NOW).unwrap();
    let mut snapshot = Snapshot::default();
    snapshot.refresh(IF_ID, &sad, &spd);
    snapshot.refresh(IF_ID + 1, &sad, &spd);
    for id in [SaId { dst: LOCAL.into(), spi: 0xa1a1 }, SaId { dst: PEER.into(), spi: 0xb1b1 }] {
        sad.remove(id).unwrap();
    }
    let policies: Vec<_> = spd.iter().map(|(id, _)| *id).collect();
    policies.iter().for_each(|id| drop(spd.remove(id).unwrap()));
    snapshot.refresh(IF_ID, &sad, &spd);
    assert!(snapshot.tables().inbound(0xa1a1, LOCAL.into()).is_none());
    assert!(snapshot.tables().outbound(IF_ID).is_none());
    assert!(snapshot.tables().inbound(0xa9a9, LOCAL.into()).is_some());
}

#[test]
fn each_sa_goes_its_way() {
    let (sad, spd, _) = databases();
    let tables = tables(&sad, &spd);
    assert_eq!(sent_with(&tables), Some(0xb1b1));
    assert!(tables.inbound(0xb1b1, PEER.into()).is_none());
    let inbound = tables.inbound(0xa1a1, LOCAL.into()).unwrap();
    let InboundPolicy::Only(selectors) = &inbound.policy else { panic!("{:?}", inbound.policy) };
    assert_eq!(selectors.len(), 1);
    assert!(selectors[0].matches(&flow([10, 2, 0, 1], [10, 1, 0, 1])));
    assert!(!selectors[0].matches(&flow([10, 3, 0, 1], [10, 1, 0, 1])));
}

#[test]
fn an_sa_without_policy_lets_nothing_in() {
    let (sad, ..) = databases();
    let tables = tables(&sad, &Spd::default());
    let inbound = tables.inbound(0xa1a1, LOCAL.into()).unwrap();
    assert!(matches!(&inbound.policy, InboundPolicy::Only(selectors) if selectors.is_empty()));
    assert_eq!(sent_with(&tables), None);
}

#[test]
fn the_template_names_the_sa_during_a_rekey() {
    let (mut sad, mut spd, generation) = databases();
    sad.add(sa_request(0xb2b2, true), generation, after(1)).unwrap();
    assert_eq!(sent_with(&tables(&sad, &spd)), Some(0xb1b1));
    let out = policy(IF_ID, Direction::Out, "10.1.0.0/16", "10.2.0.0/16", 0xb2b2);
    spd.update(out, generation, after(1));
    assert_eq!(sent_with(&tables(&sad, &spd)), Some(0xb2b2));
    sad.remove(SaId { dst: PEER.into(), spi: 0xb2b2 }).unwrap();
    assert_eq!(sent_with(&tables(&sad, &spd)), Some(0));
}

#[test]
fn a_trap_takes_the_newest_sa_that_fits() {
    let (mut sad, mut spd, generation) = databases();
    spd.update(policy(IF_ID, Direction::Out, "10.1.0.0/16", "10.2.0.0/16", 0), generation, NOW);
    sad.add(sa_request(0xb2b2, true), generation, after(1)).unwrap();
    let mut foreign = sa_request(0xb3b3, true);
    foreign.info.reqid += 1;
    sad.add(foreign, generation, after(2)).unwrap();
    assert_eq!(sent_with(&tables(&sad, &spd)), Some(0xb2b2));
}

#[test]
fn a_policy_that_blocks_hides_what_is_below_it() {
    let (sad, mut spd, generation) = databases();
    let mut below = policy(IF_ID, Direction::Out, "0.0.0.0/0", "0.0.0.0/0", 0xb1b1);
    below.info.priority = 200;
    spd.add(below, generation, NOW).unwrap();
    let mut block = policy(IF_ID, Direction::Out, "10.1.0.0/16", "10.2.0.0/16", 0);
    (block.template, block.info.action) = (None, 1);
    spd.update(block.clone(), generation, NOW);
    assert_eq!(sent_with(&tables(&sad, &spd)), None, "neither an SA nor a request for one");
    spd.remove(&block.id).unwrap();
    assert_eq!(sent_with(&tables(&sad, &spd)), Some(0xb1b1));
}

#[test]
fn an_sa_of_another_tunnel_is_never_used() {
    let (mut sad, mut spd, generation) = databases();
    let mut foreign = sa_request(0xb9b9, true);
    foreign.if_id = IF_ID + 1;
    sad.add(foreign, generation, NOW).unwrap();
    spd.update(policy(IF_ID, Direction::Out, "10.1.0.0/16", "10.2.0.0/16", 0xb9b9), generation, NOW);
    assert_eq!(sent_with(&tables(&sad, &spd)), Some(0));
}

#[test]
fn templates_tell_the_direction_unless_the_sa_does() {
    let (mut sad, spd, generation) = databases();
    let index = PolicyIndex::new(spd.iter());
    let direction = |sad: &Sad, spi, dst: [u8; 4]| index.direction(sad.get(SaId { dst: dst.into(), spi }).unwrap());
    assert_eq!(direction(&sad, 0xa1a1, LOCAL), Some(Direction::In));
    assert_eq!(direction(&sad, 0xb1b1, PEER), Some(Direction::Out));
    let mut said = sa_request(0xb4b4, true);
    said.direction = Some(Direction::In);
    sad.add(said, generation, NOW).unwrap();
    assert_eq!(direction(&sad, 0xb4b4, PEER), Some(Direction::In));
    let mut foreign = sa_request(0xb5b5, true);
    foreign.info.reqid += 1;
    sad.add(foreign, generation, NOW).unwrap();
    assert_eq!(direction(&sad, 0xb5b5, PEER), None);
}
