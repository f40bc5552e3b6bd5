//! SAs and tunnels as the control socket describes them.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::crypto::Library;
use crate::dataplane::{Features, TunInfo};
use crate::sandbox::filter::Mode;
use crate::xfrm::Now;
use crate::xfrm::engine::Engine;
use crate::xfrm::publish::PolicyIndex;
use crate::xfrm::request::Direction;
use crate::xfrm::sad::Installed;

/// What the kernel and the processor can do for us, and what of it is used.
#[derive(Clone, Debug, Serialize)]
pub struct FeatureReport {
    /// Of TUN devices: checksums left to us, TCP segments joined (TSO4, TSO6), UDP datagrams joined (USO4, USO6).
    pub tun_csum: bool,
    pub tun_tso: bool,
    pub tun_uso: bool,
    /// UDP_SEGMENT; false as well after the kernel refused to use it.
    pub udp_gso: bool,
    /// UDP_GRO.
    pub udp_gro: bool,
    /// The library that does AES-GCM, with its version.
    pub crypto: String,
    /// `kill`, `log` or `off`.
    pub seccomp: &'static str,
}

impl FeatureReport {
    pub fn new(features: Features, seccomp: Mode) -> FeatureReport {
        let Features { tun_csum, tun_tso, tun_uso, udp_gso, udp_gro } = features;
        let (crypto, seccomp) = (Library::best().to_string(), seccomp.name());
        FeatureReport { tun_csum, tun_tso, tun_uso, udp_gso, udp_gro, crypto, seccomp }
    }
}

/// One line for the log.
impl fmt::Display for FeatureReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |there: bool| if there { "yes" } else { "no" };
        write!(
            f,
            "tun_csum {} tun_tso {} tun_uso {} udp_gso {} udp_gro {} crypto {} seccomp {}",
            word(self.tun_csum),
            word(self.tun_tso),
            word(self.tun_uso),
            word(self.udp_gso),
            word(self.udp_gro),
            self.crypto,
            self.seccomp
        )
    }
}

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
