//! The structures of linux/xfrm.h, field by field, in both directions.
//!
//! A value here has the fields of the C structure under the same names, ports and SPIs in host order. Sizes and paddings
//! are those of 64-bit Linux.

use std::net::IpAddr;

use super::Refusal;
use super::netlink::Reader;
use crate::selector::{IpPrefix, PortMatch, Selector};

/// A fixed structure of the API.
pub trait Record: Sized {
    const SIZE: usize;
    fn read(reader: &mut Reader<'_>) -> Result<Self, Refusal>;
    fn write(&self, out: &mut Vec<u8>);

    fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::SIZE);
        self.write(&mut out);
        out
    }
}

/// `xfrm_address_t`; a field elsewhere says of which family it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 16]);

impl Address {
    /// Errors: neither AF_INET nor AF_INET6.
    pub fn ip(self, family: u16) -> Result<IpAddr, Refusal> {
        let [a, b, c, d, ..] = self.0;
        match i32::from(family) {
            libc::AF_INET => Ok(IpAddr::from([a, b, c, d])),
            libc::AF_INET6 => Ok(IpAddr::from(self.0)),
            _ => Err(Refusal::malformed(format!("address family {family}: AF_INET or AF_INET6 is wanted"))),
        }
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Address {
        match ip {
            IpAddr::V4(v4) => {
                let mut octets = [0; 16];
                octets[..4].copy_from_slice(&v4.octets());
                Address(octets)
            }
            IpAddr::V6(v6) => Address(v6.octets()),
        }
    }
}

/// AF_INET or AF_INET6.
pub fn family_of(ip: IpAddr) -> u16 {
    (if ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }) as u16
}

