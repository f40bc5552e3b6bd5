//! Doing something in another network namespace.
//!
//! `setns` changes the calling thread, so the work is given to a thread of its own that ends with it: no worker can ever
//! be left in the wrong namespace. File descriptors opened there (sockets, TUN queues) stay bound to that namespace and
//! can be used from anywhere.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::thread;

/// Where `ip netns add` keeps named namespaces (ip-netns(8)).
const NETNS_DIR: &str = "/run/netns";

/// Runs `work` in the namespace called `name`, or in the current one for `None`.
///
/// Errors: the name is not a plain file name, there is no such namespace, its file is a leftover that no namespace is
/// mounted on, or `work` failed.
pub fn run_in<T: Send>(name: Option<&str>, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let Some(name) = name else { return work() };
    let namespace = open(name)?;
    in_thread(move || {
        // SAFETY: a system call on an open descriptor; it changes this short-lived thread only.
        if unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } < 0 {
            let error = io::Error::last_os_error();
            return Err(io::Error::new(
                error.kind(),
                format!(
                    "cannot enter network namespace {name}: {error}; delete {NETNS_DIR}/{name} if it is a leftover"
                ),
            ));
        }
        work()
    })
}

/// Runs `work` in a new namespace that ends with it.
pub fn run_in_new<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    in_thread(move || {
        // SAFETY: a system call without pointers; it changes this short-lived thread only.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } < 0 {
            return Err(io::Error::last_os_error());
        }
        work()
    })
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
