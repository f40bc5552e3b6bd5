"""Cisco ASA, with virtual tunnel interfaces (9.7 and later).

References: Cisco ASA Series Command Reference; VPN CLI Configuration Guide 9.8, "Virtual Tunnel Interface". IKEv1 has
SHA-1 only and the groups 1, 2 and 5; with AES-GCM the integrity is null; a tunnel group's name is the peer's address;
an interface is called by its nameif, of at most 48 characters; traffic out of a tunnel needs an access list, traffic
from the inside into it does not, for it goes from a higher security level to a lower one.
"""

from __future__ import annotations

from ipaddress import IPv4Network

from tests.devices.interpreters.grammar import IPV4, Command, Modes, Statement, other_host, read_modes
from tests.devices.settings import INSIDE, Bgp, DeviceSettings, Neighbor, Proposal, Refused, StaticRoute, Tunnel

NAME = r"(?P<name>[A-Za-z0-9._-]{1,48})"
PEER = rf"(?P<peer>{IPV4})"
N = r"(?P<value>\d+)"
GROUP = r"(?P<value>1|2|5|14|19|20|21|24)"
ESP = r"esp-(?P<cipher>aes|aes-192|aes-256) esp-(?P<hash>sha|md5)-hmac"
PREFIX = rf"(?P<prefix>{IPV4}/\d+)"
MODES: Modes = {
    "": [
        Command("identity", r"crypto isakmp identity (?:address|auto|key-id (?P<value>\S+))"),
        Command("enable", rf"crypto (?P<version>ikev[12]) enable {NAME}"),
        Command("ikev1", r"crypto ikev1 policy (?P<priority>\d{1,5})", "ikev1"),
        Command("ikev2", r"crypto ikev2 policy (?P<priority>\d{1,5})", "ikev2"),
        Command("group type", rf"tunnel-group {PEER} type ipsec-l2l"),
        Command("group", rf"tunnel-group {PEER} ipsec-attributes", "group"),
        Command("transform", rf"crypto ipsec ikev1 transform-set {NAME} {ESP}"),
        Command("proposal", rf"crypto ipsec ikev2 ipsec-proposal {NAME}", "proposal"),
        Command("profile", rf"crypto ipsec profile {NAME}", "profile"),
        Command("df", rf"crypto ipsec df-bit clear-df {NAME}"),
        Command("mss", rf"sysopt connection tcpmss {N}"),
        Command("interface", r"interface (?P<number>Tunnel(?:\d{1,2}|100))", "interface"),
        Command("access", rf"access-list {NAME} extended permit ip any any"),
        Command("access group", r"access-group (?P<list>\S+) in interface (?P<value>\S+)"),
        Command("nat", r"nat \((?P<from>[^,]+),(?P<to>[^)]+)\) source dynamic any interface"),
        Command("prefix list", rf"prefix-list {NAME} seq \d+ (?P<action>permit|deny) {PREFIX}(?: le 32)?"),
        Command("map", rf"route-map {NAME} permit 10", "map"),
        Command("bgp", r"router bgp (?P<asn>\d+)", "bgp"),
        Command("route", rf"route {NAME} (?P<net>{IPV4}) (?P<mask>{IPV4}) (?P<via>{IPV4}) (?P<distance>\d{{1,3}})"),
    ],
    "ikev1": [
        Command("authentication", "authentication pre-share"),
        Command("encryption", r"encryption (?P<value>aes|aes-192|aes-256|3des)"),
        Command("hash", r"hash (?P<value>sha|md5)"),
        Command("group", r"group (?P<value>1|2|5)"),
        Command("lifetime", rf"lifetime {N}"),
    ],
    "ikev2": [
        Command("encryption", r"encryption (?P<value>aes|aes-192|aes-256|aes-gcm|aes-gcm-192|aes-gcm-256)"),
        Command("integrity", r"integrity (?P<value>null|sha|sha256|sha384|sha512)"),
        Command("group", rf"group {GROUP}"),
        Command("prf", r"prf (?P<value>sha|sha256|sha384|sha512)"),
        Command("lifetime", rf"lifetime seconds {N}"),
    ],
    "group": [
        Command("key", r"ikev1 pre-shared-key (?P<value>\S{1,128})"),
        Command("remote key", r"ikev2 remote-authentication pre-shared-key (?P<value>\S{1,128})"),
        Command("local key", r"ikev2 local-authentication pre-shared-key (?P<value>\S{1,128})"),
        Command("keepalive", r"isakmp keepalive threshold (?P<value>\d+) retry (?P<retry>[2-9]|10)"),
    ],
    "proposal": [
        Command(
            "encryption", r"protocol esp encryption (?P<value>aes|aes-192|aes-256|aes-gcm|aes-gcm-192|aes-gcm-256)"
        ),
        Command("integrity", r"protocol esp integrity (?P<value>null|sha-1|sha-256|sha-384|sha-512)"),
    ],
    "profile": [
        Command("ikev1", rf"set ikev1 transform-set {NAME}"),
        Command("ikev2", rf"set ikev2 ipsec-proposal {NAME}"),
        Command("pfs", rf"set pfs group{GROUP}"),
        Command("lifetime", rf"set security-association lifetime seconds {N}"),
    ],
    "interface": [
        Command("nameif", rf"nameif {NAME}"),
        Command("address", rf"ip address (?P<address>{IPV4}) (?P<mask>{IPV4})"),
        Command("source", rf"tunnel source interface {NAME}"),
        Command("destination", rf"tunnel destination {PEER}"),
        Command("mode", "tunnel mode ipsec ipv4"),
        Command("protection", rf"tunnel protection ipsec profile {NAME}"),
        Command("up", "no shutdown"),
    ],
    "map": [
        Command("match", rf"match ip address prefix-list {NAME}"),
        Command("metric", rf"set metric {N}"),
        Command("preference", rf"set local-preference {N}"),
    ],
    "bgp": [Command("log", "bgp log-neighbor-changes"), Command("family", "address-family ipv4 unicast", "family")],
    "family": [
        Command("neighbor", rf"neighbor {PEER} remote-as (?P<value>\d+)"),
        Command("description", rf"neighbor {PEER} description .{{1,80}}"),
        Command("timers", rf"neighbor {PEER} timers (?P<keepalive>\d+) (?P<hold>\d+)"),
        Command("password", rf"neighbor {PEER} password (?P<value>\S{{1,80}})"),
        Command("activate", rf"neighbor {PEER} activate"),
        Command("map", rf"neighbor {PEER} route-map {NAME} (?P<way>in|out)"),
        Command("default", rf"neighbor {PEER} default-originate"),
        Command("network", rf"network (?P<net>{IPV4}) mask (?P<mask>{IPV4})"),
        Command("paths", r"maximum-paths (?P<value>[1-8])"),
        Command("end", "exit-address-family"),
    ],
}
GROUPS = {
    "2": "modp1024", "5": "modp1536", "14": "modp2048", "19": "ecp256", "20": "ecp384", "21": "ecp521",
    "24": "modp2048s256",
}  # fmt: skip


