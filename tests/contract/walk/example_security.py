"""Security groups and their rules, network ACLs, prefix lists."""

from __future__ import annotations

from typing import Any

from tests.contract.walk.example_vpn import tags
from tests.contract.walk.filters import check_filters
from tests.contract.walk.pages import check_one_page, check_pages
from tests.contract.walk.walker import Walker

SSH = {"IpProtocol": "tcp", "FromPort": 2022, "ToPort": 2023}


def walk(w: Walker) -> None:
    vpc_id = w("CreateVpc", CidrBlock="10.40.0.0/16")["Vpc"]["VpcId"]
    lists = _prefix_lists(w)
    _groups(w, vpc_id, lists)
    _acls(w, vpc_id)
    for list_id in lists:
        w("DeleteManagedPrefixList", PrefixListId=list_id)
    w("DescribePrefixLists")
    check_one_page(w, "DescribePrefixLists", "PrefixLists")
    for name in ("prefix-list-id", "prefix-list-name"):
        assert not w("DescribePrefixLists", Filters=[{"Name": name, "Values": ["*"]}])["PrefixLists"]
        w.filtered["DescribePrefixLists"].add(name)
    w.effect("DescribePrefixLists", "Filters.Name", "Filters.Values")
    w("DeleteVpc", VpcId=vpc_id)


def _prefix_lists(w: Walker) -> list[str]:
    def create(**more: Any) -> str:
        request = {"PrefixListName": "offices", "MaxEntries": 11, "AddressFamily": "IPv4"} | more
        return str(w("CreateManagedPrefixList", **request)["PrefixList"]["PrefixListId"])

    request = {
        "Entries": [{"Cidr": "10.51.0.0/16", "Description": "the office"}],
        "ClientToken": "list-of-the-walk",
        "TagSpecifications": tags("prefix-list", "the-list"),
    }
    list_id = create(**request)
    assert create(**request) == list_id
    w.effect("CreateManagedPrefixList", "ClientToken")
    lists = [list_id, *(create(AddressFamily="IPv6", PrefixListName=f"list-{n}") for n in range(5))]
    entries = [{"Cidr": f"10.{60 + n}.0.0/16", "Description": f"branch {n}"} for n in range(6)]
    added = {"PrefixListId": list_id, "AddEntries": entries, "RemoveEntries": [{"Cidr": "10.51.0.0/16"}]}
    assert w("ModifyManagedPrefixList", **added, CurrentVersion=1)["PrefixList"]["Version"] == 2
    assert (w.refusal("ModifyManagedPrefixList", **added, CurrentVersion=1) or ("",))[0] == "PrefixListVersionMismatch"
    first = w("GetManagedPrefixListEntries", PrefixListId=list_id, TargetVersion=1)["Entries"]
    assert first == [{"Cidr": "10.51.0.0/16", "Description": "the office"}]
    w.effect("ModifyManagedPrefixList", "CurrentVersion", "RemoveEntries.Cidr")
    w.effect("GetManagedPrefixListEntries", "TargetVersion")
    w("ModifyManagedPrefixList", PrefixListId=list_id, PrefixListName="renamed")
    w("ModifyManagedPrefixList", PrefixListId=list_id, MaxEntries=12)
    check_pages(w, "GetManagedPrefixListEntries", "Entries", PrefixListId=list_id)
    restored = w("RestoreManagedPrefixListVersion", PrefixListId=list_id, PreviousVersion=1, CurrentVersion=2)
    assert restored["PrefixList"]["Version"] == 3
    assert w("GetManagedPrefixListEntries", PrefixListId=list_id)["Entries"] == first
    w.effect("RestoreManagedPrefixListVersion", "PreviousVersion", "CurrentVersion")
    w("DescribeManagedPrefixLists", PrefixListIds=[list_id])
    check_filters(w, "DescribeManagedPrefixLists", "PrefixLists")
    check_pages(w, "DescribeManagedPrefixLists", "PrefixLists")
    return lists


