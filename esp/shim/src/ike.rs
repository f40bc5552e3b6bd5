//! The virtual socket of IKE on the encapsulation port: a connection that looks like a UDP socket to charon.

use std::ffi::{CString, c_int};
use std::net::{IpAddr, SocketAddr};
use std::{mem, ptr};

use libc::{iovec, msghdr, ssize_t};
use twinbore_esp_wire::{Family, Hello, IkeHeader, Verdict};

use crate::channel::{close_after, close_quietly, connect, gone_unless_alive, hello, note};
use crate::descriptors::{self, Kind};
use crate::errno::{errno, fail};
use crate::real;

/// Buffers that a caller may scatter a datagram over; charon has one.
const MAX_BUFFERS: usize = 7;
/// How long a send waits for room in the socket, in milliseconds. IKE repeats what is lost.
const SEND_PATIENCE: c_int = 200;

/// Asks the daemon for the port and, if it is the daemon's, makes `fd` a connection. False when it is not; errors are
/// values of `errno`.
pub fn take_over(path: &CString, fd: c_int, family: Family, port: u16) -> Result<bool, c_int> {
    let connection = connect(path, libc::SOCK_CLOEXEC)?;
    hello(connection, Hello::Udp { family, port }).inspect_err(|_| close_quietly(connection))?;
    let (verdict, send_fd) = match receive_verdict(connection) {
        Ok(received) => received,
        Err(()) => return Err(close_after(connection)),
    };
    match (verdict, send_fd) {
        (Some(Verdict::Accepted), Some(send_fd)) => {
            // SAFETY: the caller's descriptor and ours; close-on-exec stays as it was.
            let moved = unsafe {
                let close_on_exec = libc::fcntl(fd, libc::F_GETFD) & libc::FD_CLOEXEC != 0;
                libc::dup3(connection, fd, if close_on_exec { libc::O_CLOEXEC } else { 0 })
            };
            let error = close_after(connection);
            if moved < 0 || !descriptors::set(fd, Kind::Ike { send_fd }) {
                close_quietly(send_fd);
                return Err(if moved < 0 { error } else { libc::EMFILE });
            }
            note(format_args!("UDP port {port} ({family:?}) is the daemon's: fd {fd}, sending with fd {send_fd}"));
            Ok(true)
        }
        (verdict, send_fd) => {
            send_fd.into_iter().for_each(close_quietly);
            close_quietly(connection);
            match verdict {
                Some(Verdict::NotMine) => Ok(false),
                Some(Verdict::NoFamily) => Err(libc::EAFNOSUPPORT),
                _ => Err(libc::EPROTO),
            }
        }
    }
}

/// The daemon's answer and the descriptor that came with it; `errno` says why there is none.
fn receive_verdict(connection: c_int) -> Result<(Option<Verdict>, Option<c_int>), ()> {
    let mut octets = [0u8; Verdict::SIZE];
    let mut control = [0u64; 8];
    let mut buffer = iovec { iov_base: octets.as_mut_ptr().cast(), iov_len: octets.len() };
    // SAFETY: all-zero octets are a valid msghdr.
    let mut message: msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &mut buffer;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control);
    // SAFETY: every pointer in `message` is to a local of the length given.
    let received = unsafe { real::recvmsg(connection, &mut message, libc::MSG_CMSG_CLOEXEC) };
    if received < 0 {
        return Err(());
    }
    // SAFETY: the kernel filled the control messages in; SCM_RIGHTS carries an array of int.
    let send_fd = unsafe {
        let header = libc::CMSG_FIRSTHDR(&message);
        let rights =
            !header.is_null() && (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS;
        rights.then(|| libc::CMSG_DATA(header).cast::<c_int>().read_unaligned())
    };
    Ok((octets.get(..received as usize).and_then(Verdict::decode), send_fd))
}

/// Receives a datagram as recvmsg(2) would from the UDP socket: sender in the name, local address in the control message.
///
/// # Safety
/// As recvmsg(2), with a valid `message`.
pub unsafe fn receive(fd: c_int, message: &mut msghdr, flags: c_int) -> ssize_t {
    let mut header = [0u8; IkeHeader::SIZE];
    let mut buffers = [iovec { iov_base: ptr::null_mut(), iov_len: 0 }; MAX_BUFFERS + 1];
    let count = message.msg_iovlen;
    let [first, rest @ ..] = &mut buffers;
    *first = iovec { iov_base: header.as_mut_ptr().cast(), iov_len: header.len() };
    let Some(rest) = rest.get_mut(..count) else { return fail(libc::EMSGSIZE) as ssize_t };
    for (index, place) in rest.iter_mut().enumerate() {
        // SAFETY: the caller says that `msg_iovlen` buffers are there.
        *place = unsafe { message.msg_iov.add(index).read_unaligned() };
    }
    // SAFETY: all-zero octets are a valid msghdr.
    let mut framed: msghdr = unsafe { mem::zeroed() };
    framed.msg_iov = buffers.as_mut_ptr();
    framed.msg_iovlen = count + 1;
    // SAFETY: the first buffer is a local, the others are the caller's.
    let received = unsafe { real::recvmsg(fd, &mut framed, flags) };
    gone_unless_alive(received);
    if received < 0 {
        return received;
    }
    let (Some(datagram), Some(header)) =
        (usize::try_from(received).ok().and_then(|len| len.checked_sub(header.len())), IkeHeader::decode(&header))
    else {
        return fail(libc::EPROTO) as ssize_t;
    };
    message.msg_flags = framed.msg_flags;
    // SAFETY: by the caller's promise about `message`.
    unsafe {
        write_name(message, header.from);
        write_pktinfo(message, &header);
    }
    datagram as ssize_t
}

