//! The daemon's side of the namespace helper: starts it, asks it, and notices its end.
//!
//! The helper is this same program, executed anew rather than only forked, so that it has an address space of its own
//! layout, none of the daemon's memory and descriptors, and a name in `ps`. It cannot be started again, because by then
//! the daemon has not got the privileges any more: if it ends, tunnels that exist go on, and those who want new ones are
//! told to restart the daemon.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Devices;
use super::wire::{Answer, MAX_DELETE, MAX_MESSAGE, Request};
use crate::io::sys::set_option;
use crate::io::tun::{Offloads, Queue};
use crate::sandbox::capabilities;
use crate::sandbox::filter::Mode;
use crate::xfrm::seqpacket;

/// The command of the helper.
pub const COMMAND: &str = "namespace-helper";
const PROGRAM: &str = "/proc/self/exe";
/// How long an answer may take. The kernel's lock for all network devices may be busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// The helper, for as long as this value lives.
#[derive(Debug)]
pub struct Remote(Mutex<Helper>);

#[derive(Debug)]
struct Helper {
    /// Gone after a failure: what would come next could be the answer to something else.
    socket: Option<OwnedFd>,
    child: Child,
}

impl Remote {
    /// Starts the helper with the capabilities that it needs, as far as we have them. To be called before threads are
    /// started and capabilities are dropped.
    pub fn start(mode: Mode) -> io::Result<Remote> {
        let (ours, theirs) = seqpacket::pair()?;
        set_option(ours.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVTIMEO, &seconds(PATIENCE))?;
        capabilities::pass_on(&capabilities::HELPER)?;
        let child = Command::new(PROGRAM)
            .arg0(env!("CARGO_PKG_NAME"))
            .args([COMMAND, "--seccomp", mode.name()])
            .env_clear()
            .stdin(theirs)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("cannot start {PROGRAM} {COMMAND}: {error}")))?;
        Ok(Remote(Mutex::new(Helper { socket: Some(ours), child })))
    }

    fn ask(&self, request: &Request) -> io::Result<(Answer, Vec<OwnedFd>)> {
        let text = serde_json::to_vec(request)?;
        if text.len() > MAX_MESSAGE {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "name of a network namespace: 1 to 255 octets are allowed",
            ));
        }
        let mut helper = self.lock();
        match helper.exchange(&text) {
            Ok((Answer::Failed { kind, text }, _)) => Err(io::Error::new(kind.into(), text)),
            Ok(answer) => Ok(answer),
            Err(error) => Err(helper.give_up(&error)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Helper> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Helper {
    fn exchange(&self, request: &[u8]) -> io::Result<(Answer, Vec<OwnedFd>)> {
        let socket = self.socket.as_ref().ok_or(io::ErrorKind::NotConnected)?.as_fd();
        seqpacket::send_with(socket, &[IoSlice::new(request)], &[], 0)?;
        let mut buffer = [0; MAX_MESSAGE];
        let (len, descriptors) = seqpacket::receive_with(socket, &mut buffer)?;
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let octets = buffer.get(..len).ok_or(io::ErrorKind::InvalidData)?;
        Ok((serde_json::from_slice(octets)?, descriptors))
    }

    fn give_up(&mut self, error: &io::Error) -> io::Error {
        self.socket = None;
        let why = match self.child.try_wait() {
            Ok(Some(status)) => status.to_string(),
            _ => error.to_string(),
        };
        io::Error::other(format!(
            "the helper that makes TUN devices is gone ({why}): tunnels that exist go on, but restart twinbore-esp"
        ))
    }
}

impl Devices for Remote {
    fn offloads(&self) -> io::Result<Offloads> {
        match self.ask(&Request::Probe)?.0 {
            Answer::Offloads(offloads) => Ok(offloads),
            other => Err(unexpected(&other)),
        }
    }

    fn create(
        &self,
        netns: Option<&str>,
        name: &str,
        queues: usize,
        mtu: u32,
        offloads: Offloads,
    ) -> io::Result<Vec<Queue>> {
        let request = Request::Create { netns: netns.map(Into::into), name: name.into(), queues, mtu, offloads };
        match self.ask(&request)? {
            (Answer::Created, descriptors) if descriptors.len() == queues => {
                Ok(descriptors.into_iter().map(Queue::from).collect())
            }
            (other, _) => Err(unexpected(&other)),
        }
    }

    fn set_mtu(&self, netns: Option<&str>, name: &str, mtu: u32) -> io::Result<()> {
        let request = Request::SetMtu { netns: netns.map(Into::into), name: name.into(), mtu };
        match self.ask(&request)?.0 {
            Answer::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    fn delete(&self, netns: Option<&str>, names: &[String]) -> io::Result<()> {
        for names in names.chunks(MAX_DELETE) {
            match self.ask(&Request::Delete { netns: netns.map(Into::into), names: names.to_vec() })?.0 {
                Answer::Done => {}
                other => return Err(unexpected(&other)),
            }
        }
        Ok(())
    }

    /// Ends the helper, which then deletes what is left, and waits for it.
    fn close(&self) {
        let mut helper = self.lock();
        if let (Some(socket), Ok(text)) = (helper.socket.take(), serde_json::to_vec(&Request::End)) {
            // Where it cannot be sent the helper is gone already.
            let _ = seqpacket::send_with(socket.as_fd(), &[IoSlice::new(&text)], &[], 0);
        }
        // Nothing can be done about one that does not end, or was waited for before.
        let _ = helper.child.wait();
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.close();
    }
}

fn unexpected(answer: &Answer) -> io::Error {
    io::Error::other(format!("the helper that makes TUN devices answered with something unexpected: {answer:?}"))
}

fn seconds(duration: Duration) -> libc::timeval {
    libc::timeval { tv_sec: duration.as_secs() as libc::time_t, tv_usec: 0 }
}
