"""Managed prefix lists through boto3: made, changed in versions, restored, used, removed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.contract.conftest import Service
from tests.contract.test_security_groups import group
from tests.contract.vpn import refused, vpc
from twinbore.model.settings import Quotas, Settings

UNKNOWN = "pl-0123456789abcdef0"


def make(ec2: Any, *cidrs: str, **more: Any) -> dict[str, Any]:
    request = {"PrefixListName": "offices", "MaxEntries": 5, "AddressFamily": "IPv4"}
    request |= {"Entries": [{"Cidr": cidr} for cidr in cidrs]} if cidrs else {}
    return dict(ec2.create_managed_prefix_list(**(request | more))["PrefixList"])


def cidrs(ec2: Any, list_id: str, **more: Any) -> set[str]:
    return {e["Cidr"] for e in ec2.get_managed_prefix_list_entries(PrefixListId=list_id, **more)["Entries"]}


def test_a_prefix_list_from_create_to_delete(service: Service, ec2: Any) -> None:
    tags = [{"Key": "Name", "Value": "p"}]
    made = make(
        ec2,
        Entries=[{"Cidr": "10.1.0.9/16", "Description": "one"}, {"Cidr": "10.2.0.0/16"}],
        TagSpecifications=[{"ResourceType": "prefix-list", "Tags": tags}],
    )
    list_id, owner = made["PrefixListId"], made["OwnerId"]
    assert re.fullmatch("pl-[0-9a-f]{17}", list_id)
    assert made == {
        "PrefixListId": list_id,
        "PrefixListArn": f"arn:aws:ec2:us-east-1:{owner}:prefix-list/{list_id}",
        "PrefixListName": "offices",
        "AddressFamily": "IPv4",
        "State": "create-complete",
        "MaxEntries": 5,
        "Version": 1,
        "OwnerId": owner,
        "Tags": tags,
    }
    assert ec2.describe_managed_prefix_lists(PrefixListIds=[list_id])["PrefixLists"] == [made]
    assert ec2.get_managed_prefix_list_entries(PrefixListId=list_id)["Entries"] == [
        {"Cidr": "10.1.0.0/16", "Description": "one"},
        {"Cidr": "10.2.0.0/16"},
    ]
    assert ec2.describe_prefix_lists()["PrefixLists"] == []
    assert ec2.delete_managed_prefix_list(PrefixListId=list_id)["PrefixList"]["State"] == "delete-complete"
    left = service.dump()
    assert left["prefix_lists"] == left["prefix_list_entries"] == left["tags"] == []
    with refused(service, "InvalidPrefixListID.NotFound", list_id):
        ec2.describe_managed_prefix_lists(PrefixListIds=[list_id])
    with refused(service, "InvalidPrefixListID.NotFound", list_id):
        ec2.delete_managed_prefix_list(PrefixListId=list_id)


def test_a_request_that_is_sent_again(service: Service, ec2: Any) -> None:
    first = make(ec2, ClientToken="once")
    assert make(ec2, ClientToken="once") == first
    with refused(service, "IdempotentParameterMismatch", first["PrefixListId"]):
        make(ec2, ClientToken="once", MaxEntries=6)


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"PrefixListName": ""}, "InvalidParameterValue", ("PrefixListName",)),
        ({"PrefixListName": "x" * 256}, "InvalidParameterValue", ("PrefixListName", "255")),
        ({"PrefixListName": "com.amazonaws.x"}, "InvalidParameterValue", ("com.amazonaws",)),
        ({"AddressFamily": "ipv4"}, "InvalidParameterValue", ("AddressFamily", "ipv4", "IPv4 or IPv6")),
        ({"MaxEntries": 0}, "InvalidParameterValue", ("MaxEntries", "1 to 1000")),
        ({"MaxEntries": 1001}, "InvalidParameterValue", ("MaxEntries", "1001")),
        ({"Entries": [{"Cidr": "::/0"}]}, "InvalidParameterValue", ("::/0", "IPv4")),
        ({"AddressFamily": "IPv6", "Entries": [{"Cidr": "10.0.0.0/8"}]}, "InvalidParameterValue", ("10.0.0.0/8",)),
        (
            {"Entries": [{"Cidr": "10.0.0.0/8"}, {"Cidr": "10.0.0.1/8"}]},
            "InvalidParameterValue",
            ("Entry.2.Cidr", "10.0.0.1/8"),
        ),
        (
            {"Entries": [{"Cidr": "10.0.0.0/8", "Description": "x" * 256}]},
            "InvalidParameterValue",
            ("Entry.1.Description",),
        ),
        (
            {"MaxEntries": 1, "Entries": [{"Cidr": "10.0.0.0/8"}, {"Cidr": "10.0.0.0/9"}]},
            "PrefixListMaxEntriesExceeded",
            ("2 entries", "1"),
        ),
    ],
)
def test_a_list_that_cannot_be_made(
    service: Service, ec2: Any, changes: dict[str, Any], code: str, words: tuple[str, ...]
) -> None:
    with refused(service, code, *words):
        make(ec2, **changes)


def test_versions(service: Service, ec2: Any) -> None:
    list_id = make(ec2, "10.1.0.0/16", "10.2.0.0/16")["PrefixListId"]
    modify = ec2.modify_managed_prefix_list
    second = modify(
        PrefixListId=list_id,
        CurrentVersion=1,
        AddEntries=[{"Cidr": "10.3.0.0/16", "Description": "three"}],
        RemoveEntries=[{"Cidr": "10.1.0.5/16"}],
    )["PrefixList"]
    assert (second["Version"], second["State"]) == (2, "modify-complete")
    with refused(service, "PrefixListVersionMismatch", "incorrect version number", "2"):
        modify(PrefixListId=list_id, CurrentVersion=1, AddEntries=[{"Cidr": "10.4.0.0/16"}])
    with refused(service, "InvalidParameterValue", "10.2.0.0/16", "AddPrefixListEntries and RemovePrefixListEntries"):
        both = [{"Cidr": "10.2.0.0/16"}]
        modify(PrefixListId=list_id, CurrentVersion=2, AddEntries=both, RemoveEntries=both)
    with refused(service, "InvalidRequest", "10.2.0.0/16"):
        modify(PrefixListId=list_id, CurrentVersion=2, AddEntries=[{"Cidr": "10.2.0.0/16", "Description": "x"}])
    with refused(service, "InvalidPrefixListModification", "10.9.0.0/16"):
        modify(PrefixListId=list_id, CurrentVersion=2, RemoveEntries=[{"Cidr": "10.9.0.0/16"}])
    assert cidrs(ec2, list_id) == {"10.2.0.0/16", "10.3.0.0/16"}
    assert cidrs(ec2, list_id, TargetVersion=1) == {"10.1.0.0/16", "10.2.0.0/16"}
    for version in (0, 3):
        with refused(service, "InvalidParameterValue", "TargetVersion", "1 to 2"):
            cidrs(ec2, list_id, TargetVersion=version)
    restore = ec2.restore_managed_prefix_list_version
    with refused(service, "PrefixListVersionMismatch", "2"):
        restore(PrefixListId=list_id, PreviousVersion=1, CurrentVersion=1)
    with refused(service, "InvalidParameterValue", "PreviousVersion", "1 to 2"):
        restore(PrefixListId=list_id, PreviousVersion=3, CurrentVersion=2)
    third = restore(PrefixListId=list_id, PreviousVersion=1, CurrentVersion=2)["PrefixList"]
    assert (third["Version"], third["State"]) == (3, "restore-complete")
    assert cidrs(ec2, list_id) == {"10.1.0.0/16", "10.2.0.0/16"}
    assert cidrs(ec2, list_id, TargetVersion=2) == {"10.2.0.0/16", "10.3.0.0/16"}
    restore(PrefixListId=list_id, PreviousVersion=2, CurrentVersion=3)
    found = ec2.get_managed_prefix_list_entries(PrefixListId=list_id)["Entries"]
    assert {"Cidr": "10.3.0.0/16", "Description": "three"} in found


def test_name_and_size(service: Service, ec2: Any) -> None:
    list_id = make(ec2, "10.1.0.0/16", "10.2.0.0/16")["PrefixListId"]
    modify = ec2.modify_managed_prefix_list
    changed = modify(PrefixListId=list_id, PrefixListName="branches")["PrefixList"]
    assert (changed["PrefixListName"], changed["Version"]) == ("branches", 1)
    changed = modify(PrefixListId=list_id, MaxEntries=2)["PrefixList"]
    assert (changed["MaxEntries"], changed["Version"], changed["State"]) == (2, 1, "modify-complete")
    with refused(service, "PrefixListMaxEntriesExceeded", "3 entries"):
        modify(PrefixListId=list_id, CurrentVersion=1, AddEntries=[{"Cidr": "10.3.0.0/16"}])
    with refused(service, "PrefixListMaxEntriesExceeded", "2 entries"):
        modify(PrefixListId=list_id, MaxEntries=1)
    with refused(service, "InvalidParameterCombination", "MaxEntries", "AddEntries"):
        modify(PrefixListId=list_id, MaxEntries=3, CurrentVersion=1, AddEntries=[{"Cidr": "10.3.0.0/16"}])
    with refused(service, "InvalidParameterValue", "com.amazonaws"):
        modify(PrefixListId=list_id, PrefixListName="com.amazonaws")
    with refused(service, "MissingParameter", "PrefixListName", "AddEntry"):
        modify(PrefixListId=list_id)
    with refused(service, "UnsupportedOperation", "IpamPrefixListResolverSyncEnabled"):
        modify(PrefixListId=list_id, IpamPrefixListResolverSyncEnabled=True)


def test_a_request_has_a_hundred_entries_at_most(service: Service, ec2: Any) -> None:
    blocks = [{"Cidr": f"10.{n}.0.0/16"} for n in range(101)]
    with refused(service, "InvalidParameterValue", "Entries", "(100)"):
        make(ec2, Entries=blocks, MaxEntries=200)
    made = make(ec2, Entries=blocks[:100], MaxEntries=200)
    with refused(service, "InvalidParameterValue", "AddEntries and RemoveEntries", "(100)"):
        ec2.modify_managed_prefix_list(
            PrefixListId=made["PrefixListId"],
            CurrentVersion=1,
            AddEntries=blocks[100:],
            RemoveEntries=blocks[:100],
        )


def test_what_uses_a_list(service: Service, ec2: Any) -> None:
    list_id = make(ec2)["PrefixListId"]
    vpc_id = vpc(ec2)
    users = sorted(group(ec2, vpc_id, name) for name in ("one", "two"))
    permissions = [
        {"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": list_id}]},
        {"IpProtocol": "50", "PrefixListIds": [{"PrefixListId": list_id}]},
    ]
    for user in users:
        ec2.authorize_security_group_ingress(GroupId=user, IpPermissions=permissions)
    answer = ec2.get_managed_prefix_list_associations(PrefixListId=list_id)["PrefixListAssociations"]
    assert [a["ResourceId"] for a in answer] == users
    assert all(re.fullmatch("[0-9]{12}", a["ResourceOwner"]) for a in answer)
    with refused(service, "DependencyViolation", list_id, *users):
        ec2.delete_managed_prefix_list(PrefixListId=list_id)
    for user in users:
        ec2.delete_security_group(GroupId=user)
    ec2.delete_managed_prefix_list(PrefixListId=list_id)


def test_listings(service: Service, ec2: Any) -> None:
    first, second = make(ec2), make(ec2, "2001:db8::/32", AddressFamily="IPv6", PrefixListName="other")
    ec2.create_tags(Resources=[second["PrefixListId"]], Tags=[{"Key": "env", "Value": "prod"}])
    both = [first["PrefixListId"], second["PrefixListId"]]
    for name, value, expected in (
        ("owner-id", first["OwnerId"], both),
        ("prefix-list-id", both[0], both[:1]),
        ("prefix-list-name", "oth*", both[1:]),
        ("tag:env", "prod", both[1:]),
    ):
        answer = ec2.describe_managed_prefix_lists(Filters=[{"Name": name, "Values": [value]}])
        assert [p["PrefixListId"] for p in answer["PrefixLists"]] == expected, name
        old = ec2.describe_prefix_lists
        if name.startswith("prefix"):
            assert old(Filters=[{"Name": name, "Values": [value]}])["PrefixLists"] == []
    pages = list(ec2.get_paginator("describe_managed_prefix_lists").paginate(PaginationConfig={"PageSize": 1}))
    assert [len(page["PrefixLists"]) for page in pages] == [1, 1]
    with refused(service, "InvalidMaxResults", "1 to 100"):
        ec2.describe_managed_prefix_lists(MaxResults=101)
    for value, code in ((UNKNOWN, "InvalidPrefixListID.NotFound"), ("pl-1", "InvalidPrefixListId.Malformed")):
        with refused(service, code, value):
            ec2.describe_prefix_lists(PrefixListIds=[value])
        with refused(service, code, value):
            ec2.get_managed_prefix_list_entries(PrefixListId=value)
        with refused(service, code, value):
            ec2.get_managed_prefix_list_associations(PrefixListId=value)


class TestQuotas:
    """Lists of an account, and versions of a list: of those the oldest goes."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(quotas=Quotas(prefix_lists=1, versions_per_prefix_list=2))

    def test_they_are_kept(self, service: Service, ec2: Any) -> None:
        list_id = make(ec2, "10.1.0.0/16")["PrefixListId"]
        with refused(service, "PrefixListLimitExceeded", "1"):
            make(ec2)
        modify = ec2.modify_managed_prefix_list
        for version, cidr in enumerate(("10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16"), 1):
            (before,) = cidrs(ec2, list_id)
            modify(
                PrefixListId=list_id,
                CurrentVersion=version,
                AddEntries=[{"Cidr": cidr}],
                RemoveEntries=[{"Cidr": before}],
            )
        assert cidrs(ec2, list_id, TargetVersion=3) == {"10.3.0.0/16"}
        with refused(service, "InvalidParameterValue", "3 to 4"):
            cidrs(ec2, list_id, TargetVersion=2)
        assert len(service.dump()["prefix_list_entries"]) == 2
