"""Differences of security groups, network ACLs and prefix lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from twinbore.api.differences.reasons import ALWAYS_SUCCEEDS, IPAM, NO_PEERING

NAMES: Final = "names are for the groups of a default VPC: use GroupId"
USE_PERMISSIONS: Final = "AWS has it for inbound rules only: use IpPermissions"
NO_SERVICES: Final = "no AWS service has addresses here: DescribeManagedPrefixLists lists one's own prefix lists"

_FLAT: Final = dict.fromkeys(
    ("CidrIp", "FromPort", "IpProtocol", "SourceSecurityGroupName", "SourceSecurityGroupOwnerId", "ToPort"),
    USE_PERMISSIONS,
)
_NAMED: Final = dict.fromkeys(("GroupName", "SourceSecurityGroupName", "SourceSecurityGroupOwnerId"), NAMES)
_UNKNOWN: Final = {"UnknownIpPermissions": "a rule that is not there is InvalidPermission.NotFound in every VPC"}

MEMBERS: Final[Mapping[str, Mapping[str, str]]] = {
    "AuthorizeSecurityGroupEgressRequest": _FLAT,
    "AuthorizeSecurityGroupIngressRequest": _NAMED,
    "DeleteSecurityGroupRequest": {"GroupName": NAMES},
    "DescribePrefixListsRequest": {"PrefixListIds": NO_SERVICES},
    "DescribePrefixListsResult": {"NextToken": NO_SERVICES, "PrefixLists": NO_SERVICES},
    "DescribeSecurityGroupReferencesResult": {"SecurityGroupReferenceSet": NO_PEERING},
    "DescribeSecurityGroupsRequest": {"GroupNames": NAMES},
    "DescribeStaleSecurityGroupsResult": {"NextToken": NO_PEERING, "StaleSecurityGroupSet": NO_PEERING},
    "ManagedPrefixList": {
        "IpamPrefixListResolverSyncEnabled": IPAM,
        "IpamPrefixListResolverTargetId": IPAM,
        "StateMessage": ALWAYS_SUCCEEDS,
    },
    "ModifyManagedPrefixListRequest": {"IpamPrefixListResolverSyncEnabled": IPAM},
    "ReferencedSecurityGroup": {
        "PeeringStatus": NO_PEERING,
        "VpcId": NO_PEERING,
        "VpcPeeringConnectionId": NO_PEERING,
    },
    "RevokeSecurityGroupEgressRequest": _FLAT,
    "RevokeSecurityGroupEgressResult": _UNKNOWN,
    "RevokeSecurityGroupIngressRequest": _NAMED,
    "RevokeSecurityGroupIngressResult": _UNKNOWN,
    "UpdateSecurityGroupRuleDescriptionsEgressRequest": {"GroupName": NAMES},
    "UpdateSecurityGroupRuleDescriptionsIngressRequest": {"GroupName": NAMES},
    "UserIdGroupPair": {
        "GroupName": NAMES,
        "PeeringStatus": NO_PEERING,
        "VpcId": NO_PEERING,
        "VpcPeeringConnectionId": NO_PEERING,
    },
}

FILTERS: Final[Mapping[str, Mapping[str, str]]] = {
    "DescribePrefixLists": {"prefix-list-id": NO_SERVICES, "prefix-list-name": NO_SERVICES},
}
