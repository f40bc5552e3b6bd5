//! What the daemon and the namespace helper say to each other: one JSON value a message, on a SEQPACKET socket.
//!
//! Both are the same program, so there is no version; but neither believes what it reads, since either may have been
//! taken over by whoever sent it a packet.

use std::io;

use serde::{Deserialize, Serialize};

use crate::io::tun::Offloads;

/// No message is longer. Names of namespaces have at most 255 octets, those of devices 15, and an octet at most six in
/// JSON; texts of errors are cut.
pub const MAX_MESSAGE: usize = 32 << 10;
/// Devices deleted with one request.
pub const MAX_DELETE: usize = 256;
/// Queues of one device. The kernel passes at most 253 descriptors in a message (SCM_MAX_FD).
pub const MAX_QUEUES: usize = 64;
const MAX_TEXT: usize = 1024;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Request {
    Probe,
    Create {
        netns: Option<String>,
        name: String,
        queues: usize,
        mtu: u32,
        offloads: Offloads,
    },
    SetMtu {
        netns: Option<String>,
        name: String,
        mtu: u32,
    },
    Delete {
        netns: Option<String>,
        names: Vec<String>,
    },
    /// The last one: delete everything and end.
    End,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Answer {
    Offloads(Offloads),
    /// The descriptors of the queues come along.
    Created,
    Done,
    Failed {
        kind: Kind,
        text: String,
    },
}

/// The kinds of errors that somebody tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    InvalidInput,
    NotFound,
    AlreadyExists,
    Busy,
    Other,
}

impl Answer {
    pub fn failed(error: &io::Error) -> Answer {
        let kind = match error.kind() {
            io::ErrorKind::InvalidInput => Kind::InvalidInput,
            io::ErrorKind::NotFound => Kind::NotFound,
            io::ErrorKind::AlreadyExists => Kind::AlreadyExists,
            io::ErrorKind::ResourceBusy => Kind::Busy,
            _ => Kind::Other,
        };
        let mut text = error.to_string();
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        Answer::Failed { kind, text }
    }
}

impl From<Kind> for io::ErrorKind {
    fn from(kind: Kind) -> io::ErrorKind {
        match kind {
            Kind::InvalidInput => io::ErrorKind::InvalidInput,
            Kind::NotFound => io::ErrorKind::NotFound,
            Kind::AlreadyExists => io::ErrorKind::AlreadyExists,
            Kind::Busy => io::ErrorKind::ResourceBusy,
            Kind::Other => io::ErrorKind::Other,
        }
    }
}
