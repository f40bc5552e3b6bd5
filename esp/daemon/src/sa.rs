//! Security associations: what control installs and workers use.
//!
//! An [`Sa`] is built once and never changed except for its counters, its sequence number and its replay window, so that
//! workers share it without a lock; a change of a parameter is a new `Sa` that takes over the state of the old one
//! ([`Sa::replay_state`]) and a new snapshot of the tables. The replay window has a mutex because check, authentication
//! and update must be one step (RFC 4303 3.4.3). It is taken once for a run of packets of the same SA, and since all
//! packets of an SPI go to one worker nobody else wants it but control, now and then.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::crypto::{Cipher, CryptoError, IvSeed, SaKeys, Suite};
use crate::replay::{MAX_SIZE, ReplayWindow};

/// How long a path MTU learned from the kernel counts before it is tried again, in seconds (RFC 1191 6.3).
const PATH_MTU_LIFETIME: u64 = 600;

/// UDP encapsulation (RFC 3948), ports in host order: `src_port` at the sender of the SA's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Encap {
    pub src_port: u16,
    pub dst_port: u16,
}

/// Everything an SA is built from. Addresses are the outer ones, as in `struct xfrm_usersa_info`.
///
/// There is no flag for the outer DF bit: it is always clear, which is XFRM_STATE_NOPMTUDISC and what AWS's tunnels do.
#[derive(Debug)]
pub struct SaConfig {
    /// Host byte order.
    pub spi: u32,
    pub src: IpAddr,
    pub dst: IpAddr,
    pub if_id: u32,
    pub reqid: u32,
    pub suite: Suite,
    /// Wiped as soon as they are expanded: in an [`Sa`] they are empty.
    pub keys: SaKeys,
    pub encap: Option<Encap>,
    /// Anti-replay window in packets: 0 (no check) to [`MAX_SIZE`].
    pub replay_window: u32,
    /// Extended (64-bit) sequence numbers.
    pub esn: bool,
    /// State to go on from; `SequenceState::default()` for a new SA.
    pub sequence: SequenceState,
    /// Copy the inner DSCP to the outer header (unless XFRM_SA_XFLAG_DONT_ENCAP_DSCP).
    pub copy_dscp: bool,
    /// Copy the outer DSCP to the inner header on receipt (XFRM_STATE_DECAP_DSCP).
    pub decap_dscp: bool,
    /// Carry ECN through the tunnel as RFC 6040 says (unless XFRM_STATE_NOECN).
    pub ecn: bool,
}

