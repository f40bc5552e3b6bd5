//! When how many packets are due.
//!
//! The sender wakes every [`TICK`] and sends what is due by then. When it was kept from running it catches up, but at twice
//! the rate at most and never with more at once than in two ticks: a larger burst would overflow the queues behind it, and
//! the loss would be the sender's own doing. What it could not catch up with until the end was never offered, which the
//! report of what was sent shows.

use std::thread;
use std::time::{Duration, Instant};

use crate::cli::Load;

pub const TICK: Duration = Duration::from_micros(200);
/// Between bursts that catch up.
const SHORT: Duration = Duration::from_micros(50);
const CATCHING_UP: f64 = 2.0;

/// What was sent, and in what time.
#[derive(Debug)]
pub struct Sent {
    pub packets: u64,
    pub elapsed: Duration,
}

impl Sent {
    pub fn to_json(&self) -> String {
        format!(r#"{{"sent":{},"seconds":{:.6}}}"#, self.packets, self.elapsed.as_secs_f64())
    }
}

/// How many to send now, `elapsed` after the beginning and `pause` after the last time, when `sent` have been sent.
fn due(rate: f64, elapsed: Duration, pause: Duration, sent: u64) -> usize {
    let planned = (rate * elapsed.as_secs_f64()) as u64;
    let burst = (CATCHING_UP * rate * pause.min(TICK).as_secs_f64()).ceil();
    planned.saturating_sub(sent).min(burst as u64) as usize
}

/// What is left of the tick in which `elapsed` lies.
fn rest(elapsed: Duration) -> Duration {
    let tick = TICK.as_nanos() as u64;
    Duration::from_nanos(tick - elapsed.as_nanos() as u64 % tick)
}

/// Calls `send` with a number of packets, again and again; it gives how many it sent.
pub fn pace<E>(load: &Load, mut send: impl FnMut(usize) -> Result<usize, E>) -> Result<Sent, E> {
    // SAFETY: no pointers. The kernel would otherwise round sleeps up by 50 µs.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    let begin = Instant::now();
    let (mut packets, mut last) = (0, Duration::ZERO);
    loop {
        let elapsed = begin.elapsed();
        packets += send(due(load.rate, elapsed.min(load.duration), elapsed - last, packets))? as u64;
        last = elapsed;
        if elapsed >= load.duration {
            return Ok(Sent { packets, elapsed });
        }
        let now = begin.elapsed();
        let behind = load.rate * now.as_secs_f64() - packets as f64 > load.rate * TICK.as_secs_f64();
        thread::sleep(if behind { SHORT } else { rest(now) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_in_time_sends_what_is_due() {
        assert_eq!(due(100_000.0, Duration::from_millis(10), TICK, 990), 10);
        assert_eq!(due(100_000.0, Duration::from_millis(10), TICK, 1000), 0);
        assert_eq!(due(10.0, Duration::from_millis(99), TICK, 0), 0);
        assert_eq!(due(10.0, Duration::from_millis(101), TICK, 0), 1);
    }

    #[test]
    fn a_late_sender_catches_up_at_twice_the_rate() {
        assert_eq!(due(100_000.0, Duration::from_secs(1), TICK, 0), 40);
        assert_eq!(due(100_000.0, Duration::from_secs(1), TICK / 2, 0), 20);
        assert_eq!(due(100_000.0, Duration::from_secs(1), 30 * TICK, 0), 40);
    }

    #[test]
    fn it_sleeps_until_the_next_tick() {
        assert_eq!(rest(TICK * 7 + TICK / 4), TICK * 3 / 4);
        assert_eq!(rest(TICK), TICK);
    }

    #[test]
    fn all_of_a_load_is_sent() {
        let load =
            Load { to: "127.0.0.1:9".parse().unwrap(), size: 36, rate: 1000.0, duration: Duration::from_millis(50) };
        let sent = pace(&load, Ok::<_, ()>).unwrap();
        assert!(sent.packets <= 50);
        assert!(sent.elapsed >= load.duration);
    }
}
