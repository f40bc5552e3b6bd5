"""A VPC as a router namespace: ports, route tables as kernel tables, rules, source checks.

Order of lookup in a VPC's namespace (priority: what):
* 1000: what comes from a port whose subnet's route table has a static route for that very destination inside the VPC (a
  subnet's block, or a block of the VPC whose local route was replaced) uses the route table: so a middlebox stands
  between subnets.
* 1100: other destinations in the VPC's blocks use table `LOCAL_TABLE`: a host route for each plugged network interface,
  everything else unreachable. This is AWS's local route, which beats every propagated one, more specific ones included:
  those are not in the kernel's tables at all.
* 2000: what comes from a port uses the kernel table of the route table of the port's subnet.
* 2900: what comes from the virtual private gateway and is not for the VPC is refused: the gateway carries nothing to
  other networks.
* main: only what the router itself sends (ICMP errors to the other side of the gateway).

In a route table's kernel table the metric makes a static route beat a propagated one with the same CIDR; the longest
prefix wins before that, as in AWS. A route to an internet gateway drops its packets: network interfaces have no public
addresses.

References: Amazon VPC User Guide, "Route priority"; ip-rule(8).
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from twinbore.model import resources as r
from twinbore.model.addressing import ATTACHMENT_DOMAIN_ADDRESS
from twinbore.model.desired import LocalAddress, Namespace, NetPlan, PacketFilter, Port, Route, Rule
from twinbore.model.naming import ATTACHMENT_VPC_DEVICE, port_device
from twinbore.model.propagation import propagated
from twinbore.model.vpc_blocks import block_of
from twinbore.planner.gateways import HostFacts
from twinbore.planner.index import Index

LOCAL_TABLE = 100
REFUSE_TABLE = 101
MAIN_TABLE = 254
INSIDE_PRIORITY = 1000
LOCAL_PRIORITY = 1100
SUBNET_PRIORITY = 2000
REFUSE_PRIORITY = 2900
STATIC_METRIC = 10
PROPAGATED_METRIC = 20
NO_ROUTE_METRIC = 1000
EVERYTHING = "0.0.0.0/0"


def plan_vpc(vpc: r.Vpc, index: Index, facts: HostFacts) -> NetPlan:
    """The net engine's part for one VPC."""
    blocks = index.blocks(vpc)
    ports = [_port(vpc, interface, port, index) for interface, port in index.plugged(vpc.id)]
    gateway = index.gateway_of_vpc(vpc.id)
    routes = [Route(vpc.id, LOCAL_TABLE, block, NO_ROUTE_METRIC, "unreachable") for block in blocks]
    routes += [Route(vpc.id, LOCAL_TABLE, _host(p.address), 0, "unicast", "", p.device) for p in ports]
    routes += [
        Route(vpc.id, LOCAL_TABLE, f"{address}/32", 0, "unicast", "", port_device(interface.id))
        for interface, _ in index.plugged(vpc.id)
        for address in interface.secondary_addresses
    ]
    rules = [Rule(vpc.id, LOCAL_PRIORITY, LOCAL_TABLE, "", block) for block in blocks]
    for table in index.route_tables(vpc.id):
        routes += _table_routes(vpc, table, gateway, index, facts)
    for interface, _ in index.plugged(vpc.id):
        rules += _port_rules(vpc, interface, index)
    if gateway is not None:
        rules.append(Rule(vpc.id, REFUSE_PRIORITY, REFUSE_TABLE, ATTACHMENT_VPC_DEVICE))
        routes.append(Route(vpc.id, REFUSE_TABLE, EVERYTHING, NO_ROUTE_METRIC, "unreachable"))
        routes.append(_to_gateway(vpc.id, MAIN_TABLE, EVERYTHING, STATIC_METRIC))
    checked = tuple(
        sorted(
            (
                port_device(interface.id),
                tuple(f"{a}/32" for a in (interface.private_ip_address, *interface.secondary_addresses)),
            )
            for interface, _ in index.plugged(vpc.id)
            if interface.source_dest_check
        )
    )
    return NetPlan(
        namespaces=(Namespace(vpc.id, "vpc"),),
        ports=tuple(ports),
        local_addresses=tuple(LocalAddress(vpc.id, _router_address(s) + "/32") for s in index.subnets(vpc.id)),
        routes=tuple(routes),
        rules=tuple(rules),
        filters=(PacketFilter(vpc.id, allowed_sources=checked),),
    )


