//! Parsing of IP headers, the traffic class, and ICMP errors, on arbitrary octets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use twinbore_esp::packet::icmp;
use twinbore_esp::packet::ip::{Layout, Version, set_tos};
use twinbore_esp_fuzz::{Script, model, packets};

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    let (tos, mtu) = (script.u8(), u32::from(script.u16()));
    let packet = if script.chance() { packets::any(&mut script) } else { script.octets(usize::MAX).to_vec() };
    let outline = model::outline(&packet);
    let Some(layout) = Layout::parse(&packet) else { return assert_eq!(outline, None) };
    let found = model::Outline {
        v6: layout.version == Version::V6,
        len: layout.len,
        upper: layout.upper,
        proto: layout.proto,
        fragment: layout.fragment,
        later_fragment: layout.later_fragment,
    };
    assert_eq!(outline, Some(found));
    assert_eq!(layout.dont_fragment, found.v6 || packet[6] & 0x40 != 0);
    assert_eq!(layout.tos, model::tos(&packet));

    let whole = &packet[..layout.len];
    let flow = layout.flow(whole);
    let (at, half) = if found.v6 { (8, 16) } else { (12, 4) };
    let octets = |ip: std::net::IpAddr| match ip {
        std::net::IpAddr::V4(v4) => v4.octets().to_vec(),
        std::net::IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    assert_eq!(
        (&octets(flow.src)[..], &octets(flow.dst)[..]),
        (&whole[at..at + half], &whole[at + half..at + 2 * half])
    );

    let mut changed = whole.to_vec();
    set_tos(&mut changed, layout.version, tos);
    if tos != layout.tos {
        assert_eq!(changed, model::with_tos(whole, tos));
    }
    assert_eq!(Layout::parse(&changed).map(|layout| layout.tos), Some(tos));

    if let Some(error) = icmp::too_big(whole, &layout, mtu) {
        let about = Layout::parse(&error).expect("a packet");
        assert_eq!(about.len, error.len());
        assert!(error.len() <= if found.v6 { 1280 } else { 576 });
        assert!(icmp::too_big(&error, &about, mtu).is_none(), "an error about an error");
    }
});
