//! ESP transforms: cipher suites, keys, and the sealing and opening of one packet.
//!
//! Every suite works in place on a buffer laid out as the wire has it, keeps its key schedule expanded for the life of
//! the SA, and allocates nothing for a packet. Sequence numbers enter as the additional authenticated data (AEAD) or are
//! appended to what is authenticated (HMAC), in the forms of RFC 4106 section 5 and RFC 4303 section 2.2.1.
//!
//! References: RFC 4106 (AES-GCM in ESP), RFC 3602 (AES-CBC), RFC 2404 and RFC 4868 (HMAC), RFC 4303.

mod awslc;
mod cbc;
mod cipher;
mod gcm;
#[cfg(test)]
pub(crate) mod testing;

use std::fmt;

pub use cipher::{Cipher, ESP_HEADER, IvSeed, OpenError};
pub use gcm::{Gcm, Library};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Integrity algorithm of a CBC suite, with the truncation ESP uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Auth {
    /// HMAC-SHA-1-96 (RFC 2404): 160-bit key, 96-bit ICV.
    HmacSha1_96,
    /// HMAC-SHA-256-128 (RFC 4868): 256-bit key, 128-bit ICV.
    HmacSha256_128,
    /// HMAC-SHA-384-192 (RFC 4868): 384-bit key, 192-bit ICV.
    HmacSha384_192,
    /// HMAC-SHA-512-256 (RFC 4868): 512-bit key, 256-bit ICV.
    HmacSha512_256,
}

/// A cipher suite. `key_bits` is 128, 192 or 256, without the salt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// AES-GCM with a 16-octet ICV (RFC 4106).
    AesGcm16 { key_bits: u16 },
    /// AES-GCM with a 12-octet ICV.
    AesGcm12 { key_bits: u16 },
    /// AES-GCM with an 8-octet ICV.
    AesGcm8 { key_bits: u16 },
    /// AES-CBC (RFC 3602) with encrypt-then-MAC.
    AesCbc { key_bits: u16, auth: Auth },
}

/// Key material of one SA. Wiped when dropped; `Debug` shows nothing of it.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SaKeys {
    encryption: Vec<u8>,
    salt: [u8; 4],
    authentication: Vec<u8>,
}

/// A key that does not fit its suite.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    #[error("key_bits {0} is not an AES key size: use 128, 192 or 256")]
    KeySize(u16),
    #[error("{what} key of {got} octets given, {suite} needs {need}")]
    KeyLength { what: &'static str, suite: String, got: usize, need: usize },
    #[error("the crypto library refused to expand the key of {0}")]
    Library(String),
}

impl SaKeys {
    /// Keys of a GCM suite: the AES key, then 4 octets of salt (RFC 4106 8.1), as XFRM's `rfc4106(gcm(aes))` has it.
    /// `None` when there are fewer than 4 octets.
    pub fn aead(key_and_salt: &[u8]) -> Option<SaKeys> {
        let (key, salt) = key_and_salt.split_last_chunk::<4>()?;
        Some(SaKeys { encryption: key.to_vec(), salt: *salt, authentication: Vec::new() })
    }

    /// No keys: what is left in a configuration whose keys have been expanded.
    pub(crate) fn wiped() -> SaKeys {
        SaKeys::cbc_hmac(&[], &[])
    }

    /// Keys of a CBC suite: the AES key and the HMAC key.
    pub fn cbc_hmac(encryption: &[u8], authentication: &[u8]) -> SaKeys {
        SaKeys { encryption: encryption.to_vec(), salt: [0; 4], authentication: authentication.to_vec() }
    }
}

impl fmt::Debug for SaKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SaKeys(hidden)")
    }
}

impl Suite {
    /// Length of the integrity check value at the end of a packet, in octets.
    pub fn icv_len(self) -> usize {
        match self {
            Suite::AesGcm16 { .. } => 16,
            Suite::AesGcm12 { .. } => 12,
            Suite::AesGcm8 { .. } => 8,
            Suite::AesCbc { auth, .. } => auth.icv_len(),
        }
    }

    /// Length of the initialization vector that each packet carries, in octets.
    pub fn iv_len(self) -> usize {
        match self {
            Suite::AesCbc { .. } => 16,
            _ => 8,
        }
    }

    /// What the plaintext with its trailer must be a multiple of, in octets (RFC 4303 2.4: at least 4).
    pub fn block_len(self) -> usize {
        match self {
            Suite::AesCbc { .. } => 16,
            _ => 4,
        }
    }

    pub fn key_bits(self) -> u16 {
        match self {
            Suite::AesGcm16 { key_bits }
            | Suite::AesGcm12 { key_bits }
            | Suite::AesGcm8 { key_bits }
            | Suite::AesCbc { key_bits, .. } => key_bits,
        }
    }
}

/// The name used in `list_sas` and logs: `aes-gcm-16-128`, `aes-cbc-256-hmac-sha256-128`.
impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Suite::AesCbc { key_bits, auth } => write!(f, "aes-cbc-{key_bits}-{auth}"),
            gcm => write!(f, "aes-gcm-{}-{}", gcm.icv_len(), gcm.key_bits()),
        }
    }
}

impl Auth {
    /// Length of the key, in octets; ESP allows no other (RFC 4868 2.1.1).
    pub fn key_len(self) -> usize {
        match self {
            Auth::HmacSha1_96 => 20,
            Auth::HmacSha256_128 => 32,
            Auth::HmacSha384_192 => 48,
            Auth::HmacSha512_256 => 64,
        }
    }

    pub fn icv_len(self) -> usize {
        match self {
            Auth::HmacSha1_96 => 12,
            Auth::HmacSha256_128 => 16,
            Auth::HmacSha384_192 => 24,
            Auth::HmacSha512_256 => 32,
        }
    }
}

impl fmt::Display for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Auth::HmacSha1_96 => "hmac-sha1-96",
            Auth::HmacSha256_128 => "hmac-sha256-128",
            Auth::HmacSha384_192 => "hmac-sha384-192",
            Auth::HmacSha512_256 => "hmac-sha512-256",
        })
    }
}
