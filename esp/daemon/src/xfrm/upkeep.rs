//! What happens without a request: time passes, charon vanishes, the data path reports.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Now;
use super::engine::{Effects, Engine, describe};
use super::generation::Generation;
use super::lifetime::{Due, due};
use super::message;
use super::publish::{self, PolicyIndex};
use super::request::{Direction, PolicyId, SaId};
use super::sad::Installed;
use super::spd::Policy;
use crate::events::Event;

/// How long orphans go on beside a newer pair of SAs.
pub const ORPHAN_GRACE: Duration = Duration::from_secs(10);

impl Engine {
    /// To be called about once a second: expires SAs and reserved SPIs, collects orphans.
    pub fn tick(&mut self, now: Now, effects: &mut Effects) {
        self.sad.expire_larval(now);
        self.expire(now, effects);
        self.collect_orphans(now, effects);
    }

    /// A charon process has no connection any more.
    pub fn generation_ended(&mut self, generation: Generation, effects: &mut Effects) {
        let orphans = self.sad.installed().filter(|installed| installed.generation == generation).count();
        effects.notes.push(match orphans {
            0 => "charon is gone".into(),
            count => format!("charon is gone and leaves {count} SAs, which go on carrying traffic"),
        });
    }

    /// Passes an event of the data path on to charon.
    pub fn data_event(&mut self, event: Event, effects: &mut Effects) {
        match event {
            Event::Mapping { spi, dst, new_addr, new_port } => {
                if let Some(installed) = self.sad.get(SaId { dst, spi }) {
                    effects.notes.push(format!("peer moved to {new_addr} port {new_port}: {}", describe(installed)));
                    effects.notifications.push(message::mapping(&installed.sa, new_addr, new_port));
                }
            }
            Event::Acquire { if_id } => self.acquire(if_id, effects),
            Event::SequenceExhausted { spi, dst } => {
                if let Some(installed) = self.sad.get(SaId { dst, spi }) {
                    effects.notes.push(format!("no sequence numbers left: {}", describe(installed)));
                    effects.notifications.push(message::expire(
                        installed.current_info(),
                        installed.sa.config.if_id,
                        false,
                    ));
                }
            }
            Event::TunLost { if_id } => {
                effects.notes.push(format!("the TUN device of tunnel {if_id} was deleted: add the tunnel again"));
            }
            Event::OffloadDisabled { offload, reason } => {
                effects.notes.push(format!("offload {offload} is off from now on: {reason}"));
            }
        }
    }

    /// Asks for an SA for the first policy of the tunnel that lacks one.
    fn acquire(&mut self, if_id: u32, effects: &mut Effects) {
        let missing = self.spd.outbound(if_id).into_iter().find_map(|(_, policy)| {
            let template = policy.template?;
            publish::resolve(&self.sad, if_id, &template).is_none().then_some((policy.info, template))
        });
        if let Some((info, template)) = missing {
            self.acquires = self.acquires.wrapping_add(1);
            effects.notes.push(format!("if_id {if_id} reqid {} wants an SA", template.reqid));
            effects.notifications.push(message::acquire(&info, &template, if_id, self.acquires));
        }
    }

    fn expire(&mut self, now: Now, effects: &mut Effects) {
        let mut ended = BTreeSet::new();
        for installed in self.sad.installed_mut() {
            let due = due(&installed.info.lft, &installed.usage(now));
            let if_id = installed.sa.config.if_id;
            match due {
                Due::Hard => {
                    effects.notes.push(format!("SA ends at its hard lifetime: {}", describe(installed)));
                    effects.notifications.push(message::expire(installed.current_info(), if_id, true));
                    ended.insert(installed.id());
                }
                Due::Soft if !installed.soft_sent => {
                    installed.soft_sent = true;
                    effects.notes.push(format!("SA reached its soft lifetime: {}", describe(installed)));
                    effects.notifications.push(message::expire(installed.current_info(), if_id, false));
                }
                Due::Soft | Due::Nothing => {}
            }
        }
        if !ended.is_empty() {
            self.remove_sas(|installed| ended.contains(&installed.id()), effects);
        }
    }

    /// Rules 1 and 3 of the essay in [`super`].
    fn collect_orphans(&mut self, now: Now, effects: &mut Effects) {
        let is_orphan = |generation: Generation| !self.generations.is_connected(generation);
        let sas = || self.sad.installed().map(|installed| installed.generation);
        let policies = || self.spd.iter().map(|(_, policy)| policy.generation);
        // Nearly always; the rest would go through all policies with every tick.
        if !sas().chain(policies()).any(is_orphan) {
            return;
        }
        let (generations, settled) = (self.generations.clone(), self.settled_pairs(now));
        let superseded = |if_id: u32, generation: Generation| {
            !generations.is_connected(generation) && settled.get(&if_id).is_some_and(|newest| *newest > generation)
        };
        let sas = self.remove_sas(|installed| superseded(installed.sa.config.if_id, installed.generation), effects);
        effects.notes.extend(sas.iter().map(|sa| format!("orphan replaced by a newer SA: {}", describe(sa))));
        let served: BTreeSet<u32> = self.sad.tunnels().collect();
        let left_over = |id: &PolicyId, policy: &Policy| {
            superseded(id.if_id, policy.generation)
                || !generations.is_connected(policy.generation) && !served.contains(&id.if_id)
        };
        self.remove_policies(left_over, effects);
    }

    /// For each tunnel the newest generation that has had a pair of SAs for long enough.
    fn settled_pairs(&self, now: Now) -> BTreeMap<u32, Generation> {
        let index = PolicyIndex::new(self.spd.iter());
        let mut ways: BTreeMap<(u32, Generation), (bool, bool)> = BTreeMap::new();
        let old_enough =
            |installed: &&Installed| now.monotonic.saturating_sub(installed.installed_at()) >= ORPHAN_GRACE;
        for installed in self.sad.installed().filter(old_enough) {
            let way = ways.entry((installed.sa.config.if_id, installed.generation)).or_default();
            match index.direction(installed) {
                Some(Direction::In) => way.0 = true,
                Some(Direction::Out) => way.1 = true,
                _ => {}
            }
        }
        // In ascending order: the newest generation stays.
        ways.into_iter().filter(|(_, way)| *way == (true, true)).map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
#[path = "upkeep_tests.rs"]
mod tests;
