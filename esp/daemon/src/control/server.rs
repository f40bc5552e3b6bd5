//! Connections of the control socket: a thread for each, since an operation may take its time (entering a namespace,
//! waiting for workers) and clients are few.

use std::fs::{self, Permissions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::operations::Operations;
use super::wire;
use crate::log;
use crate::xfrm::seqpacket;

const MAX_CONNECTIONS: usize = 32;
/// No request is longer.
const MAX_LINE: u64 = 64 << 10;
/// How long a client may take to read an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failed accept: the cause, no descriptors left, does not go away at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Listens at `path`, which only its owner may use.
///
/// Errors: as [`seqpacket::remove_stale`], or the path may not be written to.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    seqpacket::remove_stale(path, || UnixStream::connect(path).map(drop))?;
    let listener = UnixListener::bind(path)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot create {}: {error}", path.display())))?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves in threads of its own until the process ends.
pub fn start(listener: UnixListener, operations: Operations) -> io::Result<()> {
    let operations = Arc::new(operations);
    thread::Builder::new().name("control".into()).spawn(move || accept(&listener, &operations)).map(drop)
}

fn accept(listener: &UnixListener, operations: &Arc<Operations>) {
    let connections = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let served = stream.and_then(|stream| {
            check_peer(&stream)?;
            let place = Place::take(&connections)?;
            let operations = Arc::clone(operations);
            thread::Builder::new().name("control-client".into()).spawn(move || {
                let _place = place;
                // A client that goes away in the middle is no event.
                let _ = serve(&stream, &operations);
            })
        });
        if let Err(error) = served {
            log::notice(format_args!("control connection refused: {error}"));
            thread::sleep(ACCEPT_PAUSE);
        }
    }
}

/// One of the connections there may be at a time.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(connections: &Arc<AtomicUsize>) -> io::Result<Place> {
        let place = Place(Arc::clone(connections));
        if connections.fetch_add(1, Ordering::Relaxed) >= MAX_CONNECTIONS {
            return Err(io::Error::other(format!("there are {MAX_CONNECTIONS} already")));
        }
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn check_peer(stream: &UnixStream) -> io::Result<()> {
    let peer = seqpacket::peer(stream.as_fd())?;
    if seqpacket::is_trusted(&peer) {
        return Ok(());
    }
    Err(io::Error::other(format!("uid {}: only root and our own user may", peer.uid)))
}

fn serve(stream: &UnixStream, operations: &Operations) -> io::Result<()> {
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let (id, operation) = wire::parse(&line);
        let result = operation.and_then(|operation| operations.perform(operation));
        writer.write_all(wire::answer(&id, &result).as_bytes())?;
        if !line.ends_with(b"\n") {
            return Ok(());
        }
    }
}
