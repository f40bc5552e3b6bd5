"""boto3 beyond single calls: waiters that see each state on the way, resources, paginators, and the CLI's shorthand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, WaiterError

from tests.contract import vpn
from tests.contract.callers import AwsCli
from tests.contract.conftest import Service, Stage
from tests.contract.settling import Settling

QUICK = {"Delay": 0, "MaxAttempts": 6}


@pytest.fixture
def resource(service: Service) -> Any:
    return boto3.resource(
        "ec2",
        endpoint_url=service.url,
        region_name=service.settings.region,
        aws_access_key_id=service.access_key_id,
        aws_secret_access_key=service.secret_access_key,
    )


def test_waiters_wait_while_there_is_something_to_wait_for(service: Service, stage: Stage, ec2: Any) -> None:
    slow = Settling(stage, service, every=4)

    def looks(waiter: str, **which: Any) -> int:
        """How often the waiter has looked."""
        before = slow.requests
        ec2.get_waiter(waiter).wait(**which, WaiterConfig=QUICK)
        return slow.requests - before

    made = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]
    assert made["State"] == "pending"
    assert looks("vpc_available", VpcIds=[made["VpcId"]]) == 4
    slow.requests = 0
    subnet = ec2.create_subnet(VpcId=made["VpcId"], CidrBlock="10.0.1.0/24")["Subnet"]
    assert looks("subnet_available", SubnetIds=[subnet["SubnetId"]]) in (1, 4)
    customer = vpn.customer_gateway(ec2)
    assert looks("customer_gateway_available", CustomerGatewayIds=[customer]) == 1
    gateway = vpn.vpn_gateway(ec2)
    service.settle()
    slow.requests = 0
    connection = vpn.connect(ec2, customer, gateway)
    assert connection["State"] == "pending"
    assert looks("vpn_connection_available", VpnConnectionIds=[connection["VpnConnectionId"]]) == 4
    slow.requests = 0
    ec2.delete_vpn_connection(VpnConnectionId=connection["VpnConnectionId"])
    assert looks("vpn_connection_deleted", VpnConnectionIds=[connection["VpnConnectionId"]]) == 4


def test_waiters_give_up_on_what_will_never_be(service: Service, ec2: Any) -> None:
    connection = vpn.connection(service, ec2)
    customer = vpn.described(ec2, connection)["CustomerGatewayId"]
    ec2.delete_vpn_connection(VpnConnectionId=connection)
    with pytest.raises(WaiterError, match='matched expected path: "deleting"'):
        ec2.get_waiter("vpn_connection_available").wait(VpnConnectionIds=[connection], WaiterConfig=QUICK)
    service.settle()
    with pytest.raises(WaiterError, match='matched expected path: "deleted"'):
        ec2.get_waiter("vpn_connection_available").wait(VpnConnectionIds=[connection], WaiterConfig=QUICK)
    ec2.delete_customer_gateway(CustomerGatewayId=customer)
    with pytest.raises(WaiterError, match='matched expected path: "deleted"'):
        ec2.get_waiter("customer_gateway_available").wait(CustomerGatewayIds=[customer], WaiterConfig=QUICK)


def test_the_exists_waiters_look_again_until_there_is_one(ec2: Any) -> None:
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        ec2.get_waiter("vpc_exists").wait(VpcIds=["vpc-0123456789abcdef0"], WaiterConfig=QUICK)
    with pytest.raises(ClientError, match=r"InvalidVpcID\.Malformed"):
        ec2.describe_vpcs(VpcIds=["vpc-x"])
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.get_waiter("internet_gateway_exists").wait(InternetGatewayIds=[gateway], WaiterConfig=QUICK)


def test_resources_make_use_and_delete_a_network(service: Service, stage: Stage, resource: Any) -> None:
    Settling(stage, service)
    vpc = resource.create_vpc(CidrBlock="10.0.0.0/16")
    vpc.wait_until_exists()
    vpc.wait_until_available()
    vpc.create_tags(Tags=[{"Key": "Name", "Value": "cloud"}])
    vpc.modify_attribute(EnableDnsHostnames={"Value": True})
    assert vpc.describe_attribute(Attribute="enableDnsHostnames")["EnableDnsHostnames"] == {"Value": True}
    vpc.reload()
    assert (vpc.state, vpc.cidr_block, vpc.tags) == ("available", "10.0.0.0/16", [{"Key": "Name", "Value": "cloud"}])
    assert [v.id for v in resource.vpcs.filter(Filters=[{"Name": "tag:Name", "Values": ["cloud"]}])] == [vpc.id]

    subnet = vpc.create_subnet(CidrBlock="10.0.1.0/24")
    assert [s.id for s in vpc.subnets.all()] == [subnet.id]
    assert resource.Subnet(subnet.id).vpc.id == vpc.id
    interface = subnet.create_network_interface(PrivateIpAddress="10.0.1.10")
    assert [i.private_ip_address for i in subnet.network_interfaces.all()] == ["10.0.1.10"]
    assert interface.vpc.id == vpc.id

    way_out = resource.create_internet_gateway()
    way_out.attach_to_vpc(VpcId=vpc.id)
    assert [g.id for g in vpc.internet_gateways.all()] == [way_out.id]
    table = vpc.create_route_table()
    made = table.associate_with_subnet(SubnetId=subnet.id)
    table.reload()
    (association,) = table.associations
    assert (association.id, association.subnet.id, association.main) == (made.id, subnet.id, False)
    assert association.route_table.id == table.id
    route = table.create_route(DestinationCidrBlock="0.0.0.0/0", GatewayId=way_out.id)
    table.reload()
    assert [(r.destination_cidr_block, r.gateway_id, r.origin, r.state) for r in table.routes] == [
        ("10.0.0.0/16", "local", "CreateRouteTable", "active"),
        ("0.0.0.0/0", way_out.id, "CreateRoute", "active"),
    ]
    assert len(list(vpc.route_tables.all())) == 2

    route.delete()
    association.delete()
    table.delete()
    vpc.detach_internet_gateway(InternetGatewayId=way_out.id)
    way_out.delete()
    interface.delete()
    subnet.delete()
    vpc.delete()
    assert list(resource.vpcs.all()) == []


def test_a_tag_as_a_resource(resource: Any) -> None:
    vpc = resource.create_vpc(CidrBlock="10.0.0.0/16")
    (tag,) = vpc.create_tags(Tags=[{"Key": "stage", "Value": "test"}])
    tag.delete()
    vpc.reload()
    assert not vpc.tags


PAGED = {
    "describe_vpcs": "Vpcs",
    "describe_subnets": "Subnets",
    "describe_route_tables": "RouteTables",
    "describe_internet_gateways": "InternetGateways",
    "describe_network_interfaces": "NetworkInterfaces",
    "describe_tags": "Tags",
}


def test_paginators_give_everything_once(ec2: Any) -> None:
    tagged = {"ResourceType": "internet-gateway", "Tags": [{"Key": "Name", "Value": "x"}]}
    for number in range(6):
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24")["Subnet"]["SubnetId"]
        ec2.create_network_interface(SubnetId=subnet)
        ec2.create_internet_gateway(TagSpecifications=[tagged])
    for operation, member in PAGED.items():
        whole = getattr(ec2, operation)()[member]
        pages = [page[member] for page in ec2.get_paginator(operation).paginate(PaginationConfig={"PageSize": 5})]
        assert [len(page) for page in pages] == [5, 1], operation
        assert [item for page in pages for item in page] == whole, operation
    every = ec2.get_paginator("get_vpn_connection_device_types").paginate().build_full_result()
    whole = ec2.get_vpn_connection_device_types()["VpnConnectionDeviceTypes"]
    assert every["VpnConnectionDeviceTypes"] == whole


def test_every_option_in_the_shorthand_of_the_cli(
    service: Service, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ec2: Any
) -> None:
    Settling(stage, service)
    aws = AwsCli(service, tmp_path, monkeypatch)
    customer, gateway = vpn.customer_gateway(ec2), vpn.vpn_gateway(ec2)
    tunnels = ",".join(
        f"{{TunnelInsideCidr=169.254.{n}.0/30,PreSharedKey=key_of_tunnel.{n},IKEVersions=[{{Value=ikev2}}],"
        "Phase1DHGroupNumbers=[{Value=20},{Value=21}],DPDTimeoutSeconds=40,StartupAction=start}"
        for n in (33, 34)
    )
    words = ["create-vpn-connection", "--type", "ipsec.1", "--customer-gateway-id", customer, "--output", "text"]
    words += ["--vpn-gateway-id", gateway, "--options", f"StaticRoutesOnly=false,TunnelOptions=[{tunnels}]"]
    words += ["--tag-specifications", "ResourceType=vpn-connection,Tags=[{Key=Name,Value=site}]"]
    made = aws.run("ec2", *words, "--query", "VpnConnection.VpnConnectionId").strip()
    shown = vpn.described(ec2, made)
    assert shown["Tags"] == [{"Key": "Name", "Value": "site"}]
    for number, tunnel in zip((33, 34), shown["Options"]["TunnelOptions"], strict=True):
        assert tunnel["TunnelInsideCidr"] == f"169.254.{number}.0/30"
        assert tunnel["PreSharedKey"] == f"key_of_tunnel.{number}"
        assert tunnel["IkeVersions"] == [{"Value": "ikev2"}]
        assert tunnel["Phase1DHGroupNumbers"] == [{"Value": 20}, {"Value": 21}]
        assert (tunnel["DpdTimeoutSeconds"], tunnel["StartupAction"]) == (40, "start")
    table = aws.run("ec2", "describe-vpn-connections", "--filters", "Name=tag:Name,Values=s*", "--output", "table")
    assert made in table
    assert "IPSEC IS DOWN" in table
