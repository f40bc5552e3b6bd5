//! Connections to the daemon, and what belongs to them: notes on stderr, the way out.

use std::ffi::{CString, c_int};
use std::fmt;
use std::io::Write as _;
use std::os::unix::ffi::OsStringExt as _;
use std::sync::OnceLock;
use std::{env, mem, ptr};

use libc::{socklen_t, ssize_t};
use twinbore_esp_wire::{DAEMON_GONE_STATUS, DEBUG_VARIABLE, Hello, SOCKET_VARIABLE};

use crate::errno::{errno, fail};
use crate::real;

/// The path of the daemon's socket; `None` when the shim has nothing to do.
pub fn path() -> Option<&'static CString> {
    static PATH: OnceLock<Option<CString>> = OnceLock::new();
    PATH.get_or_init(|| CString::new(env::var_os(SOCKET_VARIABLE)?.into_vec()).ok().filter(|path| !path.is_empty()))
        .as_ref()
}

/// Tells what was intercepted, when asked to. Leaves `errno` as it was.
pub fn note(text: fmt::Arguments<'_>) {
    static WANTED: OnceLock<bool> = OnceLock::new();
    let saved = errno();
    if *WANTED.get_or_init(|| env::var_os(DEBUG_VARIABLE).is_some_and(|value| !value.is_empty())) {
        // Nobody is left to tell that stderr is closed.
        let _ = writeln!(std::io::stderr(), "twinbore-esp-shim: {text}");
    }
    fail(saved);
}

/// Connects to the daemon, which must run as root or as we do. `flags` as for socket(2). Errors are values of `errno`.
pub fn connect(path: &CString, flags: c_int) -> Result<c_int, c_int> {
    // SAFETY: all-zero octets are a valid sockaddr_un.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let octets = path.to_bytes();
    if octets.len() >= address.sun_path.len() {
        return Err(libc::ENAMETOOLONG);
    }
    for (place, octet) in address.sun_path.iter_mut().zip(octets) {
        *place = octet.cast_signed();
    }
    // SAFETY: no pointers.
    let fd = unsafe { real::socket(libc::AF_UNIX, libc::SOCK_SEQPACKET | flags, 0) };
    if fd < 0 {
        return Err(errno());
    }
    // SAFETY: the pointer and length describe a local.
    if unsafe { libc::connect(fd, (&raw const address).cast(), size_of_val(&address) as socklen_t) } < 0 {
        return Err(close_after(fd));
    }
    let trusted = peer_uid(fd).is_some_and(|uid| {
        // SAFETY: no pointers.
        uid == 0 || uid == unsafe { libc::geteuid() }
    });
    if !trusted {
        note(format_args!("the daemon at {path:?} runs as another user: it gets no keys"));
        close_quietly(fd);
        return Err(libc::EACCES);
    }
    Ok(fd)
}

/// Sends the first message of a connection.
pub fn hello(fd: c_int, hello: Hello) -> Result<(), c_int> {
    let octets = hello.encode();
    // SAFETY: the pointer and length describe a local.
    let sent = unsafe { libc::send(fd, octets.as_ptr().cast(), octets.len(), libc::MSG_NOSIGNAL) };
    if sent == octets.len() as ssize_t { Ok(()) } else { Err(errno()) }
}

pub fn close_quietly(fd: c_int) {
    // SAFETY: the descriptor is ours and not used again.
    unsafe { real::close(fd) };
}

/// Closes and returns the `errno` of what went wrong before.
pub fn close_after(fd: c_int) -> c_int {
    let errno = errno();
    close_quietly(fd);
    errno
}

pub fn socket_type(fd: c_int) -> Option<c_int> {
    option(fd, libc::SO_TYPE)
}

fn peer_uid(fd: c_int) -> Option<u32> {
    option::<libc::ucred>(fd, libc::SO_PEERCRED).map(|peer| peer.uid)
}

/// A socket option of plain data.
fn option<T: Copy>(fd: c_int, name: c_int) -> Option<T> {
    // SAFETY: all-zero octets are valid for the integers and the structure of integers asked for here.
    let mut value: T = unsafe { mem::zeroed() };
    let mut len = size_of::<T>() as socklen_t;
    // SAFETY: the kernel writes at most `len` octets to a local.
    let result = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, name, ptr::from_mut(&mut value).cast(), &mut len) };
    (result == 0).then_some(value)
}

/// Ends the process when `result`, of a read from a connection, says that the daemon is gone.
pub fn gone_unless_alive(result: ssize_t) {
    if result == 0 || (result < 0 && matches!(errno(), libc::ECONNRESET | libc::EPIPE)) {
        let text = b"twinbore-esp-shim: twinbore-esp is gone and all SAs with it: exiting\n";
        // SAFETY: the pointer and length describe a constant; _exit does not return, and runs no handlers that could
        // wait for an answer.
        unsafe {
            libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len());
            libc::_exit(DAEMON_GONE_STATUS);
        }
    }
}
