"""ScreenOS 6: set commands; `set vrouter`, `set protocol` and `set route-map` open a context that `exit` leaves.

References: ScreenOS CLI Reference Guide: ike, vpn, interface, policy, vrouter, protocol bgp. IKEv1 with SHA-1 and the
groups 1, 2 and 5; traffic between zones needs a policy; a policy translates only with `nat src`; a network with `check`
is announced while the route that is checked for exists.
"""

from __future__ import annotations

from tests.devices.interpreters.grammar import IPV4, Command, Modes, Reader, Statement, other_host, read_modes
from tests.devices.settings import INSIDE, Bgp, DeviceSettings, Neighbor, Proposal, Refused, StaticRoute, Tunnel

NAME = r"(?P<name>[A-Za-z0-9_.-]{1,31})"
SUITE = r"(?P<group>group[125]) esp (?P<cipher>aes128|aes192|aes256|3des) (?P<hash>sha-1|md5) second (?P<lifetime>\d+)"
UNIT = r"(?P<unit>tunnel\.\d+)"
PEER = rf"(?P<peer>{IPV4})"
PROXY = rf"proxy-id local-ip (?P<local>{IPV4}/\d+) remote-ip (?P<remote>{IPV4}/\d+) ANY"
ROUTE = rf"route (?P<prefix>{IPV4}/\d+) interface {UNIT} preference \d+ metric (?P<value>\d+)"
MODES: Modes = {
    "": [
        Command("p1", rf"set ike p1-proposal {NAME} preshare {SUITE}"),
        Command(
            "gateway",
            rf"set ike gateway {NAME} address {PEER} Main (?:local-id (?P<local>\S+) )?outgoing-interface (?P<out>\S+) "
            r"preshare (?P<key>\S+) proposal (?P<proposal>\S+)",
        ),
        Command("nat traversal", rf"set ike gateway {NAME} nat-traversal"),
        Command("dpd", rf"set ike gateway {NAME} dpd-liveness (?P<what>interval|retry) (?P<value>\d+)"),
        Command("dpd always", rf"set ike gateway {NAME} dpd-liveness always-send"),
        Command("zone name", rf"set zone name {NAME}"),
        Command("zone", rf"set interface {UNIT} zone (?P<value>\S+)"),
        Command("ip", rf"set interface {UNIT} ip (?P<value>{IPV4}/30)"),
        Command("mtu", rf"set interface {UNIT} mtu (?P<value>\d+)"),
        Command("p2", rf"set ike p2-proposal {NAME} {SUITE}"),
        Command("vpn", rf"set vpn {NAME} gateway (?P<gateway>\S+) replay tunnel idletime 0 proposal (?P<proposal>\S+)"),
        Command("bind", rf"set vpn {NAME} bind interface {UNIT}"),
        Command("df", rf"set vpn {NAME} df-bit clear"),
        Command("proxy", rf"set vpn {NAME} {PROXY}"),
        Command("monitor", rf"set vpn {NAME} monitor rekey"),
        Command("mss", r"set flow vpn-tcp-mss (?P<value>\d+)"),
        Command("protocol", rf"set interface {UNIT} protocol bgp"),
        Command("static", rf"set vrouter \S+ {ROUTE}"),
        Command("router", r"set vrouter \S+", "router"),
        Command("policy", r"set policy from (?P<from>\S+) to (?P<to>\S+) Any Any ANY (?P<nat>nat src )?permit"),
    ],
    "router": [
        Command("access", rf"set access-list (?P<name>\d+) permit ip (?P<value>{IPV4}/\d+) \d+"),
        Command("ecmp", r"set max-ecmp-routes [1-4]"),
        Command("map", rf"set route-map name {NAME} (?P<action>permit|deny) 10", "map"),
        Command("bgp", r"set protocol bgp (?P<asn>\d+)", "bgp"),
    ],
    "map": [
        Command("match", r"set match ip (?P<value>\d+)"),
        Command("metric", r"set metric (?P<value>\d+)"),
        Command("preference", r"set local-pref (?P<value>\d+)"),
    ],
    "bgp": [
        Command("keepalive", r"set keepalive (?P<value>\d+)"),
        Command("hold", r"set hold-time (?P<value>\d+)"),
        Command("enable", "set enable"),
        Command("neighbor", rf"set neighbor {PEER} remote-as (?P<asn>\d+) outgoing-interface {UNIT}"),
        Command("password", rf"set neighbor {PEER} md5-authentication (?P<value>\S+)"),
        Command("neighbor enable", rf"set neighbor {PEER} enable"),
        Command("activate", rf"set ipv4 neighbor {PEER} activate"),
        Command("route map", rf"set ipv4 neighbor {PEER} route-map {NAME} (?P<way>in|out)"),
        Command("network", rf"set ipv4 network (?P<value>{IPV4}/\d+) check (?P=value)"),
        Command("default", "set ipv4 advertise-def-route"),
    ],
}  # fmt: skip
GROUPS = {"group2": "modp1024", "group5": "modp1536"}


