"""What is on the wire, read by another implementation: tshark decrypts a capture with the keys that stock charon wrote
into its log, and judges integrity, checksums and form.

The keys come from the peer's charon (log level 4 of its group CHD), which derived them from the key exchange itself;
nothing that is judged here comes from twinbore-esp. What it sends has to be right in form too: sequence numbers from 1
without a gap, no initialisation vector twice, padding 1, 2, 3, …

The devices' offloads are off, so that the capture has packets as a wire does, with their checksums.

References: RFC 4303 2 (format), RFC 4106, RFC 3602, RFC 3948 2.1 (UDP checksum).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.namespace.esp_site import DAEMON, Child, Pair, Site, StockSite, UserSite, prepared, transfer
from twinbore.lab.namespaces import inside, run

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not DAEMON.exists(), reason="twinbore-esp is not built: cargo build --release in esp/"),
    pytest.mark.timeout(60),
]

ALGORITHMS = {
    "aes128gcm16": ("AES-GCM with 16 octet ICV [RFC4106]", "NULL"),
    "aes256gcm8": ("AES-GCM with 8 octet ICV [RFC4106]", "NULL"),
    "aes128-sha256": ("AES-CBC [RFC3602]", "HMAC-SHA-256-128 [RFC4868]"),
    "aes256-sha512": ("AES-CBC [RFC3602]", "HMAC-SHA-512-256 [RFC4868]"),
}
"""charon's name → tshark's encryption and integrity."""
SIZES = (0, 1, 2, 3, 57, 500)
OCTETS = 100_000
GOOD = "1"
CHECKS = ("esp.enable_encryption_decode", "esp.enable_authentication_check", "ip.check_checksum", "tcp.check_checksum")


@dataclass(frozen=True)
class Keys:
    """Of one direction, as hexadecimal digits; `integrity` is empty for GCM."""

    encryption: str
    integrity: str


def keys_in(log: str, role: str) -> Keys:
    """The keys of what `role`, initiator or responder, sends, from charon's log."""
    return Keys(_dumped(log, f"encryption {role} key"), _dumped(log, f"integrity {role} key"))


def _dumped(log: str, what: str) -> str:
    """The digits of a dump in charon's log: lines of 16 octets after one with the length. Empty if there is none."""
    dump = re.search(rf"{what} => (\d+) bytes.*\n((?:.*\[CHD\] +\d+: .*\n)+)", log)
    if dump is None:
        return ""
    lines = [line.split(": ", 1)[1].split("  ")[0] for line in dump[2].splitlines()]
    digits = "".join(lines).replace(" ", "")
    assert len(digits) == 2 * int(dump[1])
    return digits


