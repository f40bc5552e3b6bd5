use super::*;
use crate::crypto::Suite;
use crate::sa::SequenceState;
use crate::xfrm::generation::Generations;
use crate::xfrm::testing::{LOCAL, NOW, after, sa_info, sa_request};

fn generation() -> Generation {
    Generations::default().joined(1).0
}

fn range(min: u32, max: u32) -> SpiRange {
    SpiRange {
        info: SaInfo { id: super::super::records::Id { spi: 0, ..sa_info(0, false).id }, ..sa_info(0, false) },
        min,
        max,
    }
}

fn id(spi: u32) -> SaId {
    SaId { dst: LOCAL.into(), spi }
}

#[test]
fn spis_are_inside_the_range_and_unique() {
    let mut sad = Sad::default();
    let mut numbers = (0..).map(|n: u32| n / 2);
    let mut random = || numbers.next().unwrap();
    let mut spis: Vec<u32> = (0..4)
        .map(|_| sad.allocate(&range(0xc000_0000, 0xc000_0003), generation(), NOW, &mut random).unwrap().id.spi)
        .collect();
    spis.sort_unstable();
    assert_eq!(spis, [0xc000_0000, 0xc000_0001, 0xc000_0002, 0xc000_0003]);
    let full = sad.allocate(&range(0xc000_0000, 0xc000_0003), generation(), NOW, &mut random);
    assert_eq!(full.unwrap_err().errno, libc::ENOENT);
    assert_eq!(sad.allocate(&range(2, 1), generation(), NOW, &mut || 0).unwrap_err().errno, libc::EINVAL);
    let whole = sad.allocate(&range(0, u32::MAX), generation(), NOW, &mut || u32::MAX).unwrap();
    assert_eq!(whole.id.spi, u32::MAX);
}

#[test]
fn larval_entries_time_out() {
    let mut sad = Sad::default();
    sad.allocate(&range(0x100, 0x100), generation(), NOW, &mut || 0).unwrap();
    assert_eq!(sad.find(id(0x100)).unwrap_err().errno, libc::ESRCH);
    sad.expire_larval(after(164));
    assert_eq!(sad.larval_count(), 1);
    sad.expire_larval(after(165));
    assert_eq!(sad.larval_count(), 0);
}

#[test]
fn an_update_completes_a_larval_entry_as_inbound() {
    let mut sad = Sad::default();
    assert_eq!(sad.update(sa_request(0x100, false), generation(), NOW).unwrap_err().errno, libc::ESRCH);
    sad.allocate(&range(0x100, 0x100), generation(), NOW, &mut || 0).unwrap();
    assert_eq!(sad.add(sa_request(0x100, false), generation(), NOW).unwrap_err().errno, libc::EEXIST);
    let installed = sad.update(sa_request(0x100, false), generation(), NOW).unwrap();
    assert_eq!(installed.direction, Some(Direction::In));
    assert_eq!((sad.larval_count(), sad.installed().count()), (0, 1));
    assert!(matches!(sad.remove(id(0x100)), Ok(Entry::Installed(_))));
    assert_eq!(sad.remove(id(0x100)).unwrap_err().errno, libc::ESRCH);
}

#[test]
fn an_update_of_an_sa_keeps_its_state() {
    let mut sad = Sad::default();
    sad.add(sa_request(0x100, false), generation(), NOW).unwrap();
    let old = sad.get(id(0x100)).unwrap();
    old.sa.take_seqs(5);
    old.sa.window().accept(9);
    old.sa.usage.add(3, 300, NOW.wall + 1);
    let mut request = sa_request(0x100, false);
    request.encap = Some(crate::sa::Encap { src_port: 14500, dst_port: 4500 });
    let new = sad.update(request, generation(), after(10)).unwrap();
    let state = new.sa.replay_state();
    assert_eq!((state.out_seq, state.in_seq, new.packets(), new.bytes()), (5, 9, 3, 300));
    assert_eq!((new.age(after(10)), new.lifetime().add_time), (10, NOW.wall));
    assert_eq!(new.sa.config.encap.map(|encap| encap.src_port), Some(14500));
}

#[test]
fn an_sa_that_comes_back_goes_on_where_it_was() {
    let mut request = sa_request(0x100, true);
    request.sequence = Some(SequenceState { out_seq: 77, ..SequenceState::default() });
    request.lifetime =
        Some(LifetimeCurrent { bytes: 10, packets: 2, add_time: NOW.wall - 50, use_time: NOW.wall - 40 });
    let mut sad = Sad::default();
    let installed = sad.add(request, generation(), NOW).unwrap();
    assert_eq!(installed.sa.take_seqs(1), Some(78));
    let usage = installed.usage(after(1));
    assert_eq!((usage.age, usage.in_use, usage.bytes, usage.packets), (51, Some(41), 10, 2));
    assert_eq!(usage.short_sequence, Some(78));
    assert_eq!(installed.current_info().curlft.add_time, NOW.wall - 50);
}

#[test]
fn keys_that_do_not_fit_are_refused() {
    let mut request = sa_request(0x100, true);
    request.suite = Suite::AesGcm16 { key_bits: 256 };
    let mut sad = Sad::default();
    assert_eq!(sad.add(request, generation(), NOW).unwrap_err().errno, libc::EINVAL);
    assert_eq!(sad.add(sa_request(0xff, true), generation(), NOW).unwrap_err().errno, libc::EINVAL);
    assert_eq!(sad.installed().count(), 0);
}

/// The key's first octets in the form that `Debug` gives to octets.
#[test]
fn nothing_that_can_be_printed_shows_a_key() {
    let request = sa_request(0x100, false);
    let (_, aead) =
        attributes(&request.attributes).map(Result::unwrap).find(|(kind, _)| *kind == attr::ALG_AEAD).unwrap();
    let key = format!("{:?}", &aead[72..76]);
    let key = key.trim_matches(['[', ']']).to_owned();
    assert!(format!("{:?}", &request.attributes[..]).contains(&key), "this test can find it");
    assert!(!format!("{request:?}").contains(&key));
    let mut sad = Sad::default();
    sad.add(request, generation(), NOW).unwrap();
    assert!(!format!("{sad:?}").contains(&key));
}
