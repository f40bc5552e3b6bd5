"""Route tables through boto3: associations, the main table, static and propagated routes, blackholes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import Service, now
from tests.contract.test_subnets import subnet
from tests.contract.vpn import refused, vpc, vpn_gateway
from twinbore.model import resources as r
from twinbore.model.settings import Quotas, Settings

RTB = "rtb-0123456789abcdef0"
ASSOCIATION = "rtbassoc-0123456789abcdef0"


def table(ec2: Any, vpc_id: str) -> str:
    return str(ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"])


def main_table(ec2: Any, vpc_id: str) -> dict[str, Any]:
    filters = [{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "association.main", "Values": ["true"]}]
    (found,) = ec2.describe_route_tables(Filters=filters)["RouteTables"]
    return dict(found)


def described(ec2: Any, table_id: str) -> dict[str, Any]:
    return dict(ec2.describe_route_tables(RouteTableIds=[table_id])["RouteTables"][0])


def routes(ec2: Any, table_id: str) -> list[tuple[str, str, str, str]]:
    """(destination, target, origin, state) of every route."""
    return [
        (
            route["DestinationCidrBlock"],
            route.get("GatewayId") or route["NetworkInterfaceId"],
            route["Origin"],
            route["State"],
        )
        for route in described(ec2, table_id)["Routes"]
    ]


def internet_gateway(ec2: Any, vpc_id: str | None = None) -> str:
    gateway = str(ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"])
    if vpc_id:
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc_id)
    return gateway


def attached_vpn_gateway(service: Service, ec2: Any, vpc_id: str) -> str:
    gateway = vpn_gateway(ec2)
    ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=vpc_id)
    service.settle()
    return gateway


def learn(service: Service, gateway: str, *prefixes: str) -> None:
    """The gateway carries these prefixes from now on, as the agent would record it."""
    with service.database.write() as tx:
        tx.delete(r.GatewayRoute, *(route.id for route in tx.all(r.GatewayRoute, gateway_id=gateway)))
        tx.insert(*(r.GatewayRoute(f"{gateway}/{prefix}", gateway, prefix) for prefix in prefixes))


def plug(service: Service, eni: str) -> None:
    with service.database.write() as tx:
        interface = tx.get(r.NetworkInterface, eni)
        assert interface is not None
        tx.insert(r.Port(eni, interface.account_id, "netns", "host", "eth0", now()))


LOCAL = ("10.0.0.0/16", "local", "CreateRouteTable", "active")


def test_a_route_table_from_create_to_delete(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    tags = [{"Key": "Name", "Value": "t"}]
    made = ec2.create_route_table(
        VpcId=vpc_id, ClientToken="once", TagSpecifications=[{"ResourceType": "route-table", "Tags": tags}]
    )
    assert made["ClientToken"] == "once"
    expected = {
        "RouteTableId": made["RouteTable"]["RouteTableId"],
        "VpcId": vpc_id,
        "OwnerId": made["RouteTable"]["OwnerId"],
        "Associations": [],
        "PropagatingVgws": [],
        "Routes": [
            {
                "DestinationCidrBlock": "10.0.0.0/16",
                "GatewayId": "local",
                "Origin": "CreateRouteTable",
                "State": "active",
            }
        ],
        "Tags": tags,
    }
    assert made["RouteTable"] == expected
    table_id = expected["RouteTableId"]
    assert described(ec2, table_id) == expected
    ec2.delete_route_table(RouteTableId=table_id)
    assert len(ec2.describe_route_tables()["RouteTables"]) == 1
    assert service.dump()["tags"] == []


def test_a_request_that_is_sent_again_makes_no_second_table(service: Service, ec2: Any) -> None:
    vpc_id, other = vpc(ec2), vpc(ec2)
    first = ec2.create_route_table(VpcId=vpc_id, ClientToken="once")["RouteTable"]
    before = service.dump()
    assert ec2.create_route_table(VpcId=vpc_id, ClientToken="once")["RouteTable"] == first
    assert service.dump() == before
    with refused(service, "IdempotentParameterMismatch", "once", vpc_id):
        ec2.create_route_table(VpcId=other, ClientToken="once")
    with refused(service, "InvalidParameterValue", "ClientToken", "64"):
        ec2.create_route_table(VpcId=vpc_id, ClientToken="x" * 65)
    assert ec2.create_route_table(VpcId=vpc_id, ClientToken="twice")["RouteTable"] != first


def test_kernel_tables_are_never_given_twice(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    ec2.delete_route_table(RouteTableId=table(ec2, vpc_id))
    table(ec2, vpc_id)
    with service.database.read() as tx:
        numbers = [t.kernel_table for t in tx.all(r.RouteTable)]
    assert sorted(numbers) == [1000, 1002]


def test_associations(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    table_id, subnet_id = table(ec2, vpc_id), subnet(ec2, vpc_id)
    answer = ec2.associate_route_table(RouteTableId=table_id, SubnetId=subnet_id)
    association = answer["AssociationId"]
    assert answer["AssociationState"] == {"State": "associated"}
    assert described(ec2, table_id)["Associations"] == [
        {
            "RouteTableAssociationId": association,
            "RouteTableId": table_id,
            "SubnetId": subnet_id,
            "Main": False,
            "AssociationState": {"State": "associated"},
        }
    ]
    assert ec2.associate_route_table(RouteTableId=table_id, SubnetId=subnet_id)["AssociationId"] == association
    other = table(ec2, vpc_id)
    with refused(service, "Resource.AlreadyAssociated", association, table_id):
        ec2.associate_route_table(RouteTableId=other, SubnetId=subnet_id)
    with refused(service, "DependencyViolation", f"The routeTable '{table_id}' has dependencies", subnet_id):
        ec2.delete_route_table(RouteTableId=table_id)
    replaced = ec2.replace_route_table_association(AssociationId=association, RouteTableId=other)
    assert replaced["NewAssociationId"] != association
    assert replaced["AssociationState"] == {"State": "associated"}
    assert described(ec2, table_id)["Associations"] == []
    with refused(service, "InvalidAssociationID.NotFound", association):
        ec2.disassociate_route_table(AssociationId=association)
    ec2.disassociate_route_table(AssociationId=replaced["NewAssociationId"])
    assert described(ec2, other)["Associations"] == []


def test_another_table_becomes_the_main_one(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    old, new = main_table(ec2, vpc_id), table(ec2, vpc_id)
    association = old["Associations"][0]["RouteTableAssociationId"]
    with refused(service, "InvalidParameterValue", "cannot disassociate the main route table association"):
        ec2.disassociate_route_table(AssociationId=association)
    with refused(service, "DependencyViolation", old["RouteTableId"], "main"):
        ec2.delete_route_table(RouteTableId=old["RouteTableId"])
    same = ec2.replace_route_table_association(AssociationId=association, RouteTableId=old["RouteTableId"])
    assert same["NewAssociationId"] == association
    ec2.replace_route_table_association(AssociationId=association, RouteTableId=new)
    assert main_table(ec2, vpc_id)["RouteTableId"] == new
    assert [a["Main"] for a in described(ec2, new)["Associations"]] == [True]
    ec2.delete_route_table(RouteTableId=old["RouteTableId"])
    ec2.delete_vpc(VpcId=vpc_id)


def test_tables_and_subnets_of_different_vpcs(service: Service, ec2: Any) -> None:
    first, second = vpc(ec2), vpc(ec2)
    here, there = table(ec2, first), table(ec2, second)
    subnet_id = subnet(ec2, first)
    with refused(service, "InvalidParameterValue", there, subnet_id, "belong to different networks"):
        ec2.associate_route_table(RouteTableId=there, SubnetId=subnet_id)
    association = ec2.associate_route_table(RouteTableId=here, SubnetId=subnet_id)["AssociationId"]
    with refused(service, "InvalidParameterValue", there, association):
        ec2.replace_route_table_association(AssociationId=association, RouteTableId=there)


@pytest.mark.parametrize(
    ("call", "request_", "code"),
    [
        ("delete_route_table", {"RouteTableId": RTB}, "InvalidRouteTableID.NotFound"),
        ("delete_route_table", {"RouteTableId": "rtb-1"}, "InvalidRouteTableId.Malformed"),
        ("describe_route_tables", {"RouteTableIds": [RTB]}, "InvalidRouteTableID.NotFound"),
        ("describe_route_tables", {"RouteTableIds": ["1"]}, "InvalidRouteTableId.Malformed"),
        ("create_route_table", {"VpcId": "vpc-0123456789abcdef0"}, "InvalidVpcID.NotFound"),
        ("associate_route_table", {"RouteTableId": RTB, "SubnetId": "subnet-1"}, "InvalidRouteTableID.NotFound"),
        ("disassociate_route_table", {"AssociationId": ASSOCIATION}, "InvalidAssociationID.NotFound"),
        ("disassociate_route_table", {"AssociationId": "rtb-1"}, "InvalidAssociationID.Malformed"),
        (
            "replace_route_table_association",
            {"AssociationId": ASSOCIATION, "RouteTableId": RTB},
            "InvalidAssociationID.NotFound",
        ),
        ("create_route", {"RouteTableId": RTB, "DestinationCidrBlock": "0.0.0.0/0"}, "InvalidRouteTableID.NotFound"),
        ("delete_route", {"RouteTableId": RTB, "DestinationCidrBlock": "0.0.0.0/0"}, "InvalidRouteTableID.NotFound"),
    ],
)
def test_ids_that_are_not_there(service: Service, ec2: Any, call: str, request_: dict[str, Any], code: str) -> None:
    with refused(service, code):
        getattr(ec2, call)(**request_)


def test_association_with_what_cannot_be(service: Service, ec2: Any) -> None:
    table_id = table(ec2, vpc(ec2))
    with refused(service, "MissingParameter", "SubnetId"):
        ec2.associate_route_table(RouteTableId=table_id)
    with refused(service, "UnsupportedOperation", "GatewayId"):
        ec2.associate_route_table(RouteTableId=table_id, GatewayId="igw-0123456789abcdef0")
    with refused(service, "InvalidSubnetID.NotFound"):
        ec2.associate_route_table(RouteTableId=table_id, SubnetId="subnet-0123456789abcdef0")


def test_a_route_to_an_internet_gateway_and_its_blackhole(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    table_id, gateway = table(ec2, vpc_id), internet_gateway(ec2, vpc_id)
    answer = ec2.create_route(RouteTableId=table_id, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    assert answer["Return"] is True
    assert routes(ec2, table_id) == [LOCAL, ("0.0.0.0/0", gateway, "CreateRoute", "active")]
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc_id)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    assert routes(ec2, table_id)[1] == ("0.0.0.0/0", gateway, "CreateRoute", "blackhole")
    ec2.delete_route(RouteTableId=table_id, DestinationCidrBlock="0.0.0.0/0")
    assert routes(ec2, table_id) == [LOCAL]


def test_a_route_to_a_virtual_private_gateway_and_its_blackhole(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    table_id, gateway = table(ec2, vpc_id), attached_vpn_gateway(service, ec2, vpc_id)
    ec2.create_route(RouteTableId=table_id, DestinationCidrBlock="192.168.0.0/16", GatewayId=gateway)
    assert routes(ec2, table_id)[1] == ("192.168.0.0/16", gateway, "CreateRoute", "active")
    ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=vpc_id)
    assert routes(ec2, table_id)[1][3] == "blackhole"


def test_a_route_to_a_network_interface_and_its_blackhole(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    table_id = table(ec2, vpc_id)
    eni = ec2.create_network_interface(SubnetId=subnet(ec2, vpc_id))["NetworkInterface"]["NetworkInterfaceId"]
    ec2.create_route(RouteTableId=table_id, DestinationCidrBlock="172.16.0.0/12", NetworkInterfaceId=eni)
    assert routes(ec2, table_id)[1] == ("172.16.0.0/12", eni, "CreateRoute", "blackhole")
    plug(service, eni)
    assert routes(ec2, table_id)[1] == ("172.16.0.0/12", eni, "CreateRoute", "active")


def test_propagated_routes_stand_beside_static_ones(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    table_id, igw = table(ec2, vpc_id), internet_gateway(ec2, vpc_id)
    vgw = attached_vpn_gateway(service, ec2, vpc_id)
    ec2.create_route(RouteTableId=table_id, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)
    learn(service, vgw, "192.168.10.0/24", "0.0.0.0/0", "9.0.0.0/8")
    assert described(ec2, table_id)["PropagatingVgws"] == []
    assert len(routes(ec2, table_id)) == 2
    ec2.enable_vgw_route_propagation(RouteTableId=table_id, GatewayId=vgw)
    assert described(ec2, table_id)["PropagatingVgws"] == [{"GatewayId": vgw}]
    assert routes(ec2, table_id) == [
        LOCAL,
        ("0.0.0.0/0", igw, "CreateRoute", "active"),
        ("0.0.0.0/0", vgw, "EnableVgwRoutePropagation", "active"),
        ("9.0.0.0/8", vgw, "EnableVgwRoutePropagation", "active"),
        ("192.168.10.0/24", vgw, "EnableVgwRoutePropagation", "active"),
    ]
    ec2.delete_route(RouteTableId=table_id, DestinationCidrBlock="0.0.0.0/0")
    assert routes(ec2, table_id)[1] == ("0.0.0.0/0", vgw, "EnableVgwRoutePropagation", "active")
    with refused(service, "InvalidRoute.NotFound", "0.0.0.0/0", f"propagated from {vgw}"):
        ec2.delete_route(RouteTableId=table_id, DestinationCidrBlock="0.0.0.0/0")
    learn(service, vgw, "192.168.10.0/24")
    assert [route[0] for route in routes(ec2, table_id)] == ["10.0.0.0/16", "192.168.10.0/24"]
    assert routes(ec2, main_table(ec2, vpc_id)["RouteTableId"]) == [LOCAL]


def test_replacing_a_route(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    table_id, igw = table(ec2, vpc_id), internet_gateway(ec2, vpc_id)
    eni = ec2.create_network_interface(SubnetId=subnet(ec2, vpc_id))["NetworkInterface"]["NetworkInterfaceId"]
    default = {"RouteTableId": table_id, "DestinationCidrBlock": "0.0.0.0/0"}
    missing = "There is no route defined for '0.0.0.0/0' in the route table. Use CreateRoute instead."
    with refused(service, "InvalidParameterValue", missing):
        ec2.replace_route(**default, GatewayId=igw)
    ec2.create_route(**default, GatewayId=igw)
    ec2.replace_route(**default, NetworkInterfaceId=eni)
    assert routes(ec2, table_id)[1][1] == eni
    ec2.replace_route(**default, GatewayId=igw)
    assert routes(ec2, table_id)[1][1] == igw
    with refused(service, "InvalidParameterValue", "LocalTarget"):
        ec2.replace_route(**default, LocalTarget=True)


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"DestinationCidrBlock": "everything"}, "InvalidParameterValue", ("DestinationCidrBlock", "everything")),
        ({"DestinationCidrBlock": "10.0.0.0/16"}, "InvalidParameterValue", ("10.0.0.0/16", "only an interface")),
        ({"DestinationCidrBlock": "10.0.7.0/24"}, "InvalidParameterValue", ("10.0.7.0/24", "only an interface")),
        ({"DestinationCidrBlock": None}, "MissingParameter", ("DestinationCidrBlock",)),
        (
            {"DestinationCidrBlock": None, "DestinationIpv6CidrBlock": "::/0"},
            "UnsupportedOperation",
            ("DestinationIpv6CidrBlock",),
        ),
        ({"GatewayId": None}, "MissingParameter", ("GatewayId", "NetworkInterfaceId")),
        ({"NetworkInterfaceId": "eni-0123456789abcdef0"}, "InvalidParameterCombination", ("GatewayId",)),
        (
            {"DestinationCidrBlock": None, "DestinationPrefixListId": "pl-0123456789abcdef0"},
            "UnsupportedOperation",
            ("DestinationPrefixListId", "DestinationCidrBlock"),
        ),
        ({"GatewayId": None, "CarrierGatewayId": "cagw-1"}, "UnsupportedOperation", ("CarrierGatewayId",)),
        ({"GatewayId": None, "CoreNetworkArn": "arn:aws:x"}, "UnsupportedOperation", ("CoreNetworkArn",)),
        (
            {"GatewayId": None, "EgressOnlyInternetGatewayId": "eigw-1"},
            "UnsupportedOperation",
            ("EgressOnlyInternetGatewayId",),
        ),
        ({"GatewayId": None, "InstanceId": "i-1"}, "UnsupportedOperation", ("InstanceId", "NetworkInterfaceId")),
        ({"GatewayId": None, "LocalGatewayId": "lgw-1"}, "UnsupportedOperation", ("LocalGatewayId",)),
        ({"GatewayId": None, "NatGatewayId": "nat-1"}, "UnsupportedOperation", ("NatGatewayId", "GatewayId")),
        ({"GatewayId": None, "OdbNetworkArn": "arn:aws:x"}, "UnsupportedOperation", ("OdbNetworkArn",)),
        ({"GatewayId": None, "TransitGatewayId": "tgw-1"}, "UnsupportedOperation", ("TransitGatewayId",)),
        ({"GatewayId": None, "VpcEndpointId": "vpce-1"}, "UnsupportedOperation", ("VpcEndpointId",)),
        ({"GatewayId": None, "VpcPeeringConnectionId": "pcx-1"}, "UnsupportedOperation", ("VpcPeeringConnectionId",)),
        ({"GatewayId": "igw-0123456789abcdef0"}, "InvalidGatewayID.NotFound", ("igw-0123456789abcdef0",)),
        ({"GatewayId": "vgw-0123456789abcdef0"}, "InvalidGatewayID.NotFound", ("vgw-0123456789abcdef0",)),
        ({"GatewayId": "igw"}, "InvalidGatewayID.Malformed", ("igw-...", "vgw-...")),
        ({"GatewayId": "local"}, "InvalidGatewayID.NotFound", ("The gateway ID 'local' does not exist",)),
        (
            {"GatewayId": None, "NetworkInterfaceId": "eni-0123456789abcdef0"},
            "InvalidNetworkInterfaceID.NotFound",
            ("eni-0123456789abcdef0",),
        ),
        (
            {"GatewayId": None, "NetworkInterfaceId": "eth0"},
            "InvalidNetworkInterfaceId.Malformed",
            ("eth0",),
        ),
    ],
)
def test_a_route_that_cannot_be_made(
    service: Service, ec2: Any, changes: dict[str, Any], code: str, words: tuple[str, ...]
) -> None:
    vpc_id = vpc(ec2)
    request = {
        "RouteTableId": table(ec2, vpc_id),
        "DestinationCidrBlock": "9.0.0.0/8",
        "GatewayId": internet_gateway(ec2, vpc_id),
    }
    ec2.create_route(**request)
    request = {"DestinationCidrBlock": "172.16.0.0/12"} | {
        key: value for key, value in request.items() if key != "DestinationCidrBlock"
    }
    with refused(service, code, *words):
        ec2.create_route(**{key: value for key, value in (request | changes).items() if value is not None})


def test_host_bits_of_destinations_are_cleared(ec2: Any) -> None:
    vpc_id = vpc(ec2)
    table_id, igw = table(ec2, vpc_id), internet_gateway(ec2, vpc_id)
    ec2.create_route(RouteTableId=table_id, DestinationCidrBlock="172.16.9.1/12", GatewayId=igw)
    assert routes(ec2, table_id)[1][0] == "172.16.0.0/12"
    ec2.delete_route(RouteTableId=table_id, DestinationCidrBlock="172.16.0.9/12")
    assert routes(ec2, table_id) == [LOCAL]


def test_the_same_route_again_changes_nothing_and_another_target_is_refused(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    table_id, igw = table(ec2, vpc_id), internet_gateway(ec2, vpc_id)
    eni = ec2.create_network_interface(SubnetId=subnet(ec2, vpc_id))["NetworkInterface"]["NetworkInterfaceId"]
    route = {"RouteTableId": table_id, "DestinationCidrBlock": "9.0.0.0/8"}
    ec2.create_route(**route, GatewayId=igw)
    before = service.dump()
    assert ec2.create_route(**route, GatewayId=igw)["Return"] is True
    assert service.dump() == before
    with refused(service, "RouteAlreadyExists", "The route identified by 9.0.0.0/8 already exists."):
        ec2.create_route(**route, NetworkInterfaceId=eni)


def test_targets_of_another_vpc_or_of_none(service: Service, ec2: Any) -> None:
    here, there = vpc(ec2), vpc(ec2)
    table_id = table(ec2, here)
    eni = ec2.create_network_interface(SubnetId=subnet(ec2, there))["NetworkInterface"]["NetworkInterfaceId"]
    route = {"RouteTableId": table_id, "DestinationCidrBlock": "0.0.0.0/0"}
    targets = [
        {"NetworkInterfaceId": eni},
        {"GatewayId": internet_gateway(ec2, there)},
        {"GatewayId": internet_gateway(ec2)},
        {"GatewayId": attached_vpn_gateway(service, ec2, there)},
        {"GatewayId": vpn_gateway(ec2)},
    ]
    for target in targets:
        with refused(service, "InvalidParameterValue", table_id, *target.values(), "belong to different networks"):
            ec2.create_route(**route, **target)


def test_a_route_that_is_not_there(service: Service, ec2: Any) -> None:
    table_id = table(ec2, vpc(ec2))
    with refused(
        service, "InvalidRoute.NotFound", f"no route with destination-cidr-block 9.0.0.0/8 in route table {table_id}"
    ):
        ec2.delete_route(RouteTableId=table_id, DestinationCidrBlock="9.0.0.0/8")
    with refused(service, "InvalidParameterValue", f"cannot remove local route 10.0.0.0/16 in route table {table_id}"):
        ec2.delete_route(RouteTableId=table_id, DestinationCidrBlock="10.0.0.0/16")
    with refused(service, "MissingParameter", "DestinationCidrBlock"):
        ec2.delete_route(RouteTableId=table_id)


def test_filters(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    main, other = main_table(ec2, vpc_id)["RouteTableId"], table(ec2, vpc_id)
    subnet_id, igw = subnet(ec2, vpc_id), internet_gateway(ec2, vpc_id)
    association = ec2.associate_route_table(RouteTableId=other, SubnetId=subnet_id)["AssociationId"]
    ec2.create_route(RouteTableId=other, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)
    ec2.detach_internet_gateway(InternetGatewayId=igw, VpcId=vpc_id)
    ec2.create_tags(Resources=[main], Tags=[{"Key": "a", "Value": "b"}])
    for name, value, expected in (
        ("association.main", "true", [main]),
        ("association.main", "false", [other]),
        ("association.route-table-association-id", association, [other]),
        ("association.route-table-id", main, [main]),
        ("association.subnet-id", subnet_id, [other]),
        ("association.subnet-id", "None", []),
        ("association.gateway-id", "*", []),
        ("route-table-id", main, [main]),
        ("route.destination-cidr-block", "10.0.0.0/16", [main, other]),
        ("route.gateway-id", igw, [other]),
        ("route.origin", "CreateRoute", [other]),
        ("route.state", "blackhole", [other]),
        ("route.nat-gateway-id", "*", []),
        ("tag:a", "b", [main]),
        ("vpc-id", vpc_id, [main, other]),
    ):
        answer = ec2.describe_route_tables(Filters=[{"Name": name, "Values": [value]}])
        assert sorted(t["RouteTableId"] for t in answer["RouteTables"]) == sorted(expected), name
    with refused(service, "InvalidMaxResults", "100"):
        ec2.describe_route_tables(MaxResults=101)


class TestQuotas:
    """The quotas of route tables and of routes."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(
            quotas=Quotas(route_tables_per_vpc=2, routes_per_route_table=1, propagated_routes_per_route_table=2)
        )

    def test_they_are_kept(self, service: Service, ec2: Any) -> None:
        vpc_id = vpc(ec2)
        table_id, igw = table(ec2, vpc_id), internet_gateway(ec2, vpc_id)
        with refused(service, "RouteTableLimitExceeded", vpc_id, "2"):
            table(ec2, vpc_id)
        ec2.create_route(RouteTableId=table_id, DestinationCidrBlock="9.0.0.0/8", GatewayId=igw)
        with refused(service, "RouteLimitExceeded", table_id, "1"):
            ec2.create_route(RouteTableId=table_id, DestinationCidrBlock="8.0.0.0/8", GatewayId=igw)

    def test_a_table_takes_so_many_propagated_routes_and_the_default_route_first(
        self, service: Service, ec2: Any
    ) -> None:
        vpc_id = vpc(ec2)
        table_id, vgw = table(ec2, vpc_id), attached_vpn_gateway(service, ec2, vpc_id)
        ec2.enable_vgw_route_propagation(RouteTableId=table_id, GatewayId=vgw)
        learn(service, vgw, "9.0.0.0/8", "8.0.0.0/8", "0.0.0.0/0")
        assert [route[0] for route in routes(ec2, table_id)] == ["10.0.0.0/16", "0.0.0.0/0", "8.0.0.0/8"]
