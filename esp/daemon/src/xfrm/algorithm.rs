//! Algorithms by their names in the kernel's crypto API, as XFRM attributes carry them, to suites and keys.
//!
//! Some have a second, older name, which charon uses: `aes`, `sha1`. Lengths of keys and ICVs are in bits.
//! XFRMA_ALG_AUTH has no ICV length and means the kernel's default, which is the one of the RFC for all but SHA-256,
//! where it is 96 bits of an old draft; charon sends XFRMA_ALG_AUTH_TRUNC with 128 for what it calls sha256.
//!
//! References: net/xfrm/xfrm_algo.c, RFC 4106, RFC 3602, RFC 2404, RFC 4868.

use super::Refusal;
use super::netlink::Reader;
use crate::crypto::{Auth, SaKeys, Suite};

const NAME: usize = 64;
/// Of the salt that follows the AES key of rfc4106(gcm(aes)).
const SALT_BITS: u32 = 32;

/// The algorithm attributes of a message, as far as they are there. They hold keys, hence no `Debug`.
#[derive(Clone, Copy, Default)]
pub struct Algorithms<'a> {
    pub aead: Option<&'a [u8]>,
    pub crypt: Option<&'a [u8]>,
    pub auth: Option<&'a [u8]>,
    pub auth_trunc: Option<&'a [u8]>,
}

/// One parsed attribute.
struct Algorithm<'a> {
    name: &'a str,
    /// Of the ICV; `None` in structures without such a field.
    icv_bits: Option<u32>,
    key_bits: u32,
    key: &'a [u8],
}

impl Algorithms<'_> {
    /// The suite and its keys.
    ///
    /// Errors: ENOSYS for algorithms that we do not have, EINVAL for missing or malformed attributes.
    pub fn suite(&self) -> Result<(Suite, SaKeys), Refusal> {
        match (self.aead, self.crypt, self.auth_trunc.map(|a| (a, true)).or(self.auth.map(|a| (a, false)))) {
            (Some(aead), None, None) => gcm(&read(aead, true)?),
            (None, Some(crypt), Some((auth, truncated))) => cbc(&read(crypt, false)?, &read(auth, truncated)?),
            (None, None, None) => Err(Refusal::malformed("no algorithm given")),
            (None, Some(_), None) => Err(unknown("encryption without integrity protection".into())),
            (None, None, Some(_)) => Err(unknown("integrity protection without encryption".into())),
            (Some(_), _, _) => Err(Refusal::malformed("both an AEAD and another algorithm given")),
        }
    }
}

fn gcm(aead: &Algorithm<'_>) -> Result<(Suite, SaKeys), Refusal> {
    let key_bits = aead.key_bits.checked_sub(SALT_BITS).and_then(aes_key);
    let (Some(key_bits), "rfc4106(gcm(aes))") = (key_bits, aead.name) else {
        return Err(unknown(format!("AEAD {} with a key of {} bits", aead.name, aead.key_bits)));
    };
    let suite = match aead.icv_bits {
        Some(128) => Suite::AesGcm16 { key_bits },
        Some(96) => Suite::AesGcm12 { key_bits },
        Some(64) => Suite::AesGcm8 { key_bits },
        other => return Err(unknown(format!("AEAD {} with an ICV of {other:?} bits", aead.name))),
    };
    let keys = SaKeys::aead(aead.key).ok_or_else(|| Refusal::malformed("AEAD key shorter than its salt"))?;
    Ok((suite, keys))
}

fn cbc(crypt: &Algorithm<'_>, integrity: &Algorithm<'_>) -> Result<(Suite, SaKeys), Refusal> {
    let (Some(key_bits), "cbc(aes)" | "aes") = (aes_key(crypt.key_bits), crypt.name) else {
        return Err(unknown(format!("encryption {} with a key of {} bits", crypt.name, crypt.key_bits)));
    };
    let auth = match (integrity.name, integrity.icv_bits, integrity.key_bits) {
        ("hmac(sha1)" | "sha1", None | Some(96), 160) => Auth::HmacSha1_96,
        ("hmac(sha256)" | "sha256", Some(128), 256) => Auth::HmacSha256_128,
        ("hmac(sha384)", None | Some(192), 384) => Auth::HmacSha384_192,
        ("hmac(sha512)", None | Some(256), 512) => Auth::HmacSha512_256,
        (name, icv, key) => {
            return Err(unknown(format!("integrity {name} with a key of {key} bits and an ICV of {icv:?} bits")));
        }
    };
    Ok((Suite::AesCbc { key_bits, auth }, SaKeys::cbc_hmac(crypt.key, integrity.key)))
}

fn aes_key(bits: u32) -> Option<u16> {
    u16::try_from(bits).ok().filter(|bits| [128, 192, 256].contains(bits))
}

