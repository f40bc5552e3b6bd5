"""Routes and rules of a namespace: from plan to rtnetlink and back, and the difference between the two.

A kernel route is compared as the plan's own value: reading gives `Route` and `Rule`, so `set` arithmetic is the
comparison. All changes of a namespace go to the kernel in one batch.

Invariants:
* Only routes with protocol `ROUTE_PROTOCOL` and rules with a priority in `RULE_PRIORITIES` are read, so what BIRD
  (protocol 12), the kernel and the administrator have is neither seen nor touched.
* A rule is added before another one is removed; a route is replaced within one batch.

References: rtnetlink(7), ip-rule(8); linux/rtnetlink.h (rtmsg, RTA_*), linux/fib_rules.h (fib_rule_hdr, FRA_*).
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final, Literal

from pyroute2.netlink.rtnl.fibmsg import fibmsg  # type: ignore[import-untyped]
from pyroute2.netlink.rtnl.rtmsg import rtmsg  # type: ignore[import-untyped]

from twinbore.engines.netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    RTM_DELROUTE,
    RTM_DELRULE,
    RTM_GETROUTE,
    RTM_GETRULE,
    RTM_NEWROUTE,
    RTM_NEWRULE,
    Message,
    NetlinkError,
    RouteSocket,
    decode,
    message,
)
from twinbore.model.desired import Route, Rule
from twinbore.model.observed import Failure

ROUTE_PROTOCOL: Final = 84
"""Our number among the routing protocols (rtnetlink(7), rtm_protocol): unused in linux/rtnetlink.h and rt_protos."""

RULE_PRIORITIES: Final = range(1000, 30000)

_ANY: Final = str(IPv4Address(0))
_SCOPE_UNIVERSE, _SCOPE_LINK = 0, 253
_ONLINK = 4
_FR_ACT_TO_TBL = 1
_TABLE_IN_ATTRIBUTE = 0
_KINDS: Final[dict[str, int]] = {"unicast": 1, "blackhole": 6, "unreachable": 7}
_KIND_NAMES: Final[dict[int, Literal["unicast", "blackhole", "unreachable"]]] = {
    1: "unicast",
    6: "blackhole",
    7: "unreachable",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a namespace's routes or rules: how many were added and removed, and what failed."""

    added: int = 0
    removed: int = 0
    failed: tuple[Failure, ...] = ()


def parse_route(data: bytes, netns: str, device_names: dict[int, str]) -> Route | None:
    """The route in an RTM_NEWROUTE message; None when it is not one of ours. `device_names` is by interface index."""
    entry = decode(rtmsg, data)
    if entry["proto"] != ROUTE_PROTOCOL:
        return None
    return Route(
        netns=netns,
        table=entry.get_attr("RTA_TABLE"),
        prefix=f"{entry.get_attr('RTA_DST') or _ANY}/{entry['dst_len']}",
        metric=entry.get_attr("RTA_PRIORITY") or 0,
        kind=_KIND_NAMES[entry["type"]],
        via=entry.get_attr("RTA_GATEWAY") or "",
        device=device_names.get(entry.get_attr("RTA_OIF") or 0, ""),
    )


def parse_rule(data: bytes, netns: str) -> Rule | None:
    """The rule in an RTM_NEWRULE message; None when its priority is not one of ours."""
    entry = decode(fibmsg, data)
    priority = entry.get_attr("FRA_PRIORITY") or 0
    if priority not in RULE_PRIORITIES:
        return None
    destination = entry.get_attr("FRA_DST")
    return Rule(
        netns=netns,
        priority=priority,
        table=entry.get_attr("FRA_TABLE") or entry["table"],
        iif=entry.get_attr("FRA_IIFNAME") or "",
        to=f"{destination}/{entry['dst_len']}" if destination else "",
    )


def _read_routes(sock: RouteSocket, netns: str, device_names: dict[int, str]) -> set[Route]:
    answer = sock.dump(message(rtmsg, RTM_GETROUTE, family=socket.AF_INET, proto=ROUTE_PROTOCOL))
    return {route for data in answer if (route := parse_route(data, netns, device_names)) is not None}


def _read_rules(sock: RouteSocket, netns: str) -> set[Rule]:
    answer = sock.dump(message(fibmsg, RTM_GETRULE, family=socket.AF_INET))
    return {rule for data in answer if (rule := parse_rule(data, netns)) is not None}


