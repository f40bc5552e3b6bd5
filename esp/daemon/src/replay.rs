//! Anti-replay window (RFC 4303 3.4.3 and appendix A).
//!
//! A ring of bits remembers which of the last `size` sequence numbers were seen; the bit of sequence number `s` is
//! `(s - 1) % size`, the layout of the kernel's `struct xfrm_replay_state_esn`, so that a window read by control can be
//! given back unchanged. Sequence numbers are 64 bits wide inside; with extended sequence numbers (ESN) the wire carries
//! the low half only and [`ReplayWindow::infer`] finds the high half before authentication can be tried.
//!
//! Invariants: a number is accepted at most once; a number `size` or more behind the top is never accepted; the window
//! moves only through [`ReplayWindow::accept`], which the caller calls after authentication. Size 0 switches the check off.

/// Largest window, in packets.
pub const MAX_SIZE: u32 = 4096;

/// The window of one inbound SA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayWindow {
    /// Highest sequence number accepted, 0 before the first.
    top: u64,
    size: u32,
    /// The ring, `size` bits in 32-bit words.
    bits: Box<[u32]>,
}

/// The number was seen, or is too old to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed;

impl ReplayWindow {
    /// A window of `size` packets that goes on at `top`. `bitmap` is what [`ReplayWindow::bitmap`] gave; when it has
    /// another length (so also when it is empty) everything up to `top` counts as seen.
    pub fn new(size: u32, top: u64, bitmap: &[u32]) -> ReplayWindow {
        assert!(size <= MAX_SIZE, "the caller checks the size");
        let words = size.div_ceil(32) as usize;
        let bits = if bitmap.len() == words { bitmap.into() } else { vec![u32::MAX; words].into() };
        ReplayWindow { top, size, bits }
    }

    pub fn top(&self) -> u64 {
        self.top
    }

    pub fn bitmap(&self) -> &[u32] {
        &self.bits
    }

    /// The full sequence number behind the 32 bits on the wire (RFC 4303 A2.2): the one inside the window or, if there
    /// is none, the next one above it. Without `esn` the wire has the whole number.
    pub fn infer(&self, wire: u32, esn: bool) -> u64 {
        if !esn {
            return u64::from(wire);
        }
        let (high, low) = ((self.top >> 32) as u32, self.top as u32);
        let bottom = low.wrapping_sub(self.size.max(1) - 1);
        let high = if low >= self.size.max(1) - 1 {
            // The window lies in one subspace of 2^32 numbers: what is below it belongs to the next.
            if wire >= bottom { high } else { high.wrapping_add(1) }
        } else if wire >= bottom {
            // The window spans two subspaces and the number is in the upper end of the earlier one.
            high.wrapping_sub(1)
        } else {
            high
        };
        u64::from(high) << 32 | u64::from(wire)
    }

    /// Whether `seq` could be accepted. Sequence number 0 is never sent (RFC 4303 2.2). With ESN a number inferred from
    /// before the first subspace is far above `top`; it fails authentication.
    pub fn check(&self, seq: u64) -> Result<(), Replayed> {
        if self.size == 0 || seq > self.top {
            return if seq == 0 && self.size != 0 { Err(Replayed) } else { Ok(()) };
        }
        if seq == 0 || self.top - seq >= u64::from(self.size) {
            return Err(Replayed);
        }
        let (word, bit) = self.position(seq);
        if self.bits[word] & bit == 0 { Ok(()) } else { Err(Replayed) }
    }

    /// Marks `seq` as seen and moves the window up to it. Only after [`ReplayWindow::check`] and authentication.
    pub fn accept(&mut self, seq: u64) {
        if self.size == 0 {
            self.top = self.top.max(seq);
            return;
        }
        if seq > self.top {
            if seq - self.top >= u64::from(self.size) {
                self.bits.fill(0);
            } else {
                for passed in self.top + 1..seq {
                    let (word, bit) = self.position(passed);
                    self.bits[word] &= !bit;
                }
            }
            self.top = seq;
        }
        let (word, bit) = self.position(seq);
        self.bits[word] |= bit;
    }

