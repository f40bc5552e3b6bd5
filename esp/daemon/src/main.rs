//! The command `twinbore-esp`: the daemon, and questions to a running one.

mod cli;
mod query;
mod run;

use std::io::{self, Write as _};
use std::process::ExitCode;

use cli::Command;
use twinbore_esp::devices::helper;

fn main() -> ExitCode {
    let result = match cli::parse(lexopt::Parser::from_env()) {
        Ok(Command::Print(text)) => writeln!(io::stdout(), "{text}").map_err(Into::into),
        Ok(Command::Run(options)) => run::run(&options),
        Ok(Command::Query(options)) => query::query(&options),
        Ok(Command::Helper(mode)) => helper::run(mode).map_err(Into::into),
        Err(error) => {
            let _ = writeln!(io::stderr(), "twinbore-esp: {error}\nTry `twinbore-esp --help`.");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            twinbore_esp::log::notice(error);
            ExitCode::FAILURE
        }
    }
}
