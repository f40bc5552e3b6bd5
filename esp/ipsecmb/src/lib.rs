//! AES-GCM of Intel's IPsec Multi-Buffer library (libIPSec_MB), for processors with VAES and AVX-512.
//!
//! There it seals and opens a packet in little more than half of AWS-LC's time, because it has one pass that is made for
//! packets where a general library has separate calls for nonce, additional data, text and tag. The library is linked
//! when its header was there at build time; [`manager`] says at run time whether it may be used. Everything `unsafe` about
//! it is in this crate.

#![cfg_attr(not(ipsec_mb), allow(dead_code))]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::OnceLock;

use zeroize::Zeroize as _;

/// The library's code for this processor.
#[derive(Debug)]
pub struct Manager(NonNull<ffi::Mgr>);

// SAFETY: after initialisation the manager is only read: the calls used here take their state from the key and the stack.
unsafe impl Send for Manager {}
// SAFETY: as above.
unsafe impl Sync for Manager {}

/// The library, if it was linked and has code for this processor; set up at the first call and kept for good.
pub fn manager() -> Option<&'static Manager> {
    static MANAGER: OnceLock<Option<Manager>> = OnceLock::new();
    MANAGER.get_or_init(|| NonNull::new(ffi::manager()).map(Manager)).as_ref()
}

/// Version of the library; `None` when it was not there at build time.
pub fn version() -> Option<&'static str> {
    ffi::version()
}

/// An expanded AES-GCM key, wiped when dropped.
#[derive(Debug)]
pub struct Key {
    manager: &'static Manager,
    key_len: usize,
    expanded: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the expanded key is only read between `new` and `drop`.
unsafe impl Send for Key {}
// SAFETY: as above.
unsafe impl Sync for Key {}

impl Key {
    /// Expands a key of 16, 24 or 32 octets; `None` for any other length.
    pub fn new(manager: &'static Manager, key: &[u8]) -> Option<Key> {
        if !matches!(key.len(), 16 | 24 | 32) {
            return None;
        }
        let layout = Layout::from_size_align(ffi::key_size(), 64).ok()?;
        // SAFETY: the size is not zero, being that of a C structure with members.
        let expanded = NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap_or_else(|| handle_alloc_error(layout));
        ffi::expand(manager.0, key, expanded);
        Some(Key { manager, key_len: key.len(), expanded, layout })
    }

    /// Encrypts `text` in place and writes its tag, of 8, 12 or 16 octets.
    pub fn seal(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &mut [u8]) {
        ffi::seal(self.manager.0, self.key_len, self.expanded, nonce, aad, text, tag);
    }

    /// Decrypts `text` in place and writes the tag that it should have. Use nothing of it before they are compared.
    pub fn open(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &mut [u8]) {
        ffi::open(self.manager.0, self.key_len, self.expanded, nonce, aad, text, tag);
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: the memory is ours, of this layout, and nobody has it any more.
        unsafe {
            std::slice::from_raw_parts_mut(self.expanded.as_ptr(), self.layout.size()).zeroize();
            dealloc(self.expanded.as_ptr(), self.layout);
        }
    }
}

#[cfg(ipsec_mb)]
mod ffi {
    use std::ffi::{CStr, c_char, c_int};
    use std::ptr::NonNull;

    /// `IMB_MGR`, opaque here.
    #[repr(C)]
    pub struct Mgr {
        _opaque: [u8; 0],
    }

    type Transform = unsafe extern "C" fn(
        *mut Mgr,
        usize,
        *const u8,
        *const u8,
        *const u8,
        usize,
        *const u8,
        *mut u8,
        usize,
        *mut u8,
        usize,
    );