    fn position(&self, seq: u64) -> (usize, u32) {
        let bit = ((seq - 1) % u64::from(self.size)) as u32;
        ((bit / 32) as usize, 1 << (bit % 32))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const SIZES: [u32; 11] = [1, 2, 31, 32, 33, 64, 100, 128, 1024, 2048, 4096];

    /// Tops at which something turns over.
    const STARTS: [u64; 8] =
        [0, 1 << 31, (1 << 32) - 2000, 1 << 32, (1 << 33) - 100, 1 << 40, u64::MAX - 3000, u64::MAX - 1];

    /// The definition of RFC 4303 3.4.3 without any cleverness.
    struct Model {
        size: u64,
        seen: BTreeSet<u64>,
    }

    impl Model {
        fn receive(&mut self, seq: u64) -> bool {
            let top = self.seen.last().copied().unwrap_or(0);
            let fresh = seq > top || (top - seq < self.size && !self.seen.contains(&seq));
            seq != 0 && fresh && self.seen.insert(seq)
        }
    }

    /// The number that 32 bits on the wire stand for: in the window if one is, else the next above. `None` where there
    /// is no such number, or where RFC 4303 A2.2 takes it for one from before the first.
    fn meant(top: u64, size: u32, wire: u32) -> Option<u64> {
        let candidates = || {
            (-1..=1)
                .filter_map(|step| (top >> 32).checked_add_signed(step))
                .filter(|high| *high <= u64::from(u32::MAX))
                .map(|high| high << 32 | u64::from(wire))
        };
        let in_window = candidates().find(|seq| *seq <= top && top - seq < u64::from(size));
        let before_the_first = i128::from(wire) - (1 << 32) > i128::from(top) - i128::from(size);
        in_window.or_else(|| candidates().find(|seq| *seq > top && !before_the_first))
    }

    proptest! {
        #[test]
        fn behaves_like_the_definition(
            size in prop::sample::select(&SIZES[..]),
            start in prop::sample::select(&STARTS[..]),
            steps in prop::collection::vec(-5000i64..5000, 1..600),
        ) {
            let mut window = ReplayWindow::new(size, start, &[]);
            let mut model = Model { size: u64::from(size), seen: BTreeSet::new() };
            if start > 0 {
                model.seen.extend(start.saturating_sub(5000).max(1)..=start);
            }
            for step in steps {
                let seq = window.top().saturating_add_signed(step / 8);
                let expected = model.receive(seq);
                prop_assert_eq!(window.check(seq).is_ok(), expected, "size {} seq {}", size, seq);
                if expected {
                    window.accept(seq);
                    prop_assert_eq!(window.check(seq), Err(Replayed));
                }
            }
        }

        #[test]
        fn esn_is_inferred_within_the_window_and_ahead_of_it(
            size in prop::sample::select(&SIZES[..]),
            top in 1u64 << 33..1 << 50,
            behind in 0u64..4096,
            ahead in 0u64..1 << 31,
        ) {
            let window = ReplayWindow::new(size, top, &[]);
            let old = top - behind % u64::from(size);
            prop_assert_eq!(window.infer(old as u32, true), old);
            prop_assert_eq!(window.infer((top + ahead) as u32, true), top + ahead);
        }

        /// What a receiver does with a packet, from the wire on; authentication stands for the sender's own number.
        #[test]
        fn a_packet_is_accepted_once_and_only_as_what_its_sender_meant(
            size in prop::sample::select(&SIZES[..]),
            start in prop::sample::select(&STARTS[..]),
            steps in prop::collection::vec(-6000i64..6000, 1..300),
        ) {
            let mut window = ReplayWindow::new(size, start, &[]);
            let mut model = Model { size: u64::from(size), seen: (start.saturating_sub(5000).max(1)..=start).collect() };
            for step in steps {
                let sent = window.top().saturating_add_signed(step / 8);
                let inferred = window.infer(sent as u32, true);
                if let Some(meant) = meant(window.top(), size, sent as u32) {
                    prop_assert_eq!(inferred, meant);
                }
                let accepted = window.check(inferred).is_ok() && inferred == sent;
                prop_assert_eq!(accepted, model.receive(sent), "size {} top {} sent {}", size, window.top(), sent);
                if accepted {
                    window.accept(sent);
                }
            }
        }

        /// The jumps at which part of the ring, all but one bit, or all of it is new.
        #[test]
        fn a_jump_forgets_exactly_what_fell_out(
            size in prop::sample::select(&SIZES[..]),
            start in prop::sample::select(&STARTS[..6]),
            by in -2i64..=2,
        ) {
            let mut window = ReplayWindow::new(size, start, &[]);
            let seq = start.saturating_add_signed(i64::from(size) + by);
            prop_assume!(seq > start);
            window.accept(seq);
            for back in 0..u64::from(size) + 2 {
                let Some(old) = seq.checked_sub(back) else { break };
                let fresh = old != 0 && old != seq && old > start && back < u64::from(size);
                prop_assert_eq!(window.check(old).is_ok(), fresh, "{} behind", back);
            }
        }

        #[test]
        fn a_bitmap_of_another_length_counts_as_seen(
            size in prop::sample::select(&SIZES[..]),
            start in 1u64..1 << 40,
            words in 0usize..200,
        ) {
            prop_assume!(words != size.div_ceil(32) as usize);
            let window = ReplayWindow::new(size, start, &vec![0; words]);
            prop_assert_eq!(window.bitmap().len(), size.div_ceil(32) as usize);
            for back in 0..u64::from(size).min(start) {
                prop_assert_eq!(window.check(start - back), Err(Replayed));
            }
            prop_assert_eq!(window.check(start + 1), Ok(()));
        }

        #[test]
        fn without_esn_the_wire_has_the_whole_number(top in any::<u64>(), wire in any::<u32>()) {
            prop_assert_eq!(ReplayWindow::new(64, top, &[]).infer(wire, false), u64::from(wire));
        }

        #[test]
        fn state_survives_a_round_trip(size in prop::sample::select(&SIZES[..]), seqs in prop::collection::vec(1u64..9000, 1..200)) {
            let mut window = ReplayWindow::new(size, 0, &[]);
            for seq in seqs {
                if window.check(seq).is_ok() {
                    window.accept(seq);
                }
            }
            prop_assert_eq!(&ReplayWindow::new(size, window.top(), window.bitmap()), &window);
        }
    }

    #[test]
    fn esn_at_the_borders_of_a_subspace() {
        let window = |top| ReplayWindow::new(64, top, &[]);
        assert_eq!(window(5).infer(6, true), 6);
        assert_eq!(window(0x1_0000_0005).infer(0xffff_fff0, true), 0xffff_fff0);
        assert_eq!(window(0x1_0000_0005).infer(4, true), 0x1_0000_0004);
        assert_eq!(window(0xffff_fff0).infer(3, true), 0x1_0000_0003);
        assert_eq!(window(0xffff_fff0).infer(3, false), 3);
    }

    #[test]
    fn size_zero_accepts_everything() {
        let mut window = ReplayWindow::new(0, 0, &[]);
        for seq in [5, 5, 1, 0] {
            assert_eq!(window.check(seq), Ok(()));
            window.accept(seq);
        }
        assert_eq!(window.top(), 5);
    }

    #[test]
    fn without_a_bitmap_everything_up_to_the_top_counts_as_seen() {
        let window = ReplayWindow::new(64, 100, &[]);
        assert_eq!(window.check(100), Err(Replayed));
        assert_eq!(window.check(99), Err(Replayed));
        assert_eq!(window.check(101), Ok(()));
    }
}
