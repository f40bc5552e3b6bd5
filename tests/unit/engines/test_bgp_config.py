"""BIRD's configuration: the whole text for one domain, and that nothing can be smuggled into it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from twinbore.engines.bgp.config import ConfigError, render
from twinbore.model.desired import Bfd, BgpSession, RoutingDomain, TunnelRoute

LOG = Path("/run/twinbore/bgp/vgw-1/bird.log")
GOLDEN = Path(__file__).with_name("bird_golden.conf")

ONE = BgpSession("vpn_1_1", "t1", "169.254.8.1", "169.254.8.2", 65000, 0, 1, 100)
TWO = BgpSession("vpn_1_2", "t2", "169.254.8.5", "169.254.8.6", 65000, 100, 2, 100, bfd=Bfd(300, 3))
DOMAIN = RoutingDomain(
    "vgw-1",
    "vgw-1",
    "10.254.0.1",
    64512,
    ("10.0.0.0/16",),
    (ONE, TWO),
    (TunnelRoute("172.20.0.0/16", "t3", "169.254.9.2", 1), TunnelRoute("172.20.0.0/16", "t4", "169.254.9.6", 2)),
)


def test_the_whole_text() -> None:
    assert render(DOMAIN, LOG) == GOLDEN.read_text()


def test_a_session_with_a_password_has_it_and_the_others_have_none() -> None:
    text = render(replace(DOMAIN, sessions=(replace(ONE, password="s3cret/+="), TWO)), LOG)
    assert text.count('  password "s3cret/+=";\n') == text.count("password") == 1
    assert text.index("neighbor 169.254.8.2") < text.index("password") < text.index("neighbor 169.254.8.6")


def test_a_password_that_would_end_its_string_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError, match="password of vpn_1_1: must be 1 to 80") as caught:
        render(replace(DOMAIN, sessions=(replace(ONE, password='x"; #'),)), LOG)
    assert 'x"' not in str(caught.value)


def test_order_does_not_matter() -> None:
    shuffled = replace(DOMAIN, sessions=(TWO, ONE), static_routes=DOMAIN.static_routes[::-1])
    assert render(shuffled, LOG) == render(DOMAIN, LOG)


def test_bfd_is_there_only_when_a_session_wants_it() -> None:
    assert "bfd" not in render(replace(DOMAIN, sessions=(ONE,)), LOG)


def test_the_lower_tie_break_has_the_higher_preference_and_the_lower_cost() -> None:
    text = render(DOMAIN, LOG)
    assert text.index("preference 49999") < text.index("via 169.254.9.2") < text.index("preference 49998")
    assert text.index("cost 2;") < text.index("cost 3;")


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        (replace(DOMAIN, name="vgw 1"), "domain 'vgw 1': must match"),
        (replace(DOMAIN, router_id="10.254.0.300"), "router id '10.254.0.300': must be an IPv4 address"),
        (replace(DOMAIN, advertised=("10.0.0.1/16",)), "advertised prefix '10.0.0.1/16'"),
        (replace(DOMAIN, asn=0), "ASN 0: must be from 1 to 4294967295"),
        (replace(DOMAIN, sessions=(replace(ONE, name='x" }'),)), "session"),
        (replace(DOMAIN, sessions=(replace(ONE, interface='t1"'),)), "interface"),
        (replace(DOMAIN, sessions=(replace(ONE, peer_address="::1"),)), "peer address '::1': must be an IPv4 address"),
        (replace(DOMAIN, sessions=(replace(ONE, hold_time=2),)), "hold time 2: must be from 3"),
        (replace(DOMAIN, sessions=(replace(ONE, keepalive_time=31),)), "keepalive time 31: must be from 1 to 30"),
        (replace(DOMAIN, sessions=(replace(ONE, import_limit=0),)), "import limit 0"),
        (replace(DOMAIN, sessions=(replace(ONE, bfd=Bfd(300, 1)),)), "BFD multiplier 1: must be from 2 to 255"),
        (replace(DOMAIN, static_routes=(TunnelRoute("10.0.0.0/8", "t1;", "169.254.9.2", 1),)), "interface 't1;'"),
    ],
)
def test_what_bird_could_not_be_given_is_refused(domain: RoutingDomain, words: str) -> None:
    with pytest.raises(ConfigError, match="^" + words.replace("(", r"\(")):
        render(domain, LOG)


def test_a_log_path_cannot_end_the_string() -> None:
    with pytest.raises(ConfigError, match="log file"):
        render(DOMAIN, Path('/run/a" b/bird.log'))


@pytest.mark.skipif(shutil.which("bird", path="/usr/sbin") is None, reason="bird is not installed")
def test_bird_accepts_it(tmp_path: Path) -> None:
    file = tmp_path / "bird.conf"
    file.write_text(render(DOMAIN, tmp_path / "bird.log"))
    check = subprocess.run(["/usr/sbin/bird", "-p", "-c", str(file)], capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stderr
