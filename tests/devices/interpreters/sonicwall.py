"""SonicOS: the command line, with the routing shell's BGP inside.

References: SonicOS E-CLI Reference Guides 5.9, 6.2, 6.5 and 7: vpn policy tunnel-interface, tunnel-interface vpn,
access-rule, routing. IKEv2 is an exchange like main and aggressive; sessions of the routing shell are written by
`write`; nothing is in force before `commit`; without a NAT policy for the tunnel's interface nothing is translated. A
dead peer is looked for every 60 seconds unless the device's general settings say otherwise, so a configuration of a
policy does not say it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network

from tests.devices.interpreters.grammar import IPV4, Command, Modes, Statement, other_host, read_modes
from tests.devices.settings import INSIDE, Bgp, DeviceSettings, Neighbor, Proposal, Refused, StaticRoute, Tunnel

QUOTED = r'"(?P<name>[^"]{1,32})"'
PEER = rf"(?P<peer>{IPV4})"
N = r"(?P<value>\d+)"
ANYTHING = "source address any destination address any service any"
TRANSLATED = 'translated-source "(?P=name) IP" destination any translated-destination original'
MODES: Modes = {
    "": [Command("configure", "configure", "configure")],
    "configure": [
        Command("policy", rf"vpn policy tunnel-interface {QUOTED}", "policy"),
        Command("interface", rf"tunnel-interface vpn {QUOTED}", "interface"),
        Command("rule", rf"access-rule ipv4 from (?P<from>\S+) to (?P<to>\S+) action allow {ANYTHING}", "rule"),
        Command(
            "nat",
            rf"nat-policy ipv4 inbound any outbound {QUOTED} source any {TRANSLATED} "
            "service any translated-service original",
            "rule",
        ),
        Command("routing", "routing", "routing"),
        Command("commit", "commit best-effort"),
    ],
    "policy": [
        Command("gateway", rf"gateway primary {PEER}"),
        Command("bound", r"bound-to interface (?P<value>\S+)"),
        Command("auth", "auth-method shared-secret", "auth"),
        Command("exchange", r"proposal ike exchange (?P<value>main|aggressive|ikev2)"),
        Command("ike cipher", r"proposal ike encryption (?P<value>aes-128|aes-192|aes-256|triple-des)"),
        Command("ike hash", r"proposal ike authentication (?P<value>md5|sha-1|sha-256|sha-384|sha-512)"),
        Command("ike group", r"proposal ike dh-group (?P<value>1|2|5|14|19|20|21|26)"),
        Command("ike lifetime", rf"proposal ike lifetime {N}"),
        Command("protocol", "proposal ipsec protocol esp"),
        Command(
            "esp cipher", r"proposal ipsec encryption (?P<value>aes-128|aes-192|aes-256|aesgcm16-128|aesgcm16-256)"
        ),
        Command("esp hash", r"proposal ipsec authentication (?P<value>none|md5|sha-1|sha-256|sha-384|sha-512)"),
        Command("esp group", r"proposal ipsec dh-group (?P<value>none|1|2|5|14|19|20|21|26)"),
        Command("esp lifetime", rf"proposal ipsec lifetime {N}"),
        Command("keep alive", "keep-alive"),
        Command("enable", "enable"),
    ],
    "auth": [
        Command("secret", r'shared-secret "(?P<value>[^"]+)"'),
        Command("local id", r"ike-id local (?:ipv4|domain-name|email-address) (?P<value>\S+)"),
        Command("peer id", rf"ike-id peer ipv4 (?P<value>{IPV4})"),
    ],
    "interface": [
        Command("policy", rf"policy {QUOTED}"),
        Command("assignment", "ip-assignment VPN static", "assignment"),
        Command("mtu", rf"mtu {N}"),
        Command("asymmetric", "asymmetric-route"),
    ],
    "assignment": [Command("ip", rf"ip (?P<value>{IPV4}) netmask 255\.255\.255\.252")],
    "rule": [Command("enable", "enable")],
    "routing": [
        Command("bgp", "bgp", "bgp"),
        Command(
            "static",
            rf"policy interface {QUOTED} metric (?P<value>\d+) source any destination network (?P<net>{IPV4}) "
            rf"(?P<mask>{IPV4}) service any gateway default",
            "rule",
        ),
    ],
    "bgp": [Command("terminal", "configure terminal", "terminal"), Command("write", "write")],
    "terminal": [
        Command(
            "list", rf"ip prefix-list (?P<name>\S+) seq \d+ (?P<action>permit|deny) (?P<value>{IPV4}/\d+)(?: le 32)?"
        ),
        Command("map", r"route-map (?P<name>\S+) permit 10", "map"),
        Command("router", r"router bgp (?P<asn>\d+)", "router"),
    ],
    "map": [
        Command("match", r"match ip address prefix-list (?P<value>\S+)"),
        Command("metric", rf"set metric {N}"),
        Command("preference", rf"set local-preference {N}"),
    ],
    "router": [
        Command("paths", r"max-paths ebgp (?P<value>\d)"),
        Command("network", rf"network (?P<value>{IPV4}/\d+)"),
        Command("neighbor", rf"neighbor {PEER} remote-as (?P<value>\d+)"),
        Command("timers", rf"neighbor {PEER} timers (?P<keepalive>\d+) (?P<hold>\d+)"),
        Command("password", rf"neighbor {PEER} password (?P<value>\S+)"),
        Command("soft", rf"neighbor {PEER} soft-reconfiguration inbound"),
        Command("map", rf"neighbor {PEER} route-map (?P<value>\S+) (?P<way>in|out)"),
        Command("default", rf"neighbor {PEER} default-originate"),
    ],
}
GROUPS = {"2": "modp1024", "5": "modp1536", "14": "modp2048", "19": "ecp256", "20": "ecp384", "21": "ecp521"}


@dataclass(frozen=True)
class Release:
    ikev2: bool
    bgp: bool
    gcm: bool
    groups: frozenset[str]


RELEASES = {
    "5.8": Release(False, False, False, frozenset({"2", "5", "14"})),
    "5.9": Release(False, True, False, frozenset({"2", "5", "14"})),
    "6.2": Release(False, True, False, frozenset(GROUPS)),
    "6.5": Release(True, True, False, frozenset(GROUPS)),
    "7": Release(True, True, True, frozenset(GROUPS)),
}


def release(number: str) -> Callable[[str], DeviceSettings]:
    """The interpreter of one release."""
    rules = RELEASES[number]
    return lambda text: _settings(read_modes(text, MODES).one("configure"), rules)


def _settings(root: Statement, rules: Release) -> DeviceSettings:
    if root.inner[-1].key != "commit":
        raise Refused(root.number, root.line, "nothing is in force without commit at the end")
    policies = {policy["name"]: policy for policy in root.all("policy")}
    interfaces = root.all("interface")
    tunnels = tuple(_tunnel(i, policies[i.one("policy")["name"]], rules) for i in interfaces)
    names = [tunnel.name for tunnel in tunnels]
    permitted = {
        (a, b)
        for rule in root.all("rule")
        if rule.one("enable")
        for a in (names if rule["from"] == "VPN" else [INSIDE])
        for b in (names if rule["to"] == "VPN" else [INSIDE])
    }
    translated = [nat["name"] for nat in root.all("nat") if nat.one("enable")]
    routing = root.maybe("routing")
    statics = tuple(
        StaticRoute(str(IPv4Network(f"{route['net']}/{route['mask']}")), route["name"], int(route["value"]))
        for route in (routing.all("static") if routing else ())
        if route.one("enable")
    )
    bgp = routing.maybe("bgp") if routing else None
    if bgp and not rules.bgp:
        raise Refused(bgp.number, bgp.line, "this release has no BGP")
    return DeviceSettings(tunnels, _bgp(bgp) if bgp else None, statics, frozenset(permitted), translated == names)


def _tunnel(interface: Statement, policy: Statement, rules: Release) -> Tunnel:
    policy.one("enable"), policy.one("protocol"), policy.one("bound")
    exchange = policy.one("exchange")["value"]
    auth = policy.one("auth")
    cipher, digest = policy.one("esp cipher")["value"], policy.one("esp hash")["value"]
    groups = [policy.one(key)["value"] for key in ("ike group", "esp group")]
    gcm = cipher.startswith("aesgcm16")
    if (exchange == "ikev2" and not rules.ikev2) or (gcm and not rules.gcm) or not {*groups} <= rules.groups:
        raise Refused(policy.number, policy.line, "this release does not have it")
    if gcm != (digest == "none"):
        raise Refused(policy.number, policy.line, "AES-GCM goes with none, AES-CBC does not")
    address = interface.one("assignment").one("ip")["value"]
    identity = auth.maybe("local id")
    return Tunnel(
        name=interface["name"],
        peer=policy.one("gateway")["peer"],
        pre_shared_key=auth.one("secret")["value"],
        ike_version=2 if exchange == "ikev2" else 1,
        ike=(
            Proposal(
                policy.one("ike cipher")["value"].replace("-", ""),
                policy.one("ike hash")["value"].replace("-", ""),
                None,
                GROUPS[groups[0]],
            ),
        ),
        esp=(
            Proposal(
                f"aes{cipher.rpartition('-')[2]}gcm16" if gcm else cipher.replace("-", ""),
                None if gcm else digest.replace("-", ""),
                None,
                GROUPS[groups[1]],
            ),
        ),
        ike_lifetime=int(policy.one("ike lifetime")["value"]),
        esp_lifetime=int(policy.one("esp lifetime")["value"]),
        inside=f"{address}/30",
        remote_inside=other_host(address),
        local_id=identity["value"] if identity else None,
        remote_id=auth.one("peer id")["value"],
        starts=bool(policy.all("keep alive")),
        mtu=int(interface.one("mtu")["value"]),
    )


def _bgp(bgp: Statement) -> Bgp:
    bgp.one("write")
    terminal = bgp.one("terminal")
    router = terminal.one("router")
    maps = {m["name"]: m for m in terminal.all("map")}
    neighbors = []
    for neighbor in router.all("neighbor"):
        peer = neighbor["peer"]
        of_peer = {s.key: s for s in router.inner if s.values.get("peer") == peer}
        used = {s["way"]: maps[s["value"]] for s in router.all("map") if s["peer"] == peer}
        preference, metric = used["in"].maybe("preference"), used["out"].maybe("metric")
        lists = [line for line in terminal.all("list") if line["name"] == used["out"].one("match")["value"]]
        neighbors.append(
            Neighbor(
                address=peer,
                remote_asn=int(neighbor["value"]),
                keepalive=int(of_peer["timers"]["keepalive"]),
                hold=int(of_peer["timers"]["hold"]),
                password=of_peer["password"]["value"] if "password" in of_peer else None,
                local_preference=int(preference["value"]) if preference else None,
                med=int(metric["value"]) if metric else None,
                default_originate="default" in of_peer,
                announce=tuple(line["value"] for line in lists if line["action"] == "permit"),
            )
        )
    return Bgp(int(router["asn"]), tuple(neighbors), tuple(n["value"] for n in router.all("network")))