    unsafe extern "C" {
        fn twinbore_ipsecmb_manager() -> *mut Mgr;
        fn twinbore_ipsecmb_version() -> *const c_char;
        fn twinbore_ipsecmb_key_size() -> usize;
        fn twinbore_ipsecmb_expand(manager: *mut Mgr, key: *const u8, len: usize, expanded: *mut u8) -> c_int;
        fn twinbore_ipsecmb_seal(
            manager: *mut Mgr,
            key_len: usize,
            expanded: *const u8,
            nonce: *const u8,
            aad: *const u8,
            aad_len: usize,
            input: *const u8,
            output: *mut u8,
            len: usize,
            tag: *mut u8,
            tag_len: usize,
        );
        fn twinbore_ipsecmb_open(
            manager: *mut Mgr,
            key_len: usize,
            expanded: *const u8,
            nonce: *const u8,
            aad: *const u8,
            aad_len: usize,
            input: *const u8,
            output: *mut u8,
            len: usize,
            tag: *mut u8,
            tag_len: usize,
        );
    }

    pub fn manager() -> *mut Mgr {
        // SAFETY: no arguments; the library allocates and checks the processor itself.
        unsafe { twinbore_ipsecmb_manager() }
    }

    pub fn version() -> Option<&'static str> {
        // SAFETY: the library returns a pointer to a constant string.
        unsafe { CStr::from_ptr(twinbore_ipsecmb_version()) }.to_str().ok()
    }

    pub fn key_size() -> usize {
        // SAFETY: returns a constant.
        unsafe { twinbore_ipsecmb_key_size() }
    }

    pub fn expand(manager: NonNull<Mgr>, key: &[u8], expanded: NonNull<u8>) {
        // SAFETY: the key is valid for its length, the expanded one for `key_size`, aligned to 64 octets.
        let done = unsafe { twinbore_ipsecmb_expand(manager.as_ptr(), key.as_ptr(), key.len(), expanded.as_ptr()) };
        assert_eq!(done, 1, "the caller checks the length");
    }

    pub fn seal(
        manager: NonNull<Mgr>,
        key_len: usize,
        expanded: NonNull<u8>,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8],
    ) {
        run(twinbore_ipsecmb_seal, manager, key_len, expanded, nonce, aad, text, tag);
    }

    pub fn open(
        manager: NonNull<Mgr>,
        key_len: usize,
        expanded: NonNull<u8>,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8],
    ) {
        run(twinbore_ipsecmb_open, manager, key_len, expanded, nonce, aad, text, tag);
    }

    #[expect(clippy::too_many_arguments, reason = "the C function's, with lengths folded into slices")]
    fn run(
        transform: Transform,
        manager: NonNull<Mgr>,
        key_len: usize,
        expanded: NonNull<u8>,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8],
    ) {
        assert!(matches!(tag.len(), 8 | 12 | 16), "a tag of {} octets is not one of ESP's", tag.len());
        // SAFETY: every pointer is valid for the length beside it; `expanded` was filled by `expand` for a key of this
        // length; input and output are the same buffer, which the library allows.
        unsafe {
            transform(
                manager.as_ptr(),
                key_len,
                expanded.as_ptr(),
                nonce.as_ptr(),
                aad.as_ptr(),
                aad.len(),
                text.as_ptr(),
                text.as_mut_ptr(),
                text.len(),
                tag.as_mut_ptr(),
                tag.len(),
            );
        }
    }
}

#[cfg(not(ipsec_mb))]
mod ffi {
    use std::ptr::{self, NonNull};

    /// Nobody makes one: [`manager`] returns none.
    #[derive(Debug)]
    pub enum Mgr {}

    const UNREACHABLE: &str = "there is no manager without the library";

    pub fn manager() -> *mut Mgr {
        ptr::null_mut()
    }

    pub fn version() -> Option<&'static str> {
        None
    }

    pub fn key_size() -> usize {
        unreachable!("{UNREACHABLE}")
    }

    pub fn expand(_: NonNull<Mgr>, _: &[u8], _: NonNull<u8>) {
        unreachable!("{UNREACHABLE}")
    }

    pub fn seal(_: NonNull<Mgr>, _: usize, _: NonNull<u8>, _: &[u8; 12], _: &[u8], _: &mut [u8], _: &mut [u8]) {
        unreachable!("{UNREACHABLE}")
    }

    pub fn open(_: NonNull<Mgr>, _: usize, _: NonNull<u8>, _: &[u8; 12], _: &[u8], _: &mut [u8], _: &mut [u8]) {
        unreachable!("{UNREACHABLE}")
    }
}
