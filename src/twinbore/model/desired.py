"""Desired state of one gateway host: what the planner computes and the engines make true.

A `HostPlan` has one part for each engine. Every part is a set of frozen values without order (tuples are sorted by the
planner), so that equal resources give equal plans and an engine can compare what is wanted with what is there.

Invariants:
* Names of network namespaces are resource ids (`vpc-…`, `vgw-…`); names of interfaces fit the kernel's 15 characters.
* A namespace, interface or address occurs in one part only: `net` owns everything but the tunnels' interfaces, which
  `esp` creates, addresses and brings up or down.
* Addresses are strings in canonical text form; prefixes are `a.b.c.d/n` without host bits, interface addresses with.

References: linux/if_link.h (IFNAMSIZ 16), RFC 4301 (SA, SPD), RFC 4271 (BGP).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from twinbore.model.options import TunnelOptions


@dataclass(frozen=True, slots=True, order=True)
class Namespace:
    """A network namespace with IPv4 forwarding on. `role` says which sysctls the net engine sets."""

    name: str
    role: Literal["vpc", "routing-domain"]


@dataclass(frozen=True, slots=True, order=True)
class Attachment:
    """A veth pair that joins a routing domain to a VPC: `device` and `address` (with length) of each end."""

    domain_netns: str
    domain_device: str
    domain_address: str
    vpc_netns: str
    vpc_device: str
    vpc_address: str


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """A routed port of a VPC: one network interface (ENI) plugged into a workload.

    `device` is the port's name in the VPC's namespace. The workload gets `address` (with the subnet's length), `mac`
    and a default route through `gateway` on an interface called `target_device`. With kind `netns`, `target` is the
    workload's network namespace; with kind `tap`, `target` is the name of the TAP device that the VPC's namespace gets
    for a virtual machine, which is then the port's device.
    """

    eni_id: str
    netns: str
    device: str
    address: str
    gateway: str
    mac: str
    kind: Literal["netns", "tap"]
    target: str
    target_device: str


@dataclass(frozen=True, slots=True, order=True)
class LocalAddress:
    """An address of a namespace itself, on its loopback: a subnet's router address."""

    netns: str
    address: str


@dataclass(frozen=True, slots=True, order=True)
class Route:
    """A kernel route. `via` and `device` are empty for blackhole and unreachable; metric: lower wins."""

    netns: str
    table: int
    prefix: str
    metric: int = 0
    kind: Literal["unicast", "blackhole", "unreachable"] = "unicast"
    via: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """A routing policy rule: packets that match (incoming interface, destination; empty = any) use `table`."""

    netns: str
    priority: int
    table: int
    iif: str = ""
    to: str = ""


@dataclass(frozen=True, slots=True, order=True)
class PacketFilter:
    """The nftables ruleset of one namespace, replaced atomically.

    * `allowed_sources`: (device, prefixes): what arrives on the device from another source is dropped and counted.
    * `denied_sources`: (device, prefixes): what arrives on the device from one of these is dropped and counted.
    * `clamp_mss`: (device, bytes): the MSS option of SYN segments over IPv4 through the device, either way, is lowered
      to it; over IPv6 to 20 less, by which its header is longer.
    """

    netns: str
    allowed_sources: tuple[tuple[str, tuple[str, ...]], ...] = ()
    denied_sources: tuple[tuple[str, tuple[str, ...]], ...] = ()
    clamp_mss: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class NetPlan:
    """Everything of the net engine: namespaces, links, addresses, routes, rules, filters."""

    namespaces: tuple[Namespace, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    ports: tuple[Port, ...] = ()
    local_addresses: tuple[LocalAddress, ...] = ()
    routes: tuple[Route, ...] = ()
    rules: tuple[Rule, ...] = ()
    filters: tuple[PacketFilter, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class TunnelInterface:
    """The interface of one tunnel: created by the ESP engine for `if_id` inside `netns`.

    `address` is the gateway's inside address with length (169.254.x.y/30). `up` follows the child SA: an interface
    whose tunnel is known to be dead is down, so that BIRD moves its routes at once.
    """

    if_id: int
    netns: str
    name: str
    mtu: int
    address: str
    up: bool


@dataclass(frozen=True, slots=True)
class EspPlan:
    """Everything of the ESP engine."""

    interfaces: tuple[TunnelInterface, ...] = ()


@dataclass(frozen=True, slots=True)
class IkeTunnel:
    """One IKE connection with one child SA, as the IPsec engine gives it to charon.

    `name` is unique on the host and stable for the tunnel's life. `remote_address` None accepts any peer address.
    `local_ts` and `remote_ts` are the gateway's and the customer's traffic selectors. `encapsulate` forces UDP
    encapsulation. `initiate` is true where this side starts the negotiation. `replacements` counts how often the SAs'
    replacement was asked for: those that were made under a smaller number give way to new ones.
    """

    name: str
    if_id: int
    local_address: str
    local_identity: str
    remote_address: str | None
    remote_identity: str | None
    pre_shared_key: str = field(repr=False)
    options: TunnelOptions
    local_ts: tuple[str, ...]
    remote_ts: tuple[str, ...]
    encapsulate: bool
    initiate: bool
    replacements: int = 0


@dataclass(frozen=True, slots=True)
class IpsecPlan:
    """Everything of the IPsec engine."""

    tunnels: tuple[IkeTunnel, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Bfd:
    """BFD timers of a session: interval in milliseconds, and how many may be missed (RFC 5880)."""

    interval_ms: int
    multiplier: int


@dataclass(frozen=True, slots=True, order=True)
class BgpSession:
    """One eBGP session over a tunnel's inside addresses.

    `name` is a BIRD symbol, unique in the domain. `med` is what we announce with; `tie_break` orders equally good
    paths of several tunnels (lower wins). More than `import_limit` prefixes disable the session. `password` signs its
    segments (TCP MD5); empty is none.
    """

    name: str
    interface: str
    local_address: str
    peer_address: str
    peer_asn: int
    med: int
    tie_break: int
    import_limit: int
    hold_time: int = 30
    keepalive_time: int = 10
    bfd: Bfd | None = None
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, order=True)
class TunnelRoute:
    """A static route of a connection without BGP: `prefix` through a tunnel while its interface is up."""

    prefix: str
    interface: str
    next_hop: str
    tie_break: int


@dataclass(frozen=True, slots=True)
class RoutingDomain:
    """One BIRD: its namespace, identity, what it announces (`advertised`, prefixes) and its sessions."""

    name: str
    netns: str
    router_id: str
    asn: int
    advertised: tuple[str, ...] = ()
    sessions: tuple[BgpSession, ...] = ()
    static_routes: tuple[TunnelRoute, ...] = ()


@dataclass(frozen=True, slots=True)
class BgpPlan:
    """Everything of the BGP engine."""

    domains: tuple[RoutingDomain, ...] = ()


@dataclass(frozen=True, slots=True)
class HostPlan:
    """The whole desired state of one gateway host."""

    net: NetPlan = NetPlan()
    esp: EspPlan = EspPlan()
    bgp: BgpPlan = BgpPlan()
    ipsec: IpsecPlan = IpsecPlan()
