//! A request, applied to the databases.
//!
//! Pure: time, randomness and the requester's generation are arguments; what follows from a request besides its answer
//! is collected in [`Effects`] for the server to carry out.

use std::collections::BTreeSet;

use super::generation::{Generation, Generations};
use super::message::{self, Notification, Octets};
use super::netlink::{Header, Message, acknowledgement};
use super::publish::{PolicyIndex, Snapshot};
use super::records::{AeId, PolicyInfo};
use super::request::{Direction, PolicyId, Request, SaId, SaRequest, sa_id};
use super::sad::{Entry, Installed, Sad};
use super::spd::{Policy, Spd};
use super::uapi::msg;
use super::{Now, Refusal};

/// What is to be done besides answering.
#[derive(Debug, Default)]
pub struct Effects {
    /// Tunnels (`if_id`) whose SAs or policies changed and are to be published.
    pub changed: BTreeSet<u32>,
    pub notifications: Vec<Notification>,
    /// Lines for the log.
    pub notes: Vec<String>,
}

/// The databases and who writes them.
pub struct Engine {
    pub sad: Sad,
    pub spd: Spd,
    pub generations: Generations,
    /// Number of the last ACQUIRE.
    pub(super) acquires: u32,
    random: Box<dyn FnMut() -> u32 + Send>,
}

/// An answer: data, or an acknowledgement.
enum Answer {
    Data(Octets),
    Done,
}

impl Engine {
    /// `random` gives the SPIs; they must not be predictable.
    pub fn new(random: impl FnMut() -> u32 + Send + 'static) -> Engine {
        Engine {
            sad: Sad::default(),
            spd: Spd::default(),
            generations: Generations::default(),
            acquires: 0,
            random: Box::new(random),
        }
    }

    /// Carries out one request and returns its one answer.
    pub fn handle(
        &mut self,
        message: &Message<'_>,
        generation: Generation,
        now: Now,
        effects: &mut Effects,
    ) -> Octets {
        let header = &message.header;
        let result =
            Request::parse(message).and_then(|request| self.apply(request, header, generation, now, effects));
        match result {
            Ok(Answer::Data(octets)) => octets,
            Ok(Answer::Done) => acknowledgement(header, 0),
            Err(refusal) => {
                // charon asks to find out what is there: that is nothing to tell about.
                if !matches!(refusal.errno, libc::ESRCH | libc::ENOENT | libc::EEXIST) {
                    effects.notes.push(format!("{} refused: {refusal}", msg::name(header.kind)));
                }
                acknowledgement(header, refusal.errno)
            }
        }
    }

    /// The answer to a message whose length is not what it says.
    pub fn refuse_malformed(&self, header: &Header, effects: &mut Effects) -> Octets {
        let text =
            format!("{} refused: its length {} is not that of the message", msg::name(header.kind), header.len);
        effects.notes.push(text);
        acknowledgement(header, libc::EINVAL)
    }

    /// Brings the changed tunnels of a snapshot up to date.
    pub fn refresh(&self, snapshot: &mut Snapshot, changed: &BTreeSet<u32>) {
        // An SA may have gone from one of them to another: what was is taken out of all before what is comes in.
        for if_id in changed {
            snapshot.withdraw(*if_id);
        }
        for if_id in changed {
            snapshot.refresh(*if_id, &self.sad, &self.spd);
        }
    }

    /// Removes everything of a tunnel; returns the number of SAs and of policies.
    pub fn remove_tunnel(&mut self, if_id: u32, effects: &mut Effects) -> (usize, usize) {
        let sas = self.remove_sas(|installed| installed.sa.config.if_id == if_id, effects);
        let policies = self.remove_policies(|id, _| id.if_id == if_id, effects);
        (sas.len(), policies)
    }

    /// Removes every SA that `doomed` says, and returns them.
    pub(super) fn remove_sas(
        &mut self,
        doomed: impl FnMut(&&Installed) -> bool,
        effects: &mut Effects,
    ) -> Vec<Installed> {
        let ids: Vec<SaId> = self.sad.installed().filter(doomed).map(Installed::id).collect();
        let removed: Vec<Installed> = ids
            .into_iter()
            .filter_map(|id| match self.sad.remove(id) {
                Ok(Entry::Installed(installed)) => Some(installed),
                _ => None,
            })
            .collect();
        effects.changed.extend(removed.iter().map(|installed| installed.sa.config.if_id));
        removed
    }

    /// Removes every policy that `doomed` says, and returns their number.
    pub(super) fn remove_policies(
        &mut self,
        mut doomed: impl FnMut(&PolicyId, &Policy) -> bool,
        effects: &mut Effects,
    ) -> usize {
        let ids: Vec<PolicyId> =
            self.spd.iter().filter(|(id, policy)| doomed(id, policy)).map(|(id, _)| *id).collect();
        effects.changed.extend(ids.iter().map(|id| id.if_id));
        ids.iter().filter(|id| self.spd.remove(id).is_ok()).count()
    }

