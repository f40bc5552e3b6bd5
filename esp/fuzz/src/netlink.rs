//! XFRM requests from a few SPIs, addresses, tunnels and algorithms, so that they meet each other; and what charon does
//! to move an SA.

use std::net::IpAddr;

use twinbore_esp::xfrm::netlink::{Builder, Message, messages};
use twinbore_esp::xfrm::records::{
    Address, AeId, EncapRecord, Id, LifetimeCurrent, LifetimeLimits, PolicyIdRecord, PolicyInfo, Record, ReplayEsn,
    ReplayState, SaIdRecord, SaInfo, SelectorRecord, SpiRange, Template, family_of,
};
use twinbore_esp::xfrm::uapi::{attr, msg};

use crate::Script;

pub const IF_IDS: [u32; 3] = [0, 1, 2];
pub const SPIS: [u32; 6] = [0xc000_0001, 0xc000_0002, 0xc000_0003, 0x100, 0xff, 0];
pub const ADDRESSES: [&str; 4] = ["192.0.2.1", "198.51.100.1", "2001:db8::1", "2001:db8::2"];

pub fn address(script: &mut Script<'_>) -> IpAddr {
    script.pick(&ADDRESSES).parse().expect("an address")
}

/// A request as octets: header, structure, attributes.
pub fn request(kind: u16, body: &impl Record, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let builder = Builder::new(kind).fields(|out| body.write(out));
    let builder = attributes.iter().fold(builder, |builder, (kind, payload)| builder.attribute(*kind, payload));
    builder.finish(0x5eed, 77).to_vec()
}

/// The one message in `octets`.
pub fn only(octets: &[u8]) -> Message<'_> {
    let mut all = messages(octets);
    let message = all.next().expect("a message").expect("a well-formed message");
    assert!(all.next().is_none(), "one message");
    message
}

/// Any request that there is.
pub fn any(script: &mut Script<'_>) -> Vec<u8> {
    match script.below(12) {
        0..=2 => sa(script, msg::NEWSA),
        3 => sa(script, msg::UPDSA),
        4 => {
            let info = info(script);
            let (min, max) =
                script.pick(&[(0xc000_0000, 0xcfff_ffff), (0x100, 0x100), (0, 0xff), (9, 3), (0, u32::MAX)]);
            request(msg::ALLOCSPI, &SpiRange { info, min, max }, &[])
        }
        5 => request(msg::DELSA, &sa_id(script), &[]),
        6 => request(msg::GETSA, &sa_id(script), &[]),
        7 => request(msg::GETAE, &AeId { sa_id: sa_id(script), ..AeId::default() }, &[]),
        8 | 9 => {
            let kind = script.pick(&[msg::NEWPOLICY, msg::UPDPOLICY, msg::UPDPOLICY]);
            policy(script, kind)
        }
        10 => {
            let kind = script.pick(&[msg::DELPOLICY, msg::GETPOLICY]);
            let id = PolicyIdRecord { sel: selector(script), dir: script.u8() % 4, ..PolicyIdRecord::default() };
            request(kind, &id, &[if_id(script)])
        }
        _ => {
            let kind = script.pick(&[msg::FLUSHSA, msg::FLUSHPOLICY, msg::GETSPDINFO, msg::NEWSPDINFO, msg::ACQUIRE]);
            Builder::new(kind).fields(|out| out.extend(script.octets(8))).finish(0x5eed, 77).to_vec()
        }
    }
}

fn if_id(script: &mut Script<'_>) -> (u16, Vec<u8>) {
    (attr::IF_ID, script.pick(&IF_IDS).to_ne_bytes().to_vec())
}

fn sa_id(script: &mut Script<'_>) -> SaIdRecord {
    let (dst, spi, proto) = (address(script), script.pick(&SPIS), script.pick(&[50u8, 50, 50, 50, 51]));
    SaIdRecord { daddr: dst.into(), spi, family: family_of(dst), proto }
}

fn info(script: &mut Script<'_>) -> SaInfo {
    let (src, dst) = script.pick(&[(0, 1), (1, 0), (2, 3), (3, 2), (0, 3)]);
    let at = |index: usize| ADDRESSES[index].parse::<IpAddr>().expect("an address");
    let limit = |script: &mut Script<'_>| script.pick(&[u64::MAX, u64::MAX, 0, 1, 100]);
    SaInfo {
        id: Id { daddr: at(dst).into(), spi: script.pick(&SPIS), proto: 50 },
        saddr: at(src).into(),
        lft: LifetimeLimits {
            soft_byte_limit: limit(script),
            hard_byte_limit: limit(script),
            soft_packet_limit: u64::MAX,
            hard_packet_limit: limit(script),
            soft_add_expires_seconds: script.pick(&[0, 5, u64::MAX]),
            hard_add_expires_seconds: script.pick(&[0, 0, 9, u64::MAX]),
            ..LifetimeLimits::default()
        },
        reqid: u32::from(script.u8() & 1),
        family: family_of(at(dst)),
        mode: script.pick(&[1, 1, 1, 1, 0]),
        replay_window: script.pick(&[32, 0, 1, 33, 255]),
        flags: script.u8(),
        ..SaInfo::default()
    }
}