def interpret(text: str) -> DeviceSettings:
    """The settings. Raises `Refused`."""
    root = read_modes(text, MODES)
    interfaces = {i.one("nameif")["name"]: i for i in root.all("interface")}
    tunnels = tuple(_tunnel(root, name, interface) for name, interface in interfaces.items())
    opened = {g["value"] for g in root.all("access group") if any(a["name"] == g["list"] for a in root.all("access"))}
    permitted = {(INSIDE, name) for name in interfaces} | {(name, INSIDE) for name in interfaces if name in opened}
    statics = []
    for route in root.all("route"):
        if other_host(route["via"]) != interfaces[route["name"]].one("address")["address"]:
            raise Refused(route.number, route.line, "the next hop is not on this interface")
        prefix = str(IPv4Network(f"{route['net']}/{route['mask']}"))
        statics.append(StaticRoute(prefix, route["name"], int(route["distance"])))
    translated = {nat["to"] for nat in root.all("nat")}
    bgp = _bgp(root, root.one("bgp")) if root.all("bgp") else None
    return DeviceSettings(tunnels, bgp, tuple(statics), frozenset(permitted), translated == set(interfaces))


def _named(root: Statement, key: str, name: str) -> Statement:
    found = [s for s in root.all(key) if s.values.get("name", s.values.get("peer")) == name]
    if len(found) != 1:
        raise Refused(0, name, f"{len(found)} definitions of {key}")
    return found[0]


def _tunnel(root: Statement, name: str, interface: Statement) -> Tunnel:
    interface.one("mode"), interface.one("up")
    peer = interface.one("destination")["peer"]
    profile = _named(root, "profile", interface.one("protection")["name"])
    version = 2 if profile.all("ikev2") else 1
    enabled = [e["name"] for e in root.all("enable") if e["version"] == f"ikev{version}"]
    if interface.one("source")["name"] not in enabled:
        raise Refused(interface.number, interface.line, f"IKEv{version} is not enabled on the source interface")
    _named(root, "group type", peer)
    group = _named(root, "group", peer)
    if version == 2:
        key = group.one("remote key")["value"]
        if key != group.one("local key")["value"]:
            raise Refused(group.number, group.line, "two keys for one peer")
    else:
        key = group.one("key")["value"]
    policies = sorted(root.all(f"ikev{version}"), key=lambda p: int(p["priority"]))
    pfs = profile.maybe("pfs")
    address = interface.one("address")
    identity = root.one("identity")
    return Tunnel(
        name=name,
        peer=peer,
        pre_shared_key=key,
        ike_version=version,
        ike=tuple(dict.fromkeys(_ike(policy, version) for policy in policies)),
        esp=(_esp(root, profile, version, GROUPS[pfs["value"]] if pfs else None),),
        ike_lifetime=int(policies[0].one("lifetime")["value"]),
        esp_lifetime=int(profile.one("lifetime")["value"]),
        inside=f"{address['address']}/{IPv4Network('0.0.0.0/' + address['mask']).prefixlen}",
        remote_inside=other_host(address["address"]),
        # `address` is that of the outside interface, which is the one that the gateway knows.
        local_id=identity.values.get("value", "192.0.2.2"),
        dpd_interval=int(group.one("keepalive")["value"]),
        mss=int(root.one("mss")["value"]),
    )


