//! The shim: makes a stock charon program `twinbore-esp` instead of the kernel.
//!
//! charon's `kernel-netlink` plugin speaks XFRM netlink, a stable user API of the kernel, and its `socket-default` plugin
//! opens plain UDP sockets. Preloaded with LD_PRELOAD, this library stands before libc's socket functions and does four
//! things, in a process whose environment names the daemon's socket (`TWINBORE_ESP_SOCKET`); without that, none:
//!
//! * `socket(AF_NETLINK, SOCK_RAW, NETLINK_XFRM)` gives a connection to the daemon. A SOCK_DGRAM socket of that protocol
//!   is left alone: charon has it for ethtool requests only.
//! * `bind` of a connection tells the daemon the group mask; `bind` of a UDP socket asks the daemon whether the port is
//!   its own, and if so the descriptor becomes a connection over which IKE datagrams come. charon binds before it sets
//!   IP_PKTINFO, IP_XFRM_POLICY and UDP_ENCAP, none of which applies any more: they are accepted and forgotten.
//! * `recvmsg` and `sendmsg` on such a descriptor look like those of the UDP socket it replaces; `recvfrom` of a netlink
//!   event says that the kernel sent it, without which charon drops it.
//! * End of file on either connection means that the daemon and with it all SAs are gone. charon would wait for ever, so
//!   the process exits, with [`wire::DAEMON_GONE_STATUS`], and its supervisor starts both again.
//!
//! Nothing here may panic: these are C functions in another program's process. Errors are `-1` and `errno`, as ever.
//!
//! References: linux/netlink.h, linux/xfrm.h, socket(7), ip(7), cmsg(3), strongSwan's netlink_shared.c,
//! kernel_netlink_ipsec.c and socket_default_socket.c (5.9).

mod channel;
mod descriptors;
mod errno;
mod ike;
mod real;

use std::ffi::{c_int, c_void};
use std::{mem, ptr};

use libc::{msghdr, size_t, sockaddr, socklen_t, ssize_t};
use twinbore_esp_wire as wire;

use crate::channel::{gone_unless_alive, note};
use crate::descriptors::Kind;
use crate::errno::fail;

/// A connection to the daemon for XFRM, the real thing for everything else.
///
/// # Safety
/// As socket(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    let redirected = domain == libc::AF_NETLINK
        && protocol == libc::NETLINK_XFRM
        && kind & !(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) == libc::SOCK_RAW;
    let Some(path) = channel::path().filter(|_| redirected) else {
        // SAFETY: the caller's arguments, unchanged.
        let fd = unsafe { real::socket(domain, kind, protocol) };
        descriptors::forget(fd);
        return fd;
    };
    match channel::connect(path, kind & (libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK)) {
        Ok(fd) if descriptors::set(fd, Kind::Xfrm) => {
            note(format_args!("NETLINK_XFRM socket is fd {fd}"));
            fd
        }
        Ok(fd) => {
            channel::close_quietly(fd);
            fail(libc::EMFILE)
        }
        Err(errno) => {
            note(format_args!("no connection to the daemon at {path:?}: errno {errno}"));
            fail(errno)
        }
    }
}

/// Announces what a connection is for, or the real thing.
///
/// # Safety
/// As bind(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bind(fd: c_int, address: *const sockaddr, len: socklen_t) -> c_int {
    if descriptors::get(fd) == Kind::Xfrm {
        // SAFETY: the caller says that `len` octets are readable at `address`.
        let Some(netlink) = (unsafe { read_as::<libc::sockaddr_nl>(address, len) }) else {
            return fail(libc::EINVAL);
        };
        note(format_args!("fd {fd} joins groups {:#x}", netlink.nl_groups));
        return match channel::hello(fd, wire::Hello::Xfrm { groups: netlink.nl_groups }) {
            Ok(()) => 0,
            Err(errno) => fail(errno),
        };
    }
    if let Some(path) = channel::path() {
        // SAFETY: as above.
        if let Some((family, port)) = unsafe { udp_address(fd, address, len) } {
            match ike::take_over(path, fd, family, port) {
                Ok(true) => return 0,
                Ok(false) => {}
                Err(errno) => return fail(errno),
            }
        }
    }
    // SAFETY: the caller's arguments, unchanged.
    unsafe { real::bind(fd, address, len) }
}

/// Options of a redirected socket are the daemon's business; of others the real thing.
///
/// # Safety
/// As setsockopt(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn setsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: socklen_t,
) -> c_int {
    let accepted = match descriptors::get(fd) {
        Kind::Ike { .. } => level != libc::SOL_SOCKET,
        Kind::Xfrm => level == libc::SOL_NETLINK,
        Kind::Other => false,
    };
    if accepted {
        note(format_args!("option {level}/{name} of fd {fd} is left to the daemon"));
        return 0;
    }
    // SAFETY: the caller's arguments, unchanged.
    unsafe { real::setsockopt(fd, level, name, value, len) }
}

