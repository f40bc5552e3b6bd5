//! Questions to a running daemon: asks over the control socket and prints the answer, as a table or as JSON.

use std::error::Error;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use twinbore_esp::control::wire::Operation;

/// A daemon answers at once; one that does not is stuck.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Stats,
    Tunnels,
    Sas,
    Features,
}

/// A question, as the command line asks it.
#[derive(Debug, PartialEq, Eq)]
pub struct QueryOptions {
    pub subject: Subject,
    pub control_socket: PathBuf,
    pub json: bool,
}

impl Subject {
    pub fn from_name(name: &str) -> Option<Subject> {
        match name {
            "stats" => Some(Subject::Stats),
            "tunnels" => Some(Subject::Tunnels),
            "sas" => Some(Subject::Sas),
            "features" => Some(Subject::Features),
            _ => None,
        }
    }

    fn operation(self) -> Operation {
        match self {
            Subject::Stats => Operation::Stats {},
            Subject::Tunnels => Operation::ListTunnels {},
            Subject::Sas => Operation::ListSas {},
            Subject::Features => Operation::Hello {},
        }
    }

    /// What of the daemon's answer was asked for.
    fn part(self, mut answer: Value) -> Value {
        match self {
            Subject::Features => answer["features"].take(),
            _ => answer,
        }
    }

    fn table(self, answer: &Value) -> Vec<Vec<String>> {
        match self {
            Subject::Stats => stats_table(answer),
            Subject::Features => {
                let members = answer.as_object().into_iter().flatten();
                members.map(|(name, value)| vec![name.clone(), cell(value)]).collect()
            }
            Subject::Tunnels => rows(
                &answer["tunnels"],
                &["if_id", "netns", "name", "mtu", "rx_packets", "rx_bytes", "tx_packets", "tx_bytes", "drops"],
            ),
            Subject::Sas => rows(
                &answer["sas"],
                &[
                    "spi",
                    "direction",
                    "src",
                    "dst",
                    "if_id",
                    "reqid",
                    "suite",
                    "encap",
                    "packets",
                    "bytes",
                    "age_s",
                    "idle_s",
                    "orphan",
                ],
            ),
        }
    }
}

pub fn query(options: &QueryOptions) -> Result<(), Box<dyn Error>> {
    let answer = options.subject.part(ask(&options.control_socket, &options.subject.operation())?);
    let mut out = io::stdout().lock();
    if options.json {
        writeln!(out, "{answer}")?;
    } else {
        write!(out, "{}", aligned(&options.subject.table(&answer)))?;
    }
    Ok(())
}

fn ask(path: &Path, operation: &Operation) -> Result<Value, Box<dyn Error>> {
    let mut stream = UnixStream::connect(path)
        .map_err(|error| format!("no daemon answers at {}: {error}; is `twinbore-esp run` up?", path.display()))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut line = serde_json::to_string(operation)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    line.clear();
    BufReader::new(stream).read_line(&mut line)?;
    let mut answer: Value = serde_json::from_str(&line)?;
    match answer.get("error") {
        Some(error) => Err(error["message"].as_str().unwrap_or("the daemon refused").into()),
        None => Ok(answer["ok"].take()),
    }
}

/// One row for each object of an array, under a heading.
fn rows(objects: &Value, columns: &[&str]) -> Vec<Vec<String>> {
    let heading = columns.iter().map(|column| (*column).to_owned()).collect();
    let objects = objects.as_array().into_iter().flatten();
    let row = |object: &Value| columns.iter().map(|column| cell(&object[*column])).collect();
    std::iter::once(heading).chain(objects.map(row)).collect()
}

/// Every member of every object of an answer: what it counts, and how many. Drops that never happened are left out.
fn stats_table(answer: &Value) -> Vec<Vec<String>> {
    let groups = answer.as_object().into_iter().flatten();
    groups
        .flat_map(|(group, members)| {
            let members = members.as_object().into_iter().flatten();
            members
                .filter(move |(_, count)| group != "drops" || **count != json!(0))
                .map(move |(name, count)| vec![format!("{group}.{name}"), cell(count)])
        })
        .collect()
}

/// Objects become their members that are not 0.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Object(members) => {
            let present = members.iter().filter(|(_, member)| **member != json!(0));
            let text: Vec<String> = present.map(|(name, member)| format!("{name}={member}")).collect();
            if text.is_empty() { "-".into() } else { text.join(",") }
        }
        other => other.to_string(),
    }
}

fn aligned(table: &[Vec<String>]) -> String {
    let columns = table.first().map_or(0, Vec::len);
    let widths: Vec<usize> =
        (0..columns).map(|column| table.iter().map(|row| row[column].len()).max().unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    table.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned() {
        let answer = json!({"tunnels": [{
            "if_id": 7, "netns": null, "name": "t7", "mtu": 1438, "rx_packets": 1, "rx_bytes": 84,
            "tx_packets": 0, "tx_bytes": 0, "drops": {"replay": 3, "selector": 0},
        }]});
        let text = aligned(&Subject::Tunnels.table(&answer));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "if_id  netns  name  mtu   rx_packets  rx_bytes  tx_packets  tx_bytes  drops");
        assert_eq!(lines[1], "7      -      t7    1438  1           84        0           0         replay=3");
    }

    #[test]
    fn features_are_listed_one_a_line() {
        let answer = json!({"version": "1", "features": {"crypto": "aws-lc", "udp_gro": true, "tun_uso": false}});
        let text = aligned(&Subject::Features.table(&Subject::Features.part(answer)));
        assert_eq!(text, "crypto   aws-lc\ntun_uso  no\nudp_gro  yes\n");
    }

    #[test]
    fn stats_leave_out_what_was_never_dropped() {
        let answer = json!({"counters": {"esp_sent": 0}, "drops": {"replay": 3, "selector": 0}});
        assert_eq!(aligned(&Subject::Stats.table(&answer)), "counters.esp_sent  0\ndrops.replay       3\n");
    }
}