def reconcile_routes(sock: RouteSocket, netns: str, routes: Iterable[Route], remove: bool) -> Outcome:
    """Add the routes that are missing in the socket's namespace; with `remove`, take away those that are not wanted.

    A route whose table, prefix and metric are taken by another one of ours replaces it in either case.
    """
    devices = {link.name: link.index for link in sock.links().values()}
    present = _read_routes(sock, netns, {index: name for name, index in devices.items()})
    wanted = set(routes)
    failed = []
    missing = []
    for route in sorted(wanted - present):
        if route.device and route.device not in devices:
            failed.append(Failure(_described(route), f"there is no interface {route.device} in {netns}"))
        else:
            missing.append(route)
    taken = {_key(route) for route in missing}
    unwanted = sorted(route for route in present - wanted if remove or _key(route) in taken)
    errors = sock.batch(
        [_route_message(RTM_DELROUTE, route, devices) for route in unwanted]
        + [_route_message(RTM_NEWROUTE, route, devices) for route in missing]
    )
    removed, more = _judge([_described(r) for r in unwanted], errors[: len(unwanted)], errno.ESRCH)
    added, yet_more = _judge([_described(r) for r in missing], errors[len(unwanted) :], errno.EEXIST)
    return Outcome(added, removed, (*failed, *more, *yet_more))


def reconcile_rules(sock: RouteSocket, netns: str, rules: Iterable[Rule], remove: bool) -> Outcome:
    """Add the rules that are missing in the socket's namespace; with `remove`, take away those that are not wanted."""
    present = _read_rules(sock, netns)
    wanted = set(rules)
    failed = tuple(
        Failure(
            _rule_described(rule),
            f"priority {rule.priority}: must be from {RULE_PRIORITIES.start} to {RULE_PRIORITIES.stop - 1}",
        )
        for rule in sorted(wanted)
        if rule.priority not in RULE_PRIORITIES
    )
    missing = sorted(rule for rule in wanted - present if rule.priority in RULE_PRIORITIES)
    unwanted = sorted(present - wanted) if remove else []
    errors = sock.batch(
        [_rule_message(RTM_NEWRULE, rule) for rule in missing] + [_rule_message(RTM_DELRULE, rule) for rule in unwanted]
    )
    added, more = _judge([_rule_described(r) for r in missing], errors[: len(missing)], errno.EEXIST)
    removed, yet_more = _judge([_rule_described(r) for r in unwanted], errors[len(missing) :], errno.ENOENT)
    return Outcome(added, removed, (*failed, *more, *yet_more))


def _judge(subjects: list[str], errors: list[NetlinkError | None], harmless: int) -> tuple[int, tuple[Failure, ...]]:
    """How many requests succeeded, and the failures: an error that says "it is so already" is neither."""
    failed = tuple(
        Failure(subject, f"the kernel refused it: {error.strerror}")
        for subject, error in zip(subjects, errors, strict=True)
        if error is not None and error.errno != harmless
    )
    return sum(error is None for error in errors), failed


def _key(route: Route) -> tuple[int, str, int]:
    return route.table, route.prefix, route.metric


def _route_message(command: int, route: Route, devices: dict[str, int]) -> Message:
    network = IPv4Network(route.prefix)
    linked = route.kind == "unicast" and not route.via
    made = message(
        rtmsg,
        command,
        NLM_F_CREATE | NLM_F_EXCL if command == RTM_NEWROUTE else 0,
        family=socket.AF_INET,
        dst_len=network.prefixlen,
        table=_TABLE_IN_ATTRIBUTE,
        proto=ROUTE_PROTOCOL,
        scope=_SCOPE_LINK if linked else _SCOPE_UNIVERSE,
        type=_KINDS[route.kind],
    )
    # A next hop behind an unnumbered port is reachable though no address of ours is in its network.
    if route.via and route.device:
        made["flags"] = _ONLINK
    made["attrs"] = [("RTA_TABLE", route.table), ("RTA_DST", str(network.network_address))]
    if route.metric:
        made["attrs"].append(("RTA_PRIORITY", route.metric))
    if route.via:
        made["attrs"].append(("RTA_GATEWAY", route.via))
    if route.device and route.device in devices:
        made["attrs"].append(("RTA_OIF", devices[route.device]))
    return made


def _rule_message(command: int, rule: Rule) -> Message:
    made = message(
        fibmsg,
        command,
        NLM_F_CREATE | NLM_F_EXCL if command == RTM_NEWRULE else 0,
        family=socket.AF_INET,
        dst_len=IPv4Network(rule.to).prefixlen if rule.to else 0,
        table=_TABLE_IN_ATTRIBUTE,
        action=_FR_ACT_TO_TBL,
    )
    made["attrs"] = [("FRA_PRIORITY", rule.priority), ("FRA_TABLE", rule.table)]
    if rule.iif:
        made["attrs"].append(("FRA_IIFNAME", rule.iif))
    if rule.to:
        made["attrs"].append(("FRA_DST", str(IPv4Network(rule.to).network_address)))
    return made


def _described(route: Route) -> str:
    via = f" via {route.via}" if route.via else ""
    device = f" on {route.device}" if route.device else ""
    return f"{route.kind} route {route.prefix}{via}{device} in table {route.table} of {route.netns}"


def _rule_described(rule: Rule) -> str:
    return f"rule {rule.priority} of {rule.netns}"
