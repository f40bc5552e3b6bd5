"""Network ACLs through boto3: the default one of each VPC, others, their entries, and which subnets use them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.contract.conftest import Service
from tests.contract.test_subnets import subnet
from tests.contract.vpn import refused, vpc
from twinbore.model.settings import Quotas, Settings

UNKNOWN = "acl-0123456789abcdef0"


def ends(number: int, action: str) -> list[dict[str, Any]]:
    common = {"RuleNumber": number, "Protocol": "-1", "RuleAction": action, "CidrBlock": "0.0.0.0/0"}
    return [common | {"Egress": egress} for egress in (True, False)]


DENIED = ends(32767, "deny")


def default_acl(ec2: Any, vpc_id: str) -> dict[str, Any]:
    filters = [{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "default", "Values": ["true"]}]
    (found,) = ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
    return dict(found)


def acl(ec2: Any, vpc_id: str) -> str:
    return str(ec2.create_network_acl(VpcId=vpc_id)["NetworkAcl"]["NetworkAclId"])


def entries(ec2: Any, acl_id: str) -> list[dict[str, Any]]:
    """Those that can be made."""
    (found,) = ec2.describe_network_acls(NetworkAclIds=[acl_id])["NetworkAcls"]
    return [entry for entry in found["Entries"] if entry["RuleNumber"] != 32767]


def entry(acl_id: str, **changes: Any) -> dict[str, Any]:
    request = {"NetworkAclId": acl_id, "RuleNumber": 100, "Protocol": "6", "RuleAction": "allow", "Egress": False}
    return request | {"CidrBlock": "10.0.0.0/8", "PortRange": {"From": 22, "To": 23}} | changes


def test_the_default_acl_comes_and_goes_with_its_vpc(service: Service, ec2: Any) -> None:
    vpc_id = vpc(ec2)
    subnets = {subnet(ec2, vpc_id), subnet(ec2, vpc_id, "10.0.2.0/24")}
    found = default_acl(ec2, vpc_id)
    assert re.fullmatch("acl-[0-9a-f]{17}", found["NetworkAclId"])
    associations = found.pop("Associations")
    assert {a["SubnetId"] for a in associations} == subnets
    assert {a["NetworkAclId"] for a in associations} == {found["NetworkAclId"]}
    assert all(re.fullmatch("aclassoc-[0-9a-f]{17}", a["NetworkAclAssociationId"]) for a in associations)
    allowed = ends(100, "allow")
    assert found == {
        "NetworkAclId": found["NetworkAclId"],
        "VpcId": vpc_id,
        "OwnerId": found["OwnerId"],
        "IsDefault": True,
        "Entries": [allowed[0], DENIED[0], allowed[1], DENIED[1]],
        "Tags": [],
    }
    with refused(service, "InvalidParameterValue", "Cannot delete default network ACL", found["NetworkAclId"]):
        ec2.delete_network_acl(NetworkAclId=found["NetworkAclId"])
    for subnet_id in subnets:
        ec2.delete_subnet(SubnetId=subnet_id)
    assert default_acl(ec2, vpc_id)["Associations"] == []
    ec2.delete_vpc(VpcId=vpc_id)
    assert service.dump()["network_acls"] == service.dump()["network_acl_entries"] == []


def test_another_acl_from_create_to_delete(service: Service, ec2: Any) -> None:
    vpc_id, other = vpc(ec2), vpc(ec2, "10.1.0.0/16")
    subnet_id = subnet(ec2, vpc_id)
    tags = [{"Key": "Name", "Value": "a"}]
    specification = [{"ResourceType": "network-acl", "Tags": tags}]
    made = ec2.create_network_acl(VpcId=vpc_id, ClientToken="once", TagSpecifications=specification)
    assert made["ClientToken"] == "once"
    shape = made["NetworkAcl"]
    acl_id = shape["NetworkAclId"]
    assert (shape["IsDefault"], shape["Entries"], shape["Associations"], shape["Tags"]) == (False, DENIED, [], tags)
    assert ec2.create_network_acl(VpcId=vpc_id, ClientToken="once")["NetworkAcl"] == shape
    with refused(service, "IdempotentParameterMismatch", acl_id):
        ec2.create_network_acl(VpcId=other, ClientToken="once")
    with refused(service, "DependencyViolation", vpc_id):
        ec2.delete_vpc(VpcId=vpc_id)
    (before,) = default_acl(ec2, vpc_id)["Associations"]
    with refused(service, "InvalidParameterValue", "belong to different networks"):
        ec2.replace_network_acl_association(
            AssociationId=before["NetworkAclAssociationId"], NetworkAclId=default_acl(ec2, other)["NetworkAclId"]
        )
    new = ec2.replace_network_acl_association(AssociationId=before["NetworkAclAssociationId"], NetworkAclId=acl_id)[
        "NewAssociationId"
    ]
    assert default_acl(ec2, vpc_id)["Associations"] == []
    (shown,) = ec2.describe_network_acls(NetworkAclIds=[acl_id])["NetworkAcls"]
    association = {"NetworkAclAssociationId": new, "NetworkAclId": acl_id, "SubnetId": subnet_id}
    assert shown["Associations"] == [association]
    with refused(service, "InvalidAssociationID.NotFound", before["NetworkAclAssociationId"]):
        ec2.replace_network_acl_association(AssociationId=before["NetworkAclAssociationId"], NetworkAclId=acl_id)
    with refused(service, "DependencyViolation", acl_id, subnet_id):
        ec2.delete_network_acl(NetworkAclId=acl_id)
    default = default_acl(ec2, vpc_id)["NetworkAclId"]
    third = ec2.replace_network_acl_association(AssociationId=new, NetworkAclId=default)["NewAssociationId"]
    assert [a["NetworkAclAssociationId"] for a in default_acl(ec2, vpc_id)["Associations"]] == [third]
    ec2.create_network_acl_entry(**entry(acl_id))
    ec2.delete_network_acl(NetworkAclId=acl_id)
    assert service.dump()["tags"] == []
    with refused(service, "InvalidNetworkAclID.NotFound", acl_id):
        ec2.describe_network_acls(NetworkAclIds=[acl_id])
    ec2.delete_subnet(SubnetId=subnet_id)
    assert service.dump()["network_acl_associations"] == []
    ec2.delete_vpc(VpcId=vpc_id)


def test_entries(service: Service, ec2: Any) -> None:
    acl_id = acl(ec2, vpc(ec2))
    ec2.create_network_acl_entry(**entry(acl_id, CidrBlock="10.9.9.9/8"))
    first = {k: v for k, v in entry(acl_id).items() if k != "NetworkAclId"}
    assert entries(ec2, acl_id) == [first]
    with refused(service, "NetworkAclEntryAlreadyExists", "100"):
        ec2.create_network_acl_entry(**entry(acl_id, RuleAction="deny"))
    ec2.create_network_acl_entry(**entry(acl_id, Egress=True, RuleAction="deny"))
    ec2.replace_network_acl_entry(
        NetworkAclId=acl_id,
        RuleNumber=100,
        Protocol="58",
        RuleAction="deny",
        Egress=False,
        Ipv6CidrBlock="2001:DB8::/32",
        IcmpTypeCode={"Type": 128, "Code": -1},
    )
    changed = {
        "RuleNumber": 100,
        "Protocol": "58",
        "RuleAction": "deny",
        "Egress": False,
        "Ipv6CidrBlock": "2001:db8::/32",
        "IcmpTypeCode": {"Type": 128, "Code": -1},
    }
    assert entries(ec2, acl_id) == [first | {"Egress": True, "RuleAction": "deny"}, changed]
    with refused(service, "InvalidNetworkAclEntry.NotFound", "101", acl_id):
        ec2.replace_network_acl_entry(**entry(acl_id, RuleNumber=101))
    with refused(service, "InvalidNetworkAclEntry.NotFound", "101", "outbound"):
        ec2.delete_network_acl_entry(NetworkAclId=acl_id, RuleNumber=101, Egress=True)
    ec2.delete_network_acl_entry(NetworkAclId=acl_id, RuleNumber=100, Egress=True)
    assert entries(ec2, acl_id) == [changed]
    ec2.create_network_acl_entry(**entry(acl_id, RuleNumber=7, Protocol="50"))
    assert "PortRange" not in entries(ec2, acl_id)[0]


def test_entries_of_the_default_acl_can_be_changed(ec2: Any) -> None:
    acl_id = default_acl(ec2, vpc(ec2))["NetworkAclId"]
    ec2.delete_network_acl_entry(NetworkAclId=acl_id, RuleNumber=100, Egress=True)
    assert [e["Egress"] for e in entries(ec2, acl_id)] == [False]


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"RuleNumber": 0}, "InvalidParameterValue", ("RuleNumber", "32766")),
        ({"RuleNumber": 32767}, "InvalidParameterValue", ("RuleNumber", "32767")),
        ({"Protocol": "gre"}, "InvalidParameterValue", ("Protocol", "gre")),
        ({"RuleAction": "drop"}, "InvalidParameterValue", ("RuleAction", "drop", "allow or deny")),
        ({"CidrBlock": "10.0.0.0"}, "InvalidParameterValue", ("10.0.0.0",)),
        ({"Ipv6CidrBlock": "::/0"}, "InvalidParameterCombination", ("CidrBlock and Ipv6CidrBlock",)),
        ({"PortRange": {"From": 1}}, "MissingParameter", ("PortRange.To",)),
        ({"PortRange": {"From": 2, "To": 1}}, "InvalidParameterValue", ("(2:1)",)),
        ({"Protocol": "1"}, "MissingParameter", ("Icmp.Type",)),
        ({"Protocol": "1", "IcmpTypeCode": {"Type": 300, "Code": 0}}, "InvalidParameterValue", ("300",)),
        ({"NetworkAclId": UNKNOWN}, "InvalidNetworkAclID.NotFound", (UNKNOWN,)),
        ({"NetworkAclId": "acl"}, "InvalidNetworkAclId.Malformed", ("acl",)),
    ],
)
def test_an_entry_that_cannot_be(
    service: Service, ec2: Any, changes: dict[str, Any], code: str, words: tuple[str, ...]
) -> None:
    acl_id = acl(ec2, vpc(ec2))
    with refused(service, code, *words):
        ec2.create_network_acl_entry(**entry(acl_id, **changes))


def test_an_entry_needs_a_block(service: Service, ec2: Any) -> None:
    request = entry(acl(ec2, vpc(ec2)))
    del request["CidrBlock"]
    with refused(service, "InvalidParameterCombination", "none"):
        ec2.create_network_acl_entry(**request)


def test_associations_that_are_not_there(service: Service, ec2: Any) -> None:
    acl_id = acl(ec2, vpc(ec2))
    for value, code in (
        ("aclassoc-0123456789abcdef0", "InvalidAssociationID.NotFound"),
        ("x", "InvalidAssociationID.Malformed"),
    ):
        with refused(service, code, value):
            ec2.replace_network_acl_association(AssociationId=value, NetworkAclId=acl_id)


def test_filters(ec2: Any) -> None:
    vpc_id = vpc(ec2)
    subnet_id, acl_id = subnet(ec2, vpc_id), acl(ec2, vpc_id)
    default = default_acl(ec2, vpc_id)
    default_id, association = default["NetworkAclId"], default["Associations"][0]["NetworkAclAssociationId"]
    ec2.create_network_acl_entry(**entry(acl_id))
    icmp = {"Protocol": "58", "Ipv6CidrBlock": "2001:db8::/32", "IcmpTypeCode": {"Type": 128, "Code": 0}}
    request = entry(acl_id, RuleNumber=7, **icmp)
    del request["CidrBlock"]
    ec2.create_network_acl_entry(**request)
    ec2.create_tags(Resources=[acl_id], Tags=[{"Key": "env", "Value": "prod"}])
    both = {default_id, acl_id}
    for name, value, expected in (
        ("association.association-id", association, {default_id}),
        ("association.network-acl-id", default_id, {default_id}),
        ("association.subnet-id", subnet_id, {default_id}),
        ("default", "false", {acl_id}),
        ("entry.cidr", "10.0.0.0/8", {acl_id}),
        ("entry.egress", "true", both),
        ("entry.icmp.code", "0", {acl_id}),
        ("entry.icmp.type", "128", {acl_id}),
        ("entry.ipv6-cidr", "2001:db8::/32", {acl_id}),
        ("entry.port-range.from", "22", {acl_id}),
        ("entry.port-range.to", "23", {acl_id}),
        ("entry.protocol", "tcp", {acl_id}),
        ("entry.protocol", "6", {acl_id}),
        ("entry.rule-action", "allow", both),
        ("entry.rule-number", "32767", both),
        ("entry.rule-number", "7", {acl_id}),
        ("network-acl-id", acl_id, {acl_id}),
        ("owner-id", default["OwnerId"], both),
        ("tag:env", "prod", {acl_id}),
        ("vpc-id", vpc_id, both),
    ):
        answer = ec2.describe_network_acls(Filters=[{"Name": name, "Values": [value]}])
        assert {a["NetworkAclId"] for a in answer["NetworkAcls"]} == expected, name


class TestQuotas:
    """ACLs of a VPC, the default one among them, and entries of each direction."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(quotas=Quotas(network_acls_per_vpc=2, rules_per_network_acl=1))

    def test_they_are_kept(self, service: Service, ec2: Any) -> None:
        vpc_id = vpc(ec2)
        acl_id = acl(ec2, vpc_id)
        with refused(service, "NetworkAclLimitExceeded", vpc_id, "2"):
            acl(ec2, vpc_id)
        ec2.create_network_acl_entry(**entry(acl_id))
        with refused(service, "NetworkAclEntryLimitExceeded", "inbound", "1"):
            ec2.create_network_acl_entry(**entry(acl_id, RuleNumber=101))
        ec2.create_network_acl_entry(**entry(acl_id, Egress=True))
