//! UNIX sockets of type SEQPACKET, which std does not have: messages with boundaries, and an end of file.

use std::fs::{self, Permissions};
use std::io::{self, IoSlice};
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;

use crate::io::sys::{check, check_len, own, set_option};

/// Connections that may wait to be accepted.
const BACKLOG: libc::c_int = 16;

/// Listens at `path`, which only its owner may use. A socket that a dead process left there is removed first.
///
/// Errors: somebody listens there, the path is no socket or too long (107 octets), or may not be written to.
pub fn listen(path: &Path) -> io::Result<OwnedFd> {
    let (address, len) = to_raw(path)?;
    remove_stale(path, || connect(path).map(drop))?;
    let socket = open(libc::SOCK_NONBLOCK)?;
    // SAFETY: the pointer and length describe a local.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len) })
        .map_err(|error| io::Error::new(error.kind(), format!("cannot create {}: {error}", path.display())))?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    // SAFETY: no pointers.
    check(unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) })?;
    Ok(socket)
}

/// Removes the socket at `path` if `probe`, which connects to it, finds that nobody listens.
pub fn remove_stale(path: &Path, probe: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(io::Error::new(error.kind(), format!("cannot look at {}: {error}", path.display())));
        }
    };
    let text = if !metadata.file_type().is_socket() {
        "is not a socket: choose another path"
    } else if probe().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
        return fs::remove_file(path);
    } else {
        "is in use by another process: stop that one first, or choose another path"
    };
    Err(io::Error::new(io::ErrorKind::AddrInUse, format!("{} {text}", path.display())))
}

/// Connects to a listener at `path`.
pub fn connect(path: &Path) -> io::Result<OwnedFd> {
    let (address, len) = to_raw(path)?;
    let socket = open(0)?;
    // SAFETY: the pointer and length describe a local.
    check(unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), len) })?;
    Ok(socket)
}

/// The next waiting connection, `None` when there is none.
pub fn accept(listener: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    // SAFETY: no address is asked for.
    let result = own(unsafe {
        libc::accept4(listener.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_CLOEXEC)
    });
    match result {
        Ok(socket) => Ok(Some(socket)),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionAborted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Who is at the other end.
pub fn peer(socket: BorrowedFd<'_>) -> io::Result<libc::ucred> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut len = mem::size_of_val(&peer) as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` octets to a local.
    check(unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, (&raw mut peer).cast(), &mut len)
    })?;
    Ok(peer)
}

/// Whether the other end is root, or runs as we do.
pub fn is_trusted(peer: &libc::ucred) -> bool {
    // SAFETY: no pointers.
    peer.uid == 0 || peer.uid == unsafe { libc::geteuid() }
}

/// Room for what is sent and not yet read, in octets; needs CAP_NET_ADMIN.
pub fn set_send_buffer(socket: &OwnedFd, octets: libc::c_int) -> io::Result<()> {
    set_option(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &octets)
}

/// Receives a message without waiting: `None` when there is none, 0 at the end. A message longer than `buffer` gives
/// its full length.
pub fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
    // SAFETY: the pointer and length describe `buffer`.
    let result = unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), flags) };
    match check_len(result) {
        Ok(len) => Ok(Some(len)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Sends a message without waiting, with a descriptor if one is given.
pub fn send(socket: &OwnedFd, parts: &[IoSlice<'_>], descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut control = [0u64; 4];
    // SAFETY: all-zero octets are a valid msghdr.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    // IoSlice has the layout of iovec, and sendmsg only reads.
    message.msg_iov = parts.as_ptr().cast_mut().cast();
    message.msg_iovlen = parts.len();
    if let Some(descriptor) = descriptor {
        let size = mem::size_of::<libc::c_int>() as u32;
        message.msg_control = control.as_mut_ptr().cast();
        // SAFETY: `control` is aligned as cmsghdr and has room for a header and one int.
        unsafe {
            message.msg_controllen = libc::CMSG_SPACE(size) as usize;
            let header = libc::CMSG_FIRSTHDR(&message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size) as usize;
            libc::CMSG_DATA(header).cast::<libc::c_int>().write_unaligned(descriptor.as_raw_fd());
        }
    }
    // SAFETY: every pointer in `message` is to something that outlives the call.
    check_len(unsafe { libc::sendmsg(socket.as_raw_fd(), &message, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) })?;
    Ok(())
}

fn open(flags: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    own(unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | flags, 0) })
}

fn to_raw(path: &Path) -> io::Result<(libc::sockaddr_un, libc::socklen_t)> {
    // SAFETY: all-zero octets are a valid sockaddr_un.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let octets = path.as_os_str().as_bytes();
    if octets.is_empty() || octets.len() >= address.sun_path.len() {
        let text = format!("socket path {path:?}: 1 to {} octets are allowed", address.sun_path.len() - 1);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    for (place, octet) in address.sun_path.iter_mut().zip(octets) {
        *place = octet.cast_signed();
    }
    Ok((address, mem::size_of_val(&address) as libc::socklen_t))
}
