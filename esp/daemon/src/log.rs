//! The log: one line on stderr for each notable event, for whoever supervises the process. Never keys, never packets.

use std::fmt::Display;
use std::io::Write as _;

/// Writes a line. That nobody reads stderr any more is no reason to stop carrying traffic.
pub fn notice(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "twinbore-esp: {text}");
}
