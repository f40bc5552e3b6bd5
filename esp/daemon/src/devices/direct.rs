//! TUN devices made by this process; in other namespaces with CAP_SYS_ADMIN.

use std::io;

use super::Devices;
use super::rtnl::Rtnl;
use crate::io::tun::{self, Offloads, Queue};
use crate::netns;

#[derive(Clone, Copy, Debug, Default)]
pub struct Direct;

impl Devices for Direct {
    fn offloads(&self) -> io::Result<Offloads> {
        netns::run_in_new(|| tun::probe("probe"))
    }

    fn create(
        &self,
        netns: Option<&str>,
        name: &str,
        queues: usize,
        mtu: u32,
        offloads: Offloads,
    ) -> io::Result<Vec<Queue>> {
        netns::run_in(netns, || {
            let opened = tun::create(name, queues, mtu, offloads)?;
            super::set_up(&Rtnl::open()?, name)?;
            Ok(opened)
        })
    }

    fn set_mtu(&self, netns: Option<&str>, name: &str, mtu: u32) -> io::Result<()> {
        netns::run_in(netns, || tun::set_mtu(name, mtu))
    }

    /// Leaves it to the queues' descriptors, which are about to be closed.
    fn delete(&self, _netns: Option<&str>, _names: &[String]) -> io::Result<()> {
        Ok(())
    }

    /// As [`Devices::delete`].
    fn close(&self) {}
}
