"""Kernel settings: those of each namespace, and those of the whole machine that set-up has to raise.

The namespaces' settings are ours to write. The neighbour table is one for the whole machine, and its limits are
settings of the root namespace: they are only reported here (`machine_problems`), for whoever sets up the machine.

References: kernel Documentation/networking/ip-sysctl.rst; RFC 3704 (reverse path filtering); RFC 1812 section 5.2.7.2
(redirects).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROOT: Final = Path("/proc/sys")

NAMESPACE: Final[dict[str, str]] = {
    "net/ipv4/ip_forward": "1",
    # A flow stays on one of several equal paths: hash over addresses and ports.
    "net/ipv4/fib_multipath_hash_policy": "1",
    # Tunnels are asymmetric by right; sources are checked by the packet filter, which counts what it drops.
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    # Proxy ARP makes every neighbour look on-link: a redirect would only tell workloads to bypass the filters.
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    "net/ipv4/conf/all/accept_redirects": "0",
    "net/ipv4/conf/default/accept_redirects": "0",
    # The plan is IPv4 only; without this every tunnel would carry router solicitations and multicast reports.
    "net/ipv6/conf/all/disable_ipv6": "1",
    "net/ipv6/conf/default/disable_ipv6": "1",
}
"""Settings of a VPC's and of a routing domain's namespace, by path below /proc/sys."""

PORT: Final[dict[str, str]] = {
    "net/ipv4/conf/{device}/proxy_arp": "1",
    # The kernel waits a random time of up to 0.8 s before it answers for others, unless told not to.
    "net/ipv4/neigh/{device}/proxy_delay": "0",
    "net/ipv4/conf/{device}/rp_filter": "0",
    "net/ipv4/conf/{device}/send_redirects": "0",
}
"""Settings of a port's interface in the VPC's namespace."""


@dataclass(frozen=True, slots=True)
class MachineSetting:
    """A setting of the root namespace with the least value that a gateway host needs, and why."""

    name: str
    least: int
    reason: str


_NEIGHBOURS = (
    "the neighbour table is shared by all network namespaces; when it is full, tunnels and workloads get no answer "
    "('neighbour table overflow' in the kernel's log)"
)
MACHINE: Final = tuple(
    MachineSetting(f"net.{family}.neigh.default.gc_thresh{level}", least, _NEIGHBOURS)
    for family in ("ipv4", "ipv6")
    for level, least in ((1, 8192), (2, 16384), (3, 32768))
)
"""What set-up should raise on the machine, in the root namespace."""


def ensure(settings: dict[str, str], device: str = "") -> list[str]:
    """Write the settings that differ, in the calling thread's namespace; the paths of those that were written.

    A setting that this kernel lacks (IPv6 may be compiled out) is skipped.
    """
    written = []
    for template, wanted in settings.items():
        path = template.format(device=device)
        file = _ROOT / path
        if not file.exists() or file.read_text().strip() == wanted:
            continue
        file.write_text(wanted)
        written.append(path)
    return written


def machine_problems(root: Path = _ROOT) -> list[tuple[MachineSetting, int]]:
    """The settings of the machine that are too low, with their present values. Reads only."""
    found = []
    for setting in MACHINE:
        file = root / setting.name.replace(".", "/")
        if file.exists() and (present := int(file.read_text())) < setting.least:
            found.append((setting, present))
    return found