@contextmanager
def captured(site: Site, file: Path) -> Iterator[None]:
    """Everything on the wire of `site` goes into a file."""
    command = ["tcpdump", "-i", "wan", "-U", "--immediate-mode", "-B", "16384", "-w", str(file)]
    process = subprocess.Popen(inside(site.underlay, command), stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None and "listening" in process.stderr.readline()
        yield
        time.sleep(0.2)
    finally:
        process.terminate()
        said = process.communicate()[1]
    assert "0 packets dropped by kernel" in said


def read(file: Path, site: Site, peer: Site, child: dict[str, Any], keys: Keys, proposal: str) -> list[dict[str, Any]]:
    """The ESP packets from `site` to `peer`, as tshark's layers; `child` is the receiver's."""
    spi = f"0x{child['spi-in'].decode()}"
    encryption, integrity = ALGORITHMS[proposal]
    family = f"IPv{site.outside.version}"
    key = f'"0x{keys.encryption}","{integrity}","{"0x" + keys.integrity if keys.integrity else ""}"'
    association = f'"{family}","{site.outside.ip}","{peer.outside.ip}","{spi}","{encryption}",{key}'
    options = [f"-o{name}:TRUE" for name in (*CHECKS, "udp.check_checksum")]
    command = ["tshark", "-r", file, *options, f"-ouat:esp_sa:{association}", "-Y", f"esp.spi == {spi}", "-T", "json"]
    packets = json.loads(run([*command, "--no-duplicate-keys"]))
    return [packet["_source"]["layers"] for packet in packets]


def every(value: Any, name: str) -> list[Any]:
    """All values of a field, wherever it is in the layers."""
    if isinstance(value, list):
        return [found for item in value for found in every(item, name)]
    if not isinstance(value, dict):
        return []
    own = value.get(name, [])
    return (own if isinstance(own, list) else [own]) + [
        found for key, item in value.items() if key != name for found in every(item, name)
    ]


def exchange(a: Site, b: Site) -> None:
    for size in SIZES:
        assert a.ping(b, count=2, size=size)
        assert a.ping(b, count=2, size=size, version=6)
    assert transfer(a.traffic, b.traffic, b.inside_address, OCTETS)


def without_offloads(site: Site) -> None:
    run(["ethtool", "-K", "wan", "tx", "off", "tso", "off", "gso", "off", "gro", "off"], namespace=site.underlay)


def check(packets: list[dict[str, Any]], *, encap: bool) -> None:
    """Integrity, form, and what was inside."""
    count = len(packets)
    assert count > 4 * len(SIZES) + OCTETS // 1500
    esp = [packet["esp"] for packet in packets]
    assert every(esp, "esp.icv_good") == [GOOD] * count
    assert sorted(int(number) for number in every(esp, "esp.sequence")) == list(range(1, count + 1))
    vectors = every(esp, "esp.iv")
    assert len(vectors) == len(set(vectors)) == count
    for packet in esp:
        length = int(every(packet, "esp.pad_len")[0])
        padding = ":".join(f"{octet:02x}" for octet in range(1, length + 1))
        assert every(packet, "esp.pad") == ([padding] if length else [])
    if encap:
        for packet in packets:
            udp = packet["udp"]
            assert udp["udp.checksum"] == "0x0000" or udp["udp.checksum.status"] == GOOD
    assert every(packets, "icmp.type").count("8") == 2 * len(SIZES)
    assert every(packets, "icmpv6.type").count("128") == 2 * len(SIZES)
    for field in ("icmp.checksum.status", "icmpv6.checksum.status", "tcp.checksum.status", "ip.checksum.status"):
        assert set(every(packets, field)) == {GOOD}, field
    # By octet, not by segment: a slow peer has some sent twice.
    segments = zip(every(packets, "tcp.seq"), every(packets, "tcp.len"), strict=True)
    octets = {int(seq) + offset for seq, length in segments for offset in range(int(length))}
    assert octets == set(range(1, OCTETS + 1))


@pytest.mark.parametrize("proposal", ["aes128gcm16", "aes128-sha256"])
def test_what_a_stock_peer_gets_is_right_on_the_wire(tmp_path: Path, proposal: str) -> None:
    with ExitStack() as stack:
        pair = Pair(tmp_path, stack)
        a, b = pair.user("a", 1), pair.stock("b", 2)
        read_back(stack, a, b, Child(proposal), tmp_path)


@pytest.mark.parametrize(("proposal", "version"), [("aes128gcm16", 4), ("aes128-sha256", 4), ("aes256gcm8", 6)])
def test_plain_esp_is_right_on_the_wire(tmp_path: Path, proposal: str, version: int) -> None:
    with ExitStack() as stack:
        pair = Pair(tmp_path, stack)
        a, b = pair.user("a", 1, version), pair.user("b", 2, version)
        read_back(stack, a, b, Child(proposal, encap=False), tmp_path)


def read_back(stack: ExitStack, a: UserSite, b: UserSite | StockSite, child: Child, directory: Path) -> None:
    """Sends through the tunnel, and judges what the capture has."""
    b.charon.child_log_level = 4
    stack.enter_context(prepared(a, b, child))
    for site in (a, b):
        without_offloads(site)
    file = directory / "wire.pcap"
    with captured(a, file):
        a.initiate()
        if isinstance(b, StockSite):
            b.route(a)
        exchange(a, b)
    (installed,) = b.children()
    keys = keys_in(b.charon.log(), "initiator")
    check(read(file, a, b, installed, keys, child.proposal), encap=child.encap)
    wrong = replace(keys, integrity=altered(keys.integrity)) if keys.integrity else Keys(altered(keys.encryption), "")
    packets = read(file, a, b, installed, wrong, child.proposal)
    assert packets and GOOD not in every(packets, "esp.icv_good"), "tshark accepts any key"
    assert a.drops() == {}


def altered(digits: str) -> str:
    """A key that differs in one bit."""
    return f"{int(digits[0], 16) ^ 1:x}{digits[1:]}"
