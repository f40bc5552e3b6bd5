"""FortiOS: config / edit / set / next / end, as a FortiGate reads it.

The grammar: `config PATH` opens a table or a single object; in a table `edit NAME` opens an entry (0 makes a new one),
`next` closes it, `end` closes the table; `set` and `unset` are allowed where an object is open. Attributes that a
release does not have are refused, and so are values that are not among its keywords.

References: FortiOS CLI Reference 4.0 MR3, 5.4 and 7.4; name of a phase 1 interface: at most 15 characters; `dpd` was
enable/disable until 5.2 and is disable/on-idle/on-demand since 5.4; the service for everything is ANY in 4.0, ALL
since 5.0.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from tests.devices.settings import (
    INSIDE,
    Bgp,
    DeviceSettings,
    Neighbor,
    Proposal,
    Refused,
    StaticRoute,
    Tunnel,
)

GROUPS = {
    "2": "modp1024", "5": "modp1536", "14": "modp2048", "15": "modp3072", "16": "modp4096", "17": "modp6144",
    "18": "modp8192", "19": "ecp256", "20": "ecp384", "21": "ecp521",
}  # fmt: skip
NAME = re.compile(r"[A-Za-z0-9._/ -]{1,63}")


@dataclass
class Entry:
    """An object: its attributes with the words of their values, and the tables inside it."""

    where: str
    number: int
    values: dict[str, list[str]] = field(default_factory=dict)
    tables: dict[str, dict[str, Entry]] = field(default_factory=dict)


TABLES = {
    "vpn ipsec phase1-interface", "vpn ipsec phase2-interface", "system interface", "router prefix-list", "rule",
    "router route-map", "router static", "neighbor", "network", "firewall policy",
}  # fmt: skip
OBJECTS = {"router bgp", "system settings"}
NESTED = {
    "router prefix-list": {"rule"},
    "router route-map": {"rule"},
    "router bgp": {"neighbor", "network"},
}

WORD, NUMBER, ADDRESS, MASKED, SWITCH = "word", "number", "address", "address and mask", "enable or disable"
Rule = str | set[str]
ATTRIBUTES: dict[str, dict[str, Rule]] = {
    "vpn ipsec phase1-interface": {
        "interface": WORD, "ike-version": {"1", "2"}, "mode": {"main", "aggressive"}, "peertype": {"any", "one"},
        "proposal": WORD, "dhgrp": set(GROUPS), "keylife": NUMBER, "remote-gw": ADDRESS, "localid": WORD,
        "localid-type": {"auto", "fqdn", "user-fqdn", "address"}, "nattraversal": {"enable", "disable", "forced"},
        "dpd": WORD, "dpd-retryinterval": NUMBER, "dpd-retrycount": NUMBER, "psksecret": WORD, "local-gw": ADDRESS,
    },
    "vpn ipsec phase2-interface": {
        "phase1name": WORD, "proposal": WORD, "pfs": SWITCH, "dhgrp": set(GROUPS), "replay": SWITCH,
        "keylifeseconds": NUMBER, "auto-negotiate": SWITCH, "src-subnet": MASKED, "dst-subnet": MASKED,
    },
    "system interface": {"ip": MASKED, "remote-ip": WORD, "allowaccess": {"ping"}, "tcp-mss": NUMBER},
    "router prefix-list/rule": {"action": {"permit", "deny"}, "prefix": MASKED, "ge": NUMBER, "le": NUMBER},
    "router route-map/rule": {"match-ip-address": WORD, "set-metric": NUMBER, "set-local-preference": NUMBER},
    "router bgp": {"as": NUMBER, "router-id": ADDRESS, "ebgp-multipath": SWITCH},
    "router bgp/neighbor": {
        "remote-as": NUMBER, "description": WORD, "keep-alive-timer": NUMBER, "holdtime-timer": NUMBER,
        "capability-default-originate": SWITCH, "soft-reconfiguration": SWITCH, "route-map-in": WORD,
        "route-map-out": WORD, "password": WORD, "bfd": SWITCH,
    },
    "router bgp/network": {"prefix": MASKED},
    "router static": {"dst": MASKED, "device": WORD, "distance": NUMBER, "priority": NUMBER},
    "system settings": {
        "bfd": SWITCH, "bfd-desired-min-tx": NUMBER, "bfd-required-min-rx": NUMBER, "bfd-detect-mult": NUMBER,
    },
    "firewall policy": {
        "name": WORD, "srcintf": WORD, "dstintf": WORD, "srcaddr": {"all"}, "dstaddr": {"all"}, "action": {"accept"},
        "schedule": {"always"}, "service": WORD, "nat": SWITCH,
    },
}  # fmt: skip
"""Table, with those inside one after a slash → attribute → what its value must be."""


@dataclass(frozen=True)
class Release:
    dpd: set[str]
    service: str
    gcm: bool
    digests: set[str]
    groups: set[str]
    policy_names: bool
    remote_mask: bool
    forced_nat: bool


OLD_GROUPS = {"2", "5", "14"}
RELEASES = {
    "4.0": Release({"enable", "disable"}, "ANY", False, {"sha1", "sha256"}, OLD_GROUPS, False, False, False),
    "5.4": Release(
        {"disable", "on-idle", "on-demand"}, "ALL", False, {"sha1", "sha256", "sha384", "sha512"}, set(GROUPS),
        False, False, False,
    ),
    "7.4": Release(
        {"disable", "on-idle", "on-demand"}, "ALL", True, {"sha1", "sha256", "sha384", "sha512"}, set(GROUPS),
        True, True, True,
    ),
}  # fmt: skip


def release(number: str) -> Callable[[str], DeviceSettings]:
    """The interpreter of one FortiOS release."""
    rules = RELEASES[number]
    return lambda text: _settings(parse(text, rules), rules)


def parse(text: str, rules: Release) -> dict[str, dict[str, Entry]]:
    """Path → entry name → entry; a single object is the entry with an empty name. Raises `Refused`."""
    root = Entry("", 0)
    stack: list[tuple[str, str, Entry]] = [("", "root", root)]
    new = 0
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        try:
            command, *words = shlex.split(stripped)
        except ValueError as error:
            raise Refused(number, line, str(error)) from error
        path, kind, entry = stack[-1]
        if command == "config":
            name = " ".join(words)
            allowed = (
                NESTED.get(path.split("/")[0], set()) if path else TABLES - {"rule", "neighbor", "network"} | OBJECTS
            )
            if kind == "table" or name not in allowed:
                raise Refused(number, line, "command parse error: no such table here")
            inner = f"{path}/{name}" if path else name
            if name in OBJECTS:
                stack.append((inner, "object", entry.tables.setdefault(inner, {}).setdefault("", Entry(inner, number))))
            else:
                entry.tables.setdefault(inner, {})
                stack.append((inner, "table", entry))
        elif command == "edit":
            if kind != "table" or len(words) != 1:
                raise Refused(number, line, "edit is for a table")
            key = words[0]
            if key == "0":
                new += 1
                key = f"new {new}"
            if path.startswith("vpn ipsec phase") and len(key) > 15:
                raise Refused(number, line, "the string value is too long: at most 15 characters")
            if len(key) > 35:
                raise Refused(number, line, "the string value is too long: at most 35 characters")
            stack.append((path, "entry", entry.tables[path].setdefault(key, Entry(path, number))))
        elif command == "next":
            if kind != "entry":
                raise Refused(number, line, "next without edit")
            stack.pop()
        elif command == "end":
            if kind == "entry":
                stack.pop()
            if stack[-1][1] == "root":
                raise Refused(number, line, "end without config")
            stack.pop()
        elif command in {"set", "unset"}:
            if kind not in {"entry", "object"} or not words:
                raise Refused(number, line, f"{command} outside an object")
            attributes = ATTRIBUTES[path]
            if words[0] not in attributes:
                raise Refused(number, line, f"command parse error before {words[0]!r}")
            if command == "set":
                _check(number, line, attributes[words[0]], words[1:])
                _check_release(number, line, path, words, rules)
                entry.values[words[0]] = words[1:]
        else:
            raise Refused(number, line, "unknown action")
    if len(stack) != 1:
        raise Refused(len(text.splitlines()), "", f"{len(stack) - 1} blocks are not closed")
    return root.tables


def _check(number: int, line: str, rule: Rule, values: list[str]) -> None:
    good = len(values) == (2 if rule == MASKED else 1) or (rule == WORD and len(values) == 2)
    if good and isinstance(rule, set):
        good = values[0] in rule
    elif good and rule == SWITCH:
        good = values[0] in {"enable", "disable"}
    elif good and rule == NUMBER:
        good = values[0].isdecimal()
    elif good and rule in {ADDRESS, MASKED}:
        try:
            [IPv4Address(value) for value in values]
        except ValueError:
            good = False
    if not good:
        raise Refused(number, line, f"value parse error: {rule if isinstance(rule, str) else sorted(rule)}")


def _check_release(number: int, line: str, path: str, words: list[str], rules: Release) -> None:
    attribute, value = words[0], words[1]
    wrong = (
        (attribute == "dpd" and value not in rules.dpd)
        or (attribute == "service" and value != rules.service)
        or (attribute == "dhgrp" and value not in rules.groups)
        or (attribute == "name" and not rules.policy_names)
        or (attribute == "remote-ip" and (len(words) == 3) != rules.remote_mask)
        or (attribute == "nattraversal" and value == "forced" and not rules.forced_nat)
        or (attribute == "proposal" and not _proposal_exists(path, value, rules))
    )
    if wrong:
        raise Refused(number, line, "entry not found in datasource, or value parse error in this release")


def _proposal_exists(path: str, value: str, rules: Release) -> bool:
    cipher, _, digest = value.partition("-")
    if cipher in {"aes128gcm", "aes256gcm"}:
        prf = digest.removeprefix("prf") if digest.startswith("prf") else None
        return rules.gcm and ((prf in rules.digests) if path.endswith("phase1-interface") else digest == "")
    return cipher in {"aes128", "aes192", "aes256", "3des"} and digest in rules.digests


def _proposal(value: str, group: str | None) -> Proposal:
    cipher, _, digest = value.partition("-")
    if cipher.endswith("gcm"):
        return Proposal(f"{cipher}16", None, digest.removeprefix("prf") or None, group)
    return Proposal(cipher, digest, None, group)


def _settings(tables: dict[str, dict[str, Entry]], rules: Release) -> DeviceSettings:
    phase1 = tables["vpn ipsec phase1-interface"]
    interfaces = tables["system interface"]
    phase2 = {entry.values["phase1name"][0]: entry for entry in tables["vpn ipsec phase2-interface"].values()}
    for name, entry in phase2.items():
        if name not in phase1:
            raise Refused(entry.number, name, "entry not found in datasource: phase 1")
    tunnels = tuple(_tunnel(name, entry, phase2[name], interfaces[name]) for name, entry in phase1.items())
    policies = tables.get("firewall policy", {})
    names = {*phase1}
    permitted = set()
    nat = set()
    for entry in policies.values():
        source, target = entry.values["srcintf"][0], entry.values["dstintf"][0]
        pair = tuple(name if name in names else INSIDE for name in (source, target))
        permitted.add((pair[0], pair[1]))
        if entry.values.get("nat") == ["enable"]:
            nat.add(pair)
    statics = tuple(
        StaticRoute(_network(e.values["dst"]), e.values["device"][0], int(e.values.get("priority", ["0"])[0]))
        for e in tables.get("router static", {}).values()
    )
    bgp = _bgp(tables) if "router bgp" in tables else None
    return DeviceSettings(tunnels, bgp, statics, frozenset(permitted), any(pair[0] == INSIDE for pair in nat))


def _tunnel(name: str, one: Entry, two: Entry, interface: Entry) -> Tunnel:
    first, second = one.values, two.values
    group = first["dhgrp"][0]
    pfs = second.get("pfs", ["enable"]) == ["enable"]
    interval, count = (
        int(first.get(key, [value])[0]) for key, value in (("dpd-retryinterval", "20"), ("dpd-retrycount", "3"))
    )
    dead = first.get("dpd", ["on-demand"])[0] != "disable"
    return Tunnel(
        name=name,
        peer=first["remote-gw"][0],
        pre_shared_key=first["psksecret"][0],
        ike_version=int(first.get("ike-version", ["1"])[0]),
        ike=(_proposal(first["proposal"][0], GROUPS[group]),),
        esp=(_proposal(second["proposal"][0], GROUPS[second["dhgrp"][0]] if pfs else None),),
        ike_lifetime=int(first.get("keylife", ["86400"])[0]),
        esp_lifetime=int(second.get("keylifeseconds", ["43200"])[0]),
        inside=f"{interface.values['ip'][0]}/30",
        remote_inside=interface.values["remote-ip"][0],
        local_id=first["localid"][0] if "localid" in first else None,
        dpd_interval=interval if dead else None,
        dpd_timeout=interval * count if dead else None,
        encapsulate=first.get("nattraversal") == ["forced"],
        starts=second.get("auto-negotiate") == ["enable"],
        mss=int(interface.values["tcp-mss"][0]) if "tcp-mss" in interface.values else None,
        local_selector=_network(second.get("src-subnet", ["0.0.0.0", "0.0.0.0"])),
        remote_selector=_network(second.get("dst-subnet", ["0.0.0.0", "0.0.0.0"])),
    )


def _network(words: list[str]) -> str:
    return str(IPv4Network("/".join(words)))


def _bgp(tables: dict[str, dict[str, Entry]]) -> Bgp:
    bgp = tables["router bgp"][""]
    prefixes = {
        name: tuple(
            _network(rule.values["prefix"])
            for rule in entry.tables["router prefix-list/rule"].values()
            if rule.values.get("action", ["permit"]) == ["permit"]
        )
        for name, entry in tables.get("router prefix-list", {}).items()
    }
    maps = {
        name: next(iter(entry.tables["router route-map/rule"].values())).values
        for name, entry in tables.get("router route-map", {}).items()
    }
    neighbors = []
    for address, entry in bgp.tables.get("router bgp/neighbor", {}).items():
        values = entry.values
        incoming, outgoing = (
            maps[values[key][0]] if key in values else {} for key in ("route-map-in", "route-map-out")
        )
        neighbors.append(
            Neighbor(
                address=address,
                remote_asn=int(values["remote-as"][0]),
                keepalive=int(values.get("keep-alive-timer", ["60"])[0]),
                hold=int(values.get("holdtime-timer", ["180"])[0]),
                password=values["password"][0] if "password" in values else None,
                local_preference=_number(incoming, "set-local-preference"),
                med=_number(outgoing, "set-metric"),
                default_originate=values.get("capability-default-originate") == ["enable"],
                announce=prefixes[outgoing["match-ip-address"][0]] if "match-ip-address" in outgoing else None,
            )
        )
    networks = tuple(_network(e.values["prefix"]) for e in bgp.tables.get("router bgp/network", {}).values())
    router_id = bgp.values["router-id"][0] if "router-id" in bgp.values else None
    return Bgp(int(bgp.values["as"][0]), tuple(neighbors), networks, router_id)


def _number(values: dict[str, list[str]], name: str) -> int | None:
    return int(values[name][0]) if name in values else None
