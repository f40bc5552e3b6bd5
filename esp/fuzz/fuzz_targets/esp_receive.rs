//! Datagrams from a hostile network: ESP sealed rightly around arbitrary inner packets, the same damaged, repeated,
//! reordered and merged at odd sizes, IKE, keepalives and noise. What must become of them is in `receiving`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use twinbore_esp_fuzz::adapter::seal;
use twinbore_esp_fuzz::receiving::Receiving;
use twinbore_esp_fuzz::{Script, packets};

const MAX_STEPS: usize = 24;

fuzz_target!(|input: &[u8]| {
    let (mut script, mut world, mut batch, mut earlier) =
        (Script::new(input), Receiving::new(), Vec::new(), Vec::new());
    for _ in 0..MAX_STEPS {
        if script.is_empty() {
            break;
        }
        let index = script.below(Receiving::SAS);
        let (mut octets, mut segment) = (Vec::new(), None);
        match script.below(8) {
            0 => {
                let len = usize::from(script.u8());
                octets.extend(script.octets(len));
            }
            1 => octets.extend(script.pick(&[&[0xff][..], &[0; 4], &[0, 0, 0, 0, 7], &[0xff, 0xff], &[]])),
            2 if !earlier.is_empty() => octets.extend(&earlier[script.below(earlier.len())]),
            _ => {
                let base = packets::any(&mut script);
                for _ in 0..=script.below(5) {
                    let inner = if script.chance() { packets::any(&mut script) } else { base.clone() };
                    let packet = sealed(&mut script, &mut world, index, inner);
                    segment.get_or_insert(packet.len());
                    octets.extend(&packet);
                    earlier.push(packet);
                }
            }
        }
        let spoil = script.u8();
        if spoil & 7 == 0 {
            script.damage(&mut octets);
        }
        let whole = octets.len();
        let tos = script.pick(&[0, 1, 2, 3, 0xb8, 0xbb]);
        let mut datagram = world.envelope(index, tos, segment.unwrap_or(whole));
        match spoil >> 3 {
            0 => datagram.segment = usize::from(script.u16()),
            1 => datagram.from = "203.0.113.9:61000".parse().expect("an address"),
            2 => datagram.encapsulated = !datagram.encapsulated,
            3 => datagram.local = world.envelope(script.below(Receiving::SAS), 0, 0).local,
            4 => datagram.segment = whole,
            _ => {}
        }
        // GRO merges up to 64 KB; a datagram without octets never gets here.
        octets.truncate(65535);
        if !octets.is_empty() {
            batch.push((datagram, octets));
        }
        if script.below(3) == 0 {
            world.end.now += u64::from(script.chance());
            world.receive(&std::mem::take(&mut batch));
        }
    }
    world.receive(&batch);
});

/// An ESP packet of the peer, with a number near the window's top.
fn sealed(script: &mut Script<'_>, world: &mut Receiving, index: usize, mut text: Vec<u8>) -> Vec<u8> {
    let top = world.top(index);
    let seq = match script.below(4) {
        0 => top.saturating_sub(u64::from(script.u8())),
        1 => top + u64::from(script.u16() >> 2),
        2 => top + u64::from(script.u32() >> 1),
        _ => top + 1 + u64::from(script.u8() & 7),
    };
    let seq = if world.is_extended(index) { seq } else { seq.min(u64::from(u32::MAX)) };
    let version = text.first().map_or(0, |first| first >> 4);
    let right = if version == 6 { 41 } else { 4 };
    let next = script.pick(&[right, right, right, right, 4, 41, 59, 0]);
    let sa = world.peers[index].clone();
    // Traffic flow confidentiality (RFC 4303 2.7): octets after the inner packet, before the padding.
    let tfc = script.pick(&[0usize, 0, 0, 5]);
    text.resize(text.len() + tfc, 0xee);
    let padded = (text.len() + 2).next_multiple_of(sa.config.suite.block_len());
    let pad = padded - 2 - text.len();
    text.resize(padded, 0);
    text[padded - 2] = if script.u8() == 1 { script.u8() } else { pad as u8 };
    text[padded - 1] = next;
    let packet = seal(&sa, &text, seq);
    world.note(&packet, index, seq, text);
    packet
}
