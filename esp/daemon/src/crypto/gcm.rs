//! AES-GCM for ESP (RFC 4106) on AWS-LC's `EVP_AEAD`.
//!
//! The safe interface of aws-lc-rs has 16-octet tags only; ESP also has 12 and 8, so the AEAD is called directly. A
//! context is heap-allocated by the library, expanded once and afterwards only read, which `EVP_AEAD_CTX_seal_scatter`
//! and `EVP_AEAD_CTX_open_gather` document to be safe from many threads; the library wipes it when it is freed.

use std::ptr::{self, NonNull};

use aws_lc_sys::{
    EVP_AEAD_CTX, EVP_AEAD_CTX_free, EVP_AEAD_CTX_new, EVP_AEAD_CTX_open_gather, EVP_AEAD_CTX_seal_scatter,
    EVP_aead_aes_128_gcm, EVP_aead_aes_192_gcm, EVP_aead_aes_256_gcm,
};

/// An expanded AES-GCM key with its tag length.
pub(super) struct Gcm {
    context: NonNull<EVP_AEAD_CTX>,
    tag_len: usize,
}

// SAFETY: the context is immutable between `new` and `drop`, and the library allows concurrent seal and open on it.
unsafe impl Send for Gcm {}
// SAFETY: as above.
unsafe impl Sync for Gcm {}

impl Gcm {
    /// Expands a key of 16, 24 or 32 octets; `None` for any other length, or when the library refuses.
    pub(super) fn new(key: &[u8], tag_len: usize) -> Option<Gcm> {
        // SAFETY: these return pointers to static tables.
        let aead = unsafe {
            match key.len() {
                16 => EVP_aead_aes_128_gcm(),
                24 => EVP_aead_aes_192_gcm(),
                32 => EVP_aead_aes_256_gcm(),
                _ => return None,
            }
        };
        // SAFETY: `key` is valid for its length, which is the one `aead` asks for.
        let context = NonNull::new(unsafe { EVP_AEAD_CTX_new(aead, key.as_ptr(), key.len(), tag_len) })?;
        Some(Gcm { context, tag_len })
    }

    /// Encrypts `text` in place and writes the tag to `tag`, whose length must be the tag length.
    pub(super) fn seal(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &mut [u8]) -> bool {
        assert_eq!(tag.len(), self.tag_len);
        let mut written = 0;
        // SAFETY: all pointers are valid for the lengths given with them; in and out are the same buffer, which the
        // library allows; the tag does not overlap it, being a separate unique borrow.
        let ok = unsafe {
            EVP_AEAD_CTX_seal_scatter(
                self.context.as_ptr(),
                text.as_mut_ptr(),
                tag.as_mut_ptr(),
                &mut written,
                tag.len(),
                nonce.as_ptr(),
                nonce.len(),
                text.as_ptr(),
                text.len(),
                ptr::null(),
                0,
                aad.as_ptr(),
                aad.len(),
            )
        };
        ok == 1 && written == self.tag_len
    }

    /// Decrypts `text` in place; false, with `text` undefined, when `tag` does not authenticate it.
    pub(super) fn open(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &[u8]) -> bool {
        // SAFETY: as in `seal`; the tag's length is checked by the library.
        let ok = unsafe {
            EVP_AEAD_CTX_open_gather(
                self.context.as_ptr(),
                text.as_mut_ptr(),
                nonce.as_ptr(),
                nonce.len(),
                text.as_ptr(),
                text.len(),
                tag.as_ptr(),
                tag.len(),
                aad.as_ptr(),
                aad.len(),
            )
        };
        ok == 1
    }
}

impl Drop for Gcm {
    fn drop(&mut self) {
        // SAFETY: the context came from `EVP_AEAD_CTX_new` and is freed once.
        unsafe { EVP_AEAD_CTX_free(self.context.as_ptr()) }
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
        for (key, cipher, tag) in CASES {
            for tag_len in [16, 12, 8] {
                let gcm = Gcm::new(&unhex(key), tag_len).unwrap();
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
        assert!(Gcm::new(&[0; 20], 16).is_none());
    }
}
