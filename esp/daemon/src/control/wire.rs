//! Requests and answers of the control socket as JSON.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Operation {
    Hello {},
    AddTunnel {
        if_id: u32,
        #[serde(default)]
        netns: Option<String>,
        name: String,
        mtu: u32,
    },
    RemoveTunnel {
        if_id: u32,
    },
    RemoveTunnels {
        if_ids: Vec<u32>,
    },
    ListTunnels {},
    ListSas {},
    RemoveSas {
        if_id: u32,
    },
    Stats {},
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    InvalidArgument,
    NotFound,
    Conflict,
    OsError,
}

/// Why an operation was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    pub code: Code,
    pub message: String,
}

impl Failure {
    pub fn new(code: Code, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into() }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        let code = match error.kind() {
            io::ErrorKind::InvalidInput => Code::InvalidArgument,
            io::ErrorKind::NotFound => Code::NotFound,
            io::ErrorKind::AlreadyExists | io::ErrorKind::ResourceBusy => Code::Conflict,
            _ => Code::OsError,
        };
        Failure::new(code, error.to_string())
    }
}

/// Parses a line: the `id` to echo (null when there is none), and the operation.
pub fn parse(line: &[u8]) -> (Value, Result<Operation, Failure>) {
    let invalid = |text: String| Err(Failure::new(Code::InvalidArgument, text));
    let mut members: Map<String, Value> = match serde_json::from_slice(line) {
        Ok(members) => members,
        Err(error) => return (Value::Null, invalid(format!("not a JSON object on one line: {error}"))),
    };
    let id = members.remove("id").unwrap_or(Value::Null);
    let operation = serde_json::from_value(Value::Object(members)).or_else(|error| invalid(error.to_string()));
    (id, operation)
}

/// The line that answers, with its line feed.
pub fn answer(id: &Value, result: &Result<Value, Failure>) -> String {
    let mut line = match result {
        Ok(ok) => json!({"id": id, "ok": ok}),
        Err(failure) => json!({"id": id, "error": failure}),
    }
    .to_string();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_parsed_with_their_id() {
        let line = br#"{"id":2,"op":"add_tunnel","if_id":1001,"netns":"vgw-1","name":"t1001","mtu":1438}"#;
        let operation =
            Operation::AddTunnel { if_id: 1001, netns: Some("vgw-1".into()), name: "t1001".into(), mtu: 1438 };
        assert_eq!(parse(line), (json!(2), Ok(operation)));
        assert_eq!(parse(br#"{"op":"stats","id":"x"}"#), (json!("x"), Ok(Operation::Stats {})));
        assert_eq!(parse(br#"{"op":"hello"}"#), (Value::Null, Ok(Operation::Hello {})));
    }

    #[test]
    fn an_id_comes_back_as_it_was_sent() {
        let (id, _) = parse(br#"{"op":"hello","id":{"n":33333333166666645e33}}"#);
        let said = answer(&id, &Ok(json!({})));
        assert_eq!(parse(said.as_bytes()).0, id);
        assert!(said.contains("3.3333333166666647e+49"), "the nearest double, shortest: {said}");
    }

    #[test]
    fn mistakes_name_what_is_wrong_and_keep_the_id() {
        for (line, id, word) in [
            (&br#"{"id":1,"op":"explode"}"#[..], json!(1), "explode"),
            (br#"{"id":1,"op":"remove_tunnel"}"#, json!(1), "if_id"),
            (br#"{"id":1,"op":"remove_tunnel","if_id":-1}"#, json!(1), "-1"),
            (br#"{"id":1,"op":"remove_tunnel","if_id":1,"colour":2}"#, json!(1), "colour"),
            (br#"{"id":1}"#, json!(1), "op"),
            (b"[1]", Value::Null, "JSON object"),
            (b"{", Value::Null, "JSON object"),
        ] {
            let (parsed, result) = parse(line);
            let failure = result.unwrap_err();
            assert_eq!((parsed, failure.code), (id, Code::InvalidArgument));
            assert!(failure.message.contains(word), "{}", failure.message);
        }
    }

    #[test]
    fn answers_are_lines() {
        assert_eq!(answer(&json!(1), &Ok(json!({"changed": true}))), "{\"id\":1,\"ok\":{\"changed\":true}}\n");
        let failure = Failure::from(io::Error::new(io::ErrorKind::AlreadyExists, "name t1 is taken"));
        assert_eq!(
            answer(&Value::Null, &Err(failure)),
            "{\"error\":{\"code\":\"conflict\",\"message\":\"name t1 is taken\"},\"id\":null}\n"
        );
    }
}
