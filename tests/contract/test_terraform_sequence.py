"""The calls that Terraform's AWS provider makes for VPN resources, in its order and with its eyes.

The provider's binary is not what runs here; this replays what its resources aws_customer_gateway, aws_vpn_gateway,
aws_vpn_gateway_attachment, aws_vpn_gateway_route_propagation, aws_vpn_connection and aws_vpn_connection_route do:

* after a Create it polls Describe by id until a state of its list of targets; any state that is in neither list is an
  error, and so is "not found" too often;
* a resource whose state is `deleted` counts as gone, and after a Delete it polls until it is;
* a Delete that meets NotFound is done; DeleteVpnGateway is tried again while it meets IncorrectState, and
  EnableVgwRoutePropagation while it meets Gateway.NotAttached;
* addresses, ASNs and keys of tunnels are read from the customer gateway configuration, not from the options.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import pytest
from botocore.exceptions import ClientError

from tests.contract.conftest import Service, Stage
from tests.contract.settling import Settling

GONE = ""


@dataclass
class Provider:
    """The provider's finders and waiters."""

    ec2: Any

    def customer_gateway(self, key: str) -> dict[str, Any] | None:
        return self._one("describe_customer_gateways", "CustomerGateways", key, "CustomerGatewayIds")

    def vpn_gateway(self, key: str) -> dict[str, Any] | None:
        return self._one("describe_vpn_gateways", "VpnGateways", key, "VpnGatewayIds")

    def vpn_connection(self, key: str) -> dict[str, Any] | None:
        return self._one("describe_vpn_connections", "VpnConnections", key, "VpnConnectionIds")

    def attachment(self, gateway: str, vpc: str) -> dict[str, Any] | None:
        found = self.vpn_gateway(gateway)
        attachments = [a for a in found["VpcAttachments"] if a["VpcId"] == vpc] if found else []
        return attachments[0] if attachments and attachments[0]["State"] != "detached" else None

    def route(self, connection: str, destination: str) -> dict[str, Any] | None:
        found = self.ec2.describe_vpn_connections(
            Filters=[
                {"Name": "route.destination-cidr-block", "Values": [destination]},
                {"Name": "vpn-connection-id", "Values": [connection]},
            ]
        )["VpnConnections"]
        routes = [r for c in found for r in c["Routes"] if r["DestinationCidrBlock"] == destination]
        return routes[0] if routes and routes[0]["State"] != "deleted" else None

    def propagates(self, table: str, gateway: str) -> bool:
        (found,) = self.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
        return gateway in [p["GatewayId"] for p in found["PropagatingVgws"]]

    def _one(self, operation: str, member: str, key: str, ids: str) -> dict[str, Any] | None:
        try:
            found: list[dict[str, Any]] = getattr(self.ec2, operation)(**{ids: [key]})[member]
        except ClientError as error:
            assert error.response["Error"]["Code"].endswith(".NotFound")
            return None
        assert len(found) == 1
        return None if found[0]["State"] == "deleted" else found[0]


def poll(find: Callable[[], dict[str, Any] | None], pending: set[str], target: str) -> list[str]:
    """Look until the state is `target` (GONE: until there is nothing); the states that were seen before that."""
    seen: list[str] = []
    for _ in range(10):
        found = find()
        state = GONE if found is None else found["State"]
        if state == target:
            return seen
        assert state in pending, f"unexpected state {state!r}, wanted {target!r}"
        seen.append(state)
    raise AssertionError(f"still {seen[-1]} after {len(seen)} looks")


def until_accepted(code: str, attempt: Callable[[], Any]) -> int:
    """Try again while the error is `code`; the number of refusals."""
    for refusals in range(10):
        try:
            attempt()
        except ClientError as error:
            assert error.response["Error"]["Code"] == code
            continue
        return refusals
    raise AssertionError(f"still {code}")


def tags(resource_type: str) -> list[dict[str, Any]]:
    return [{"ResourceType": resource_type, "Tags": [{"Key": "Name", "Value": "terraform"}]}]


def tunnels_of(configuration: str) -> list[dict[str, Any]]:
    """What the provider reads of the customer gateway configuration, by outside address."""
    return sorted(
        (
            {
                "outside": tunnel.findtext("vpn_gateway/tunnel_outside_address/ip_address"),
                "vgw_inside": tunnel.findtext("vpn_gateway/tunnel_inside_address/ip_address"),
                "cgw_inside": tunnel.findtext("customer_gateway/tunnel_inside_address/ip_address"),
                "asn": tunnel.findtext("vpn_gateway/bgp/asn"),
                "hold": tunnel.findtext("vpn_gateway/bgp/hold_time"),
                "key": tunnel.findtext("ike/pre_shared_key"),
            }
            for tunnel in ElementTree.fromstring(configuration).iter("ipsec_tunnel")
        ),
        key=lambda tunnel: tunnel["outside"] or "",
    )


