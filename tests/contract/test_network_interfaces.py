"""Network interfaces through boto3: addresses given and chosen, in use and free."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.contract.conftest import Service
from tests.contract.test_route_tables import plug
from tests.contract.test_security_groups import default_group, group
from tests.contract.test_subnets import subnet
from tests.contract.vpn import refused, vpc
from twinbore.model.settings import Quotas, Settings

ENI = "eni-0123456789abcdef0"


def interface(ec2: Any, subnet_id: str, **more: Any) -> dict[str, Any]:
    return dict(ec2.create_network_interface(SubnetId=subnet_id, **more)["NetworkInterface"])


def test_a_network_interface_from_create_to_delete(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    subnet_id = subnet(ec2, vpc_id)
    tags = [{"Key": "Name", "Value": "e"}]
    made = ec2.create_network_interface(
        SubnetId=subnet_id,
        Description="a host",
        ClientToken="once",
        TagSpecifications=[{"ResourceType": "network-interface", "Tags": tags}],
    )
    assert made["ClientToken"] == "once"
    eni = made["NetworkInterface"]
    assert re.fullmatch("02(:[0-9a-f]{2}){5}", eni["MacAddress"])
    expected = {
        "NetworkInterfaceId": eni["NetworkInterfaceId"],
        "OwnerId": eni["OwnerId"],
        "VpcId": vpc_id,
        "SubnetId": subnet_id,
        "AvailabilityZone": "us-east-1a",
        "AvailabilityZoneId": "use1-az1",
        "Description": "a host",
        "InterfaceType": "interface",
        "MacAddress": eni["MacAddress"],
        "PrivateIpAddress": "10.0.1.4",
        "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": "10.0.1.4"}],
        "SourceDestCheck": True,
        "RequesterManaged": False,
        "Status": "available",
        "Ipv6Addresses": [],
        "Groups": [{"GroupId": default_group(ec2, vpc_id)["GroupId"], "GroupName": "default"}],
        "Operator": {"Managed": False},
        "TagSet": tags,
    }
    assert eni == expected
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == [expected]
    plug(service, eni["NetworkInterfaceId"])
    (shown,) = ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert shown["Status"] == "in-use"
    attachment = shown["Attachment"]
    assert attachment["Status"] == "attached"
    assert attachment["AttachTime"].tzinfo is not None
    assert attachment["AttachmentId"] == eni["NetworkInterfaceId"].replace("eni-", "eni-attach-")
    with refused(
        service,
        "InvalidParameterValue",
        f"Network interface '{eni['NetworkInterfaceId']}' is currently in use",
        "twinbore unplug",
    ):
        ec2.delete_network_interface(NetworkInterfaceId=eni["NetworkInterfaceId"])


def test_a_request_that_is_sent_again_makes_no_second_interface(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    subnet_id, other = subnet(ec2, vpc_id), subnet(ec2, vpc_id, "10.0.2.0/24")
    first = interface(ec2, subnet_id, ClientToken="once", PrivateIpAddress="10.0.1.9")
    before = service.dump()
    assert interface(ec2, subnet_id, ClientToken="once") == first
    assert interface(ec2, subnet_id, ClientToken="once", PrivateIpAddress="10.0.1.9") == first
    assert service.dump() == before
    for changes in ({"SubnetId": other}, {"Description": "x"}, {"PrivateIpAddress": "10.0.1.10"}):
        with refused(service, "IdempotentParameterMismatch", "once", first["NetworkInterfaceId"]):
            ec2.create_network_interface(**({"SubnetId": subnet_id, "ClientToken": "once"} | changes))


def test_deleting(service: Service, ec2: Any) -> None:
    subnet_id = subnet(ec2, vpc(ec2))
    eni = interface(ec2, subnet_id)["NetworkInterfaceId"]
    ec2.create_tags(Resources=[eni], Tags=[{"Key": "a", "Value": "b"}])
    ec2.delete_network_interface(NetworkInterfaceId=eni)
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    assert service.dump()["tags"] == []
    with refused(service, "InvalidNetworkInterfaceID.NotFound", eni):
        ec2.delete_network_interface(NetworkInterfaceId=eni)


def test_addresses_are_chosen_in_order_and_given_back(service: Service, ec2: Any) -> None:
    subnet_id = subnet(ec2, vpc(ec2), "10.0.1.0/28")
    made = [interface(ec2, subnet_id) for _ in range(11)]
    assert [i["PrivateIpAddress"] for i in made] == [f"10.0.1.{n}" for n in range(4, 15)]
    assert len({i["MacAddress"] for i in made}) == 11
    with refused(service, "InsufficientFreeAddressesInSubnet", subnet_id, "10.0.1.4 to 10.0.1.14"):
        interface(ec2, subnet_id)
    ec2.delete_network_interface(NetworkInterfaceId=made[3]["NetworkInterfaceId"])
    assert interface(ec2, subnet_id)["PrivateIpAddress"] == "10.0.1.7"


def test_an_address_given(ec2: Any) -> None:
    subnet_id = subnet(ec2, vpc(ec2))
    assert interface(ec2, subnet_id, PrivateIpAddress="10.0.1.254")["PrivateIpAddress"] == "10.0.1.254"
    listed = [{"Primary": True, "PrivateIpAddress": "10.0.1.9"}]
    assert interface(ec2, subnet_id, PrivateIpAddresses=listed)["PrivateIpAddress"] == "10.0.1.9"
    assert interface(ec2, subnet_id)["PrivateIpAddress"] == "10.0.1.4"


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        ({"PrivateIpAddress": "10.0.2.9"}, "InvalidParameterValue", ("PrivateIpAddress", "10.0.2.9", "10.0.1.0/24")),
        ({"PrivateIpAddress": "10.0.1.0"}, "InvalidParameterValue", ("10.0.1.0", "reserved")),
        ({"PrivateIpAddress": "10.0.1.3"}, "InvalidParameterValue", ("10.0.1.3", "10.0.1.4 to 10.0.1.254")),
        ({"PrivateIpAddress": "10.0.1.255"}, "InvalidParameterValue", ("10.0.1.255", "reserved")),
        ({"PrivateIpAddress": "10.0.1.4"}, "InvalidIPAddress.InUse", ("10.0.1.4",)),
        ({"PrivateIpAddress": "10.0.1"}, "InvalidParameterValue", ("PrivateIpAddress", "10.0.1")),
        ({"PrivateIpAddress": "10.0.1.09"}, "InvalidParameterValue", ("10.0.1.09",)),
        ({"PrivateIpAddress": "fd00::1"}, "InvalidParameterValue", ("fd00::1",)),
        (
            {"PrivateIpAddress": "10.0.1.9", "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.9"}]},
            "InvalidParameterCombination",
            ("PrivateIpAddresses",),
        ),
        (
            {"PrivateIpAddresses": [{"PrivateIpAddress": f"10.0.1.{n}", "Primary": True} for n in (9, 10)]},
            "InvalidParameterCombination",
            ("Only one address can be primary",),
        ),
        (
            {"PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.9"}, {"PrivateIpAddress": "10.0.1.9"}]},
            "InvalidIPAddress.InUse",
            ("10.0.1.9",),
        ),
        (
            {
                "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.9"}, {"PrivateIpAddress": "10.0.1.10"}],
                "SecondaryPrivateIpAddressCount": 1,
            },
            "InvalidParameterCombination",
            ("SecondaryPrivateIpAddressCount", "PrivateIpAddresses"),
        ),
        ({"SecondaryPrivateIpAddressCount": 300}, "InsufficientFreeAddressesInSubnet", ("10.0.1.4 to 10.0.1.254",)),
        ({"SecondaryPrivateIpAddressCount": 50}, "PrivateIpAddressLimitExceeded", ("50",)),
        ({"SecondaryPrivateIpAddressCount": -1}, "InvalidParameterValue", ("SecondaryPrivateIpAddressCount", "-1")),
        ({"PrivateIpAddresses": [{"Primary": True}]}, "MissingParameter", ("PrivateIpAddresses.1.PrivateIpAddress",)),
        ({"Ipv6AddressCount": 1}, "UnsupportedOperation", ("Ipv6AddressCount",)),
        ({"InterfaceType": "efa"}, "UnsupportedOperation", ("InterfaceType",)),
        ({"Groups": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound", ("sg-0123456789abcdef0",)),
        ({"Groups": ["sg-1"]}, "InvalidGroupId.Malformed", ("sg-1",)),
        ({"ConnectionTrackingSpecification": {"UdpTimeout": 30}}, "UnsupportedOperation", ("ConnectionTracking",)),
        ({"Ipv4PrefixCount": 1}, "UnsupportedOperation", ("Ipv4PrefixCount",)),
        ({"EnablePrimaryIpv6": True}, "UnsupportedOperation", ("EnablePrimaryIpv6",)),
        ({"Description": "x" * 256}, "InvalidParameterValue", ("Description", "255")),
        ({"SubnetId": "subnet-0123456789abcdef0"}, "InvalidSubnetID.NotFound", ("subnet-0123456789abcdef0",)),
        ({"SubnetId": "subnet"}, "InvalidSubnetID.Malformed", ("subnet",)),
    ],
)
def test_a_network_interface_that_cannot_be_made(
    service: Service, ec2: Any, request_: dict[str, Any], code: str, words: tuple[str, ...]
) -> None:
    subnet_id = subnet(ec2, vpc(ec2))
    interface(ec2, subnet_id)
    with refused(service, code, *words):
        ec2.create_network_interface(**({"SubnetId": subnet_id} | request_))


def test_attributes(service: Service, ec2: Any) -> None:
    eni = interface(ec2, subnet(ec2, vpc(ec2)))["NetworkInterfaceId"]
    ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, SourceDestCheck={"Value": False})
    ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, Description={"Value": "router"})
    (shown,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"]
    assert (shown["SourceDestCheck"], shown["Description"]) == (False, "router")
    with refused(service, "InvalidParameterCombination", "SourceDestCheck"):
        ec2.modify_network_interface_attribute(NetworkInterfaceId=eni)
    with refused(service, "InvalidParameterCombination", "Description"):
        ec2.modify_network_interface_attribute(
            NetworkInterfaceId=eni, SourceDestCheck={"Value": True}, Description={"Value": "x"}
        )
    with refused(service, "InvalidParameterValue", "Description", "255"):
        ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, Description={"Value": "x" * 256})
    with refused(service, "InvalidGroup.NotFound", "sg-0123456789abcdef0"):
        ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, Groups=["sg-0123456789abcdef0"])
    with refused(service, "InvalidParameterCombination", "Description", "Groups"):
        ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, Groups=["sg-1"], Description={"Value": "x"})
    with refused(service, "UnsupportedOperation", "Attachment"):
        ec2.modify_network_interface_attribute(
            NetworkInterfaceId=eni, Attachment={"AttachmentId": "eni-attach-1", "DeleteOnTermination": True}
        )


def test_attributes_one_by_one(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    eni = interface(ec2, subnet(ec2, vpc_id), Description="a host")["NetworkInterfaceId"]
    group_id = default_group(ec2, vpc_id)["GroupId"]
    ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, SourceDestCheck={"Value": False})

    def read(attribute: str) -> dict[str, Any]:
        answer = ec2.describe_network_interface_attribute(NetworkInterfaceId=eni, Attribute=attribute)
        assert answer.pop("NetworkInterfaceId") == eni
        answer.pop("ResponseMetadata")
        return dict(answer)

    assert read("description") == {"Description": {"Value": "a host"}}
    assert read("groupSet") == {"Groups": [{"GroupId": group_id, "GroupName": "default"}]}
    assert read("sourceDestCheck") == {"SourceDestCheck": {"Value": False}}
    assert read("attachment") == {}
    assert read("associatePublicIpAddress") == {"AssociatePublicIpAddress": False}
    plug(service, eni)
    assert read("attachment")["Attachment"]["Status"] == "attached"
    with refused(service, "InvalidParameterValue", "Attribute", "colour", "groupSet"):
        read("colour")
    with refused(service, "MissingParameter", "Attribute"):
        ec2.describe_network_interface_attribute(NetworkInterfaceId=eni)
    with refused(service, "MissingParameter", "SourceDestCheck"):
        ec2.reset_network_interface_attribute(NetworkInterfaceId=eni)
    ec2.reset_network_interface_attribute(NetworkInterfaceId=eni, SourceDestCheck="true")
    assert read("sourceDestCheck") == {"SourceDestCheck": {"Value": True}}


def test_groups_given_and_changed(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    subnet_id = subnet(ec2, vpc_id)
    groups = [group(ec2, vpc_id, f"g{n}") for n in range(6)]
    elsewhere = group(ec2, vpc(ec2, "10.1.0.0/16"))
    request = {"ClientToken": "once", "Groups": [groups[1], groups[0], groups[1]]}
    made = interface(ec2, subnet_id, **request)
    eni = made["NetworkInterfaceId"]

    def worn() -> set[str]:
        (found,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"]
        return {g["GroupId"] for g in found["Groups"]}

    assert worn() == {groups[0], groups[1]}
    assert interface(ec2, subnet_id, **request) == made
    assert interface(ec2, subnet_id, ClientToken="once") == made
    with refused(service, "IdempotentParameterMismatch", eni):
        interface(ec2, subnet_id, ClientToken="once", Groups=[groups[2]])
    ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, Groups=[groups[0], groups[2]])
    assert worn() == {groups[0], groups[2]}
    ec2.delete_security_group(GroupId=groups[1])
    with refused(service, "SecurityGroupsPerInterfaceLimitExceeded", "5"):
        others = [groups[0], *groups[2:], default_group(ec2, vpc_id)["GroupId"]]
        ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, Groups=others)
    with refused(service, "InvalidParameter", "belong to different networks", elsewhere, vpc_id):
        interface(ec2, subnet_id, Groups=[elsewhere])
    with refused(service, "InvalidParameter", "belong to different networks", elsewhere):
        ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, Groups=[elsewhere])
    for name, value in (("group-id", groups[2]), ("group-name", "g2")):
        found = ec2.describe_network_interfaces(Filters=[{"Name": name, "Values": [value]}])["NetworkInterfaces"]
        assert [i["NetworkInterfaceId"] for i in found] == [eni], name
    ec2.delete_network_interface(NetworkInterfaceId=eni)
    assert service.dump()["network_interface_groups"] == []


@pytest.mark.parametrize(
    ("value", "code"),
    [(ENI, "InvalidNetworkInterfaceID.NotFound"), ("eni-1", "InvalidNetworkInterfaceId.Malformed")],
)
def test_ids_that_are_not_there(service: Service, ec2: Any, value: str, code: str) -> None:
    with refused(service, code, value):
        ec2.delete_network_interface(NetworkInterfaceId=value)
    with refused(service, code, value):
        ec2.describe_network_interfaces(NetworkInterfaceIds=[value])
    with refused(service, code, value):
        ec2.modify_network_interface_attribute(NetworkInterfaceId=value, SourceDestCheck={"Value": False})


def test_filters(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    first = interface(ec2, subnet(ec2, vpc_id), Description="one")
    second = interface(ec2, subnet(ec2, vpc_id, "10.0.2.0/24", AvailabilityZone="us-east-1b"))
    plug(service, second["NetworkInterfaceId"])
    ec2.modify_network_interface_attribute(
        NetworkInterfaceId=second["NetworkInterfaceId"], SourceDestCheck={"Value": False}
    )
    both = [first, second]
    for name, value, expected in (
        ("addresses.private-ip-address", "10.0.2.4", [second]),
        ("private-ip-address", "10.0.1.4", [first]),
        ("addresses.primary", "true", both),
        ("attachment.status", "attached", [second]),
        ("attachment.attachment-id", "eni-attach-*", [second]),
        ("attachment.delete-on-termination", "false", [second]),
        ("attachment.instance-owner-id", "*", [second]),
        ("attachment.attach-time", "20*", [second]),
        ("attachment.instance-id", "*", []),
        ("association.public-ip", "*", []),
        ("availability-zone", "us-east-1b", [second]),
        ("availability-zone-id", "use1-az1", [first]),
        ("description", "o?e", [first]),
        ("group-id", "sg-1", []),
        ("group-name", "default", both),
        ("interface-type", "interface", both),
        ("mac-address", first["MacAddress"], [first]),
        ("network-interface-id", second["NetworkInterfaceId"], [second]),
        ("operator.managed", "false", both),
        ("owner-id", first["OwnerId"], both),
        ("requester-managed", "true", []),
        ("source-dest-check", "false", [second]),
        ("status", "in-use", [second]),
        ("status", "available", [first]),
        ("subnet-id", first["SubnetId"], [first]),
        ("vpc-id", vpc_id, both),
    ):
        answer = ec2.describe_network_interfaces(Filters=[{"Name": name, "Values": [value]}])
        found = [i["NetworkInterfaceId"] for i in answer["NetworkInterfaces"]]
        assert found == [i["NetworkInterfaceId"] for i in expected], name


class TestQuota:
    """The quota of network interfaces."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(quotas=Quotas(network_interfaces=1))

    def test_it_is_kept(self, service: Service, ec2: Any) -> None:
        subnet_id = subnet(ec2, vpc(ec2))
        interface(ec2, subnet_id)
        with refused(service, "NetworkInterfaceLimitExceeded", "1"):
            interface(ec2, subnet_id)
