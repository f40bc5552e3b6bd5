//! The namespace helper: the one process with CAP_SYS_ADMIN.
//!
//! It reads requests of the daemon from its standard input, a SEQPACKET socket that nobody else has, and makes TUN
//! devices in the namespaces that they name. It has one thread, no other descriptor, no memory of the daemon's, and sees
//! no octet of the network. Whatever is not a request of ours ends it: then it is not our daemon that speaks.
//!
//! It ends when the daemon does, however that ends: the socket closes. When the daemon ends in order it says so, and the
//! helper's last work is to delete the daemon's devices, a namespace at a time; the kernel would take 20 ms for each. When
//! the daemon was killed its devices stay, for the one that is started anew.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};

use aws_lc_rs::rand;

use super::rtnl::Rtnl;
use super::wire::{Answer, MAX_DELETE, MAX_MESSAGE, MAX_QUEUES, Request};
use crate::io::sys::check;
use crate::io::tun::{self, Queue};
use crate::netns::Home;
use crate::sandbox::{self, calls, capabilities, filter};
use crate::xfrm::seqpacket;

/// What `ps` shows besides the command line; at most 15 octets.
const NAME: &std::ffi::CStr = c"esp-namespaces";
/// With a number that the kernel finds, for a probe in the own namespace.
const PROBE: &str = "espprobe%d";

/// Groups of devices to be deleted together: of this daemon's devices, and of some of them.
#[derive(Clone, Copy, Debug)]
struct Groups {
    all: u32,
    doomed: u32,
}

/// How the daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Ordered,
    Killed,
}

/// What the helper is made of.
#[derive(Debug)]
struct Helper {
    home: Home,
    groups: Groups,
    /// Names of the devices that were made here, by namespace.
    made: BTreeMap<Option<String>, BTreeSet<String>>,
}

/// Serves the daemon at the other end of standard input until that ends.
///
/// Errors: standard input is no such socket, something that is no request came, a privilege could not be given up.
pub fn run(mode: filter::Mode) -> io::Result<()> {
    sandbox::block_termination()?;
    sandbox::harden()?;
    // SAFETY: system calls without pointers, or with one to a constant.
    unsafe {
        libc::prctl(libc::PR_SET_NAME, NAME.as_ptr());
        // What the daemon's parent left open without close-on-exec.
        check(libc::close_range(3, u32::MAX, 0))?;
    }
    let home = Home::here()?;
    let mut helper = Helper { home, groups: Groups::random()?, made: BTreeMap::new() };
    capabilities::keep_only(&capabilities::HELPER)?;
    filter::install(&calls::HELPER, mode)?;
    if helper.serve(io::stdin().as_fd())? == End::Ordered {
        helper.delete_all();
    }
    Ok(())
}

impl Groups {
    /// Numbers that nobody else uses: two daemons may have devices in the same namespace.
    fn random() -> io::Result<Groups> {
        let mut octets = [0; 4];
        rand::fill(&mut octets).map_err(|_| io::Error::other("the system's random number generator failed"))?;
        let all = u32::from_ne_bytes(octets) | 1 << 31;
        Ok(Groups { all, doomed: all ^ 1 })
    }
}

