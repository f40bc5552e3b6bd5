//! SAs and tunnels as the control socket describes them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::dataplane::TunInfo;
use crate::xfrm::Now;
use crate::xfrm::engine::Engine;
use crate::xfrm::publish::PolicyIndex;
use crate::xfrm::request::Direction;
use crate::xfrm::sad::Installed;

#[derive(Debug, Serialize)]
pub struct SaReport {
    /// Eight hexadecimal digits.
    pub spi: String,
    pub src: String,
    pub dst: String,
    /// `in`, `out` or `unknown`.
    pub direction: &'static str,
    pub if_id: u32,
    pub reqid: u32,
    pub suite: String,
    pub encap: Option<EncapReport>,
    pub esn: bool,
    /// Packets.
    pub replay_window: u32,
    pub bytes: u64,
    pub packets: u64,
    pub age_s: u64,
    /// Seconds since the last packet; without any, since it was installed.
    pub idle_s: u64,
    /// Its charon is gone.
    pub orphan: bool,
}

#[derive(Debug, Serialize)]
pub struct EncapReport {
    pub src_port: u16,
    pub dst_port: u16,
}

#[derive(Debug, Serialize)]
pub struct TunnelReport {
    pub if_id: u32,
    pub netns: Option<String>,
    pub name: String,
    pub mtu: u32,
    /// Somebody else deleted the device; `add_tunnel` makes it again.
    pub lost: bool,
    pub rx_packets: u64,
    pub rx_bytes: u64,
    pub tx_packets: u64,
    pub tx_bytes: u64,
    pub drops: BTreeMap<&'static str, u64>,
}

/// Every installed SA, by destination and SPI.
pub fn sas(engine: &Engine, now: Now) -> Vec<SaReport> {
    let index = PolicyIndex::new(engine.spd.iter());
    engine.sad.installed().map(|installed| sa(engine, &index, installed, now)).collect()
}

fn sa(engine: &Engine, index: &PolicyIndex, installed: &Installed, now: Now) -> SaReport {
    let config = &installed.sa.config;
    let age_s = installed.age(now);
    let idle_s = match installed.last_used() {
        0 => age_s,
        last => now.wall.saturating_sub(last),
    };
    SaReport {
        spi: format!("{:08x}", config.spi),
        src: config.src.to_string(),
        dst: config.dst.to_string(),
        direction: match index.direction(installed) {
            Some(Direction::In) => "in",
            Some(Direction::Out) => "out",
            _ => "unknown",
        },
        if_id: config.if_id,
        reqid: config.reqid,
        suite: config.suite.to_string(),
        encap: config.encap.map(|encap| EncapReport { src_port: encap.src_port, dst_port: encap.dst_port }),
        esn: config.esn,
        replay_window: config.replay_window,
        bytes: installed.bytes(),
        packets: installed.packets(),
        age_s,
        idle_s,
        orphan: engine.is_orphan(installed),
    }
}

impl From<TunInfo> for TunnelReport {
    fn from(info: TunInfo) -> TunnelReport {
        let TunInfo { spec, lost, counters } = info;
        TunnelReport {
            if_id: spec.if_id,
            netns: spec.netns,
            name: spec.name,
            mtu: spec.mtu,
            lost,
            rx_packets: counters.rx_packets,
            rx_bytes: counters.rx_bytes,
            tx_packets: counters.tx_packets,
            tx_bytes: counters.tx_bytes,
            drops: counters.drops,
        }
    }
}
