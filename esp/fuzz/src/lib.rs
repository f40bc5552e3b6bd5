//! What the fuzz targets share: input as a script, packets to start from, and definitions to compare with.
//!
//! A target asserts more than the absence of panics. It knows what must come out, from definitions in [`model`] that are
//! as plain as the RFCs they stand for, and compares the daemon's answer with it. [`adapter`] is the one place that
//! knows how the data path is called.
//!
//! An input is a script: octets that are consumed one decision after the other ([`Script`]). That way a mutation of
//! the input is a change of one decision, every input means something, and the parts of the daemon behind an integrity
//! check are reached with packets that are sealed rightly.

pub mod adapter;
pub mod model;
pub mod netlink;
pub mod packets;
pub mod receiving;
pub mod sending;

/// Decisions read from the input. When it is used up every decision is 0.
pub struct Script<'a> {
    rest: &'a [u8],
}

impl<'a> Script<'a> {
    pub fn new(input: &'a [u8]) -> Script<'a> {
        Script { rest: input }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.u8(), self.u8()])
    }

    pub fn u32(&mut self) -> u32 {
        u32::from(self.u16()) | u32::from(self.u16()) << 16
    }

    pub fn u64(&mut self) -> u64 {
        u64::from(self.u32()) | u64::from(self.u32()) << 32
    }

    /// One of `count` choices.
    pub fn below(&mut self, count: usize) -> usize {
        usize::from(self.u8()) % count
    }

    pub fn chance(&mut self) -> bool {
        self.u8() & 1 != 0
    }

    /// One of `values`.
    pub fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    /// At most `len` octets; fewer at the end of the input.
    pub fn octets(&mut self, len: usize) -> &'a [u8] {
        let (octets, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        octets
    }

    /// `len` octets made of a few: large packets must not need large inputs.
    pub fn filled(&mut self, len: usize) -> Vec<u8> {
        let seed = self.u8();
        (0..len).map(|index| seed.wrapping_add((index / 3) as u8)).collect()
    }

    /// Changes a few octets of `target`, or its length.
    pub fn damage(&mut self, target: &mut Vec<u8>) {
        match self.below(4) {
            0 => target.truncate(usize::from(self.u16()) % (target.len() + 1)),
            1 => target.extend(self.octets(16)),
            _ if target.is_empty() => {}
            2 => {
                let at = usize::from(self.u16()) % target.len();
                target[at] ^= 1 << self.below(8);
            }
            _ => {
                let at = usize::from(self.u16()) % target.len();
                target[at] = self.u8();
            }
        }
    }
}
