//! Sealing and opening of one ESP packet with the suite of its SA.

use std::fmt;
use std::ops::Range;

use aws_lc_rs::rand;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::cbc::{BLOCK, CbcHmac};
use super::gcm::{Gcm, Library};
use super::{CryptoError, SaKeys, Suite};

/// SPI and sequence number in front of every ESP packet, in octets.
pub const ESP_HEADER: usize = 8;

/// Randomness an SA needs for its initialization vectors. Drawn anew for each `Sa`, so that an SA rebuilt with the same
/// key and a sequence number that was already used still repeats no IV: for GCM that would reveal the key stream.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct IvSeed {
    /// XORed into the 64-bit counter of a GCM packet (as the kernel's `seqiv` does).
    pub mask: u64,
    /// Key of the CBC IV generator.
    pub key: [u8; 32],
}

impl IvSeed {
    /// A seed from the system's random number generator; `None` when that fails.
    pub fn random() -> Option<IvSeed> {
        let mut mask = [0; 8];
        let mut seed = IvSeed { mask: 0, key: [0; 32] };
        rand::fill(&mut mask).and(rand::fill(&mut seed.key)).ok()?;
        seed.mask = u64::from_ne_bytes(mask);
        Some(seed)
    }
}

/// The packet does not authenticate, or is too short for its suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    Malformed,
    Authentication,
}

/// Expanded keys of one SA.
pub struct Cipher {
    suite: Suite,
    transform: Transform,
}

enum Transform {
    Gcm { aead: Gcm, salt: [u8; 4], mask: u64 },
    Cbc(CbcHmac),
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cipher({})", self.suite)
    }
}

impl Drop for Transform {
    fn drop(&mut self) {
        // The expanded keys wipe themselves.
        if let Transform::Gcm { salt, mask, .. } = self {
            salt.zeroize();
            mask.zeroize();
        }
    }
}

impl Cipher {
    /// Expands `keys` for `suite`. Errors: a key of the wrong length, or none that AES knows.
    pub fn new(suite: Suite, keys: &SaKeys, seed: &IvSeed) -> Result<Cipher, CryptoError> {
        if !matches!(suite.key_bits(), 128 | 192 | 256) {
            return Err(CryptoError::KeySize(suite.key_bits()));
        }
        let check = |what, got: usize, need: usize| {
            if got == need {
                Ok(())
            } else {
                Err(CryptoError::KeyLength { what, suite: suite.to_string(), got, need })
            }
        };
        let library = || CryptoError::Library(suite.to_string());
        check("encryption", keys.encryption.len(), usize::from(suite.key_bits()) / 8)?;
        let transform = match suite {
            Suite::AesCbc { auth, .. } => {
                check("authentication", keys.authentication.len(), auth.key_len())?;
                Transform::Cbc(
                    CbcHmac::new(&keys.encryption, &keys.authentication, auth, &seed.key).ok_or_else(library)?,
                )
            }
            _ => {
                check("authentication", keys.authentication.len(), 0)?;
                let aead = Gcm::new(Library::best(), &keys.encryption, suite.icv_len()).ok_or_else(library)?;
                Transform::Gcm { aead, salt: keys.salt, mask: seed.mask }
            }
        };
        Ok(Cipher { suite, transform })
    }

    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Seals one packet in place. `packet` is the ESP header (filled in), room for the IV, the plaintext with its ESP
    /// trailer (a multiple of the suite's block) and room for the ICV; `counter` must never repeat for this `Cipher`.
    pub fn seal(&self, packet: &mut [u8], seq_hi: Option<u32>, counter: u64) {
        let iv_end = ESP_HEADER + self.suite.iv_len();
        let text_end = packet.len() - self.suite.icv_len();
        match &self.transform {
            Transform::Gcm { aead, salt, mask } => {
                let iv = (counter ^ mask).to_be_bytes();
                let (aad, aad_len) = gcm_aad(packet, seq_hi);
                packet[ESP_HEADER..iv_end].copy_from_slice(&iv);
                let (text, icv) = packet[iv_end..].split_at_mut(text_end - iv_end);
                let sealed = aead.seal(&gcm_nonce(salt, &iv), &aad[..aad_len], text, icv);
                assert!(sealed, "AES-GCM refuses only texts over 64 GB");
            }
            Transform::Cbc(cbc) => {
                let iv = cbc.make_iv(counter);
                packet[ESP_HEADER..iv_end].copy_from_slice(&iv);
                cbc.encrypt(&iv, &mut packet[iv_end..text_end]);
                let (message, icv) = packet.split_at_mut(text_end);
                cbc.sign(message, seq_hi, icv);
            }
        }
    }

    /// Opens one packet in place and returns where its plaintext is, trailer included. On an error the contents are
    /// undefined.
    pub fn open(&self, packet: &mut [u8], seq_hi: Option<u32>) -> Result<Range<usize>, OpenError> {
        let iv_end = ESP_HEADER + self.suite.iv_len();
        let text_end = packet.len().checked_sub(self.suite.icv_len()).ok_or(OpenError::Malformed)?;
        if text_end <= iv_end || !(text_end - iv_end).is_multiple_of(self.suite.block_len()) {
            return Err(OpenError::Malformed);
        }
        match &self.transform {
            Transform::Gcm { aead, salt, .. } => {
                let iv = take::<8>(packet, ESP_HEADER);
                let (aad, aad_len) = gcm_aad(packet, seq_hi);
                let (text, icv) = packet[iv_end..].split_at_mut(text_end - iv_end);
                if !aead.open(&gcm_nonce(salt, &iv), &aad[..aad_len], text, icv) {
                    return Err(OpenError::Authentication);
                }
            }
            Transform::Cbc(cbc) => {
                let (message, icv) = packet.split_at_mut(text_end);
                if !cbc.verify(message, seq_hi, icv) {
                    return Err(OpenError::Authentication);
                }
                let iv = take::<BLOCK>(message, ESP_HEADER);
                cbc.decrypt(&iv, &mut message[iv_end..]);
            }
        }
        Ok(iv_end..text_end)
    }
}

/// Additional authenticated data of RFC 4106 section 5: SPI, with ESN the high half, and the low half.
fn gcm_aad(packet: &[u8], seq_hi: Option<u32>) -> ([u8; 12], usize) {
    let mut aad = [0; 12];
    aad[..4].copy_from_slice(&packet[..4]);
    match seq_hi {
        Some(high) => {
            aad[4..8].copy_from_slice(&high.to_be_bytes());
            aad[8..].copy_from_slice(&packet[4..8]);
            (aad, 12)
        }
        None => {
            aad[4..8].copy_from_slice(&packet[4..8]);
            (aad, 8)
        }
    }
}

fn gcm_nonce(salt: &[u8; 4], iv: &[u8; 8]) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..4].copy_from_slice(salt);
    nonce[4..].copy_from_slice(iv);
    nonce
}

fn take<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}
