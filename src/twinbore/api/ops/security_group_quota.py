"""How many rules a security group may have: AWS counts each direction, and IPv4 and IPv6, apart.

A rule for another group counts for both families; one for a prefix list counts as many as the list may have entries,
in the list's family, however many it has now.

References: Amazon VPC User Guide, "Amazon VPC quotas" (security groups; prefix lists).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from twinbore.api import errors
from twinbore.api.operation import Call
from twinbore.model import security as s

FAMILIES = ("IPv4", "IPv6")


def check_rules(call: Call, group_id: str, rules: Iterable[s.SecurityGroupRule]) -> None:
    """Refuse these rules of a group, both directions together, if they are too many."""
    own = list(rules)
    names = {rule.prefix_list_id for rule in own if rule.prefix_list_id is not None}
    lists = {p.id: p for p in call.tx.all(s.PrefixList, id=names)} if names else {}
    limit = call.settings.quotas.rules_per_security_group
    for egress in (False, True):
        for family in FAMILIES:
            if sum(weight(rule, family, lists) for rule in own if rule.egress is egress) > limit:
                way = "outbound" if egress else "inbound"
                what = f"{way} {family} rules per security group ({group_id})"
                raise errors.limit_exceeded("RulesPerSecurityGroupLimitExceeded", what, limit)


def weight(rule: s.SecurityGroupRule, family: str, lists: Mapping[str, s.PrefixList]) -> int:
    """How many rules of the family this one counts as."""
    if rule.cidr_ipv4 is not None:
        return int(family == "IPv4")
    if rule.cidr_ipv6 is not None:
        return int(family == "IPv6")
    if rule.prefix_list_id is not None:
        used = lists[rule.prefix_list_id]
        return used.max_entries if used.address_family == family else 0
    return 1
