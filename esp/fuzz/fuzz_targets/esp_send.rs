//! Frames from a TUN: super-packets and packets with virtio headers that fit them or not. What must be on the wire is in
//! `sending`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use twinbore_esp_fuzz::sending::Sending;
use twinbore_esp_fuzz::{Script, packets};

const MAX_STEPS: usize = 12;

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    let mtu = script.pick(&[1406u32, 1406, 576, 1280, 65535, 0]);
    let (mut world, mut batch) = (Sending::new(mtu, script.u8()), Vec::new());
    for _ in 0..MAX_STEPS {
        if script.is_empty() {
            break;
        }
        batch.push(frame(&mut script));
        if script.below(3) == 0 {
            world.transmit(&std::mem::take(&mut batch));
        }
    }
    world.transmit(&batch);
});

fn frame(script: &mut Script<'_>) -> Vec<u8> {
    if script.below(8) == 0 {
        let len = usize::from(script.u8());
        return script.octets(len).to_vec();
    }
    let mut packet = match script.below(4) {
        0 => packets::udp(script),
        1 => packets::any(script),
        _ => packets::tcp(script),
    };
    // The kernel's super-packets have up to 64 KB; their length field says so.
    if script.chance() {
        let more = usize::from(script.u16() & 0x3fff);
        let payload = script.filled(more);
        packet.extend(payload);
        let len = packet.len();
        match packet.first().map(|first| first >> 4) {
            Some(4) if len >= 20 => packet[2..4].copy_from_slice(&(len as u16).to_be_bytes()),
            Some(6) if len >= 40 => packet[4..6].copy_from_slice(&((len - 40) as u16).to_be_bytes()),
            _ => {}
        }
    }
    let upper = match packet.first().map(|first| first >> 4) {
        Some(6) => 40,
        _ => packet.first().map_or(0, |first| usize::from(first & 15) * 4),
    };
    let udp = packet.get(if upper == 40 { 6 } else { 9 }) == Some(&17);
    let fitting = if udp { 5 } else { 1 };
    let kind = script.pick(&[0, fitting, fitting, fitting, 0x81, 4, script_kind(packet.len())]);
    let size = script.pick(&[1300u16, 536, 100, 1, 0, 1448]).max(packet.len() as u16 / 512);
    let offset = if udp { 6u16 } else { 16 };
    let mut header = [script.u8() & 3, kind, 0, 0, 0, 0, 0, 0, 0, 0];
    header[4..6].copy_from_slice(&size.to_ne_bytes());
    header[6..8].copy_from_slice(&(upper as u16).to_ne_bytes());
    header[8..10].copy_from_slice(&offset.to_ne_bytes());
    let mut frame = [&header[..], &packet].concat();
    if script.below(8) == 0 {
        script.damage(&mut frame);
    }
    frame
}

/// A kind that nobody asked for.
fn script_kind(len: usize) -> u8 {
    [2, 3, 6, 0x7f][len % 4]
}