@pytest.fixture
def provider(service: Service, stage: Stage, ec2: Any) -> Provider:
    Settling(stage, service, every=3)
    return Provider(ec2)


@pytest.fixture
def customer(provider: Provider) -> str:
    made = provider.ec2.create_customer_gateway(
        Type="ipsec.1", BgpAsn=65000, IpAddress="192.0.2.2", DeviceName="r1", TagSpecifications=tags("customer-gateway")
    )["CustomerGateway"]
    key = str(made["CustomerGatewayId"])
    assert poll(lambda: provider.customer_gateway(key), {"pending"}, "available") == []
    read = provider.customer_gateway(key)
    assert read == made
    assert (read["BgpAsn"], read["IpAddress"], read["Type"], read["DeviceName"]) == (
        "65000",
        "192.0.2.2",
        "ipsec.1",
        "r1",
    )
    return key


@pytest.fixture
def gateway(provider: Provider) -> str:
    """Attached by its own argument vpc_id."""
    vpc = provider.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = provider.ec2.create_vpn_gateway(
        Type="ipsec.1", AmazonSideAsn=64620, AvailabilityZone="us-east-1a", TagSpecifications=tags("vpn-gateway")
    )
    key = str(made["VpnGateway"]["VpnGatewayId"])
    provider.ec2.attach_vpn_gateway(VpnGatewayId=key, VpcId=vpc)
    poll(lambda: provider.attachment(key, vpc), {"attaching", "detached"}, "attached")
    read = provider.vpn_gateway(key)
    assert read is not None
    assert (read["AmazonSideAsn"], read["AvailabilityZone"]) == (64620, "us-east-1a")
    assert [a["VpcId"] for a in read["VpcAttachments"] if a["State"] == "attached"] == [vpc]
    return key


def test_a_connection_is_applied_and_destroyed(provider: Provider, customer: str, gateway: str) -> None:
    ec2 = provider.ec2
    (found,) = ec2.describe_vpn_gateways(VpnGatewayIds=[gateway])["VpnGateways"]
    vpc = found["VpcAttachments"][0]["VpcId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    assert until_accepted(
        "Gateway.NotAttached", lambda: ec2.enable_vgw_route_propagation(GatewayId=gateway, RouteTableId=table)
    ) in (0, 1)
    assert provider.propagates(table, gateway)

    made = ec2.create_vpn_connection(
        Type="ipsec.1",
        CustomerGatewayId=customer,
        VpnGatewayId=gateway,
        # The provider always gives two tunnels, and StaticRoutesOnly, whether or not anything is set in them.
        Options={"StaticRoutesOnly": False, "TunnelOptions": [{}, {}]},
        TagSpecifications=tags("vpn-connection"),
    )["VpnConnection"]
    connection = made["VpnConnectionId"]
    assert set(poll(lambda: provider.vpn_connection(connection), {"pending"}, "available")) <= {"pending"}
    check_read(provider, connection)

    ec2.delete_vpn_connection(VpnConnectionId=connection)
    assert set(poll(lambda: provider.vpn_connection(connection), {"deleting"}, GONE)) <= {"deleting"}
    with pytest.raises(ClientError, match=r"InvalidVpnConnectionID\.NotFound"):
        ec2.delete_vpn_connection(VpnConnectionId=connection)
    ec2.disable_vgw_route_propagation(GatewayId=gateway, RouteTableId=table)
    assert not provider.propagates(table, gateway)
    ec2.delete_customer_gateway(CustomerGatewayId=customer)
    assert poll(lambda: provider.customer_gateway(customer), {"available", "deleting"}, GONE) == []
    ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=vpc)
    poll(lambda: provider.attachment(gateway, vpc), {"attached", "detaching"}, GONE)
    until_accepted("IncorrectState", lambda: ec2.delete_vpn_gateway(VpnGatewayId=gateway))
    with pytest.raises(ClientError, match=r"InvalidVpnGatewayAttachment\.NotFound"):
        ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=vpc)