def _sources(group_id: str, owner: str, list_id: str) -> list[dict[str, Any]]:
    pair = {"GroupId": group_id, "UserId": owner, "Description": "from the others"}
    ranges = {
        "IpRanges": [{"CidrIp": "10.52.0.0/16", "Description": "from the office"}],
        "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32", "Description": "from afar"}],
        "PrefixListIds": [{"PrefixListId": list_id, "Description": "from the list"}],
    }
    return [SSH | {"UserIdGroupPairs": [pair], **ranges}]


def _groups(w: Walker, vpc_id: str, lists: list[str]) -> None:
    def create(name: str, **more: Any) -> str:
        request = {"GroupName": name, "Description": f"group {name}", "VpcId": vpc_id} | more
        return str(w("CreateSecurityGroup", **request)["GroupId"])

    first = create("the-group", TagSpecifications=tags("security-group", "the-group"))
    others = [create(f"other-{n}") for n in range(6)]
    (shown,) = w("DescribeSecurityGroups", GroupIds=[first])["SecurityGroups"]
    sources = _sources(others[0], shown["OwnerId"], lists[0])
    for way in ("Ingress", "Egress"):
        made = w(
            f"AuthorizeSecurityGroup{way}",
            GroupId=first,
            IpPermissions=sources,
            TagSpecifications=tags("security-group-rule", f"the-{way}"),
        )["SecurityGroupRules"]
        last = _rules(w, way, first, sources, made)
    w("AuthorizeSecurityGroupIngress", GroupId=first, CidrIp="10.53.0.0/16", **SSH)
    w("DescribeSecurityGroupRules", SecurityGroupRuleIds=[last])
    check_filters(w, "DescribeSecurityGroupRules", "SecurityGroupRules")
    check_pages(w, "DescribeSecurityGroupRules", "SecurityGroupRules")
    named = ("ip-permission.group-name", "egress.ip-permission.group-name")
    check_filters(w, "DescribeSecurityGroups", "SecurityGroups", named)
    for name in named:
        found = w("DescribeSecurityGroups", Filters=[{"Name": name, "Values": ["other-0"]}])["SecurityGroups"]
        assert [group["GroupId"] for group in found] == [first]
        w.filtered["DescribeSecurityGroups"].add(name)
    check_pages(w, "DescribeSecurityGroups", "SecurityGroups")
    w.wait("SecurityGroupExists", GroupIds=[first])
    w("RevokeSecurityGroupIngress", GroupId=first, CidrIp="10.53.0.0/16", **SSH)
    w("GetSecurityGroupsForVpc", VpcId=vpc_id)
    check_filters(w, "GetSecurityGroupsForVpc", "SecurityGroupForVpcs", VpcId=vpc_id)
    check_pages(w, "GetSecurityGroupsForVpc", "SecurityGroupForVpcs", VpcId=vpc_id)
    w("DescribeSecurityGroupReferences", GroupId=[first])
    w("DescribeStaleSecurityGroups", VpcId=vpc_id)
    check_one_page(w, "DescribeStaleSecurityGroups", "StaleSecurityGroupSet", VpcId=vpc_id)
    w("GetManagedPrefixListAssociations", PrefixListId=lists[0])
    users = [*others[:5], first]
    for user in users:
        use = [{"IpProtocol": "50", "PrefixListIds": [{"PrefixListId": lists[0]}]}]
        w("AuthorizeSecurityGroupIngress", GroupId=user, IpPermissions=use)
    check_pages(w, "GetManagedPrefixListAssociations", "PrefixListAssociations", PrefixListId=lists[0])
    for group_id in (first, *others):
        w("DeleteSecurityGroup", GroupId=group_id)


