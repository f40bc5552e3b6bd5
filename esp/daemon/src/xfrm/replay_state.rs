//! Replay state in the two layouts of linux/xfrm.h.
//!
//! XFRMA_REPLAY_VAL has 32-bit numbers and a bitmap of 32 packets that moves with the top: bit `i` is the packet `i`
//! below it (net/xfrm/xfrm_replay.c, `xfrm_replay_check_legacy`). XFRMA_REPLAY_ESN_VAL has 64-bit numbers and the ring
//! that the data path has too ([`crate::replay`]). charon uses the second for ESN and for windows above 32.

use super::Refusal;
use super::netlink::Reader;
use super::records::{Record, ReplayEsn, ReplayState};
use crate::sa::SequenceState;

/// Largest window that the first layout can hold.
const LEGACY_WINDOW: u32 = 32;

/// From the payload of XFRMA_REPLAY_VAL, for a window of `window` packets.
pub fn from_legacy(payload: &[u8], window: u32) -> Result<SequenceState, Refusal> {
    let state = ReplayState::read(&mut Reader::new(payload))?;
    let top = u64::from(state.seq);
    let mut ring = 0;
    if window <= LEGACY_WINDOW {
        for seq in legacy_range(top, window).filter(|seq| state.bitmap >> (top - seq) & 1 != 0) {
            ring |= ring_bit(seq, window);
        }
    }
    let bitmap = if (1..=LEGACY_WINDOW).contains(&window) { vec![ring] } else { Vec::new() };
    Ok(SequenceState { out_seq: u64::from(state.oseq), in_seq: top, bitmap })
}

/// The payload of XFRMA_REPLAY_VAL. What a larger window has below its last 32 packets is lost.
pub fn to_legacy(state: &SequenceState, window: u32) -> Vec<u8> {
    let mut bitmap = 0;
    if let ([ring], 1..=LEGACY_WINDOW) = (&state.bitmap[..], window) {
        for seq in legacy_range(state.in_seq, window).filter(|seq| ring & ring_bit(*seq, window) != 0) {
            bitmap |= 1 << (state.in_seq - seq);
        }
    }
    ReplayState { oseq: state.out_seq as u32, seq: state.in_seq as u32, bitmap }.to_vec()
}

/// The state and the window in a payload of XFRMA_REPLAY_ESN_VAL.
pub fn from_esn(payload: &[u8]) -> Result<(SequenceState, u32), Refusal> {
    let mut reader = Reader::new(payload);
    let state = ReplayEsn::read(&mut reader)?;
    let words = reader.bytes((state.bmp_len as usize).saturating_mul(4))?;
    let join = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
    let sequence = SequenceState {
        out_seq: join(state.oseq_hi, state.oseq),
        in_seq: join(state.seq_hi, state.seq),
        bitmap: words.as_chunks().0.iter().map(|word| u32::from_ne_bytes(*word)).collect(),
    };
    Ok((sequence, state.replay_window))
}

/// The payload of XFRMA_REPLAY_ESN_VAL.
pub fn to_esn(state: &SequenceState, window: u32) -> Vec<u8> {
    let head = ReplayEsn {
        bmp_len: state.bitmap.len() as u32,
        oseq: state.out_seq as u32,
        seq: state.in_seq as u32,
        oseq_hi: (state.out_seq >> 32) as u32,
        seq_hi: (state.in_seq >> 32) as u32,
        replay_window: window,
    };
    let mut payload = head.to_vec();
    payload.extend(state.bitmap.iter().flat_map(|word| word.to_ne_bytes()));
    payload
}

/// The sequence numbers inside the window.
fn legacy_range(top: u64, window: u32) -> impl Iterator<Item = u64> {
    top.saturating_sub(u64::from(window)).saturating_add(1)..=top
}

fn ring_bit(seq: u64, window: u32) -> u32 {
    1 << ((seq - 1) % u64::from(window))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::ReplayWindow;

    /// A window that has seen 90, 95 and 100.
    fn window(size: u32) -> ReplayWindow {
        let mut window = ReplayWindow::new(size, 0, &[]);
        [90, 95, 100].into_iter().for_each(|seq| window.accept(seq));
        window
    }

    fn state(window: &ReplayWindow) -> SequenceState {
        SequenceState { out_seq: 7, in_seq: window.top(), bitmap: window.bitmap().to_vec() }
    }

    #[test]
    fn the_moving_bitmap_counts_from_the_top() {
        let payload = to_legacy(&state(&window(32)), 32);
        let legacy = ReplayState::read(&mut Reader::new(&payload)).unwrap();
        assert_eq!((legacy.oseq, legacy.seq, legacy.bitmap), (7, 100, 1 | 1 << 5 | 1 << 10));
    }

    #[test]
    fn both_layouts_keep_what_was_seen() {
        for size in [1, 16, 31, 32] {
            let before = state(&window(size));
            let after = from_legacy(&to_legacy(&before, size), size).unwrap();
            let restored = ReplayWindow::new(size, after.in_seq, &after.bitmap);
            for seq in 60..110 {
                assert_eq!(restored.check(seq), window(size).check(seq), "{seq} in a window of {size}");
            }
        }
        let before = state(&window(1000));
        assert_eq!(from_esn(&to_esn(&before, 1000)).unwrap(), (before, 1000));
    }

    #[test]
    fn a_window_too_large_for_its_layout_counts_all_as_seen() {
        let state = from_legacy(&ReplayState { oseq: 1, seq: 50, bitmap: 1 }.to_vec(), 64).unwrap();
        let restored = ReplayWindow::new(64, state.in_seq, &state.bitmap);
        assert!((1..=50).all(|seq| restored.check(seq).is_err()) && restored.check(51).is_ok());
    }

    #[test]
    fn the_last_number_of_all_is_no_special_case() {
        let state = SequenceState { out_seq: u64::MAX, in_seq: u64::MAX, bitmap: vec![u32::MAX] };
        let legacy = ReplayState::read(&mut Reader::new(&to_legacy(&state, 32))).unwrap();
        assert_eq!((legacy.oseq, legacy.seq, legacy.bitmap), (u32::MAX, u32::MAX, u32::MAX));
    }

    #[test]
    fn high_halves_and_lengths() {
        let state = SequenceState { out_seq: 5 << 32 | 6, in_seq: 7 << 32 | 8, bitmap: vec![1, 2] };
        let payload = to_esn(&state, 64);
        assert_eq!(from_esn(&payload).unwrap(), (state, 64));
        for len in 0..payload.len() {
            assert_eq!(from_esn(&payload[..len]).unwrap_err().errno, libc::EINVAL);
        }
        let mut lying = payload;
        lying[..4].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert!(from_esn(&lying).is_err());
    }
}