/// `struct xfrm_algo`, or with `with_icv` one of `struct xfrm_algo_aead` and `struct xfrm_algo_auth`.
fn read(attribute: &[u8], with_icv: bool) -> Result<Algorithm<'_>, Refusal> {
    let mut reader = Reader::new(attribute);
    let name = reader.bytes(NAME)?.split(|octet| *octet == 0).next().unwrap_or_default();
    let name = std::str::from_utf8(name).map_err(|_| Refusal::malformed("algorithm name is not text"))?;
    let key_bits = reader.u32()?;
    let icv_bits = if with_icv { Some(reader.u32()?) } else { None };
    let key = reader.bytes((key_bits as usize).div_ceil(8))?;
    Ok(Algorithm { name, icv_bits, key_bits, key })
}

fn unknown(what: String) -> Refusal {
    let known =
        "AES-GCM with a 64, 96 or 128-bit ICV, AES-CBC with HMAC-SHA1-96, SHA256-128, SHA384-192 or SHA512-256";
    Refusal::new(libc::ENOSYS, format!("{what}: not one of {known}"))
}

#[cfg(test)]
pub(crate) mod testing {
    /// The attribute payload of an algorithm.
    pub(crate) fn algorithm(name: &str, key: &[u8], icv_bits: Option<u32>) -> Vec<u8> {
        let mut octets = name.as_bytes().to_vec();
        octets.resize(super::NAME, 0);
        octets.extend((key.len() as u32 * 8).to_ne_bytes());
        octets.extend(icv_bits.into_iter().flat_map(u32::to_ne_bytes));
        octets.extend(key);
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::testing::algorithm;
    use super::*;

    fn aead(key_len: usize, icv_bits: u32) -> Result<Suite, Refusal> {
        let attribute = algorithm("rfc4106(gcm(aes))", &vec![7; key_len], Some(icv_bits));
        Algorithms { aead: Some(&attribute), ..Algorithms::default() }.suite().map(|(suite, _)| suite)
    }

    #[test]
    fn gcm_has_a_salt_and_three_icv_lengths() {
        assert_eq!(aead(20, 128), Ok(Suite::AesGcm16 { key_bits: 128 }));
        assert_eq!(aead(36, 96), Ok(Suite::AesGcm12 { key_bits: 256 }));
        assert_eq!(aead(28, 64), Ok(Suite::AesGcm8 { key_bits: 192 }));
        assert_eq!(aead(20, 32).unwrap_err().errno, libc::ENOSYS);
        assert_eq!(aead(16, 128).unwrap_err().errno, libc::ENOSYS);
        assert_eq!(aead(3, 128).unwrap_err().errno, libc::ENOSYS);
    }

    #[test]
    fn cbc_takes_the_rfc_truncations_in_either_attribute() {
        let crypt = algorithm("cbc(aes)", &[1; 32], None);
        let suite = |name: &str, key_len: usize, icv: Option<u32>| {
            let auth = algorithm(name, &vec![2; key_len], icv);
            let (auth, auth_trunc) = if icv.is_some() { (None, Some(&auth[..])) } else { (Some(&auth[..]), None) };
            Algorithms { crypt: Some(&crypt), auth, auth_trunc, aead: None }.suite().map(|(suite, _)| suite)
        };
        let cbc = |auth| Ok(Suite::AesCbc { key_bits: 256, auth });
        assert_eq!(suite("hmac(sha1)", 20, None), cbc(Auth::HmacSha1_96));
        assert_eq!(suite("sha1", 20, None), cbc(Auth::HmacSha1_96));
        assert_eq!(suite("hmac(sha256)", 32, Some(128)), cbc(Auth::HmacSha256_128));
        assert_eq!(suite("hmac(sha384)", 48, None), cbc(Auth::HmacSha384_192));
        assert_eq!(suite("hmac(sha512)", 64, Some(256)), cbc(Auth::HmacSha512_256));
        assert_eq!(suite("hmac(sha256)", 32, None).unwrap_err().errno, libc::ENOSYS);
        assert_eq!(suite("hmac(sha256)", 20, Some(128)).unwrap_err().errno, libc::ENOSYS);
        assert_eq!(suite("hmac(md5)", 16, Some(96)).unwrap_err().errno, libc::ENOSYS);
    }

    #[test]
    fn half_a_suite_and_truncated_keys_are_refused() {
        let crypt = algorithm("cbc(aes)", &[1; 16], None);
        let only = Algorithms { crypt: Some(&crypt), ..Algorithms::default() };
        assert_eq!(only.suite().unwrap_err().errno, libc::ENOSYS);
        assert_eq!(Algorithms::default().suite().unwrap_err().errno, libc::EINVAL);
        let attribute = algorithm("rfc4106(gcm(aes))", &[7; 20], Some(128));
        for len in 0..attribute.len() {
            let cut = Algorithms { aead: Some(&attribute[..len]), ..Algorithms::default() };
            assert_eq!(cut.suite().unwrap_err().errno, libc::EINVAL, "{len} octets");
        }
    }
}
