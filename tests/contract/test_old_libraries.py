"""Libraries that parse EC2's answers by hand: Apache libcloud's driver, and boto 2 (last release 2018).

boto 2 keeps what it does not know by name, from nested elements too, and so depends on the order and on the emptiness
of elements; libcloud looks for elements by their full path. Both sign with version 4 when they are told to.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.contract.conftest import Service, Stage
from tests.contract.settling import Settling


@pytest.fixture
def libcloud(service: Service, stage: Stage) -> Any:
    providers = pytest.importorskip("libcloud.compute.providers")
    Settling(stage, service)
    where = urlsplit(service.url)
    return providers.get_driver("ec2")(
        service.access_key_id,
        service.secret_access_key,
        secure=False,
        host=where.hostname,
        port=where.port,
        region=service.settings.region,
        signature_version="4",
    )


@pytest.fixture
def boto2(service: Service, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("EC2_USE_SIGV4", "True")
    vpc = pytest.importorskip("boto.vpc", reason="boto 2 is for Python up to 3.11", exc_type=ImportError)
    from boto.regioninfo import RegionInfo

    Settling(stage, service)
    where = urlsplit(service.url)
    connection = vpc.VPCConnection(
        service.access_key_id,
        service.secret_access_key,
        is_secure=False,
        port=where.port,
        region=RegionInfo(name=service.settings.region, endpoint=where.hostname),
    )
    # boto takes both from the host's name, which is an address here.
    connection.auth_service_name = "ec2"
    connection.auth_region_name = service.settings.region
    return connection


def test_a_network_with_libcloud(libcloud: Any) -> None:
    assert [zone.name for zone in libcloud.ex_list_availability_zones()] == ["us-east-1a", "us-east-1b", "us-east-1c"]
    network = libcloud.ex_create_network("10.0.0.0/16", name="cloud")
    assert network.extra["state"] == "pending"
    (listed,) = libcloud.ex_list_networks()
    assert (listed.id, listed.name, listed.extra["state"]) == (network.id, "cloud", "available")
    subnet = libcloud.ex_create_subnet(network.id, "10.0.1.0/24", "us-east-1a", name="hosts")
    assert [(s.id, s.name, s.extra["cidr_block"]) for s in libcloud.ex_list_subnets()] == [
        (subnet.id, "hosts", "10.0.1.0/24")
    ]
    gateway = libcloud.ex_create_internet_gateway(name="way-out")
    assert libcloud.ex_attach_internet_gateway(gateway, network)
    (attached,) = libcloud.ex_list_internet_gateways()
    assert (attached.state, attached.vpc_id) == ("available", network.id)

    table = libcloud.ex_create_route_table(network, name="hosts")
    association = libcloud.ex_associate_route_table(table, subnet)
    assert libcloud.ex_create_route(table, "0.0.0.0/0", internet_gateway=gateway)
    (shown,) = libcloud.ex_list_route_tables(route_table_ids=[table.id])
    assert [(r.cidr, r.gateway_id, r.state) for r in shown.routes] == [
        ("10.0.0.0/16", "local", "active"),
        ("0.0.0.0/0", gateway.id, "active"),
    ]
    assert [(a.id, a.subnet_id) for a in shown.subnet_associations] == [(association, subnet.id)]

    interface = libcloud.ex_create_network_interface(subnet, name="host", private_ip_address="10.0.1.10")
    (nic,) = libcloud.ex_list_network_interfaces()
    assert (nic.id, nic.extra["private_ips"][0]["private_ip"]) == (interface.id, "10.0.1.10")
    assert libcloud.ex_create_tags(network, {"stage": "test"})
    assert libcloud.ex_describe_tags(network) == {"Name": "cloud", "stage": "test"}
    assert libcloud.list_nodes() == []

    assert libcloud.ex_delete_network_interface(interface)
    assert libcloud.ex_delete_route(table, "0.0.0.0/0")
    assert libcloud.ex_dissociate_route_table(shown.subnet_associations[0])
    assert libcloud.ex_delete_route_table(table)
    assert libcloud.ex_delete_subnet(subnet)
    assert libcloud.ex_detach_internet_gateway(gateway, network)
    assert libcloud.ex_delete_internet_gateway(gateway)
    assert libcloud.ex_delete_network(network)
    with pytest.raises(Exception, match=r"InvalidVpcID\.NotFound: The vpc ID"):
        libcloud.ex_delete_network(network)


def test_a_vpn_with_boto_2(boto2: Any) -> None:
    vpc = boto2.create_vpc("10.0.0.0/16")
    table = boto2.create_route_table(vpc.id)
    assert [route.gateway_id for route in table.routes] == ["local"]
    customer = boto2.create_customer_gateway("ipsec.1", "192.0.2.2", 65000)
    assert (customer.state, customer.ip_address, customer.bgp_asn) == ("available", "192.0.2.2", 65000)
    gateway = boto2.create_vpn_gateway("ipsec.1")
    assert gateway.attachments == []
    assert boto2.attach_vpn_gateway(gateway.id, vpc.id).state == "attaching"
    (shown,) = boto2.get_all_vpn_gateways(filters={"attachment.vpc-id": vpc.id})
    assert [(a.vpc_id, a.state) for a in shown.attachments] == [(vpc.id, "attached")]
    assert boto2.enable_vgw_route_propagation(table.id, gateway.id)

    made = boto2.create_vpn_connection("ipsec.1", customer.id, gateway.id, static_routes_only=True)
    assert made.state == "pending"
    assert boto2.create_vpn_connection_route("192.168.0.0/16", made.id)
    (vpn,) = boto2.get_all_vpn_connections([made.id])
    assert (vpn.state, vpn.type, vpn.customer_gateway_id, vpn.vpn_gateway_id) == (
        "available",
        "ipsec.1",
        customer.id,
        gateway.id,
    )
    assert vpn.options.static_routes_only is True
    assert [(r.destination_cidr_block, r.source, r.state) for r in vpn.static_routes] == [
        ("192.168.0.0/16", "Static", "available")
    ]
    assert [(t.status, t.status_message, t.accepted_route_count) for t in vpn.tunnels] == [
        ("DOWN", "IPSEC IS DOWN", 0)
    ] * 2
    assert all(t.last_status_change.year >= 2020 for t in vpn.tunnels)
    assert vpn.customer_gateway_configuration.count("<pre_shared_key>") == 2
    assert boto2.create_tags([made.id], {"Name": "site"})
    assert [(t.res_id, t.name, t.value) for t in boto2.get_all_tags()] == [(made.id, "Name", "site")]

    assert boto2.delete_vpn_connection_route("192.168.0.0/16", made.id)
    assert boto2.delete_vpn_connection(made.id)
    assert boto2.detach_vpn_gateway(gateway.id, vpc.id)
    assert boto2.delete_vpn_gateway(gateway.id)
    assert boto2.delete_customer_gateway(customer.id)
    assert boto2.delete_route_table(table.id)
    assert boto2.delete_vpc(vpc.id)
    with pytest.raises(Exception, match="400 Bad Request") as caught:
        boto2.delete_vpc(vpc.id)
    assert caught.value.error_code == "InvalidVpcID.NotFound"
    assert caught.value.request_id
