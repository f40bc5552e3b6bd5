//! The kernel's half is played by [`super::super::segment`]: what was joined must come apart as it was.

use proptest::prelude::*;

use super::super::segment::testing::{fix_checksums, segments, tcp_packet, udp_packet};
use super::*;

const BOTH: Joining = Joining { tcp: true, udp: true };

/// Keeps frames, cut up again.
#[derive(Default)]
struct Cutter {
    frames: Vec<(u32, usize)>,
    packets: Vec<Vec<u8>>,
}

impl FrameSink for Cutter {
    fn write(&mut self, if_id: u32, packets: usize, frame: &[IoSlice<'_>]) {
        let octets: Vec<u8> = frame.iter().flat_map(|part| part.to_vec()).collect();
        let (vnet, packet) = octets.split_first_chunk().unwrap();
        self.frames.push((if_id, packets));
        self.packets.extend(segments(&VnetHeader::parse(vnet).unwrap(), packet));
    }
}

fn run(joining: Joining, packets: &[(u32, Vec<u8>)]) -> Cutter {
    let mut coalescer = Coalescer::new(joining);
    let mut sink = Cutter::default();
    for (if_id, packet) in packets {
        let layout = Layout::parse(packet).unwrap();
        coalescer.push(packet, layout, *if_id, &mut sink);
    }
    coalescer.flush_all(&mut sink);
    sink
}

/// `count` TCP packets that follow each other.
fn train(v6: bool, count: u16, size: usize) -> Vec<(u32, Vec<u8>)> {
    let one = |i: u16| {
        let mut packet = tcp_packet(v6, 1000 + u32::from(i) * size as u32, &vec![i as u8; size]);
        if !v6 {
            packet[4..6].copy_from_slice(&(7 + i).to_be_bytes());
            fix_checksums(&mut packet, 16);
        }
        (1, packet)
    };
    (0..count).map(one).collect()
}

fn plain(packets: &[(u32, Vec<u8>)]) -> Vec<Vec<u8>> {
    packets.iter().map(|(_, packet)| packet.clone()).collect()
}

#[test]
fn a_train_becomes_one_frame_and_comes_apart_again() {
    for v6 in [false, true] {
        let packets = train(v6, 40, 1000);
        let sink = run(BOTH, &packets);
        assert_eq!(sink.frames, [(1, 40)]);
        assert_eq!(sink.packets, plain(&packets));
    }
}

#[test]
fn datagrams_of_one_flow_are_joined() {
    for v6 in [false, true] {
        let mut packets: Vec<_> = (0..3).map(|i| (1, udp_packet(v6, &[i; 400]))).collect();
        packets.push((1, udp_packet(v6, &[9; 100])));
        if !v6 {
            for (i, (_, packet)) in packets.iter_mut().enumerate() {
                packet[5] += i as u8;
                fix_checksums(packet, 6);
            }
        }
        let sink = run(BOTH, &packets);
        assert_eq!(sink.frames, [(1, 4)]);
        assert_eq!(sink.packets, plain(&packets));
        assert_eq!(run(Joining { udp: false, ..BOTH }, &packets).frames.len(), 4);
    }
}

#[test]
fn at_most_64_segments_and_64_kilobytes() {
    assert_eq!(run(BOTH, &train(false, 100, 100)).frames, [(1, 64), (1, 36)]);
    assert_eq!(run(BOTH, &train(true, 60, 1400)).frames, [(1, 46), (1, 14)]);
}

#[test]
fn push_ends_a_frame_and_stays_on_its_last_packet() {
    let mut packets = train(false, 6, 500);
    packets[2].1[33] |= TCP_PSH;
    fix_checksums(&mut packets[2].1, 16);
    let sink = run(BOTH, &packets);
    assert_eq!(sink.frames, [(1, 3), (1, 3)]);
    assert_eq!(sink.packets, plain(&packets));
}

#[test]
fn what_differs_is_not_joined() {
    type Change = fn(&mut Vec<u8>);
    let changes: [(&str, Change); 8] = [
        ("tos", |p| p[1] = 4),
        ("ttl", |p| p[8] = 63),
        ("df", |p| p[6] = 0),
        ("source port", |p| p[21] ^= 1),
        ("acknowledgement", |p| p[28] = 1),
        ("window", |p| p[34] ^= 1),
        ("sequence", |p| p[24] ^= 1),
        ("syn", |p| p[33] |= 2),
    ];
    for (what, change) in changes {
        let mut packets = train(false, 2, 500);
        change(&mut packets[1].1);
        fix_checksums(&mut packets[1].1, 16);
        let sink = run(BOTH, &packets);
        assert_eq!(sink.frames.len(), 2, "{what}");
        assert_eq!(sink.packets, plain(&packets), "{what}");
    }
    let mut packets = train(false, 2, 500);
    packets[1].0 = 2;
    assert_eq!(run(BOTH, &packets).frames, [(1, 1), (2, 1)], "tunnel");
}

#[test]
fn a_wrong_checksum_is_passed_on_for_the_receiver_to_see() {
    for at in [11, 37] {
        let mut packets = train(false, 3, 500);
        packets[1].1[at] ^= 1;
        let sink = run(BOTH, &packets);
        assert_eq!(sink.frames.len(), 3);
        assert_eq!(sink.packets, plain(&packets));
    }
}

#[test]
fn flows_are_joined_apart_and_the_oldest_gives_way() {
    let mut packets = Vec::new();
    for round in 0..2u16 {
        for flow in 0..20u8 {
            let mut packet = train(false, 2, 100).remove(usize::from(round)).1;
            packet[15] = flow;
            fix_checksums(&mut packet, 16);
            packets.push((1, packet));
        }
    }
    let sink = run(BOTH, &packets);
    assert_eq!(sink.packets.len(), 40);
    let joined = run(BOTH, &packets.iter().filter(|(_, p)| p[15] < 16).cloned().collect::<Vec<_>>());
    assert_eq!(joined.frames, vec![(1, 2); 16]);
}

proptest! {
    /// Whatever is pushed, every flow's packets come out unchanged and in order.
    #[test]
    fn nothing_is_lost_changed_or_reordered_within_a_flow(
        steps in prop::collection::vec((0..3u8, 0..3u16, 1usize..80, any::<u8>()), 1..120),
    ) {
        let mut seqs = [1u32; 3];
        let mut packets = Vec::new();
        for (kind, flow, size, odd) in steps {
            let flow_index = usize::from(flow);
            let mut packet = match kind {
                0 => udp_packet(odd & 1 == 1, &vec![odd; size]),
                _ => tcp_packet(odd & 1 == 1, seqs[flow_index], &vec![odd; if odd % 16 == 3 { 0 } else { size / 20 * 20 }]),
            };
            seqs[flow_index] = seqs[flow_index].wrapping_add(if odd % 8 == 7 { 1 } else { (size / 20 * 20) as u32 });
            let upper = Layout::parse(&packet).unwrap().upper;
            packet[upper + 1] = flow as u8;
            if kind != 0 && odd % 32 == 9 {
                packet[upper + 13] |= TCP_PSH;
            }
            fix_checksums(&mut packet, if kind == 0 { 6 } else { 16 });
            packets.push((u32::from(flow), packet));
        }
        let sink = run(BOTH, &packets);
        let key = |packet: &Vec<u8>| {
            let layout = Layout::parse(packet).unwrap();
            let flow = layout.flow(packet);
            (flow.src, flow.proto, flow.src_port)
        };
        // DF is set in these packets, so identifications are the kernel's to choose.
        let normal = |mut packet: Vec<u8>| {
            if packet[0] >> 4 == 4 {
                packet[4..6].fill(0);
                packet[10..12].fill(0);
            }
            packet
        };
        let mut flows: Vec<_> = packets.iter().map(|(_, packet)| key(packet)).collect();
        flows.sort();
        flows.dedup();
        for flow in flows {
            let of = |all: Vec<Vec<u8>>| all.into_iter().filter(|p| key(p) == flow).map(normal).collect::<Vec<_>>();
            prop_assert_eq!(of(sink.packets.clone()), of(plain(&packets)));
        }
    }
}
