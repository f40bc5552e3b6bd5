"""Cisco IOS and IOS XE: modes of the command line, as a router reads them.

References: Cisco IOS Security Command Reference (crypto isakmp, crypto ikev2, crypto ipsec), Cisco IOS IP Routing: BGP
Command Reference. IKEv2 came with 15.1(1)T; an IKEv2 proposal with AES-GCM takes a `prf` and no `integrity`; a keyring
and a profile are chosen by the peer's identity; the default PFS of an IPsec profile is none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network

from tests.devices.interpreters.grammar import IPV4, Command, Modes, Statement, other_host, read_modes
from tests.devices.settings import INSIDE, Bgp, DeviceSettings, Neighbor, Proposal, Refused, StaticRoute, Tunnel

GROUPS = {
    "2": "modp1024", "5": "modp1536", "14": "modp2048", "15": "modp3072", "16": "modp4096", "19": "ecp256",
    "20": "ecp384", "21": "ecp521", "24": "modp2048s256",
}  # fmt: skip
HASHES = {"sha": "sha1", "sha1": "sha1", "sha256": "sha256", "sha384": "sha384", "sha512": "sha512"}
NAME = r"(?P<name>[A-Za-z0-9._-]{1,80})"
N = r"(?P<value>\d+)"
PEER = rf"(?P<peer>{IPV4})"

COMMON: Modes = {
    "": [
        Command("transform", rf"crypto ipsec transform-set {NAME} (?P<esp>.+)", "transform"),
        Command("ipsec profile", rf"crypto ipsec profile {NAME}", "ipsec profile"),
        Command("interface", r"interface (?P<name>[A-Za-z]+[\d/.]+)", "interface"),
        Command(
            "prefix list",
            rf"ip prefix-list {NAME} seq \d+ (?P<action>permit|deny) (?P<prefix>{IPV4}/\d+)(?P<le> le 32)?",
        ),
        Command("route map", rf"route-map {NAME} permit 10", "route map"),
        Command("bgp", r"router bgp (?P<asn>\d+)", "bgp"),
        Command("route", rf"ip route (?P<net>{IPV4}) (?P<mask>{IPV4}) (?P<interface>Tunnel\d+) (?P<distance>\d+)"),
        Command("list", rf"ip access-list standard {NAME}", "list"),
        Command("nat", rf"ip nat inside source route-map {NAME} interface (?P<interface>Tunnel\d+) overload"),
    ],
    "transform": [Command("mode", "mode tunnel")],
    "ipsec profile": [
        Command("transform", rf"set transform-set {NAME}"),
        Command("pfs", r"set pfs group(?P<value>\d+)"),
        Command("lifetime", rf"set security-association lifetime seconds {N}"),
        Command("window", r"set security-association replay window-size (?P<value>64|128|256|512|1024)"),
        Command("ikev1", rf"set isakmp-profile {NAME}"),
        Command("ikev2", rf"set ikev2-profile {NAME}"),
    ],
    "interface": [
        Command("description", r"description .{1,200}"),
        Command("address", rf"ip address (?P<address>{IPV4}) (?P<mask>{IPV4})"),
        Command("mtu", rf"ip mtu {N}"),
        Command("mss", rf"ip tcp adjust-mss {N}"),
        Command("nat outside", "ip nat outside"),
        Command("nat inside", "ip nat inside"),
        Command("bfd", r"bfd interval (?P<tx>\d+) min_rx (?P<rx>\d+) multiplier (?P<multiplier>\d+)"),
        Command("source", r"tunnel source (?P<name>[A-Za-z]+[\d/.]+)"),
        Command("destination", rf"tunnel destination {PEER}"),
        Command("mode", "tunnel mode ipsec ipv4"),
        Command("protection", rf"tunnel protection ipsec profile {NAME}"),
        Command("up", "no shutdown"),
    ],
    "route map": [
        Command("match", rf"match ip address prefix-list {NAME}"),
        Command("match list", rf"match ip address {NAME}"),
        Command("match interface", r"match interface (?P<name>Tunnel\d+)"),
        Command("metric", rf"set metric {N}"),
        Command("preference", rf"set local-preference {N}"),
    ],
    "list": [Command("permit", "permit any")],
    "bgp": [
        Command("log", "bgp log-neighbor-changes"),
        Command("neighbor", rf"neighbor {PEER} remote-as (?P<asn>\d+)"),
        Command("description", rf"neighbor {PEER} description .{{1,80}}"),
        Command("timers", rf"neighbor {PEER} timers (?P<keepalive>\d+) (?P<hold>\d+)"),
        Command("password", rf"neighbor {PEER} password (?P<value>\S{{1,80}})"),
        Command("bfd", rf"neighbor {PEER} fall-over bfd"),
        Command("family", "address-family ipv4", "family"),
    ],
    "family": [
        Command("network", rf"network (?P<net>{IPV4}) mask (?P<mask>{IPV4})"),
        Command("activate", rf"neighbor {PEER} activate"),
        Command("soft", rf"neighbor {PEER} soft-reconfiguration inbound"),
        Command("map", rf"neighbor {PEER} route-map {NAME} (?P<way>in|out)"),
        Command("default", rf"neighbor {PEER} default-originate"),
        Command("paths", r"maximum-paths (?P<value>[1-9]\d?)"),
        Command("end", "exit-address-family"),
    ],
}  # fmt: skip
IKEV1: Modes = {
    "": [
        Command("policy", r"crypto isakmp policy (?P<priority>\d{1,5})", "policy"),
        Command("keyring", rf"crypto keyring {NAME}", "keyring"),
        Command("profile", rf"crypto isakmp profile {NAME}", "profile"),
    ],
    "policy": [
        Command("encryption", r"encryption aes (?P<value>128|192|256)"),
        Command("hash", r"hash (?P<value>sha|sha256|sha384|sha512)"),
        Command("authentication", "authentication pre-share"),
        Command("group", r"group (?P<value>2|5|14|15|16|19|20|21|24)"),
        Command("lifetime", rf"lifetime {N}"),
    ],
    "keyring": [Command("key", rf"pre-shared-key address {PEER} key (?P<value>\S{{1,128}})")],
    "profile": [
        Command("keyring", rf"keyring {NAME}"),
        Command("identity", r"self-identity (?:address|(?:fqdn|user-fqdn) (?P<value>\S+))"),
        Command("match", rf"match identity address {PEER} 255\.255\.255\.255"),
        Command("keepalive", r"keepalive (?P<value>\d+) retry (?P<retry>[2-9]|\d\d)"),
    ],
}
IKEV2: Modes = {
    "": [
        Command("proposal", rf"crypto ikev2 proposal {NAME}", "proposal"),
        Command("policy2", rf"crypto ikev2 policy {NAME}", "policy2"),
        Command("keyring", rf"crypto ikev2 keyring {NAME}", "keyring2"),
        Command("profile", rf"crypto ikev2 profile {NAME}", "profile2"),
    ],
    "proposal": [
        Command("encryption", r"encryption (?P<value>aes-cbc-(?:128|192|256)|aes-gcm-(?:128|256))"),
        Command("integrity", r"integrity (?P<value>sha1|sha256|sha384|sha512)"),
        Command("prf", r"prf (?P<value>sha1|sha256|sha384|sha512)"),
        Command("group", r"group (?P<value>2|5|14|15|16|19|20|21|24)"),
    ],
    "policy2": [Command("proposal", rf"proposal {NAME}")],
    "keyring2": [Command("peer", rf"peer {NAME}", "peer")],
    "peer": [Command("address", rf"address {PEER}"), Command("key", r"pre-shared-key (?P<value>\S{1,128})")],
    "profile2": [
        Command("match", rf"match identity remote address {PEER} 255\.255\.255\.255"),
        Command("identity", r"identity local (?:address|email|fqdn) (?P<value>\S+)"),
        Command("remote", "authentication remote pre-share"),
        Command("local", "authentication local pre-share"),
        Command("keyring", rf"keyring local {NAME}"),
        Command("lifetime", rf"lifetime {N}"),
        Command("keepalive", r"dpd (?P<value>\d+) (?P<retry>[2-9]|\d\d) (?:periodic|on-demand)"),
    ],
}


@dataclass(frozen=True)
class Release:
    """What a release has: IKEv2, which hashes and groups, AES-GCM."""

    ikev2: bool
    hashes: frozenset[str]
    groups: frozenset[str]
    gcm: bool


RELEASES = {
    "12.4": Release(False, frozenset({"sha", "sha1"}), frozenset({"2", "5", "14"}), False),
    "17": Release(True, frozenset(HASHES), frozenset(GROUPS), True),
}


def release(number: str) -> Callable[[str], DeviceSettings]:
    """The interpreter of one release."""
    rules = RELEASES[number]
    return lambda text: _settings(parse(text, rules))


def parse(text: str, rules: Release) -> Statement:
    """The tree of commands. Raises `Refused`."""
    modes = {**COMMON, **IKEV1, **(IKEV2 if rules.ikev2 else {})}
    modes[""] = [*COMMON[""], *IKEV1[""], *(IKEV2[""] if rules.ikev2 else ())]
    root = read_modes(text, modes)
    for statement in _walk(root):
        value = statement.values.get("value", "")
        wrong = (
            (statement.key in {"hash", "integrity", "prf"} and value not in rules.hashes)
            or (statement.key in {"group", "pfs"} and value not in rules.groups)
            or (
                statement.key == "transform"
                and "esp" in statement.values
                and not _transform_exists(statement["esp"], rules)
            )
        )
        if wrong:
            raise Refused(statement.number, statement.line, "this release does not have it")
    return root


def _walk(statement: Statement) -> list[Statement]:
    return [statement, *(below for inner in statement.inner for below in _walk(inner))]


def _transform_exists(esp: str, rules: Release) -> bool:
    return (rules.gcm and esp in {"esp-gcm 128", "esp-gcm 256"}) or esp in {
        f"esp-aes {bits} esp-{name}-hmac" for bits in (128, 192, 256) for name in rules.hashes - {"sha1"}
    }


def _named(root: Statement, key: str, name: str) -> Statement:
    found = [statement for statement in root.all(key) if statement["name"] == name]
    if len(found) != 1:
        raise Refused(0, name, f"{len(found)} definitions of {key}")
    return found[0]


def _settings(root: Statement) -> DeviceSettings:
    interfaces = [i for i in root.all("interface") if i.all("mode")]
    tunnels = tuple(_tunnel(root, interface) for interface in interfaces)
    names = [interface["name"] for interface in interfaces]
    statics = tuple(
        StaticRoute(str(IPv4Network(f"{r['net']}/{r['mask']}")), r["interface"], int(r["distance"]))
        for r in root.all("route")
    )
    # Without an access list or zones a router lets everything pass.
    permitted = {pair for name in names for pair in ((INSIDE, name), (name, INSIDE))}
    inside = any(i.all("nat inside") for i in root.all("interface"))
    translated = [
        n["interface"] for n in root.all("nat") if _named(root, "interface", n["interface"]).all("nat outside")
    ]
    bgp = _bgp(root, root.one("bgp")) if root.all("bgp") else None
    return DeviceSettings(tunnels, bgp, statics, frozenset(permitted), inside and sorted(translated) == sorted(names))


def _tunnel(root: Statement, interface: Statement) -> Tunnel:
    profile = _named(root, "ipsec profile", interface.one("protection")["name"])
    peer = interface.one("destination")["peer"]
    interface.one("source"), interface.one("up")
    version = 2 if profile.all("ikev2") else 1
    ike = _named(root, "profile", profile.one(f"ikev{version}")["name"])
    if ike.one("match")["peer"] != peer:
        raise Refused(ike.number, ike.line, "the profile is for another peer")
    keyring = _named(root, "keyring", ike.one("keyring")["name"])
    holder = keyring.one("peer") if version == 2 else keyring
    key = holder.one("key")
    if (holder.one("address") if version == 2 else key)["peer"] != peer:
        raise Refused(key.number, key.line, "the key is for another peer")
    identity = ike.maybe("identity")
    transform = _named(root, "transform", profile.one("transform")["name"])
    transform.one("mode")
    pfs = profile.maybe("pfs")
    address = interface.one("address")
    offers = _ikev2_proposals(root) if version == 2 else _ikev1_proposals(root)
    lifetime = int(ike.one("lifetime")["value"]) if version == 2 else offers[0][1]
    return Tunnel(
        name=interface["name"],
        peer=peer,
        pre_shared_key=key["value"],
        ike_version=version,
        ike=tuple(dict.fromkeys(proposal for proposal, _ in offers)),
        esp=(_esp(transform["esp"], GROUPS[pfs["value"]] if pfs else None),),
        ike_lifetime=lifetime,
        esp_lifetime=int(profile.one("lifetime")["value"]),
        inside=f"{address['address']}/{IPv4Network('0.0.0.0/' + address['mask']).prefixlen}",
        remote_inside=other_host(address["address"]),
        local_id=identity.values.get("value", "192.0.2.2") if identity else None,
        dpd_interval=int(ike.one("keepalive")["value"]),
        mtu=int(interface.one("mtu")["value"]),
        mss=int(interface.one("mss")["value"]),
    )


def _ikev1_proposals(root: Statement) -> list[tuple[Proposal, int]]:
    return [
        (
            Proposal(
                f"aes{p.one('encryption')['value']}",
                HASHES[p.one("hash")["value"]],
                None,
                GROUPS[p.one("group")["value"]],
            ),
            int(p.one("lifetime")["value"]),
        )
        for p in sorted(root.all("policy"), key=lambda p: int(p["priority"]))
        if p.one("authentication")
    ]


def _ikev2_proposals(root: Statement) -> list[tuple[Proposal, int]]:
    found = []
    for reference in root.one("policy2").all("proposal"):
        proposal = _named(root, "proposal", reference["name"])
        kind, mode, bits = proposal.one("encryption")["value"].split("-")
        group = GROUPS[proposal.one("group")["value"]]
        if mode == "gcm":
            if proposal.all("integrity"):
                raise Refused(proposal.number, proposal.line, "AES-GCM takes no integrity algorithm")
            found.append((Proposal(f"{kind}{bits}gcm16", None, HASHES[proposal.one("prf")["value"]], group), 0))
        else:
            found.append((Proposal(f"{kind}{bits}", HASHES[proposal.one("integrity")["value"]], None, group), 0))
    return found


def _esp(transform: str, group: str | None) -> Proposal:
    words = transform.split()
    if words[0] == "esp-gcm":
        return Proposal(f"aes{words[1]}gcm16", None, None, group)
    return Proposal(f"aes{words[1]}", HASHES[words[2].removeprefix("esp-").removesuffix("-hmac")], None, group)


def _bgp(root: Statement, bgp: Statement) -> Bgp:
    family = bgp.one("family")
    active = {a["peer"] for a in family.all("activate")}
    neighbors = []
    for neighbor in bgp.all("neighbor"):
        peer = neighbor["peer"]
        if peer not in active:
            raise Refused(neighbor.number, neighbor.line, "the neighbor is not activated")
        of_peer = {s.key: s for s in bgp.inner if s.values.get("peer") == peer}
        maps = {m["way"]: _named(root, "route map", m["name"]) for m in family.all("map") if m["peer"] == peer}
        preference, metric = maps["in"].maybe("preference"), maps["out"].maybe("metric")
        matched = maps["out"].maybe("match")
        neighbors.append(
            Neighbor(
                address=peer,
                remote_asn=int(neighbor["asn"]),
                keepalive=int(of_peer["timers"]["keepalive"]),
                hold=int(of_peer["timers"]["hold"]),
                password=of_peer["password"]["value"] if "password" in of_peer else None,
                local_preference=int(preference["value"]) if preference else None,
                med=int(metric["value"]) if metric else None,
                default_originate=any(d["peer"] == peer for d in family.all("default")),
                announce=_permitted(root, matched["name"]) if matched else None,
            )
        )
    networks = tuple(str(IPv4Network(f"{n['net']}/{n['mask']}")) for n in family.all("network"))
    return Bgp(int(bgp["asn"]), tuple(neighbors), networks)


def _permitted(root: Statement, name: str) -> tuple[str, ...]:
    lines = [line for line in root.all("prefix list") if line["name"] == name]
    if not lines:
        raise Refused(0, name, "a prefix list that does not exist permits everything")
    return tuple(line["prefix"] for line in lines if line["action"] == "permit")
