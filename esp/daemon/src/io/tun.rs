//! TUN devices: one queue for each worker, with virtio headers and offloads (linux/if_tun.h).
//!
//! With IFF_VNET_HDR and the offloads the kernel hands over up to 64 KB of a flow at once and leaves checksums to us, and
//! takes the same in the other direction. USO came with Linux 6.2; the others are old, but each is asked for.
//!
//! A device lives as long as one of its queues is open, unless it is [kept](Queue::keep): then it stays when the process
//! is killed, with its index, addresses and routes, and only its carrier goes; [`adopt`] opens it again. What is here is
//! done in the current network namespace; [`crate::devices`] goes to others.

use std::ffi::CString;
use std::fs;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::sys::{check, check_len, own};

const DEVICE: &str = "/dev/net/tun";

const TUN_F_CSUM: libc::c_uint = 0x01;
const TUN_F_TSO4: libc::c_uint = 0x02;
const TUN_F_TSO6: libc::c_uint = 0x04;
const TUN_F_TSO_ECN: libc::c_uint = 0x08;
const TUN_F_USO4: libc::c_uint = 0x20;
const TUN_F_USO6: libc::c_uint = 0x40;
/// linux/sockios.h
pub const SIOCETHTOOL: libc::Ioctl = 0x8946;
/// linux/ethtool.h
const ETHTOOL_GDRVINFO: u32 = 0x03;
const ETHTOOL_GLINK: u32 = 0x0a;
const TSO: libc::c_uint = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

/// Packets (super-packets as well) that wait for a worker. The default of 500 is 32 MB of bulk traffic: delay only.
const QUEUE_LEN: libc::c_int = 128;
/// Smallest and largest MTU of a TUN: what IPv4 must carry (RFC 791), what the kernel allows (`MAX_MTU` of tun.c).
const MTU_RANGE: std::ops::RangeInclusive<u32> = 68..=65521;

/// Offloads a TUN accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

    /// Whether the device stays when its last queue is closed.
    pub fn keep(&self, keep: bool) -> io::Result<()> {
        // SAFETY: the argument is a number.
        check(unsafe { libc::ioctl(self.0.as_raw_fd(), libc::TUNSETPERSIST, libc::c_ulong::from(keep)) }).map(drop)
    }
}

