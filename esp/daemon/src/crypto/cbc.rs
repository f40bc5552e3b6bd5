//! AES-CBC (RFC 3602) with truncated HMAC, encrypt-then-MAC (RFC 4303 3.3.2).
//!
//! aws-lc-rs offers CBC only with PKCS #7 padding, ESP has its own, so the block mode is called directly; HMAC is the
//! safe interface, whose key holds the two hash states after the padded key. Initialization vectors must be
//! unpredictable (RFC 3602 section 3): they are the packet counter encrypted with a random key of the SA's own, which is
//! a generator in counter mode without a state to lock.

use aws_lc_rs::{constant_time, hmac};
use aws_lc_sys::{
    AES_DECRYPT, AES_ENCRYPT, AES_KEY, AES_cbc_encrypt, AES_encrypt, AES_set_decrypt_key, AES_set_encrypt_key,
};
use zeroize::Zeroize;

use super::Auth;

pub(super) const BLOCK: usize = 16;

/// An expanded AES key for one direction. Boxed by its owner so that the schedule is not copied about.
struct AesKey(AES_KEY);

impl AesKey {
    fn expand(key: &[u8], set: unsafe extern "C" fn(*const u8, u32, *mut AES_KEY) -> i32) -> Option<Box<AesKey>> {
        let mut expanded = Box::new(AesKey(AES_KEY { rd_key: [0; 60], rounds: 0 }));
        let bits = u32::try_from(key.len() * 8).ok()?;
        // SAFETY: `key` is valid for `bits / 8` octets and the schedule is ours to write; other sizes are refused.
        let failed = unsafe { set(key.as_ptr(), bits, &mut expanded.0) };
        (failed == 0).then_some(expanded)
    }

    /// Runs CBC over whole blocks in place.
    fn cbc(&self, iv: &[u8; BLOCK], text: &mut [u8], direction: i32) {
        assert_eq!(text.len() % BLOCK, 0);
        let mut chain = *iv;
        // SAFETY: the buffer is valid for its length, a multiple of the block; in-place work is allowed.
        unsafe {
            AES_cbc_encrypt(text.as_ptr(), text.as_mut_ptr(), text.len(), &self.0, chain.as_mut_ptr(), direction);
        }
    }
}

impl Drop for AesKey {
    fn drop(&mut self) {
        self.0.rd_key.zeroize();
    }
}

/// AES-CBC and HMAC of one SA.
pub(super) struct CbcHmac {
    encrypt: Box<AesKey>,
    decrypt: Box<AesKey>,
    iv: Box<AesKey>,
    authenticate: Box<hmac::Key>,
    icv_len: usize,
}

impl CbcHmac {
    /// Expands the keys; `None` when `encryption` is not an AES key.
    pub(super) fn new(encryption: &[u8], authentication: &[u8], auth: Auth, iv_key: &[u8; 32]) -> Option<CbcHmac> {
        let algorithm = match auth {
            Auth::HmacSha1_96 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Auth::HmacSha256_128 => hmac::HMAC_SHA256,
            Auth::HmacSha384_192 => hmac::HMAC_SHA384,
            Auth::HmacSha512_256 => hmac::HMAC_SHA512,
        };
        Some(CbcHmac {
            encrypt: AesKey::expand(encryption, AES_set_encrypt_key)?,
            decrypt: AesKey::expand(encryption, AES_set_decrypt_key)?,
            iv: AesKey::expand(iv_key, AES_set_encrypt_key)?,
            // Boxed, it is not copied about; but the library returns it by value, and where it lay on the stack before it
            // was boxed its hash states stay until something else is written there. The interface offers no other way.
            authenticate: Box::new(hmac::Key::new(algorithm, authentication)),
            icv_len: auth.icv_len(),
        })
    }

    /// The initialization vector of packet number `counter`.
    pub(super) fn make_iv(&self, counter: u64) -> [u8; BLOCK] {
        let mut iv = [0; BLOCK];
        iv[8..].copy_from_slice(&counter.to_be_bytes());
        // SAFETY: one block in, one block out, in place.
        unsafe { AES_encrypt(iv.as_ptr(), iv.as_mut_ptr(), &self.iv.0) };
        iv
    }

    /// Encrypts whole blocks in place.
    pub(super) fn encrypt(&self, iv: &[u8; BLOCK], text: &mut [u8]) {
        self.encrypt.cbc(iv, text, AES_ENCRYPT);
    }

