//! What charon asks for: requests, parsed.
//!
//! Parsing checks what can be checked without the databases, so that the engine sees sound values only. Attributes that
//! change what an SA or policy means and that the data path does not implement (marks, compression, transport mode) are
//! refused here; others are ignored, as the kernel ignores what it does not know.

use std::fmt;
use std::net::IpAddr;

use zeroize::Zeroizing;

use super::Refusal;
use super::algorithm::Algorithms;
use super::netlink::{Message, Reader, attributes, put_attribute};
use super::records::{
    AeId, EncapRecord, LifetimeCurrent, PolicyIdRecord, PolicyInfo, Record, SaIdRecord, SaInfo, SelectorRecord,
    SpiRange, Template,
};
use super::replay_state;
use super::uapi::{self, attr, msg};
use crate::crypto::{SaKeys, Suite};
use crate::sa::{Encap, SequenceState};

/// Attributes of an SA that are kept for GETSA must fit an answer with room to spare.
const MAX_ATTRIBUTES: usize = 2048;

/// What identifies an SA: ESP only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SaId {
    pub dst: IpAddr,
    pub spi: u32,
}

/// Which way the packets of an SA or policy go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    In,
    Out,
    Forward,
}

/// What identifies a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyId {
    pub if_id: u32,
    pub direction: Direction,
    pub selector: SelectorRecord,
}

/// NEWSA or UPDSA.
pub struct SaRequest {
    pub id: SaId,
    pub src: IpAddr,
    pub info: SaInfo,
    pub if_id: u32,
    pub suite: Suite,
    pub keys: SaKeys,
    pub encap: Option<Encap>,
    /// `None` when the message has no replay state: a new SA begins at 0.
    pub sequence: Option<SequenceState>,
    /// Packets; from the attribute, or from the structure when there is none.
    pub replay_window: u32,
    /// Whether the replay state came, and is to be reported, as XFRMA_REPLAY_ESN_VAL.
    pub esn_layout: bool,
    /// Usage to go on from.
    pub lifetime: Option<LifetimeCurrent>,
    pub direction: Option<Direction>,
    pub copy_dscp: bool,
    /// All attributes but replay state and lifetime, as GETSA returns them. They hold keys.
    pub attributes: Zeroizing<Vec<u8>>,
}

/// Without the attributes, which hold keys.
impl fmt::Debug for SaRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaRequest")
            .field("id", &self.id)
            .field("src", &self.src)
            .field("if_id", &self.if_id)
            .field("suite", &self.suite)
            .field("encap", &self.encap)
            .finish_non_exhaustive()
    }
}

/// NEWPOLICY or UPDPOLICY.
#[derive(Clone, Debug)]
pub struct PolicyRequest {
    pub id: PolicyId,
    pub info: PolicyInfo,
    /// What protects matching packets; `None` for a policy that blocks them, or is not about a tunnel of ours (`if_id` 0).
    pub template: Option<Template>,
    pub attributes: Vec<u8>,
}

/// A parsed request.
#[derive(Debug)]
pub enum Request {
    AllocSpi(Box<SpiRange>),
    NewSa(Box<SaRequest>),
    UpdateSa(Box<SaRequest>),
    DeleteSa(SaId),
    GetSa(SaId),
    GetReplay(AeId),
    NewPolicy(Box<PolicyRequest>),
    UpdatePolicy(Box<PolicyRequest>),
    DeletePolicy(PolicyId),
    GetPolicy(PolicyId),
    FlushSas,
    FlushPolicies,
    GetSpdInfo,
    SetSpdInfo,
}

