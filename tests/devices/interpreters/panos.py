"""PAN-OS set commands of the configure mode.

References: PAN-OS CLI Reference 4.1, 7.0 and Quick Start 10.1. Until 6.1 a gateway has no `protocol version` and
ciphers are called aes128, aes256; the DPD's interval and retry are 2 to 100 seconds; without a security rule traffic
between zones is dropped; a BGP redistribution rule that is called like a prefix announces that prefix while it is in
the routing table, a default route only with `allow-redist-default-route`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.devices.interpreters.grammar import IPV4, Reader, Statement, other_host, read_lines
from tests.devices.settings import INSIDE, Bgp, DeviceSettings, Neighbor, Proposal, Refused, StaticRoute, Tunnel

NAME = r"(?P<name>[A-Za-z0-9._-]{1,31})"
IKE = rf"set network ike crypto-profiles ike-crypto-profiles {NAME}"
ESP = rf"set network ike crypto-profiles ipsec-crypto-profiles {NAME}"
GATEWAY = rf"set network ike gateway {NAME}"
UNIT = r"(?P<unit>tunnel\.\d{1,4})"
ROUTER = r"set network virtual-router (?P<router>\S+)"
BGP = rf"{ROUTER} protocol bgp"
PEER = rf"{BGP} peer-group {NAME} peer (?P<peer>\S+)"
RULE = rf"set rulebase security rules {NAME}"
NAT = rf"set rulebase nat rules {NAME}"
GROUP = r"(?P<value>group(?:1|2|5|14|19|20))"
PATTERNS = {
    "ike hash": rf"{IKE} hash (?P<value>md5|sha1|sha256|sha384|sha512)",
    "ike group": rf"{IKE} dh-group {GROUP}",
    "ike cipher": rf"{IKE} encryption (?P<value>aes-(?:128|192|256)-cbc|aes(?:128|192|256))",
    "ike lifetime": rf"{IKE} lifetime seconds (?P<value>\d+)",
    "key": rf"{GATEWAY} authentication pre-shared-key key (?P<value>\S+)",
    "version": rf"{GATEWAY} protocol version (?P<value>ikev1|ikev2|ikev2-preferred)",
    "mode": rf"{GATEWAY} protocol ikev1 exchange-mode (?P<value>main)",
    "profile": rf"{GATEWAY} protocol (?P<version>ikev1|ikev2) ike-crypto-profile (?P<value>\S+)",
    "dpd": rf"{GATEWAY} protocol (?P<version>ikev1|ikev2) dpd enable (?P<value>yes|no)",
    "dpd interval": rf"{GATEWAY} protocol (?P<version>ikev1|ikev2) dpd interval (?P<value>[2-9]|[1-9]\d|100)",
    "dpd retry": rf"{GATEWAY} protocol ikev1 dpd retry (?P<value>[2-9]|[1-9]\d|100)",
    "nat traversal": rf"{GATEWAY} protocol-common nat-traversal enable (?P<value>yes|no)",
    "passive": rf"{GATEWAY} protocol-common passive-mode (?P<value>yes|no)",
    "local": rf"{GATEWAY} local-address interface (?P<value>\S+)",
    "peer": rf"{GATEWAY} peer-address ip (?P<value>{IPV4})",
    "local id": rf"{GATEWAY} local-id type (?:ipaddr|fqdn|ufqdn) id (?P<value>\S+)",
    "peer id": rf"{GATEWAY} peer-id type ipaddr id (?P<value>{IPV4})",
    "esp cipher": rf"{ESP} esp encryption (?P<value>aes-(?:128|192|256)-cbc|aes-(?:128|256)-gcm|aes(?:128|192|256))",
    "esp hash": rf"{ESP} esp authentication (?P<value>none|md5|sha1|sha256|sha384|sha512)",
    "esp group": rf"{ESP} dh-group (?P<value>no-pfs|group(?:1|2|5|14|19|20))",
    "esp lifetime": rf"{ESP} lifetime seconds (?P<value>\d+)",
    "address": rf"set network interface tunnel units {UNIT} ip (?P<value>{IPV4}/30)",
    "mtu": rf"set network interface tunnel units {UNIT} mtu (?P<value>\d+)",
    "mss": rf"set network interface tunnel units {UNIT} adjust-tcp-mss enable yes",
    "mss room": rf"set network interface tunnel units {UNIT} adjust-tcp-mss ipv4-mss-adjustment (?P<value>\d+)",
    "zone": rf"set zone {NAME} network layer3 {UNIT}",
    "routed": rf"{ROUTER} interface {UNIT}",
    "gateway": rf"set network tunnel ipsec {NAME} auto-key ike-gateway (?P<value>\S+)",
    "esp profile": rf"set network tunnel ipsec {NAME} auto-key ipsec-crypto-profile (?P<value>\S+)",
    "interface": rf"set network tunnel ipsec {NAME} tunnel-interface {UNIT}",
    "replay": rf"set network tunnel ipsec {NAME} anti-replay (?P<value>yes|no)",
    "bgp": rf"{BGP} enable yes",
    "router id": rf"{BGP} router-id (?P<value>{IPV4})",
    "asn": rf"{BGP} local-as (?P<value>\d+)",
    "install": rf"{BGP} install-route (?P<value>yes|no)",
    "default": rf"{BGP} allow-redist-default-route (?P<value>yes|no)",
    "ecmp": rf"{ROUTER} ecmp enable yes",
    "secret": rf"{BGP} auth-profile {NAME} secret (?P<value>\S+)",
    "group": rf"{BGP} peer-group {NAME} enable yes",
    "group type": rf"{BGP} peer-group {NAME} type (?P<value>ebgp)",
    "peer on": rf"{PEER} enable yes",
    "peer as": rf"{PEER} peer-as (?P<value>\d+)",
    "peer from": rf"{PEER} local-address interface (?P<value>\S+)",
    "peer from ip": rf"{PEER} local-address ip (?P<value>{IPV4}/30)",
    "peer ip": rf"{PEER} peer-address ip (?P<value>{IPV4})",
    "peer secret": rf"{PEER} connection-options authentication (?P<value>\S+)",
    "keepalive": rf"{PEER} connection-options keep-alive-interval (?P<value>\d+)",
    "hold": rf"{PEER} connection-options hold-time (?P<value>\d+)",
    "policy on": rf"{BGP} policy (?P<way>import|export) rules {NAME} enable yes",
    "policy used": rf"{BGP} policy (?P<way>import|export) rules {NAME} used-by (?P<value>\S+)",
    "policy preference": rf"{BGP} policy import rules {NAME} action allow update local-preference (?P<value>\d+)",
    "policy med": rf"{BGP} policy export rules {NAME} action allow update med (?P<value>\d+)",
    "policy action": rf"{BGP} policy (?P<way>import|export) rules {NAME} action (?P<value>allow|deny)",
    "policy prefix": rf"{BGP} policy export rules {NAME} match address-prefix (?P<value>{IPV4}/\d+) exact yes",
    "redistribute": rf"{BGP} redist-rules (?P<value>{IPV4}/\d+) enable yes",
    "redistribute family": rf"{BGP} redist-rules {IPV4}/\d+ address-family-identifier ipv4",
    "redistribute origin": rf"{BGP} redist-rules {IPV4}/\d+ set-origin (?:igp|egp|incomplete)",
    "route to": rf"{ROUTER} routing-table ip static-route {NAME} destination (?P<value>{IPV4}/\d+)",
    "route by": rf"{ROUTER} routing-table ip static-route {NAME} interface (?P<value>\S+)",
    "route metric": rf"{ROUTER} routing-table ip static-route {NAME} metric (?P<value>\d+)",
    "rule from": rf"{RULE} from (?P<value>\S+)",
    "rule to": rf"{RULE} to (?P<value>\S+)",
    "rule any": rf"{RULE} (?P<value>source|destination|application|service) any",
    "rule action": rf"{RULE} action (?P<value>allow|deny)",
    "nat from": rf"{NAT} from (?P<value>\S+)",
    "nat to": rf"{NAT} to (?P<value>\S+)",
    "nat interface": rf"{NAT} to-interface (?P<value>\S+)",
    "nat any": rf"{NAT} (?P<value>source|destination|service) any",
    "nat translation": (rf"{NAT} source-translation dynamic-ip-and-port interface-address interface (?P<value>\S+)"),
}
GROUPS = {"group2": "modp1024", "group5": "modp1536", "group14": "modp2048", "group19": "ecp256", "group20": "ecp384"}


@dataclass(frozen=True)
class Release:
    versioned: bool
    groups: frozenset[str]
    mss: bool


RELEASES = {
    "4.1": Release(False, frozenset({"group2", "group5", "group14"}), False),
    "7.0": Release(True, frozenset(GROUPS), False),
    "10.1": Release(True, frozenset(GROUPS), True),
}


def release(number: str) -> Callable[[str], DeviceSettings]:
    """The interpreter of one release."""
    rules = RELEASES[number]
    return lambda text: _Reader(parse(text, rules)).settings()


def parse(text: str, rules: Release) -> Statement:
    """The statements. Raises `Refused`."""
    root = read_lines(text, PATTERNS)
    for statement in root.inner:
        value = statement.values.get("value", "")
        wrong = (
            (statement.key in {"ike cipher", "esp cipher"} and ("-" in value) != rules.versioned)
            or (statement.key in {"ike group", "esp group"} and value not in rules.groups)
            or (statement.key in {"version", "ecmp"} and not rules.versioned)
            or (statement.values.get("version") == "ikev2" and not rules.versioned)
            or (statement.key in {"mss", "mss room"} and not rules.mss)
        )
        if wrong:
            raise Refused(statement.number, statement.line, "invalid syntax in this release")
    return root


class _Reader(Reader):
    def settings(self) -> DeviceSettings:
        units = {s["name"]: s["unit"] for s in self.root.all("interface")}
        zones: dict[str, list[str]] = {}
        for name, unit in units.items():
            self.values("routed", unit=unit)[0]
            zones.setdefault(next(s["name"] for s in self.root.all("zone") if s["unit"] == unit), []).append(name)
        permitted = set()
        for rule in dict.fromkeys(s["name"] for s in self.root.all("rule from")):
            if set(self.values("rule any", name=rule)) != {"source", "destination", "application", "service"}:
                raise Refused(0, rule, "the rule does not match everything")
            if self.value("rule action", name=rule) == "allow":
                source, target = self.value("rule from", name=rule), self.value("rule to", name=rule)
                permitted |= {(a, b) for a in zones.get(source, [INSIDE]) for b in zones.get(target, [INSIDE])}
        names = {unit: name for name, unit in units.items()}
        statics = tuple(
            StaticRoute(
                s["value"],
                names[self.value("route by", name=s["name"])],
                int(self.value("route metric", name=s["name"])),
            )
            for s in self.root.all("route to")
        )
        translated = {names[value] for value in self.values("nat translation")}
        return DeviceSettings(
            tuple(self._tunnel(name, unit) for name, unit in units.items()),
            self._bgp(names) if self.root.all("bgp") else None,
            statics,
            frozenset(permitted),
            translated == set(units),
        )

    def _tunnel(self, name: str, unit: str) -> Tunnel:
        gateway = self.value("gateway", name=name)
        version = self.maybe("version", name=gateway) or "ikev1"
        profile = self.value("profile", name=gateway, version=version)
        esp = self.value("esp profile", name=name)
        cipher, digest = self.value("esp cipher", name=esp), self.value("esp hash", name=esp)
        gcm = cipher.endswith("gcm")
        if gcm != (digest == "none"):
            raise Refused(0, esp, "AES-GCM goes with the authentication none, AES-CBC does not")
        group = self.value("esp group", name=esp)
        address = self.value("address", unit=unit)
        dead = self.value("dpd", name=gateway, version=version) == "yes"
        mtu = int(self.value("mtu", unit=unit))
        clamped = bool(self.values("mss", unit=unit))
        return Tunnel(
            name=name,
            peer=self.value("peer", name=gateway),
            pre_shared_key=self.value("key", name=gateway),
            ike_version=int(version.removeprefix("ikev")),
            ike=(
                Proposal(
                    _cipher(self.value("ike cipher", name=profile)),
                    self.value("ike hash", name=profile),
                    None,
                    GROUPS[self.value("ike group", name=profile)],
                ),
            ),
            esp=(Proposal(_cipher(cipher), None if gcm else digest, None, GROUPS.get(group)),),
            ike_lifetime=int(self.value("ike lifetime", name=profile)),
            esp_lifetime=int(self.value("esp lifetime", name=esp)),
            inside=address,
            remote_inside=other_host(address),
            local_id=self.maybe("local id", name=gateway),
            remote_id=self.maybe("peer id", name=gateway),
            dpd_interval=int(self.value("dpd interval", name=gateway, version=version)) if dead else None,
            starts=self.value("passive", name=gateway) == "no",
            mtu=mtu,
            mss=mtu - int(self.value("mss room", unit=unit)) if clamped else None,
        )

    def _bgp(self, names: dict[str, str]) -> Bgp:
        neighbors = []
        networks = tuple(self.values("redistribute"))
        default = self.value("default") == "yes"
        for statement in self.root.all("peer on"):
            group, peer = statement["name"], statement["peer"]
            where = {"name": group, "peer": peer}
            if self.value("peer from", **where) not in names:
                raise Refused(statement.number, statement.line, "the peer is not reached by a tunnel")
            rules = [s for s in self.root.all("policy used") if s["value"] == group]
            incoming = [s["name"] for s in rules if s["way"] == "import"]
            outgoing = [s["name"] for s in rules if s["way"] == "export"]
            if self.values("policy action", name=outgoing[-1]) != ["deny"]:
                raise Refused(statement.number, statement.line, "what no export rule matches is announced")
            preference = [v for name in incoming for v in self.values("policy preference", name=name)]
            med = [v for name in outgoing for v in self.values("policy med", name=name)]
            secret = self.maybe("peer secret", **where)
            announce = tuple(v for name in outgoing for v in self.values("policy prefix", name=name))
            neighbors.append(
                Neighbor(
                    address=self.value("peer ip", **where),
                    remote_asn=int(self.value("peer as", **where)),
                    keepalive=int(self.value("keepalive", **where)),
                    hold=int(self.value("hold", **where)),
                    password=self.value("secret", name=secret) if secret else None,
                    local_preference=int(preference[0]) if preference else None,
                    med=int(med[0]) if med else None,
                    default_originate=False,
                    announce=tuple(p for p in announce if p != "0.0.0.0/0" or default),
                )
            )
        return Bgp(int(self.value("asn")), tuple(neighbors), networks, self.value("router id"))


def _cipher(word: str) -> str:
    bits = "".join(character for character in word if character.isdigit())
    return f"aes{bits}gcm16" if word.endswith("gcm") else f"aes{bits}"
