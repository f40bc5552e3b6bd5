//! What of a run has arrived. A datagram begins with the run and its number in it, 64 bits each, big-endian: datagrams of
//! another run, still under way in some queue, do not count.

/// Octets of the run and the number.
pub const HEADER: usize = 16;

/// Writes run and number into a datagram.
pub fn mark(datagram: &mut [u8], run: u64, number: u64) {
    datagram[..8].copy_from_slice(&run.to_be_bytes());
    datagram[8..HEADER].copy_from_slice(&number.to_be_bytes());
}

/// Datagrams of one run.
#[derive(Debug)]
pub struct Tally {
    run: u64,
    seen: Vec<u64>,
    next: u64,
    received: u64,
    duplicates: u64,
    /// Those that came after one with a higher number.
    late: u64,
}

impl Tally {
    pub fn new(run: u64) -> Tally {
        Tally { run, seen: Vec::new(), next: 0, received: 0, duplicates: 0, late: 0 }
    }

    pub fn take(&mut self, datagram: &[u8]) {
        let Some((run, rest)) = datagram.split_first_chunk() else { return };
        let Some(number) = rest.first_chunk().map(|octets| u64::from_be_bytes(*octets)) else { return };
        if u64::from_be_bytes(*run) != self.run {
            return;
        }
        let (word, bit) = ((number / 64) as usize, 1 << (number % 64));
        if word >= self.seen.len() {
            self.seen.resize(word + 1, 0);
        }
        if self.seen[word] & bit != 0 {
            self.duplicates += 1;
            return;
        }
        self.seen[word] |= bit;
        self.received += 1;
        if number < self.next {
            self.late += 1;
        } else {
            self.next = number + 1;
        }
    }

    pub fn to_json(&self) -> String {
        format!(r#"{{"received":{},"duplicates":{},"late":{}}}"#, self.received, self.duplicates, self.late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_counts_once_in_any_order() {
        let mut tally = Tally::new(7);
        for (run, number) in [(7, 0), (7, 2), (7, 1), (7, 2), (6, 3), (7, 100)] {
            let mut datagram = [0; 36];
            mark(&mut datagram, run, number);
            tally.take(&datagram);
        }
        tally.take(&[0; 15]);
        assert_eq!(tally.to_json(), r#"{"received":4,"duplicates":1,"late":1}"#);
    }
}