impl Request {
    /// Errors: EINVAL for what is malformed, EOPNOTSUPP and others for what we do not do.
    pub fn parse(message: &Message<'_>) -> Result<Request, Refusal> {
        let mut reader = Reader::new(message.body);
        let reader = &mut reader;
        Ok(match message.header.kind {
            msg::ALLOCSPI => {
                let range = SpiRange::read(reader)?;
                check_protocol(range.info.id.proto)?;
                range.info.id.daddr.ip(range.info.family)?;
                Request::AllocSpi(Box::new(range))
            }
            msg::NEWSA => Request::NewSa(Box::new(sa_request(reader)?)),
            msg::UPDSA => Request::UpdateSa(Box::new(sa_request(reader)?)),
            msg::DELSA => Request::DeleteSa(sa_id(&SaIdRecord::read(reader)?)?),
            msg::GETSA => Request::GetSa(sa_id(&SaIdRecord::read(reader)?)?),
            msg::GETAE => {
                let id = AeId::read(reader)?;
                sa_id(&id.sa_id)?;
                Request::GetReplay(id)
            }
            msg::NEWPOLICY => Request::NewPolicy(Box::new(policy_request(reader)?)),
            msg::UPDPOLICY => Request::UpdatePolicy(Box::new(policy_request(reader)?)),
            msg::DELPOLICY => Request::DeletePolicy(policy_id(reader)?),
            msg::GETPOLICY => Request::GetPolicy(policy_id(reader)?),
            msg::FLUSHSA => {
                let protocol = reader.u8()?;
                if protocol != 0 {
                    check_protocol(protocol)?;
                }
                Request::FlushSas
            }
            msg::FLUSHPOLICY => Request::FlushPolicies,
            msg::GETSPDINFO => Request::GetSpdInfo,
            msg::NEWSPDINFO => Request::SetSpdInfo,
            kind => return Err(Refusal::unsupported(format!("message type {kind:#x}"))),
        })
    }
}

/// The SA that a `struct xfrm_usersa_id` names. ESRCH for other protocols: we have no SAs of those.
pub fn sa_id(record: &SaIdRecord) -> Result<SaId, Refusal> {
    if i32::from(record.proto) != libc::IPPROTO_ESP {
        return Err(Refusal::new(libc::ESRCH, format!("no SAs of protocol {}", record.proto)));
    }
    Ok(SaId { dst: record.daddr.ip(record.family)?, spi: record.spi })
}

fn sa_request(reader: &mut Reader<'_>) -> Result<SaRequest, Refusal> {
    let info = SaInfo::read(reader)?;
    check_protocol(info.id.proto)?;
    if info.mode != uapi::MODE_TUNNEL {
        return Err(Refusal::new(libc::EPROTONOSUPPORT, format!("mode {}: only tunnel mode is served", info.mode)));
    }
    let mut algorithms = Algorithms::default();
    let mut kept = Zeroizing::new(Vec::with_capacity(reader.rest().len() + 4));
    let (mut if_id, mut encap, mut lifetime, mut direction) = (0, None, None, None);
    let (mut sequence, mut esn_layout) = (None, false);
    let (mut replay_window, mut extra_flags) = (u32::from(info.replay_window), 0);
    for attribute in attributes(reader.rest()) {
        let (kind, payload) = attribute?;
        let mut value = Reader::new(payload);
        match kind {
            attr::ALG_AEAD => algorithms.aead = Some(payload),
            attr::ALG_CRYPT => algorithms.crypt = Some(payload),
            attr::ALG_AUTH => algorithms.auth = Some(payload),
            attr::ALG_AUTH_TRUNC => algorithms.auth_trunc = Some(payload),
            attr::IF_ID => if_id = value.u32()?,
            attr::ENCAP => encap = Some(encapsulation(&EncapRecord::read(&mut value)?)?),
            attr::SA_EXTRA_FLAGS => extra_flags = value.u32()?,
            attr::SA_DIR => direction = Some(sa_direction(value.u8()?)?),
            attr::LTIME_VAL => lifetime = Some(LifetimeCurrent::read(&mut value)?),
            attr::REPLAY_VAL => {
                sequence = Some(replay_state::from_legacy(payload, u32::from(info.replay_window))?);
            }
            attr::REPLAY_ESN_VAL => {
                let (state, window) = replay_state::from_esn(payload)?;
                (sequence, replay_window, esn_layout) = (Some(state), window, true);
            }
            attr::ALG_COMP
            | attr::MARK
            | attr::SET_MARK
            | attr::TFCPAD
            | attr::COADDR
            | attr::OFFLOAD_DEV
            | attr::SEC_CTX => {
                return Err(Refusal::unsupported(format!("SA attribute {kind}: not implemented")));
            }
            _ => {}
        }
        if !matches!(kind, attr::REPLAY_VAL | attr::REPLAY_ESN_VAL | attr::LTIME_VAL) {
            put_attribute(&mut kept, kind, payload);
        }
    }
    if kept.len() > MAX_ATTRIBUTES {
        return Err(Refusal::malformed(format!("{} octets of attributes: at most {MAX_ATTRIBUTES}", kept.len())));
    }
    let (suite, keys) = algorithms.suite()?;
    Ok(SaRequest {
        id: SaId { dst: info.id.daddr.ip(info.family)?, spi: info.id.spi },
        src: info.saddr.ip(info.family)?,
        if_id,
        suite,
        keys,
        encap,
        sequence,
        replay_window,
        esn_layout,
        lifetime,
        direction,
        copy_dscp: extra_flags & uapi::XFLAG_DONT_ENCAP_DSCP == 0,
        attributes: kept,
        info,
    })
}

