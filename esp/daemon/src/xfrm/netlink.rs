//! Netlink framing: headers, attributes, and building of messages.
//!
//! Everything is in host byte order unless a field says otherwise, and aligned to 4 octets. The reader believes no
//! length: each is checked against what is there.
//!
//! References: linux/netlink.h, linux/rtnetlink.h.

use std::fmt;

use zeroize::Zeroizing;

use super::Refusal;

/// No message is longer: charon's buffer for answers has 4096 octets.
pub const MAX_MESSAGE: usize = 4096;

const NLMSG_ERROR: u16 = 2;
const ATTRIBUTE_HEADER: usize = 4;
/// The two upper bits of an attribute's type are flags.
const TYPE_MASK: u16 = 0x3fff;

/// `struct nlmsghdr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub len: u32,
    pub kind: u16,
    pub flags: u16,
    pub seq: u32,
    pub pid: u32,
}

impl Header {
    pub const SIZE: usize = 16;

    /// `None` when there are not enough octets.
    pub fn read(octets: &[u8]) -> Option<Header> {
        let mut reader = Reader::new(octets.get(..Header::SIZE)?);
        let mut all = || {
            Ok::<Header, Refusal>(Header {
                len: reader.u32()?,
                kind: reader.u16()?,
                flags: reader.u16()?,
                seq: reader.u32()?,
                pid: reader.u32()?,
            })
        };
        all().ok()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.len.to_ne_bytes());
        out.extend(self.kind.to_ne_bytes());
        out.extend(self.flags.to_ne_bytes());
        out.extend(self.seq.to_ne_bytes());
        out.extend(self.pid.to_ne_bytes());
    }
}

/// A request: its header, and the octets after it.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    pub header: Header,
    pub body: &'a [u8],
}

/// Without the octets, which may hold keys.
impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("header", &self.header).finish_non_exhaustive()
    }
}

/// Splits a datagram into its messages. A header that does not fit gives `Err` with what could be read of it, and ends
/// the iteration: nobody knows where the next message would begin.
pub fn messages(datagram: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Option<Header>>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let header = Header::read(rest);
        let whole = header.and_then(|header| {
            let len = usize::try_from(header.len).ok()?;
            Some(Message { header, body: rest.get(Header::SIZE..len)? })
        });
        rest = whole.and_then(|message| rest.get(aligned(message.header.len as usize)..)).unwrap_or_default();
        Some(whole.ok_or(header))
    })
}

/// Reads fields one after the other.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(octets: &'a [u8]) -> Reader<'a> {
        Reader { rest: octets }
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let (octets, rest) = self.rest.split_first_chunk::<N>().ok_or_else(truncated)?;
        self.rest = rest;
        Ok(*octets)
    }

    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8], Refusal> {
        let (octets, rest) = self.rest.split_at_checked(len).ok_or_else(truncated)?;
        self.rest = rest;
        Ok(octets)
    }

    /// Passes over padding.
    pub fn skip(&mut self, len: usize) -> Result<(), Refusal> {
        self.bytes(len).map(drop)
    }

    pub fn u8(&mut self) -> Result<u8, Refusal> {
        self.array().map(u8::from_ne_bytes)
    }

    pub fn u16(&mut self) -> Result<u16, Refusal> {
        self.array().map(u16::from_ne_bytes)
    }

    /// A field that the API has in network byte order.
    pub fn be16(&mut self) -> Result<u16, Refusal> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, Refusal> {
        self.array().map(u32::from_ne_bytes)
    }

    pub fn be32(&mut self) -> Result<u32, Refusal> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, Refusal> {
        self.array().map(u64::from_ne_bytes)
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

fn truncated() -> Refusal {
    Refusal::malformed("truncated: a structure is longer than the message")
}

/// The attributes in `octets`, each as its type and its payload.
pub fn attributes(octets: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8]), Refusal>> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        if rest.len() < ATTRIBUTE_HEADER {
            return None;
        }
        let mut reader = Reader::new(rest);
        let mut next = || {
            let len = usize::from(reader.u16()?);
            let kind = reader.u16()? & TYPE_MASK;
            let len = len.checked_sub(ATTRIBUTE_HEADER).ok_or_else(truncated)?;
            Ok((kind, reader.bytes(len)?))
        };
        let result = next();
        let used = result.as_ref().map_or(rest.len(), |(_, payload)| aligned(ATTRIBUTE_HEADER + payload.len()));
        rest = rest.get(used..).unwrap_or_default();
        Some(result)
    })
}

/// A message under construction. Its octets are wiped when dropped: they may hold keys.
#[derive(Debug)]
pub struct Builder {
    octets: Zeroizing<Vec<u8>>,
}

impl Builder {
    /// `kind` is the type; the other fields of the header come at the end.
    pub fn new(kind: u16) -> Builder {
        let mut octets = Zeroizing::new(Vec::with_capacity(MAX_MESSAGE));
        Header { len: 0, kind, flags: 0, seq: 0, pid: 0 }.write(&mut octets);
        Builder { octets }
    }

