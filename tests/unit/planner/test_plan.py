"""The plan of a small world, fact by fact, and the two properties that every plan has."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit import sample
from twinbore.model import resources as r
from twinbore.model.desired import HostPlan, Route, Rule
from twinbore.model.options import TunnelOptions
from twinbore.planner.gateways import HostFacts
from twinbore.planner.plan import plan

FACTS = HostFacts(encapsulate=True)


def planned(**changes: object) -> HostPlan:
    return plan(replace(sample.world(), **changes), FACTS)  # type: ignore[arg-type]


def routes(host: HostPlan, netns: str, table: int) -> dict[tuple[str, int], Route]:
    return {(x.prefix, x.metric): x for x in host.net.routes if x.netns == netns and x.table == table}


def test_namespaces_are_named_by_resource_ids() -> None:
    assert [(n.name, n.role) for n in planned().net.namespaces] == [
        (sample.VGW, "routing-domain"),
        (sample.VPC, "vpc"),
    ]


def test_a_propagated_prefix_leads_to_the_gateway() -> None:
    route = routes(planned(), sample.VPC, 1001)[("192.168.10.0/24", 20)]
    assert (route.kind, route.via, route.device) == ("unicast", "169.254.0.1", "vgw")


def test_without_propagation_the_table_has_no_learned_prefix() -> None:
    assert ("192.168.10.0/24", 20) not in routes(planned(propagations=()), sample.VPC, 1001)
    assert ("192.168.10.0/24", 20) not in routes(planned(), sample.VPC, 1000)


def test_static_default_beats_the_propagated_one() -> None:
    learned = r.GatewayRoute(f"{sample.VGW}/0.0.0.0/0", sample.VGW, "0.0.0.0/0")
    table = routes(planned(gateway_routes=(learned,)), sample.VPC, 1001)
    defaults = sorted((metric, route.kind) for (prefix, metric), route in table.items() if prefix == "0.0.0.0/0")
    assert defaults == [(10, "blackhole"), (20, "unicast"), (1000, "unreachable")]


def test_the_inside_addresses_are_routed_back_for_customers_that_translate() -> None:
    table = routes(planned(), sample.VPC, 1001)
    assert ("169.254.10.4/30", 20) in table
    assert ("169.254.10.8/30", 20) in table
    assert ("169.254.10.4/30", 20) not in routes(planned(), sample.VPC, 1000)


def test_the_local_route_comes_before_every_route_table() -> None:
    rules = [x for x in planned().net.rules if x.netns == sample.VPC]
    assert rules[0] == Rule(sample.VPC, 1100, 100, "", "10.0.0.0/16")
    assert Rule(sample.VPC, 2000, 1001, "e0123456789abcd", "") in rules
    local = routes(planned(), sample.VPC, 100)
    assert local[("10.0.1.10/32", 0)].device == "e0123456789abcd"
    assert local[("10.0.0.0/16", 1000)].kind == "unreachable"


def test_a_subnet_without_association_uses_the_main_table() -> None:
    moved = replace(sample.world().network_interfaces[0], subnet_id=sample.OTHER_SUBNET)
    rules = planned(network_interfaces=(moved,)).net.rules
    assert Rule(sample.VPC, 2000, 1000, "e0123456789abcd", "") in rules


def test_workload_gets_its_address_with_the_subnets_length_and_the_router() -> None:
    (port,) = planned().net.ports
    assert (port.address, port.gateway, port.device) == ("10.0.1.10/24", "10.0.1.1", "e0123456789abcd")
    assert "10.0.1.1/32" in {a.address for a in planned().net.local_addresses}


def test_forged_sources_are_refused_on_tunnels_and_ports() -> None:
    filters = {f.netns: f for f in planned().net.filters}
    assert filters[sample.VPC].allowed_sources == (("e0123456789abcd", ("10.0.1.10/32",)),)
    assert filters[sample.VGW].allowed_sources == (("vpc", ("10.0.0.0/16",)),)
    assert ("t1001", ("127.0.0.0/8", "10.0.0.0/16")) in filters[sample.VGW].denied_sources


def test_secondary_addresses_lead_to_their_port_and_may_send() -> None:
    more = replace(sample.world().network_interfaces[0], secondary_addresses=("10.0.1.20", "10.0.1.21"))
    host = planned(network_interfaces=(more,))
    local = routes(host, sample.VPC, 100)
    assert {local[(f"10.0.1.{n}/32", 0)].device for n in (10, 20, 21)} == {"e0123456789abcd"}
    (port,) = host.net.ports
    assert port.address == "10.0.1.10/24"
    filters = {f.netns: f for f in host.net.filters}
    addresses = ("10.0.1.10/32", "10.0.1.20/32", "10.0.1.21/32")
    assert filters[sample.VPC].allowed_sources == (("e0123456789abcd", addresses),)


def test_no_source_check_means_no_filter_entry() -> None:
    free = replace(sample.world().network_interfaces[0], source_dest_check=False)
    filters = {f.netns: f for f in planned(network_interfaces=(free,)).net.filters}
    assert filters[sample.VPC].allowed_sources == ()


def test_tunnels_are_two_with_their_own_keys_and_med() -> None:
    host = planned()
    assert [(t.name, t.pre_shared_key) for t in host.ipsec.tunnels] == [
        (f"{sample.VPN}-1", "first.key"),
        (f"{sample.VPN}-2", "second.key"),
    ]
    (domain,) = host.bgp.domains
    assert [(s.interface, s.med, s.peer_address, s.local_address) for s in domain.sessions] == [
        ("t1001", 0, "169.254.10.6", "169.254.10.5"),
        ("t1002", 100, "169.254.10.10", "169.254.10.9"),
    ]
    assert domain.advertised == ("10.0.0.0/16",)
    assert domain.router_id == "10.254.0.1"


def test_keys_never_show_in_a_plans_text() -> None:
    assert "first.key" not in repr(planned())
    assert "first.key" not in repr(sample.world())


def test_interface_is_up_only_while_the_data_plane_carries() -> None:
    host = planned(telemetry=(sample.telemetry(1, carrying=False, status="DOWN"), sample.telemetry(2)))
    assert [(i.name, i.up) for i in host.esp.interfaces] == [("t1001", False), ("t1002", True)]


@pytest.mark.parametrize(
    ("encryption", "encapsulate", "mtu"),
    [("AES128-GCM-16", True, 1438), ("AES128-GCM-16", False, 1446), ("AES256", True, 1406)],
)
def test_mtu_follows_the_cipher_suites(encryption: str, encapsulate: bool, mtu: int) -> None:
    options = TunnelOptions(phase2_encryption_algorithms=(encryption,))
    tunnels = (replace(sample.tunnel(1), options=options), sample.tunnel(2))
    host = plan(replace(sample.world(), tunnels=tunnels), HostFacts(encapsulate=encapsulate))
    assert host.esp.interfaces[0].mtu == mtu
    clamps = dict(next(f for f in host.net.filters if f.netns == sample.VGW).clamp_mss)
    assert clamps["t1001"] == mtu - 40


def test_mtu_follows_what_is_negotiated() -> None:
    negotiated = replace(sample.telemetry(1), phase2_encryption="AES128-GCM-16")
    assert planned(telemetry=(negotiated, sample.telemetry(2))).esp.interfaces[0].mtu == 1438


def test_a_static_connection_has_routes_instead_of_sessions() -> None:
    route = r.VpnStaticRoute(
        f"{sample.VPN}/172.16.0.0/12", sample.ACCOUNT, sample.VPN, "172.16.0.0/12", "pending", sample.NOW
    )
    host = planned(connections=(sample.connection(static_routes_only=True),), vpn_static_routes=(route,))
    (domain,) = host.bgp.domains
    assert domain.sessions == ()
    assert [(x.prefix, x.interface, x.next_hop) for x in domain.static_routes] == [
        ("172.16.0.0/12", "t1001", "169.254.10.6"),
        ("172.16.0.0/12", "t1002", "169.254.10.10"),
    ]


@pytest.mark.parametrize("state", ["deleting", "deleted"])
def test_what_is_being_deleted_is_not_planned(state: str) -> None:
    host = planned(connections=(sample.connection(state=state),))
    assert host.ipsec.tunnels == ()
    assert host.esp.interfaces == ()
    assert host.bgp.domains[0].sessions == ()


def test_a_detaching_gateway_has_no_link_and_its_routes_are_gone() -> None:
    detaching = replace(sample.world().attachments[0], state="detaching")
    host = planned(attachments=(detaching,))
    assert host.net.attachments == ()
    assert ("192.168.10.0/24", 20) not in routes(host, sample.VPC, 1001)
    assert host.bgp.domains[0].advertised == ()


def test_bfd_is_an_extension_by_tag() -> None:
    assert planned().bgp.domains[0].sessions[0].bfd is None
    with_bfd = planned(extensions={sample.VPN: {"twinbore:bfd": "100x3"}})
    bfd = with_bfd.bgp.domains[0].sessions[0].bfd
    assert bfd is not None
    assert (bfd.interval_ms, bfd.multiplier) == (100, 3)


@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(random: object) -> None:
    world = sample.world()
    shuffled = {}
    for field in dataclasses.fields(world):
        value = getattr(world, field.name)
        if isinstance(value, tuple):
            rows = list(value)
            random.shuffle(rows)  # type: ignore[attr-defined]
            shuffled[field.name] = tuple(rows)
    assert plan(replace(world, **shuffled), FACTS) == plan(world, FACTS)


def test_a_plan_repeats_nothing() -> None:
    net = planned().net
    for field in dataclasses.fields(net):
        values = getattr(net, field.name)
        assert list(values) == sorted(set(values))


def secondary(state: str = "associated") -> r.VpcCidrBlock:
    return r.VpcCidrBlock(
        "vpc-cidr-assoc-0123456789abcdef0", sample.ACCOUNT, sample.VPC, "100.64.0.0/16", state, sample.NOW
    )


@pytest.mark.parametrize("state", ["associating", "associated"])
def test_every_block_of_a_vpc_is_local_announced_and_guarded(state: str) -> None:
    host = planned(vpc_cidr_blocks=(secondary(state),))
    local = [x for x in host.net.rules if x.netns == sample.VPC and x.table == 100]
    assert local == [
        Rule(sample.VPC, 1100, 100, "", "10.0.0.0/16"),
        Rule(sample.VPC, 1100, 100, "", "100.64.0.0/16"),
    ]
    assert routes(host, sample.VPC, 100)[("100.64.0.0/16", 1000)].kind == "unreachable"
    assert host.bgp.domains[0].advertised == ("10.0.0.0/16", "100.64.0.0/16")
    assert routes(host, sample.VGW, 100)[("100.64.0.0/16", 0)].device == "vpc"
    assert Rule(sample.VGW, 1000, 100, "", "100.64.0.0/16") in host.net.rules
    guard = next(f for f in host.net.filters if f.netns == sample.VGW)
    assert guard.allowed_sources == (("vpc", ("10.0.0.0/16", "100.64.0.0/16")),)
    assert ("t1001", ("127.0.0.0/8", "10.0.0.0/16", "100.64.0.0/16")) in guard.denied_sources


def test_a_block_that_is_on_its_way_out_is_not_planned() -> None:
    assert planned(vpc_cidr_blocks=(secondary("disassociating"),)) == planned()


def test_a_port_in_a_subnet_of_a_secondary_block() -> None:
    world = sample.world()
    subnet = replace(world.subnets[0], cidr_block="100.64.1.0/24")
    interface = replace(world.network_interfaces[0], private_ip_address="100.64.1.10")
    host = planned(vpc_cidr_blocks=(secondary(),), subnets=(subnet, world.subnets[1]), network_interfaces=(interface,))
    (port,) = host.net.ports
    assert (port.address, port.gateway) == ("100.64.1.10/24", "100.64.1.1")
    assert routes(host, sample.VPC, 100)[("100.64.1.10/32", 0)].device == "e0123456789abcd"
    assert "100.64.1.1/32" in {a.address for a in host.net.local_addresses}


def middlebox(destination: str) -> HostPlan:
    """The plan with a second network interface, to which table leads `destination`."""
    world = sample.world()
    box = replace(
        world.network_interfaces[0],
        id="eni-fedcba98765432100",
        subnet_id=sample.OTHER_SUBNET,
        private_ip_address="10.0.2.20",
    )
    plugged = replace(world.ports[0], id=box.id)
    route = r.StaticRoute("r-2", sample.ACCOUNT, sample.TABLE, destination, None, box.id, sample.NOW)
    return planned(
        network_interfaces=(*world.network_interfaces, box),
        ports=(*world.ports, plugged),
        static_routes=(*world.static_routes, route),
    )


@pytest.mark.parametrize("destination", ["10.0.2.0/24", "10.0.0.0/16"])
def test_a_route_inside_the_vpc_beats_the_local_one_for_its_own_table_only(destination: str) -> None:
    host = middlebox(destination)
    inside = [x for x in host.net.rules if x.netns == sample.VPC and x.priority == 1000]
    assert inside == [Rule(sample.VPC, 1000, 1001, "e0123456789abcd", destination)]
    route = routes(host, sample.VPC, 1001)[(destination, 10)]
    assert (route.kind, route.via) == ("unicast", "10.0.2.20")


def test_a_propagated_prefix_inside_the_vpc_never_beats_the_local_route() -> None:
    learned = r.GatewayRoute(f"{sample.VGW}/10.0.2.128/25", sample.VGW, "10.0.2.128/25")
    host = planned(gateway_routes=(learned,))
    assert ("10.0.2.128/25", 20) not in routes(host, sample.VPC, 1001)


def test_a_table_takes_as_many_propagated_routes_as_its_quota() -> None:
    learned = tuple(r.GatewayRoute(f"{sample.VGW}/{p}", sample.VGW, p) for p in ("9.0.0.0/8", "0.0.0.0/0", "8.0.0.0/8"))
    host = plan(replace(sample.world(), gateway_routes=learned), HostFacts(encapsulate=True, propagated_routes_limit=2))
    propagated = [p for p, metric in routes(host, sample.VPC, 1001) if metric == 20 and not p.startswith("169.254.")]
    assert propagated == ["0.0.0.0/0", "8.0.0.0/8"]


def test_a_gateway_known_by_its_name_is_called_where_the_name_leads() -> None:
    (customer,) = sample.world().customer_gateways
    named = replace(customer, ip_address=None, resolved_address="198.51.100.7")
    options = {sample.CGW: {"twinbore:dns-name": "router.example.net"}}
    start = tuple(replace(t, options=replace(t.options, startup_action="start")) for t in sample.world().tunnels)
    found = planned(customer_gateways=(named,), extensions=options, tunnels=start).ipsec.tunnels
    assert {(t.remote_address, t.remote_identity, t.initiate) for t in found} == {("198.51.100.7", None, True)}
    unknown = replace(named, resolved_address=None)
    found = planned(customer_gateways=(unknown,), extensions=options, tunnels=start).ipsec.tunnels
    assert {(t.remote_address, t.remote_identity, t.initiate) for t in found} == {(None, None, False)}


def test_a_gateway_known_by_its_identity_may_call_from_anywhere() -> None:
    (customer,) = sample.world().customer_gateways
    options = {sample.CGW: {"twinbore:ike-identity": "router.example.net"}}
    found = planned(customer_gateways=(replace(customer, ip_address=None),), extensions=options).ipsec.tunnels
    assert {(t.remote_address, t.remote_identity, t.initiate) for t in found} == {(None, "router.example.net", False)}
