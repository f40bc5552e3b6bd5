//! User-space ESP data path.
//!
//! The daemon does in user space what the kernel's XFRM layer does where the kernel has ESP: it holds security
//! associations (SAs), owns the UDP 4500 and protocol 50 sockets of the underlay namespace, and gives one TUN device to
//! every tunnel (`if_id`). Packets read from a TUN are encapsulated with the tunnel's outbound SA; datagrams received are
//! authenticated, decrypted, checked against the SA's policy and written to the TUN of the SA's `if_id`, and to no other.
//!
//! Layers, each of which imports only those above it:
//!
//! * [`selector`], [`replay`], [`crypto`], [`packet`]: pure, no I/O, no clock;
//! * [`sa`], [`tables`], [`tunnel`], [`counters`], [`events`]: what control and workers share;
//! * [`batch`], [`esp`], [`outbound`], [`inbound`]: what happens to one batch of packets, without I/O;
//! * [`netns`], [`io`], [`sandbox`]: namespaces, sockets, devices, privileges;
//! * [`devices`], [`worker`], [`dataplane`]: who makes devices, the threads that serve them;
//! * [`xfrm`], [`ike`], [`control`]: what charon, its peers and the agent talk to.
//!
//! References: RFC 4303 (ESP), RFC 4106 (AES-GCM), RFC 3602, 2404 and 4868 (AES-CBC, HMAC), RFC 3948 (UDP
//! encapsulation), RFC 6040 (ECN), linux/if_tun.h, linux/virtio_net.h, linux/udp.h.

pub mod batch;
pub mod control;
pub mod counters;
pub mod crypto;
pub mod dataplane;
pub mod devices;
pub mod esp;
pub mod events;
pub mod ike;
pub mod inbound;
pub mod io;
pub mod log;
pub mod netns;
pub mod outbound;
pub mod packet;
pub mod replay;
pub mod sa;
pub mod sandbox;
pub mod selector;
pub mod tables;
pub mod tunnel;
pub mod worker;
pub mod xfrm;
