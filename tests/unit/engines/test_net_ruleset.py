"""Packet filters as nft scripts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from twinbore.engines.net.ruleset import Counter, counter_name, render, split_counter_name
from twinbore.model.desired import PacketFilter

FILTER = PacketFilter(
    "vgw-1",
    allowed_sources=(("vpc", ("10.0.0.0/16", "10.0.1.0/24")),),
    denied_sources=(("t1", ("127.0.0.0/8", "10.0.0.0/16")),),
    clamp_mss=(("t1", 1379), ("t3", 1300), ("t2", 1379)),
)
SCRIPT = """\
table inet twinbore
delete table inet twinbore
table inet twinbore {
  comment "FINGERPRINT"
  counter source_denied.t1 { packets 3 bytes 7 }
  counter source_not_allowed.vpc { packets 0 bytes 0 }
  chain from_t1 {
    ip saddr { 10.0.0.0/16, 127.0.0.0/8 } counter name source_denied.t1 drop
  }
  chain from_vpc {
    ip saddr { 10.0.0.0/16 } return
    counter name source_not_allowed.vpc drop
  }
  chain sources {
    type filter hook prerouting priority raw; policy accept;
    iifname vmap { "t1" : jump from_t1, "vpc" : jump from_vpc }
  }
  chain mss {
    type filter hook forward priority mangle; policy accept;
    meta nfproto ipv4 iifname { "t3" } SYN > 1300 tcp option maxseg size set 1300
    meta nfproto ipv4 oifname { "t3" } SYN > 1300 tcp option maxseg size set 1300
    meta nfproto ipv6 iifname { "t3" } SYN > 1280 tcp option maxseg size set 1280
    meta nfproto ipv6 oifname { "t3" } SYN > 1280 tcp option maxseg size set 1280
    meta nfproto ipv4 iifname { "t1", "t2" } SYN > 1379 tcp option maxseg size set 1379
    meta nfproto ipv4 oifname { "t1", "t2" } SYN > 1379 tcp option maxseg size set 1379
    meta nfproto ipv6 iifname { "t1", "t2" } SYN > 1359 tcp option maxseg size set 1359
    meta nfproto ipv6 oifname { "t1", "t2" } SYN > 1359 tcp option maxseg size set 1359
  }
}
""".replace("SYN", "tcp flags & (syn | rst) == syn tcp option maxseg size")


def test_the_whole_script() -> None:
    ruleset = render(FILTER)
    values = {"source_denied.t1": Counter(3, 7), "gone.t9": Counter(1, 1)}
    assert ruleset.script(values) == SCRIPT.replace("FINGERPRINT", ruleset.fingerprint)
    assert ruleset.rules == 12


def test_the_fingerprint_follows_the_content_only() -> None:
    same = replace(FILTER, clamp_mss=FILTER.clamp_mss[::-1], denied_sources=(("t1", ("10.0.0.0/16", "127.0.0.0/8")),))
    other = replace(FILTER, clamp_mss=(("t1", 1378),))
    assert render(same).fingerprint == render(FILTER).fingerprint
    assert render(other).fingerprint != render(FILTER).fingerprint


def test_an_interface_that_may_send_nothing() -> None:
    ruleset = render(PacketFilter("n", allowed_sources=(("e1", ()),)))
    assert "return" not in ruleset.chains
    assert "drop" in ruleset.chains


def test_an_empty_filter_has_an_empty_table() -> None:
    ruleset = render(PacketFilter("n"))
    assert (ruleset.chains, ruleset.counters, ruleset.rules) == ("", (), 0)


def test_both_checks_on_one_interface() -> None:
    ruleset = render(PacketFilter("n", (("e1", ("10.0.0.0/8",)),), (("e1", ("10.9.0.0/16",)),)))
    lines = ruleset.chains.splitlines()
    assert [line.split()[-1] for line in lines[1:4]] == ["drop", "return", "drop"]
    assert ruleset.rules == 4


@pytest.mark.parametrize(
    ("packet_filter", "words"),
    [
        (PacketFilter("n", clamp_mss=(("t1", 10),)), "MSS 10 of t1: must be from 88 to 65495"),
        (PacketFilter("n", clamp_mss=(('t1"', 1000),)), "interface name"),
        (PacketFilter("n", allowed_sources=(("a b", ()),)), "interface name 'a b'"),
        (PacketFilter("n", denied_sources=(("e1", ("10.0.0.0/8; drop",)),)), "10.0.0.0/8; drop"),
    ],
)
def test_what_nft_could_not_be_given_is_refused(packet_filter: PacketFilter, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        render(packet_filter)


def test_counter_names() -> None:
    assert split_counter_name(counter_name("source_denied", "eth0.100")) == ("source_denied", "eth0.100")
