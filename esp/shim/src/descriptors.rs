//! What we know of each file descriptor, in a table without locks: it is asked on every intercepted call.

use std::ffi::c_int;
use std::sync::atomic::{AtomicU64, Ordering};

/// charon's descriptors are few; beyond this none is redirected.
const SIZE: usize = 4096;

static TABLE: [AtomicU64; SIZE] = [const { AtomicU64::new(OTHER) }; SIZE];

const OTHER: u64 = 0;
const XFRM: u64 = 1;
/// Low word of an IKE entry; the high word is the descriptor to send with.
const IKE: u64 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing of ours.
    Other,
    /// A connection that carries netlink messages.
    Xfrm,
    /// A connection that carries IKE datagrams, and the daemon's UDP socket to answer with.
    Ike { send_fd: c_int },
}

impl Kind {
    fn encode(self) -> u64 {
        match self {
            Kind::Other => OTHER,
            Kind::Xfrm => XFRM,
            Kind::Ike { send_fd } => IKE | (send_fd as u64) << 32,
        }
    }

    fn decode(entry: u64) -> Kind {
        match entry & u64::from(u32::MAX) {
            XFRM => Kind::Xfrm,
            IKE => Kind::Ike { send_fd: (entry >> 32) as c_int },
            _ => Kind::Other,
        }
    }
}

fn entry(fd: c_int) -> Option<&'static AtomicU64> {
    TABLE.get(usize::try_from(fd).ok()?)
}

pub fn get(fd: c_int) -> Kind {
    entry(fd).map_or(Kind::Other, |entry| Kind::decode(entry.load(Ordering::Acquire)))
}

/// Remembers `kind`; false when the descriptor is too large for the table.
pub fn set(fd: c_int, kind: Kind) -> bool {
    entry(fd).map(|entry| entry.store(kind.encode(), Ordering::Release)).is_some()
}

/// Forgets the descriptor and returns what it was.
pub fn take(fd: c_int) -> Kind {
    entry(fd).map_or(Kind::Other, |entry| Kind::decode(entry.swap(OTHER, Ordering::AcqRel)))
}

/// Forgets what the number meant before: it may have been closed behind our back.
pub fn forget(fd: c_int) {
    take(fd);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_kept_and_taken() {
        for kind in [Kind::Xfrm, Kind::Ike { send_fd: 17 }, Kind::Ike { send_fd: 0 }] {
            assert!(set(1234, kind));
            assert_eq!(get(1234), kind);
            assert_eq!(take(1234), kind);
            assert_eq!(get(1234), Kind::Other);
        }
    }

    #[test]
    fn numbers_outside_the_table_are_never_ours() {
        for fd in [-1, SIZE as c_int] {
            assert!(!set(fd, Kind::Xfrm));
            assert_eq!(get(fd), Kind::Other);
        }
    }
}
