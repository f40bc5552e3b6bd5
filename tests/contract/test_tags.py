"""Tags through boto3: on everything that can have them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.conftest import Service
from tests.contract.test_network_interfaces import interface
from tests.contract.test_route_tables import internet_gateway, table
from tests.contract.test_security_groups import group
from tests.contract.test_subnets import subnet
from tests.contract.vpn import connection, customer_gateway, refused, vpc, vpn_gateway
from twinbore.api.ops.tags import TAGGABLE
from twinbore.model.settings import Quotas, Settings


def everything(service: Service, ec2: Any) -> dict[str, str]:
    """One resource of every type with tags: type → id."""
    vpc_id = vpc(ec2)
    subnet_id = subnet(ec2, vpc_id)
    vpn = connection(service, ec2)
    (described,) = ec2.describe_vpn_connections()["VpnConnections"]
    return {
        "vpc": vpc_id,
        "subnet": subnet_id,
        "route-table": table(ec2, vpc_id),
        "internet-gateway": internet_gateway(ec2),
        "network-interface": interface(ec2, subnet_id)["NetworkInterfaceId"],
        "customer-gateway": described["CustomerGatewayId"],
        "vpn-gateway": described["VpnGatewayId"],
        "vpn-connection": vpn,
        **packet_rules(ec2, vpc_id),
    }


def packet_rules(ec2: Any, vpc_id: str) -> dict[str, str]:
    """A security group with a rule, a network ACL and a prefix list."""
    group_id = group(ec2, vpc_id)
    own = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group_id}]}]
    (rule,) = ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=own)["SecurityGroupRules"]
    prefix_list = {"PrefixListName": "p", "MaxEntries": 1, "AddressFamily": "IPv4"}
    return {
        "security-group": group_id,
        "security-group-rule": rule["SecurityGroupRuleId"],
        "network-acl": ec2.create_network_acl(VpcId=vpc_id)["NetworkAcl"]["NetworkAclId"],
        "prefix-list": ec2.create_managed_prefix_list(**prefix_list)["PrefixList"]["PrefixListId"],
    }


DESCRIBE = {
    "vpc": ("describe_vpcs", "Vpcs", "Tags"),
    "subnet": ("describe_subnets", "Subnets", "Tags"),
    "route-table": ("describe_route_tables", "RouteTables", "Tags"),
    "internet-gateway": ("describe_internet_gateways", "InternetGateways", "Tags"),
    "network-interface": ("describe_network_interfaces", "NetworkInterfaces", "TagSet"),
    "customer-gateway": ("describe_customer_gateways", "CustomerGateways", "Tags"),
    "vpn-gateway": ("describe_vpn_gateways", "VpnGateways", "Tags"),
    "vpn-connection": ("describe_vpn_connections", "VpnConnections", "Tags"),
    "security-group": ("describe_security_groups", "SecurityGroups", "Tags"),
    "security-group-rule": ("describe_security_group_rules", "SecurityGroupRules", "Tags"),
    "network-acl": ("describe_network_acls", "NetworkAcls", "Tags"),
    "prefix-list": ("describe_managed_prefix_lists", "PrefixLists", "Tags"),
}


def test_every_resource_can_be_tagged_and_found_by_its_tag(service: Service, ec2: Any) -> None:
    resources = everything(service, ec2)
    assert set(resources) == set(TAGGABLE)
    ec2.create_tags(Resources=list(resources.values()), Tags=[{"Key": "Env", "Value": "test"}, {"Key": "Empty"}])
    for resource_type, (call, member, tags) in DESCRIBE.items():
        (found,) = getattr(ec2, call)(Filters=[{"Name": "tag:Env", "Values": ["te*"]}])[member]
        assert {"Key": "Env", "Value": "test"} in found[tags], resource_type
        assert {"Key": "Empty", "Value": ""} in found[tags], resource_type
    listed = ec2.describe_tags(Filters=[{"Name": "key", "Values": ["Env"]}])["Tags"]
    assert {(t["ResourceType"], t["ResourceId"]) for t in listed} == set(resources.items())


def test_a_tag_is_replaced_and_deleted(ec2: Any) -> None:
    vpc_id = vpc(ec2)

    def tags() -> dict[str, str]:
        return {t["Key"]: t["Value"] for t in ec2.describe_vpcs()["Vpcs"][0]["Tags"]}

    ec2.create_tags(Resources=[vpc_id], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    ec2.create_tags(Resources=[vpc_id], Tags=[{"Key": "a", "Value": "3"}, {"Key": "c", "Value": ""}])
    assert tags() == {"a": "3", "b": "2", "c": ""}
    ec2.delete_tags(Resources=[vpc_id], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])
    assert tags() == {"a": "3", "b": "2", "c": ""}
    ec2.delete_tags(Resources=[vpc_id], Tags=[{"Key": "a", "Value": "3"}, {"Key": "c", "Value": ""}])
    assert tags() == {"b": "2"}
    ec2.delete_tags(Resources=[vpc_id], Tags=[{"Key": "b"}, {"Key": "never there"}])
    assert tags() == {}
    ec2.create_tags(Resources=[vpc_id], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    ec2.delete_tags(Resources=[vpc_id])
    assert tags() == {}


@pytest.mark.parametrize(
    ("tag", "code", "words"),
    [
        ({"Key": "aws:name", "Value": "x"}, "InvalidParameterValue", ("aws:", "reserved")),
        ({"Key": "k" * 129, "Value": "x"}, "InvalidParameterValue", ("128",)),
        ({"Key": "k", "Value": "v" * 257}, "InvalidParameterValue", ("256",)),
        ({"Value": "x"}, "InvalidTagKey.Malformed", ("Tag.Key", "empty")),
        ({"Key": "", "Value": "x"}, "InvalidTagKey.Malformed", ("Tag.Key", "empty")),
        ({"Key": "good", "Value": "two"}, "InvalidParameterValue", ("Duplicate tag key 'good'",)),
        ({"Key": "twinbore:bfd", "Value": "on"}, "InvalidParameterValue", ("twinbore:bfd",)),
    ],
)
def test_tags_that_cannot_be(
    service: Service, ec2: Any, tag: dict[str, str], code: str, words: tuple[str, ...]
) -> None:
    vpc_id = vpc(ec2)
    with refused(service, code, *words):
        ec2.create_tags(Resources=[vpc_id], Tags=[{"Key": "good", "Value": "one"}, tag])


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("vpc-0123456789abcdef0", "InvalidVpcID.NotFound"),
        ("vpn-0123456789abcdef0", "InvalidVpnConnectionID.NotFound"),
        ("i-0123456789abcdef0", "InvalidID"),
        ("rtbassoc-0123456789abcdef0", "InvalidID"),
        ("vpc-1", "InvalidID"),
        ("", "InvalidID"),
    ],
)
def test_resources_that_are_not_there(service: Service, ec2: Any, value: str, code: str) -> None:
    known = vpc(ec2)
    ec2.create_tags(Resources=[known], Tags=[{"Key": "a", "Value": "1"}])
    with refused(service, code, value):
        ec2.create_tags(Resources=[known, value], Tags=[{"Key": "b", "Value": "2"}])
    with refused(service, code, value):
        ec2.delete_tags(Resources=[known, value])


def test_what_is_deleted_has_no_more_tags_to_set(service: Service, ec2: Any) -> None:
    cgw, vgw = customer_gateway(ec2), vpn_gateway(ec2)
    service.settle()
    ec2.delete_customer_gateway(CustomerGatewayId=cgw)
    ec2.delete_vpn_gateway(VpnGatewayId=vgw)
    service.settle()
    for value, code in ((cgw, "InvalidCustomerGatewayID.NotFound"), (vgw, "InvalidVpnGatewayID.NotFound")):
        with refused(service, code, value):
            ec2.create_tags(Resources=[value], Tags=[{"Key": "a", "Value": "b"}])


def test_too_many_at_once(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    with refused(service, "InvalidParameterValue", "ResourceId", "1001", "1000"):
        ec2.create_tags(Resources=[vpc_id] * 1001, Tags=[{"Key": "a", "Value": "b"}])
    with refused(service, "InvalidParameterValue", "Tag", "51", "50"):
        ec2.create_tags(Resources=[vpc_id], Tags=[{"Key": f"k{n}", "Value": ""} for n in range(51)])


def test_a_resource_has_fifty_tags_at_most(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    ec2.create_tags(Resources=[vpc_id], Tags=[{"Key": f"k{n:02}", "Value": ""} for n in range(50)])
    ec2.create_tags(Resources=[vpc_id], Tags=[{"Key": "k00", "Value": "changed"}])
    with refused(service, "TagLimitExceeded", "50"):
        ec2.create_tags(Resources=[vpc_id], Tags=[{"Key": "one more", "Value": ""}])


def test_filters_and_pages(service: Service, ec2: Any) -> None:
    first, second = vpc(ec2), internet_gateway(ec2)
    ec2.create_tags(Resources=[first], Tags=[{"Key": f"k{n}", "Value": f"v{n}"} for n in range(7)])
    ec2.create_tags(Resources=[second], Tags=[{"Key": "k0", "Value": "other"}])

    def found(*filters: tuple[str, str]) -> set[tuple[str, str]]:
        wanted = [{"Name": name, "Values": [value]} for name, value in filters]
        return {(t["ResourceId"], t["Key"]) for t in ec2.describe_tags(Filters=wanted)["Tags"]}

    assert found(("key", "k0")) == {(first, "k0"), (second, "k0")}
    assert found(("value", "v3")) == {(first, "k3")}
    assert found(("resource-id", second)) == {(second, "k0")}
    assert found(("resource-type", "internet-gateway")) == {(second, "k0")}
    assert found(("tag:k0", "v*")) == {(first, "k0")}
    assert found(("tag:k0", "*"), ("resource-type", "vpc")) == {(first, "k0")}
    pages = list(ec2.get_paginator("describe_tags").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["Tags"]) for page in pages] == [5, 3]
    with refused(service, "InvalidParameterValue", "The filter 'tag-key' is invalid"):
        ec2.describe_tags(Filters=[{"Name": "tag-key", "Values": ["x"]}])


class TestQuota:
    """The quota of tags counts at creation too."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(quotas=Quotas(tags_per_resource=1))

    def test_it_is_kept(self, service: Service, ec2: Any) -> None:
        tags = [{"Key": "a", "Value": ""}, {"Key": "b", "Value": ""}]
        with refused(service, "TagLimitExceeded", "1"):
            ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}])
