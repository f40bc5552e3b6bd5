//! AES-GCM for ESP (RFC 4106) with the quicker of two libraries.
//!
//! Where the processor has VAES and AVX-512 and Intel's IPsec Multi-Buffer library was there at build time, that one is
//! used: it takes about 0.6 of AWS-LC's time for a packet (docs/esp-engine.md has the figures). Everywhere else, and for
//! everything but GCM, it is AWS-LC. The choice is made once, by [`Library::best`]; both give the same octets.

use std::fmt;
use std::sync::OnceLock;

use aws_lc_rs::constant_time;
use twinbore_esp_ipsecmb as ipsecmb;

use super::awslc;

/// Longest tag, in octets.
const MAX_TAG: usize = 16;

/// Which library does AES-GCM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    AwsLc,
    IpsecMb,
}

impl Library {
    /// Every library that can be used on this machine, the best one first.
    pub fn available() -> Vec<Library> {
        let ipsecmb = ipsecmb::manager().map(|_| Library::IpsecMb);
        ipsecmb.into_iter().chain([Library::AwsLc]).collect()
    }

    /// The one that is used; set up at the first call.
    pub fn best() -> Library {
        static BEST: OnceLock<Library> = OnceLock::new();
        *BEST.get_or_init(|| Library::available()[0])
    }
}

/// The name it is reported by.
impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Library::AwsLc => f.write_str("aws-lc"),
            Library::IpsecMb => write!(f, "ipsec-mb {}", ipsecmb::version().unwrap_or_default()),
        }
    }
}

/// An expanded AES-GCM key with its tag length.
pub struct Gcm(Key);

enum Key {
    AwsLc(awslc::Gcm),
    IpsecMb { key: ipsecmb::Key, tag_len: usize },
}

impl Gcm {
    /// Expands a key of 16, 24 or 32 octets for tags of 8, 12 or 16; `None` for any other length, or when the library
    /// refuses.
    pub fn new(library: Library, key: &[u8], tag_len: usize) -> Option<Gcm> {
        match library {
            Library::AwsLc => awslc::Gcm::new(key, tag_len).map(|gcm| Gcm(Key::AwsLc(gcm))),
            Library::IpsecMb => {
                let key = ipsecmb::Key::new(ipsecmb::manager()?, key)?;
                Some(Gcm(Key::IpsecMb { key, tag_len }))
            }
        }
    }

    /// Encrypts `text` in place and writes the tag to `tag`, whose length must be the tag length.
    pub fn seal(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &mut [u8]) -> bool {
        match &self.0 {
            Key::AwsLc(gcm) => gcm.seal(nonce, aad, text, tag),
            Key::IpsecMb { key, tag_len } => {
                assert_eq!(tag.len(), *tag_len);
                key.seal(nonce, aad, text, tag);
                true
            }
        }
    }

    /// Decrypts `text` in place; false, with `text` undefined, when `tag` does not authenticate it.
    pub fn open(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &[u8]) -> bool {
        match &self.0 {
            Key::AwsLc(gcm) => gcm.open(nonce, aad, text, tag),
            Key::IpsecMb { key, tag_len } => {
                let mut expected = [0; MAX_TAG];
                let expected = &mut expected[..*tag_len];
                key.open(nonce, aad, text, expected);
                constant_time::verify_slices_are_equal(expected, tag).is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::testing::unhex;

    /// McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 4, 10 and 16 (also in NIST's GCM
    /// validation set): key, IV, plaintext, additional data, ciphertext, tag.
    const PLAIN: &str = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525\
                         b16aedf5aa0de657ba637b39";
    const AAD: &str = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
    const IV: &str = "cafebabefacedbaddecaf888";
    const CASES: [(&str, &str, &str); 3] = [
        (
            "feffe9928665731c6d6a8f9467308308",
            "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b39\
             6a0aac973d58e091",
            "5bc94fbc3221a5db94fae95ae7121a47",
        ),
        (
            "feffe9928665731c6d6a8f9467308308feffe9928665731c",
            "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c7d773d00c144c525ac619d18c84a3f4718e2448b\
             2fe324d9ccda2710",
            "2519498e80f1478f37ba55bd6d27618c",
        ),
        (
            "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e63\
             93ba7a0abcc9f662",
            "76fc6ece0f4e1768cddf8853bb2d551b",
        ),
    ];

    #[test]
    fn published_vectors_with_every_tag_length() {
        for (library, (key, cipher, tag)) in
            Library::available().into_iter().flat_map(|library| CASES.map(|case| (library, case)))
        {
            for tag_len in [16, 12, 8] {
                let gcm = Gcm::new(library, &unhex(key), tag_len).unwrap();
                let nonce: [u8; 12] = unhex(IV).try_into().unwrap();
                let mut text = unhex(PLAIN);
                let mut got = vec![0; tag_len];
                assert!(gcm.seal(&nonce, &unhex(AAD), &mut text, &mut got));
                assert_eq!(text, unhex(cipher));
                assert_eq!(got, unhex(tag)[..tag_len]);
                assert!(gcm.open(&nonce, &unhex(AAD), &mut text, &got));
                assert_eq!(text, unhex(PLAIN));
                got[tag_len - 1] ^= 1;
                assert!(!gcm.open(&nonce, &unhex(AAD), &mut unhex(cipher), &got));
            }
        }
    }

    #[test]
    fn odd_key_sizes_are_refused() {
        for library in Library::available() {
            assert!(Gcm::new(library, &[0; 20], 16).is_none());
        }
    }
}