impl Helper {
    /// Answers requests until the last one, or until the other end is closed.
    fn serve(&mut self, socket: BorrowedFd<'_>) -> io::Result<End> {
        let mut buffer = [0; MAX_MESSAGE];
        loop {
            let (len, descriptors) = seqpacket::receive_with(socket, &mut buffer)?;
            if len == 0 {
                return Ok(End::Killed);
            }
            let unexpected = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("a request {what}"));
            let octets = buffer.get(..len).ok_or_else(|| unexpected("is too long"))?;
            if !descriptors.is_empty() {
                return Err(unexpected("has descriptors"));
            }
            let request: Request =
                serde_json::from_slice(octets).map_err(|error| unexpected(&format!("is none of ours: {error}")))?;
            let (answer, queues) = match self.perform(&request) {
                Ok(Some(done)) => done,
                Ok(None) => return Ok(End::Ordered),
                Err(error) => (Answer::failed(&error), Vec::new()),
            };
            let text = serde_json::to_vec(&answer)?;
            let descriptors: Vec<BorrowedFd<'_>> = queues.iter().map(AsFd::as_fd).collect();
            seqpacket::send_with(socket, &[IoSlice::new(&text)], &descriptors, 0)?;
        }
    }

    /// `None` when it was the last request.
    fn perform(&mut self, request: &Request) -> io::Result<Option<(Answer, Vec<Queue>)>> {
        let Groups { all, doomed } = self.groups;
        match request {
            Request::End => Ok(None),
            Request::Probe => {
                // Without CAP_SYS_ADMIN there is no namespace for the purpose, and no other than our own to serve.
                let offloads = self.home.visit_new(|| tun::probe(PROBE)).or_else(|_| tun::probe(PROBE))?;
                Ok(Some((Answer::Offloads(offloads), Vec::new())))
            }
            Request::Create { netns, name, queues, mtu, offloads } => {
                if !(1..=MAX_QUEUES).contains(queues) {
                    return Err(invalid(format!("{queues} queues: 1 to {MAX_QUEUES} are allowed")));
                }
                let make = || super::make_kept(name, *queues, *mtu, *offloads, all);
                let queues = self.home.visit(netns.as_deref(), make)?;
                self.made.entry(netns.clone()).or_default().insert(name.clone());
                Ok(Some((Answer::Created, queues)))
            }
            Request::SetMtu { netns, name, mtu } => {
                self.home.visit(netns.as_deref(), || tun::set_mtu(name, *mtu))?;
                Ok(Some((Answer::Done, Vec::new())))
            }
            Request::Delete { netns, names } => {
                let made = self.made.get_mut(netns);
                let made =
                    made.filter(|made| names.len() <= MAX_DELETE && names.iter().all(|name| made.contains(name)));
                let Some(made) = made else {
                    return Err(invalid(format!("devices {names:?} in namespace {netns:?} were not made here")));
                };
                made.retain(|name| !names.contains(name));
                self.home.visit(netns.as_deref(), || {
                    let rtnl = Rtnl::open()?;
                    let present = names.iter().filter(|name| rtnl.set_group(name, doomed).is_ok()).count();
                    if present > 0 { rtnl.delete_group(doomed) } else { Ok(()) }
                })?;
                Ok(Some((Answer::Done, Vec::new())))
            }
        }
    }

    /// Deletes every device that was made here.
    fn delete_all(&self) {
        for netns in self.made.keys() {
            // The namespace may be gone, and its devices with it.
            let _ = self.home.visit(netns.as_deref(), || Rtnl::open()?.delete_group(self.groups.all));
        }
    }
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::thread;

    use super::super::wire::Kind;
    use super::*;

    /// What a helper answers to these messages, and how it ends.
    fn serve(messages: &[&str], descriptors: &[BorrowedFd<'_>]) -> (Vec<Answer>, io::Result<End>) {
        let (ours, theirs) = seqpacket::pair().unwrap();
        let helper = thread::spawn(move || {
            let groups = Groups { all: 2, doomed: 3 };
            let mut helper = Helper { home: Home::here().unwrap(), groups, made: BTreeMap::new() };
            let theirs: OwnedFd = theirs;
            helper.serve(theirs.as_fd())
        });
        let mut answers = Vec::new();
        for message in messages {
            seqpacket::send_with(ours.as_fd(), &[IoSlice::new(message.as_bytes())], descriptors, 0).unwrap();
            let mut buffer = [0; MAX_MESSAGE];
            match seqpacket::receive_with(ours.as_fd(), &mut buffer) {
                Ok((len, _)) if len > 0 => answers.push(serde_json::from_slice(&buffer[..len]).unwrap()),
                _ => break,
            }
        }
        drop(ours);
        (answers, helper.join().unwrap())
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let offloads = r#""offloads":{"csum":false,"tso":false,"uso":false}"#;
        let (answers, end) = serve(
            &[
                &format!(r#"{{"Create":{{"netns":null,"name":"t1","queues":65,"mtu":1400,{offloads}}}}}"#),
                &format!(r#"{{"Create":{{"netns":"../x","name":"t1","queues":1,"mtu":1400,{offloads}}}}}"#),
                &format!(r#"{{"Create":{{"netns":null,"name":"a/b","queues":1,"mtu":1400,{offloads}}}}}"#),
                r#"{"SetMtu":{"netns":null,"name":"lo","mtu":1}}"#,
                r#"{"Delete":{"netns":null,"names":["lo"]}}"#,
            ],
            &[],
        );
        for (answer, word) in
            answers.iter().zip(["64 are allowed", "without slashes", "interface name", "mtu 1", "not made here"])
        {
            let Answer::Failed { kind, text } = answer else { panic!("{answer:?}") };
            assert!(text.contains(word) && matches!(kind, Kind::InvalidInput), "{text}");
        }
        assert_eq!(answers.len(), 5);
        assert_eq!(end.unwrap(), End::Killed);
    }

    #[test]
    fn an_end_in_order_is_told_from_a_killed_daemon() {
        assert_eq!(serve(&["\"End\""], &[]).1.unwrap(), End::Ordered);
        assert_eq!(serve(&[], &[]).1.unwrap(), End::Killed);
    }

    #[test]
    fn what_is_no_request_ends_it() {
        for message in ["{}", r#"{"Execute":"/bin/sh"}"#, &"x".repeat(MAX_MESSAGE + 1)] {
            let (answers, end) = serve(&[message], &[]);
            assert!(answers.is_empty());
            assert_eq!(end.unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
        let (_, end) = serve(&["\"Probe\""], &[io::stdin().as_fd()]);
        assert!(end.unwrap_err().to_string().contains("has descriptors"));
    }
}
