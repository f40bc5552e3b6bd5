"""Which security groups a network interface wears: at least one, all of its VPC; the default group if none is named.

References: EC2 API reference, CreateNetworkInterface, ModifyNetworkInterfaceAttribute; Amazon VPC User Guide, "Amazon
VPC quotas" (security groups per network interface).
"""

from __future__ import annotations

from collections.abc import Iterable

from twinbore.api import errors
from twinbore.api.errors import ApiError
from twinbore.api.operation import Call, Request
from twinbore.api.ops.common import lookup
from twinbore.model import resources as r
from twinbore.model import security as s


def requested_groups(call: Call, vpc_id: str, request: Request) -> list[str] | None:
    """The ids of the groups that a request names, each once; None if it names none."""
    given = list(dict.fromkeys(request.get("Groups") or []))
    if not given:
        return None
    for group_id in given:
        group = lookup(call, s.SecurityGroup, "security-group", group_id)
        if group.vpc_id != vpc_id:
            raise ApiError(
                "InvalidParameter",
                f"You have specified two resources that belong to different networks: {group.id} is of "
                f"{group.vpc_id}, the network interface of {vpc_id}.",
            )
    limit = call.settings.quotas.security_groups_per_network_interface
    if len(given) > limit:
        what = "security groups per interface"
        raise errors.limit_exceeded("SecurityGroupsPerInterfaceLimitExceeded", what, limit)
    return given


def default_group(call: Call, vpc_id: str) -> str:
    """The id of the VPC's default group."""
    (group,) = call.tx.all(s.SecurityGroup, vpc_id=vpc_id, name=s.DEFAULT_GROUP)
    return group.id


def put_on(call: Call, interface: r.NetworkInterface, group_ids: Iterable[str]) -> None:
    """Let the network interface wear these groups and no others."""
    take_off(call, interface)
    call.tx.insert(
        *(
            s.NetworkInterfaceGroup(f"{interface.id}/{group_id}", interface.account_id, interface.id, group_id)
            for group_id in group_ids
        )
    )


def take_off(call: Call, interface: r.NetworkInterface) -> None:
    """Let the network interface wear no group: it goes, or gets others."""
    worn = call.tx.all(s.NetworkInterfaceGroup, network_interface_id=interface.id)
    call.tx.delete(s.NetworkInterfaceGroup, *(row.id for row in worn))


def worn_groups(call: Call, interface_ids: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """Network interface → its groups as in answers, by id; a list for every network interface."""
    found: dict[str, list[dict[str, str]]] = {key: [] for key in interface_ids}
    rows = call.tx.all(s.NetworkInterfaceGroup, network_interface_id=list(found)) if found else []
    wanted = {row.group_id for row in rows}
    names = {group.id: group.name for group in call.tx.all(s.SecurityGroup, id=wanted)} if wanted else {}
    for row in rows:
        found[row.network_interface_id].append({"GroupId": row.group_id, "GroupName": names[row.group_id]})
    return found
