"""The control socket of twinbore-esp, and how the daemon starts and ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.namespace.esp_site import DAEMON, MTU, UserSite, eventually, name_prefix
from twinbore.lab.namespaces import inside, run

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(not DAEMON.exists(), reason="twinbore-esp is not built: cargo build --release in esp/"),
    pytest.mark.timeout(60),
]

CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN = 12, 13, 21


@pytest.fixture
def site(tmp_path: Path) -> Iterator[UserSite]:
    """A daemon with one tunnel, without charon."""
    site = UserSite(f"{name_prefix()}a", "192.0.2.1/24", "10.1.0.1", tmp_path / "a")
    try:
        site.start_daemon()
        yield site
    finally:
        site.remove()


def talk(site: UserSite, *lines: bytes) -> list[dict[str, Any]]:
    """What a connection answers to lines that are sent at once."""
    return talk_to(site.home / "control", *lines)


def talk_to(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    """As `talk`, to any daemon."""
    with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rb") as stream:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(b"".join(line + b"\n" for line in lines))
        return [json.loads(stream.readline()) for _ in lines]


def refusal(site: UserSite, operation: str, **arguments: Any) -> tuple[str, str]:
    """Code and message of an operation that must fail."""
    (answer,) = talk(site, json.dumps({"id": 5, "op": operation, **arguments}).encode())
    assert answer["id"] == 5
    return answer["error"]["code"], answer["error"]["message"]


def links(namespace: str) -> dict[str, dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(["ip", "-json", "-n", namespace, "link"]))
    return {link["ifname"]: link for link in found}


def test_hello(site: UserSite) -> None:
    assert site.daemon is not None
    hello = site.control("hello")
    assert (hello["pid"], hello["workers"], hello["natt_port"]) == (site.daemon.pid, 2, 4500)
    assert hello["uptime_s"] > 0
    offloads = {"tun_csum", "tun_tso", "tun_uso", "udp_gso", "udp_gro"}
    assert set(hello["features"]) == offloads | {"crypto", "seccomp"}
    assert hello["features"]["seccomp"] == "kill"
    assert run([DAEMON, "--version"]).split() == ["twinbore-esp", hello["version"]]


def test_requests_are_answered_in_order_and_mistakes_do_not_end_a_connection(site: UserSite) -> None:
    answers = talk(site, b'{"id":"a","op":"stats"}', b"nonsense", b'{"id":[3],"op":"fly"}', b'{"id":4,"op":"list_sas"}')
    assert [answer["id"] for answer in answers] == ["a", None, [3], 4]
    assert [answer.get("error", {}).get("code") for answer in answers] == [
        None,
        "invalid_argument",
        "invalid_argument",
        None,
    ]
    assert answers[3]["ok"] == {"sas": []}


def test_a_tunnel_is_made_changed_and_removed(site: UserSite) -> None:
    spec = {"if_id": 8, "netns": site.traffic, "name": "t8", "mtu": 1400}
    assert site.control("add_tunnel", **spec) == {"changed": True}
    assert site.control("add_tunnel", **spec) == {"changed": False}
    assert (links(site.traffic)["t8"]["mtu"], "UP" in links(site.traffic)["t8"]["flags"]) == (1400, True)
    assert site.control("add_tunnel", **{**spec, "mtu": 1300}) == {"changed": True}
    assert links(site.traffic)["t8"]["mtu"] == 1300
    (tunnel,) = [tunnel for tunnel in site.control("list_tunnels")["tunnels"] if tunnel["if_id"] == 8]
    counters = {name: tunnel.pop(name) for name in ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes")}
    assert all(type(count) is int for count in counters.values())
    assert all(type(count) is int for count in tunnel.pop("drops").values())
    assert tunnel == {**spec, "mtu": 1300, "lost": False}
    assert site.control("remove_tunnel", if_id=8) == {"changed": True}
    assert site.control("remove_tunnel", if_id=8) == {"changed": False}
    assert "t8" not in links(site.traffic)


def test_what_cannot_be_is_refused_with_words(site: UserSite) -> None:
    name = "tun0"
    spec = {"if_id": site.if_id, "netns": site.traffic, "name": name, "mtu": MTU}
    code, text = refusal(site, "add_tunnel", **{**spec, "name": "other"})
    assert (code, "remove it first" in text) == ("conflict", True)
    code, text = refusal(site, "add_tunnel", **{**spec, "netns": None})
    assert code == "conflict"
    code, text = refusal(site, "add_tunnel", **{**spec, "if_id": 9})
    assert (code, name in text) == ("conflict", True), text
    code, text = refusal(site, "add_tunnel", **{**spec, "if_id": 9, "netns": "no-such-namespace"})
    assert (code, "ip netns add no-such-namespace" in text) == ("not_found", True)
    for wrong in ({"if_id": 0}, {"if_id": 9, "mtu": 1}, {"if_id": 9, "name": "a/b"}, {"if_id": 9, "name": "x" * 16}):
        code, text = refusal(site, "add_tunnel", **{**spec, **wrong})
        assert code == "invalid_argument", text
    # Longer than the helper takes: that is the daemon's to notice.
    for long in ("n" * 300, "\x01" * 9000):
        refusal(site, "add_tunnel", **{**spec, "if_id": 9, "netns": long})
    assert set(links(site.traffic)) == {"lo", name}
    assert site.control("add_tunnel", **{**spec, "mtu": MTU - 1}) == {"changed": True}


def test_a_deleted_device_is_reported_and_made_again(site: UserSite) -> None:
    run(["ip", "-n", site.traffic, "link", "delete", "tun0"])
    spec = {"if_id": site.if_id, "netns": site.traffic, "name": "tun0", "mtu": MTU}
    assert site.control("add_tunnel", **spec) == {"changed": True}
    assert "tun0" in links(site.traffic)
    assert [tunnel["lost"] for tunnel in site.control("list_tunnels")["tunnels"]] == [False]


STRANGER = """
import errno, socket, sys
for path, kind in zip(sys.argv[1:], (socket.SOCK_STREAM, socket.SOCK_SEQPACKET)):
    with socket.socket(socket.AF_UNIX, kind) as s:
        s.settimeout(5)
        try:
            s.connect(path)
            try:
                s.send(b'{"op": "hello"}\\n')
                print(s.recv(100) or "closed")
            except (BrokenPipeError, ConnectionResetError):
                print("closed")
        except OSError as error:
            print(errno.errorcode[error.errno])
