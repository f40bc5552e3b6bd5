//! What only rtnetlink can do with an interface: its queueing discipline, and groups.
//!
//! **No queueing discipline.** A TUN device with several queues has 256 of them in the kernel, whatever it is asked for,
//! and each gets a default discipline when the device goes up: 1 MB a device with pfifo_fast, far more with fq_codel, for
//! packets that never wait there, because a TUN takes all and drops what its own ring has no room for.
//!
//! **Groups.** To take a device away costs the kernel some grace periods, 20 ms and more, during which its owner waits;
//! to take away all of a group costs the same once. So devices are put into a group to be deleted together.
//!
//! References: rtnetlink(7), linux/if_link.h IFLA_GROUP, linux/pkt_sched.h, net/sched/sch_generic.c, drivers/net/tun.c.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::io::sys::{check_len, own};
use crate::xfrm::netlink::{self, Builder};

const RTM_DELLINK: u16 = 17;
const RTM_SETLINK: u16 = 19;
const RTM_NEWQDISC: u16 = 36;
const IFLA_IFNAME: u16 = 3;
const IFLA_GROUP: u16 = 27;
const TCA_KIND: u16 = 1;
const TC_H_ROOT: u32 = u32::MAX;
const NLMSG_ERROR: u16 = 2;

/// A socket of the network namespace that it was opened in.
pub struct Rtnl(OwnedFd);

impl Rtnl {
    pub fn open() -> io::Result<Rtnl> {
        // SAFETY: a system call without pointers.
        own(unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE) })
            .map(Rtnl)
    }

    /// Lets the interface with this index hand packets to its driver at once.
    pub fn no_queue(&self, index: u32) -> io::Result<()> {
        let builder = Builder::new(RTM_NEWQDISC).fields(|out| {
            // struct tcmsg
            [0, index, 0, TC_H_ROOT, 0].iter().for_each(|word| out.extend(word.to_ne_bytes()));
        });
        self.ask(builder.attribute(TCA_KIND, b"noqueue\0"), libc::NLM_F_CREATE | libc::NLM_F_REPLACE)
    }

    pub fn set_group(&self, name: &str, group: u32) -> io::Result<()> {
        let builder = Builder::new(RTM_SETLINK).fields(no_index).attribute(IFLA_IFNAME, &terminated(name));
        self.ask(builder.attribute(IFLA_GROUP, &group.to_ne_bytes()), 0)
    }

    /// Deletes one interface.
    pub fn delete(&self, name: &str) -> io::Result<()> {
        self.ask(Builder::new(RTM_DELLINK).fields(no_index).attribute(IFLA_IFNAME, &terminated(name)), 0)
    }

    /// Deletes every interface of the group. Errors: ENODEV when there is none.
    pub fn delete_group(&self, group: u32) -> io::Result<()> {
        let builder = Builder::new(RTM_DELLINK).fields(no_index).attribute(IFLA_GROUP, &group.to_ne_bytes());
        self.ask(builder, 0)
    }

    /// Sends a request and waits for its acknowledgement.
    fn ask(&self, builder: Builder, flags: libc::c_int) -> io::Result<()> {
        let mut request = builder.finish(1, 0);
        let flags = (flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
        request[6..8].copy_from_slice(&flags.to_ne_bytes());
        // SAFETY: the pointer and length describe the request.
        check_len(unsafe { libc::send(self.0.as_raw_fd(), request.as_ptr().cast(), request.len(), 0) })?;
        let mut answer = [0; netlink::MAX_MESSAGE];
        // SAFETY: the pointer and length describe a local.
        let len = check_len(unsafe { libc::recv(self.0.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0) })?;
        let errno = netlink::messages(&answer[..len]).find_map(|message| {
            let message = message.ok().filter(|message| message.header.kind == NLMSG_ERROR)?;
            Some(-i32::from_ne_bytes(*message.body.first_chunk()?))
        });
        match errno {
            Some(0) => Ok(()),
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// `struct ifinfomsg` that leaves it to the attributes which interface is meant.
fn no_index(out: &mut Vec<u8>) {
    out.resize(out.len() + 16, 0);
}

fn terminated(name: &str) -> Vec<u8> {
    [name.as_bytes(), b"\0"].concat()
}