/// As the real thing, but the end of a connection ends the process.
///
/// # Safety
/// As recv(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn recv(fd: c_int, buffer: *mut c_void, len: size_t, flags: c_int) -> ssize_t {
    // SAFETY: the caller's arguments, and no address.
    let result = unsafe { real::recvfrom(fd, buffer, len, flags, ptr::null_mut(), ptr::null_mut()) };
    if descriptors::get(fd) == Kind::Xfrm {
        gone_unless_alive(result);
    }
    result
}

/// As the real thing; what comes over a connection comes from the kernel (port id 0), as charon sees it.
///
/// # Safety
/// As recvfrom(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn recvfrom(
    fd: c_int,
    buffer: *mut c_void,
    len: size_t,
    flags: c_int,
    address: *mut sockaddr,
    address_len: *mut socklen_t,
) -> ssize_t {
    if descriptors::get(fd) != Kind::Xfrm {
        // SAFETY: the caller's arguments, unchanged.
        return unsafe { real::recvfrom(fd, buffer, len, flags, address, address_len) };
    }
    // SAFETY: the caller's arguments, and no address.
    let result = unsafe { real::recvfrom(fd, buffer, len, flags, ptr::null_mut(), ptr::null_mut()) };
    gone_unless_alive(result);
    if result >= 0 && !address.is_null() && !address_len.is_null() {
        // SAFETY: all-zero octets are a valid sockaddr_nl; the caller says that `address_len` counts the octets that are
        // writable at `address`.
        unsafe {
            let mut kernel: libc::sockaddr_nl = mem::zeroed();
            kernel.nl_family = libc::AF_NETLINK as libc::sa_family_t;
            let room = (*address_len as usize).min(size_of_val(&kernel));
            ptr::copy_nonoverlapping((&raw const kernel).cast::<u8>(), address.cast::<u8>(), room);
            *address_len = size_of_val(&kernel) as socklen_t;
        }
    }
    result
}

/// A datagram from the daemon for the virtual IKE socket, the real thing for others.
///
/// # Safety
/// As recvmsg(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t {
    match descriptors::get(fd) {
        // SAFETY: the caller says that `message` is valid.
        Kind::Ike { .. } if !message.is_null() => unsafe { ike::receive(fd, &mut *message, flags) },
        // SAFETY: the caller's arguments, unchanged.
        _ => unsafe { real::recvmsg(fd, message, flags) },
    }
}

/// Through the daemon's socket for the virtual IKE socket, the real thing for others.
///
/// # Safety
/// As sendmsg(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t {
    match descriptors::get(fd) {
        // SAFETY: the caller's arguments, for another descriptor.
        Kind::Ike { send_fd } => unsafe { ike::send(send_fd, message, flags) },
        // SAFETY: the caller's arguments, unchanged.
        _ => unsafe { real::sendmsg(fd, message, flags) },
    }
}

/// The real thing, and what we knew of the descriptor is forgotten.
///
/// # Safety
/// As close(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn close(fd: c_int) -> c_int {
    if let Kind::Ike { send_fd } = descriptors::take(fd) {
        // SAFETY: the descriptor came with the connection and belongs to it.
        unsafe { real::close(send_fd) };
    }
    // SAFETY: the caller's argument, unchanged.
    unsafe { real::close(fd) }
}

/// Family and port (host order) of an Internet address that a datagram socket is to be bound to.
///
/// # Safety
/// `len` octets must be readable at `address`.
unsafe fn udp_address(fd: c_int, address: *const sockaddr, len: socklen_t) -> Option<(wire::Family, u16)> {
    // SAFETY: by the caller's promise.
    let (family, port) = unsafe {
        match c_int::from(read_as::<libc::sa_family_t>(address, len)?) {
            libc::AF_INET => (wire::Family::V4, read_as::<libc::sockaddr_in>(address, len)?.sin_port),
            libc::AF_INET6 => (wire::Family::V6, read_as::<libc::sockaddr_in6>(address, len)?.sin6_port),
            _ => return None,
        }
    };
    let datagrams = channel::socket_type(fd) == Some(libc::SOCK_DGRAM);
    (datagrams && port != 0).then_some((family, u16::from_be(port)))
}

/// The structure at `address`, if `len` octets are enough for it.
///
/// # Safety
/// `len` octets must be readable at `address`, and every bit pattern must be a valid `T`.
unsafe fn read_as<T: Copy>(address: *const sockaddr, len: socklen_t) -> Option<T> {
    let fits = !address.is_null() && len as usize >= size_of::<T>();
    // SAFETY: by the caller's promise.
    fits.then(|| unsafe { address.cast::<T>().read_unaligned() })
}
