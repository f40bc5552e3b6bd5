//! The daemon: puts the data path, the XFRM server and the control socket together.

use std::error::Error;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::mpsc;

use aws_lc_rs::rand;
use twinbore_esp::control::{self, operations::Operations};
use twinbore_esp::dataplane::{Config, Dataplane};
use twinbore_esp::ike::IkeRouter;
use twinbore_esp::log;
use twinbore_esp::xfrm::controller::Controller;
use twinbore_esp::xfrm::engine::Engine;
use twinbore_esp::xfrm::seqpacket;
use twinbore_esp::xfrm::server::Server;

use crate::cli::RunOptions;
use crate::process;

/// Serves until SIGTERM or SIGINT. TUN devices go with the process, which alone has them open.
pub fn run(options: &RunOptions) -> Result<(), Box<dyn Error>> {
    let stop = process::termination()?;
    process::harden()?;
    check_random()?;
    // First of all: it fails when another daemon is at work here, whose packets ours must not take.
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
    // What runs in other threads must not keep a capability: dropped before they start.
    process::drop_capabilities()?;
    let dataplane = Arc::new(Dataplane::start(config, events, Arc::clone(&ike) as _)?);
    let controller = Arc::new(Controller::new(Engine::new(random), Arc::clone(&dataplane)));
    let mut server = Server::new(xfrm, options.natt_port, Arc::clone(&controller), Arc::clone(&ike), received)?;
    let operations = Operations::new(controller, ike, options.workers, options.natt_port);
    control::server::start(control, operations)?;
    log::notice(format_args!(
        "version {} serves {} and UDP port {} with {} workers",
        env!("CARGO_PKG_VERSION"),
        options.xfrm_socket.display(),
        options.natt_port,
        options.workers
    ));
    server.run(stop)?;
    log::notice("ends");
    Ok(())
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
