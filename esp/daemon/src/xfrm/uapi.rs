//! Numbers of linux/netlink.h and linux/xfrm.h that libc's crate does not have.

/// Message types (`XFRM_MSG_*`).
pub mod msg {
    pub const NEWSA: u16 = 0x10;
    pub const DELSA: u16 = 0x11;
    pub const GETSA: u16 = 0x12;
    pub const NEWPOLICY: u16 = 0x13;
    pub const DELPOLICY: u16 = 0x14;
    pub const GETPOLICY: u16 = 0x15;
    pub const ALLOCSPI: u16 = 0x16;
    pub const ACQUIRE: u16 = 0x17;
    pub const EXPIRE: u16 = 0x18;
    pub const UPDPOLICY: u16 = 0x19;
    pub const UPDSA: u16 = 0x1a;
    pub const FLUSHSA: u16 = 0x1c;
    pub const FLUSHPOLICY: u16 = 0x1d;
    pub const NEWAE: u16 = 0x1e;
    pub const GETAE: u16 = 0x1f;
    pub const NEWSPDINFO: u16 = 0x24;
    pub const GETSPDINFO: u16 = 0x25;
    pub const MAPPING: u16 = 0x26;

    /// The name for logs, without its prefix.
    pub fn name(kind: u16) -> &'static str {
        match kind {
            NEWSA => "NEWSA",
            DELSA => "DELSA",
            GETSA => "GETSA",
            NEWPOLICY => "NEWPOLICY",
            DELPOLICY => "DELPOLICY",
            GETPOLICY => "GETPOLICY",
            ALLOCSPI => "ALLOCSPI",
            ACQUIRE => "ACQUIRE",
            EXPIRE => "EXPIRE",
            UPDPOLICY => "UPDPOLICY",
            UPDSA => "UPDSA",
            FLUSHSA => "FLUSHSA",
            FLUSHPOLICY => "FLUSHPOLICY",
            NEWAE => "NEWAE",
            GETAE => "GETAE",
            NEWSPDINFO => "NEWSPDINFO",
            GETSPDINFO => "GETSPDINFO",
            MAPPING => "MAPPING",
            _ => "unknown",
        }
    }
}

/// Attribute types (`XFRMA_*`).
pub mod attr {
    pub const ALG_AUTH: u16 = 1;
    pub const ALG_CRYPT: u16 = 2;
    pub const ALG_COMP: u16 = 3;
    pub const ENCAP: u16 = 4;
    pub const TMPL: u16 = 5;
    pub const SEC_CTX: u16 = 8;
    pub const LTIME_VAL: u16 = 9;
    pub const REPLAY_VAL: u16 = 10;
    pub const COADDR: u16 = 14;
    pub const ALG_AEAD: u16 = 18;
    pub const ALG_AUTH_TRUNC: u16 = 20;
    pub const MARK: u16 = 21;
    pub const TFCPAD: u16 = 22;
    pub const REPLAY_ESN_VAL: u16 = 23;
    pub const SA_EXTRA_FLAGS: u16 = 24;
    pub const OFFLOAD_DEV: u16 = 28;
    pub const SET_MARK: u16 = 29;
    pub const IF_ID: u16 = 31;
    pub const SA_DIR: u16 = 33;

    /// Of SPDINFO messages (`XFRMA_SPD_*`), a numbering of its own.
    pub const SPD_INFO: u16 = 1;
    pub const SPD_IPV4_HTHRESH: u16 = 3;
    pub const SPD_IPV6_HTHRESH: u16 = 4;
}

/// Event groups as bits of `nl_groups`: bit n-1 for `XFRMNLGRP_*` n.
pub mod group {
    pub const ACQUIRE: u32 = 1 << 0;
    pub const EXPIRE: u32 = 1 << 1;
    pub const MAPPING: u32 = 1 << 7;
}

pub const MODE_TUNNEL: u8 = 1;

/// Flags of `struct xfrm_usersa_info`.
pub const STATE_NOECN: u8 = 1;
pub const STATE_DECAP_DSCP: u8 = 2;
pub const STATE_ESN: u8 = 128;
/// Flag of XFRMA_SA_EXTRA_FLAGS: keep the inner DSCP to ourselves.
pub const XFLAG_DONT_ENCAP_DSCP: u32 = 1;

pub const POLICY_IN: u8 = 0;
pub const POLICY_OUT: u8 = 1;
pub const POLICY_FWD: u8 = 2;
pub const POLICY_ALLOW: u8 = 0;
pub const POLICY_BLOCK: u8 = 1;

/// UDP_ENCAP_ESPINUDP of linux/udp.h: RFC 3948.
pub const ENCAP_ESP_IN_UDP: u16 = 2;
/// Values of XFRMA_SA_DIR.
pub const SA_DIR_IN: u8 = 1;
pub const SA_DIR_OUT: u8 = 2;
