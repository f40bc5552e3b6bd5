//! UNIX sockets of type SEQPACKET, which std does not have: messages with boundaries, and an end of file.

use std::fs::{self, Permissions};
use std::io::{self, IoSlice};
use std::mem;
use std::os::fd::{AsFd as _, AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;

use crate::io::sys::{check, check_len, own, set_option};

/// Descriptors that one message may carry.
pub const MAX_DESCRIPTORS: usize = 64;

/// Room for a control message with [`MAX_DESCRIPTORS`], aligned as `struct cmsghdr`.
struct Control([u64; 2 + MAX_DESCRIPTORS / 2]);

impl Default for Control {
    fn default() -> Control {
        Control([0; 2 + MAX_DESCRIPTORS / 2])
    }
}

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
    send_with(socket.as_fd(), parts, descriptor.as_slice(), libc::MSG_DONTWAIT)
}

/// Sends a message with descriptors, at most [`MAX_DESCRIPTORS`].
pub fn send_with(
    socket: BorrowedFd<'_>,
    parts: &[IoSlice<'_>],
    descriptors: &[BorrowedFd<'_>],
    flags: libc::c_int,
) -> io::Result<()> {
    assert!(descriptors.len() <= MAX_DESCRIPTORS, "{} descriptors", descriptors.len());
    let mut control = Control::default();
    // SAFETY: all-zero octets are a valid msghdr.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    // IoSlice has the layout of iovec, and sendmsg only reads.
    message.msg_iov = parts.as_ptr().cast_mut().cast();
    message.msg_iovlen = parts.len();
    if !descriptors.is_empty() {
        let size = mem::size_of_val(descriptors) as u32;
        message.msg_control = control.0.as_mut_ptr().cast();
        // SAFETY: `control` is aligned as cmsghdr and has room for a header and this many ints; BorrowedFd is an int.
        unsafe {
            message.msg_controllen = libc::CMSG_SPACE(size) as usize;
            let header = libc::CMSG_FIRSTHDR(&message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size) as usize;
            let place = libc::CMSG_DATA(header).cast::<libc::c_int>();
            for (index, descriptor) in descriptors.iter().enumerate() {
                place.add(index).write_unaligned(descriptor.as_raw_fd());
            }
        }
    }
    // SAFETY: every pointer in `message` is to something that outlives the call.
    check_len(unsafe { libc::sendmsg(socket.as_raw_fd(), &message, flags | libc::MSG_NOSIGNAL) })?;
    Ok(())
}

/// Waits for a message and the descriptors that come with it; 0 octets at the end. A message longer than `buffer` gives
/// its full length.
pub fn receive_with(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut control = Control::default();
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: all-zero octets are a valid msghdr.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    (message.msg_iov, message.msg_iovlen) = (&mut part, 1);
    (message.msg_control, message.msg_controllen) = (control.0.as_mut_ptr().cast(), mem::size_of_val(&control.0));
    let len = loop {
        let flags = libc::MSG_TRUNC | libc::MSG_CMSG_CLOEXEC;
        // SAFETY: every pointer in `message` is to something that outlives the call, with its length.
        match check_len(unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, flags) }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    let mut descriptors = Vec::new();
    // SAFETY: the kernel filled in well-formed control messages; descriptors that it passes are ours and nobody else's.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&message);
        while !header.is_null() {
            if ((*header).cmsg_level, (*header).cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                let octets = (*header).cmsg_len - libc::CMSG_LEN(0) as usize;
                let place = libc::CMSG_DATA(header).cast::<libc::c_int>();
                let fds = (0..octets / mem::size_of::<libc::c_int>()).map(|index| place.add(index).read_unaligned());
                descriptors.extend(fds.map(|fd| OwnedFd::from_raw_fd(fd)));
            }
            header = libc::CMSG_NXTHDR(&message, header);
        }
    }
    Ok((len, descriptors))
}

/// Two sockets that are connected with each other.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: the kernel writes two descriptors to a local.
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()) })?;
    Ok((own(fds[0])?, own(fds[1])?))
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
