"""Set commands of Vyatta 6.5, EdgeOS 2 and VyOS 1.4 and later.

References: Vyatta 6.5 VPN and BGP Reference Guides; EdgeOS User Guide; docs.vyos.io (sagitta, circinus). Vyatta calls
peers by their address and puts BGP under its ASN; VyOS since 1.4 names peers, keeps keys apart and calls the ASN
system-as. All hand their algorithms to strongSwan, whose IKE takes a hash beside AES-GCM as the PRF. Nothing is
filtered nor translated without a rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.devices.interpreters.grammar import IPV4, Reader, Statement, other_host, read_lines
from tests.devices.settings import INSIDE, Bgp, DeviceSettings, Neighbor, Proposal, Refused, StaticRoute, Tunnel

NAME = r"(?P<name>[A-Za-z0-9_.-]+)"
CIPHER = r"(?P<value>aes128|aes256|3des|aes128gcm128|aes256gcm128)"
HASH = r"(?P<value>md5|sha1|sha256|sha384|sha512)"
IKE, ESP = rf"set vpn ipsec ike-group {NAME}", rf"set vpn ipsec esp-group {NAME}"
PEER = r"set vpn ipsec site-to-site peer (?P<peer>\S+)"
VTI = r"(?P<vti>vti\d+)"
BASE = {
    "ike lifetime": rf"{IKE} lifetime (?P<value>\d+)",
    "ike cipher": rf"{IKE} proposal 1 encryption {CIPHER}",
    "ike hash": rf"{IKE} proposal 1 hash {HASH}",
    "ike group": rf"{IKE} proposal 1 dh-group (?P<value>\d+)",
    "dpd action": rf"{IKE} dead-peer-detection action (?P<value>hold|clear|restart)",
    "dpd interval": rf"{IKE} dead-peer-detection interval (?P<value>\d+)",
    "dpd timeout": rf"{IKE} dead-peer-detection timeout (?P<value>\d+)",
    "esp lifetime": rf"{ESP} lifetime (?P<value>\d+)",
    "esp mode": rf"{ESP} mode (?P<value>tunnel)",
    "pfs": rf"{ESP} pfs dh-group(?P<value>\d+)",
    "esp cipher": rf"{ESP} proposal 1 encryption {CIPHER}",
    "esp hash": rf"{ESP} proposal 1 hash {HASH}",
    "mode": rf"{PEER} authentication mode (?P<value>pre-shared-secret)",
    "type": rf"{PEER} connection-type (?P<value>initiate|respond)",
    "ike of": rf"{PEER} ike-group (?P<value>\S+)",
    "local": rf"{PEER} local-address (?P<value>any|{IPV4})",
    "bind": rf"{PEER} vti bind {VTI}",
    "esp of": rf"{PEER} vti esp-group (?P<value>\S+)",
    "address": rf"set interfaces vti {VTI} address (?P<value>{IPV4}/30)",
    "description": rf"set interfaces vti {VTI} description \S+",
    "mtu": rf"set interfaces vti {VTI} mtu (?P<value>\d+)",
    "list": rf"set policy prefix-list {NAME} rule (?P<rule>\d+) action (?P<value>permit|deny)",
    "list prefix": rf"set policy prefix-list {NAME} rule (?P<rule>\d+) prefix (?P<value>{IPV4}/\d+)",
    "list le": rf"set policy prefix-list {NAME} rule (?P<rule>\d+) le 32",
    "map": rf"set policy route-map {NAME} rule 10 action (?P<value>permit)",
    "map match": rf"set policy route-map {NAME} rule 10 match ip address prefix-list (?P<value>\S+)",
    "map metric": rf"set policy route-map {NAME} rule 10 set metric (?P<value>\d+)",
    "map preference": rf"set policy route-map {NAME} rule 10 set local-preference (?P<value>\d+)",
}


def _bgp_patterns(bgp: str, family: str) -> dict[str, str]:
    neighbor = rf"{bgp} neighbor (?P<peer>{IPV4})"
    return {
        "network": rf"{bgp} {family}network (?P<value>{IPV4}/\d+)",
        "paths": rf"{bgp} {family}maximum-paths ebgp (?P<value>\d+)",
        "neighbor": rf"{neighbor} remote-as (?P<value>\d+)",
        "keepalive": rf"{neighbor} timers keepalive (?P<value>\d+)",
        "hold": rf"{neighbor} timers holdtime (?P<value>\d+)",
        "password": rf"{neighbor} password (?P<value>\S+)",
        "soft": rf"{neighbor} {family}soft-reconfiguration inbound",
        "import": rf"{neighbor} {family}route-map import (?P<value>\S+)",
        "export": rf"{neighbor} {family}route-map export (?P<value>\S+)",
        "default": rf"{neighbor} {family}default-originate",
    }


VYATTA = BASE | _bgp_patterns(r"set protocols bgp (?P<asn>\d+)", "") | {
    "outside": r"set vpn ipsec ipsec-interfaces interface (?P<value>\S+)",
    "key": rf"{PEER} authentication pre-shared-secret (?P<value>\S+)",
    "local id": rf"{PEER} authentication id (?P<value>\S+)",
    "remote id": rf"{PEER} authentication remote-id (?P<value>\S+)",
    "static": (
        rf"set protocols static interface-route (?P<prefix>{IPV4}/\d+) next-hop-interface {VTI} distance (?P<value>\d+)"
    ),
}  # fmt: skip
PATTERNS = {
    "vyatta": VYATTA | {
        "policy": rf"set policy route {NAME} rule 10 (?:protocol tcp|tcp flags SYN)",
        "mss": rf"set policy route {NAME} rule 10 set tcp-mss (?P<value>\d+)",
        "apply": rf"set interfaces (?:vti {VTI}|ethernet \S+) policy route {NAME}",
        "nat out": rf"set nat source rule (?P<rule>\d+) outbound-interface {VTI}",
        "nat": r"set nat source rule (?P<rule>\d+) translation address masquerade",
    },
    "edgeos": VYATTA | {
        "version": rf"{IKE} key-exchange ikev(?P<value>[12])",
        "clamp": r"set firewall options mss-clamp interface-type vti",
        "mss": r"set firewall options mss-clamp mss (?P<value>\d+)",
        "nat": r"set service nat rule (?P<rule>\d+) type masquerade",
        "nat out": rf"set service nat rule (?P<rule>\d+) outbound-interface {VTI}",
    },
    "vyos": BASE | _bgp_patterns("set protocols bgp", "address-family ipv4-unicast ") | {
        "version": rf"{IKE} key-exchange ikev(?P<value>[12])",
        "outside": r"set vpn ipsec interface (?P<value>\S+)",
        "psk id": rf"set vpn ipsec authentication psk {NAME} id (?P<value>\S+)",
        "psk": rf"set vpn ipsec authentication psk {NAME} secret (?P<value>\S+)",
        "remote": rf"{PEER} remote-address (?P<value>{IPV4})",
        "local id": rf"{PEER} authentication local-id (?P<value>\S+)",
        "remote id": rf"{PEER} authentication remote-id (?P<value>\S+)",
        "mss": rf"set interfaces vti {VTI} ip adjust-mss (?P<value>\d+)",
        "asn": r"set protocols bgp system-as (?P<asn>\d+)",
        "check": r"set protocols bgp parameters network-import-check",
        "bfd": rf"set protocols bgp neighbor (?P<peer>{IPV4}) bfd profile \S+",
        "bfd profile": rf"set protocols bfd profile {NAME} interval (?:transmit|receive|multiplier) \d+",
        "static": rf"set protocols static route (?P<prefix>{IPV4}/\d+) interface {VTI} distance (?P<value>\d+)",
        "nat out": rf"set nat source rule (?P<rule>\d+) outbound-interface name {VTI}",
        "nat": r"set nat source rule (?P<rule>\d+) translation address masquerade",
    },
}  # fmt: skip
GROUPS = {
    "2": "modp1024", "5": "modp1536", "14": "modp2048", "15": "modp3072", "16": "modp4096", "17": "modp6144",
    "18": "modp8192", "19": "ecp256", "20": "ecp384", "21": "ecp521", "22": "modp1024s160", "23": "modp2048s224",
    "24": "modp2048s256",
}  # fmt: skip


@dataclass(frozen=True)
class Release:
    hashes: frozenset[str]
    groups: frozenset[str]
    gcm: frozenset[str]


HASHES = frozenset({"sha1", "sha256", "sha384", "sha512"})
RELEASES = {
    "vyatta": Release(frozenset({"sha1"}), frozenset({"2", "5"}), frozenset()),
    "edgeos": Release(HASHES, frozenset(GROUPS), frozenset({"esp cipher"})),
    "vyos": Release(HASHES, frozenset(GROUPS), frozenset({"esp cipher", "ike cipher"})),
}


def release(system: str) -> Callable[[str], DeviceSettings]:
    """The interpreter of `vyatta`, `edgeos` or `vyos`."""
    return lambda text: _Reader(parse(text, system)).settings()


def parse(text: str, system: str) -> Statement:
    """The statements. Raises `Refused`."""
    root = read_lines(text, PATTERNS[system])
    rules = RELEASES[system]
    for statement in root.inner:
        value = statement.values.get("value", "")
        wrong = (
            (statement.key in {"ike hash", "esp hash"} and value not in rules.hashes)
            or (statement.key in {"ike group", "pfs"} and value not in rules.groups)
            or ("gcm" in value and statement.key.endswith("cipher") and statement.key not in rules.gcm)
        )
        if wrong:
            raise Refused(statement.number, statement.line, "value validation failed")
    return root


class _Reader(Reader):
    def settings(self) -> DeviceSettings:
        self.value("outside")
        peers = {s["peer"]: s["vti"] for s in self.root.all("bind")}
        tunnels = tuple(self._tunnel(peer, vti) for peer, vti in peers.items())
        statics = tuple(StaticRoute(s["prefix"], s["vti"], int(s["value"])) for s in self.root.all("static"))
        permitted = {pair for vti in peers.values() for pair in ((INSIDE, vti), (vti, INSIDE))}
        masked = {s["rule"] for s in self.root.all("nat")}
        translated = {s["vti"] for s in self.root.all("nat out") if s["rule"] in masked}
        bgp = self._bgp() if self.root.all("neighbor") else None
        return DeviceSettings(tunnels, bgp, statics, frozenset(permitted), translated == set(peers.values()))

    def _tunnel(self, peer: str, vti: str) -> Tunnel:
        self.value("mode", peer=peer)
        ike, esp = self.value("ike of", peer=peer), self.value("esp of", peer=peer)
        address = self.value("address", vti=vti)
        local = self.value("local", peer=peer)
        remote = self.maybe("remote", peer=peer) or peer
        remote_id = self.maybe("remote id", peer=peer)
        local_id = self.maybe("local id", peer=peer)
        mss = self.maybe("mss", vti=vti) or self.maybe("mss")
        return Tunnel(
            name=vti,
            peer=remote,
            pre_shared_key=self.maybe("key", peer=peer) or self._key(remote_id or remote, local_id),
            ike_version=int(self.maybe("version", name=ike) or "1"),
            ike=(self._proposal(ike, "ike", GROUPS[self.value("ike group", name=ike)]),),
            esp=(self._proposal(esp, "esp", GROUPS[self.value("pfs", name=esp)]),),
            ike_lifetime=int(self.value("ike lifetime", name=ike)),
            esp_lifetime=int(self.value("esp lifetime", name=esp)),
            inside=address,
            remote_inside=other_host(address),
            local_address=None if local == "any" else local,
            local_id=local_id,
            remote_id=remote_id,
            dpd_interval=int(self.value("dpd interval", name=ike)),
            dpd_timeout=int(self.value("dpd timeout", name=ike)),
            starts=self.value("type", peer=peer) == "initiate",
            mtu=int(self.value("mtu", vti=vti)),
            mss=int(mss) if mss else None,
        )

    def _key(self, remote: str, local: str | None) -> str:
        """The key whose ids are those of both ends."""
        for statement in self.root.all("psk"):
            ids = set(self.values("psk id", name=statement["name"]))
            if remote in ids and (local is None or local in ids):
                return statement["value"]
        raise Refused(0, remote, "no key for this peer")

    def _proposal(self, name: str, phase: str, group: str) -> Proposal:
        cipher, digest = self.value(f"{phase} cipher", name=name), self.value(f"{phase} hash", name=name)
        if cipher.endswith("gcm128"):
            return Proposal(cipher.removesuffix("128") + "16", None, digest if phase == "ike" else None, group)
        return Proposal(cipher, digest, None, group)

    def _bgp(self) -> Bgp:
        asns = {s["asn"] for s in self.root.inner if "asn" in s.values}
        if len(asns) != 1:
            raise Refused(0, "bgp", f"{len(asns)} autonomous systems")
        neighbors = []
        for statement in self.root.all("neighbor"):
            peer = statement["peer"]
            incoming, outgoing = self.value("import", peer=peer), self.value("export", peer=peer)
            self.value("map", name=incoming), self.value("map", name=outgoing)
            preference, metric = self.maybe("map preference", name=incoming), self.maybe("map metric", name=outgoing)
            names = self.values("map match", name=outgoing)
            permitted = [s for s in self.root.all("list") if s["name"] in names and s["value"] == "permit"]
            neighbors.append(
                Neighbor(
                    address=peer,
                    remote_asn=int(statement["value"]),
                    keepalive=int(self.value("keepalive", peer=peer)),
                    hold=int(self.value("hold", peer=peer)),
                    password=self.maybe("password", peer=peer),
                    local_preference=int(preference) if preference else None,
                    med=int(metric) if metric else None,
                    default_originate=bool(self.values("default", peer=peer)),
                    announce=tuple(self.value("list prefix", name=s["name"], rule=s["rule"]) for s in permitted)
                    if names
                    else None,
                )
            )
        return Bgp(int(asns.pop()), tuple(neighbors), tuple(self.values("network")))
