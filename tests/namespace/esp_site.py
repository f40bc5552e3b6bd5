"""Two VPN gateways joined by a veth, to try twinbore-esp with the charon of the distribution.

A `UserSite` is what Twinbore runs: twinbore-esp and a charon with the shim in the underlay's namespace, and the TUN in
a namespace of its own. A `StockSite` is a peer of stock parts only: charon with its own user-space ESP
(kernel-libipsec). Both have the same outside: an address on the veth, vici, one connection with one child.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_interface
from pathlib import Path
from typing import Any, Final

import vici

from twinbore.lab import namespaces
from twinbore.lab.namespaces import inside, run

TARGET: Final = Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).parents[2] / "esp" / "target"))
DAEMON: Final = TARGET / "release" / "twinbore-esp"
SHIM: Final = TARGET / "release" / "libtwinbore_esp_shim.so"
DAEMON_GONE_STATUS: Final = 111
KEY: Final = "a pre-shared key of the laboratory"
IKE: Final = "aes128gcm16-prfsha256-ecp256"
CHILD: Final = "net"
MTU: Final = 1360
"""Of the TUNs: with the largest overhead, AES-CBC with SHA2-512 in UDP over IPv6, a packet fits the veth."""

CHARON_CONF: Final = """\
charon {{
    load = {plugins}
    install_routes = no
    routing_table = 7
    retransmit_timeout = 1
    retransmit_base = 1.2
    retransmit_tries = 3
    half_open_timeout = 10
    filelog {{ log {{ path = /run/charon.log
        flush_line = yes
        default = 1
        knl = 2
        chd = {child_log_level} }} }}
    plugins {{ kernel-netlink {{ fwmark = 0x77 }}
        vici {{ socket = unix:///run/charon.vici }} }}
}}
"""
PLUGINS: Final = "random nonce openssl kdf gmp vici {kernel} kernel-netlink socket-default"

_numbers = itertools.count()


def eventually(condition: Callable[[], Any], seconds: float, what: str) -> float:
    """Waits until the condition holds; gives the seconds that it took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - begin


@dataclass
class Child:
    """What the child SA is to be like. Times in seconds, 0 for never."""

    proposal: str = "aes128gcm16"
    encap: bool = True
    rekey_time: int = 0
    life_time: int = 0
    replay_window: int = 1024
    dpd_delay: int = 0
    start_action: str = "none"
    selectors: tuple[str, ...] = ("0.0.0.0/0", "::/0")


LAUNCH: Final = """\
root=$1 run=$2 shim=$3; shift 3
if [ -n "$shim" ]; then
    : >"$run/shim.so"
    mount --bind "$shim" "$run/shim.so"
fi
if [ -n "$root" ]; then
    for directory in dev proc; do mount --rbind "/$directory" "$root/$directory"; done
    mount --rbind "$run" "$root/run"
fi
mount --rbind "$run" /run
export STRONGSWAN_CONF=/run/strongswan.conf "$@"
exec chroot "${root:-/}" /usr/lib/ipsec/charon
"""


@dataclass
class Charon:
    """One strongSwan in a namespace, with a /run of its own.

    `root` is the root directory of another Debian whose charon it is (None: this machine's), `shim` what is preloaded.
    """

    namespace: str
    home: Path
    plugins: str
    shim: Path | None = None
    root: Path | None = None
    child_log_level: int = 1
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        run_directory = self.home / "run"
        run_directory.mkdir(parents=True, exist_ok=True)
        (run_directory / "strongswan.conf").write_text(self._settings())
        for leftover in ("charon.pid", "charon.vici"):
            (run_directory / leftover).unlink(missing_ok=True)
        variables = ["LD_PRELOAD=/run/shim.so", "TWINBORE_ESP_SOCKET=/run/xfrm", "TWINBORE_ESP_DEBUG=1"]
        command: list[str | Path] = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", LAUNCH, "sh"]
        command += [self.root or "", run_directory, self.shim or "", *(variables if self.shim else [])]
        with (self.home / "output").open("ab") as output:
            self.process = subprocess.Popen(inside(self.namespace, command), stdout=output, stderr=output)
        eventually(self._answers, 10, "charon answers on vici")

    def _settings(self) -> str:
        return CHARON_CONF.format(plugins=self.plugins, child_log_level=self.child_log_level)

    def _answers(self) -> bool:
        assert self.process is not None and self.process.poll() is None, (self.home / "output").read_text()
        try:
            self.session().version()
        except OSError:
            return False
        return True

    def session(self) -> Any:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(20)
        connection.connect(str(self.home / "run" / "charon.vici"))
        return vici.Session(connection)

    def log(self) -> str:
        return (self.home / "run" / "charon.log").read_text()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
            self.process.kill()
            self.process.wait()


class Site:
    """One end: the outside address, the inside addresses, charon.

    `reached_at` is where the peer finds it: the outside address, unless a NAT is between the two.
    """

    def __init__(self, name: str, outside: str, inside_address: str, if_id: int, home: Path) -> None:
        self.underlay = f"{name}u"
        self.traffic = self.underlay
        self.outside = ip_interface(outside)
        self.inside_address = inside_address
        self.inside6 = f"fd00::{inside_address}"
        self.reached_at = str(self.outside.ip)
        self.if_id = if_id
        self.home = home
        home.mkdir(parents=True)
        namespaces.create(self.underlay)
        self.charon: Charon

    def start(self) -> None:
        raise NotImplementedError

    def remove(self) -> None:
        self.charon.stop()
        namespaces.remove(self.underlay)

    def load(self, peer: Site, child: Child) -> None:
        """Loads the connection to the peer; nothing is initiated."""
        session = self.charon.session()
        ids = [str(self.outside.ip), str(peer.outside.ip)]
        session.load_shared({"id": "psk", "type": "IKE", "data": KEY, "owners": ids})
        selectors = list(child.selectors)
        settings: dict[str, Any] = {
            "version": "2",
            "local_addrs": [ids[0]],
            "remote_addrs": [peer.reached_at],
            "proposals": [IKE],
            "encap": "yes" if child.encap else "no",
            "mobike": "no",
            "unique": "replace",
            "dpd_delay": f"{child.dpd_delay}s",
            "local": {"auth": "psk", "id": ids[0]},
            "remote": {"auth": "psk", "id": ids[1]},
            "children": {
                CHILD: {
                    "local_ts": selectors,
                    "remote_ts": selectors,
                    "esp_proposals": [child.proposal],
                    "rekey_time": f"{child.rekey_time}s",
                    "life_time": f"{child.life_time}s",
                    "rand_time": "0s",
                    "replay_window": str(child.replay_window),
                    "dpd_action": "clear",
                    "start_action": child.start_action,
                }
            },
        } | ({"if_id_in": str(self.if_id), "if_id_out": str(self.if_id)} if self.if_id else {})
        session.load_conn({"gw": settings})

    def initiate(self) -> None:
        for _ in self.charon.session().initiate({"child": CHILD, "timeout": "10000"}):
            pass

    def rekey(self, what: str, name: str) -> None:
        """`what` is child or ike."""
        self.charon.session().rekey({what: name})

    def ike_ids(self) -> set[bytes]:
        """The unique ids of the established IKE SAs."""
        return {sa["uniqueid"] for sa in self.ike_sas() if sa["state"] == b"ESTABLISHED"}

    def terminate(self) -> None:
        for _ in self.charon.session().terminate({"ike": "gw", "timeout": "5000"}):
            pass

    def ike_sas(self) -> list[dict[str, Any]]:
        return [sa for answer in self.charon.session().list_sas() for sa in answer.values()]

    def children(self) -> list[dict[str, Any]]:
        """Installed child SAs of all IKE SAs."""
        children = [child for sa in self.ike_sas() for child in sa["child-sas"].values()]
        return [child for child in children if child["state"] == b"INSTALLED"]

    def spis(self) -> set[str]:
        """The inbound SPIs of the installed children."""
        return {child["spi-in"].decode() for child in self.children()}

    def ping(self, peer: Site, count: int = 3, size: int = 56, version: int = 4) -> bool:
        """Whether all pings are answered; `size` is that of the payload."""
        address = peer.inside_address if version == 4 else peer.inside6
        command = ["ping", "-c", str(count), "-i", "0.02", "-W", "1", "-s", str(size), address]
        done = subprocess.run(inside(self.traffic, command), capture_output=True, text=True, check=False)
        return f" {count} received" in done.stdout


class UserSite(Site):
    """twinbore-esp and charon with the shim; the TUN is in another namespace, as a routing domain's is."""

    def __init__(self, name: str, outside: str, inside_address: str, home: Path, if_id: int = 7) -> None:
        super().__init__(name, outside, inside_address, if_id, home)
        self.traffic = f"{name}t"
        namespaces.create(self.traffic)
        self.daemon: subprocess.Popen[bytes] | None = None
        self.charon = Charon(self.underlay, home, PLUGINS.format(kernel=""), SHIM)

    def start(self) -> None:
        self.start_daemon()
        self.charon.start()

    def start_daemon(self) -> None:
        (self.home / "run").mkdir(exist_ok=True)
        command: list[str | Path] = [DAEMON, "run", "--workers", "2", "--xfrm-socket", self.home / "run" / "xfrm"]
        command += ["--control-socket", self.home / "control"]
        with (self.home / "daemon").open("ab") as output:
            self.daemon = subprocess.Popen(inside(self.underlay, command), stdout=output, stderr=output)
        eventually(self._serves, 10, "twinbore-esp serves its control socket")
        self.control("add_tunnel", if_id=self.if_id, netns=self.traffic, name="tun0", mtu=MTU)
        run(["ip", "-n", self.traffic, "address", "replace", self.inside_address, "dev", "tun0"])
        run(["ip", "-n", self.traffic, "address", "replace", self.inside6, "dev", "tun0", "nodad"])
        for family in ("-4", "-6"):
            run(["ip", family, "-n", self.traffic, "route", "replace", "default", "dev", "tun0"])

    def _serves(self) -> bool:
        assert self.daemon is not None and self.daemon.poll() is None, self.daemon_log()
        try:
            return bool(self.control("hello"))
        except OSError:
            return False

    def control(self, operation: str, **arguments: Any) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rw") as stream:
            connection.settimeout(10)
            connection.connect(str(self.home / "control"))
            stream.write(json.dumps({"id": 1, "op": operation, **arguments}) + "\n")
            stream.flush()
            answer: dict[str, Any] = json.loads(stream.readline())
        assert answer.get("error") is None, answer
        ok: dict[str, Any] = answer["ok"]
        return ok

    def set_mtu(self, mtu: int) -> None:
        """Of the TUN."""
        self.control("add_tunnel", if_id=self.if_id, netns=self.traffic, name="tun0", mtu=mtu)

    def sas(self) -> list[dict[str, Any]]:
        sas: list[dict[str, Any]] = self.control("list_sas")["sas"]
        return sas

    def drops(self) -> dict[str, int]:
        """What was dropped, by reason; reasons that never occurred are left out."""
        return {reason: count for reason, count in self.control("stats")["drops"].items() if count}

    def daemon_log(self) -> str:
        return (self.home / "daemon").read_text()

    def kill_daemon(self) -> None:
        assert self.daemon is not None
        self.daemon.kill()
        self.daemon.wait()

    def remove(self) -> None:
        self.charon.stop()
        if self.daemon is not None and self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait(10)
        for namespace in (self.traffic, self.underlay):
            namespaces.remove(namespace)


class StockSite(Site):
    """charon with kernel-libipsec, which knows no if_id and no ESN, and encapsulates always."""

    def __init__(self, name: str, outside: str, inside_address: str, home: Path) -> None:
        super().__init__(name, outside, inside_address, 0, home)
        self.charon = Charon(self.underlay, home, PLUGINS.format(kernel="kernel-libipsec"))
        # libipsec wants an address inside the local selector, and takes the veth's.
        run(["ip", "-n", self.underlay, "address", "add", inside_address, "dev", "lo"])
        run(["ip", "-n", self.underlay, "address", "replace", self.inside6, "dev", "lo", "nodad"])

    def start(self) -> None:
        self.charon.start()

    def route(self, peer: Site) -> None:
        for address in (peer.inside_address, peer.inside6):
            run(["ip", "-n", self.underlay, "route", "replace", address, "dev", "ipsec0"])


def both_ways(a: Site, b: Site, *, versions: tuple[int, ...] = (4, 6), fragmented: int = 3000) -> bool:
    """In both directions small packets, packets as large as the TUN's MTU, and fragmented ones."""
    headers = {4: 28, 6: 48}
    return all(
        site.ping(peer, size=size, version=version)
        for site, peer in ((a, b), (b, a))
        for version in versions
        for size in (56, MTU - headers[version], fragmented)
    )


TCP_SERVER: Final = """\
import hashlib, socket, sys
with socket.create_server((sys.argv[1], 5001), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET) as s:
    print("listening", flush=True)
    connection, _ = s.accept()
    digest = hashlib.sha256()
    while data := connection.recv(1 << 16):
        digest.update(data)
    print(digest.hexdigest(), flush=True)
"""
TCP_CLIENT: Final = """\
import hashlib, os, socket, sys
data = os.urandom(int(sys.argv[2]))
with socket.create_connection((sys.argv[1], 5001), timeout=10) as connection:
    connection.sendall(data)
print(hashlib.sha256(data).hexdigest())
"""


def transfer(sender: str, receiver: str, address: str, octets: int) -> bool:
    """Whether random octets that go over TCP from one namespace to an address in another arrive as they are."""
    server = subprocess.Popen(
        inside(receiver, [sys.executable, "-c", TCP_SERVER, address]), stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None and server.stdout.readline() == "listening\n"
        sent = run([sys.executable, "-c", TCP_CLIENT, address, str(octets)], namespace=sender, timeout=30)
        return server.communicate(timeout=20)[0] == sent
    finally:
        server.kill()
        server.wait()


def name_prefix() -> str:
    """A prefix for namespaces that no other test has."""
    return f"tbe{os.getpid() % 100000}x{next(_numbers)}"


def join(a: Site, b: Site) -> None:
    """A veth between two sites, with their outside addresses."""
    run(["ip", "link", "add", "wan", "netns", a.underlay, "type", "veth", "peer", "name", "wan", "netns", b.underlay])
    for site in (a, b):
        flags = ["nodad"] if site.outside.version == 6 else []
        run(["ip", "-n", site.underlay, "address", "add", str(site.outside), "dev", "wan", *flags])
        run(["ip", "-n", site.underlay, "link", "set", "wan", "up"])


@contextmanager
def prepared(a: Site, b: Site, child: Child, wire: Callable[[Site, Site], None] = join) -> Iterator[None]:
    """Joins two sites and loads their connections; removes the sites at the end, also after a failure."""
    sites = (a, b)
    try:
        wire(a, b)
        for site in sites:
            site.start()
        a.load(b, child)
        b.load(a, child)
        yield
    finally:
        for site in sites:
            site.remove()


def renegotiate(a: Site, b: Site, child: Child) -> None:
    """Replaces the SAs of two established sites by what `child` wants."""
    a.terminate()
    for site in (a, b):
        eventually(lambda: not site.ike_sas(), 5, "the end of the old IKE SA")  # noqa: B023
    a.load(b, child)
    b.load(a, child)
    a.initiate()


@contextmanager
def established(a: Site, b: Site, child: Child) -> Iterator[None]:
    """As `prepared`, and the connection is up."""
    with prepared(a, b, child):
        a.initiate()
        for site, peer in ((a, b), (b, a)):
            if isinstance(site, StockSite):
                site.route(peer)
        yield


OUTSIDE: Final = {4: "192.0.2.{}/24", 6: "2001:db8::{}/64"}


class Pair:
    """Makes two sites in a directory and connects them; all is gone when `stack` is left."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self._home = home
        self._stack = stack
        self._prefix = name_prefix()

    def user(self, name: str, number: int, version: int = 4, outside: str = "") -> UserSite:
        outside = outside or OUTSIDE[version].format(number)
        return UserSite(f"{self._prefix}{name}", outside, f"10.{number}.0.1", self._home / name)

    def stock(self, name: str, number: int, version: int = 4) -> StockSite:
        outside = OUTSIDE[version].format(number)
        return StockSite(f"{self._prefix}{name}", outside, f"10.{number}.0.1", self._home / name)

    def users(self, child: Child, *, version: int = 4, initiate: bool = True) -> tuple[UserSite, UserSite]:
        a, b = self.user("a", 1, version), self.user("b", 2, version)
        self._stack.enter_context((established if initiate else prepared)(a, b, child))
        return a, b

    def user_and_stock(self, child: Child, *, version: int = 4) -> tuple[UserSite, StockSite]:
        a, b = self.user("a", 1, version), self.stock("b", 2, version)
        self._stack.enter_context(established(a, b, child))
        return a, b
