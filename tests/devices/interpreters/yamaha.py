"""Yamaha RTX: commands of the configuration.

References: RTX command reference, chapters IPsec, tunnel interface, BGP. What follows `tunnel select N` is that
tunnel's; `ipsec ike` commands carry the gateway's number. Perfect forward secrecy uses phase 1's group. `bgp import AS
static` announces routes of the routing table that its filters match; a keepalive is a third of the hold time. Of two
gateways of a static route one with the weight 0 takes over when the other, marked `hide`, is down. A tunnel interface
without a filter or a NAT descriptor lets everything pass as it is.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.devices.interpreters.grammar import IPV4, Command, Modes, Reader, Statement, read_modes
from tests.devices.settings import INSIDE, Bgp, DeviceSettings, Neighbor, Proposal, Refused, StaticRoute, Tunnel

G = r"(?P<gateway>\d+)"
NAME_TYPE = r"(?:ipv4-addr|fqdn|user-fqdn)"
TUNNEL = [
    Command("description", r"description tunnel \S{1,64}"),
    Command("policy of", r"ipsec tunnel (?P<value>\d+)"),
    Command(
        "policy", rf"ipsec sa policy (?P<name>\d+) {G} esp (?P<cipher>aes-cbc|aes256-cbc) (?P<hash>sha|sha256)-hmac"
    ),
    Command("version", rf"ipsec ike version {G} (?P<value>[12])"),
    Command("duration", rf"ipsec ike duration (?P<name>ipsec-sa|isakmp-sa|child-sa|ike-sa) {G} (?P<value>\d+)"),
    Command("encryption", rf"ipsec ike encryption {G} (?P<value>aes-cbc|aes256-cbc|3des-cbc)"),
    Command("group", rf"ipsec ike group {G} (?P<value>modp1024|modp1536|modp2048)"),
    Command("hash", rf"ipsec ike hash {G} (?P<value>sha|sha256)"),
    Command("log", rf"ipsec ike keepalive log {G} (?:on|off)"),
    Command("keepalive", rf"ipsec ike keepalive use {G} on (?P<kind>dpd|rfc4306) (?P<value>\d+) (?P<count>\d+)"),
    Command("local", rf"ipsec ike local address {G} (?P<value>{IPV4})"),
    Command("local name", rf"ipsec ike local name {G} (?P<value>\S+) {NAME_TYPE}"),
    Command("remote name", rf"ipsec ike remote name {G} (?P<value>\S+) {NAME_TYPE}"),
    Command("local id", rf"ipsec ike local id {G} (?P<value>{IPV4}/\d+)"),
    Command("remote id", rf"ipsec ike remote id {G} (?P<value>{IPV4}/\d+)"),
    Command("nat traversal", rf"ipsec ike nat-traversal {G} on"),
    Command("pfs", rf"ipsec ike pfs {G} (?P<value>on|off)"),
    Command("key", rf"ipsec ike pre-shared-key {G} text (?P<value>\S{{1,128}})"),
    Command("remote", rf"ipsec ike remote address {G} (?P<value>{IPV4})"),
    Command("df", "ipsec tunnel outer df-bit clear"),
    Command("address", rf"ip tunnel address (?P<value>{IPV4}/30)"),
    Command("remote inside", rf"ip tunnel remote address (?P<value>{IPV4})"),
    Command("mtu", r"ip tunnel mtu (?P<value>\d+)"),
    Command("mss", r"ip tunnel tcp mss limit (?P<value>\d+)"),
    Command("nat", r"ip tunnel nat descriptor (?P<value>\d+)"),
    Command("descriptor", r"nat descriptor type (?P<name>\d+) masquerade"),
    Command("descriptor outer", rf"nat descriptor address outer (?P<name>\d+) {IPV4}"),
    Command("enable", r"tunnel enable (?P<value>\d+)"),
]
NEIGHBOR = rf"(?P<name>\d+) (?P<asn>\d+) (?P<peer>{IPV4}) hold-time=(?P<hold>\d+) local-address=(?P<local>{IPV4})"
WAYS = r"gateway tunnel (?P<first>\d+) hide gateway tunnel (?P<second>\d+) weight 0"
STATIC = rf"(?P<name>\d+) \d+ {IPV4} (?P<value>udp 500|udp 4500|esp)"
MODES: Modes = {
    "": [
        Command("tunnel", r"tunnel select (?P<name>\d+)", "tunnel"),
        Command("refresh", "ipsec auto refresh on"),
        Command("outside nat", r"ip \S+ nat descriptor (?P<value>\d+)"),
        Command("outside type", r"nat descriptor type (?P<value>\d+) masquerade"),
        Command("outside static", rf"nat descriptor masquerade static {STATIC}"),
        Command("bgp", "bgp use on"),
        Command("asn", r"bgp autonomous-system (?P<value>\d+)"),
        Command("neighbor", rf"bgp neighbor {NEIGHBOR}(?: metric=(?P<metric>\d+))?"),
        Command("password", r"bgp neighbor pre-shared-key (?P<name>\d+) text (?P<value>\S{1,80})"),
        Command("filter", rf"bgp import filter (?P<name>\d+) equal (?P<value>{IPV4}/\d+)"),
        Command("import", r"bgp import (?P<asn>\d+) static filter (?P<value>\d+(?: \d+)*)"),
        Command("apply", "bgp configure refresh"),
        Command("route", rf"ip route (?P<prefix>{IPV4}/\d+) {WAYS}"),
    ],
    "tunnel": TUNNEL,
}


def release(*, ikev2: bool) -> Callable[[str], DeviceSettings]:
    """The interpreter of a firmware with or without IKEv2 and BGP passwords."""
    return lambda text: _settings(text, ikev2=ikev2)


def _settings(text: str, *, ikev2: bool) -> DeviceSettings:
    root = read_modes(text, MODES, comment="#", leave=("tunnel select none",))
    for statement in root.inner:
        if not ikev2 and (statement.key == "password" or statement.all("version")):
            raise Refused(statement.number, statement.line, "this firmware does not have it")
    root.one("refresh")
    tunnels = tuple(_tunnel(selected) for selected in root.all("tunnel"))
    names = [tunnel.name for tunnel in tunnels]
    statics = tuple(
        StaticRoute(route["prefix"], route[key], preference)
        for route in root.all("route")
        for key, preference in (("first", 1), ("second", 2))
    )
    translated = [selected["name"] for selected in root.all("tunnel") if selected.all("nat")]
    permitted = frozenset(pair for name in names for pair in ((INSIDE, name), (name, INSIDE)))
    return DeviceSettings(tunnels, _bgp(root) if root.all("bgp") else None, statics, permitted, translated == names)


def _tunnel(selected: Statement) -> Tunnel:
    reader = Reader(selected)
    number = selected["name"]
    if reader.value("enable") != number:
        raise Refused(selected.number, selected.line, "another tunnel is enabled")
    policy = selected.one("policy")
    if policy["name"] != reader.value("policy of") or policy["gateway"] != number:
        raise Refused(policy.number, policy.line, "the policy is another one's")
    version = int(reader.maybe("version", gateway=number) or "1")
    group = reader.value("group", gateway=number)
    keepalive = selected.one("keepalive")
    if (keepalive["kind"] == "rfc4306") != (version == 2):
        raise Refused(keepalive.number, keepalive.line, "this keepalive is another IKE version's")
    durations = ("ike-sa", "child-sa") if version == 2 else ("isakmp-sa", "ipsec-sa")
    ike_lifetime, esp_lifetime = (int(reader.value("duration", name=name, gateway=number)) for name in durations)
    local = reader.maybe("local", gateway=number)
    return Tunnel(
        name=number,
        peer=reader.value("remote", gateway=number),
        pre_shared_key=reader.value("key", gateway=number),
        ike_version=version,
        ike=(
            Proposal(
                _cipher(reader.value("encryption", gateway=number)),
                _hash(reader.value("hash", gateway=number)),
                None,
                group,
            ),
        ),
        esp=(
            Proposal(
                _cipher(policy["cipher"]),
                _hash(policy["hash"]),
                None,
                group if reader.value("pfs", gateway=number) == "on" else None,
            ),
        ),
        ike_lifetime=ike_lifetime,
        esp_lifetime=esp_lifetime,
        inside=reader.value("address"),
        remote_inside=reader.value("remote inside"),
        local_address=local,
        local_id=reader.maybe("local name", gateway=number) or local,
        remote_id=reader.maybe("remote name", gateway=number),
        dpd_interval=int(keepalive["value"]),
        dpd_timeout=int(keepalive["value"]) * int(keepalive["count"]),
        mtu=int(reader.value("mtu")),
        mss=int(reader.value("mss")),
        local_selector=reader.maybe("local id", gateway=number) or "0.0.0.0/0",
        remote_selector=reader.maybe("remote id", gateway=number) or "0.0.0.0/0",
    )


def _cipher(word: str) -> str:
    return {"aes-cbc": "aes128", "aes256-cbc": "aes256"}[word]


def _hash(word: str) -> str:
    return {"sha": "sha1", "sha256": "sha256"}[word]


def _bgp(root: Statement) -> Bgp:
    root.one("apply")
    reader = Reader(root)
    filters = {s["name"]: s["value"] for s in root.all("filter")}
    imported = root.maybe("import")
    networks = tuple(filters[number] for number in imported["value"].split()) if imported else ()
    neighbors = tuple(
        Neighbor(
            address=neighbor["peer"],
            remote_asn=int(neighbor["asn"]),
            keepalive=int(neighbor["hold"]) // 3,
            hold=int(neighbor["hold"]),
            password=reader.maybe("password", name=neighbor["name"]),
            med=int(neighbor["metric"]) if "metric" in neighbor.values else None,
            announce=networks,
        )
        for neighbor in root.all("neighbor")
    )
    return Bgp(int(reader.value("asn")), neighbors, networks)
