//! The SA database (RFC 4301 4.4.2): what is installed, and SPIs that are reserved for a negotiation (larval entries).
//!
//! An SA is found by its destination and SPI. An entry keeps the structure and the attributes it came with, because
//! charon reads them back to change an address or port: it reads the SA and its replay state, deletes it, and installs
//! it again with what it read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use zeroize::Zeroizing;

use super::generation::Generation;
use super::lifetime::Usage;
use super::netlink::{attributes, put_attribute};
use super::records::{LifetimeCurrent, SaInfo, SpiRange};
use super::request::{Direction, SaId, SaRequest};
use super::uapi::attr;
use super::{Now, Refusal, replay_state, uapi};
use crate::sa::{Sa, SaConfig};

/// How long an SPI stays reserved, the kernel's `sysctl_xfrm_acq_expires` of 30 s made ample for slow peers: charon's
/// longest retransmission.
pub const LARVAL_LIFETIME: Duration = Duration::from_secs(165);
/// Random SPIs tried before a range counts as full.
const SPI_ATTEMPTS: u32 = 1000;
/// The largest replay window, in packets, that GETSA tells a charon of before version 6 about.
const OLD_CHARON_WINDOW: u32 = 1024;

/// A reserved SPI.
#[derive(Clone, Debug)]
pub struct Larval {
    pub info: SaInfo,
    pub since: Duration,
    pub generation: Generation,
}

/// An installed SA.
pub struct Installed {
    pub sa: Arc<Sa>,
    pub info: SaInfo,
    /// As they came, but for replay state and lifetime; with keys.
    pub attributes: Zeroizing<Vec<u8>>,
    pub esn_layout: bool,
    /// What the message or the way it was installed says about it.
    pub direction: Option<Direction>,
    pub generation: Generation,
    pub soft_sent: bool,
    installed: Duration,
    /// Seconds it had lived before it was installed again.
    age_before: u64,
    /// Unix seconds.
    added: u64,
}

/// Without the attributes, which hold keys.
impl fmt::Debug for Installed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Installed").field("sa", &self.sa).field("direction", &self.direction).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub enum Entry {
    Larval(Larval),
    Installed(Installed),
}

#[derive(Debug, Default)]
pub struct Sad {
    entries: BTreeMap<SaId, Entry>,
    /// Installed SAs by `if_id`.
    tunnels: BTreeMap<u32, BTreeSet<SaId>>,
}

impl Installed {
    /// The attributes that GETSA returns: as they came, with the replay state of now where it has the layout of
    /// XFRMA_REPLAY_ESN_VAL.
    ///
    /// charon moves an SA by installing what GETSA returned, and since 5.9.12 takes this state from nowhere else. Before,
    /// it adds the state from GETAE a second time, for which its 1024 octets are too few with the largest windows
    /// (strongSwan issue 1967). From version 6 on it says which way an SA goes, by which the two are told apart.
    pub fn reported(&self) -> Zeroizing<Vec<u8>> {
        let is_new = attributes(&self.attributes).any(|found| matches!(found, Ok((attr::SA_DIR, _))));
        let window = self.sa.config.replay_window;
        let state = replay_state::to_esn(&self.sa.replay_state(), window);
        // With room for all from the start: what a vector leaves behind when it grows is not wiped.
        let mut all = Zeroizing::new(Vec::with_capacity(self.attributes.len() + state.len() + 8));
        all.extend_from_slice(&self.attributes);
        if self.esn_layout && (is_new || window <= OLD_CHARON_WINDOW) {
            put_attribute(&mut all, attr::REPLAY_ESN_VAL, &state);
        }
        all
    }

    pub fn id(&self) -> SaId {
        SaId { dst: self.sa.config.dst, spi: self.sa.config.spi }
    }

    /// Seconds since it was first installed.
    pub fn age(&self, now: Now) -> u64 {
        now.monotonic.saturating_sub(self.installed).as_secs() + self.age_before
    }

    /// On the monotonic clock.
    pub fn installed_at(&self) -> Duration {
        self.installed
    }

    pub fn packets(&self) -> u64 {
        self.sa.usage.packets.load(Ordering::Relaxed)
    }

    pub fn bytes(&self) -> u64 {
        self.sa.usage.bytes.load(Ordering::Relaxed)
    }

