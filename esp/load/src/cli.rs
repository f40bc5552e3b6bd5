//! The command line.

use std::net::SocketAddrV4;
use std::time::Duration;

use lexopt::prelude::*;

use crate::tally::HEADER;

pub const HELP: &str = "\
Traffic for benchmarks.

Usage: twinbore-load send --to ADDRESS:PORT --size OCTETS --rate PPS --seconds S --run ID
       twinbore-load receive --port PORT --run ID
       twinbore-load flood --to ADDRESS:PORT --size OCTETS --rate PPS --seconds S

send     UDP datagrams with sequence numbers, OCTETS of payload each.
receive  Prints a line when it is ready, and counts datagrams of the run until its input is closed.
flood    ESP in UDP with random SPIs from random sources, OCTETS of UDP payload each. Needs CAP_NET_RAW.";

/// Payloads that a datagram over an Ethernet of 1500 octets may have.
const MAX_SIZE: usize = 1472;
/// SPI and sequence number: less is no ESP.
const ESP_HEADER: usize = 8;

#[derive(Debug, PartialEq)]
pub enum Command {
    Help,
    Send(SendOptions),
    Receive(ReceiveOptions),
    Flood(FloodOptions),
}

/// How much to send, and how fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    pub to: SocketAddrV4,
    /// Octets of UDP payload.
    pub size: usize,
    /// Packets each second.
    pub rate: f64,
    pub duration: Duration,
}

#[derive(Debug, PartialEq)]
pub struct SendOptions {
    pub load: Load,
    pub run: u64,
}

#[derive(Debug, PartialEq)]
pub struct ReceiveOptions {
    pub port: u16,
    pub run: u64,
}

#[derive(Debug, PartialEq)]
pub struct FloodOptions {
    pub load: Load,
}

/// Reads the arguments. The error says which one is wrong.
pub fn parse(mut arguments: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let (mut verb, mut to, mut size, mut rate) = (None, None, None, None);
    let (mut seconds, mut port, mut run) = (None, None, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Long("to") => to = Some(arguments.value()?.parse::<SocketAddrV4>()?),
            Long("size") => size = Some(arguments.value()?.parse::<usize>()?),
            Long("rate") => rate = Some(arguments.value()?.parse_with(positive)?),
            Long("seconds") => seconds = Some(arguments.value()?.parse_with(positive)?),
            Long("port") => port = Some(arguments.value()?.parse::<u16>()?),
            Long("run") => run = Some(arguments.value()?.parse::<u64>()?),
            Value(value) if verb.is_none() => verb = Some(value.string()?),
            other => return Err(other.unexpected()),
        }
    }
    let load = |smallest: usize| -> Result<Load, lexopt::Error> {
        Ok(Load {
            to: to.ok_or("--to ADDRESS:PORT is missing")?,
            size: size
                .filter(|size| (smallest..=MAX_SIZE).contains(size))
                .ok_or_else(|| format!("--size: {smallest} to {MAX_SIZE} is wanted"))?,
            rate: rate.ok_or("--rate PPS is missing")?,
            duration: Duration::from_secs_f64(seconds.ok_or("--seconds S is missing")?),
        })
    };
    let run = run.ok_or("--run ID is missing");
    match verb.as_deref() {
        Some("send") => Ok(Command::Send(SendOptions { load: load(HEADER)?, run: run? })),
        Some("receive") => {
            Ok(Command::Receive(ReceiveOptions { port: port.ok_or("--port PORT is missing")?, run: run? }))
        }
        Some("flood") => Ok(Command::Flood(FloodOptions { load: load(ESP_HEADER)? })),
        Some(other) => Err(format!("unknown command {other}: send, receive or flood is wanted").into()),
        None => Err("a command is missing: send, receive or flood".into()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|number| (f64::MIN_POSITIVE..1e9).contains(number)).ok_or("a positive number".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(lexopt::Parser::from_args(line.split_whitespace())).map_err(|error| error.to_string())
    }

    #[test]
    fn commands_have_what_they_need() {
        let load = Load {
            to: "10.2.0.2:5001".parse().unwrap(),
            size: 36,
            rate: 140_000.0,
            duration: Duration::from_millis(500),
        };
        let line = "--to 10.2.0.2:5001 --size 36 --rate 140000 --seconds 0.5";
        let sending = Command::Send(SendOptions { load, run: 7 });
        assert_eq!(parsed(&format!("send {line} --run 7")), Ok(sending));
        assert_eq!(parsed(&format!("flood {line}")), Ok(Command::Flood(FloodOptions { load })));
        assert_eq!(
            parsed("receive --port 5001 --run 7"),
            Ok(Command::Receive(ReceiveOptions { port: 5001, run: 7 }))
        );
    }

    #[test]
    fn mistakes_say_what_is_wrong() {
        for (line, word) in [
            ("", "command is missing"),
            ("fly", "fly"),
            ("receive --port 1", "--run"),
            ("send --to 10.0.0.1:1 --size 8 --rate 1 --seconds 1 --run 1", "--size: 16 to 1472"),
            ("send --to 10.0.0.1:1 --size 36 --rate 0 --seconds 1 --run 1", "positive"),
            ("flood --size 36 --rate 1 --seconds 1", "--to"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(word), "{line}: {error}");
        }
    }
}
