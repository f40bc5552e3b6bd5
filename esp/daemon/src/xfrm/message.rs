//! What charon is told: answers to its requests, and events.
//!
//! Answers echo the sequence number and port id of the request. Events have neither; they carry an `if_id` attribute
//! where the kernel's do.

use std::net::IpAddr;

use zeroize::Zeroizing;

use super::netlink::{Builder, Header};
use super::records::{
    Acquire, Address, AeId, Expire, LifetimeCurrent, Mapping, PolicyInfo, Record, SaIdRecord, SaInfo, Template,
    family_of,
};
use super::replay_state;
use super::request::SaId;
use super::uapi::{attr, group, msg};
use crate::sa::{Sa, SequenceState};

/// Wiped when dropped.
pub type Octets = Zeroizing<Vec<u8>>;

/// An event for the listeners of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// One bit of [`group`].
    pub group: u32,
    pub octets: Octets,
}

/// NEWSA, as the answer to GETSA and ALLOCSPI.
pub fn sa(request: &Header, info: &SaInfo, attributes: &[u8]) -> Octets {
    Builder::new(msg::NEWSA)
        .fields(|out| info.write(out))
        .fields(|out| out.extend(attributes))
        .finish(request.seq, request.pid)
}

/// NEWAE, as the answer to GETAE. `esn_layout` chooses XFRMA_REPLAY_ESN_VAL, for windows that REPLAY_VAL cannot hold.
pub fn replay(
    request: &Header,
    id: &AeId,
    sequence: &SequenceState,
    window: u32,
    esn_layout: bool,
    lifetime: &LifetimeCurrent,
) -> Octets {
    let builder = Builder::new(msg::NEWAE).fields(|out| id.write(out));
    let builder = if esn_layout {
        builder.attribute(attr::REPLAY_ESN_VAL, &replay_state::to_esn(sequence, window))
    } else {
        builder.attribute(attr::REPLAY_VAL, &replay_state::to_legacy(sequence, window))
    };
    builder.attribute(attr::LTIME_VAL, &lifetime.to_vec()).finish(request.seq, request.pid)
}

/// NEWPOLICY, as the answer to GETPOLICY.
pub fn policy(request: &Header, info: &PolicyInfo, attributes: &[u8]) -> Octets {
    Builder::new(msg::NEWPOLICY)
        .fields(|out| info.write(out))
        .fields(|out| out.extend(attributes))
        .finish(request.seq, request.pid)
}

/// NEWSPDINFO: charon wants to know the prefix lengths from which on policies are hashed. Here there is no difference;
/// the answer is the kernel's default.
pub fn spd_info(request: &Header) -> Octets {
    Builder::new(msg::NEWSPDINFO)
        .fields(|out| out.extend(0u32.to_ne_bytes()))
        .attribute(attr::SPD_INFO, &[0; 24])
        .attribute(attr::SPD_IPV4_HTHRESH, &[32, 32])
        .attribute(attr::SPD_IPV6_HTHRESH, &[128, 128])
        .finish(request.seq, request.pid)
}

/// EXPIRE: soft asks for a rekey, hard says that the SA is gone.
pub fn expire(state: SaInfo, if_id: u32, hard: bool) -> Notification {
    let record = Expire { state, hard: u8::from(hard) };
    event(group::EXPIRE, msg::EXPIRE, &record, if_id)
}

/// ACQUIRE: a packet matched the policy and there is no SA for it.
pub fn acquire(policy: &PolicyInfo, template: &Template, if_id: u32, seq: u32) -> Notification {
    let mut id = template.id;
    (id.proto, id.spi) = (libc::IPPROTO_ESP as u8, 0);
    let record = Acquire {
        id,
        saddr: template.saddr,
        sel: policy.sel,
        policy: *policy,
        aalgos: u32::MAX,
        ealgos: u32::MAX,
        calgos: u32::MAX,
        seq,
    };
    let octets = Builder::new(msg::ACQUIRE)
        .fields(|out| record.write(out))
        .attribute(attr::TMPL, &template.to_vec())
        .attribute(attr::IF_ID, &if_id.to_ne_bytes())
        .finish(0, 0);
    Notification { group: group::ACQUIRE, octets }
}

/// MAPPING: the peer of an encapsulated SA sends from another address or port.
pub fn mapping(sa: &Sa, new_addr: IpAddr, new_port: u16) -> Notification {
    let config = &sa.config;
    let record = Mapping {
        id: sa_id_record(SaId { dst: config.dst, spi: config.spi }),
        reqid: config.reqid,
        old_saddr: config.src.into(),
        new_saddr: new_addr.into(),
        old_sport: config.encap.map_or(0, |encap| encap.src_port),
        new_sport: new_port,
    };
    event(group::MAPPING, msg::MAPPING, &record, 0)
}

pub fn sa_id_record(id: SaId) -> SaIdRecord {
    SaIdRecord {
        daddr: Address::from(id.dst),
        spi: id.spi,
        family: family_of(id.dst),
        proto: libc::IPPROTO_ESP as u8,
    }
}

fn event(group: u32, kind: u16, record: &impl Record, if_id: u32) -> Notification {
    let builder = Builder::new(kind).fields(|out| record.write(out));
    let builder = if if_id == 0 { builder } else { builder.attribute(attr::IF_ID, &if_id.to_ne_bytes()) };
    Notification { group, octets: builder.finish(0, 0) }
}
