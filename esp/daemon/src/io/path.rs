//! The path MTUs of the peers, asked of the kernel now and then.
//!
//! The outer DF bit is clear, so that the kernel fragments without a word what exceeds the path MTU. Only a burst of UDP
//! segments is refused; for plain ESP and for single datagrams nothing would ever be learned. So the kernel is asked, by
//! five system calls, at most once a second for each pair of addresses between which packets go that could be too large.
//! What it knows comes from the links, the routes, and ICMP.
//!
//! References: RFC 1191, RFC 8201, RFC 4301 8.2.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How long an answer counts.
const FRESH: Duration = Duration::from_secs(1);
/// Pairs of addresses remembered; with more, all are asked about anew.
const MOST: usize = 4096;
/// What every path takes, in octets: RFC 791 3.2 and RFC 8200 section 5.
const EVERY_PATH_V4: usize = 576;
const EVERY_PATH_V6: usize = 1280;

type Pair = (IpAddr, IpAddr);

#[derive(Clone, Copy, Debug)]
struct Known {
    /// `None` when the kernel did not say.
    mtu: Option<u32>,
    since: Instant,
}

/// Path MTUs by source and destination.
pub struct Paths {
    known: HashMap<Pair, Known>,
    ask: fn(IpAddr, IpAddr) -> io::Result<u32>,
}

impl Paths {
    /// `ask` returns the MTU from the first address to the second ([`super::sys::path_mtu`]).
    pub fn new(ask: fn(IpAddr, IpAddr) -> io::Result<u32>) -> Paths {
        Paths { known: HashMap::new(), ask }
    }

    /// What a sender of IP packets of `outer` octets has to be told of the path: its MTU when they exceed it, and its
    /// MTU when that has grown since the last question, so that a smaller one is forgotten.
    pub fn news(&mut self, src: IpAddr, dst: IpAddr, outer: usize, now: Instant) -> Option<u32> {
        if outer <= if dst.is_ipv4() { EVERY_PATH_V4 } else { EVERY_PATH_V6 } {
            return None;
        }
        let before = self.known.get(&(src, dst)).copied();
        if let Some(Known { mtu, since }) = before
            && now.saturating_duration_since(since) < FRESH
        {
            return mtu.filter(|mtu| outer > *mtu as usize);
        }
        self.refresh(src, dst, now).filter(|mtu| {
            let grown = before.and_then(|known| known.mtu).is_some_and(|before| *mtu > before);
            grown || outer > *mtu as usize
        })
    }

    /// Asks at once: the kernel has just refused a packet.
    pub fn refresh(&mut self, src: IpAddr, dst: IpAddr, now: Instant) -> Option<u32> {
        if self.known.len() >= MOST && !self.known.contains_key(&(src, dst)) {
            self.known.clear();
        }
        let mtu = (self.ask)(src, dst).ok();
        self.known.insert((src, dst), Known { mtu, since: now });
        mtu
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static ASKED: Cell<u32> = const { Cell::new(0) };
        static ANSWER: Cell<Option<u32>> = const { Cell::new(Some(1400)) };
    }

    fn ask(_: IpAddr, _: IpAddr) -> io::Result<u32> {
        ASKED.set(ASKED.get() + 1);
        ANSWER.get().ok_or_else(|| io::Error::other("no route"))
    }

    fn addresses(last: u8) -> Pair {
        ([192, 0, 2, 1].into(), [198, 51, 100, last].into())
    }

    #[test]
    fn large_packets_are_told_and_the_kernel_is_asked_once_a_second_for_each_peer() {
        let (mut paths, now) = (Paths::new(ask), Instant::now());
        let mut news = |last, outer, milliseconds| {
            let (src, dst) = addresses(last);
            (paths.news(src, dst, outer, now + Duration::from_millis(milliseconds)), ASKED.get())
        };
        assert_eq!(news(1, 576, 0), (None, 0), "every path takes it");
        assert_eq!(news(1, 1400, 0), (None, 1));
        assert_eq!(news(1, 1401, 999), (Some(1400), 1));
        assert_eq!(news(2, 1401, 999), (Some(1400), 2));
        assert_eq!(news(1, 1401, 1000), (Some(1400), 3));
    }

    #[test]
    fn a_path_that_has_grown_is_told_once() {
        let (mut paths, now) = (Paths::new(ask), Instant::now());
        let (src, dst) = addresses(1);
        assert_eq!(paths.news(src, dst, 1400, now), None);
        ANSWER.set(Some(1500));
        assert_eq!(paths.news(src, dst, 1400, now + FRESH), Some(1500));
        assert_eq!(paths.news(src, dst, 1400, now + 2 * FRESH), None);
    }

    #[test]
    fn without_an_answer_nothing_is_told_nor_asked_for_each_packet() {
        let (mut paths, now) = (Paths::new(ask), Instant::now());
        ANSWER.set(None);
        let (src, dst) = addresses(1);
        assert_eq!([paths.news(src, dst, 1500, now), paths.news(src, dst, 1500, now)], [None, None]);
        assert_eq!(ASKED.get(), 1);
    }

    #[test]
    fn a_refusal_is_asked_about_at_once_and_what_is_kept_is_bounded() {
        let (mut paths, now) = (Paths::new(ask), Instant::now());
        let (src, dst) = addresses(1);
        assert_eq!(paths.news(src, dst, 1400, now), None);
        ANSWER.set(Some(1300));
        assert_eq!(paths.refresh(src, dst, now), Some(1300));
        assert_eq!(paths.news(src, dst, 1400, now), Some(1300));
        for number in 0..2 * MOST as u32 {
            paths.news(src, number.to_be_bytes().into(), 1400, now);
            assert!(paths.known.len() <= MOST);
        }
    }
}