    pub fn is_orphan(&self, installed: &Installed) -> bool {
        !self.generations.is_connected(installed.generation)
    }

    fn apply(
        &mut self,
        request: Request,
        header: &Header,
        generation: Generation,
        now: Now,
        effects: &mut Effects,
    ) -> Result<Answer, Refusal> {
        match request {
            Request::AllocSpi(range) => {
                let info = self.sad.allocate(&range, generation, now, &mut self.random)?;
                return Ok(Answer::Data(message::sa(header, &info, &[])));
            }
            Request::NewSa(request) => self.install(*request, false, generation, now, effects)?,
            Request::UpdateSa(request) => self.install(*request, true, generation, now, effects)?,
            Request::DeleteSa(id) => {
                if let Entry::Installed(installed) = self.sad.remove(id)? {
                    effects.notes.push(format!("SA removed: {}", describe(&installed)));
                    effects.changed.insert(installed.sa.config.if_id);
                }
            }
            Request::GetSa(id) => {
                let installed = self.sad.find(id)?;
                return Ok(Answer::Data(message::sa(header, &installed.current_info(), &installed.reported())));
            }
            Request::GetReplay(id) => return Ok(Answer::Data(self.replay(header, &id)?)),
            Request::NewPolicy(request) => {
                let if_id = request.id.if_id;
                self.spd.add(*request, generation, now)?;
                effects.changed.insert(if_id);
            }
            Request::UpdatePolicy(request) => {
                effects.changed.insert(request.id.if_id);
                self.spd.update(*request, generation, now);
            }
            Request::DeletePolicy(id) => {
                self.spd.remove(&id)?;
                effects.changed.insert(id.if_id);
            }
            Request::GetPolicy(id) => return Ok(Answer::Data(self.policy(header, &id)?)),
            Request::FlushSas => {
                effects.changed.extend(self.sad.tunnels());
                self.sad.flush();
                effects.notes.push("all SAs removed on request".into());
            }
            Request::FlushPolicies => {
                self.remove_policies(|_, _| true, effects);
                effects.notes.push("all policies removed on request".into());
            }
            Request::GetSpdInfo => return Ok(Answer::Data(message::spd_info(header))),
            // The thresholds it sets are about the kernel's hash tables.
            Request::SetSpdInfo => {}
        }
        Ok(Answer::Done)
    }

    fn install(
        &mut self,
        request: SaRequest,
        update: bool,
        generation: Generation,
        now: Now,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let before = self.sad.get(request.id).map(|installed| installed.sa.config.if_id);
        let installed = if update {
            self.sad.update(request, generation, now)?
        } else {
            self.sad.add(request, generation, now)?
        };
        effects.notes.push(format!("SA installed: {}", describe(installed)));
        effects.changed.insert(installed.sa.config.if_id);
        effects.changed.extend(before);
        Ok(())
    }

    fn replay(&self, header: &Header, id: &AeId) -> Result<Octets, Refusal> {
        let installed = self.sad.find(sa_id(&id.sa_id)?)?;
        let config = &installed.sa.config;
        let id = AeId { saddr: config.src.into(), reqid: config.reqid, ..*id };
        let sequence = installed.sa.replay_state();
        let lifetime = installed.lifetime();
        Ok(message::replay(header, &id, &sequence, config.replay_window, installed.esn_layout, &lifetime))
    }

    fn policy(&self, header: &Header, id: &PolicyId) -> Result<Octets, Refusal> {
        let policy = self.spd.find(id)?;
        let mut info: PolicyInfo = policy.info;
        if let Some(template) = &policy.template {
            let index = PolicyIndex::new(self.spd.of_tunnel(id.if_id));
            let of_policy = |installed: &&Installed| {
                installed.sa.config.reqid == template.reqid
                    && (index.direction(installed) == Some(Direction::Out)) == (id.direction == Direction::Out)
            };
            info.curlft.use_time =
                self.sad.of_tunnel(id.if_id).filter(of_policy).map(Installed::last_used).max().unwrap_or(0);
        }
        Ok(message::policy(header, &info, &policy.attributes))
    }
}

/// An SA in one line, without its keys.
pub fn describe(installed: &Installed) -> String {
    let config = &installed.sa.config;
    let encap = config.encap.map_or(String::new(), |encap| format!(" udp {}>{}", encap.src_port, encap.dst_port));
    format!(
        "spi {:08x} {} > {}{encap} if_id {} reqid {} {}",
        config.spi, config.src, config.dst, config.if_id, config.reqid, config.suite
    )
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
