"""The rival, and the stranger: stock strongSwan with its user-space ESP (kernel-libipsec) at one end of a bed.

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
from bench.cipher import IKE_PROPOSAL, Suite
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
    proposals = {ike}
    local {{ auth = psk }}
    remote {{ auth = psk }}
    children {{ bench {{
        local_ts = {local}
        remote_ts = {remote}
        esp_proposals = {esp}-ecp256 }} }}
}} }}
secrets {{ ike-bench {{ secret = "{key}" }} }}
"""
_LAUNCH: Final = (
    'mount --bind "$1/strongswan.conf" /etc/strongswan.conf; mount --bind "$1/swanctl" /etc/swanctl;'
    'mount --bind "$1/run" /run; exec "$2"'
)


@contextmanager
def end(lab: Lab, gateway: str, suite: Suite, key: str, home: Path) -> Iterator[int]:
    """One end of the tunnel, while the context lasts; gives the process id of charon, whose threads do ESP.

    West initiates, so the other end has to be there first.
    """
    charon = _start(lab, gateway, suite, key, home)
    try:
        seconds_until((home / "run" / "charon.vici").exists, 10, f"{lab.prefix}: charon's socket")
        _swanctl(lab, gateway, charon, "--load-all", "--noprompt")
        if gateway == "west":
            _swanctl(lab, gateway, charon, "--initiate", "--child", "bench")
        yield charon.pid
    finally:
        charon.terminate()
        charon.wait()


def _swanctl(lab: Lab, gateway: str, charon: subprocess.Popen[bytes], *arguments: str) -> None:
    run(["nsenter", "--target", str(charon.pid), "--mount", "swanctl", *arguments], namespace=lab.name(gateway))


def _start(lab: Lab, gateway: str, suite: Suite, key: str, home: Path) -> subprocess.Popen[bytes]:
    (home / "run").mkdir(parents=True)
    (home / "swanctl").mkdir()
    (home / "strongswan.conf").write_text(_STRONGSWAN_CONF)
    peer = other(gateway)
    (home / "swanctl" / "swanctl.conf").write_text(
        _SWANCTL_CONF.format(
            here=GATEWAYS[gateway],
            there=GATEWAYS[peer],
            local=NETWORKS[gateway],
            remote=NETWORKS[peer],
            ike=IKE_PROPOSAL,
            esp=suite.proposal,
            key=key,
        )
    )
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", _LAUNCH, "sh", str(home), _CHARON]
    with (home / "output").open("wb") as output:
        return subprocess.Popen(
            inside(lab.name(gateway), command), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