fn sa(script: &mut Script<'_>, kind: u16) -> Vec<u8> {
    let info = info(script);
    let mut attributes = suite(script);
    attributes.push(if_id(script));
    for _ in 0..script.below(4) {
        attributes.push(match script.below(7) {
            0 => {
                let state = ReplayState { oseq: script.u32(), seq: script.u32(), bitmap: script.u32() };
                (attr::REPLAY_VAL, state.to_vec())
            }
            1 => (attr::REPLAY_ESN_VAL, replay_esn(script)),
            2 => {
                let (encap_type, encap_sport) = (script.pick(&[2, 2, 2, 1]), script.u16());
                let record = EncapRecord { encap_type, encap_sport, encap_dport: 4500, ..EncapRecord::default() };
                (attr::ENCAP, record.to_vec())
            }
            3 => {
                let (bytes, packets) = (script.u64(), u64::from(script.u8()));
                let add_time = script.pick(&[0, 1_700_000_000, u64::MAX]);
                (attr::LTIME_VAL, LifetimeCurrent { bytes, packets, add_time, use_time: script.u64() }.to_vec())
            }
            4 => (attr::SA_DIR, vec![script.u8() % 4]),
            5 => (attr::SA_EXTRA_FLAGS, script.u32().to_ne_bytes().to_vec()),
            _ => {
                let len = usize::from(script.u16() % 3000);
                (u16::from(script.u8() % 40), script.filled(len))
            }
        });
    }
    request(kind, &info, &attributes)
}

fn replay_esn(script: &mut Script<'_>) -> Vec<u8> {
    let window = script.pick(&[32u32, 64, 33, 0, 4096, 4097, u32::MAX]);
    let words = (window.div_ceil(32)).min(200);
    let top = script.pick(&[0u32, 5, u32::MAX, u32::MAX - 1]);
    let high = script.pick(&[0u32, 1, u32::MAX]);
    let head = ReplayEsn {
        bmp_len: if script.u8() == 7 { script.u32() } else { words },
        oseq: top,
        seq: top,
        oseq_hi: high,
        seq_hi: high,
        replay_window: window,
    };
    let mut payload = head.to_vec();
    payload.extend(vec![script.u8(); words as usize * 4]);
    payload
}

fn suite(script: &mut Script<'_>) -> Vec<(u16, Vec<u8>)> {
    let algorithm = |name: &str, key: usize, icv: Option<u32>| {
        let mut octets = name.as_bytes().to_vec();
        octets.resize(64, 0);
        octets.extend((key as u32 * 8).to_ne_bytes());
        octets.extend(icv.into_iter().flat_map(u32::to_ne_bytes));
        octets.extend(vec![0x5a; key]);
        octets
    };
    match script.below(6) {
        0..=2 => vec![(attr::ALG_AEAD, algorithm("rfc4106(gcm(aes))", 20, Some(script.pick(&[128, 96, 64]))))],
        3 => vec![
            (attr::ALG_CRYPT, algorithm("cbc(aes)", 32, None)),
            (attr::ALG_AUTH_TRUNC, algorithm("hmac(sha256)", 32, Some(128))),
        ],
        4 => vec![(attr::ALG_CRYPT, algorithm("aes", 16, None)), (attr::ALG_AUTH, algorithm("sha1", 20, None))],
        _ => {
            let (key, icv) = (usize::from(script.u8()), script.u32());
            vec![(attr::ALG_AEAD, algorithm("rfc4106(gcm(aes))", key, Some(icv)))]
        }
    }
}

fn selector(script: &mut Script<'_>) -> SelectorRecord {
    let ip = address(script);
    let widest = if ip.is_ipv4() { 32 } else { 128 };
    SelectorRecord {
        saddr: Address::from(ip),
        prefixlen_s: script.pick(&[0, widest, widest, 255]),
        family: family_of(ip),
        proto: script.pick(&[0, 6]),
        ..SelectorRecord::default()
    }
}

fn policy(script: &mut Script<'_>, kind: u16) -> Vec<u8> {
    let (src, dst) = script.pick(&[(0, 1), (1, 0), (2, 3), (3, 2)]);
    let at = |index: usize| ADDRESSES[index].parse::<IpAddr>().expect("an address");
    let info = PolicyInfo {
        sel: selector(script),
        dir: script.u8() % 4,
        action: u8::from(script.u8() == 1),
        priority: u32::from(script.u8()),
        ..PolicyInfo::default()
    };
    let template = Template {
        id: Id { daddr: at(dst).into(), spi: script.pick(&SPIS), proto: 50 },
        family: family_of(at(dst)),
        saddr: at(src).into(),
        reqid: u32::from(script.u8() & 1),
        mode: 1,
        ..Template::default()
    };
    let templates = (0..script.pick(&[1, 1, 1, 0, 2])).flat_map(|_| template.to_vec()).collect();
    request(kind, &info, &[(attr::TMPL, templates), if_id(script)])
}