    /// Decrypts whole blocks in place.
    pub(super) fn decrypt(&self, iv: &[u8; BLOCK], text: &mut [u8]) {
        self.decrypt.cbc(iv, text, AES_DECRYPT);
    }

    /// Writes the ICV over `message` and, with ESN, the high half of the sequence number.
    pub(super) fn sign(&self, message: &[u8], seq_hi: Option<u32>, icv: &mut [u8]) {
        icv.copy_from_slice(&self.tag(message, seq_hi).as_ref()[..self.icv_len]);
    }

    /// Whether `icv` authenticates `message`; takes the same time whatever differs.
    pub(super) fn verify(&self, message: &[u8], seq_hi: Option<u32>, icv: &[u8]) -> bool {
        let tag = self.tag(message, seq_hi);
        constant_time::verify_slices_are_equal(&tag.as_ref()[..self.icv_len], icv).is_ok()
    }

    fn tag(&self, message: &[u8], seq_hi: Option<u32>) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.authenticate);
        context.update(message);
        if let Some(high) = seq_hi {
            context.update(&high.to_be_bytes());
        }
        context.sign()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::testing::unhex;

    fn cbc(key: &str, auth_key: &[u8], auth: Auth) -> CbcHmac {
        CbcHmac::new(&unhex(key), auth_key, auth, &[7; 32]).unwrap()
    }

    /// RFC 3602 section 4, case 2 (128 bits); NIST SP 800-38A F.2.3 and F.2.5, first two blocks (192 and 256 bits).
    #[test]
    fn cbc_vectors() {
        let nist = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51";
        let iv = "000102030405060708090a0b0c0d0e0f";
        let cases = [
            (
                "c286696d887c9aa0611bbb3e2025a45a",
                "562e17996d093d28ddb3ba695a2e6f58",
                "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
                "d296cd94c2cccf8a3a863028b5e1dc0a7586602d253cfff91b8266bea6d61ab1",
            ),
            (
                "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
                iv,
                nist,
                "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a",
            ),
            (
                "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
                iv,
                nist,
                "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d",
            ),
        ];
        for (key, iv, plain, cipher) in cases {
            let cbc = cbc(key, &[0; 20], Auth::HmacSha1_96);
            let iv: [u8; BLOCK] = unhex(iv).try_into().unwrap();
            let mut text = unhex(plain);
            cbc.encrypt(&iv, &mut text);
            assert_eq!(text, unhex(cipher));
            cbc.decrypt(&iv, &mut text);
            assert_eq!(text, unhex(plain));
        }
    }

    /// RFC 2202 case 1 (SHA-1) and RFC 4868 2.7.2.1, 2.7.2.2, 2.7.2.3 (authentication test vectors PRF/AUTH case 1).
    #[test]
    fn hmac_vectors() {
        let cases = [
            (Auth::HmacSha1_96, 20, "b617318655057264e28bc0b6"),
            (Auth::HmacSha256_128, 32, "198a607eb44bfbc69903a0f1cf2bbdc5"),
            (Auth::HmacSha384_192, 48, "b6a8d5636f5c6a7224f9977dcf7ee6c7fb6d0c48cbdee973"),
            (Auth::HmacSha512_256, 64, "637edc6e01dce7e6742a99451aae82df23da3e92439e590e43e761b33e910fb8"),
        ];
        for (auth, key_len, expected) in cases {
            let cbc = cbc("000102030405060708090a0b0c0d0e0f", &vec![0x0b; key_len], auth);
            let mut icv = vec![0; auth.icv_len()];
            cbc.sign(b"Hi There", None, &mut icv);
            assert_eq!(icv, unhex(expected), "{auth}");
            assert!(cbc.verify(b"Hi There", None, &icv));
            assert!(!cbc.verify(b"Hi There", Some(0), &icv));
            assert!(!cbc.verify(b"Hi there", None, &icv));
        }
    }

    #[test]
    fn initialization_vectors_differ_by_counter_and_by_key() {
        let one = cbc("000102030405060708090a0b0c0d0e0f", &[0; 20], Auth::HmacSha1_96);
        let two = CbcHmac::new(&[0; 16], &[0; 20], Auth::HmacSha1_96, &[8; 32]).unwrap();
        assert_ne!(one.make_iv(1), one.make_iv(2));
        assert_ne!(one.make_iv(1), two.make_iv(1));
    }
}