/// Sends with the daemon's socket, which does not block, as if it did for a while.
///
/// # Safety
/// As sendmsg(2).
pub unsafe fn send(send_fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t {
    // SAFETY: the caller's arguments.
    let sent = unsafe { real::sendmsg(send_fd, message, flags) };
    if sent >= 0 || errno() != libc::EAGAIN {
        return sent;
    }
    let mut ready = libc::pollfd { fd: send_fd, events: libc::POLLOUT, revents: 0 };
    // SAFETY: one entry, a local; and the caller's arguments.
    unsafe {
        libc::poll(&mut ready, 1, SEND_PATIENCE);
        real::sendmsg(send_fd, message, flags)
    }
}

/// # Safety
/// `msg_namelen` octets must be writable at `msg_name`.
unsafe fn write_name(message: &mut msghdr, from: SocketAddr) {
    // SAFETY: all-zero octets are valid socket addresses.
    let (mut v4, mut v6): (libc::sockaddr_in, libc::sockaddr_in6) = unsafe { mem::zeroed() };
    let (name, len): (*const u8, usize) = match from {
        SocketAddr::V4(from) => {
            v4.sin_family = libc::AF_INET as libc::sa_family_t;
            v4.sin_port = from.port().to_be();
            v4.sin_addr.s_addr = u32::from_ne_bytes(from.ip().octets());
            ((&raw const v4).cast(), size_of_val(&v4))
        }
        SocketAddr::V6(from) => {
            v6.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            v6.sin6_port = from.port().to_be();
            v6.sin6_addr.s6_addr = from.ip().octets();
            v6.sin6_scope_id = from.scope_id();
            ((&raw const v6).cast(), size_of_val(&v6))
        }
    };
    if !message.msg_name.is_null() {
        // SAFETY: by the caller's promise.
        unsafe {
            ptr::copy_nonoverlapping(name, message.msg_name.cast(), len.min(message.msg_namelen as usize));
        }
        message.msg_namelen = len as libc::socklen_t;
    }
}

/// # Safety
/// `msg_controllen` octets must be writable at `msg_control`.
unsafe fn write_pktinfo(message: &mut msghdr, header: &IkeHeader) {
    // SAFETY: by the caller's promise.
    unsafe {
        match header.local {
            IpAddr::V4(local) => {
                let address = libc::in_addr { s_addr: u32::from_ne_bytes(local.octets()) };
                let info = libc::in_pktinfo {
                    ipi_ifindex: header.ifindex.cast_signed(),
                    ipi_spec_dst: address,
                    ipi_addr: address,
                };
                write_control(message, libc::IPPROTO_IP, libc::IP_PKTINFO, info);
            }
            IpAddr::V6(local) => {
                let info = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr { s6_addr: local.octets() },
                    ipi6_ifindex: header.ifindex,
                };
                write_control(message, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
            }
        }
    }
}

/// Writes one control message, or says that there was no room for it.
///
/// # Safety
/// `msg_controllen` octets must be writable at `msg_control`.
unsafe fn write_control<T: Copy>(message: &mut msghdr, level: c_int, kind: c_int, value: T) {
    // SAFETY: pure arithmetic on a length.
    let (space, len) = unsafe { (libc::CMSG_SPACE(size_of::<T>() as u32), libc::CMSG_LEN(size_of::<T>() as u32)) };
    if message.msg_control.is_null() || message.msg_controllen < space as usize {
        message.msg_flags |= libc::MSG_CTRUNC;
        message.msg_controllen = 0;
        return;
    }
    // SAFETY: `space` octets are writable, by the caller's promise and the check above; nothing is assumed of their
    // alignment. All-zero octets are a valid cmsghdr.
    unsafe {
        ptr::write_bytes(message.msg_control.cast::<u8>(), 0, space as usize);
        let mut control: libc::cmsghdr = mem::zeroed();
        control.cmsg_level = level;
        control.cmsg_type = kind;
        control.cmsg_len = len as usize;
        message.msg_control.cast::<libc::cmsghdr>().write_unaligned(control);
        let data = message.msg_control.cast::<u8>().add(libc::CMSG_LEN(0) as usize);
        data.cast::<T>().write_unaligned(value);
    }
    message.msg_controllen = space as usize;
}
