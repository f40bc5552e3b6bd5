//! charon's port 4500: datagrams for IKE, from the data path's sockets to charon.
//!
//! ESP and IKE share the encapsulation port (RFC 3948), and the data path must own every socket of its group: with one
//! of charon's among them, the kernel would merge and distribute packets wrongly. So workers hand over what carries the
//! non-ESP marker, and charon gets it on a connection (see the shim), with the sender's and the local address. For the
//! way back charon has a duplicate of one of the data path's sockets.
//!
//! Workers call [`IkeRouter::deliver`] without a lock. Like a UDP socket it drops what charon does not take.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use twinbore_esp_wire::{Family, IkeHeader};

use crate::events::{IkeDatagram, IkeSink};
use crate::xfrm::seqpacket;

/// charon's connections for IKE, one for each family.
#[derive(Debug, Default)]
pub struct IkeRouter {
    v4: ArcSwapOption<OwnedFd>,
    v6: ArcSwapOption<OwnedFd>,
    dropped: AtomicU64,
}

impl IkeRouter {
    fn place(&self, family: Family) -> &ArcSwapOption<OwnedFd> {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    /// Datagrams go to this connection from now on.
    pub fn connect(&self, family: Family, connection: Arc<OwnedFd>) {
        self.place(family).store(Some(connection));
    }

    /// The connection has ended; nothing happens if another has taken its place.
    pub fn disconnect(&self, family: Family, connection: &Arc<OwnedFd>) {
        let place = self.place(family);
        if place.load().as_ref().is_some_and(|current| Arc::ptr_eq(current, connection)) {
            place.store(None);
        }
    }

    /// Datagrams dropped because charon was not there or too slow.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl IkeSink for IkeRouter {
    fn deliver(&self, datagram: IkeDatagram<'_>) {
        let family = match datagram.from {
            SocketAddr::V4(_) => Family::V4,
            SocketAddr::V6(_) => Family::V6,
        };
        let header = IkeHeader { from: datagram.from, local: datagram.local, ifindex: datagram.ifindex }.encode();
        let parts = [IoSlice::new(&header), IoSlice::new(datagram.payload)];
        let sent = self
            .place(family)
            .load()
            .as_ref()
            .is_some_and(|connection| seqpacket::send(connection, &parts, None).is_ok());
        if !sent {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
