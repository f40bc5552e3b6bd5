//! What the operations of the control socket do.

use std::process;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::{Value, json};

use super::report::{self, FeatureReport, TunnelReport};
use super::wire::{Code, Failure, Operation};
use crate::dataplane::{Dataplane, TunSpec};
use crate::ike::IkeRouter;
use crate::log;
use crate::sandbox::filter::Mode;
use crate::xfrm::controller::Controller;

pub struct Operations {
    pub controller: Arc<Controller<Arc<Dataplane>>>,
    pub ike: Arc<IkeRouter>,
    pub workers: usize,
    pub natt_port: u16,
    /// What becomes of forbidden system calls.
    pub seccomp: Mode,
    /// Held while tunnels change: to look and then to change is one step.
    changing: Mutex<()>,
}

impl Operations {
    pub fn new(
        controller: Arc<Controller<Arc<Dataplane>>>,
        ike: Arc<IkeRouter>,
        workers: usize,
        natt_port: u16,
        seccomp: Mode,
    ) -> Operations {
        Operations { controller, ike, workers, natt_port, seccomp, changing: Mutex::new(()) }
    }

    pub fn perform(&self, operation: Operation) -> Result<Value, Failure> {
        match operation {
            Operation::Hello {} => Ok(self.hello()),
            Operation::AddTunnel { if_id, netns, name, mtu } => {
                self.add_tunnel(&TunSpec { if_id, netns, name, mtu }).map(|changed| json!({"changed": changed}))
            }
            Operation::RemoveTunnel { if_id } => self.remove_tunnel(if_id).map(|changed| json!({"changed": changed})),
            Operation::RemoveTunnels { if_ids } => {
                self.remove_tunnels(&if_ids).map(|removed| json!({"removed": removed}))
            }
            Operation::ListTunnels {} => {
                let tunnels: Vec<TunnelReport> =
                    self.dataplane().tuns().into_iter().map(TunnelReport::from).collect();
                Ok(json!({"tunnels": tunnels}))
            }
            Operation::ListSas {} => Ok(json!({"sas": self.controller.read(report::sas)})),
            Operation::RemoveSas { if_id } => Ok(self.remove_sas(if_id)),
            Operation::Stats {} => Ok(self.stats()),
        }
    }

    fn dataplane(&self) -> &Dataplane {
        &self.controller.data
    }

    fn hello(&self) -> Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "pid": process::id(),
            "workers": self.workers,
            "natt_port": self.natt_port,
            "uptime_s": self.controller.uptime().as_millis() as f64 / 1000.0,
            "features": FeatureReport::new(self.dataplane().features(), self.seccomp),
        })
    }

    /// Whether anything had to be done.
    fn add_tunnel(&self, spec: &TunSpec) -> Result<bool, Failure> {
        if spec.if_id == 0 {
            return Err(Failure::new(Code::InvalidArgument, "if_id 0: 1 to 4294967295 is allowed"));
        }
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let present = self.dataplane().tun(spec.if_id);
        let present = match present {
            Some(tun) if tun.lost => {
                self.dataplane().remove_tun(spec.if_id)?;
                None
            }
            other => other.map(|tun| tun.spec),
        };
        match present {
            None => {
                self.dataplane().add_tun(spec)?;
                log::notice(format_args!("tunnel {} is {} (mtu {})", spec.if_id, place(spec), spec.mtu));
                Ok(true)
            }
            Some(present) if present == *spec => Ok(false),
            Some(present) if (&present.netns, &present.name) == (&spec.netns, &spec.name) => {
                self.dataplane().set_mtu(spec.if_id, spec.mtu)?;
                log::notice(format_args!("tunnel {} has mtu {}", spec.if_id, spec.mtu));
                Ok(true)
            }
            Some(present) => {
                let text =
                    format!("tunnel {} is {}, not {}: remove it first", spec.if_id, place(&present), place(spec));
                Err(Failure::new(Code::Conflict, text))
            }
        }
    }

    fn remove_tunnel(&self, if_id: u32) -> Result<bool, Failure> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = self.dataplane().remove_tun(if_id)?;
        if changed {
            log::notice(format_args!("tunnel {if_id} removed"));
        }
        Ok(changed)
    }

    fn remove_tunnels(&self, if_ids: &[u32]) -> Result<Vec<u32>, Failure> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let removed = self.dataplane().remove_tuns(if_ids)?;
        if !removed.is_empty() {
            log::notice(format_args!("{} tunnels removed", removed.len()));
        }
        Ok(removed)
    }

    fn remove_sas(&self, if_id: u32) -> Value {
        let ((sas, policies), _) = self.controller.change(|engine, _, effects| {
            let (sas, policies) = engine.remove_tunnel(if_id, effects);
            if sas + policies > 0 {
                effects.notes.push(format!("{sas} SAs and {policies} policies of if_id {if_id} removed on request"));
            }
            (sas, policies)
        });
        json!({"changed": sas + policies > 0, "sas": sas, "policies": policies})
    }

    fn stats(&self) -> Value {
        #[derive(Serialize)]
        struct Databases {
            sas: usize,
            orphan_sas: usize,
            larval_sas: usize,
            policies: usize,
            clients: usize,
        }
        let databases = self.controller.read(|engine, _| Databases {
            sas: engine.sad.installed().count(),
            orphan_sas: engine.sad.installed().filter(|installed| engine.is_orphan(installed)).count(),
            larval_sas: engine.sad.larval_count(),
            policies: engine.spd.len(),
            clients: engine.generations.count(),
        });
        let snapshot = self.dataplane().counters();
        let mut drops = snapshot.drops;
        drops.insert("ike_not_taken", self.ike.dropped());
        json!({"counters": snapshot.totals, "drops": drops, "xfrm": databases})
    }
}

fn place(spec: &TunSpec) -> String {
    match &spec.netns {
        Some(netns) => format!("{} in namespace {netns}", spec.name),
        None => format!("{} in the underlay", spec.name),
    }
}
