//! Doing something in another network namespace.
//!
//! `setns` changes the calling thread. In a process with threads the work is therefore given to one of its own that ends
//! with it ([`run_in`]), so that no worker can ever be left in the wrong namespace. A process with one thread goes there
//! and comes back ([`Home`]): it must not stay, because a namespace lives as long as somebody is in it. File descriptors
//! opened there (sockets, TUN queues) stay bound to that namespace and can be used from anywhere.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::thread;

/// Where `ip netns add` keeps named namespaces (ip-netns(8)).
const NETNS_DIR: &str = "/run/netns";
/// The namespace of the calling thread (network_namespaces(7)).
const CURRENT: &str = "/proc/thread-self/ns/net";

/// Runs `work` in the namespace called `name`, or in the current one for `None`.
///
/// Errors: the name is not a plain file name, there is no such namespace, its file is a leftover that no namespace is
/// mounted on, or `work` failed.
pub fn run_in<T: Send>(name: Option<&str>, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let Some(name) = name else { return work() };
    let namespace = open(name)?;
    in_thread(move || {
        enter(&namespace, name)?;
        work()
    })
}

/// Runs `work` in a new namespace that ends with it.
pub fn run_in_new<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    in_thread(move || {
        enter_new()?;
        work()
    })
}

/// The namespace that the process was started in, for one with a single thread.
#[derive(Debug)]
pub struct Home(File);

impl Home {
    pub fn here() -> io::Result<Home> {
        File::open(CURRENT).map(Home).map_err(|error| io::Error::new(error.kind(), format!("{CURRENT}: {error}")))
    }

    /// As [`run_in`], with `work` done by the calling thread.
    pub fn visit<T>(&self, name: Option<&str>, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let Some(name) = name else { return work() };
        enter(&open(name)?, name)?;
        let result = work();
        self.come_back();
        result
    }

    /// As [`run_in_new`], with `work` done by the calling thread.
    pub fn visit_new<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        enter_new()?;
        let result = work();
        self.come_back();
        result
    }

    /// Panics when it fails: nothing may be done in the wrong namespace.
    fn come_back(&self) {
        // SAFETY: a system call on an open descriptor.
        let result = unsafe { libc::setns(self.0.as_raw_fd(), libc::CLONE_NEWNET) };
        assert!(result == 0, "cannot return to the own namespace: {}", io::Error::last_os_error());
    }
}

fn enter(namespace: &File, name: &str) -> io::Result<()> {
    // SAFETY: a system call on an open descriptor.
    if unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    let advice = match error.raw_os_error() {
        Some(libc::EPERM) => "CAP_SYS_ADMIN is needed".into(),
        _ => format!("delete {NETNS_DIR}/{name} if it is a leftover"),
    };
    Err(io::Error::new(error.kind(), format!("cannot enter network namespace {name}: {error}; {advice}")))
}

fn enter_new() -> io::Result<()> {
    // SAFETY: a system call without pointers.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn in_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

fn open(name: &str) -> io::Result<File> {
    if name.is_empty() || name == "." || name == ".." || name.contains('/') {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("network namespace {name:?}: a name under {NETNS_DIR} is wanted, without slashes"),
        ));
    }
    let path = PathBuf::from(NETNS_DIR).join(name);
    File::open(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::new(
            error.kind(),
            format!("network namespace {name} does not exist: create it with `ip netns add {name}`"),
        ),
        kind => io::Error::new(kind, format!("cannot open {}: {error}", path.display())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_namespace_needs_no_thread() {
        let here = thread::current().id();
        assert_eq!(run_in(None, || Ok(thread::current().id())).unwrap(), here);
    }

    #[test]
    fn errors_say_what_to_do() {
        let text = |name| run_in(Some(name), || Ok(())).unwrap_err().to_string();
        assert!(text("../x").contains("without slashes"));
        assert!(text("twinbore-no-such-namespace").contains("ip netns add twinbore-no-such-namespace"));
    }
}