def _rules(w: Walker, way: str, group_id: str, sources: list[dict[str, Any]], made: list[dict[str, Any]]) -> str:
    """Change the rules that were made of `sources`, revoke them and make them again; the id of one."""
    update = f"UpdateSecurityGroupRuleDescriptions{way}"
    w(update, GroupId=group_id, IpPermissions=sources)
    ids = [rule["SecurityGroupRuleId"] for rule in made]
    described = [{"SecurityGroupRuleId": ids[0], "Description": f"described {way}"}]
    w(update, GroupId=group_id, SecurityGroupRuleDescriptions=described)
    w("DescribeSecurityGroupRules", SecurityGroupRuleIds=ids)
    for rule in made:
        source: dict[str, Any] = {name: rule[name] for name in ("CidrIpv4", "CidrIpv6", "PrefixListId") if name in rule}
        if "ReferencedGroupInfo" in rule:
            source = {"ReferencedGroupId": rule["ReferencedGroupInfo"]["GroupId"]}
        new = {"IpProtocol": "udp", "FromPort": 3053, "ToPort": 3054, "Description": f"changed {way}"} | source
        changes = [{"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "SecurityGroupRule": new}]
        w("ModifySecurityGroupRules", GroupId=group_id, SecurityGroupRules=changes)
    w("DescribeSecurityGroupRules", SecurityGroupRuleIds=ids)
    w(f"AuthorizeSecurityGroup{way}", GroupId=group_id, IpPermissions=sources)
    revoked = w(f"RevokeSecurityGroup{way}", GroupId=group_id, IpPermissions=sources)
    assert len(revoked["RevokedSecurityGroupRules"]) == len(ids)
    w(f"RevokeSecurityGroup{way}", GroupId=group_id, SecurityGroupRuleIds=ids)
    again = tags("security-group-rule", f"the-{way}")
    made = w(f"AuthorizeSecurityGroup{way}", GroupId=group_id, IpPermissions=sources, TagSpecifications=again)[
        "SecurityGroupRules"
    ]
    return str(made[0]["SecurityGroupRuleId"])


def _acls(w: Walker, vpc_id: str) -> None:
    subnet_id = w("CreateSubnet", VpcId=vpc_id, CidrBlock="10.40.1.0/24")["Subnet"]["SubnetId"]

    def create(**more: Any) -> str:
        return str(w("CreateNetworkAcl", VpcId=vpc_id, **more)["NetworkAcl"]["NetworkAclId"])

    acl_id = create(ClientToken="acl-of-the-walk", TagSpecifications=tags("network-acl", "the-acl"))
    others = [create() for _ in range(5)]
    common = {"NetworkAclId": acl_id, "RuleAction": "deny", "CidrBlock": "10.54.0.0/16"}
    ports = {"Protocol": "6", "PortRange": {"From": 4022, "To": 4023}}
    icmp = {"Protocol": "58", "IcmpTypeCode": {"Type": 128, "Code": 7}, "Ipv6CidrBlock": "2001:db8:4::/48"}
    for operation in ("CreateNetworkAclEntry", "ReplaceNetworkAclEntry"):
        action = {"RuleAction": "allow"} if operation.startswith("Create") else {}
        w(operation, **common | ports | action, RuleNumber=1234, Egress=True)
        second = {name: value for name, value in common.items() if name != "CidrBlock"}
        w(operation, **second | icmp | action, RuleNumber=1235, Egress=False)
        w("DescribeNetworkAcls", NetworkAclIds=[acl_id])
    (default,) = w("DescribeNetworkAcls", Filters=[{"Name": "association.subnet-id", "Values": [subnet_id]}])[
        "NetworkAcls"
    ]
    association = default["Associations"][0]["NetworkAclAssociationId"]
    new = w("ReplaceNetworkAclAssociation", AssociationId=association, NetworkAclId=acl_id)["NewAssociationId"]
    check_filters(w, "DescribeNetworkAcls", "NetworkAcls")
    check_pages(w, "DescribeNetworkAcls", "NetworkAcls")
    w("DeleteNetworkAclEntry", NetworkAclId=acl_id, RuleNumber=1234, Egress=True)
    (left,) = w("DescribeNetworkAcls", NetworkAclIds=[acl_id])["NetworkAcls"]
    assert [entry["RuleNumber"] for entry in left["Entries"]] == [32767, 1235, 32767]
    w.effect("DeleteNetworkAclEntry", "RuleNumber", "Egress")
    w("ReplaceNetworkAclAssociation", AssociationId=new, NetworkAclId=default["NetworkAclId"])
    for other in (acl_id, *others):
        w("DeleteNetworkAcl", NetworkAclId=other)
    w("DeleteSubnet", SubnetId=subnet_id)