/// Sequence numbers of an SA, as GETAE reports them and an update gives them back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SequenceState {
    /// Last sequence number sent.
    pub out_seq: u64,
    /// Highest sequence number received: the top of the replay window.
    pub in_seq: u64,
    /// The window's bits in the layout of `struct xfrm_replay_state_esn`, `replay_window / 32` words rounded up. When it
    /// has another length every number up to `in_seq` counts as seen.
    pub bitmap: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaError {
    #[error("SPI {0:#x} is reserved (RFC 4303 2.1): use 0x100 or above")]
    ReservedSpi(u32),
    #[error("source {src} and destination {dst} are of different address families")]
    Family { src: IpAddr, dst: IpAddr },
    #[error("replay window of {0} packets: the largest supported is {MAX_SIZE}")]
    ReplayWindow(u32),
    #[error("the system's random number generator failed")]
    Random,
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// Traffic an SA has carried. Bytes are those of inner packets, times are Unix seconds, 0 when never used.
#[derive(Debug, Default)]
pub struct Usage {
    pub bytes: AtomicU64,
    pub packets: AtomicU64,
    pub first_used: AtomicU64,
    pub last_used: AtomicU64,
}

impl Usage {
    /// Adds traffic seen at `now`, in Unix seconds.
    pub fn add(&self, packets: u64, bytes: u64, now: u64) {
        self.packets.fetch_add(packets, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.last_used.swap(now, Ordering::Relaxed) == 0 {
            self.first_used.store(now, Ordering::Relaxed);
        }
    }
}

/// One SA, shared by control and all workers.
#[derive(Debug)]
pub struct Sa {
    pub config: SaConfig,
    pub usage: Usage,
    cipher: Cipher,
    out_seq: AtomicU64,
    exhausted: AtomicBool,
    window: Mutex<ReplayWindow>,
    mapping_reported: AtomicU64,
    path_mtu: AtomicU32,
    path_mtu_learned: AtomicU64,
}

impl Sa {
    /// Checks the parameters and expands the keys.
    pub fn new(mut config: SaConfig) -> Result<Sa, SaError> {
        if config.spi < 0x100 {
            return Err(SaError::ReservedSpi(config.spi));
        }
        if config.src.is_ipv4() != config.dst.is_ipv4() {
            return Err(SaError::Family { src: config.src, dst: config.dst });
        }
        if config.replay_window > MAX_SIZE {
            return Err(SaError::ReplayWindow(config.replay_window));
        }
        let seed = IvSeed::random().ok_or(SaError::Random)?;
        let cipher = Cipher::new(config.suite, &config.keys, &seed)?;
        config.keys = SaKeys::wiped();
        let window = ReplayWindow::new(config.replay_window, config.sequence.in_seq, &config.sequence.bitmap);
        Ok(Sa {
            usage: Usage::default(),
            cipher,
            out_seq: AtomicU64::new(config.sequence.out_seq),
            exhausted: AtomicBool::new(false),
            window: Mutex::new(window),
            mapping_reported: AtomicU64::new(0),
            path_mtu: AtomicU32::new(0),
            path_mtu_learned: AtomicU64::new(0),
            config,
        })
    }

    pub fn cipher(&self) -> &Cipher {
        &self.cipher
    }

    /// The sequence numbers as they are now.
    pub fn replay_state(&self) -> SequenceState {
        let window = self.window();
        SequenceState { out_seq: self.last_sent(), in_seq: window.top(), bitmap: window.bitmap().to_vec() }
    }

    /// The last sequence number sent.
    pub fn last_sent(&self) -> u64 {
        self.out_seq.load(Ordering::Relaxed).min(self.last_seq())
    }

    /// The replay window, locked: hold it for a run of packets, not for each.
    pub fn window(&self) -> MutexGuard<'_, ReplayWindow> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next `count` sequence numbers and returns the first, `None` when fewer are left: they must not repeat
    /// (RFC 4303 3.3.3).
    pub fn take_seqs(&self, count: u64) -> Option<u64> {
        let last = self.last_seq();
        self.out_seq
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seq| {
                seq.checked_add(count).filter(|end| *end <= last)
            })
            .ok()
            .map(|before| before + 1)
    }

    /// Whether nobody has reported yet that the sequence numbers are used up.
    pub fn report_exhausted(&self) -> bool {
        !self.exhausted.swap(true, Ordering::Relaxed)
    }

    /// Whether a changed peer address may be reported at `now`, in Unix seconds: at most once a second.
    pub fn report_mapping(&self, now: u64) -> bool {
        self.mapping_reported.swap(now, Ordering::Relaxed) != now
    }

    /// Records the largest outer IP packet that the path takes, learned at `now`.
    pub fn learn_path_mtu(&self, mtu: u32, now: u64) {
        self.path_mtu_learned.store(now, Ordering::Relaxed);
        self.path_mtu.store(mtu, Ordering::Relaxed);
    }

    /// The largest outer IP packet of the path, `None` when nothing has been learned lately.
    pub fn path_mtu(&self, now: u64) -> Option<usize> {
        let age = now.saturating_sub(self.path_mtu_learned.load(Ordering::Relaxed));
        match self.path_mtu.load(Ordering::Relaxed) {
            mtu if mtu != 0 && age <= PATH_MTU_LIFETIME => Some(mtu as usize),
            _ => None,
        }
    }

    fn last_seq(&self) -> u64 {
        if self.config.esn { u64::MAX } else { u64::from(u32::MAX) }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::crypto::testing::pattern_keys;

    /// A plain SA between two documentation addresses, for tests to vary.
    pub(crate) fn config(suite: Suite) -> SaConfig {
        SaConfig {
            spi: 0xc0ff_ee01,
            src: "192.0.2.1".parse().unwrap(),
            dst: "198.51.100.1".parse().unwrap(),
            if_id: 7,
            reqid: 1,
            suite,
            keys: pattern_keys(suite),
            encap: Some(Encap { src_port: 4500, dst_port: 4500 }),
            replay_window: 64,
            esn: false,
            sequence: SequenceState::default(),
            copy_dscp: true,
            decap_dscp: false,
            ecn: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUITE: Suite = Suite::AesGcm16 { key_bits: 128 };

    #[test]
    fn parameters_are_checked() {
        let with = |change: fn(&mut SaConfig)| {
            let mut config = testing::config(SUITE);
            change(&mut config);
            Sa::new(config).unwrap_err()
        };
        assert_eq!(with(|c| c.spi = 255), SaError::ReservedSpi(255));
        assert_eq!(with(|c| c.replay_window = 4097), SaError::ReplayWindow(4097));
        assert!(matches!(with(|c| c.dst = "::1".parse().unwrap()), SaError::Family { .. }));
        assert!(matches!(with(|c| c.keys = SaKeys::aead(&[0; 8]).unwrap()), SaError::Crypto(_)));
    }

    #[test]
    fn sequence_numbers_end_at_32_bits_without_esn() {
        let mut config = testing::config(SUITE);
        config.sequence.out_seq = u64::from(u32::MAX) - 3;
        let sa = Sa::new(config).unwrap();
        assert_eq!(sa.take_seqs(2), Some(u64::from(u32::MAX) - 2));
        assert_eq!(sa.take_seqs(2), None);
        assert_eq!(sa.take_seqs(1), Some(u64::from(u32::MAX)));
        assert_eq!(sa.take_seqs(1), None);
        assert_eq!(sa.replay_state().out_seq, u64::from(u32::MAX));
        assert!(sa.report_exhausted());
        assert!(!sa.report_exhausted());
    }

    #[test]
    fn sequence_numbers_go_on_beyond_32_bits_with_esn() {
        let mut config = testing::config(SUITE);
        (config.esn, config.sequence.out_seq) = (true, u64::from(u32::MAX));
        assert_eq!(Sa::new(config).unwrap().take_seqs(5), Some(1 << 32));
    }

    #[test]
    fn a_path_mtu_is_forgotten_after_ten_minutes() {
        let sa = Sa::new(testing::config(SUITE)).unwrap();
        assert_eq!(sa.path_mtu(1000), None);
        sa.learn_path_mtu(1500, 1000);
        assert_eq!(sa.path_mtu(1600), Some(1500));
        assert_eq!(sa.path_mtu(1601), None);
    }

    #[test]
    fn a_mapping_is_reported_once_a_second() {
        let sa = Sa::new(testing::config(SUITE)).unwrap();
        assert_eq!([10, 10, 11].map(|now| sa.report_mapping(now)), [true, false, true]);
    }

    #[test]
    fn usage_keeps_the_first_and_the_last_time() {
        let usage = Usage::default();
        usage.add(1, 100, 50);
        usage.add(2, 200, 60);
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        assert_eq!([&usage.packets, &usage.bytes, &usage.first_used, &usage.last_used].map(read), [3, 300, 50, 60]);
    }
}
