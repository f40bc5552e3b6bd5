//! Lines on the control socket: whatever comes, there is one answer, on one line, with the request's `id`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use twinbore_esp::control::wire;

fuzz_target!(|line: &[u8]| {
    let (id, operation) = wire::parse(line);
    let (key, result) = match &operation {
        Ok(operation) => ("ok", Ok(json!({"echo": operation}))),
        Err(failure) => ("error", Err(failure.clone())),
    };
    let answer = wire::answer(&id, &result);
    assert_eq!(answer.find('\n'), Some(answer.len() - 1), "one line");
    let parsed: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(parsed["id"], id);
    assert!(parsed.get(key).is_some() && parsed.as_object().is_some_and(|members| members.len() == 2));

    if let Ok(operation) = operation {
        // The same operation, written as we would write it, means the same.
        let mut again = serde_json::to_value(&operation).expect("JSON");
        again["id"] = id.clone();
        let (same_id, same) = wire::parse(again.to_string().as_bytes());
        assert_eq!((same_id, same), (id, Ok(operation)));
    }
});
