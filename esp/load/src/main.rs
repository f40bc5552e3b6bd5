//! Traffic for `bench/`: packets at a steady rate, and what of them arrives.
//!
//! iperf3's UDP needs a system call and a timer check for each packet, and waits for its socket in a busy loop, on a
//! machine whose cores the gateways under test share. This one sends and receives in batches and sleeps in between, so
//! that most of the machine is left to what is measured. Each command prints one JSON object when it is done.

mod cli;
mod flood;
mod mmsg;
mod pace;
mod receive;
mod send;
mod socket;
mod tally;

use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    let result = match cli::parse(lexopt::Parser::from_env()) {
        Ok(cli::Command::Help) => {
            println!("{}", cli::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(command) => run(command),
        Err(error) => {
            eprintln!("twinbore-load: {error}; see --help");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("twinbore-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: cli::Command) -> io::Result<String> {
    match command {
        cli::Command::Help => Ok(String::new()),
        cli::Command::Send(options) => send::run(&options).map(|sent| sent.to_json()),
        cli::Command::Receive(options) => receive::run(&options).map(|tally| tally.to_json()),
        cli::Command::Flood(options) => flood::run(&options).map(|sent| sent.to_json()),
    }
}
