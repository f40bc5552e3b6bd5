"""The customer's router of the lab, made to do what a device's configuration says: `DeviceSettings` on stock parts.

strongSwan's user-space ESP stands for the device's IPsec, FRR for its BGP, nftables for its firewall. libipsec cannot
tell two tunnels with equal selectors apart, so each tunnel has a charon of its own, in a mount namespace with its own
/run; UDP encapsulation is always on. FRR's daemons share nothing with the system's.

The gateways at the other end (`gateway_standin`) take every suite that AWS's tunnel options allow, so that what comes
up is what the device offered.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.devices.settings import INSIDE, DeviceSettings, Neighbor, Tunnel
from tests.namespace.gateway_standin import VPC_ADDRESS, VPC_PREFIX, StandIn
from tests.unit.devices.samples import connection_view
from twinbore.lab import namespaces
from twinbore.lab.namespaces import CommandFailed, inside, run
from twinbore.lab.probe import Probe
from twinbore.lab.topology import LAN_PREFIX, Lab, bare_lab

CIPHERS = ("aes256gcm16", "aes128gcm16"), ("aes256", "aes128")
DIGESTS = ("sha512", "sha384", "sha256", "sha1")
GROUPS = (
    "ecp384", "ecp521", "ecp256", "modp4096", "modp3072", "modp2048", "modp6144", "modp8192", "modp2048s256",
    "modp2048s224", "modp1536", "modp1024s160", "modp1024",
)  # fmt: skip
EVERY_IKE = ",".join(
    (
        "-".join((*CIPHERS[0], *(f"prf{digest}" for digest in DIGESTS), *GROUPS)),
        "-".join((*CIPHERS[1], *DIGESTS, *GROUPS)),
        # strongSwan's IKEv1 takes the first algorithm of a kind only, so every combination is a proposal of its own.
        *(f"{cipher}-{digest}-{group}" for cipher in CIPHERS[1] for digest in DIGESTS for group in GROUPS),
    )
)
EVERY_ESP = ",".join(
    (
        "-".join((*CIPHERS[0], *GROUPS)),
        "-".join((*CIPHERS[1], *DIGESTS, *GROUPS)),
        *(f"{cipher}-{group}" for cipher in CIPHERS[0] for group in GROUPS),
        *(f"{cipher}-{digest}-{group}" for cipher in CIPHERS[1] for digest in DIGESTS for group in GROUPS),
    )
)
TABLE = "interpreted"
CHARON = "/usr/lib/ipsec/charon"
CHARON_CONF = """\
charon {{
    load = random nonce openssl kdf gmp vici kernel-libipsec kernel-netlink socket-default
    {ports}
    routing_table = {table}
    install_routes = no
    retransmit_timeout = 1
    filelog {{ log {{ path = /run/charon.log
        flush_line = yes
        default = 1 }} }}
    plugins {{ kernel-netlink {{ fwmark = {mark} }}
        vici {{ socket = unix:///run/charon.vici }} }}
}}
"""
SWANCTL_CONF = """\
connections {{ device {{
    version = {version}
    remote_addrs = {peer}
    {local_addresses}
    {remote_port}
    proposals = {ike}
    encap = yes
    mobike = no
    keyingtries = 0
    rekey_time = {ike_lifetime}s
    {dpd}
    local {{ auth = psk
        {local_id} }}
    remote {{ auth = psk
        id = {remote_id} }}
    children {{ device {{ local_ts = {local_selector}
        remote_ts = {remote_selector}
        esp_proposals = {esp}
        life_time = {esp_lifetime}s
        start_action = {start} }} }}
}} }}
secrets {{ ike-device {{ id = {remote_id}
    secret = "{key}" }} }}
"""
LAUNCH = (
    'mount --bind "$1/strongswan.conf" /etc/strongswan.conf; mount --bind "$1/swanctl" /etc/swanctl;'
    'mount --bind "$1/run" /run; exec ' + CHARON
)


def eventually(condition: Callable[[], bool], seconds: float, what: Callable[[], str]) -> None:
    """Waits until the condition holds; `what` says what was waited for, and what there is instead."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what()}"
        time.sleep(0.05)


@dataclass
class Site:
    """The lab, and the gateways at the other ends of the tunnels; for one device after the other."""

    lab: Lab
    gateways: tuple[StandIn, StandIn]
    home: Path
    runs: int = 0

    @property
    def router(self) -> str:
        return self.lab.name("router")


@contextmanager
def site(prefix: str, home: Path) -> Iterator[Site]:
    """A lab with gateways that take whatever a device offers."""
    view = connection_view()
    with bare_lab(prefix) as lab:
        first, second = (StandIn(lab, view, index, EVERY_IKE, EVERY_ESP, home) for index in (1, 2))
        try:
            yield Site(lab, (first, second), home)
        finally:
            first.stop()
            second.stop()


@dataclass
class Device:
    """A device that runs on the lab's router."""

    site: Site
    settings: DeviceSettings
    home: Path
    charons: list[subprocess.Popen[bytes]] = field(default_factory=list)
    interfaces: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        for number, tunnel in enumerate(self.settings.active):
            self._start_charon(number, tunnel)
        self._firewall()
        if self.settings.bgp is not None:
            self._start_frr()
        for route in self.settings.static_routes:
            tunnel = self.interfaces[route.tunnel]
            self.site.lab.ip("router", f"route add {route.prefix} dev {tunnel} metric {route.preference + 100}")

    def swanctl(self, number: int, *arguments: str) -> str:
        target = ["nsenter", "-t", str(self.charons[number].pid), "-m", "swanctl", *arguments]
        return run(target, namespace=self.site.router)

    def established(self, number: int) -> bool:
        """Whether a tunnel has a child SA."""
        return "INSTALLED" in self.swanctl(number, "--list-sas")

    def way(self, address: str) -> str:
        """The name of the tunnel that packets to an address take, or the interface."""
        words = run(["ip", "-oneline", "route", "get", address], namespace=self.site.router).split()
        device = words[words.index("dev") + 1]
        return next((name for name, interface in self.interfaces.items() if interface == device), device)

    def log(self) -> str:
        """The last lines of the charons' logs."""
        lines = [line for n in range(len(self.charons)) for line in self._charon_log(n).splitlines()[-12:]]
        return "\n".join(lines)

    def stop(self) -> None:
        """Ends everything: BGP first, while its last word still gets through the tunnels.

        bgpd takes some seconds to end by itself, which nothing depends on once the gateways have heard it.
        """
        daemons = [pid.read_text().strip() for pid in sorted((self.home / "frr").glob("*.pid"))]
        if daemons:
            run(["kill", "-TERM", daemons[0]])
            eventually(lambda: not any(g.prefixes() for g in self.site.gateways), 5, lambda: "bgpd says that it ends")
            run(["kill", "-KILL", *daemons])
        for charon in self.charons:
            charon.terminate()
        for charon in self.charons:
            charon.wait()
        for route in self.settings.static_routes:
            self._quietly(["ip", "route", "del", route.prefix])
        self._quietly(["nft", "delete", "table", "ip", TABLE])

    def _quietly(self, command: list[str]) -> None:
        """Undoes what may not be there: a start may have failed half-way."""
        subprocess.run(inside(self.site.router, command), capture_output=True, check=False)

    def _charon_log(self, number: int) -> str:
        file = self.home / f"charon{number}" / "run" / "charon.log"
        return file.read_text() if file.exists() else (self.home / f"charon{number}" / "output").read_text()

    def _start_charon(self, number: int, tunnel: Tunnel) -> None:
        home = self.home / f"charon{number}"
        (home / "run").mkdir(parents=True)
        (home / "swanctl").mkdir()
        ports = "" if number == 0 else "port = 1500\n    port_nat_t = 14500"
        (home / "strongswan.conf").write_text(
            CHARON_CONF.format(ports=ports, table=100 + number, mark=hex(0x100 + number))
        )
        (home / "swanctl" / "swanctl.conf").write_text(
            SWANCTL_CONF.format(
                version=tunnel.ike_version,
                peer=tunnel.peer,
                local_addresses=f"local_addrs = {tunnel.local_address}" if tunnel.local_address else "",
                remote_port="" if number == 0 else "remote_port = 4500",
                ike=", ".join(map(str, tunnel.ike)),
                esp=", ".join(map(str, tunnel.esp)),
                ike_lifetime=tunnel.ike_lifetime,
                esp_lifetime=tunnel.esp_lifetime,
                dpd=f"dpd_delay = {tunnel.dpd_interval}s" if tunnel.dpd_interval else "",
                local_id=f"id = {tunnel.local_id}" if tunnel.local_id else "",
                remote_id=tunnel.remote_id or tunnel.peer,
                local_selector=tunnel.local_selector,
                remote_selector=tunnel.remote_selector,
                start="start" if tunnel.starts else "none",
                key=tunnel.pre_shared_key,
            )
        )
        output = (home / "output").open("w")
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", LAUNCH, "sh", str(home)]
        self.charons.append(subprocess.Popen(inside(self.site.router, command), stdout=output, stderr=output))
        eventually((home / "run" / "charon.vici").exists, 10, lambda: f"charon runs: {(home / 'output').read_text()}")
        self.interfaces[tunnel.name] = device = self._tun(number)
        mtu = min(1400, tunnel.mtu or 1400)
        addresses = [f"address add {tunnel.inside} dev {device}"] if tunnel.inside else []
        self.site.lab.ip("router", *addresses, f"link set {device} mtu {mtu}")
        (self.home / "load").write_text(self.swanctl(number, "--load-all", "--noprompt"))

    def _tun(self, number: int) -> str:
        for file in Path(f"/proc/{self.charons[number].pid}/fdinfo").iterdir():
            for line in file.read_text().splitlines():
                if line.startswith("iff:"):
                    return line.split()[1]
        raise AssertionError("charon has no TUN device")

    def _firewall(self) -> None:
        names = {INSIDE: "lan", **self.interfaces}
        rules = [
            f'iifname "{names[a]}" oifname "{names[b]}" accept'
            for a, b in sorted(self.settings.permitted)
            if {a, b} <= names.keys()
        ]
        clamps = [
            f'{way} "{self.interfaces[t.name]}" tcp flags & (syn | rst) == syn tcp option maxseg size set {t.mss}'
            for t in self.settings.active
            if t.mss
            for way in ("iifname", "oifname")
        ]
        text = [f"table ip {TABLE} {{", "chain clamp {", "type filter hook forward priority mangle", *clamps, "}"]
        text += ["chain forward {", "type filter hook forward priority filter; policy drop", *rules, "}"]
        if self.settings.source_nat:
            outgoing = ", ".join(f'"{interface}"' for interface in self.interfaces.values())
            text += ["chain translate {", "type nat hook postrouting priority srcnat"]
            text += [f"oifname {{ {outgoing} }} masquerade", "}"]
        run(["nft", "-f", "-"], namespace=self.site.router, text="\n".join([*text, "}", ""]))

    def _start_frr(self) -> None:
        home = self.home / "frr"
        home.mkdir()
        (home / "vtysh.conf").write_text("")
        (home / "zebra.conf").write_text(f"log file {home}/zebra.log informational\n")
        (home / "bgpd.conf").write_text(self._bgpd())
        run(["chown", "-R", "frr:frr", home])
        for parent in home.parents:
            if str(parent) != "/":
                parent.chmod(parent.stat().st_mode | 0o11)
        for name in ("zebra", "bgpd"):
            command = [f"/usr/lib/frr/{name}", "--daemon", "--config_file", home / f"{name}.conf", "--pid_file"]
            command += [home / f"{name}.pid", "--socket", home / "zserv.api", "--vty_socket", home, "--vty_port", "0"]
            run([*command, *(("-p", "0") if name == "bgpd" else ())], namespace=self.site.router)

    def _bgpd(self) -> str:
        bgp = self.settings.bgp
        assert bgp is not None
        lines = [f"log file {self.home}/frr/bgpd.log informational"]
        for number, neighbor in enumerate(bgp.neighbors):
            lines += _policies(number, neighbor)
        lines += [f"router bgp {bgp.asn}", " no bgp ebgp-requires-policy", " bgp network import-check"]
        # So that the gateway forgets this device's routes when it ends, instead of waiting for it to come back.
        lines += [" bgp graceful-restart-disable"]
        lines += [f" bgp router-id {bgp.router_id}"] if bgp.router_id else []
        for neighbor in bgp.neighbors:
            lines += [
                f" neighbor {neighbor.address} remote-as {neighbor.remote_asn}",
                f" neighbor {neighbor.address} timers {neighbor.keepalive} {neighbor.hold}",
                f" neighbor {neighbor.address} timers connect 1",
                f" neighbor {neighbor.address} advertisement-interval 0",
            ]
            lines += [f" neighbor {neighbor.address} password {neighbor.password}"] if neighbor.password else []
        lines += [" address-family ipv4 unicast", *(f"  network {prefix}" for prefix in bgp.networks)]
        for number, neighbor in enumerate(bgp.neighbors):
            lines += [f"  neighbor {neighbor.address} default-originate"] if neighbor.default_originate else []
            lines += [f"  neighbor {neighbor.address} route-map OUT{number} out"]
            lines += [f"  neighbor {neighbor.address} route-map IN{number} in"]
        return "\n".join([*lines, " exit-address-family", ""])


def _policies(number: int, neighbor: Neighbor) -> list[str]:
    lines = [f"ip prefix-list OUT{number} permit {prefix}" for prefix in neighbor.announce or ()]
    lines += [f"route-map OUT{number} permit 10"]
    lines += [f" match ip address prefix-list OUT{number}"] if neighbor.announce is not None else []
    lines += [f" set metric {neighbor.med}"] if neighbor.med is not None else []
    lines += [f"route-map IN{number} permit 10"]
    lines += [f" set local-preference {neighbor.local_preference}"] if neighbor.local_preference is not None else []
    return lines


@contextmanager
def running(made: Site, settings: DeviceSettings) -> Iterator[Device]:
    """The device on the lab's router; a static connection's gateways route the LAN into their tunnels."""
    made.runs += 1
    device = Device(made, settings, made.home / f"device{made.runs}")
    device.home.mkdir()
    routes = settings.bgp is None
    for gateway in made.gateways:
        if routes:
            run(["ip", "route", "add", LAN_PREFIX, "dev", "ipsec0"], namespace=gateway.namespace)
        else:
            gateway.restart_bgp()
    try:
        device.start()
        yield device
    finally:
        device.stop()
        for gateway in made.gateways:
            if routes:
                run(["ip", "route", "del", LAN_PREFIX, "dev", "ipsec0"], namespace=gateway.namespace)
            with suppress(CommandFailed):  # none is left after a regular end
                gateway.swanctl("--terminate", "--ike", "gw", "--force", "--timeout", "1")


def assert_works(
    made: Site, settings: DeviceSettings, *, announced: set[str], preferred: str | None, seconds: float = 10
) -> None:
    """Both tunnels come up, exactly `announced` arrives at both gateways, a ping passes by the `preferred` tunnel.

    `announced` is looked at with BGP only.
    """
    with running(made, settings) as device:
        for number, tunnel in enumerate(settings.active):
            eventually(
                lambda number=number: device.established(number),  # type: ignore[misc]
                seconds,
                lambda tunnel=tunnel: f"{tunnel.name} is up\n{device.log()}",  # type: ignore[misc]
            )
        if settings.bgp is not None:
            for gateway in made.gateways:
                eventually(
                    lambda gateway=gateway: gateway.prefixes() == announced,  # type: ignore[misc]
                    seconds,
                    lambda gateway=gateway: f"{announced} are announced; there: {gateway.prefixes()}",  # type: ignore[misc]
                )
        names = {tunnel.name for tunnel in settings.active} if preferred is None else {preferred}
        eventually(lambda: device.way(VPC_ADDRESS) in names, seconds, lambda: f"{VPC_PREFIX} leads into {names}")
        report = Probe(made.lab.name("lan"), VPC_ADDRESS, count=5).wait()
        assert report.lost == 0, report
    assert namespaces.processes(made.router) == []
