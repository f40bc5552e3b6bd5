"""A virtual private gateway as a routing domain: its namespace, its BIRD, its tunnels' interfaces and IKE connections.

Decisions:
* Traffic to the attached VPC's blocks goes to the VPC whatever a customer announces: rules with priority over the
  table that BIRD writes. Every block is announced.
* What arrives from a tunnel with a source inside the VPC's blocks (or loopback) is forged and dropped; what arrives
  from the VPC must have a source in its blocks.
* The second tunnel announces with MED 100, so that a customer prefers the first one; ties of our own choice are broken
  in the same order. There is no ECMP on a virtual private gateway.
* A paused connection keeps its tunnels' interfaces and has nothing else: no session, no routes, no IKE connection. The
  interfaces go down by themselves, when the data plane's SAs are gone.
* A tunnel's interface is up only while the data plane has its SAs: BIRD moves routes off a dead tunnel at once.

References: AWS Site-to-Site VPN User Guide, "Route tables and AWS Site-to-Site VPN route priority"; RFC 4271.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from twinbore.model import resources as r
from twinbore.model.addressing import (
    ATTACHMENT_DOMAIN_ADDRESS,
    ATTACHMENT_VPC_ADDRESS,
    inside_hosts,
)
from twinbore.model.desired import (
    Attachment,
    BgpPlan,
    BgpSession,
    EspPlan,
    HostPlan,
    IkeTunnel,
    IpsecPlan,
    Namespace,
    NetPlan,
    PacketFilter,
    Route,
    RoutingDomain,
    Rule,
    TunnelInterface,
    TunnelRoute,
)
from twinbore.model.extensions import bfd_of
from twinbore.model.mtu import IPV4_AND_TCP_HEADERS, tunnel_mtu
from twinbore.model.naming import (
    ATTACHMENT_DOMAIN_DEVICE,
    ATTACHMENT_VPC_DEVICE,
    session_name,
    tunnel_interface,
)
from twinbore.model.peer import address_of, identity_of
from twinbore.planner.index import Index

VPC_TABLE = 100
LOOPBACK = "127.0.0.0/8"
SECOND_TUNNEL_MED = 100
_ROUTER_ID_BASE = int(IPv4Address("10.254.0.0"))


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What the planner must know of the host: whether tunnels use UDP encapsulation always, and limits of routes."""

    encapsulate: bool
    bgp_import_limit: int = 100
    propagated_routes_limit: int = 100


def plan_gateway(gateway: r.VpnGateway, index: Index, facts: HostFacts) -> HostPlan:
    """All engines' parts for one virtual private gateway."""
    vpc = index.vpc_of_gateway(gateway.id)
    blocks = index.blocks(vpc) if vpc else ()
    interfaces: list[TunnelInterface] = []
    ike: list[IkeTunnel] = []
    sessions: list[BgpSession] = []
    static: list[TunnelRoute] = []
    for connection in index.connections(gateway.id):
        for tunnel in index.tunnels(connection.id):
            interfaces.append(_interface(gateway, tunnel, index, facts))
            if connection.paused:
                continue
            ike.append(_ike(connection, tunnel, index, facts))
            if connection.static_routes_only:
                static += _static_routes(connection, tunnel, index)
            else:
                sessions.append(_session(connection, tunnel, index, facts))
    domain = RoutingDomain(
        name=gateway.id,
        netns=gateway.id,
        router_id=str(IPv4Address(_ROUTER_ID_BASE + gateway.number)),
        asn=gateway.amazon_side_asn,
        advertised=tuple(sorted(blocks)),
        sessions=tuple(sorted(sessions)),
        static_routes=tuple(sorted(static)),
    )
    return HostPlan(
        net=_net(gateway, vpc, blocks, interfaces),
        esp=EspPlan(tuple(interfaces)),
        bgp=BgpPlan((domain,)),
        ipsec=IpsecPlan(tuple(ike)),
    )