fn encapsulation(record: &EncapRecord) -> Result<Encap, Refusal> {
    if record.encap_type != uapi::ENCAP_ESP_IN_UDP {
        let text = format!("encapsulation type {}: only ESP in UDP is served", record.encap_type);
        return Err(Refusal::unsupported(text));
    }
    Ok(Encap { src_port: record.encap_sport, dst_port: record.encap_dport })
}

fn policy_request(reader: &mut Reader<'_>) -> Result<PolicyRequest, Refusal> {
    let info = PolicyInfo::read(reader)?;
    let (mut if_id, mut templates, mut kept) = (0, Vec::new(), Vec::new());
    for attribute in attributes(reader.rest()) {
        let (kind, payload) = attribute?;
        match kind {
            attr::IF_ID => if_id = Reader::new(payload).u32()?,
            attr::TMPL => {
                let mut reader = Reader::new(payload);
                while !reader.rest().is_empty() {
                    templates.push(Template::read(&mut reader)?);
                }
            }
            attr::MARK | attr::SEC_CTX => {
                return Err(Refusal::unsupported(format!("policy attribute {kind}: not implemented, use if_id")));
            }
            _ => {}
        }
        put_attribute(&mut kept, kind, payload);
    }
    if kept.len() > MAX_ATTRIBUTES {
        return Err(Refusal::malformed(format!("{} octets of attributes: at most {MAX_ATTRIBUTES}", kept.len())));
    }
    let id = PolicyId { if_id, direction: policy_direction(info.dir)?, selector: info.sel };
    info.sel.selector()?;
    let template = match templates[..] {
        [template] if info.action == uapi::POLICY_ALLOW => {
            template.id.daddr.ip(template.family)?;
            Some(template)
        }
        _ if if_id == 0 => None,
        // charon's while it moves an SA to another address of the peer: nothing may leave meanwhile.
        [] if info.action == uapi::POLICY_BLOCK => None,
        _ => {
            let text = format!(
                "policy of if_id {if_id} with action {} and {} templates: to allow with one ESP template, or to block with none, is served",
                info.action,
                templates.len()
            );
            return Err(Refusal::unsupported(text));
        }
    };
    Ok(PolicyRequest { id, info, template, attributes: kept })
}

fn policy_id(reader: &mut Reader<'_>) -> Result<PolicyId, Refusal> {
    let record = PolicyIdRecord::read(reader)?;
    let mut if_id = 0;
    for attribute in attributes(reader.rest()) {
        let (kind, payload) = attribute?;
        if kind == attr::IF_ID {
            if_id = Reader::new(payload).u32()?;
        }
    }
    Ok(PolicyId { if_id, direction: policy_direction(record.dir)?, selector: record.sel })
}

fn check_protocol(protocol: u8) -> Result<(), Refusal> {
    if i32::from(protocol) == libc::IPPROTO_ESP {
        return Ok(());
    }
    Err(Refusal::new(libc::EPROTONOSUPPORT, format!("protocol {protocol}: only ESP (50) is served")))
}

fn policy_direction(dir: u8) -> Result<Direction, Refusal> {
    match dir {
        uapi::POLICY_IN => Ok(Direction::In),
        uapi::POLICY_OUT => Ok(Direction::Out),
        uapi::POLICY_FWD => Ok(Direction::Forward),
        _ => Err(Refusal::malformed(format!("policy direction {dir}: in (0), out (1) or fwd (2) is wanted"))),
    }
}

fn sa_direction(dir: u8) -> Result<Direction, Refusal> {
    match dir {
        uapi::SA_DIR_IN => Ok(Direction::In),
        uapi::SA_DIR_OUT => Ok(Direction::Out),
        _ => Err(Refusal::malformed(format!("SA direction {dir}: in (1) or out (2) is wanted"))),
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
