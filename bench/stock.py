"""The rival: stock strongSwan with its user-space ESP (kernel-libipsec) at both ends, AES-128-GCM.

Each charon has a /run and a configuration of its own in a mount namespace. The plugin `openssl` is loaded and `aes` and
`gcm` are not, which is what makes libipsec as quick as it can be.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.bed import GATEWAYS, NETWORKS, other
from bench.measure import seconds_until
from twinbore.lab.namespaces import inside, run
from twinbore.lab.topology import Lab

_CHARON: Final = "/usr/lib/ipsec/charon"
_STRONGSWAN_CONF: Final = """\
charon {
    load = random nonce openssl kdf vici kernel-libipsec kernel-netlink socket-default
    install_virtual_ip = no
    filelog { log { path = /run/charon.log
        default = 0 } }
    plugins { vici { socket = unix:///run/charon.vici } }
}
"""
_SWANCTL_CONF: Final = """\
connections {{ bench {{
    version = 2
    local_addrs = {here}
    remote_addrs = {there}
    encap = yes
    mobike = no
    proposals = aes128gcm16-prfsha256-ecp256
    local {{ auth = psk }}
    remote {{ auth = psk }}
    children {{ bench {{
        local_ts = {local}
        remote_ts = {remote}
        esp_proposals = aes128gcm16-ecp256 }} }}
}} }}
secrets {{ ike-bench {{ secret = "a key for benchmarks only" }} }}
"""
_LAUNCH: Final = (
    'mount --bind "$1/strongswan.conf" /etc/strongswan.conf; mount --bind "$1/swanctl" /etc/swanctl;'
    'mount --bind "$1/run" /run; exec "$2"'
)


@contextmanager
def libipsec(lab: Lab, work: Path) -> Iterator[None]:
    """The tunnel between the bed's gateways, while the context lasts."""
    charons: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for gateway in GATEWAYS:
            charons[gateway] = _start(lab, gateway, work / f"libipsec-{gateway}")
        swanctl(lab, "west", charons["west"], "--initiate", "--child", "bench")
        yield
    finally:
        for charon in charons.values():
            charon.terminate()
            charon.wait()


def swanctl(lab: Lab, gateway: str, charon: subprocess.Popen[bytes], *arguments: str) -> None:
    run(["nsenter", "--target", str(charon.pid), "--mount", "swanctl", *arguments], namespace=lab.name(gateway))


def _start(lab: Lab, gateway: str, home: Path) -> subprocess.Popen[bytes]:
    (home / "run").mkdir(parents=True)
    (home / "swanctl").mkdir()
    (home / "strongswan.conf").write_text(_STRONGSWAN_CONF)
    peer = other(gateway)
    (home / "swanctl" / "swanctl.conf").write_text(
        _SWANCTL_CONF.format(
            here=GATEWAYS[gateway], there=GATEWAYS[peer], local=NETWORKS[gateway], remote=NETWORKS[peer]
        )
    )
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", _LAUNCH, "sh", str(home), _CHARON]
    with (home / "output").open("wb") as output:
        charon = subprocess.Popen(
            inside(lab.name(gateway), command), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    seconds_until((home / "run" / "charon.vici").exists, 10, "charon's socket")
    swanctl(lab, gateway, charon, "--load-all", "--noprompt")
    return charon
