"""The customer's side of a connection, as every template takes it: one neutral model, no vendor's words.

It is made of the connection's actual options, narrowed to what the device can do (`offer`), and of what is known of
the site (`twinbore.model.site`). Whatever a device cannot do is collected, so that the user is told all of it at once
and no file is made that would be wrong.

Decisions:
* The prefixes to announce are those of the option, or else the connection's own: its static routes, or
  LocalIpv4NetworkCidr where that is not any. Otherwise nothing is announced; the comments say how to.
* The prefixes of the cloud are RemoteIpv4NetworkCidr where that is not any, else the blocks of the VPC.
* Traffic prefers a tunnel by local preference on the way out and MED on the way in, 200 and 100 on the preferred one,
  100 and 200 on the other.

References: RFC 4271 sections 5.1.4 and 5.1.5 (MULTI_EXIT_DISC, LOCAL_PREF); RFC 7296 section 3.5 (identities).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from ipaddress import IPv4Interface, IPv4Network
from typing import Final

from twinbore.devices.capabilities import Algorithms
from twinbore.devices.catalogue import NEEDS, DeviceType
from twinbore.devices.errors import DeviceCannot
from twinbore.devices.offer import NothingInCommon, Offer, Suite, offer
from twinbore.devices.view import ConnectionView, TunnelView
from twinbore.model.addressing import inside_customer, inside_gateway
from twinbore.model.desired import Bfd
from twinbore.model.mtu import IPV4_AND_TCP_HEADERS, tunnel_mtu
from twinbore.model.options import TunnelOptions
from twinbore.model.site import DEFAULT_ROUTE, Site

ANY: Final = "0.0.0.0/0"
KEEPALIVE_SECONDS: Final = 10
HOLD_SECONDS: Final = 30
NAME_DIGITS: Final = 8
"""Digits of the connection's id in a tunnel's name: `vpn-0a1b2c3d-1` fits where 15 characters are allowed."""


@dataclass(frozen=True, slots=True)
class TunnelSide:
    """One tunnel. Times in seconds, sizes in bytes.

    `outside` is the gateway's outside address and its IKE identity, `inside` the device's inside address with length,
    `gateway_inside` the gateway's. `pre_shared_key` may be a word in its place (`Site.keys`). `local_preference` of
    what comes in over this tunnel and `med` of what is announced over it: None where no tunnel is preferred.
    `distance` orders static routes, the lower is preferred.
    """

    index: int
    name: str
    outside: str
    inside: IPv4Interface
    gateway_inside: IPv4Interface
    pre_shared_key: str = field(repr=False)
    bgp_password: str = field(repr=False)
    offer: Offer
    mtu: int
    replay_window: int
    rekey_margin: int
    gateway_starts: bool
    local_preference: int | None
    med: int | None
    distance: int

    @property
    def phase1(self) -> Suite:
        return self.offer.phase1

    @property
    def phase2(self) -> Suite:
        return self.offer.phase2

    @property
    def mss(self) -> int:
        return self.mtu - IPV4_AND_TCP_HEADERS


@dataclass(frozen=True, slots=True)
class CustomerSide:
    """All that a template shows.

    `outside_address`: the device's public address, None where it is not known. `local_identity`: what it must call
    itself in IKE, None where it may choose. `local_prefixes` are announced (BGP) or routed to from the cloud (static);
    `announces_default` when a default route is among them. `remote_prefixes` are the cloud's. `local_selector` and
    `remote_selector` are the traffic selectors of both tunnels. `nat`: traffic into the tunnels is translated.
    """

    connection_id: str
    customer_gateway_id: str
    vpn_gateway_id: str | None
    generated_at: datetime
    ike_version: str
    sample_type: str | None
    routing: str
    local_asn: int
    remote_asn: int
    tunnels: tuple[TunnelSide, TunnelSide]
    outside_address: str | None
    local_identity: str | None
    outside_interface: str
    inside_interface: str
    local_prefixes: tuple[IPv4Network, ...]
    remote_prefixes: tuple[IPv4Network, ...]
    local_selector: IPv4Network
    remote_selector: IPv4Network
    bfd: Bfd | None
    nat: bool
    behind_nat: bool
    preferred_tunnel: int
    keys: str

    @property
    def announces_default(self) -> bool:
        return any(str(prefix) == DEFAULT_ROUTE for prefix in self.local_prefixes)

    @property
    def specific_prefixes(self) -> tuple[IPv4Network, ...]:
        """`local_prefixes` without a default route, which devices announce by another command."""
        return tuple(prefix for prefix in self.local_prefixes if str(prefix) != DEFAULT_ROUTE)

    @property
    def selects_any(self) -> bool:
        """Whether the traffic selectors let everything pass: what routes say goes through the tunnels."""
        return str(self.local_selector) == ANY and str(self.remote_selector) == ANY

    @property
    def short_id(self) -> str:
        """The first digits of the connection's id, for names of what belongs to it on the device."""
        return self.connection_id.removeprefix("vpn-")[:NAME_DIGITS]


