"""Configurations read by the software they are for: each is written below a directory, by its own script, and checked.

* strongSwan (swanctl and charon) and FRR are those of the lab;
* OpenBSD's iked and bgpd and Libreswan's parsers are fetched by scripts/device-software.

iked wants its user and the interfaces to be there, so it is run where they are: in a network namespace of its own, with
a list of users of its own.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.namespace.device_router import CHARON_CONF, LAUNCH, eventually
from tests.unit.devices.cases import ALL, Case
from twinbore.lab import namespaces
from twinbore.lab.namespaces import inside, run

SOFTWARE = Path(__file__).parents[2] / "build" / "device-software" / "root"
LIBRARIES = sorted({str(path.parent) for path in SOFTWARE.rglob("*.so*")})
NAME = "vpn-0a1b2c3d"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
fetched = pytest.mark.skipif(not SOFTWARE.is_dir(), reason="not here: scripts/device-software fetches it")


def of_type(device: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", [case for case in ALL if case.device.id == device], ids=str)


def written(case: Case, directory: Path) -> Path:
    """The files that the device's script writes, below a directory."""
    script = directory / "device.sh"
    script.write_text(case.text())
    root = directory / "root"
    done = subprocess.run(
        ["sh", str(script)],
        env={"PATH": os.environ["PATH"], "DESTDIR": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return root


def checked(*command: str | Path, namespace: str | None = None) -> str:
    """What a program says about a file that it takes."""
    environment = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": ":".join(LIBRARIES)}
    done = subprocess.run(inside(namespace, command), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def check_frr(file: Path) -> None:
    assert "rror" not in checked("vtysh", "--dryrun", "--inputfile", file)


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    """A network namespace with the tunnel interfaces of an OpenBSD host, and nothing else."""
    name = f"tbw{os.getpid():x}"
    namespaces.create(name)
    run(["ip", "-n", name, "link", "add", "sec101", "type", "veth", "peer", "name", "sec102"])
    try:
        yield name
    finally:
        namespaces.remove(name)


@fetched
@of_type("c9035ea7")
def test_libreswan_takes_its_configuration(case: Case, tmp_path: Path) -> None:
    root = written(case, tmp_path)
    checked(SOFTWARE / "usr/libexec/ipsec/addconn", "--config", root / "etc/ipsec.d" / f"{NAME}.conf", "--checkconfig")
    lines = [line.strip() for line in (root / "etc/ipsec.d" / f"{NAME}.conf").read_text().splitlines()]
    version = "-v2" if case.ike_version == "ikev2" else "-v1"
    for line in lines:
        if line.startswith(("ike=", "esp=")):
            said = checked(SOFTWARE / "usr/libexec/ipsec/algparse", version, "-pfs", line)
            assert "ERROR" not in said
    check_frr(root / "etc/frr" / f"{NAME}.conf")
    checked("nft", "--check", "--file", root / "etc" / f"nftables-{NAME}.nft")


@fetched
@of_type("6e62f3e3")
def test_openswan_s_heir_takes_its_configuration(case: Case, tmp_path: Path) -> None:
    root = written(case, tmp_path)
    checked(SOFTWARE / "usr/libexec/ipsec/addconn", "--config", root / "etc/ipsec.d" / f"{NAME}.conf", "--checkconfig")


@fetched
@of_type("f58b20d6")
def test_openbsd_s_daemons_take_their_configuration(case: Case, tmp_path: Path, host: str) -> None:
    root = written(case, tmp_path)
    users = tmp_path / "passwd"
    users.write_text(Path("/etc/passwd").read_text() + "_iked:x:9998:9998::/:/bin/false\n")
    program = 'mount --bind "$1" /etc/passwd; exec "$2" -n -f "$3"'
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", program, "sh", users]
    said = checked(*command, SOFTWARE / "usr/sbin/iked", root / "etc/iked" / f"{NAME}.conf", namespace=host)
    assert "configuration OK" in said
    if case.routing == "bgp":
        checked(SOFTWARE / "usr/sbin/bgpd", "-n", "-f", root / "etc" / f"bgpd-{NAME}.conf")


@of_type("a7f41d20")
def test_strongswan_takes_its_configuration(case: Case, tmp_path: Path, host: str) -> None:
    root = written(case, tmp_path)
    home = tmp_path / "charon"
    (home / "run").mkdir(parents=True)
    (home / "swanctl").symlink_to(root / "etc/swanctl")
    (home / "strongswan.conf").write_text(CHARON_CONF.format(ports="", table=100, mark="0x100"))
    (root / "etc/swanctl/swanctl.conf").write_text("include conf.d/*.conf\n")
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", LAUNCH, "sh", str(home)]
    charon = subprocess.Popen(inside(host, command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually((home / "run" / "charon.vici").exists, 10, lambda: "charon runs")
        swanctl = ["nsenter", "-t", str(charon.pid), "-m", "swanctl"]
        assert "loaded 2 connections" in run([*swanctl, "--load-all", "--noprompt"], namespace=host)
        shown = run([*swanctl, "--list-conns"], namespace=host)
        assert all(f"{NAME}-{index}: {case.ike_version.upper().replace('IKEV', 'IKEv')}" in shown for index in (1, 2))
    finally:
        charon.terminate()
        charon.wait()
    if case.routing == "bgp":
        check_frr(root / "etc/frr" / f"{NAME}.conf")
    checked("nft", "--check", "--file", root / "etc" / f"nftables-{NAME}.nft")
