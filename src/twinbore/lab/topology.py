"""Who is connected to whom in the lab.

```
 lan ── 192.168.10.0/24 ── router ── 192.0.2.0/24 ── internet ┬─ 203.0.113.0/24  ── gateway (uplink a)
 .10                    .1        .2               .1         └─ 198.51.100.0/24 ── gateway (uplink b)
```
`internet` is a router with the first address of every public prefix (RFC 5737). The gateway host has an uplink for
each of Twinbore's two outside address pools and answers through the uplink that a packet came by, as a host on two
providers does. VPC hosts are empty namespaces: Twinbore plugs them in.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from twinbore.lab import ledger as ledgers
from twinbore.lab import namespaces
from twinbore.lab.namespaces import run

LAN_PREFIX: Final = "192.168.10.0/24"
LAN_ADDRESS: Final = "192.168.10.10"
LAN_ROUTER_ADDRESS: Final = "192.168.10.1"
CUSTOMER_ADDRESS: Final = "192.0.2.2"
POOL_A: Final = ("203.0.113.10", "203.0.113.11")
POOL_B: Final = ("198.51.100.10", "198.51.100.11")
_UPLINKS: Final = (("a", "203.0.113", POOL_A, 101), ("b", "198.51.100", POOL_B, 102))


@dataclass
class Lab:
    """A running lab. A context manager: leaving it removes everything, unless `keep` was called."""

    prefix: str
    ledger: ledgers.Ledger
    kept: bool = False
    closed: bool = False

    def name(self, role: str) -> str:
        """The namespace of a role: internet, gateway, router, lan, or a host's."""
        return f"{self.prefix}-{role}"

    def add_namespace(self, role: str) -> str:
        """A new, empty namespace that is removed with the lab."""
        name = self.name(role)
        self.ledger.namespaces.append(name)
        self.ledger.save()
        namespaces.create(name)
        return name

    def connect(self, role: str, device: str, other_role: str, other_device: str) -> None:
        """A cable between two namespaces, both ends up."""
        here, there = self.name(role), self.name(other_role)
        run(["ip", "link", "add", device, "netns", here, "type", "veth", "peer", "name", other_device, "netns", there])
        run(["ip", "-n", here, "link", "set", device, "up"])
        run(["ip", "-n", there, "link", "set", other_device, "up"])

    def ip(self, role: str, *commands: str) -> None:
        """Commands of ip(8), in the role's namespace, in one batch."""
        run(["ip", "-n", self.name(role), "-batch", "-"], text="\n".join(commands))

    def forward(self, role: str) -> None:
        """Makes a router of a namespace."""
        settings = ("net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")
        run(["sysctl", "-qw", *settings], namespace=self.name(role))

    def undo_with(self, command: list[str]) -> None:
        """A command that must run before the namespaces are removed, also after a crash."""
        self.ledger.undo.append(command)
        self.ledger.save()

    def keep(self) -> None:
        """Leaves the lab running when the context ends."""
        self.kept = True
        self.ledger.disown()

    def close(self) -> None:
        """Removes everything. A second time, there is nothing to do."""
        if not self.closed:
            self.closed = True
            self.ledger.settle()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.kept:
            self.close()


def bare_lab(prefix: str) -> Lab:
    """A lab with the public network and the customer site, but nothing at the gateways' end.

    Labs that were killed are cleaned up first. What is half made is removed when it fails.
    """
    ledgers.settle_abandoned()
    lab = Lab(prefix, ledgers.open_ledger(prefix))
    try:
        for role in ("internet", "router", "lan"):
            lab.add_namespace(role)
        lab.forward("internet")
        lab.forward("router")
        lab.connect("router", "wan", "internet", "customer")
        lab.connect("lan", "eth0", "router", "lan")
        lab.ip("internet", "address add 192.0.2.1/24 dev customer")
        lab.ip(
            "router",
            f"address add {CUSTOMER_ADDRESS}/24 dev wan",
            f"address add {LAN_ROUTER_ADDRESS}/24 dev lan",
            "route add default via 192.0.2.1",
        )
        lab.ip("lan", f"address add {LAN_ADDRESS}/24 dev eth0", f"route add default via {LAN_ROUTER_ADDRESS}")
    except BaseException:
        lab.close()
        raise
    return lab


def gateway_lab(prefix: str) -> Lab:
    """`bare_lab` with the gateway host, which has every address of both pools."""
    lab = bare_lab(prefix)
    try:
        lab.add_namespace("gateway")
        for uplink, network, pool, table in _UPLINKS:
            lab.connect("gateway", f"uplink-{uplink}", "internet", f"gateway-{uplink}")
            lab.ip("internet", f"address add {network}.1/24 dev gateway-{uplink}")
            lab.ip(
                "gateway",
                *(f"address add {address}/24 dev uplink-{uplink}" for address in pool),
                f"route add default via {network}.1 dev uplink-{uplink} metric {table}",
                f"route add default via {network}.1 dev uplink-{uplink} table {table}",
                f"rule add from {network}.0/24 table {table}",
            )
    except BaseException:
        lab.close()
        raise
    return lab
