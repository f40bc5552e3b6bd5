"""The control socket of twinbore-esp, and how the daemon starts and ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.namespace.esp_site import DAEMON, MTU, UserSite, name_prefix
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
    with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rb") as stream:
        connection.settimeout(10)
        connection.connect(str(site.home / "control"))
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
    assert set(hello["features"]) == {"tun_csum", "tun_tso", "tun_uso", "udp_gso", "udp_gro"}
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
    assert set(links(site.traffic)) == {"lo", name}


def test_a_deleted_device_is_reported_and_made_again(site: UserSite) -> None:
    run(["ip", "-n", site.traffic, "link", "delete", "tun0"])
    spec = {"if_id": site.if_id, "netns": site.traffic, "name": "tun0", "mtu": MTU}
    assert site.control("add_tunnel", **spec) == {"changed": True}
    assert "tun0" in links(site.traffic)
    assert [tunnel["lost"] for tunnel in site.control("list_tunnels")["tunnels"]] == [False]


def test_the_sockets_are_for_the_owner(site: UserSite) -> None:
    for path in (site.home / "control", site.home / "run" / "xfrm"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o666)
    site.home.chmod(0o755)
    for parent in list(site.home.parents)[:3]:
        parent.chmod(0o755)
    command = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", str(DAEMON), "stats"]
    command += ["--control-socket", str(site.home / "control")]
    stranger = subprocess.run(command, capture_output=True, text=True, check=False)
    assert stranger.returncode != 0
    assert "uid 65534" in site.daemon_log()
    assert site.control("hello")["workers"] == 2


def test_the_process_keeps_what_it_needs_and_hides_the_rest(site: UserSite) -> None:
    assert site.daemon is not None
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{site.daemon.pid}/status").read_text().splitlines() if ":" in line
    )
    kept = 1 << CAP_NET_ADMIN | 1 << CAP_NET_RAW | 1 << CAP_SYS_ADMIN
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == kept
    assert status["NoNewPrivs"].strip() == "1"


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
