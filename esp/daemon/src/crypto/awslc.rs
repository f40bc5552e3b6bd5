//! AES-GCM on AWS-LC's `EVP_AEAD`.
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