def _cipher(word: str) -> str:
    bits = word.rpartition("-")[2] if word[-1].isdigit() else "128"
    return f"aes{bits}gcm16" if "gcm" in word else f"aes{bits}"


def _digest(word: str) -> str:
    return {"sha": "sha1", "sha-1": "sha1"}.get(word, word.replace("-", ""))


def _ike(policy: Statement, version: int) -> Proposal:
    cipher, group = _cipher(policy.one("encryption")["value"]), GROUPS[policy.one("group")["value"]]
    if version == 1:
        policy.one("authentication")
        return Proposal(cipher, _digest(policy.one("hash")["value"]), None, group)
    integrity, prf = policy.one("integrity")["value"], _digest(policy.one("prf")["value"])
    if ("gcm" in cipher) != (integrity == "null"):
        raise Refused(policy.number, policy.line, "AES-GCM goes with the integrity null, AES-CBC does not")
    if integrity == "null":
        return Proposal(cipher, None, prf, group)
    if _digest(integrity) != prf:
        raise Refused(policy.number, policy.line, "integrity and PRF differ")
    return Proposal(cipher, prf, None, group)


def _esp(root: Statement, profile: Statement, version: int, group: str | None) -> Proposal:
    reference = profile.one(f"ikev{version}")["name"]
    if version == 1:
        transform = _named(root, "transform", reference)
        return Proposal(_cipher(transform["cipher"]), _digest(transform["hash"]), None, group)
    proposal = _named(root, "proposal", reference)
    cipher, integrity = _cipher(proposal.one("encryption")["value"]), proposal.one("integrity")["value"]
    return Proposal(cipher, None if integrity == "null" else _digest(integrity), None, group)


def _bgp(root: Statement, bgp: Statement) -> Bgp:
    family = bgp.one("family")
    neighbors = []
    for neighbor in family.all("neighbor"):
        peer = neighbor["peer"]
        of_peer = {s.key: s for s in family.inner if s.values.get("peer") == peer}
        if "activate" not in of_peer:
            raise Refused(neighbor.number, neighbor.line, "the neighbor is not activated")
        maps = {m["way"]: _named(root, "map", m["name"]) for m in family.all("map") if m["peer"] == peer}
        preference, metric = maps["in"].maybe("preference"), maps["out"].maybe("metric")
        lists = [line for line in root.all("prefix list") if line["name"] == maps["out"].one("match")["name"]]
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
                announce=tuple(line["prefix"] for line in lists if line["action"] == "permit"),
            )
        )
    networks = tuple(str(IPv4Network(f"{n['net']}/{n['mask']}")) for n in family.all("network"))
    return Bgp(int(bgp["asn"]), tuple(neighbors), networks)


MAP_ESP = r"(?:(?P<version>ikev[12]) )?(?:ipsec-proposal|transform-set) (?P<value>.+)"
PAIR = rf"(?P<net>{IPV4}) (?P<mask>{IPV4}) (?P<net2>{IPV4}) (?P<mask2>{IPV4})"
STATIC = r"source static (?P<site>\S+) (?P=site) destination static (?P<cloud>\S+) (?P=cloud)"
MAP_MODES: Modes = {
    **MODES,
    "": [
        *MODES[""],
        Command("old enable", rf"crypto isakmp enable {NAME}"),
        Command("ikev1", r"crypto isakmp policy (?P<priority>\d{1,5})", "ikev1"),
        Command("transform", rf"crypto ipsec transform-set {NAME} {ESP}"),
        Command("selector", rf"access-list {NAME} extended permit ip {PAIR}"),
        Command("map match", rf"crypto map {NAME} (?P<seq>\d+) match address (?P<value>\S+)"),
        Command("map peers", rf"crypto map {NAME} (?P<seq>\d+) set peer (?P<value>{IPV4} {IPV4})"),
        Command("map pfs", rf"crypto map {NAME} (?P<seq>\d+) set pfs group{GROUP}"),
        Command("map esp", rf"crypto map {NAME} (?P<seq>\d+) set {MAP_ESP}"),
        Command("map lifetime", rf"crypto map {NAME} (?P<seq>\d+) set security-association lifetime seconds {N}"),
        Command("map interface", rf"crypto map {NAME} interface (?P<value>\S+)"),
        Command("exempt", r"nat \((?P<from>[^)]+)\) 0 access-list (?P<value>\S+)"),
        Command("object", rf"object network {NAME}", "object"),
        Command("twice", rf"nat \((?P<from>[^,]+),(?P<to>[^)]+)\) {STATIC} no-proxy-arp route-lookup"),
        Command("sla", r"sla monitor (?P<value>\d+)", "sla"),
        Command("schedule", r"sla monitor schedule (?P<value>\d+) life forever start-time now"),
    ],
    "object": [Command("subnet", rf"subnet (?P<net>{IPV4}) (?P<mask>{IPV4})")],
    "sla": [
        Command("echo", rf"type echo protocol ipIcmpEcho {PEER} interface (?P<value>\S+)"),
        Command("frequency", r"frequency (?P<value>\d+)"),
    ],
    "group": [*MODES["group"], Command("key", r"pre-shared-key (?P<value>\S{1,128})")],
}  # fmt: skip