    /// Unix seconds of the last packet, 0 when there was none.
    pub fn last_used(&self) -> u64 {
        self.sa.usage.last_used.load(Ordering::Relaxed)
    }

    pub fn usage(&self, now: Now) -> Usage {
        let first_used = self.sa.usage.first_used.load(Ordering::Relaxed);
        Usage {
            age: self.age(now),
            in_use: (first_used != 0).then(|| now.wall.saturating_sub(first_used)),
            bytes: self.bytes(),
            packets: self.packets(),
            short_sequence: (!self.sa.config.esn).then(|| self.sa.last_sent()),
        }
    }

    pub fn lifetime(&self) -> LifetimeCurrent {
        LifetimeCurrent {
            bytes: self.bytes(),
            packets: self.packets(),
            add_time: self.added,
            use_time: self.sa.usage.first_used.load(Ordering::Relaxed),
        }
    }

    /// The structure it came with, and its usage now.
    pub fn current_info(&self) -> SaInfo {
        SaInfo { curlft: self.lifetime(), ..self.info }
    }

    fn new(
        request: SaRequest,
        replaced: Option<&Installed>,
        direction: Option<Direction>,
        generation: Generation,
        now: Now,
    ) -> Result<Installed, Refusal> {
        let sequence = request.sequence.or_else(|| replaced.map(|old| old.sa.replay_state())).unwrap_or_default();
        let lifetime = request.lifetime.or_else(|| replaced.map(Installed::lifetime)).unwrap_or_default();
        let config = SaConfig {
            spi: request.id.spi,
            src: request.src,
            dst: request.id.dst,
            if_id: request.if_id,
            reqid: request.info.reqid,
            suite: request.suite,
            keys: request.keys,
            encap: request.encap,
            replay_window: request.replay_window,
            esn: request.info.flags & uapi::STATE_ESN != 0,
            sequence,
            copy_dscp: request.copy_dscp,
            decap_dscp: request.info.flags & uapi::STATE_DECAP_DSCP != 0,
            ecn: request.info.flags & uapi::STATE_NOECN == 0,
        };
        let sa = Sa::new(config).map_err(|error| Refusal::malformed(error.to_string()))?;
        sa.usage.bytes.store(lifetime.bytes, Ordering::Relaxed);
        sa.usage.packets.store(lifetime.packets, Ordering::Relaxed);
        sa.usage.first_used.store(lifetime.use_time, Ordering::Relaxed);
        sa.usage.last_used.store(lifetime.use_time, Ordering::Relaxed);
        let age_before = if lifetime.add_time == 0 { 0 } else { now.wall.saturating_sub(lifetime.add_time) };
        Ok(Installed {
            sa: Arc::new(sa),
            info: request.info,
            attributes: request.attributes,
            esn_layout: request.esn_layout,
            direction: request.direction.or(direction),
            generation,
            soft_sent: false,
            installed: now.monotonic,
            age_before,
            added: now.wall - age_before,
        })
    }
}

impl Sad {
    /// Reserves an SPI of the range and returns the structure with it.
    ///
    /// Errors: EINVAL for an empty range, ENOENT when no SPI is free.
    pub fn allocate(
        &mut self,
        range: &SpiRange,
        generation: Generation,
        now: Now,
        random: &mut dyn FnMut() -> u32,
    ) -> Result<SaInfo, Refusal> {
        let mut info = range.info;
        let dst = info.id.daddr.ip(info.family)?;
        if range.min > range.max {
            return Err(Refusal::malformed(format!("SPI range {:#x} to {:#x} is empty", range.min, range.max)));
        }
        let size = u64::from(range.max - range.min) + 1;
        let free = (0..SPI_ATTEMPTS)
            .map(|_| range.min + (u64::from(random()) % size) as u32)
            .find(|spi| !self.entries.contains_key(&SaId { dst, spi: *spi }));
        let Some(spi) = free else {
            return Err(Refusal::new(
                libc::ENOENT,
                format!("no SPI is free in {:#x} to {:#x}", range.min, range.max),
            ));
        };
        info.id.spi = spi;
        let larval = Larval { info, since: now.monotonic, generation };
        self.entries.insert(SaId { dst, spi }, Entry::Larval(larval));
        Ok(info)
    }

