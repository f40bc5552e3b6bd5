//! Framing between charon's shim and the daemon: greetings, verdicts and the header in front of IKE datagrams.
#![no_main]

use libfuzzer_sys::fuzz_target;
use twinbore_esp_wire::{Hello, IkeHeader, Verdict};

fuzz_target!(|octets: &[u8]| {
    if let Ok(hello) = Hello::decode(octets) {
        assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
        // A greeting has one form: everything that a greeting does not use must be what we write.
        if !matches!(hello, Hello::Xfrm { .. }) {
            assert_eq!(hello.encode(), octets);
        }
    }
    if let Some(verdict) = Verdict::decode(octets) {
        assert_eq!(verdict.encode(), octets);
    }
    if let Some(header) = IkeHeader::decode(octets) {
        assert_eq!(octets.len(), IkeHeader::SIZE);
        assert_eq!(IkeHeader::decode(&header.encode()), Some(header));
        assert_eq!(header.from.is_ipv4(), header.local.is_ipv4(), "one family");
    }
});
