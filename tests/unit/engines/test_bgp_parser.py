"""BIRD's replies as values, from recorded ones (BIRD 2.0.12)."""

from __future__ import annotations

from pathlib import Path

import pytest

from twinbore.engines.bgp import parser
from twinbore.engines.bgp.birdc import Line

REPLIES = Path(__file__).with_name("bird_replies")


def recorded(name: str) -> list[Line]:
    lines: list[Line] = []
    for text in (REPLIES / name).read_text().splitlines():
        lines.append(Line(lines[-1].code, text[1:]) if text.startswith(" ") else Line(int(text[:4]), text[5:]))
    return lines


def test_sessions() -> None:
    one, two, limited, refused = parser.sessions(recorded("protocols.txt"))
    assert (one.name, one.state, one.running, one.imported, one.exported, one.reason) == (
        "s_t00", "Established", True, 3, 2, "",
    )  # fmt: skip
    assert (two.name, two.state) == ("s_t01", "Established")
    assert one.statistics[:2] == (
        "3          0          0          0          3",
        "0          0        ---          0          0",
    )
    assert (limited.name, limited.state, limited.running, limited.limit_exceeded) == ("s_t10", "Idle", False, True)
    assert (refused.name, refused.state, refused.running, refused.limit_exceeded) == ("s_t20", "Active", True, False)
    assert refused.reason == "the customer gateway refuses connections to its BGP port"


def test_paths() -> None:
    paths = parser.paths(recorded("routes.txt"))
    assert [(p.prefix, p.protocol, p.best) for p in paths] == [
        ("0.0.0.0/0", "s_t00", True),
        ("0.0.0.0/0", "s_t01", False),
        ("192.168.0.0/24", "s_t00", True),
        ("192.168.0.0/24", "s_t01", False),
        ("192.168.1.0/24", "s_t01", True),
        ("192.168.1.0/24", "s_t00", False),
        ("172.20.0.0/16", "static_t00_1", True),
        ("172.20.0.0/16", "static_t01_2", False),
    ]
    assert paths[5] == parser.Path("192.168.1.0/24", "s_t00", False, True, "t00", (65000, 65000), 50)
    assert paths[6] == parser.Path("172.20.0.0/16", "static_t00_1", True, False, "t00")


@pytest.mark.parametrize(
    ("attribute", "as_path"),
    [
        ("\tBGP.as_path: ", ()),
        ("\tBGP.as_path: 65000 {65001 65002}", (65000, 65001, 65002)),
        ("\tBGP.as_path: 4200000000 65000", (4200000000, 65000)),
    ],
)
def test_as_paths(attribute: str, as_path: tuple[int, ...]) -> None:
    reply = [Line(1007, "10.0.0.0/8           unicast [x 2026-11-24 02:55:39.566] * (100) [i]"), Line(1012, attribute)]
    assert parser.paths(reply)[0].as_path == as_path


def test_a_path_without_a_reachable_next_hop_is_not_the_best() -> None:
    reply = [Line(1007, "10.0.0.0/8           unreachable [x 2026-11-24 02:55:39.566] (100/-) [AS1i]")]
    assert not parser.paths(reply)[0].best


def test_words_for_errors_fall_back_to_birds_own() -> None:
    assert parser.Session("s", True, "Active", "Error: Hold timer expired").reason.startswith(
        "the customer gateway was"
    )
    assert parser.Session("s", True, "Active", "Error: Something new").reason == "Error: Something new"
    assert parser.Session("s", True, "Established", "Error: Hold timer expired").reason == "", "it is over"


def test_what_is_not_understood_is_skipped() -> None:
    assert parser.sessions([Line(1002, "?"), Line(1006, "BGP state: Established"), Line(9999, "")]) == []
    assert parser.paths([Line(1012, "BGP.med: 5"), Line(1007, "\tvia 10.0.0.1 on t1"), Line(1007, "Table x:")]) == []
