"""FortiOS's interpreter refuses what a FortiGate refuses; and the case of a FortiGate 60D with FortiOS 5.4.

The case: a file that could not be loaded (missing `end`s, an unknown `dpd` value, names that are too long, the service
ANY), that had IKEv1 only, and that announced a default route without being asked. Two corrections were wanted: prefixes
are added to what is announced, and one is announced only if it is in the routing table.
"""

from __future__ import annotations

import re

import pytest

from tests.devices.interpreters import OF_TYPE
from tests.devices.settings import Refused
from tests.unit.devices.cases import Case, usual
from twinbore.devices.catalogue import find
from twinbore.model.site import Site

FORTIOS_5 = find("9d9470de")
assert FORTIOS_5 is not None
READ = OF_TYPE[FORTIOS_5.id]
TEXT = usual(FORTIOS_5).text()


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("        set dpd enable", "        set dpd on-idle", "value parse error"),
        ('edit "vpn-0a1b2c3d4e5f60718-0"', 'edit "vpn-0a1b2c3d-1"', "too long: at most 15"),
        ('set service "ANY"', 'set service "ALL"', "entry not found"),
        ("set proposal aes256gcm-prfsha384", "set proposal aes256-sha512", "in this release"),
        ("        set dhgrp 22", "        set dhgrp 20", "value parse error"),
        ("set keylif 28800", "set keylife 28800", "parse error before 'keylif'"),
        ("set ip 169.254.10 255.255.255.255", "set ip 169.254.10.2 255.255.255.255", "value parse error"),
    ],
)
def test_what_a_fortigate_does_not_take_is_refused(wrong: str, right: str, said: str) -> None:
    assert right in TEXT
    with pytest.raises(Refused, match=said):
        READ(TEXT.replace(right, wrong, 1))


def test_a_block_that_is_not_closed_is_refused() -> None:
    lines = TEXT.splitlines()
    last = max(number for number, line in enumerate(lines) if line == "end")
    with pytest.raises(Refused, match="blocks are not closed"):
        READ("\n".join(lines[:last] + lines[last + 1 :]))


def test_a_setting_in_the_wrong_table_is_refused() -> None:
    misplaced = TEXT.replace(
        "config router prefix-list\n", "config router prefix-list\n    set router-id 169.254.10.2\n"
    )
    with pytest.raises(Refused, match="set outside an object"):
        READ(misplaced)


def test_the_case_of_the_60d_loads_with_ikev2_and_without_a_default_route() -> None:
    assert FORTIOS_5 is not None
    case = Case(FORTIOS_5, "ikev2", "bgp", None)
    text = case.text(
        Site(announce=("192.168.1.0/24", "192.168.2.0/24"), inside_interface="lan", outside_interface="wan2")
    )
    settings = READ(text)
    assert all(
        len(name) <= 15 for name in re.findall(r'edit "(vpn-[^"]*)"', text) if "-in" not in name and "-out" not in name
    )
    assert [tunnel.ike_version for tunnel in settings.tunnels] == [2, 2]
    assert "set dpd on-idle" in text
    assert 'set service "ALL"' in text
    assert "capability-default-originate enable" not in text
    bgp = settings.bgp
    assert bgp is not None
    assert bgp.networks == ("192.168.1.0/24", "192.168.2.0/24")
    assert all(neighbor.announce == bgp.networks and not neighbor.default_originate for neighbor in bgp.neighbors)
    assert "only while the" in text, "the comment says that a prefix is announced only if it is in the routing table"