def interpret(text: str) -> DeviceSettings:
    """The settings. Raises `Refused`."""
    root = read_modes(text, MODES, comment="#")
    reader = Reader(root)
    units = {bind["name"]: bind["unit"] for bind in root.all("bind")}
    zones: dict[str, list[str]] = {}
    for name, unit in units.items():
        zones.setdefault(reader.value("zone", unit=unit), []).append(name)
    permitted = set()
    translated = False
    for policy in root.all("policy"):
        pairs = {(a, b) for a in zones.get(policy["from"], [INSIDE]) for b in zones.get(policy["to"], [INSIDE])}
        permitted |= pairs
        translated |= "nat" in policy.values and policy["to"] in zones
    names = {unit: name for name, unit in units.items()}
    statics = tuple(StaticRoute(s["prefix"], names[s["unit"]], int(s["value"])) for s in root.all("static"))
    tunnels = tuple(_tunnel(root, reader, vpn) for vpn in root.all("vpn"))
    bgp = _bgp(root, names) if root.all("router") else None
    return DeviceSettings(tunnels, bgp, statics, frozenset(permitted), translated)


def _named(root: Statement, key: str, name: str) -> Statement:
    found = [s for s in root.all(key) if s["name"] == name]
    if len(found) != 1:
        raise Refused(0, name, f"{len(found)} definitions of {key}")
    return found[0]


def _suite(statement: Statement) -> Proposal:
    return Proposal(statement["cipher"], statement["hash"].replace("-", ""), None, GROUPS[statement["group"]])


def _tunnel(root: Statement, reader: Reader, vpn: Statement) -> Tunnel:
    gateway = _named(root, "gateway", vpn["gateway"])
    p1, p2 = _named(root, "p1", gateway["proposal"]), _named(root, "p2", vpn["proposal"])
    unit = _named(root, "bind", vpn["name"])["unit"]
    proxy = _named(root, "proxy", vpn["name"])
    interval, retry = (int(reader.value("dpd", name=gateway["name"], what=what)) for what in ("interval", "retry"))
    inside = reader.value("ip", unit=unit)
    return Tunnel(
        name=vpn["name"],
        peer=gateway["peer"],
        pre_shared_key=gateway["key"],
        ike_version=1,
        ike=(_suite(p1),),
        esp=(_suite(p2),),
        ike_lifetime=int(p1["lifetime"]),
        esp_lifetime=int(p2["lifetime"]),
        inside=inside,
        remote_inside=other_host(inside),
        local_id=gateway.values.get("local"),
        dpd_interval=interval,
        dpd_timeout=interval * retry,
        starts=bool(reader.values("monitor", name=vpn["name"])),
        mtu=int(reader.value("mtu", unit=unit)),
        mss=int(reader.value("mss")),
        local_selector=proxy["local"],
        remote_selector=proxy["remote"],
    )


def _bgp(root: Statement, names: dict[str, str]) -> Bgp:
    router = root.one("router")
    bgp = router.one("bgp")
    bgp.one("enable")
    reader = Reader(bgp)
    lists: dict[str, list[str]] = {}
    for access in router.all("access"):
        lists.setdefault(access["name"], []).append(access["value"])
    speaking = {s["unit"] for s in root.all("protocol")}
    neighbors = []
    for neighbor in bgp.all("neighbor"):
        peer = neighbor["peer"]
        if neighbor["unit"] not in speaking or neighbor["unit"] not in names:
            raise Refused(neighbor.number, neighbor.line, "BGP is not enabled on this interface")
        reader.value("neighbor enable", peer=peer), reader.value("activate", peer=peer)
        maps = {s["way"]: _named(router, "map", s["name"]) for s in bgp.all("route map") if s["peer"] == peer}
        preference, metric = maps["in"].maybe("preference"), maps["out"].maybe("metric")
        matched = maps["out"].maybe("match")
        announce = tuple(lists[matched["value"]]) if matched else ()
        if not matched and maps["out"]["action"] == "permit":
            raise Refused(maps["out"].number, maps["out"].line, "a route map that matches everything")
        neighbors.append(
            Neighbor(
                address=peer,
                remote_asn=int(neighbor["asn"]),
                keepalive=int(reader.value("keepalive")),
                hold=int(reader.value("hold")),
                password=reader.maybe("password", peer=peer),
                local_preference=int(preference["value"]) if preference else None,
                med=int(metric["value"]) if metric else None,
                default_originate=bool(bgp.all("default")),
                announce=announce,
            )
        )
    return Bgp(int(bgp["asn"]), tuple(neighbors), tuple(reader.values("network")))
