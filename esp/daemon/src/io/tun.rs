//! TUN devices: one queue for each worker, with virtio headers and offloads (linux/if_tun.h).
//!
//! With IFF_VNET_HDR and the offloads the kernel hands over up to 64 KB of a flow at once and leaves checksums to us, and
//! takes the same in the other direction. USO came with Linux 6.2; the others are old, but each is asked for.
//!
//! A device lives as long as one of its queues is open: nothing is left behind when the process ends.

use std::ffi::CString;
use std::fs;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::sys::{check, check_len, own};
use crate::netns;

const DEVICE: &str = "/dev/net/tun";

const TUN_F_CSUM: libc::c_uint = 0x01;
const TUN_F_TSO4: libc::c_uint = 0x02;
const TUN_F_TSO6: libc::c_uint = 0x04;
const TUN_F_TSO_ECN: libc::c_uint = 0x08;
const TUN_F_USO4: libc::c_uint = 0x20;
const TUN_F_USO6: libc::c_uint = 0x40;
const TSO: libc::c_uint = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

/// Packets (super-packets as well) that wait for a worker. The default of 500 is 32 MB of bulk traffic: delay only.
const QUEUE_LEN: libc::c_int = 128;

/// Offloads a TUN accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offloads {
    pub csum: bool,
    pub tso: bool,
    pub uso: bool,
}

impl Offloads {
    fn flags(self) -> libc::c_uint {
        let uso = TSO | TUN_F_USO4 | TUN_F_USO6;
        match self {
            Offloads { uso: true, .. } => uso,
            Offloads { tso: true, .. } => TSO,
            Offloads { csum: true, .. } => TUN_F_CSUM,
            _ => 0,
        }
    }
}

/// Every step down from everything to nothing.
const STEPS: [Offloads; 4] = [
    Offloads { csum: true, tso: true, uso: true },
    Offloads { csum: true, tso: true, uso: false },
    Offloads { csum: true, tso: false, uso: false },
    Offloads { csum: false, tso: false, uso: false },
];

/// One queue of a TUN device.
#[derive(Debug)]
pub struct Queue(OwnedFd);

impl Queue {
    /// Reads one frame: virtio header and packet. `None` when none is waiting.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        // SAFETY: the kernel writes at most the length of the buffer.
        let read = unsafe { libc::read(self.0.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
        match check_len(read) {
            Ok(len) => Ok(Some(len)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes one frame.
    pub fn write(&self, frame: &[IoSlice<'_>]) -> io::Result<()> {
        // SAFETY: IoSlice has the layout of iovec, and the slices outlive the call.
        let written = unsafe { libc::writev(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len() as i32) };
        check_len(written).map(drop)
    }
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Finds out what this kernel's TUN devices accept, with a device in a namespace of its own that is gone afterwards.
/// Without the means to try (no /dev/net/tun, no right to make a namespace) nothing is claimed.
pub fn probe() -> Offloads {
    netns::run_in_new(|| {
        let queue = open_queue("probe", true)?;
        Ok(best_offloads(&queue))
    })
    .unwrap_or_default()
}

/// Creates the device `name` in the network namespace `netns` with `queues` queues, sets its MTU and brings it up.
///
/// Errors: the name is too long or taken, the namespace does not exist, /dev/net/tun is missing, the MTU is refused.
pub fn create(netns: Option<&str>, name: &str, queues: usize, mtu: u32) -> io::Result<Vec<Queue>> {
    check_name(name)?;
    netns::run_in(netns, || {
        let opened: Vec<Queue> = (0..queues).map(|index| open_queue(name, index == 0)).collect::<io::Result<_>>()?;
        for queue in &opened {
            let offloads = best_offloads(queue);
            set_offloads(queue, offloads)?;
        }
        no_link_local_address(name);
        let control = Control::open(name)?;
        control.set_mtu(mtu)?;
        control.set_queue_len(QUEUE_LEN)?;
        control.set_up()?;
        Ok(opened)
    })
}

/// Changes the MTU of a device.
pub fn set_mtu(netns: Option<&str>, name: &str, mtu: u32) -> io::Result<()> {
    netns::run_in(netns, || Control::open(name)?.set_mtu(mtu))
}

fn check_name(name: &str) -> io::Result<()> {
    let bad =
        |octet: u8| octet == b'/' || octet == b':' || octet == b'%' || octet.is_ascii_whitespace() || octet == 0;
    if name.is_empty() || name.len() >= libc::IFNAMSIZ || name == "." || name == ".." || name.bytes().any(bad) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("interface name {name:?}: 1 to 15 octets without '/', ':', '%' and blanks are allowed"),
        ));
    }
    Ok(())
}

fn open_queue(name: &str, first: bool) -> io::Result<Queue> {
    let path = CString::new(DEVICE)?;
    // SAFETY: the path is a terminated string.
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC | libc::O_NONBLOCK) };
    let queue = own(fd).map(Queue).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("cannot open {DEVICE}: {error}; load the tun module, or give the container the device"),
        )
    })?;
    let exclusive = if first { libc::IFF_TUN_EXCL } else { 0 };
    let mut request = request(name);
    request.ifr_ifru.ifru_flags =
        (libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_VNET_HDR | libc::IFF_MULTI_QUEUE | exclusive) as i16;
    // SAFETY: the request is valid for the call.
    check(unsafe { libc::ioctl(queue.0.as_raw_fd(), libc::TUNSETIFF, &raw mut request) }).map_err(|error| {
        let advice = match error.raw_os_error() {
            Some(libc::EBUSY | libc::EINVAL) => {
                "; an interface of that name exists already: remove it or take another name"
            }
            Some(libc::EPERM) => "; CAP_NET_ADMIN is needed",
            _ => "",
        };
        io::Error::new(error.kind(), format!("cannot create TUN device {name}: {error}{advice}"))
    })?;
    Ok(queue)
}