    /// NEWSA: installs an SA under an id that nobody has.
    ///
    /// Errors: EEXIST, EINVAL for parameters that do not fit.
    pub fn add(&mut self, request: SaRequest, generation: Generation, now: Now) -> Result<&Installed, Refusal> {
        let id = request.id;
        if self.entries.contains_key(&id) {
            return Err(Refusal::new(libc::EEXIST, "there is an SA with this destination and SPI"));
        }
        let installed = Installed::new(request, None, None, generation, now)?;
        Ok(self.put(id, installed))
    }

    /// UPDSA: completes a larval entry, or replaces the parameters of an SA, which keeps its state.
    ///
    /// Errors: ESRCH, EINVAL for parameters that do not fit.
    pub fn update(&mut self, request: SaRequest, generation: Generation, now: Now) -> Result<&Installed, Refusal> {
        let id = request.id;
        let installed = match self.entries.get(&id) {
            None => return Err(unknown()),
            // The receiver of packets chooses the SPI.
            Some(Entry::Larval(_)) => Installed::new(request, None, Some(Direction::In), generation, now)?,
            Some(Entry::Installed(old)) => Installed::new(request, Some(old), old.direction, generation, now)?,
        };
        Ok(self.put(id, installed))
    }

    /// Errors: ESRCH.
    pub fn remove(&mut self, id: SaId) -> Result<Entry, Refusal> {
        let entry = self.entries.remove(&id).ok_or_else(unknown)?;
        if let Entry::Installed(installed) = &entry {
            self.forget(installed.sa.config.if_id, id);
        }
        Ok(entry)
    }

    pub fn get(&self, id: SaId) -> Option<&Installed> {
        match self.entries.get(&id)? {
            Entry::Installed(installed) => Some(installed),
            Entry::Larval(_) => None,
        }
    }

    /// As [`Sad::get`], with ESRCH; a larval entry has nothing to read.
    pub fn find(&self, id: SaId) -> Result<&Installed, Refusal> {
        self.get(id).ok_or_else(unknown)
    }

    pub fn installed(&self) -> impl Iterator<Item = &Installed> {
        self.entries.values().filter_map(|entry| match entry {
            Entry::Installed(installed) => Some(installed),
            Entry::Larval(_) => None,
        })
    }

    pub fn installed_mut(&mut self) -> impl Iterator<Item = &mut Installed> {
        self.entries.values_mut().filter_map(|entry| match entry {
            Entry::Installed(installed) => Some(installed),
            Entry::Larval(_) => None,
        })
    }

    pub fn larval_count(&self) -> usize {
        self.entries.len() - self.installed().count()
    }

    /// Frees SPIs reserved too long ago.
    pub fn expire_larval(&mut self, now: Now) {
        self.entries.retain(|_, entry| match entry {
            Entry::Larval(larval) => now.monotonic.saturating_sub(larval.since) < LARVAL_LIFETIME,
            Entry::Installed(_) => true,
        });
    }

    /// The SAs of a tunnel.
    pub fn of_tunnel(&self, if_id: u32) -> impl Iterator<Item = &Installed> {
        self.tunnels.get(&if_id).into_iter().flatten().filter_map(|id| self.get(*id))
    }

    /// Every `if_id` with an SA.
    pub fn tunnels(&self) -> impl Iterator<Item = u32> {
        self.tunnels.keys().copied()
    }

    /// Removes everything, larval entries too.
    pub fn flush(&mut self) {
        *self = Sad::default();
    }

    fn put(&mut self, id: SaId, installed: Installed) -> &Installed {
        let if_id = installed.sa.config.if_id;
        if let Some(Entry::Installed(old)) = self.entries.insert(id, Entry::Installed(installed)) {
            self.forget(old.sa.config.if_id, id);
        }
        self.tunnels.entry(if_id).or_default().insert(id);
        self.get(id).expect("the entry was just inserted")
    }

    fn forget(&mut self, if_id: u32, id: SaId) {
        if let Some(ids) = self.tunnels.get_mut(&if_id) {
            ids.remove(&id);
            if ids.is_empty() {
                self.tunnels.remove(&if_id);
            }
        }
    }
}

fn unknown() -> Refusal {
    Refusal::new(libc::ESRCH, "there is no SA with this destination and SPI")
}

#[cfg(test)]
#[path = "sad_tests.rs"]
mod tests;
