use proptest::prelude::*;

use super::*;
use crate::xfrm::records::{ReplayEsn, ReplayState};
use crate::xfrm::testing::{IF_ID, LOCAL, PEER, REQID, message, only, policy, sa_attributes, sa_info, selector};

fn parse(octets: &[u8]) -> Result<Request, Refusal> {
    Request::parse(&only(octets))
}

fn sa(attributes: &[(u16, Vec<u8>)]) -> Result<SaRequest, Refusal> {
    parse(&message(msg::NEWSA, &sa_info(0xc0ff_ee01, false), attributes)).map(|request| match request {
        Request::NewSa(request) => *request,
        other => panic!("{other:?}"),
    })
}

fn with(kind: u16, payload: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut attributes = sa_attributes();
    attributes.push((kind, payload.to_vec()));
    attributes
}

#[test]
fn an_sa_is_read_with_its_attributes() {
    let encap = EncapRecord { encap_type: 2, encap_sport: 4500, encap_dport: 14500, ..EncapRecord::default() };
    let request = sa(&with(attr::ENCAP, &encap.to_vec())).unwrap();
    assert_eq!(request.id, SaId { dst: LOCAL.into(), spi: 0xc0ff_ee01 });
    assert_eq!((request.src, request.if_id, request.info.reqid), (PEER.into(), IF_ID, REQID));
    assert_eq!(request.suite, Suite::AesGcm16 { key_bits: 128 });
    assert_eq!(request.encap, Some(Encap { src_port: 4500, dst_port: 14500 }));
    assert_eq!((request.replay_window, request.esn_layout, request.sequence), (32, false, None));
    assert!(request.copy_dscp && request.direction.is_none());
}

#[test]
fn replay_state_and_lifetime_are_not_kept_for_reading_back() {
    let mut esn =
        ReplayEsn { bmp_len: 2, oseq: 5, oseq_hi: 1, seq: 9, replay_window: 64, ..Default::default() }.to_vec();
    esn.extend([1, 0, 0, 0, 2, 0, 0, 0]);
    let lifetime = LifetimeCurrent { bytes: 1, packets: 2, add_time: 3, use_time: 4 };
    let mut attributes = with(attr::REPLAY_ESN_VAL, &esn);
    attributes.push((attr::LTIME_VAL, lifetime.to_vec()));
    let request = sa(&attributes).unwrap();
    assert_eq!((request.replay_window, request.esn_layout), (64, true));
    assert_eq!(request.sequence, Some(SequenceState { out_seq: (1 << 32) + 5, in_seq: 9, bitmap: vec![1, 2] }));
    assert_eq!(request.lifetime, Some(lifetime));
    let kept: Vec<u16> = crate::xfrm::netlink::attributes(&request.attributes).map(|a| a.unwrap().0).collect();
    assert_eq!(kept, [attr::ALG_AEAD, attr::IF_ID]);
}

#[test]
fn the_small_layout_counts_for_small_windows() {
    let state = ReplayState { oseq: 8, seq: 40, bitmap: 1 };
    let sequence = sa(&with(attr::REPLAY_VAL, &state.to_vec())).unwrap().sequence.unwrap();
    // Sequence number 40 is bit (40 - 1) mod 32 of the ring.
    assert_eq!((sequence.out_seq, sequence.in_seq, sequence.bitmap), (8, 40, vec![1 << 7]));
}

#[test]
fn flags_and_direction() {
    let request = sa(&with(attr::SA_EXTRA_FLAGS, &1u32.to_ne_bytes())).unwrap();
    assert!(!request.copy_dscp);
    assert_eq!(sa(&with(attr::SA_DIR, &[2])).unwrap().direction, Some(Direction::Out));
    assert_eq!(sa(&with(attr::SA_DIR, &[3])).unwrap_err().errno, libc::EINVAL);
}

#[test]
fn what_would_change_the_meaning_is_refused() {
    for kind in [attr::MARK, attr::SET_MARK, attr::ALG_COMP, attr::TFCPAD, attr::COADDR, attr::OFFLOAD_DEV] {
        assert_eq!(sa(&with(kind, &[0; 8])).unwrap_err().errno, libc::EOPNOTSUPP, "attribute {kind}");
    }
    assert!(sa(&with(200, &[1])).is_ok());
    let tcp = EncapRecord { encap_type: 7, ..EncapRecord::default() };
    assert_eq!(sa(&with(attr::ENCAP, &tcp.to_vec())).unwrap_err().errno, libc::EOPNOTSUPP);
    let mut transport = sa_info(1, false);
    transport.mode = 0;
    let octets = message(msg::UPDSA, &transport, &sa_attributes());
    assert_eq!(parse(&octets).unwrap_err().errno, libc::EPROTONOSUPPORT);
    let mut ah = sa_info(1, false);
    ah.id.proto = 51;
    assert_eq!(parse(&message(msg::NEWSA, &ah, &sa_attributes())).unwrap_err().errno, libc::EPROTONOSUPPORT);
    assert_eq!(parse(&message(0x7f, &sa_info(1, false), &[])).unwrap_err().errno, libc::EOPNOTSUPP);
}

