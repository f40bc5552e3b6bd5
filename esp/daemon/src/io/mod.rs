//! The edge of the data path: sockets, TUN devices, system calls.

pub mod control;
pub mod path;
pub mod receive;
pub mod send;
pub mod socket;
pub mod sys;
pub mod tun;
