//! TUN devices in network namespaces: who makes them.
//!
//! To make a device in another namespace takes CAP_SYS_ADMIN, which is close to everything, and which a process that
//! reads packets from the Internet shall not have. So the daemon asks the [`helper`], a process that it started before
//! it dropped its capabilities, through a [`remote::Remote`]. [`direct::Direct`] does the same in this process, for
//! tests, which have nothing to protect.
//!
//! A device is deleted by closing the last descriptor of its queues, or sooner and together with others by
//! [`Devices::delete`] (see [`rtnl`]).
//!
//! A descriptor of a queue is all that is needed to carry the device's traffic and to keep it alive: it comes through a
//! UNIX socket (SCM_RIGHTS), and the helper keeps no copy, so that devices end with the daemon and not with the helper.

pub mod direct;
pub mod helper;
pub mod remote;
mod rtnl;
mod wire;

use std::fmt::Debug;
use std::io;

use crate::io::tun::{self, Offloads, Queue};
use rtnl::Rtnl;

/// Makes and changes TUN devices. `netns` is a name under /run/netns; `None` is the namespace we were started in.
pub trait Devices: Debug + Send + Sync {
    /// Offloads that TUN devices accept here; none when there is no way to find out. The answer holds for all devices.
    fn offloads(&self) -> io::Result<Offloads>;

    /// Makes a device with these offloads and `queues` queues, sets its MTU and brings it up.
    ///
    /// Errors: the name is invalid or taken, the namespace does not exist, /dev/net/tun is missing, the MTU is refused.
    fn create(
        &self,
        netns: Option<&str>,
        name: &str,
        queues: usize,
        mtu: u32,
        offloads: Offloads,
    ) -> io::Result<Vec<Queue>>;

    /// Changes the MTU of a device.
    fn set_mtu(&self, netns: Option<&str>, name: &str, mtu: u32) -> io::Result<()>;

    /// Deletes devices of one namespace, at the price of one. Those that are gone already are no error.
    fn delete(&self, netns: Option<&str>, names: &[String]) -> io::Result<()>;

    /// Deletes all devices; to be called at the end. Nothing can be made afterwards.
    fn close(&self);
}

/// Makes a device in the current namespace and brings it up. `group` is what it is deleted with.
fn make(name: &str, queues: usize, mtu: u32, offloads: Offloads, group: Option<u32>) -> io::Result<Vec<Queue>> {
    let queues = tun::create(name, queues, mtu, offloads)?;
    let rtnl = Rtnl::open()?;
    // Where this fails the device has a queueing discipline, which does no harm.
    let _ = rtnl.no_queue(tun::index(name)?);
    if let Some(group) = group {
        rtnl.set_group(name, group)?;
    }
    tun::set_up(name)?;
    Ok(queues)
}
