//! From the databases to the snapshot that the data path works with.
//!
//! XFRM does not say which way an SA goes; it follows from how it was installed (the receiver chooses the SPI) or from
//! the policies' templates. An SA is published for receiving unless it is known to be for sending, with the selectors of
//! the inbound policies of its tunnel and request id: what they do not allow is dropped, so that an SA without a policy
//! lets nothing in. An outbound policy is published with the SA that its template resolves to. SAs and policies of
//! different tunnels (`if_id`) have nothing to do with each other.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use super::records::Template;
use super::request::{Direction, PolicyId, SaId};
use super::sad::{Installed, Sad};
use super::spd::{Policy, Spd};
use crate::sa::Sa;
use crate::selector::Selector;
use crate::tables::{InboundPolicy, Outbound, OutboundPolicy, Tables};

/// The policies' templates and selectors, by `if_id` and request id.
#[derive(Debug, Default)]
pub struct PolicyIndex {
    by_request: HashMap<(u32, u32), RequestPolicies>,
}

#[derive(Debug, Default)]
struct RequestPolicies {
    inbound: Vec<Selector>,
    /// Outer (source, destination) of outbound templates.
    outbound_ends: Vec<(IpAddr, IpAddr)>,
}

impl PolicyIndex {
    /// Of the policies given: all, or those of one tunnel when only its SAs are asked about.
    pub fn new<'a>(policies: impl Iterator<Item = (&'a PolicyId, &'a Policy)>) -> PolicyIndex {
        let mut index = PolicyIndex::default();
        for (id, policy) in policies {
            let (Some(template), Ok(selector)) = (&policy.template, id.selector.selector()) else { continue };
            let place = index.by_request.entry((id.if_id, template.reqid)).or_default();
            match id.direction {
                Direction::In => place.inbound.push(selector),
                Direction::Out => place.outbound_ends.extend(ends(template)),
                // In the kernel for routed packets; here whatever leaves the TUN is subject to the inbound policy.
                Direction::Forward => {}
            }
        }
        index
    }

    /// Which way the SA goes; `None` when nothing tells.
    pub fn direction(&self, installed: &Installed) -> Option<Direction> {
        let config = &installed.sa.config;
        let from_templates = || {
            let place = self.by_request.get(&(config.if_id, config.reqid))?;
            let matches = |(src, dst): &(IpAddr, IpAddr)| (*src, *dst) == (config.src, config.dst);
            let reversed = |(src, dst): &(IpAddr, IpAddr)| (*dst, *src) == (config.src, config.dst);
            if place.outbound_ends.iter().any(matches) {
                Some(Direction::Out)
            } else {
                place.outbound_ends.iter().any(reversed).then_some(Direction::In)
            }
        };
        installed.direction.or_else(from_templates)
    }

    fn inbound(&self, sa: &Sa) -> Arc<[Selector]> {
        let place = self.by_request.get(&(sa.config.if_id, sa.config.reqid));
        place.map(|place| place.inbound.as_slice()).unwrap_or_default().into()
    }
}

/// The tables as they were last published, brought up to date tunnel by tunnel: with thousands of tunnels, a change of
/// one must not cost a walk through all.
#[derive(Debug, Default)]
pub struct Snapshot {
    tables: Tables,
    /// What is in the tables of each tunnel, for receiving.
    received: BTreeMap<u32, Vec<SaId>>,
}

impl Snapshot {
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Takes out the SAs for receiving of one tunnel, as they were published last.
    pub fn withdraw(&mut self, if_id: u32) {
        for id in self.received.remove(&if_id).into_iter().flatten() {
            self.tables.remove_inbound(id.spi, id.dst);
        }
    }

    /// Brings the entries of one tunnel up to date.
    pub fn refresh(&mut self, if_id: u32, sad: &Sad, spd: &Spd) {
        self.withdraw(if_id);
        let index = PolicyIndex::new(spd.of_tunnel(if_id));
        let received: Vec<&Installed> =
            sad.of_tunnel(if_id).filter(|installed| index.direction(installed) != Some(Direction::Out)).collect();
        for installed in &received {
            let policy = InboundPolicy::Only(index.inbound(&installed.sa));
            self.tables.add_inbound(Arc::clone(&installed.sa), policy);
        }
        if !received.is_empty() {
            self.received.insert(if_id, received.into_iter().map(Installed::id).collect());
        }
        let policies: Vec<OutboundPolicy> = spd
            .outbound(if_id)
            .into_iter()
            .filter_map(|(id, policy)| {
                let selector = id.selector.selector().ok()?;
                let sa = policy.template.as_ref().and_then(|template| resolve(sad, if_id, template));
                let sa = sa.map(|installed| Arc::clone(&installed.sa));
                Some(OutboundPolicy { selector, sa, discard: policy.template.is_none() })
            })
            .collect();
        if policies.is_empty() {
            self.tables.remove_outbound(if_id);
        } else {
            self.tables.set_outbound(if_id, Outbound { policies });
        }
    }
}

/// The SA that an outbound template of a tunnel means now: the one with its SPI, or for SPI 0 the newest between its ends.
pub fn resolve<'a>(sad: &'a Sad, if_id: u32, template: &Template) -> Option<&'a Installed> {
    let ends = ends(template)?;
    let candidates = sad.of_tunnel(if_id).filter(|installed| {
        let config = &installed.sa.config;
        (config.reqid, config.dst) == (template.reqid, ends.1)
    });
    if template.id.spi != 0 {
        return candidates.into_iter().find(|installed| installed.sa.config.spi == template.id.spi);
    }
    candidates.filter(|installed| installed.sa.config.src == ends.0).max_by_key(|installed| installed.installed_at())
}

fn ends(template: &Template) -> Option<(IpAddr, IpAddr)> {
    Some((template.saddr.ip(template.family).ok()?, template.id.daddr.ip(template.family).ok()?))
}

#[cfg(test)]
#[path = "publish_tests.rs"]
mod tests;
