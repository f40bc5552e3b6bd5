"""A gateway to test customer scripts against, made of stock parts: one strongSwan with user-space ESP and one BIRD for
each tunnel, each pair in a namespace of its own.

It stands where Twinbore's gateway stands, so that a fault of a script is found without one. Both namespaces have the
same address of a "VPC" on their loopback: whichever tunnel a packet takes, somebody answers.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from twinbore.devices.view import ConnectionView
from twinbore.lab.namespaces import CommandFailed, inside, run
from twinbore.lab.topology import CUSTOMER_ADDRESS, Lab
from twinbore.model.addressing import inside_customer, inside_gateway

VPC_PREFIX = "10.0.0.0/16"
VPC_ADDRESS = "10.0.1.10"

STRONGSWAN_CONF = """\
charon {
    load = random nonce openssl kdf gmp vici kernel-libipsec kernel-netlink socket-default
    routing_table = 7
    install_routes = no
    retransmit_timeout = 1
    filelog { log { path = /run/charon.log
        default = 1 } }
    plugins { kernel-netlink { fwmark = 0x77 }
        vici { socket = unix:///run/charon.vici } }
}
"""
SWANCTL_CONF = """\
connections {{ gw {{
    version = 0
    local_addrs = {outside}
    remote_addrs = {customer}
    encap = yes
    mobike = no
    unique = replace
    proposals = {ike}
    dpd_delay = 10s
    local {{ auth = psk
        id = {outside} }}
    remote {{ auth = psk
        id = {customer} }}
    children {{ gw {{ local_ts = {local_ts}
        remote_ts = {remote_ts}
        esp_proposals = {esp} }} }}
}} }}
secrets {{ ike-gw {{ id = {customer}
    secret = "{key}" }} }}
"""
BIRD_CONF = """\
log "{home}/bird.log" all;
router id {address};
protocol device {{ scan time 1; }}
protocol bfd {{ interface "*" {{ interval 100 ms; multiplier 3; }}; }}
protocol static {{ ipv4; route {vpc} unreachable; }}
protocol kernel {{ ipv4 {{ export filter {{ if source = RTS_BGP then accept; reject; }}; }}; }}
protocol bgp customer {{
    local {address} as {asn};
    neighbor {peer} as {peer_asn};
    hold time 30;
    keepalive time 10;
    connect delay time 1;
    connect retry time 2;
    error wait time 2,10;
    bfd {bfd};
    ipv4 {{ import all; export filter {{
        if source = RTS_STATIC then {{ bgp_med = {med}; accept; }} reject; }}; }};
}}
"""


class StandIn:
    """The gateway's end of tunnel `index` of a connection: namespace, charon, BIRD."""

    def __init__(self, lab: Lab, view: ConnectionView, index: int, ike: str, esp: str, home: Path) -> None:
        self._lab = lab
        self.role = f"gateway{index}"
        self.namespace = lab.add_namespace(self.role)
        self.home = home / self.role
        (self.home / "run").mkdir(parents=True)
        (self.home / "swanctl").mkdir()
        side = view.tunnels[index - 1]
        tunnel = side.tunnel
        network = tunnel.outside_address.rpartition(".")[0]
        lab.forward(self.role)
        lab.connect(self.role, "uplink", "internet", self.role)
        lab.ip("internet", f"address add {network}.1/24 dev {self.role}")
        lab.ip(
            self.role,
            f"address add {tunnel.outside_address}/24 dev uplink",
            f"route add default via {network}.1",
            f"address add {VPC_ADDRESS}/32 dev lo",
        )
        (self.home / "strongswan.conf").write_text(STRONGSWAN_CONF)
        (self.home / "swanctl" / "swanctl.conf").write_text(
            SWANCTL_CONF.format(
                outside=tunnel.outside_address,
                customer=CUSTOMER_ADDRESS,
                ike=ike,
                esp=esp,
                key=side.pre_shared_key,
                local_ts=view.connection.remote_ipv4_network_cidr,
                remote_ts=view.connection.local_ipv4_network_cidr,
            )
        )
        self._inside = inside_gateway(tunnel.inside_cidr)
        (self.home / "bird.conf").write_text(
            BIRD_CONF.format(
                home=self.home,
                address=self._inside.ip,
                vpc=VPC_PREFIX,
                asn=view.amazon_side_asn,
                peer=inside_customer(tunnel.inside_cidr).ip,
                peer_asn=view.customer_gateway.bgp_asn,
                bfd="on" if view.bfd else "off",
                med=(index - 1) * 100,
            )
        )
        self._start()

    def _start(self) -> None:
        script = (
            'mount --bind "$1/strongswan.conf" /etc/strongswan.conf; mount --bind "$1/swanctl" /etc/swanctl;'
            'mount --bind "$1/run" /run; exec /usr/lib/ipsec/charon'
        )
        output = (self.home / "output").open("w")
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script, "sh", str(self.home)]
        self._charon = subprocess.Popen(inside(self.namespace, command), stdout=output, stderr=output)
        deadline = time.monotonic() + 10
        while not (self.home / "run" / "charon.vici").exists():
            assert time.monotonic() < deadline, (self.home / "output").read_text()
            time.sleep(0.05)
        self.swanctl("--load-all", "--noprompt")
        self._lab.ip(self.role, f"address add {self._inside} dev ipsec0")
        run(["bird", "-c", self.home / "bird.conf", "-s", self.home / "bird.ctl"], namespace=self.namespace)

    def swanctl(self, *arguments: str) -> str:
        return run(["nsenter", "-t", str(self._charon.pid), "-m", "swanctl", *arguments], namespace=self.namespace)

    def prefixes(self) -> set[str]:
        """The prefixes that the customer announces over this tunnel."""
        try:
            output = run(["birdc", "-s", self.home / "bird.ctl", "show route protocol customer"])
        except CommandFailed:
            return set()
        return {line.split()[0] for line in output.splitlines() if "unicast" in line and line[0].isdigit()}

    def restart_bgp(self) -> None:
        """Lets the session begin anew, without the pause that follows the end of one."""
        run(["birdc", "-s", self.home / "bird.ctl", "restart customer"])

    def stop(self) -> None:
        self._charon.terminate()
        self._charon.wait()