fn best_offloads(queue: &Queue) -> Offloads {
    STEPS.into_iter().find(|step| set_offloads(queue, *step).is_ok()).unwrap_or_default()
}

fn set_offloads(queue: &Queue, offloads: Offloads) -> io::Result<()> {
    // SAFETY: the argument is a number.
    let result =
        unsafe { libc::ioctl(queue.0.as_raw_fd(), libc::TUNSETOFFLOAD, libc::c_ulong::from(offloads.flags())) };
    check(result).map(drop)
}

/// Keeps the kernel from giving the device an IPv6 link-local address, whose router solicitations and multicast reports
/// would go through the tunnel: a tunnel carries what is routed into it (linux/if_link.h IN6_ADDR_GEN_MODE_NONE). Where
/// that fails (no IPv6, read-only /proc/sys in a container) those stray packets are all the harm.
fn no_link_local_address(name: &str) {
    let path = Path::new("/proc/sys/net/ipv6/conf").join(name).join("addr_gen_mode");
    let _ = fs::write(path, "1");
}

fn request(name: &str) -> libc::ifreq {
    // SAFETY: all-zero octets are a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, octet) in request.ifr_name[..libc::IFNAMSIZ - 1].iter_mut().zip(name.bytes()) {
        *place = octet as libc::c_char;
    }
    request
}

/// A socket for the interface ioctls of netdevice(7), bound to the namespace it was opened in.
struct Control<'a> {
    socket: OwnedFd,
    name: &'a str,
}

impl Control<'_> {
    fn open(name: &str) -> io::Result<Control<'_>> {
        // SAFETY: a system call without pointers.
        let socket = own(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
        Ok(Control { socket, name })
    }

    fn set_mtu(&self, mtu: u32) -> io::Result<()> {
        let mut request = request(self.name);
        request.ifr_ifru.ifru_mtu = i32::try_from(mtu).unwrap_or(i32::MAX);
        self.ioctl(libc::SIOCSIFMTU, &mut request).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot set the MTU of {} to {mtu}: {error}", self.name))
        })
    }

    fn set_queue_len(&self, len: libc::c_int) -> io::Result<()> {
        let mut request = request(self.name);
        // The queue length travels in the union's integer (ifr_qlen), which libc calls by another use.
        request.ifr_ifru.ifru_mtu = len;
        self.ioctl(libc::SIOCSIFTXQLEN, &mut request)
    }

    fn set_up(&self) -> io::Result<()> {
        let mut request = request(self.name);
        self.ioctl(libc::SIOCGIFFLAGS, &mut request)?;
        // SAFETY: SIOCGIFFLAGS filled in the flags.
        let flags = unsafe { request.ifr_ifru.ifru_flags };
        request.ifr_ifru.ifru_flags = flags | libc::IFF_UP as i16;
        self.ioctl(libc::SIOCSIFFLAGS, &mut request)
    }

    fn ioctl(&self, code: libc::Ioctl, request: &mut libc::ifreq) -> io::Result<()> {
        // SAFETY: the request is valid for the call, and `code` is one that takes an ifreq.
        check(unsafe { libc::ioctl(self.socket.as_raw_fd(), code, std::ptr::from_mut(request)) }).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_names_are_refused_before_the_kernel_is_asked() {
        for name in ["", "a/b", "sixteen-octets-x", "t%d", "a b", ".."] {
            let error = create(None, name, 1, 1400).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name}");
        }
    }

    #[test]
    fn offload_steps_only_go_down() {
        let flags = STEPS.map(Offloads::flags);
        assert!(flags.windows(2).all(|pair| pair[0] & pair[1] == pair[1] && pair[0] != pair[1]));
    }
}
