//! The snapshot of SAs and policies that workers read.
//!
//! Control publishes each change with one atomic pointer swap; a worker loads the pointer once for a batch, so that no
//! packet takes a lock and a batch sees one consistent state. An SA that is in no snapshot any more lives until the last
//! batch that found it ends.
//!
//! A snapshot is immutable, so a change is a copy. It is cheap with thousands of SAs because the tables are cut into
//! [`SHARDS`] parts by the low bits of the key: a copy shares all parts but the one that changes. Those bits need no
//! hashing: SPIs of received packets are random numbers of ours, and `if_id`s are counted.
//!
//! Direction is not a property of an SA in XFRM: control puts an SA into `inbound` when its destination is local and
//! names it in an outbound policy when a policy's template points to it (the policy's `tmpl.id.spi`, so that a rekey
//! changes over at the moment charon asks for).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::sa::Sa;
use crate::selector::{Flow, Selector};

/// What decrypted packets of an SA may be.
#[derive(Clone, Debug)]
pub enum InboundPolicy {
    /// Any well-formed packet.
    Any,
    /// What one of these selectors matches; with an empty list nothing.
    Only(Arc<[Selector]>),
}

/// An SA for received packets with the policy their inner packets must meet.
#[derive(Clone, Debug)]
pub struct Inbound {
    pub sa: Arc<Sa>,
    pub policy: InboundPolicy,
}

/// One outbound policy: what it matches and the SA its template resolves to at present, if there is one.
#[derive(Clone, Debug)]
pub struct OutboundPolicy {
    pub selector: Selector,
    pub sa: Option<Arc<Sa>>,
    /// Drop what matches, and ask for no SA.
    pub discard: bool,
}

/// Outbound policies of one tunnel, best priority first: the first that matches decides.
#[derive(Clone, Debug, Default)]
pub struct Outbound {
    pub policies: Vec<OutboundPolicy>,
}

/// What the outbound policies say about a packet.
#[derive(Debug)]
pub enum Route<'a> {
    /// Encapsulate with this SA.
    Sa(&'a Arc<Sa>),
    /// A policy matches but has no SA: drop, and ask for one.
    Acquire,
    /// No policy matches, or one that discards: drop.
    NoPolicy,
}

impl Outbound {
    pub fn has_policy(&self) -> bool {
        !self.policies.is_empty()
    }

    /// The decision for `flow`.
    pub fn route(&self, flow: &Flow) -> Route<'_> {
        match self.policies.iter().find(|policy| policy.selector.matches(flow)) {
            Some(OutboundPolicy { sa: Some(sa), .. }) => Route::Sa(sa),
            Some(OutboundPolicy { discard: false, .. }) => Route::Acquire,
            Some(_) | None => Route::NoPolicy,
        }
    }
}

/// Parts of a table: about the square root of the largest number of SAs meant, so that a part is as long as the list of
/// parts.
const SHARDS: usize = 128;

/// A map whose copies share what has not changed since.
#[derive(Clone, Debug)]
struct Sharded<T> {
    shards: Vec<Arc<HashMap<u32, T>>>,
}

impl<T> Default for Sharded<T> {
    fn default() -> Sharded<T> {
        let empty = Arc::default();
        Sharded { shards: vec![empty; SHARDS] }
    }
}

impl<T: Clone> Sharded<T> {
    fn get(&self, key: u32) -> Option<&T> {
        self.shards[key as usize % SHARDS].get(&key)
    }

    /// The part with `key`, copied when another snapshot has it too.
    fn part(&mut self, key: u32) -> &mut HashMap<u32, T> {
        Arc::make_mut(&mut self.shards[key as usize % SHARDS])
    }
}

/// An immutable snapshot.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    inbound: Sharded<Vec<Inbound>>,
    outbound: Sharded<Outbound>,
}

impl Tables {
    pub fn new() -> Tables {
        Tables::default()
    }

    /// Adds an SA for received packets; found by its SPI and destination.
    pub fn add_inbound(&mut self, sa: Arc<Sa>, policy: InboundPolicy) {
        self.inbound.part(sa.config.spi).entry(sa.config.spi).or_default().push(Inbound { sa, policy });
    }

    /// Removes the SA that [`Tables::inbound`] finds.
    pub fn remove_inbound(&mut self, spi: u32, dst: IpAddr) {
        if self.inbound(spi, dst).is_none() {
            return;
        }
        let part = self.inbound.part(spi);
        if let Some(entries) = part.get_mut(&spi) {
            entries.retain(|entry| entry.sa.config.dst != dst);
            if entries.is_empty() {
                part.remove(&spi);
            }
        }
    }

    /// Removes the outbound policies of a tunnel.
    pub fn remove_outbound(&mut self, if_id: u32) {
        if self.outbound(if_id).is_some() {
            self.outbound.part(if_id).remove(&if_id);
        }
    }

    /// Sets the outbound policies of a tunnel.
    pub fn set_outbound(&mut self, if_id: u32, outbound: Outbound) {
        self.outbound.part(if_id).insert(if_id, outbound);
    }

    /// The SA of a packet with this SPI (host order) received on local address `dst`.
    pub fn inbound(&self, spi: u32, dst: IpAddr) -> Option<&Inbound> {
        self.inbound.get(spi)?.iter().find(|entry| entry.sa.config.dst == dst)
    }

    /// The outbound policies of a tunnel.
    pub fn outbound(&self, if_id: u32) -> Option<&Outbound> {
        self.outbound.get(if_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Suite;
    use crate::sa::testing::config;

    fn sa(spi: u32) -> Arc<Sa> {
        let mut config = config(Suite::AesGcm16 { key_bits: 128 });
        config.spi = spi;
        Arc::new(Sa::new(config).unwrap())
    }

    #[test]
    fn a_copy_does_not_see_later_changes() {
        let mut tables = Tables::new();
        let spis = 0x1000..0x1000 + 3 * SHARDS as u32;
        spis.clone().for_each(|spi| tables.add_inbound(sa(spi), InboundPolicy::Any));
        let dst = sa(0x1000).config.dst;
        let copy = tables.clone();
        tables.remove_inbound(0x1001, dst);
        tables.set_outbound(7, Outbound::default());
        assert!(copy.inbound(0x1001, dst).is_some() && copy.outbound(7).is_none());
        let left = |tables: &Tables| spis.clone().filter(|spi| tables.inbound(*spi, dst).is_some()).count();
        assert_eq!((left(&copy), left(&tables)), (3 * SHARDS, 3 * SHARDS - 1));
        tables.remove_outbound(7);
        assert!(tables.outbound(7).is_none());
    }

    #[test]
    fn a_change_copies_one_part_only() {
        let mut tables = Tables::new();
        (0x1000..0x2000).for_each(|spi| tables.add_inbound(sa(spi), InboundPolicy::Any));
        let copy = tables.clone();
        tables.add_inbound(sa(0x3000), InboundPolicy::Any);
        let shared = |(ours, theirs): (&Arc<_>, &Arc<_>)| Arc::ptr_eq(ours, theirs);
        let same = tables.inbound.shards.iter().zip(&copy.inbound.shards).filter(|pair| shared(*pair)).count();
        assert_eq!(same, SHARDS - 1);
        // What is not there needs no copy.
        let mut third = copy.clone();
        third.remove_inbound(0x9999, "192.0.2.77".parse().unwrap());
        assert!(third.inbound.shards.iter().zip(&copy.inbound.shards).all(shared));
    }
}
