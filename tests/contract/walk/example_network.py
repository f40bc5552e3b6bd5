"""VPCs, subnets, route tables and gateways, network interfaces, and their tags."""

from __future__ import annotations

from typing import Any

from tests.contract.walk.example_vpn import tags
from tests.contract.walk.filters import TAG, check_filters
from tests.contract.walk.pages import check_one_page, check_pages
from tests.contract.walk.walker import Walker
from twinbore.model import resources as r


def walk(w: Walker) -> None:
    _zones(w)
    vpc_id = _vpcs(w)
    subnet_id = _subnets(w, vpc_id)
    _interfaces(w, subnet_id)
    _gateways(w, vpc_id)
    _routing(w, vpc_id, subnet_id)
    w("DescribeTags")
    _tags(w, vpc_id)
    _end(w, vpc_id, subnet_id)


def _zones(w: Walker) -> None:
    region = w.service.settings.region
    w("DescribeRegions", AllRegions=True, RegionNames=[region])
    w.effect("DescribeRegions", "AllRegions")
    check_filters(w, "DescribeRegions", "Regions")
    zones = w("DescribeAvailabilityZones", AllAvailabilityZones=True)["AvailabilityZones"]
    w.effect("DescribeAvailabilityZones", "AllAvailabilityZones")
    for member, name in (("ZoneNames", "ZoneName"), ("ZoneIds", "ZoneId")):
        found = w("DescribeAvailabilityZones", **{member: [zones[1][name]]})
        assert found["AvailabilityZones"] == [zones[1]]
    check_filters(w, "DescribeAvailabilityZones", "AvailabilityZones")
    attributes = w("DescribeAccountAttributes")["AccountAttributes"]
    for attribute in attributes:
        found = w("DescribeAccountAttributes", AttributeNames=[attribute["AttributeName"]])
        assert found["AccountAttributes"] == [attribute]


def _vpcs(w: Walker) -> str:
    vpc_id = w(
        "CreateVpc", CidrBlock="10.30.0.0/16", InstanceTenancy="default", TagSpecifications=tags("vpc", "the-vpc")
    )["Vpc"]["VpcId"]
    w.settle()
    for n in range(6):
        w("CreateVpc", CidrBlock=f"10.{100 + n}.0.0/16")
    w("DescribeVpcs", VpcIds=[vpc_id])
    for waiter in ("VpcExists", "VpcAvailable"):
        w.wait(waiter, VpcIds=[vpc_id])
    check_filters(w, "DescribeVpcs", "Vpcs")
    check_pages(w, "DescribeVpcs", "Vpcs")
    for name, attribute in (
        ("EnableDnsHostnames", "enableDnsHostnames"),
        ("EnableDnsSupport", "enableDnsSupport"),
        ("EnableNetworkAddressUsageMetrics", "enableNetworkAddressUsageMetrics"),
    ):
        for value in (True, False):
            if name != "EnableNetworkAddressUsageMetrics" or not value:
                w("ModifyVpcAttribute", VpcId=vpc_id, **{name: {"Value": value}})
                answer = w("DescribeVpcAttribute", VpcId=vpc_id, Attribute=attribute)
                assert answer[name] == {"Value": value}
    w.effect("DescribeVpcAttribute", "Attribute")
    _blocks(w, vpc_id)
    _dhcp_options(w, vpc_id)
    w("ModifyVpcTenancy", VpcId=vpc_id, InstanceTenancy="default")
    _default_vpc(w)
    return vpc_id


def _blocks(w: Walker, vpc_id: str) -> None:
    added = w("AssociateVpcCidrBlock", VpcId=vpc_id, CidrBlock="10.31.0.0/16")["CidrBlockAssociation"]
    w.settle()
    w("DescribeVpcs", VpcIds=[vpc_id])
    w("DisassociateVpcCidrBlock", AssociationId=added["AssociationId"])
    w.settle()
    (left,) = w("DescribeVpcs", VpcIds=[vpc_id])["Vpcs"][0]["CidrBlockAssociationSet"]
    assert left["CidrBlock"] == "10.30.0.0/16"


