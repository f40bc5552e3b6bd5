//! What workers tell control: events, and datagrams for IKE.

use std::net::{IpAddr, SocketAddr};

/// A datagram for IKE that arrived on the encapsulation port.
#[derive(Clone, Copy, Debug)]
pub struct IkeDatagram<'a> {
    pub from: SocketAddr,
    pub local: IpAddr,
    pub ifindex: u32,
    /// With its non-ESP marker (four zero octets).
    pub payload: &'a [u8],
}

/// Where IKE datagrams go. Called by worker threads: must not block.
pub trait IkeSink: Send + Sync {
    fn deliver(&self, datagram: IkeDatagram<'_>);
}

/// What the data path tells control. Rate-limited at the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An authenticated packet of an encapsulated SA came from another address or port; at most one a second for an SA.
    Mapping { spi: u32, dst: IpAddr, new_addr: IpAddr, new_port: u16 },
    /// A packet of this tunnel matched a policy that has no SA; at most one a second for a tunnel.
    Acquire { if_id: u32 },
    /// No sequence number is left: the SA sends nothing any more (RFC 4303 3.3.3).
    SequenceExhausted { spi: u32, dst: IpAddr },
    /// A tunnel's TUN device was deleted by somebody else: its traffic is dropped until control removes and adds it.
    TunLost { if_id: u32 },
    /// An offload failed in use and was switched off; packets go on without it.
    OffloadDisabled { offload: &'static str, reason: String },
}