"""


def test_the_sockets_are_for_the_owner(site: UserSite) -> None:
    paths = (site.home / "control", site.home / "run" / "xfrm")
    for path in paths:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    stranger = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "/usr/bin/python3", "-c", STRANGER]
    temporary = Path(tempfile.gettempdir())
    for folder in (site.home / "run", site.home, *site.home.parents):
        if folder != temporary and folder.is_relative_to(temporary):
            folder.chmod(0o755)
    assert run([*stranger, *map(str, paths)]).split() == ["EACCES", "EACCES"]
    # Should somebody change the mode, it still matters who asks.
    for path in paths:
        path.chmod(0o666)
    assert run([*stranger, *map(str, paths)]).split() == ["closed", "closed"]
    assert site.daemon_log().count("uid 65534: only root and our own user may") == 2
    assert site.control("hello")["workers"] == 2


def helper_of(pid: int) -> int:
    """The process id of a daemon's namespace helper."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def status_of(path: Path) -> dict[str, str]:
    """/proc/PID/status, or that of a thread."""
    lines = (path / "status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_each_process_keeps_what_it_needs_and_hides_the_rest(site: UserSite) -> None:
    assert site.daemon is not None
    site.control("hello")
    helper = helper_of(site.daemon.pid)
    for pid, kept in (
        (site.daemon.pid, 1 << CAP_NET_ADMIN | 1 << CAP_NET_RAW),
        (helper, 1 << CAP_NET_ADMIN | 1 << CAP_SYS_ADMIN),
    ):
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        assert (len(threads) == 1) == (pid == helper)
        for thread in threads:
            status = status_of(thread)
            sets = {name: int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")}
            assert sets == {"CapEff": kept, "CapPrm": kept, "CapBnd": kept, "CapInh": 0, "CapAmb": 0}, thread
            assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2"), thread
        limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
        assert [line.split()[4:6] for line in limits if line.startswith("Max core file size")] == [["0", "0"]]
    assert Path(f"/proc/{helper}/comm").read_text() == "esp-namespaces\n"
    command = Path(f"/proc/{helper}/cmdline").read_bytes().split(b"\0")
    assert command[:2] == [b"twinbore-esp", b"namespace-helper"]
    # Standard input is the daemon's socket, and there is the way home from a namespace.
    assert {path.name for path in Path(f"/proc/{helper}/fd").iterdir()} == {"0", "1", "2", "3"}


def test_tunnels_go_on_without_the_helper_and_new_ones_are_refused_with_words(site: UserSite) -> None:
    assert site.daemon is not None
    os.kill(helper_of(site.daemon.pid), signal.SIGKILL)
    for _ in range(2):
        code, text = refusal(site, "add_tunnel", if_id=8, netns=site.traffic, name="t8", mtu=1400)
        assert (code, "restart twinbore-esp" in text) == ("os_error", True), text
    assert "tun0" in links(site.traffic)
    assert site.control("remove_tunnel", if_id=site.if_id) == {"changed": True}
    assert set(links(site.traffic)) == {"lo"}
    site.daemon.send_signal(signal.SIGTERM)
    assert site.daemon.wait(5) == 0


def test_a_killed_daemon_leaves_its_devices_as_they_are_to_the_next_one(site: UserSite) -> None:
    """Routing protocols are to see lost packets, not an interface that is gone."""
    assert site.daemon is not None
    helper = helper_of(site.daemon.pid)
    for if_id in range(20, 30):
        site.control("add_tunnel", if_id=if_id, netns=site.traffic, name=f"t{if_id}", mtu=1400)
    run(["ip", "-n", site.traffic, "address", "add", "169.254.9.1/30", "dev", "t20"])
    run(["ip", "-n", site.traffic, "route", "add", "198.51.100.0/24", "dev", "t20"])
    before = links(site.traffic)
    site.kill_daemon()
    eventually(lambda: not Path(f"/proc/{helper}/exe").exists(), 5, "the helper has ended")
    left = links(site.traffic)
    assert {name: link["ifindex"] for name, link in left.items()} == {n: link["ifindex"] for n, link in before.items()}
    assert "LOWER_UP" not in left["t20"]["flags"]

    site.start_daemon()
    for if_id in range(20, 29):
        site.control("add_tunnel", if_id=if_id, netns=site.traffic, name=f"t{if_id}", mtu=1390)
    now = links(site.traffic)
    assert (now["t20"]["ifindex"], now["t20"]["mtu"]) == (before["t20"]["ifindex"], 1390)
    assert "LOWER_UP" in now["t20"]["flags"]
    assert "198.51.100.0/24" in run(["ip", "-n", site.traffic, "route"])
    assert site.control("remove_tunnel", if_id=20) == {"changed": True}
    assert "t20" not in links(site.traffic)
    site.daemon.send_signal(signal.SIGTERM)
    assert site.daemon.wait(5) == 0
    assert set(links(site.traffic)) == {"lo", "t29"}, "what nobody asked for again is somebody else's"


def test_a_device_that_does_not_fit_is_made_anew_and_one_in_use_is_refused(site: UserSite) -> None:
    run(["ip", "-n", site.traffic, "tuntap", "add", "dev", "t20", "mode", "tun"])
    assert site.control("add_tunnel", if_id=20, netns=site.traffic, name="t20", mtu=1400) == {"changed": True}
    assert "LOWER_UP" in links(site.traffic)["t20"]["flags"]
    for name in ("t20", "lo"):
        code, text = refusal(site, "add_tunnel", if_id=21, netns=site.traffic, name=name, mtu=1400)
        assert "exists already" in text, (code, text)


def test_many_tunnels_are_removed_at_once(site: UserSite) -> None:
    for if_id in range(20, 30):
        site.control("add_tunnel", if_id=if_id, netns=site.traffic, name=f"t{if_id}", mtu=1400)
    site.control("add_tunnel", if_id=30, name="t30", mtu=1400)
    run(["ip", "-n", site.traffic, "link", "delete", "t25"])
    removed = site.control("remove_tunnels", if_ids=[*range(20, 29), 30, 99])["removed"]
    assert removed == [*range(20, 29), 30]
    assert set(links(site.traffic)) == {"lo", "tun0", "t29"}
    assert "t30" not in links(site.underlay)
    assert site.control("add_tunnel", if_id=20, netns=site.traffic, name="t20", mtu=1400) == {"changed": True}


def test_without_the_right_to_enter_namespaces_the_own_one_is_served(site: UserSite, tmp_path: Path) -> None:
    sockets = ["--xfrm-socket", str(tmp_path / "x"), "--control-socket", str(tmp_path / "c"), "--natt-port", "14500"]
    command = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin", str(DAEMON), "run", *sockets]
    with subprocess.Popen(inside(site.underlay, command), stderr=subprocess.DEVNULL) as other:
        try:
            eventually((tmp_path / "c").exists, 10, "the daemon listens")
            here = {"op": "add_tunnel", "if_id": 1, "name": "t1", "mtu": 1400}
            elsewhere = {**here, "if_id": 2, "netns": site.traffic}
            requests = [json.dumps(request).encode() for request in (here, elsewhere, {"op": "hello"})]
            own, foreign, hello = talk_to(tmp_path / "c", *requests)
            assert own["ok"] == {"changed": True}
            assert "CAP_SYS_ADMIN is needed" in foreign["error"]["message"]
            assert hello["ok"]["features"]["tun_csum"]
            assert "t1" in links(site.underlay)
        finally:
            other.terminate()
            other.wait(10)
    assert "t1" not in links(site.underlay)


@pytest.mark.parametrize("mode", ["log", "off"])
def test_the_filter_of_system_calls_can_be_lifted(mode: str, site: UserSite, tmp_path: Path) -> None:
    sockets = ["--xfrm-socket", str(tmp_path / "x"), "--control-socket", str(tmp_path / "c"), "--natt-port", "14500"]
    command = inside(site.underlay, [str(DAEMON), "run", *sockets, "--seccomp", mode])
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as other:
        try:
            eventually((tmp_path / "c").exists, 10, "the daemon listens")
            shown = run([DAEMON, "features", "--control-socket", str(tmp_path / "c")]).splitlines()
            assert ["seccomp", mode] in [line.split() for line in shown]
            expected = {"log": "2", "off": "0"}[mode]
            for pid in (other.pid, helper_of(other.pid)):
                assert status_of(Path(f"/proc/{pid}"))["Seccomp"] == expected
        finally:
            other.terminate()
            other.wait(10)


def test_sigterm_leaves_nothing(site: UserSite) -> None:
    assert site.daemon is not None
    site.daemon.send_signal(signal.SIGTERM)
    assert site.daemon.wait(5) == 0
    assert set(links(site.traffic)) == {"lo"}
    assert not (site.home / "control").exists()
    assert not (site.home / "run" / "xfrm").exists()


def test_a_second_daemon_says_why_it_cannot_start(site: UserSite) -> None:
    paths = [site.home / "run" / "xfrm", site.home / "control"]
    for taken in (0, 1):
        arguments = [str(path if index == taken else f"{path}2") for index, path in enumerate(paths)]
        command = [str(DAEMON), "run", "--xfrm-socket", arguments[0], "--control-socket", arguments[1]]
        second = subprocess.run(inside(site.underlay, command), capture_output=True, text=True, check=False, timeout=10)
        assert second.returncode == 1
        assert f"{arguments[taken]} is in use by another process: stop that one first" in second.stderr
    assert site.control("hello")["workers"] == 2


def test_a_daemon_does_not_share_the_port_of_another_one(site: UserSite, tmp_path: Path) -> None:
    sockets = ["--xfrm-socket", str(tmp_path / "x"), "--control-socket", str(tmp_path / "c")]
    command = inside(site.underlay, [DAEMON, "run", *sockets])
    other = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert other.returncode != 0
    assert "UDP port 4500 is in use by another process" in other.stderr
    assert site.control("hello")["natt_port"] == 4500


def test_queries_print_tables_and_json(site: UserSite) -> None:
    socket_option = ["--control-socket", str(site.home / "control")]
    tunnels = run([DAEMON, "tunnels", *socket_option]).splitlines()
    assert tunnels[0].split()[:4] == ["if_id", "netns", "name", "mtu"]
    assert tunnels[1].split()[:4] == [str(site.if_id), site.traffic, "tun0", str(MTU)]
    stats = json.loads(run([DAEMON, "stats", "--json", *socket_option]))
    assert set(stats) == {"counters", "drops", "xfrm"}
    assert "counters.tun_reads" in run([DAEMON, "stats", *socket_option])
    features = dict(line.split(maxsplit=1) for line in run([DAEMON, "features", *socket_option]).splitlines())
    assert set(features) == set(site.control("hello")["features"])
    logged = [line for line in site.daemon_log().splitlines() if "features: " in line]
    assert all(f"{name} {value}" in logged[0] for name, value in features.items())