def _dhcp_options(w: Walker, vpc_id: str) -> None:
    (options,) = w("DescribeDhcpOptions")["DhcpOptions"]
    w("DescribeDhcpOptions", DhcpOptionsIds=[options["DhcpOptionsId"]])
    check_filters(w, "DescribeDhcpOptions", "DhcpOptions", but=("key", "value", "tag-key", TAG))
    for name in ("tag-key", TAG):  # the set has none
        assert not w("DescribeDhcpOptions", Filters=[{"Name": name, "Values": ["*"]}])["DhcpOptions"]
        w.filtered["DescribeDhcpOptions"].add(name)
    for name, value in (("key", "domain-name-servers"), ("value", "AmazonProvidedDNS")):
        assert w("DescribeDhcpOptions", Filters=[{"Name": name, "Values": [value]}])["DhcpOptions"] == [options]
        assert not w("DescribeDhcpOptions", Filters=[{"Name": name, "Values": ["no-such-value"]}])["DhcpOptions"]
        w.filtered["DescribeDhcpOptions"].add(name)
    check_one_page(w, "DescribeDhcpOptions", "DhcpOptions")
    for value in ("default", options["DhcpOptionsId"]):
        w("AssociateDhcpOptions", DhcpOptionsId=value, VpcId=vpc_id)
        assert w("DescribeVpcs", VpcIds=[vpc_id])["Vpcs"][0]["DhcpOptionsId"] == value
    w.effect("AssociateDhcpOptions", "DhcpOptionsId", "VpcId")


def _default_vpc(w: Walker) -> None:
    vpc_id = w("CreateDefaultVpc")["Vpc"]["VpcId"]
    w.settle()
    of_the_vpc = [{"Name": "vpc-id", "Values": [vpc_id]}]
    subnets = w.send("DescribeSubnets", Filters=of_the_vpc)["Subnets"]
    for subnet, named in zip(subnets[:2], ("AvailabilityZone", "AvailabilityZoneId"), strict=True):
        w("DeleteSubnet", SubnetId=subnet["SubnetId"])
        w("CreateDefaultSubnet", **{named: subnet[named]})


def _subnets(w: Walker, vpc_id: str) -> str:
    zones = w("DescribeAvailabilityZones")["AvailabilityZones"]
    subnet_id = w(
        "CreateSubnet",
        VpcId=vpc_id,
        CidrBlock="10.30.1.0/24",
        AvailabilityZone=zones[2]["ZoneName"],
        TagSpecifications=tags("subnet", "the-subnet"),
    )["Subnet"]["SubnetId"]
    w("CreateSubnet", VpcId=vpc_id, CidrBlock="10.30.2.0/24", AvailabilityZoneId=zones[1]["ZoneId"])
    for n in range(3, 8):
        w("CreateSubnet", VpcId=vpc_id, CidrBlock=f"10.30.{n}.0/26")
    w.settle()
    w("DescribeSubnets", SubnetIds=[subnet_id])
    w.wait("SubnetAvailable", SubnetIds=[subnet_id])
    w("ModifySubnetAttribute", SubnetId=subnet_id, MapPublicIpOnLaunch={"Value": True})
    check_filters(w, "DescribeSubnets", "Subnets")
    check_pages(w, "DescribeSubnets", "Subnets")
    return subnet_id