macro_rules! record {
    ($(#[$doc:meta])* $name:ident, $size:literal { $($field:ident: $kind:tt),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name { $(pub $field: record!(@type $kind)),* }

        impl Record for $name {
            const SIZE: usize = $size;

            fn read(reader: &mut Reader<'_>) -> Result<$name, Refusal> {
                // The whole structure first: trailing padding must be there too.
                let mut fields = Reader::new(reader.bytes($size)?);
                Ok($name { $($field: record!(@read fields $kind)),* })
            }

            fn write(&self, out: &mut Vec<u8>) {
                let end = out.len() + $size;
                $(record!(@write out self.$field, $kind);)*
                out.resize(end, 0);
            }
        }
    };
    (@type be16) => { u16 };
    (@type be32) => { u32 };
    (@type [$kind:tt, pad $pad:literal]) => { record!(@type $kind) };
    (@type $kind:ident) => { $kind };
    (@read $reader:ident Address) => { Address($reader.array()?) };
    (@read $reader:ident [$kind:tt, pad $pad:literal]) => {{
        let value = record!(@read $reader $kind);
        $reader.skip($pad)?;
        value
    }};
    (@read $reader:ident u8) => { $reader.u8()? };
    (@read $reader:ident u16) => { $reader.u16()? };
    (@read $reader:ident be16) => { $reader.be16()? };
    (@read $reader:ident u32) => { $reader.u32()? };
    (@read $reader:ident be32) => { $reader.be32()? };
    (@read $reader:ident u64) => { $reader.u64()? };
    (@read $reader:ident $kind:ident) => { $kind::read(&mut $reader)? };
    (@write $out:ident $value:expr, Address) => { $out.extend($value.0) };
    (@write $out:ident $value:expr, [$kind:tt, pad $pad:literal]) => {
        record!(@write $out $value, $kind);
        $out.resize($out.len() + $pad, 0);
    };
    (@write $out:ident $value:expr, be16) => { $out.extend($value.to_be_bytes()) };
    (@write $out:ident $value:expr, be32) => { $out.extend($value.to_be_bytes()) };
    (@write $out:ident $value:expr, u8) => { $out.push($value) };
    (@write $out:ident $value:expr, u16) => { $out.extend($value.to_ne_bytes()) };
    (@write $out:ident $value:expr, u32) => { $out.extend($value.to_ne_bytes()) };
    (@write $out:ident $value:expr, u64) => { $out.extend($value.to_ne_bytes()) };
    (@write $out:ident $value:expr, $kind:ident) => { $value.write($out) };
}

record! {
    /// `struct xfrm_id`.
    Id, 24 { daddr: Address, spi: be32, proto: [u8, pad 3] }
}

record! {
    /// `struct xfrm_selector`.
    SelectorRecord, 56 {
        daddr: Address, saddr: Address, dport: be16, dport_mask: be16, sport: be16, sport_mask: be16,
        family: u16, prefixlen_d: u8, prefixlen_s: u8, proto: [u8, pad 3], ifindex: u32, user: u32,
    }
}

record! {
    /// `struct xfrm_lifetime_cfg`. Times in seconds, 0 for none; counts `u64::MAX` for none.
    LifetimeLimits, 64 {
        soft_byte_limit: u64, hard_byte_limit: u64, soft_packet_limit: u64, hard_packet_limit: u64,
        soft_add_expires_seconds: u64, hard_add_expires_seconds: u64,
        soft_use_expires_seconds: u64, hard_use_expires_seconds: u64,
    }
}

record! {
    /// `struct xfrm_lifetime_cur`. Times are Unix seconds, 0 for never.
    LifetimeCurrent, 32 { bytes: u64, packets: u64, add_time: u64, use_time: u64 }
}

record! {
    /// `struct xfrm_stats`.
    Stats, 12 { replay_window: u32, replay: u32, integrity_failed: u32 }
}

record! {
    /// `struct xfrm_usersa_info`.
    SaInfo, 224 {
        sel: SelectorRecord, id: Id, saddr: Address, lft: LifetimeLimits, curlft: LifetimeCurrent, stats: Stats,
        seq: u32, reqid: u32, family: u16, mode: u8, replay_window: u8, flags: u8,
    }
}

record! {
    /// `struct xfrm_usersa_id`.
    SaIdRecord, 24 { daddr: Address, spi: be32, family: u16, proto: u8 }
}

record! {
    /// `struct xfrm_userspi_info`. `min` and `max` are in host order, and inclusive.
    SpiRange, 232 { info: SaInfo, min: u32, max: u32 }
}

record! {
    /// `struct xfrm_aevent_id`.
    AeId, 48 { sa_id: SaIdRecord, saddr: Address, flags: u32, reqid: u32 }
}

record! {
    /// `struct xfrm_userpolicy_info`.
    PolicyInfo, 168 {
        sel: SelectorRecord, lft: LifetimeLimits, curlft: LifetimeCurrent, priority: u32, index: u32,
        dir: u8, action: u8, flags: u8, share: u8,
    }
}

record! {
    /// `struct xfrm_userpolicy_id`.
    PolicyIdRecord, 64 { sel: SelectorRecord, index: u32, dir: u8 }
}

record! {
    /// `struct xfrm_user_tmpl`.
    Template, 64 {
        id: Id, family: [u16, pad 2], saddr: Address, reqid: u32, mode: u8, share: u8, optional: [u8, pad 1],
        aalgos: u32, ealgos: u32, calgos: u32,
    }
}

record! {
    /// `struct xfrm_user_acquire`.
    Acquire, 280 {
        id: Id, saddr: Address, sel: SelectorRecord, policy: PolicyInfo,
        aalgos: u32, ealgos: u32, calgos: u32, seq: u32,
    }
}

record! {
    /// `struct xfrm_user_expire`.
    Expire, 232 { state: SaInfo, hard: u8 }
}

record! {
    /// `struct xfrm_user_mapping`.
    Mapping, 64 {
        id: SaIdRecord, reqid: u32, old_saddr: Address, new_saddr: Address, old_sport: be16, new_sport: be16,
    }
}

record! {
    /// `struct xfrm_encap_tmpl`.
    EncapRecord, 24 { encap_type: u16, encap_sport: be16, encap_dport: [be16, pad 2], encap_oa: Address }
}

record! {
    /// `struct xfrm_replay_state`.
    ReplayState, 12 { oseq: u32, seq: u32, bitmap: u32 }
}

record! {
    /// `struct xfrm_replay_state_esn` before its bitmap of `bmp_len` words.
    ReplayEsn, 24 { bmp_len: u32, oseq: u32, seq: u32, oseq_hi: u32, seq_hi: u32, replay_window: u32 }
}

impl SelectorRecord {
    /// The selector as the data path matches it.
    ///
    /// Errors: a family or a prefix length that does not exist.
    pub fn selector(&self) -> Result<Selector, Refusal> {
        let prefix = |address: Address, length: u8| {
            let ip = address.ip(self.family)?;
            IpPrefix::new(ip, length).ok_or_else(|| Refusal::malformed(format!("selector {ip}/{length}")))
        };
        Ok(Selector {
            src: prefix(self.saddr, self.prefixlen_s)?,
            dst: prefix(self.daddr, self.prefixlen_d)?,
            proto: self.proto,
            src_port: PortMatch { value: self.sport, mask: self.sport_mask },
            dst_port: PortMatch { value: self.dport, mask: self.dport_mask },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a structure out of a pattern and writes it again: only padding may differ, which is 0 in what is written.
    fn check<T: Record + PartialEq + std::fmt::Debug>(padding: usize) {
        let pattern: Vec<u8> = (0..T::SIZE).map(|index| (index % 251) as u8 + 1).collect();
        let value = T::read(&mut Reader::new(&pattern)).unwrap();
        let written = value.to_vec();
        assert_eq!(written.len(), T::SIZE);
        assert_eq!(written.iter().zip(&pattern).filter(|(w, p)| w != p).count(), padding);
        assert_eq!(T::read(&mut Reader::new(&written)).unwrap(), value);
        for len in 0..T::SIZE {
            assert_eq!(T::read(&mut Reader::new(&pattern[..len])).unwrap_err().errno, libc::EINVAL);
        }
    }

    #[test]
    fn structures_survive_the_round_trip_and_no_truncation() {
        check::<Id>(3);
        check::<SelectorRecord>(3);
        check::<LifetimeLimits>(0);
        check::<LifetimeCurrent>(0);
        check::<Stats>(0);
        check::<SaInfo>(3 + 3 + 7);
        check::<SaIdRecord>(1);
        check::<SpiRange>(3 + 3 + 7);
        check::<AeId>(1);
        check::<PolicyInfo>(3 + 4);
        check::<PolicyIdRecord>(3 + 3);
        check::<Template>(3 + 2 + 1);
        check::<Acquire>(3 + 3 + 7);
        check::<Expire>(3 + 3 + 7 + 7);
        check::<Mapping>(1);
        check::<EncapRecord>(2);
        check::<ReplayState>(0);
        check::<ReplayEsn>(0);
    }

    #[test]
    fn fields_lie_where_the_header_has_them() {
        let info = SaInfo {
            id: Id { daddr: Address::from(IpAddr::from([192, 0, 2, 1])), spi: 0xc0ff_ee01, proto: 50 },
            saddr: Address::from(IpAddr::from([198, 51, 100, 1])),
            lft: LifetimeLimits { hard_add_expires_seconds: 3600, ..LifetimeLimits::default() },
            reqid: 7,
            family: libc::AF_INET as u16,
            mode: 1,
            replay_window: 32,
            flags: 128,
            ..SaInfo::default()
        };
        let octets = info.to_vec();
        assert_eq!(octets[56..60], [192, 0, 2, 1]);
        assert_eq!(octets[72..77], [0xc0, 0xff, 0xee, 0x01, 50]);
        assert_eq!(octets[80..84], [198, 51, 100, 1]);
        assert_eq!(octets[136..144], 3600u64.to_ne_bytes());
        assert_eq!(octets[208..212], 7u32.to_ne_bytes());
        assert_eq!(octets[212..217], [2, 0, 1, 32, 128]);
    }

    #[test]
    fn selectors_are_checked() {
        let good = SelectorRecord { family: libc::AF_INET as u16, prefixlen_s: 32, ..SelectorRecord::default() };
        assert_eq!(good.selector().unwrap().src.to_string(), "0.0.0.0/32");
        assert!(SelectorRecord { prefixlen_d: 33, ..good }.selector().is_err());
        assert!(SelectorRecord { family: 0, ..good }.selector().is_err());
        let v6 = SelectorRecord { family: libc::AF_INET6 as u16, prefixlen_d: 128, ..good };
        assert_eq!(v6.selector().unwrap().dst.to_string(), "::/128");
    }
}