def _net(
    gateway: r.VpnGateway, vpc: r.Vpc | None, blocks: tuple[str, ...], interfaces: list[TunnelInterface]
) -> NetPlan:
    forged = (LOOPBACK, *blocks)
    guard = PacketFilter(
        gateway.id,
        allowed_sources=((ATTACHMENT_DOMAIN_DEVICE, blocks),) if vpc else (),
        denied_sources=tuple((i.name, forged) for i in interfaces),
        clamp_mss=tuple((i.name, i.mtu - IPV4_AND_TCP_HEADERS) for i in interfaces),
    )
    if vpc is None:
        return NetPlan(namespaces=(Namespace(gateway.id, "routing-domain"),), filters=(guard,))
    link = Attachment(
        domain_netns=gateway.id,
        domain_device=ATTACHMENT_DOMAIN_DEVICE,
        domain_address=ATTACHMENT_DOMAIN_ADDRESS,
        vpc_netns=vpc.id,
        vpc_device=ATTACHMENT_VPC_DEVICE,
        vpc_address=ATTACHMENT_VPC_ADDRESS,
    )
    via = ATTACHMENT_VPC_ADDRESS.partition("/")[0]
    return NetPlan(
        namespaces=(Namespace(gateway.id, "routing-domain"),),
        attachments=(link,),
        routes=tuple(Route(gateway.id, VPC_TABLE, b, 0, "unicast", via, ATTACHMENT_DOMAIN_DEVICE) for b in blocks),
        rules=tuple(Rule(gateway.id, 1000, VPC_TABLE, "", b) for b in blocks),
        filters=(guard,),
    )


def _interface(gateway: r.VpnGateway, tunnel: r.VpnTunnel, index: Index, facts: HostFacts) -> TunnelInterface:
    telemetry = index.telemetry(tunnel.id)
    options = tunnel.options
    encryption: tuple[str, ...] = options.phase2_encryption_algorithms
    integrity: tuple[str, ...] = options.phase2_integrity_algorithms
    if telemetry is not None and telemetry.carrying and telemetry.phase2_encryption is not None:
        encryption = (telemetry.phase2_encryption,)
        integrity = (telemetry.phase2_integrity,) if telemetry.phase2_integrity else integrity
    return TunnelInterface(
        if_id=tunnel.if_id,
        netns=gateway.id,
        name=tunnel_interface(tunnel.if_id),
        mtu=tunnel_mtu(encryption, integrity, encapsulated=facts.encapsulate),
        address=f"{inside_hosts(tunnel.inside_cidr)[0]}/30",
        up=telemetry is not None and telemetry.carrying,
    )


def _ike(connection: r.VpnConnection, tunnel: r.VpnTunnel, index: Index, facts: HostFacts) -> IkeTunnel:
    customer = index.customer_gateway(connection.customer_gateway_id)
    options = index.snapshot.extensions.get(customer.id, {})
    address = address_of(customer, options)
    return IkeTunnel(
        name=tunnel.id,
        if_id=tunnel.if_id,
        local_address=tunnel.outside_local,
        local_identity=tunnel.outside_address,
        remote_address=address,
        remote_identity=identity_of(customer, options),
        pre_shared_key=index.snapshot.pre_shared_keys[tunnel.id],
        options=tunnel.options,
        local_ts=(connection.remote_ipv4_network_cidr,),
        remote_ts=(connection.local_ipv4_network_cidr,),
        encapsulate=facts.encapsulate,
        initiate=tunnel.options.startup_action == "start" and address is not None,
        replacements=tunnel.replacements,
    )


def _session(connection: r.VpnConnection, tunnel: r.VpnTunnel, index: Index, facts: HostFacts) -> BgpSession:
    customer = index.customer_gateway(connection.customer_gateway_id)
    local_address, peer_address = inside_hosts(tunnel.inside_cidr)
    return BgpSession(
        name=session_name(tunnel.id),
        interface=tunnel_interface(tunnel.if_id),
        local_address=local_address,
        peer_address=peer_address,
        peer_asn=customer.bgp_asn,
        med=0 if tunnel.index == 1 else SECOND_TUNNEL_MED,
        tie_break=tunnel.index,
        import_limit=facts.bgp_import_limit,
        bfd=bfd_of(index.snapshot.extensions.get(connection.id, {})),
        password=index.snapshot.bgp_passwords.get(tunnel.id, ""),
    )


def _static_routes(connection: r.VpnConnection, tunnel: r.VpnTunnel, index: Index) -> Iterator[TunnelRoute]:
    for route in index.vpn_static_routes(connection.id):
        yield TunnelRoute(
            prefix=route.destination_cidr_block,
            interface=tunnel_interface(tunnel.if_id),
            next_hop=inside_hosts(tunnel.inside_cidr)[1],
            tie_break=tunnel.index,
        )