def _interfaces(w: Walker, subnet_id: str) -> None:
    def create(**more: Any) -> str:
        return str(w("CreateNetworkInterface", SubnetId=subnet_id, **more)["NetworkInterface"]["NetworkInterfaceId"])

    first = create(
        Description="the interface",
        PrivateIpAddress="10.30.1.10",
        ClientToken="token-of-the-walk",
        TagSpecifications=tags("network-interface", "the-eni"),
    )
    create(PrivateIpAddresses=[{"PrivateIpAddress": "10.30.1.11", "Primary": True}])
    groups = w("DescribeSecurityGroups")["SecurityGroups"]
    vpc_id = w("DescribeSubnets", SubnetIds=[subnet_id])["Subnets"][0]["VpcId"]
    default = next(group["GroupId"] for group in groups if group["VpcId"] == vpc_id)
    counted = create(Groups=[default], InterfaceType="interface", SecondaryPrivateIpAddressCount=2)
    (shown,) = w("DescribeNetworkInterfaces", NetworkInterfaceIds=[counted])["NetworkInterfaces"]
    assert len(shown["PrivateIpAddresses"]) == 3
    w.effect("CreateNetworkInterface", "SecondaryPrivateIpAddressCount")
    _addresses(w, counted)
    _attributes(w, counted, default)
    others = [create() for _ in range(5)]
    w("DescribeNetworkInterfaces", NetworkInterfaceIds=[first])
    w.wait("NetworkInterfaceAvailable", NetworkInterfaceIds=[first])
    w("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=others[0], SourceDestCheck={"Value": False})
    w("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=others[0], Description={"Value": "described later"})
    with w.service.database.write() as tx:
        interface = tx.get(r.NetworkInterface, first)
        assert interface is not None
        tx.insert(r.Port(first, interface.account_id, "namespace", "workload", "eth0", interface.created_at))
    check_filters(w, "DescribeNetworkInterfaces", "NetworkInterfaces")
    check_pages(w, "DescribeNetworkInterfaces", "NetworkInterfaces")
    with w.service.database.write() as tx:
        tx.delete(r.Port, first)
    for identifier in (first, *others):
        w("DeleteNetworkInterface", NetworkInterfaceId=identifier)


def _addresses(w: Walker, interface_id: str) -> None:
    added = {"NetworkInterfaceId": interface_id, "PrivateIpAddresses": ["10.30.1.77"]}
    w("AssignPrivateIpAddresses", **added)
    again = w("AssignPrivateIpAddresses", **added, AllowReassignment=True)
    assert again["AssignedPrivateIpAddresses"] == []
    assert (w.refusal("AssignPrivateIpAddresses", **added) or ("",))[0] == "InvalidIPAddress.InUse"
    w.effect("AssignPrivateIpAddresses", "AllowReassignment")
    chosen = w("AssignPrivateIpAddresses", NetworkInterfaceId=interface_id, SecondaryPrivateIpAddressCount=2)
    assert len(chosen["AssignedPrivateIpAddresses"]) == 2
    w.effect("AssignPrivateIpAddresses", "SecondaryPrivateIpAddressCount")
    w("UnassignPrivateIpAddresses", **added)
    (shown,) = w("DescribeNetworkInterfaces", NetworkInterfaceIds=[interface_id])["NetworkInterfaces"]
    assert "10.30.1.77" not in {address["PrivateIpAddress"] for address in shown["PrivateIpAddresses"]}
    w.effect("UnassignPrivateIpAddresses", "PrivateIpAddresses")


def _attributes(w: Walker, interface_id: str, group_id: str) -> None:
    w("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=interface_id, Groups=[group_id])
    w("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=interface_id, SourceDestCheck={"Value": False})
    w("ResetNetworkInterfaceAttribute", NetworkInterfaceId=interface_id, SourceDestCheck="true")
    with w.service.database.write() as tx:
        interface = tx.get(r.NetworkInterface, interface_id)
        assert interface is not None
        tx.insert(r.Port(interface_id, interface.account_id, "namespace", "other", "eth0", interface.created_at))
    for attribute, member in (
        ("description", "Description"),
        ("groupSet", "Groups"),
        ("sourceDestCheck", "SourceDestCheck"),
        ("attachment", "Attachment"),
        ("associatePublicIpAddress", "AssociatePublicIpAddress"),
    ):
        answer = w("DescribeNetworkInterfaceAttribute", NetworkInterfaceId=interface_id, Attribute=attribute)
        assert answer.keys() == {"NetworkInterfaceId", member}
        if attribute == "sourceDestCheck":
            assert answer[member] == {"Value": True}
    w.effect("DescribeNetworkInterfaceAttribute", "Attribute")
    w.effect("ResetNetworkInterfaceAttribute", "SourceDestCheck")
    with w.service.database.write() as tx:
        tx.delete(r.Port, interface_id)


def _gateways(w: Walker, vpc_id: str) -> None:
    made = w("CreateInternetGateway", TagSpecifications=tags("internet-gateway", "the-igw"))
    gateway_id = made["InternetGateway"]["InternetGatewayId"]
    w("AttachInternetGateway", InternetGatewayId=gateway_id, VpcId=vpc_id)
    w("DescribeInternetGateways", InternetGatewayIds=[gateway_id])
    w.wait("InternetGatewayExists", InternetGatewayIds=[gateway_id])
    others = [w("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"] for _ in range(6)]
    check_filters(w, "DescribeInternetGateways", "InternetGateways")
    check_pages(w, "DescribeInternetGateways", "InternetGateways")
    for other in others:
        w("DeleteInternetGateway", InternetGatewayId=other)


def _routing(w: Walker, vpc_id: str, subnet_id: str) -> None:
    def create(**more: Any) -> str:
        return str(w("CreateRouteTable", VpcId=vpc_id, **more)["RouteTable"]["RouteTableId"])

    table_id = create(ClientToken="table-of-the-walk", TagSpecifications=tags("route-table", "the-table"))
    others = [create() for _ in range(5)]
    association = w("AssociateRouteTable", RouteTableId=table_id, SubnetId=subnet_id)["AssociationId"]
    association = w("ReplaceRouteTableAssociation", AssociationId=association, RouteTableId=others[0])[
        "NewAssociationId"
    ]
    gateway_id = _internet_gateway(w, vpc_id)
    interface_id = w("CreateNetworkInterface", SubnetId=subnet_id)["NetworkInterface"]["NetworkInterfaceId"]
    w("CreateRoute", RouteTableId=table_id, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway_id)
    w("CreateRoute", RouteTableId=table_id, DestinationCidrBlock="172.30.0.0/16", NetworkInterfaceId=interface_id)
    w("DescribeRouteTables", RouteTableIds=[table_id])
    w("ReplaceRoute", RouteTableId=table_id, DestinationCidrBlock="0.0.0.0/0", NetworkInterfaceId=interface_id)
    w("ReplaceRoute", RouteTableId=table_id, DestinationCidrBlock="172.30.0.0/16", GatewayId=gateway_id)
    check_filters(w, "DescribeRouteTables", "RouteTables")
    check_pages(w, "DescribeRouteTables", "RouteTables")
    for destination in ("0.0.0.0/0", "172.30.0.0/16"):
        w("DeleteRoute", RouteTableId=table_id, DestinationCidrBlock=destination)
    left = w("DescribeRouteTables", RouteTableIds=[table_id])["RouteTables"][0]["Routes"]
    assert [route["GatewayId"] for route in left] == ["local"]
    w.effect("DeleteRoute", "DestinationCidrBlock")
    w("DisassociateRouteTable", AssociationId=association)
    for identifier in (table_id, *others):
        w("DeleteRouteTable", RouteTableId=identifier)
    w("DeleteNetworkInterface", NetworkInterfaceId=interface_id)


def _internet_gateway(w: Walker, vpc_id: str) -> str:
    attached = [{"Name": "attachment.vpc-id", "Values": [vpc_id]}]
    return str(w("DescribeInternetGateways", Filters=attached)["InternetGateways"][0]["InternetGatewayId"])


def _tags(w: Walker, vpc_id: str) -> None:
    w("CreateTags", Resources=[vpc_id], Tags=[{"Key": f"key-{n}", "Value": f"value-{n}"} for n in range(6)])
    check_filters(w, "DescribeTags", "Tags")
    check_pages(w, "DescribeTags", "Tags")
    w("DeleteTags", Resources=[vpc_id], Tags=[{"Key": "key-1", "Value": "value-1"}, {"Key": "key-2"}])
    left = w("DescribeTags", Filters=[{"Name": "resource-id", "Values": [vpc_id]}])["Tags"]
    assert not {"key-1", "key-2"} & {tag["Key"] for tag in left}
    w.effect("DeleteTags", "Tags.Key", "Tags.Value")


def _end(w: Walker, vpc_id: str, subnet_id: str) -> None:
    gateway_id = _internet_gateway(w, vpc_id)
    w("DetachInternetGateway", InternetGatewayId=gateway_id, VpcId=vpc_id)
    for interface in w("DescribeNetworkInterfaces")["NetworkInterfaces"]:
        w("DeleteNetworkInterface", NetworkInterfaceId=interface["NetworkInterfaceId"])
    w("DeleteSubnet", SubnetId=subnet_id)
    w("DeleteVpc", VpcId=w("CreateVpc", CidrBlock="10.200.0.0/16")["Vpc"]["VpcId"])
