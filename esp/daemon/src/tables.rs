//! The snapshot of SAs and policies that workers read.
//!
//! Control builds a whole new [`Tables`] for each change and publishes it with one atomic pointer swap; a worker loads
//! the pointer once for a batch, so that no packet takes a lock and a batch sees one consistent state. An SA that is in
//! no snapshot any more lives until the last batch that found it ends.
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
    /// No policy matches: drop.
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
            Some(_) => Route::Acquire,
            None => Route::NoPolicy,
        }
    }
}

/// An immutable snapshot.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    inbound: HashMap<u32, Vec<Inbound>>,
    outbound: HashMap<u32, Outbound>,
}

impl Tables {
    pub fn new() -> Tables {
        Tables::default()
    }

    /// Adds an SA for received packets; found by its SPI and destination.
    pub fn add_inbound(&mut self, sa: Arc<Sa>, policy: InboundPolicy) {
        self.inbound.entry(sa.config.spi).or_default().push(Inbound { sa, policy });
    }

    /// Removes the SA that [`Tables::inbound`] finds.
    pub fn remove_inbound(&mut self, spi: u32, dst: IpAddr) {
        if let Some(entries) = self.inbound.get_mut(&spi) {
            entries.retain(|entry| entry.sa.config.dst != dst);
            if entries.is_empty() {
                self.inbound.remove(&spi);
            }
        }
    }

    /// Removes the outbound policies of a tunnel.
    pub fn remove_outbound(&mut self, if_id: u32) {
        self.outbound.remove(&if_id);
    }

    /// Sets the outbound policies of a tunnel.
    pub fn set_outbound(&mut self, if_id: u32, outbound: Outbound) {
        self.outbound.insert(if_id, outbound);
    }

    /// The SA of a packet with this SPI (host order) received on local address `dst`.
    pub fn inbound(&self, spi: u32, dst: IpAddr) -> Option<&Inbound> {
        self.inbound.get(&spi)?.iter().find(|entry| entry.sa.config.dst == dst)
    }

    /// The outbound policies of a tunnel.
    pub fn outbound(&self, if_id: u32) -> Option<&Outbound> {
        self.outbound.get(&if_id)
    }
}