def customer_side(
    view: ConnectionView, device: DeviceType, ike_version: str, sample_type: str | None, *, site: Site, now: datetime
) -> CustomerSide:
    """The model for one connection and device. `now` is what the header says. Raises `DeviceCannot`."""
    changes = _beyond(view, device, site)
    offers: list[Offer] = []
    for one in view.tunnels:
        try:
            offers.append(offer(one.tunnel.options, _can(device, ike_version, one.tunnel.options), sample_type))
        except NothingInCommon as error:
            changes += [f"tunnel {one.tunnel.index}: {change}" for change in error.changes]
    local, remote = _local_prefixes(view, site), _remote_prefixes(view)
    found = {"local_prefixes": local, "remote_prefixes": remote}
    changes += [f"give {NEEDS[need]}" for need in device.needs if not found[need]]
    if changes:
        raise DeviceCannot(device.name, changes)
    connection = view.connection
    first, second = (
        _tunnel(view, one, offered, device, site) for one, offered in zip(view.tunnels, offers, strict=True)
    )
    return CustomerSide(
        connection_id=connection.id,
        customer_gateway_id=view.customer_gateway.id,
        vpn_gateway_id=view.vpn_gateway_id,
        generated_at=now,
        ike_version=ike_version,
        sample_type=sample_type,
        routing=routing_of(view),
        local_asn=view.customer_gateway.bgp_asn,
        remote_asn=view.amazon_side_asn,
        tunnels=(first, second),
        outside_address=view.customer_gateway.ip_address,
        local_identity=view.customer_identity,
        outside_interface=site.outside_interface or device.outside_interface,
        inside_interface=site.inside_interface or device.inside_interface,
        local_prefixes=local,
        remote_prefixes=remote,
        local_selector=IPv4Network(connection.local_ipv4_network_cidr),
        remote_selector=IPv4Network(connection.remote_ipv4_network_cidr),
        bfd=view.bfd,
        nat=site.nat,
        behind_nat=site.behind_nat,
        preferred_tunnel=site.preferred_tunnel,
        keys=site.keys,
    )


def _can(device: DeviceType, ike_version: str, options: TunnelOptions) -> tuple[Algorithms, Algorithms]:
    """What the device can do in phase 1 and 2, for a tunnel with these options."""
    phase1, phase2 = (device.capabilities[phase, ike_version] for phase in (1, 2))
    if not device.one_group:
        return phase1, phase2
    groups = phase1.groups & phase2.groups
    common = groups & {*options.phase1_dh_group_numbers} & {*options.phase2_dh_group_numbers}
    if not common:  # so that the refusal names the groups that would do
        return replace(phase1, groups=groups & {*options.phase2_dh_group_numbers} or groups), replace(
            phase2, groups=groups
        )
    return replace(phase1, groups=common), replace(phase2, groups=common)


def routing_of(view: ConnectionView) -> str:
    """`static` or `bgp`."""
    return "static" if view.connection.static_routes_only else "bgp"


def _beyond(view: ConnectionView, device: DeviceType, site: Site) -> list[str]:
    """What the connection has and the device cannot do, apart from algorithms: each as what to change."""
    changes: list[str] = []
    if routing_of(view) not in device.routing:
        changes.append(
            "StaticRoutesOnly to true: the device has no BGP (the option can be set at creation only)"
            if device.routing == ("static",)
            else "StaticRoutesOnly to false: this type is for BGP (the option can be set at creation only)"
        )
    if view.bfd is not None and not device.bfd:
        changes.append("the tag twinbore:bfd to off: the device's BGP has no BFD")
    if any(one.bgp_password for one in view.tunnels) and not device.bgp_password:
        changes.append("the BGP sessions to have no password (twinbore password --remove): the device has no TCP MD5")
    if routing_of(view) == "bgp" and site.preferred_tunnel == 2 and not device.local_preference:
        changes.append("the option preferred-tunnel to 1: the device follows the gateway's MED")
    return changes


def _tunnel(view: ConnectionView, one: TunnelView, offered: Offer, device: DeviceType, site: Site) -> TunnelSide:
    tunnel = one.tunnel
    preferred = site.preferred_tunnel
    first = preferred in (0, tunnel.index)
    place = f"{view.connection.id}_TUNNEL_{tunnel.index}"
    name = f"{view.connection.id[: len('vpn-') + NAME_DIGITS]}-{tunnel.index}"
    if len(name) > device.name_length:
        name = f"{view.connection.id.removeprefix('vpn-')[: device.name_length - 2]}-{tunnel.index}"
    return TunnelSide(
        index=tunnel.index,
        name=name,
        outside=tunnel.outside_address,
        inside=inside_customer(tunnel.inside_cidr),
        gateway_inside=inside_gateway(tunnel.inside_cidr),
        pre_shared_key=_secret(one.pre_shared_key, f"KEY_OF_{place}", site.keys),
        bgp_password=_secret(one.bgp_password, f"PASSWORD_OF_{place}", site.keys),
        offer=offered,
        mtu=tunnel_mtu((offered.phase2.encryption,), (offered.phase2.integrity,), encapsulated=True),
        replay_window=tunnel.options.replay_window_size,
        rekey_margin=tunnel.options.rekey_margin_time_seconds,
        gateway_starts=tunnel.options.startup_action == "start",
        local_preference=(200 if first else 100) if preferred else None,
        med=(100 if first else 200) if preferred else None,
        distance=10 if first else 20,
    )


def _secret(secret: str, reference: str, keys: str) -> str:
    """A secret as `Site.keys` has it; no secret stays none."""
    if not secret or keys == "clear":
        return secret
    return "REDACTED" if keys == "redacted" else reference


def _local_prefixes(view: ConnectionView, site: Site) -> tuple[IPv4Network, ...]:
    if site.announce is not None:
        return tuple(IPv4Network(prefix) for prefix in site.announce)
    if view.static_routes:
        return tuple(IPv4Network(prefix) for prefix in view.static_routes)
    selector = view.connection.local_ipv4_network_cidr
    return () if selector == ANY else (IPv4Network(selector),)


def _remote_prefixes(view: ConnectionView) -> tuple[IPv4Network, ...]:
    selector = view.connection.remote_ipv4_network_cidr
    if selector != ANY:
        return (IPv4Network(selector),)
    return tuple(IPv4Network(prefix) for prefix in view.cloud_prefixes)
