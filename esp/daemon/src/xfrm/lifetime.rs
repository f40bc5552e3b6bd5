//! Lifetimes of SAs (RFC 4301 4.4.2.1): the soft limit asks for a rekey, the hard one ends the SA.
//!
//! The rules are the kernel's (`xfrm_state_check_expire`, `xfrm_timer_handler`), looked at once a second rather than for
//! each packet: a limit on bytes or packets may be passed by what is sent in one second. Of our own is a soft limit on
//! sequence numbers, so that an SA without ESN is replaced before it has used the last one.

use super::records::LifetimeLimits;

/// Numbers of an SA without ESN that may be used before a rekey is asked for: seven eighths. The rest lasts for minutes
/// at ten million packets a second.
pub const SOFT_SEQUENCE: u64 = (1 << 32) / 8 * 7;

/// What an SA has behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Seconds since it was installed.
    pub age: u64,
    /// Seconds since its first packet.
    pub in_use: Option<u64>,
    pub bytes: u64,
    pub packets: u64,
    /// Last sequence number sent, `None` with ESN.
    pub short_sequence: Option<u64>,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    Nothing,
    Soft,
    Hard,
}

/// The limit that `usage` has passed, the hard one first.
pub fn due(limits: &LifetimeLimits, usage: &Usage) -> Due {
    let time = |limit: u64, passed: Option<u64>| limit != 0 && passed.is_some_and(|passed| passed >= limit);
    // The kernel looks at these when a packet comes: an SA without traffic never passes them, even when they are 0.
    let volume = |limit: u64, used: u64| usage.packets > 0 && used >= limit;
    let hard = time(limits.hard_add_expires_seconds, Some(usage.age))
        || time(limits.hard_use_expires_seconds, usage.in_use)
        || volume(limits.hard_byte_limit, usage.bytes)
        || volume(limits.hard_packet_limit, usage.packets);
    let soft = time(limits.soft_add_expires_seconds, Some(usage.age))
        || time(limits.soft_use_expires_seconds, usage.in_use)
        || volume(limits.soft_byte_limit, usage.bytes)
        || volume(limits.soft_packet_limit, usage.packets)
        || usage.short_sequence.is_some_and(|last| last >= SOFT_SEQUENCE);
    match (hard, soft) {
        (true, _) => Due::Hard,
        (false, true) => Due::Soft,
        (false, false) => Due::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As charon sets them when only times are configured.
    const LIMITS: LifetimeLimits = LifetimeLimits {
        soft_byte_limit: u64::MAX,
        hard_byte_limit: u64::MAX,
        soft_packet_limit: u64::MAX,
        hard_packet_limit: u64::MAX,
        soft_add_expires_seconds: 60,
        hard_add_expires_seconds: 66,
        soft_use_expires_seconds: 0,
        hard_use_expires_seconds: 0,
    };

    fn aged(age: u64) -> Usage {
        Usage { age, packets: 1, bytes: 1, ..Usage::default() }
    }

    #[test]
    fn times_count_from_the_second_they_name() {
        let due_at = |age| due(&LIMITS, &aged(age));
        assert_eq!([59, 60, 65, 66].map(due_at), [Due::Nothing, Due::Soft, Due::Soft, Due::Hard]);
        let none = LifetimeLimits { soft_add_expires_seconds: 0, hard_add_expires_seconds: 0, ..LIMITS };
        assert_eq!(due(&none, &aged(u64::MAX)), Due::Nothing);
    }

    #[test]
    fn use_times_need_a_first_packet() {
        let limits = LifetimeLimits { soft_use_expires_seconds: 5, hard_use_expires_seconds: 8, ..LIMITS };
        let used = |in_use| due(&limits, &Usage { in_use, ..aged(10) });
        assert_eq!([None, Some(4), Some(5), Some(8)].map(used), [Due::Nothing, Due::Nothing, Due::Soft, Due::Hard]);
    }

    #[test]
    fn volumes_need_a_packet() {
        let limits = LifetimeLimits { soft_byte_limit: 100, hard_byte_limit: 200, hard_packet_limit: 5, ..LIMITS };
        let used = |packets, bytes| due(&limits, &Usage { packets, bytes, ..Usage::default() });
        assert_eq!([used(1, 99), used(1, 100), used(1, 200)], [Due::Nothing, Due::Soft, Due::Hard]);
        assert_eq!(used(5, 1), Due::Hard);
        let zero = LifetimeLimits { hard_byte_limit: 0, ..LIMITS };
        assert_eq!(due(&zero, &Usage::default()), Due::Nothing);
    }

    #[test]
    fn sequence_numbers_run_low_without_esn() {
        let sent = |short_sequence| due(&LIMITS, &Usage { short_sequence, ..Usage::default() });
        assert_eq!(
            [None, Some(SOFT_SEQUENCE - 1), Some(SOFT_SEQUENCE)].map(sent),
            [Due::Nothing, Due::Nothing, Due::Soft]
        );
    }
}
