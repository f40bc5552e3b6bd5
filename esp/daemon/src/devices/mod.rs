//! TUN devices in network namespaces: who makes them.
//!
//! To make a device in another namespace takes CAP_SYS_ADMIN, which is close to everything, and which a process that
//! reads packets from the Internet shall not have. So the daemon asks the [`helper`], a process that it started before
//! it dropped its capabilities, through a [`remote::Remote`]. [`direct::Direct`] does the same in this process, for
//! tests, which have nothing to protect.
//!
//! A descriptor of a queue is all that is needed to carry the device's traffic: it comes through a UNIX socket
//! (SCM_RIGHTS), and the helper keeps no copy.
//!
//! The helper's devices are kept: when the daemon is killed they stay with their addresses and routes, so that routing
//! protocols see packets lost for a moment, not an interface that is gone; a daemon that is started anew finds them and
//! goes on. They are deleted when a tunnel is removed and when the daemon ends in order, together with others (see
//! [`rtnl`]). Devices of [`direct::Direct`] go with their queues.

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

/// Makes a device in the current namespace that stays until it is deleted, or opens the one that a daemon which was killed
/// has left, and brings it up. `group` is what it is deleted with.
fn make_kept(name: &str, queues: usize, mtu: u32, offloads: Offloads, group: u32) -> io::Result<Vec<Queue>> {
    let rtnl = Rtnl::open()?;
    let opened = if tun::is_left_over(name) {
        // It does not fit when that daemon had another number of workers.
        tun::adopt(name, queues, mtu, offloads).or_else(|_| {
            rtnl.delete(name)?;
            tun::create(name, queues, mtu, offloads)
        })
    } else {
        tun::create(name, queues, mtu, offloads)
    }?;
    set_up(&rtnl, name)?;
    rtnl.set_group(name, group)?;
    if let Some(queue) = opened.first() {
        queue.keep(true)?;
    }
    Ok(opened)
}

fn set_up(rtnl: &Rtnl, name: &str) -> io::Result<()> {
    // Where this fails the device has a queueing discipline, which does no harm.
    let _ = rtnl.no_queue(tun::index(name)?);
    tun::set_up(name)
}
