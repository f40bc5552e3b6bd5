"""What a device's configuration makes the device do, in no vendor's words: what interpreters extract.

It shares no code and no table with `twinbore.devices`: algorithms are strongSwan's keywords, as the driver
(`tests.namespace.device_router`) needs them, addresses are text. An interpreter fills in what the device's own
documentation says of a setting that is not there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

ANY = "0.0.0.0/0"
ALIKE_MSS = 1360
"""What stands for an MSS where devices are compared: it fits every suite."""


@dataclass(frozen=True)
class Proposal:
    """One suite. `prf` is set with AES-GCM in phase 1, `integrity` without AES-GCM. `group` None: no PFS."""

    encryption: str
    integrity: str | None
    prf: str | None
    group: str | None

    def __str__(self) -> str:
        """As strongSwan writes it: aes256gcm16-prfsha384-ecp384."""
        words = (self.encryption, self.integrity, f"prf{self.prf}" if self.prf else None, self.group)
        return "-".join(word for word in words if word)


@dataclass(frozen=True)
class Tunnel:
    """One tunnel of the device. Times in seconds, sizes in bytes.

    `peer` is the gateway's outside address. `local_address`: the own one, None: what the interface has. `local_id` and
    `remote_id`: IKE identities, None: the address. `standby`: raised only when the other tunnel has failed, as devices
    do that tunnel by policy. `encapsulate`: UDP encapsulation without a NAT as well. `starts`:
    the device negotiates by itself. `inside` has a length, `remote_inside` is the gateway's inside address.
    """

    name: str
    peer: str
    pre_shared_key: str
    ike_version: int
    ike: tuple[Proposal, ...]
    esp: tuple[Proposal, ...]
    ike_lifetime: int
    esp_lifetime: int
    inside: str
    remote_inside: str
    local_address: str | None = None
    local_id: str | None = None
    remote_id: str | None = None
    dpd_interval: int | None = None
    dpd_timeout: int | None = None
    encapsulate: bool = False
    starts: bool = True
    mtu: int | None = None
    mss: int | None = None
    local_selector: str = ANY
    remote_selector: str = ANY
    standby: bool = False


@dataclass(frozen=True)
class Neighbor:
    """A BGP session. `announce`: prefixes that an outgoing filter lets pass, None: no filter."""

    address: str
    remote_asn: int
    keepalive: int
    hold: int
    password: str | None = None
    local_preference: int | None = None
    med: int | None = None
    default_originate: bool = False
    announce: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Bgp:
    """`networks` are announced while the routing table has exactly them."""

    asn: int
    neighbors: tuple[Neighbor, ...]
    networks: tuple[str, ...] = ()
    router_id: str | None = None


@dataclass(frozen=True)
class StaticRoute:
    """A route through a tunnel; of two to one prefix the lower preference is taken."""

    prefix: str
    tunnel: str
    preference: int


INSIDE = "inside"
"""The zone or interface towards the site's networks in `permitted`."""


@dataclass(frozen=True)
class DeviceSettings:
    """All of it. `permitted`: (from, to) that the firewall lets pass, of `INSIDE` and names of tunnels.

    `source_nat`: traffic into the tunnels is translated.
    """

    tunnels: tuple[Tunnel, ...]
    bgp: Bgp | None = None
    static_routes: tuple[StaticRoute, ...] = ()
    permitted: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    source_nat: bool = False

    @property
    def active(self) -> tuple[Tunnel, ...]:
        """The tunnels that are up at the same time."""
        return tuple(tunnel for tunnel in self.tunnels if not tunnel.standby)

    def failed_over(self) -> DeviceSettings:
        """The same with each tunnel in the other's place, where one of them is a standby."""
        first, second = self.tunnels
        names = {first.name: second.name, second.name: first.name, INSIDE: INSIDE}
        return replace(
            self,
            tunnels=(replace(first, standby=second.standby), replace(second, standby=first.standby)),
            static_routes=tuple(replace(route, tunnel=names[route.tunnel]) for route in self.static_routes),
            permitted=frozenset((names[source], names[target]) for source, target in self.permitted),
        )

    def normalised(self) -> DeviceSettings:
        """The same with the tunnels called t1 and t2, and numbers by their rank, so that devices that do the same are
        equal: an MSS within a few bytes, a preference of 10 or of 1, a keepalive that no test waits for.
        """
        names = {tunnel.name: f"t{index}" for index, tunnel in enumerate(self.tunnels, 1)} | {INSIDE: INSIDE}
        tunnels = tuple(
            replace(
                tunnel,
                name=names[tunnel.name],
                mss=tunnel.mss and ALIKE_MSS,
                mtu=None,
                dpd_interval=tunnel.dpd_interval and 10,
                dpd_timeout=None,
                local_address=None,
                local_id=tunnel.local_id or tunnel.local_address,
                remote_id=None if tunnel.remote_id == tunnel.peer else tunnel.remote_id,
            )
            for tunnel in self.tunnels
        )
        order = sorted({route.preference for route in self.static_routes})
        routes = tuple(
            replace(route, tunnel=names[route.tunnel], preference=order.index(route.preference))
            for route in self.static_routes
        )
        permitted = frozenset((names[source], names[target]) for source, target in self.permitted)
        return replace(
            self,
            tunnels=tunnels,
            bgp=self.bgp and replace(self.bgp, router_id=None),
            static_routes=routes,
            permitted=permitted,
        )


class Refused(Exception):
    """What the device's own parser would refuse: the line, its number from 1, and why."""

    def __init__(self, number: int, line: str, why: str) -> None:
        super().__init__(f"line {number}: {line.strip()!r}: {why}")
        self.number = number
        self.why = why
