//! This thread's `errno` (errno(3)), which is how a C function tells its caller what went wrong.

use libc::c_int;

/// Sets `errno` and returns what goes with it.
pub fn fail(errno: c_int) -> c_int {
    // SAFETY: the location is this thread's.
    unsafe { *libc::__errno_location() = errno };
    -1
}

pub fn errno() -> c_int {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() }
}