def check_read(provider: Provider, connection: str) -> None:
    """Every attribute that a plan compares has a value, and the same on each read."""
    read = provider.vpn_connection(connection)
    assert read is not None
    assert read == provider.vpn_connection(connection)
    options = read["Options"]
    for name in (
        "EnableAcceleration",
        "LocalIpv4NetworkCidr",
        "OutsideIpAddressType",
        "RemoteIpv4NetworkCidr",
        "StaticRoutesOnly",
        "TunnelInsideIpVersion",
    ):
        assert name in options
    tunnels = tunnels_of(read["CustomerGatewayConfiguration"])
    assert {t["OutsideIpAddress"] for t in options["TunnelOptions"]} == {t["outside"] for t in tunnels}
    assert {t["PreSharedKey"] for t in options["TunnelOptions"]} == {t["key"] for t in tunnels}
    assert [t["asn"] for t in tunnels] == ["64620", "64620"]
    assert [t["hold"] for t in tunnels] == ["30", "30"]
    assert all(tunnel["vgw_inside"] and tunnel["cgw_inside"] for tunnel in tunnels)
    assert {t["OutsideIpAddress"] for t in read["VgwTelemetry"]} == {t["outside"] for t in tunnels}
    for telemetry in read["VgwTelemetry"]:
        assert {"AcceptedRouteCount", "LastStatusChange", "Status", "StatusMessage"} <= telemetry.keys()
    assert read["Tags"] == [{"Key": "Name", "Value": "terraform"}]


def test_a_static_route_is_applied_and_destroyed(provider: Provider, customer: str, gateway: str) -> None:
    ec2, destination = provider.ec2, "192.168.10.0/24"
    connection = ec2.create_vpn_connection(
        Type="ipsec.1", CustomerGatewayId=customer, VpnGatewayId=gateway, Options={"StaticRoutesOnly": True}
    )["VpnConnection"]["VpnConnectionId"]
    poll(lambda: provider.vpn_connection(connection), {"pending"}, "available")
    ec2.create_vpn_connection_route(VpnConnectionId=connection, DestinationCidrBlock=destination)
    assert set(poll(lambda: provider.route(connection, destination), {"pending"}, "available")) <= {"pending"}
    ec2.delete_vpn_connection_route(VpnConnectionId=connection, DestinationCidrBlock=destination)
    poll(lambda: provider.route(connection, destination), {"pending", "available", "deleting"}, GONE)


def test_an_attachment_of_its_own_is_applied_and_destroyed(provider: Provider) -> None:
    """aws_vpn_gateway_attachment, with a gateway that is attached in the very moment that it is made."""
    ec2 = provider.ec2
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    key = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    assert (
        until_accepted("InvalidVpnGatewayID.NotFound", lambda: ec2.attach_vpn_gateway(VpnGatewayId=key, VpcId=vpc)) == 0
    )
    seen = poll(lambda: provider.attachment(key, vpc), {"detached", "attaching"}, "attached")
    assert set(seen) <= {"attaching"}
    ec2.detach_vpn_gateway(VpnGatewayId=key, VpcId=vpc)
    assert set(poll(lambda: provider.attachment(key, vpc), {"attached", "detaching"}, GONE)) <= {"detaching"}


def test_an_update_keeps_everything_else(provider: Provider, customer: str, gateway: str) -> None:
    ec2 = provider.ec2
    connection = ec2.create_vpn_connection(Type="ipsec.1", CustomerGatewayId=customer, VpnGatewayId=gateway)[
        "VpnConnection"
    ]["VpnConnectionId"]
    poll(lambda: provider.vpn_connection(connection), {"pending"}, "available")
    before = tunnels_of(provider.vpn_connection(connection)["CustomerGatewayConfiguration"])  # type: ignore[index]

    first = before[0]["outside"]
    ec2.modify_vpn_tunnel_options(
        VpnConnectionId=connection,
        VpnTunnelOutsideIpAddress=first,
        TunnelOptions={"DPDTimeoutSeconds": 60, "PreSharedKey": "another.key_1"},
    )
    poll(lambda: provider.vpn_connection(connection), {"modifying"}, "available")
    ec2.modify_vpn_connection_options(VpnConnectionId=connection, LocalIpv4NetworkCidr="192.168.0.0/16")
    poll(lambda: provider.vpn_connection(connection), {"modifying"}, "available")
    other = ec2.create_customer_gateway(Type="ipsec.1", BgpAsn=65001, IpAddress="192.0.2.3")["CustomerGateway"]
    ec2.modify_vpn_connection(VpnConnectionId=connection, CustomerGatewayId=other["CustomerGatewayId"])
    poll(lambda: provider.vpn_connection(connection), {"modifying"}, "available")

    read = provider.vpn_connection(connection)
    assert read is not None
    assert read["CustomerGatewayId"] == other["CustomerGatewayId"]
    assert read["Options"]["LocalIpv4NetworkCidr"] == "192.168.0.0/16"
    assert tunnels_of(read["CustomerGatewayConfiguration"]) == [before[0] | {"key": "another.key_1"}, before[1]]
    timeouts = {t["OutsideIpAddress"]: t["DpdTimeoutSeconds"] for t in read["Options"]["TunnelOptions"]}
    assert timeouts == {first: 60, before[1]["outside"]: 40}