    /// Appends the octets that `write` appends, and pads.
    pub fn fields(mut self, write: impl FnOnce(&mut Vec<u8>)) -> Builder {
        write(&mut self.octets);
        self.pad();
        self
    }

    pub fn attribute(mut self, kind: u16, payload: &[u8]) -> Builder {
        put_attribute(&mut self.octets, kind, payload);
        self
    }

    /// The message, as the answer to a request with this `seq` and `pid`; both are 0 in events.
    pub fn finish(mut self, seq: u32, pid: u32) -> Zeroizing<Vec<u8>> {
        let len = self.octets.len() as u32;
        self.octets[..4].copy_from_slice(&len.to_ne_bytes());
        self.octets[8..12].copy_from_slice(&seq.to_ne_bytes());
        self.octets[12..16].copy_from_slice(&pid.to_ne_bytes());
        self.octets
    }

    fn pad(&mut self) {
        let padded = aligned(self.octets.len());
        self.octets.resize(padded, 0);
    }
}

/// Appends an attribute with its padding.
pub fn put_attribute(out: &mut Vec<u8>, kind: u16, payload: &[u8]) {
    out.extend(((ATTRIBUTE_HEADER + payload.len()) as u16).to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend(payload);
    let padded = aligned(out.len());
    out.resize(padded, 0);
}

/// The acknowledgement of `request`: `errno` 0 for success.
pub fn acknowledgement(request: &Header, errno: i32) -> Zeroizing<Vec<u8>> {
    Builder::new(NLMSG_ERROR)
        .fields(|out| {
            out.extend((-errno).to_ne_bytes());
            request.write(out);
        })
        .finish(request.seq, request.pid)
}

fn aligned(len: usize) -> usize {
    len.saturating_add(3) & !3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: u16, seq: u32, body: &[u8]) -> Vec<u8> {
        Builder::new(kind).fields(|out| out.extend(body)).finish(seq, 7).to_vec()
    }

    #[test]
    fn several_messages_come_apart() {
        let datagram = [request(0x10, 1, &[1, 2, 3, 4]), request(0x11, 2, &[])].concat();
        let parsed: Vec<_> = messages(&datagram).map(Result::unwrap).collect();
        assert_eq!(parsed.len(), 2);
        assert_eq!((parsed[0].header.kind, parsed[0].header.seq, parsed[0].body), (0x10, 1, &[1, 2, 3, 4][..]));
        assert_eq!((parsed[1].header.kind, parsed[1].header.pid, parsed[1].body), (0x11, 7, &[][..]));
    }

    #[test]
    fn a_length_that_lies_ends_the_datagram() {
        let mut long = request(0x10, 5, &[0; 8]);
        long[..4].copy_from_slice(&100u32.to_ne_bytes());
        let mut short = request(0x10, 6, &[0; 8]);
        short[..4].copy_from_slice(&15u32.to_ne_bytes());
        for (datagram, seq) in [(long, 5), (short, 6)] {
            let parsed: Vec<_> = messages(&datagram).collect();
            assert_eq!(parsed.len(), 1);
            assert_eq!(parsed[0].as_ref().unwrap_err().unwrap().seq, seq);
        }
        let parsed: Vec<_> = messages(&[0; 10]).collect();
        assert!(matches!(parsed[..], [Err(None)]));
    }

    #[test]
    fn attributes_are_padded_and_flags_masked() {
        let mut octets = Vec::new();
        put_attribute(&mut octets, 0x8000 | 31, &[9, 8, 7, 6]);
        put_attribute(&mut octets, 33, &[1]);
        assert_eq!(octets.len(), 16);
        let parsed: Vec<_> = attributes(&octets).map(Result::unwrap).collect();
        assert_eq!(parsed, [(31, &[9, 8, 7, 6][..]), (33, &[1][..])]);
    }

    #[test]
    fn a_truncated_attribute_is_an_error_and_ends_it() {
        let mut octets = Vec::new();
        put_attribute(&mut octets, 31, &[0; 8]);
        let parsed: Vec<_> = attributes(&octets[..8]).collect();
        assert_eq!(parsed, [Err(truncated())]);
        let parsed: Vec<_> = attributes(&[3, 0, 31, 0, 0, 0, 0, 0]).collect();
        assert_eq!(parsed, [Err(truncated())]);
    }

    #[test]
    fn an_acknowledgement_echoes_the_header() {
        let datagram = request(0x11, 42, &[]);
        let header = messages(&datagram).next().unwrap().unwrap().header;
        let answer = acknowledgement(&header, libc::ESRCH);
        assert_eq!(answer.len(), 36);
        let parsed = messages(&answer).next().unwrap().unwrap();
        assert_eq!((parsed.header.kind, parsed.header.seq, parsed.header.pid), (NLMSG_ERROR, 42, 7));
        assert_eq!(parsed.body[..4], (-libc::ESRCH).to_ne_bytes());
        assert_eq!(parsed.body[4..], datagram[..16]);
    }
}
