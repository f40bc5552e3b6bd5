//! The daemon: puts the data path, the XFRM server and the control socket together.

use std::error::Error;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::mpsc;

use aws_lc_rs::rand;
use twinbore_esp::control;
use twinbore_esp::control::operations::Operations;
use twinbore_esp::control::report::FeatureReport;
use twinbore_esp::crypto::Library;
use twinbore_esp::dataplane::{Config, Dataplane};
use twinbore_esp::devices::remote::Remote;
use twinbore_esp::ike::IkeRouter;
use twinbore_esp::io::sys::own;
use twinbore_esp::log;
use twinbore_esp::sandbox::{self, calls, capabilities, filter};
use twinbore_esp::xfrm::controller::Controller;
use twinbore_esp::xfrm::engine::Engine;
use twinbore_esp::xfrm::seqpacket;
use twinbore_esp::xfrm::server::Server;

use crate::cli::RunOptions;

/// Serves until SIGTERM or SIGINT.
pub fn run(options: &RunOptions) -> Result<(), Box<dyn Error>> {
    let stop = termination()?;
    sandbox::harden()?;
    check_random()?;
    // Before anything else: it fails when another daemon is at work here, whose packets ours must not take.
    let xfrm = seqpacket::listen(&options.xfrm_socket)?;
    let control = control::server::listen(&options.control_socket)?;
    let result = serve(options, &stop, xfrm, control);
    for path in [&options.xfrm_socket, &options.control_socket] {
        // Somebody may have removed it already; what is left of it does no harm.
        let _ = fs::remove_file(path);
    }
    result
}

fn serve(options: &RunOptions, stop: &OwnedFd, xfrm: OwnedFd, control: UnixListener) -> Result<(), Box<dyn Error>> {
    let ike = Arc::new(IkeRouter::default());
    let (events, received) = mpsc::channel();
    let config = Config { workers: options.workers, natt_port: options.natt_port };
    // The helper needs what we give up next; and what runs in other threads must not keep a capability.
    let devices = Arc::new(Remote::start(options.seccomp)?);
    capabilities::keep_only(&capabilities::DAEMON)?;
    // The library looks at the processor when it is first used, which the filter would not allow.
    Library::best();
    let dataplane = Arc::new(Dataplane::start_with(config, events, Arc::clone(&ike) as _, devices)?);
    let controller = Arc::new(Controller::new(Engine::new(random), Arc::clone(&dataplane)));
    let mut server = Server::new(xfrm, options.natt_port, Arc::clone(&controller), Arc::clone(&ike), received)?;
    let operations = Operations::new(controller, ike, options.workers, options.natt_port, options.seccomp);
    control::server::start(control, operations)?;
    // Everything is open now, and there are no SAs yet: nothing has been decrypted.
    filter::install(&calls::DAEMON, options.seccomp)?;
    log::notice(format_args!(
        "version {} serves {} and UDP port {} with {} workers",
        env!("CARGO_PKG_VERSION"),
        options.xfrm_socket.display(),
        options.natt_port,
        options.workers
    ));
    log::notice(format_args!("features: {}", FeatureReport::new(dataplane.features(), options.seccomp)));
    server.run(stop)?;
    // TUN devices would go with the process, but one by one.
    dataplane.shut_down();
    log::notice("ends");
    Ok(())
}

/// A descriptor that becomes readable on SIGTERM or SIGINT. To be called before any thread is started.
fn termination() -> io::Result<OwnedFd> {
    let signals = sandbox::block_termination()?;
    // SAFETY: the pointer is to a local.
    own(unsafe { libc::signalfd(-1, &signals, libc::SFD_CLOEXEC) })
}

/// Fails here, at the start, rather than when the first SPI is asked for.
fn check_random() -> io::Result<()> {
    rand::fill(&mut [0; 4]).map_err(|_| io::Error::other("the system's random number generator failed"))
}

/// For SPIs, which are not to be guessed. The generator has worked at the start; should it fail later all numbers are the
/// same, so that the second SPI asked for is refused.
fn random() -> u32 {
    let mut octets = [0; 4];
    match rand::fill(&mut octets) {
        Ok(()) => u32::from_ne_bytes(octets),
        Err(_) => 0,
    }
}
