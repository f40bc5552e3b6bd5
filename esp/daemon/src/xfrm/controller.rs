//! The engine together with what it drives: every change is published to the data path before anybody hears of it.
//!
//! Requests of charon, operations of the control socket and the passing of time come from different threads; one lock
//! makes them one sequence, so that snapshots are published in the order of the changes.

use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::Now;
use super::engine::{Effects, Engine};
use super::message::Notification;
use super::publish::Snapshot;
use crate::dataplane::{Dataplane, Family};
use crate::log;
use crate::tables::Tables;

/// What control needs of the data path.
pub trait DataPath: Send + Sync {
    /// Workers use these tables from now on.
    fn publish(&self, tables: Tables);
    /// The socket that IKE datagrams are sent with; `None` where the machine lacks the family.
    fn ike_send_fd(&self, family: Family) -> Option<BorrowedFd<'_>>;
}

impl DataPath for Arc<Dataplane> {
    fn publish(&self, tables: Tables) {
        Dataplane::publish(self, tables);
    }

    fn ike_send_fd(&self, family: Family) -> Option<BorrowedFd<'_>> {
        Dataplane::ike_send_fd(self, family)
    }
}

pub struct Controller<D> {
    pub data: D,
    state: Mutex<State>,
    started: Instant,
}

struct State {
    engine: Engine,
    published: Snapshot,
}

impl<D: DataPath> Controller<D> {
    pub fn new(engine: Engine, data: D) -> Controller<D> {
        let state = State { engine, published: Snapshot::default() };
        Controller { data, state: Mutex::new(state), started: Instant::now() }
    }

    /// Does `work` on the engine, publishes and logs what follows, and returns the result with the notifications that
    /// are to be sent.
    pub fn change<T>(&self, work: impl FnOnce(&mut Engine, Now, &mut Effects) -> T) -> (T, Vec<Notification>) {
        let mut effects = Effects::default();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { engine, published } = &mut *state;
        let result = work(engine, self.now(), &mut effects);
        if !effects.changed.is_empty() {
            engine.refresh(published, &effects.changed);
            self.data.publish(published.tables().clone());
        }
        drop(state);
        effects.notes.iter().for_each(log::notice);
        (result, effects.notifications)
    }

    /// Reads the engine.
    pub fn read<T>(&self, work: impl FnOnce(&Engine, Now) -> T) -> T {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        work(&state.engine, self.now())
    }

    pub fn uptime(&self) -> std::time::Duration {
        self.started.elapsed()
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Now { monotonic: self.started.elapsed(), wall }
    }
}
