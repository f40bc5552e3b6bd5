//! The functions that this library stands before, found with `dlsym(RTLD_NEXT)`.

use std::ffi::{CStr, c_int, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::{mem, ptr};

use libc::{msghdr, size_t, sockaddr, socklen_t, ssize_t};

/// Declares a function that calls the next library's function of the same name; -1 and ENOSYS when there is none.
macro_rules! forward {
    ($name:ident($($argument:ident: $kind:ty),*) -> $result:ty) => {
        #[doc = concat!("# Safety\nAs ", stringify!($name), "(2).")]
        pub unsafe fn $name($($argument: $kind),*) -> $result {
            static FOUND: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
            const NAME: &CStr = match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                Ok(name) => name,
                Err(_) => c"",
            };
            let Some(pointer) = find(&FOUND, NAME) else {
                return crate::errno::fail(libc::ENOSYS) as $result;
            };
            // SAFETY: libc's function of this name has this signature; the arguments are the caller's responsibility.
            unsafe {
                mem::transmute::<*mut c_void, unsafe extern "C" fn($($kind),*) -> $result>(pointer)($($argument),*)
            }
        }
    };
}

forward!(socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int);
forward!(bind(fd: c_int, address: *const sockaddr, len: socklen_t) -> c_int);
forward!(close(fd: c_int) -> c_int);
forward!(setsockopt(fd: c_int, level: c_int, name: c_int, value: *const c_void, len: socklen_t) -> c_int);
forward!(recvfrom(
    fd: c_int, buffer: *mut c_void, len: size_t, flags: c_int, address: *mut sockaddr, address_len: *mut socklen_t
) -> ssize_t);
forward!(recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t);
forward!(sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t);

/// Looks the symbol up once. Two threads that come first at the same time find the same.
fn find(found: &AtomicPtr<c_void>, name: &CStr) -> Option<*mut c_void> {
    let mut pointer = found.load(Ordering::Acquire);
    if pointer.is_null() {
        // SAFETY: `name` ends with a zero octet.
        pointer = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
        found.store(pointer, Ordering::Release);
    }
    (!pointer.is_null()).then_some(pointer)
}
