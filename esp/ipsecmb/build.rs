//! Compiles the glue to Intel's library where its header is there (Debian: libipsec-mb-dev, on amd64 only); elsewhere the
//! crate is empty and says so at run time.

use std::env;
use std::path::Path;

const GLUE: &str = "src/glue.c";

fn main() {
    println!("cargo::rerun-if-changed={GLUE}");
    println!("cargo::rustc-check-cfg=cfg(ipsec_mb)");
    let x86_64 = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64");
    if !x86_64 || !has_header() {
        return;
    }
    cc::Build::new().file(GLUE).warnings(true).extra_warnings(true).compile("twinbore_esp_ipsecmb_glue");
    println!("cargo::rustc-link-lib=dylib=IPSec_MB");
    println!("cargo::rustc-cfg=ipsec_mb");
}

/// Whether the compiler finds the library's header.
fn has_header() -> bool {
    let probe = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("probe.c");
    std::fs::write(&probe, "#include <intel-ipsec-mb.h>\n").expect("OUT_DIR can be written to");
    cc::Build::new().file(&probe).cargo_warnings(false).try_expand().is_ok()
}