#[test]
fn attributes_have_a_limit() {
    assert_eq!(sa(&with(200, &[0; MAX_ATTRIBUTES])).unwrap_err().errno, libc::EINVAL);
}

fn parse_policy(info: PolicyInfo, attributes: &[(u16, Vec<u8>)]) -> Result<PolicyRequest, Refusal> {
    parse(&message(msg::UPDPOLICY, &info, attributes)).map(|request| match request {
        Request::UpdatePolicy(request) => *request,
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_policy_is_read_with_its_template() {
    let wanted = policy(IF_ID, Direction::Out, "10.0.0.0/8", "0.0.0.0/0", 0xc0ff_ee02);
    let template = wanted.template.unwrap().to_vec();
    let attributes = [(attr::TMPL, template.clone()), (attr::IF_ID, IF_ID.to_ne_bytes().to_vec())];
    let request = parse_policy(wanted.info, &attributes).unwrap();
    assert_eq!((request.id, request.info, request.template), (wanted.id, wanted.info, wanted.template));

    let two = [(attr::TMPL, [&template[..], &template[..]].concat()), attributes[1].clone()];
    assert_eq!(parse_policy(wanted.info, &two).unwrap_err().errno, libc::EOPNOTSUPP);
    assert_eq!(parse_policy(wanted.info, &attributes[1..]).unwrap_err().errno, libc::EOPNOTSUPP);
    let block = PolicyInfo { action: 1, ..wanted.info };
    assert_eq!(parse_policy(block, &attributes).unwrap_err().errno, libc::EOPNOTSUPP);
    assert_eq!(parse_policy(block, &attributes[1..]).unwrap().template, None);
    assert_eq!(parse_policy(block, &[]).unwrap().template, None);
    let nowhere = PolicyInfo { dir: 3, ..wanted.info };
    assert_eq!(parse_policy(nowhere, &attributes).unwrap_err().errno, libc::EINVAL);
    let cut = [(attr::TMPL, template[..60].to_vec())];
    assert_eq!(parse_policy(wanted.info, &cut).unwrap_err().errno, libc::EINVAL);
}

#[test]
fn ids_name_sas_and_policies() {
    let record = SaIdRecord { daddr: crate::xfrm::testing::address(LOCAL), spi: 5, family: 2, proto: 50 };
    let id = SaId { dst: LOCAL.into(), spi: 5 };
    assert!(matches!(parse(&message(msg::DELSA, &record, &[])), Ok(Request::DeleteSa(found)) if found == id));
    assert!(matches!(parse(&message(msg::GETSA, &record, &[])), Ok(Request::GetSa(found)) if found == id));
    let ah = SaIdRecord { proto: 51, ..record };
    assert_eq!(parse(&message(msg::DELSA, &ah, &[])).unwrap_err().errno, libc::ESRCH);
    let nowhere = SaIdRecord { family: 99, ..record };
    assert_eq!(parse(&message(msg::GETSA, &nowhere, &[])).unwrap_err().errno, libc::EINVAL);

    let record = PolicyIdRecord { sel: selector("10.0.0.0/8", "0.0.0.0/0"), index: 0, dir: 2 };
    let attributes = [(attr::IF_ID, 9u32.to_ne_bytes().to_vec())];
    let wanted = PolicyId { if_id: 9, direction: Direction::Forward, selector: record.sel };
    for kind in [msg::GETPOLICY, msg::DELPOLICY] {
        match parse(&message(kind, &record, &attributes)) {
            Ok(Request::GetPolicy(id) | Request::DeletePolicy(id)) => assert_eq!(id, wanted),
            other => panic!("{other:?}"),
        }
    }
}

/// Every type there is, and some there are not.
fn kinds() -> impl Strategy<Value = u16> {
    0x0f_u16..0x29
}

proptest! {
    #[test]
    fn no_octets_make_it_panic(kind in kinds(), body in prop::collection::vec(any::<u8>(), 0..600)) {
        let header = crate::xfrm::testing::HEADER;
        let message = Message { header: crate::xfrm::netlink::Header { kind, ..header }, body: &body };
        let _ = Request::parse(&message);
    }

    #[test]
    fn no_change_of_a_good_message_makes_it_panic(
        at in 0usize..400, value in any::<u8>(), len in 16usize..400, update in any::<bool>(),
    ) {
        let kind = if update { msg::UPDSA } else { msg::NEWPOLICY };
        let attributes = sa_attributes();
        let mut octets = if update {
            message(kind, &sa_info(1, false), &attributes)
        } else {
            let policy = policy(IF_ID, Direction::In, "0.0.0.0/0", "0.0.0.0/0", 0);
            message(kind, &policy.info, &[(attr::TMPL, policy.template.unwrap().to_vec())])
        };
        let len = len.min(octets.len());
        octets.truncate(len);
        if let Some(octet) = octets.get_mut(at) {
            *octet = value;
        }
        octets[..4].copy_from_slice(&(len as u32).to_ne_bytes());
        for message in crate::xfrm::netlink::messages(&octets).flatten() {
            let _ = Request::parse(&message);
        }
    }
}