def _port(vpc: r.Vpc, interface: r.NetworkInterface, port: r.Port, index: Index) -> Port:
    subnet = index.subnet(interface.subnet_id)
    length = IPv4Network(subnet.cidr_block).prefixlen
    return Port(
        eni_id=interface.id,
        netns=vpc.id,
        device=port_device(interface.id),
        address=f"{interface.private_ip_address}/{length}",
        gateway=_router_address(subnet),
        mac=interface.mac_address,
        kind="tap" if port.kind == "tap" else "netns",
        target=port.target,
        target_device=port.target_device,
    )


def _port_rules(vpc: r.Vpc, interface: r.NetworkInterface, index: Index) -> Iterator[Rule]:
    table = index.route_table_of_subnet(interface.subnet_id)
    device = port_device(interface.id)
    yield Rule(vpc.id, SUBNET_PRIORITY, table.kernel_table, device)
    for route in index.static_routes(table.id):
        if _inside(vpc, route.destination_cidr_block, index):
            yield Rule(vpc.id, INSIDE_PRIORITY, table.kernel_table, device, route.destination_cidr_block)


def _inside(vpc: r.Vpc, prefix: str, index: Index) -> bool:
    return block_of(IPv4Network(prefix), index.blocks(vpc)) is not None


def _table_routes(
    vpc: r.Vpc, table: r.RouteTable, gateway: r.VpnGateway | None, index: Index, facts: HostFacts
) -> Iterator[Route]:
    number = table.kernel_table
    yield Route(vpc.id, number, EVERYTHING, NO_ROUTE_METRIC, "unreachable")
    reaches_gateway = False
    for route in index.static_routes(table.id):
        if gateway is not None and route.gateway_id == gateway.id:
            reaches_gateway = True
            yield _to_gateway(vpc.id, number, route.destination_cidr_block, STATIC_METRIC)
        elif route.network_interface_id is not None and index.is_plugged(route.network_interface_id):
            interface = index.network_interface(route.network_interface_id)
            yield Route(
                vpc.id,
                number,
                route.destination_cidr_block,
                STATIC_METRIC,
                "unicast",
                interface.private_ip_address,
                port_device(interface.id),
            )
        else:
            yield Route(vpc.id, number, route.destination_cidr_block, STATIC_METRIC, "blackhole")
    if gateway is None:
        return
    if index.propagates(table.id, gateway.id):
        reaches_gateway = True
        for prefix in propagated(index.gateway_prefixes(gateway.id), facts.propagated_routes_limit):
            if not _inside(vpc, prefix, index):
                yield _to_gateway(vpc.id, number, prefix, PROPAGATED_METRIC)
    if reaches_gateway:
        # A customer that translates its sources to the tunnel's inside address must get its answers.
        for tunnel in index.tunnels_of_gateway(gateway.id):
            yield _to_gateway(vpc.id, number, tunnel.inside_cidr, PROPAGATED_METRIC)


def _to_gateway(netns: str, table: int, prefix: str, metric: int) -> Route:
    via = ATTACHMENT_DOMAIN_ADDRESS.partition("/")[0]
    return Route(netns, table, prefix, metric, "unicast", via, ATTACHMENT_VPC_DEVICE)


def _router_address(subnet: r.Subnet) -> str:
    """The subnet's second address, which AWS reserves for the VPC router."""
    return str(IPv4Network(subnet.cidr_block).network_address + 1)


def _host(address: str) -> str:
    return address.partition("/")[0] + "/32"
