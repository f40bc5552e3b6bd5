//! The policy database (RFC 4301 4.4.1): which packets of a tunnel are protected, and by which SA.
//!
//! A policy is found by its `if_id`, direction and selector; its priority is not part of the identity, as in the kernel
//! (`xfrm_policy_insert_list`). Outbound, the template names the SA to use by its SPI, which charon changes at the
//! moment it wants traffic to change over; SPI 0 (a trap) takes any SA that fits, and if there is none asks for one.

use std::collections::BTreeMap;

use super::generation::Generation;
use super::records::{PolicyInfo, SelectorRecord, Template};
use super::request::{Direction, PolicyId, PolicyRequest};
use super::{Now, Refusal};

#[derive(Clone, Debug)]
pub struct Policy {
    pub info: PolicyInfo,
    /// `None`: the policy blocks what it matches, or is of `if_id` 0 and concerns no tunnel of ours.
    pub template: Option<Template>,
    /// As GETPOLICY returns them.
    pub attributes: Vec<u8>,
    pub generation: Generation,
}

#[derive(Debug, Default)]
pub struct Spd {
    policies: BTreeMap<PolicyId, Policy>,
    indices: u32,
}

impl Spd {
    /// NEWPOLICY. Errors: EEXIST.
    pub fn add(&mut self, request: PolicyRequest, generation: Generation, now: Now) -> Result<(), Refusal> {
        if self.policies.contains_key(&request.id) {
            return Err(Refusal::new(libc::EEXIST, "there is a policy with this if_id, direction and selector"));
        }
        self.update(request, generation, now);
        Ok(())
    }

    /// UPDPOLICY: replaces or adds.
    pub fn update(&mut self, request: PolicyRequest, generation: Generation, now: Now) {
        let PolicyRequest { id, mut info, template, attributes } = request;
        let old = self.policies.get(&id);
        info.index = old.map_or_else(
            || {
                // The kernel's form: the direction in the low bits.
                self.indices += 1;
                self.indices << 3 | u32::from(info.dir)
            },
            |old| old.info.index,
        );
        info.curlft = Default::default();
        info.curlft.add_time = now.wall;
        self.policies.insert(id, Policy { info, template, attributes, generation });
    }

    /// Errors: ENOENT.
    pub fn remove(&mut self, id: &PolicyId) -> Result<Policy, Refusal> {
        self.policies.remove(id).ok_or_else(unknown)
    }

    /// Errors: ENOENT.
    pub fn find(&self, id: &PolicyId) -> Result<&Policy, Refusal> {
        self.policies.get(id).ok_or_else(unknown)
    }

    /// All policies, by `if_id` and direction.
    pub fn iter(&self) -> impl Iterator<Item = (&PolicyId, &Policy)> {
        self.policies.iter()
    }

    /// The policies of a tunnel, by direction.
    pub fn of_tunnel(&self, if_id: u32) -> impl Iterator<Item = (&PolicyId, &Policy)> {
        let first = PolicyId { if_id, direction: Direction::In, selector: SelectorRecord::default() };
        self.policies.range(first..).take_while(move |(id, _)| id.if_id == if_id)
    }

    /// Outbound policies of a tunnel, best priority (the smallest number) first; of equal ones the older first.
    pub fn outbound(&self, if_id: u32) -> Vec<(&PolicyId, &Policy)> {
        let mut policies: Vec<_> = self.of_tunnel(if_id).filter(|(id, _)| id.direction == Direction::Out).collect();
        policies.sort_by_key(|(_, policy)| (policy.info.priority, policy.info.index));
        policies
    }

    pub fn len(&self) -> usize {
        self.policies.len()
    }

    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }
}

fn unknown() -> Refusal {
    Refusal::new(libc::ENOENT, "there is no policy with this if_id, direction and selector")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xfrm::generation::Generations;
    use crate::xfrm::testing::{NOW, policy};

    #[test]
    fn identity_is_if_id_direction_and_selector() {
        let (generation, _) = Generations::default().joined(1);
        let mut spd = Spd::default();
        let out = policy(7, Direction::Out, "10.0.0.0/8", "0.0.0.0/0", 0);
        spd.add(out.clone(), generation, NOW).unwrap();
        assert_eq!(spd.add(out.clone(), generation, NOW).unwrap_err().errno, libc::EEXIST);
        for other in [
            policy(8, Direction::Out, "10.0.0.0/8", "0.0.0.0/0", 0),
            policy(7, Direction::In, "10.0.0.0/8", "0.0.0.0/0", 0),
            policy(7, Direction::Out, "10.0.0.0/9", "0.0.0.0/0", 0),
        ] {
            spd.add(other, generation, NOW).unwrap();
        }
        assert_eq!(spd.len(), 4);
        spd.remove(&out.id).unwrap();
        assert_eq!(spd.remove(&out.id).unwrap_err().errno, libc::ENOENT);
        assert_eq!(spd.find(&out.id).unwrap_err().errno, libc::ENOENT);
    }

    #[test]
    fn an_update_changes_all_but_the_index() {
        let (mut generations, mut spd) = (Generations::default(), Spd::default());
        let (first, _) = generations.joined(1);
        let (second, _) = generations.joined(2);
        let mut request = policy(7, Direction::Out, "0.0.0.0/0", "0.0.0.0/0", 0xa);
        spd.add(request.clone(), first, NOW).unwrap();
        let index = spd.find(&request.id).unwrap().info.index;
        request.template.as_mut().unwrap().id.spi = 0xb;
        spd.update(request.clone(), second, NOW);
        let found = spd.find(&request.id).unwrap();
        assert_eq!((found.info.index, found.generation), (index, second));
        assert_eq!((index & 7, found.template.unwrap().id.spi), (1, 0xb));
    }

    #[test]
    fn the_best_priority_comes_first() {
        let (generation, _) = Generations::default().joined(1);
        let mut spd = Spd::default();
        for (selector, priority) in [("0.0.0.0/0", 300), ("10.0.0.0/8", 100), ("10.1.0.0/16", 200)] {
            let mut request = policy(7, Direction::Out, selector, "0.0.0.0/0", 0);
            request.info.priority = priority;
            spd.add(request, generation, NOW).unwrap();
        }
        spd.add(policy(8, Direction::Out, "0.0.0.0/0", "0.0.0.0/0", 0), generation, NOW).unwrap();
        spd.add(policy(7, Direction::In, "0.0.0.0/0", "0.0.0.0/0", 0), generation, NOW).unwrap();
        let priorities: Vec<u32> = spd.outbound(7).iter().map(|(_, policy)| policy.info.priority).collect();
        assert_eq!(priorities, [100, 200, 300]);
    }
}