def interpret_map(text: str) -> DeviceSettings:
    """The settings of a device with a crypto map: the first peer's tunnel is up, the second one's stands by."""
    root = read_modes(text, MAP_MODES)
    version = int((root.one("map esp").values.get("version") or "ikev1")[-1])
    name = root.one("map match")["value"]
    if root.one("map interface")["value"] not in {e["name"] for e in (*root.all("enable"), *root.all("old enable"))}:
        raise Refused(0, "crypto map", "IKE is not enabled on the map's interface")
    selectors = [s for s in root.all("selector") if s["name"] == name]
    pairs = [
        (str(IPv4Network(f"{s['net']}/{s['mask']}")), str(IPv4Network(f"{s['net2']}/{s['mask2']}"))) for s in selectors
    ]
    if len(pairs) != 1:
        raise Refused(0, name, f"{len(pairs)} pairs of networks: this test knows one")
    group = GROUPS[root.one("map pfs")["value"]]
    tunnels = tuple(
        _map_tunnel(root, peer, esp, version, group, pairs[0], standby=number > 0)
        for number, (peer, esp) in enumerate(
            zip(root.one("map peers")["value"].split(), root.one("map esp")["value"].split(), strict=True)
        )
    )
    # By the default of `sysopt connection permit-vpn`, what comes out of a tunnel passes every access list.
    first = tunnels[0].name
    exempt = any(e["value"] == name for e in root.all("exempt")) or _exempted(root) == pairs
    return DeviceSettings(
        tunnels,
        static_routes=(StaticRoute(pairs[0][1], first, 0),),
        permitted=frozenset({(INSIDE, first), (first, INSIDE)}),
        source_nat=not exempt,
    )


def _exempted(root: Statement) -> list[tuple[str, str]]:
    objects = {
        o["name"]: str(IPv4Network(f"{o.one('subnet')['net']}/{o.one('subnet')['mask']}")) for o in root.all("object")
    }
    return [(objects[rule["site"]], objects[rule["cloud"]]) for rule in root.all("twice")]


def _map_tunnel(
    root: Statement, peer: str, esp: str, version: int, pfs: str, pair: tuple[str, str], *, standby: bool
) -> Tunnel:
    _named(root, "group type", peer)
    group = _named(root, "group", peer)
    key = group.one("remote key" if version == 2 else "key")["value"]
    policies = sorted(root.all(f"ikev{version}"), key=lambda p: int(p["priority"]))
    if version == 1:
        transform = _named(root, "transform", esp)
        proposal = Proposal(_cipher(transform["cipher"]), _digest(transform["hash"]), None, pfs)
    else:
        found = _named(root, "proposal", esp)
        cipher, integrity = _cipher(found.one("encryption")["value"]), found.one("integrity")["value"]
        proposal = Proposal(cipher, None if integrity == "null" else _digest(integrity), None, pfs)
    return Tunnel(
        name=f"peer {peer}",
        peer=peer,
        pre_shared_key=key,
        ike_version=version,
        ike=tuple(dict.fromkeys(_ike(policy, version) for policy in policies)),
        esp=(proposal,),
        ike_lifetime=int(policies[0].one("lifetime")["value"]),
        esp_lifetime=int(root.one("map lifetime")["value"]),
        inside="",
        remote_inside="",
        local_id=root.one("identity").values.get("value", "192.0.2.2"),
        dpd_interval=int(group.one("keepalive")["value"]),
        mss=int(root.one("mss")["value"]),
        local_selector=pair[0],
        remote_selector=pair[1],
        standby=standby,
    )