impl From<OwnedFd> for Queue {
    /// `fd` is of a queue that [`create`] made, in whatever process.
    fn from(fd: OwnedFd) -> Queue {
        Queue(fd)
    }
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Finds out what this kernel's TUN devices accept, with a device that is gone afterwards. `name` may have a `%d`, for
/// which the kernel finds a number.
pub fn probe(name: &str) -> io::Result<Offloads> {
    let queue = open_queue(name, true, libc::IFF_TUN_EXCL)?;
    Ok(best_offloads(&queue))
}

/// Creates the device `name` with `queues` queues and sets its offloads and MTU. It is down.
///
/// Errors: the name is too long or taken, an MTU out of range, /dev/net/tun is missing, CAP_NET_ADMIN is.
pub fn create(name: &str, queues: usize, mtu: u32, offloads: Offloads) -> io::Result<Vec<Queue>> {
    open_device(name, queues, mtu, offloads, libc::IFF_TUN_EXCL)
}

/// Opens a device that was kept and that nobody has open, as [`create`] does a new one; its state stays.
///
/// Errors: as [`create`]; and there is no such device, it is open already, or it was made for one queue and is to have
/// several, or the other way round.
pub fn adopt(name: &str, queues: usize, mtu: u32, offloads: Offloads) -> io::Result<Vec<Queue>> {
    if !is_left_over(name) {
        let text = format!("{name} is no TUN device that its owner left behind");
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
    }
    open_device(name, queues, mtu, offloads, 0)
}

/// Whether there is a TUN device of this name without a queue: whoever had it was killed.
pub fn is_left_over(name: &str) -> bool {
    let Ok(control) = Control::open(name) else { return false };
    control.driver().is_ok_and(|driver| driver == "tun") && control.carrier().is_ok_and(|carrier| !carrier)
}

fn open_device(
    name: &str,
    queues: usize,
    mtu: u32,
    offloads: Offloads,
    exclusive: libc::c_int,
) -> io::Result<Vec<Queue>> {
    check_name(name)?;
    check_mtu(mtu)?;
    let multi = queues > 1;
    let opened: Vec<Queue> = (0..queues)
        .map(|index| open_queue(name, multi, if index == 0 { exclusive } else { 0 }))
        .collect::<io::Result<_>>()?;
    // Offloads are the device's, not the queue's.
    if let Some(queue) = opened.first() {
        set_offloads(queue, offloads)?;
    }
    no_link_local_address(name);
    let control = Control::open(name)?;
    control.set_mtu(mtu)?;
    control.set_queue_len(QUEUE_LEN)?;
    Ok(opened)
}

/// Brings a device up.
pub fn set_up(name: &str) -> io::Result<()> {
    Control::open(name)?.set_up()
}

/// The index of a device.
pub fn index(name: &str) -> io::Result<u32> {
    Control::open(name)?.index()
}

/// Changes the MTU of a device.
///
/// Errors: there is no such device, an MTU out of range.
pub fn set_mtu(name: &str, mtu: u32) -> io::Result<()> {
    check_name(name)?;
    check_mtu(mtu)?;
    Control::open(name)?.set_mtu(mtu)
}

pub fn check_mtu(mtu: u32) -> io::Result<()> {
    if MTU_RANGE.contains(&mtu) {
        return Ok(());
    }
    let text = format!("mtu {mtu}: {} to {} is allowed", MTU_RANGE.start(), MTU_RANGE.end());
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
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

/// With several queues allowed (`multi`) the kernel makes a device with room for 256, which takes 200 KB.
/// `exclusive` is IFF_TUN_EXCL to make a device, 0 to open one that exists.
fn open_queue(name: &str, multi: bool, exclusive: libc::c_int) -> io::Result<Queue> {
    let path = CString::new(DEVICE)?;
    // SAFETY: the path is a terminated string.
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC | libc::O_NONBLOCK) };
    let queue = own(fd).map(Queue).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("cannot open {DEVICE}: {error}; load the tun module, or give the container the device"),
        )
    })?;
    let multi = if multi { libc::IFF_MULTI_QUEUE } else { 0 };
    let mut request = request(name);
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_VNET_HDR | multi | exclusive) as i16;
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

    fn index(&self) -> io::Result<u32> {
        let mut request = request(self.name);
        self.ioctl(libc::SIOCGIFINDEX, &mut request)?;
        // SAFETY: SIOCGIFINDEX filled in the index.
        Ok(unsafe { request.ifr_ifru.ifru_ifindex } as u32)
    }

    /// Whether the device has somebody who takes its packets.
    fn carrier(&self) -> io::Result<bool> {
        // struct ethtool_value
        let mut value = [ETHTOOL_GLINK, 0];
        self.ethtool(value.as_mut_ptr().cast())?;
        Ok(value[1] != 0)
    }

    /// The name of the device's driver.
    fn driver(&self) -> io::Result<String> {
        // struct ethtool_drvinfo: the command, then driver[32]; 196 octets in all.
        let mut info = [0_u32; 49];
        info[0] = ETHTOOL_GDRVINFO;
        self.ethtool(info.as_mut_ptr().cast())?;
        let octets = info[1..9].iter().flat_map(|word| word.to_ne_bytes()).take_while(|octet| *octet != 0);
        Ok(String::from_utf8_lossy(&octets.collect::<Vec<u8>>()).into_owned())
    }

    /// `data` points to a structure of linux/ethtool.h that begins with its command.
    fn ethtool(&self, data: *mut libc::c_char) -> io::Result<()> {
        let mut request = request(self.name);
        request.ifr_ifru.ifru_data = data;
        self.ioctl(SIOCETHTOOL, &mut request)
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
            let error = create(name, 1, 1400, Offloads::default()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name}");
        }
    }

    #[test]
    fn offload_steps_only_go_down() {
        let flags = STEPS.map(Offloads::flags);
        assert!(flags.windows(2).all(|pair| pair[0] & pair[1] == pair[1] && pair[0] != pair[1]));
    }
}
