//! The command line.

use std::path::PathBuf;
use std::thread;

use lexopt::prelude::*;
use twinbore_esp::devices::remote;
use twinbore_esp::sandbox::filter::Mode;

use crate::query::{self, QueryOptions};

const HELP: &str = "\
User-space ESP for charon: twinbore-esp takes the place of the kernel's XFRM.

Usage: twinbore-esp run --xfrm-socket PATH --control-socket PATH [--workers N] [--natt-port PORT]
                        [--seccomp MODE]
       twinbore-esp stats|tunnels|sas|features --control-socket PATH [--json]

run       Serve in the foreground, in the current network namespace (the underlay), until SIGTERM.
          Needs CAP_NET_ADMIN, CAP_NET_RAW and, for TUN devices in other namespaces, CAP_SYS_ADMIN, which only
          a second process keeps, `twinbore-esp namespace-helper`.
stats     Packets handled, and packets dropped by reason; reasons that never occurred only with --json.
tunnels   TUN devices and their traffic: rx is from the peer, tx is to the peer.
sas       Security associations, without keys.
features  What the kernel and the processor can do, and what of it is used.

      --xfrm-socket PATH     Where charon connects. Start charon with this path in TWINBORE_ESP_SOCKET
                             and with libtwinbore_esp_shim.so in LD_PRELOAD.
      --control-socket PATH  Where the agent and the commands above connect: one JSON object a line.
      --workers N            Pairs of threads that carry traffic, 1 to 64. Default: one for each CPU.
      --natt-port PORT       UDP port of encapsulated ESP and IKE. Default: 4500.
      --seccomp MODE         What becomes of a system call that is not expected: kill (the process; default), log (it
                             is done, and in the kernel's log), off (nobody looks). The last two are for debugging.
      --json                 Print the answer as JSON.
  -h, --help                 Print this text.
  -V, --version              Print the version.";

const COMMANDS: &str = "run, stats, tunnels, sas or features";
const MAX_WORKERS: usize = 64;
const NATT_PORT: u16 = 4500;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Print(String),
    Run(RunOptions),
    Query(QueryOptions),
    Helper(Mode),
}

#[derive(Debug, PartialEq, Eq)]
pub struct RunOptions {
    pub xfrm_socket: PathBuf,
    pub control_socket: PathBuf,
    pub workers: usize,
    pub natt_port: u16,
    pub seccomp: Mode,
}

/// Reads the arguments. The error says which one is wrong.
pub fn parse(mut arguments: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let (mut verb, mut xfrm_socket, mut control_socket) = (None, None, None);
    let (mut workers, mut natt_port, mut seccomp, mut json) = (None, None, None, false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Print(HELP.into())),
            Short('V') | Long("version") => {
                return Ok(Command::Print(format!("twinbore-esp {}", env!("CARGO_PKG_VERSION"))));
            }
            Long("xfrm-socket") => xfrm_socket = Some(PathBuf::from(arguments.value()?)),
            Long("control-socket") => control_socket = Some(PathBuf::from(arguments.value()?)),
            Long("workers") => workers = Some(arguments.value()?.parse_with(worker_count)?),
            Long("natt-port") => natt_port = Some(arguments.value()?.parse_with(port)?),
            Long("seccomp") => seccomp = Some(arguments.value()?.parse_with(seccomp_mode)?),
            Long("json") => json = true,
            Value(value) if verb.is_none() => verb = Some(value.string()?),
            other => return Err(other.unexpected()),
        }
    }
    let verb = verb.ok_or_else(|| format!("a command is missing: {COMMANDS}"))?;
    if verb == remote::COMMAND {
        return Ok(Command::Helper(seccomp.unwrap_or_default()));
    }
    let control_socket = control_socket.ok_or("--control-socket PATH is missing")?;
    if verb == "run" {
        if json {
            return Err("--json goes with stats, tunnels, sas and features".into());
        }
        return Ok(Command::Run(RunOptions {
            xfrm_socket: xfrm_socket.ok_or("--xfrm-socket PATH is missing")?,
            control_socket,
            workers: workers.unwrap_or_else(default_workers),
            natt_port: natt_port.unwrap_or(NATT_PORT),
            seccomp: seccomp.unwrap_or_default(),
        }));
    }
    if xfrm_socket.is_some() || workers.is_some() || natt_port.is_some() || seccomp.is_some() {
        return Err("--xfrm-socket, --workers, --natt-port and --seccomp go with run".into());
    }
    let subject =
        query::Subject::from_name(&verb).ok_or_else(|| format!("unknown command {verb}: {COMMANDS} is wanted"))?;
    Ok(Command::Query(QueryOptions { subject, control_socket, json }))
}

fn worker_count(text: &str) -> Result<usize, String> {
    let allowed = |count: &usize| (1..=MAX_WORKERS).contains(count);
    text.parse().ok().filter(allowed).ok_or_else(|| format!("1 to {MAX_WORKERS} is allowed"))
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|port| *port != 0).ok_or_else(|| "1 to 65535 is allowed".into())
}

fn seccomp_mode(text: &str) -> Result<Mode, &'static str> {
    Mode::from_name(text).ok_or("kill, log or off is allowed")
}

fn default_workers() -> usize {
    thread::available_parallelism().map_or(1, |count| count.get().min(MAX_WORKERS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(lexopt::Parser::from_args(line.split_whitespace())).map_err(|error| error.to_string())
    }

    #[test]
    fn run_has_defaults() {
        let expected = RunOptions {
            xfrm_socket: "/x".into(),
            control_socket: "/c".into(),
            workers: default_workers(),
            natt_port: 4500,
            seccomp: Mode::Kill,
        };
        assert_eq!(parsed("run --xfrm-socket /x --control-socket /c"), Ok(Command::Run(expected)));
        let Ok(Command::Run(options)) =
            parsed("run --workers=3 --xfrm-socket /x --natt-port 14500 --control-socket=/c --seccomp log")
        else {
            panic!("run is not parsed");
        };
        assert_eq!((options.workers, options.natt_port, options.seccomp), (3, 14500, Mode::Log));
        assert_eq!(parsed("namespace-helper --seccomp off"), Ok(Command::Helper(Mode::Off)));
    }

    #[test]
    fn queries_name_a_subject() {
        let expected = QueryOptions { subject: query::Subject::Sas, control_socket: "/c".into(), json: true };
        assert_eq!(parsed("sas --control-socket /c --json"), Ok(Command::Query(expected)));
        assert!(matches!(parsed("--help"), Ok(Command::Print(text)) if text.contains("TWINBORE_ESP_SOCKET")));
    }

    #[test]
    fn mistakes_say_what_is_wrong() {
        for (line, word) in [
            ("", "command is missing"),
            ("fly --control-socket /c", "fly"),
            ("run --control-socket /c", "--xfrm-socket"),
            ("run --xfrm-socket /x", "--control-socket"),
            ("run --workers 0", "1 to 64"),
            ("run --natt-port 65536", "1 to 65535"),
            ("stats --control-socket /c --workers 2", "go with run"),
            ("stats --control-socket /c --seccomp log", "go with run"),
            ("run --seccomp maybe", "kill, log or off"),
            ("run stats --control-socket /c", "stats"),
            ("--colour", "--colour"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(word), "{line}: {error}");
        }
    }
}
