"""Junos set commands for SRX and J-Series, as `load set` takes them.

References: Junos OS CLI reference: security ike, security ipsec, security zones, security policies, protocols bgp,
policy-options. A dead peer's threshold is 1 to 5; BGP's keepalive is a third of the hold time; a prefix list matches
exactly; the export policy decides what is announced, and only active routes are; without a source NAT rule between two
zones nothing is translated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.devices.interpreters.grammar import IPV4, Reader, Statement, other_host, read_lines
from tests.devices.settings import INSIDE, Bgp, DeviceSettings, Neighbor, Proposal, Refused, StaticRoute, Tunnel

NAME = r"(?P<name>[A-Za-z0-9_-]{1,63})"
TEXT = r'"?(?P<value>[^"]+?)"?'
IKE, IPSEC = "set security ike", "set security ipsec"
UNIT = r"st0\.(?P<unit>\d+)"
PATTERNS = {
    "ike method": rf"{IKE} proposal {NAME} authentication-method pre-shared-keys",
    "ike group": rf"{IKE} proposal {NAME} dh-group (?P<value>group(?:2|5|14|15|16|19|20|21|24))",
    "ike hash": rf"{IKE} proposal {NAME} authentication-algorithm (?P<value>sha1|sha-256|sha-384|sha-512)",
    "ike cipher": rf"{IKE} proposal {NAME} encryption-algorithm (?P<value>aes-(?:128|192|256)-cbc)",
    "ike lifetime": rf"{IKE} proposal {NAME} lifetime-seconds (?P<value>\d+)",
    "ike mode": rf"{IKE} policy {NAME} mode main",
    "ike proposals": rf"{IKE} policy {NAME} proposals (?P<value>\S+)",
    "ike key": rf'{IKE} policy {NAME} pre-shared-key ascii-text "(?P<value>[^"]+)"',
    "gateway policy": rf"{IKE} gateway {NAME} ike-policy (?P<value>\S+)",
    "gateway address": rf"{IKE} gateway {NAME} address (?P<value>{IPV4})",
    "dpd always": rf"{IKE} gateway {NAME} dead-peer-detection always-send",
    "dpd interval": rf"{IKE} gateway {NAME} dead-peer-detection interval (?P<value>\d+)",
    "dpd threshold": rf"{IKE} gateway {NAME} dead-peer-detection threshold (?P<value>[1-5])",
    "local id": rf"{IKE} gateway {NAME} local-identity (?:inet|hostname|user-at-hostname) (?P<value>\S+)",
    "remote id": rf"{IKE} gateway {NAME} remote-identity inet (?P<value>{IPV4})",
    "gateway interface": rf"{IKE} gateway {NAME} external-interface (?P<value>\S+\.\d+)",
    "version": rf"{IKE} gateway {NAME} version v(?P<value>[12])-only",
    "esp": rf"{IPSEC} proposal {NAME} protocol esp",
    "esp hash": (
        rf"{IPSEC} proposal {NAME} authentication-algorithm "
        r"(?P<value>hmac-sha1-96|hmac-sha-256-128|hmac-sha-384|hmac-sha-512)"
    ),
    "esp cipher": (
        rf"{IPSEC} proposal {NAME} encryption-algorithm (?P<value>aes-(?:128|192|256)-cbc|aes-(?:128|256)-gcm)"
    ),
    "esp lifetime": rf"{IPSEC} proposal {NAME} lifetime-seconds (?P<value>\d+)",
    "pfs": rf"{IPSEC} policy {NAME} perfect-forward-secrecy keys (?P<value>group\d+)",
    "esp proposals": rf"{IPSEC} policy {NAME} proposals (?P<value>\S+)",
    "bind": rf"{IPSEC} vpn {NAME} bind-interface {UNIT}",
    "df": rf"{IPSEC} vpn {NAME} df-bit clear",
    "vpn gateway": rf"{IPSEC} vpn {NAME} ike gateway (?P<value>\S+)",
    "vpn policy": rf"{IPSEC} vpn {NAME} ike ipsec-policy (?P<value>\S+)",
    "establish": rf"{IPSEC} vpn {NAME} establish-tunnels immediately",
    "unit text": rf"set interfaces st0 unit (?P<unit>\d+) description {TEXT}",
    "unit mtu": r"set interfaces st0 unit (?P<unit>\d+) family inet mtu (?P<value>\d+)",
    "unit address": rf"set interfaces st0 unit (?P<unit>\d+) family inet address (?P<value>{IPV4}/30)",
    "mss": r"set security flow tcp-mss ipsec-vpn mss (?P<value>\d+)",
    "outside": (
        rf"set security zones security-zone {NAME} interfaces (?P<value>\S+\.\d+) "
        "host-inbound-traffic system-services ike"
    ),
    "zone": rf"set security zones security-zone {NAME} interfaces {UNIT}",
    "zone services": rf"set security zones security-zone {NAME} host-inbound-traffic system-services ping",
    "zone protocols": rf"set security zones security-zone {NAME} host-inbound-traffic protocols (?P<value>bgp|bfd)",
    "match": (
        rf"set security policies from-zone (?P<from>\S+) to-zone (?P<to>\S+) policy {NAME} "
        "match (?P<value>source-address|destination-address|application) any"
    ),
    "permit": rf"set security policies from-zone (?P<from>\S+) to-zone (?P<to>\S+) policy {NAME} then permit",
    "nat from": rf"set security nat source rule-set {NAME} from zone (?P<value>\S+)",
    "nat to": rf"set security nat source rule-set {NAME} to zone (?P<value>\S+)",
    "nat match": rf"set security nat source rule-set {NAME} rule \S+ match source-address 0\.0\.0\.0/0",
    "nat then": rf"set security nat source rule-set {NAME} rule \S+ then source-nat interface",
    "prefix": rf"set policy-options prefix-list {NAME} (?P<value>{IPV4}/\d+)",
    "from": rf"set policy-options policy-statement {NAME} term (?P<term>\S+) from prefix-list (?P<value>\S+)",
    "then metric": rf"set policy-options policy-statement {NAME} term (?P<term>\S+) then metric (?P<value>\d+)",
    "then preference": (
        rf"set policy-options policy-statement {NAME} term (?P<term>\S+) then local-preference (?P<value>\d+)"
    ),
    "then": rf"set policy-options policy-statement {NAME} term (?P<term>\S+) then (?P<value>accept|reject)",
    "asn": r"set routing-options autonomous-system (?P<value>\d+)",
    "static": (
        rf"set routing-options static route (?P<prefix>{IPV4}/\d+) qualified-next-hop {UNIT} "
        r"preference (?P<value>\d+)"
    ),
    "group type": rf"set protocols bgp group {NAME} type external",
    "peer as": rf"set protocols bgp group {NAME} peer-as (?P<value>\d+)",
    "hold": rf"set protocols bgp group {NAME} hold-time (?P<value>\d+)",
    "multipath": rf"set protocols bgp group {NAME} multipath",
    "bfd": rf"set protocols bgp group {NAME} bfd-liveness-detection (?:minimum-interval|multiplier) \d+",
    "neighbor": rf"set protocols bgp group {NAME} neighbor (?P<peer>{IPV4}) description {TEXT}",
    "password": rf'set protocols bgp group {NAME} neighbor (?P<peer>{IPV4}) authentication-key "(?P<value>[^"]+)"',
    "import": rf"set protocols bgp group {NAME} neighbor (?P<peer>{IPV4}) import (?P<value>\S+)",
    "export": rf"set protocols bgp group {NAME} neighbor (?P<peer>{IPV4}) export (?P<value>\S+)",
}
GROUPS = {
    "group2": "modp1024", "group5": "modp1536", "group14": "modp2048", "group15": "modp3072", "group16": "modp4096",
    "group19": "ecp256", "group20": "ecp384", "group21": "ecp521", "group24": "modp2048s256",
}  # fmt: skip


@dataclass(frozen=True)
class Release:
    hashes: frozenset[str]
    groups: frozenset[str]
    gcm: bool


RELEASES = {
    "11": Release(
        frozenset({"sha1", "sha-256", "hmac-sha1-96", "hmac-sha-256-128"}),
        frozenset({"group2", "group5", "group14"}),
        False,
    ),
    "21": Release(
        frozenset(
            {
                "sha1",
                "sha-256",
                "sha-384",
                "sha-512",
                "hmac-sha1-96",
                "hmac-sha-256-128",
                "hmac-sha-384",
                "hmac-sha-512",
            }
        ),
        frozenset(GROUPS),
        True,
    ),
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
            (statement.key in {"ike hash", "esp hash"} and value not in rules.hashes)
            or (statement.key in {"ike group", "pfs"} and value not in rules.groups)
            or (statement.key == "esp cipher" and value.endswith("gcm") and not rules.gcm)
        )
        if wrong:
            raise Refused(statement.number, statement.line, "this release does not have it")
    return root


class _Reader(Reader):
    def settings(self) -> DeviceSettings:
        vpns = [(s["name"], s["unit"]) for s in self.root.all("bind")]
        tunnels = tuple(self._tunnel(name, unit) for name, unit in vpns)
        zone_of = {s["unit"]: s["name"] for s in self.root.all("zone")}
        names: dict[str, list[str]] = {}
        for name, unit in vpns:
            names.setdefault(zone_of[unit], []).append(name)
        permitted = set()
        for policy in self.root.all("permit"):
            pair = {"from": policy["from"], "to": policy["to"], "name": policy["name"]}
            if set(self.values("match", **pair)) != {"source-address", "destination-address", "application"}:
                raise Refused(policy.number, policy.line, "missing mandatory match")
            permitted |= {
                (a, b) for a in names.get(policy["from"], [INSIDE]) for b in names.get(policy["to"], [INSIDE])
            }
        statics = tuple(
            StaticRoute(s["prefix"], next(n for n, unit in vpns if unit == s["unit"]), int(s["value"]))
            for s in self.root.all("static")
        )
        nat = any(s["value"] in names for s in self.root.all("nat to")) and bool(self.root.all("nat then"))
        return DeviceSettings(
            tunnels,
            self._bgp(set(zone_of.values())) if self.root.all("asn") else None,
            statics,
            frozenset(permitted),
            nat,
        )

    def _tunnel(self, name: str, unit: str) -> Tunnel:
        gateway = self.value("vpn gateway", name=name)
        policy = self.value("gateway policy", name=gateway)
        proposal = self.value("ike proposals", name=policy)
        esp_policy = self.value("vpn policy", name=name)
        esp = self.value("esp proposals", name=esp_policy)
        self.value("esp", name=esp), self.value("ike method", name=proposal)
        if self.value("gateway interface", name=gateway) not in self.values("outside"):
            raise Refused(0, gateway, "the outside interface lets no IKE in")
        version = int(self.value("version", name=gateway))
        address = self.value("unit address", unit=unit)
        digest = self.value("ike hash", name=proposal).replace("sha-", "sha")
        cipher = self.value("esp cipher", name=esp)
        esp_hash = self.maybe("esp hash", name=esp)
        if (esp_hash is None) != cipher.endswith("gcm"):
            raise Refused(0, esp, "AES-GCM takes no authentication algorithm, AES-CBC needs one")
        bits, mode = cipher.split("-")[1:]
        pfs = self.maybe("pfs", name=esp_policy)
        interval = int(self.value("dpd interval", name=gateway))
        return Tunnel(
            name=name,
            peer=self.value("gateway address", name=gateway),
            pre_shared_key=self.value("ike key", name=policy),
            ike_version=version,
            ike=(
                Proposal(
                    f"aes{self.value('ike cipher', name=proposal).split('-')[1]}",
                    digest,
                    None,
                    GROUPS[self.value("ike group", name=proposal)],
                ),
            ),
            esp=(
                Proposal(
                    f"aes{bits}gcm16" if mode == "gcm" else f"aes{bits}",
                    "sha" + esp_hash.split("-")[-2 if esp_hash.endswith(("96", "128")) else -1].removeprefix("sha")
                    if esp_hash
                    else None,
                    None,
                    GROUPS[pfs] if pfs else None,
                ),
            ),
            ike_lifetime=int(self.value("ike lifetime", name=proposal)),
            esp_lifetime=int(self.value("esp lifetime", name=esp)),
            inside=address,
            remote_inside=other_host(address),
            local_id=self.maybe("local id", name=gateway),
            remote_id=self.maybe("remote id", name=gateway),
            dpd_interval=interval,
            dpd_timeout=interval * int(self.value("dpd threshold", name=gateway)),
            starts=bool(self.values("establish", name=name)),
            mtu=int(self.value("unit mtu", unit=unit)),
            mss=int(self.value("mss")),
        )

    def _bgp(self, zones: set[str]) -> Bgp:
        neighbors = []
        announced: tuple[str, ...] = ()
        if not any("bgp" in self.values("zone protocols", name=zone) for zone in zones):
            raise Refused(0, "zone", "the tunnels' zone lets no BGP in")
        for statement in self.root.all("neighbor"):
            group, peer = statement["name"], statement["peer"]
            hold = int(self.value("hold", name=group))
            incoming, outgoing = (self.value(key, name=group, peer=peer) for key in ("import", "export"))
            preference = self.maybe("then preference", name=incoming)
            if (
                self.values("then", name=incoming) != ["accept"]
                or self.value("then", name=outgoing, term="rest") != "reject"
            ):
                raise Refused(statement.number, statement.line, "a policy does not end as it should")
            lists = self.values("from", name=outgoing)
            announced = tuple(prefix for name in lists for prefix in self.values("prefix", name=name))
            if lists and not announced:
                raise Refused(statement.number, statement.line, "a policy refers to a prefix list that does not exist")
            metric = self.maybe("then metric", name=outgoing)
            neighbors.append(
                Neighbor(
                    address=peer,
                    remote_asn=int(self.value("peer as", name=group)),
                    keepalive=hold // 3,
                    hold=hold,
                    password=self.maybe("password", name=group, peer=peer),
                    local_preference=int(preference) if preference else None,
                    med=int(metric) if metric else None,
                    announce=announced,
                )
            )
        return Bgp(int(self.value("asn")), tuple(neighbors), announced)
