"""Options of a customer's site: their rules, their layers, and that every member has one."""

from __future__ import annotations

from dataclasses import fields

import pytest

from twinbore.model import extensions, site
from twinbore.model.site import OPTIONS, Site, site_of


def test_every_member_has_an_option() -> None:
    assert [option.field for option in OPTIONS.values()] == [field.name for field in fields(Site)]


@pytest.mark.parametrize("kind", ["vpn-connection", "customer-gateway"])
@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_is_a_tag_of_both(kind: str, name: str) -> None:
    assert extensions.problem(kind, site.PREFIX + name, "?\n") == OPTIONS[name].rule


def test_the_connection_s_options_win_over_the_gateway_s() -> None:
    gateway = {"twinbore:device-outside-interface": "wan1", "twinbore:device-nat": "on", "Name": "edge"}
    connection = {"twinbore:device-outside-interface": "wan2", "twinbore:device-announce": "10.1.0.0/16 10.2.0.0/16"}
    assert site_of(gateway, connection) == Site(
        outside_interface="wan2", nat=True, announce=("10.1.0.0/16", "10.2.0.0/16")
    )


def test_without_options_nothing_is_announced_nor_translated() -> None:
    assert site_of({}, {}) == Site()
    assert (Site().announce, Site().nat, Site().preferred_tunnel, Site().keys) == (None, False, 1, "clear")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("outside-interface", "GigabitEthernet0/0/1", "GigabitEthernet0/0/1"),
        ("inside-interface", "Local Area Connection 2", "Local Area Connection 2"),
        ("announce", "0.0.0.0/0", ("0.0.0.0/0",)),
        ("announce", "", ()),
        ("behind-nat", "on", True),
        ("preferred-tunnel", "2", 2),
        ("preferred-tunnel", "none", 0),
        ("keys", "reference", "reference"),
        ("language", "ja", "ja"),
    ],
)
def test_good_values_are_read(name: str, text: str, value: object) -> None:
    assert site.read(name, text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("outside-interface", ""),
        ("outside-interface", "wan1\nset x"),
        ("outside-interface", 'wan"1'),
        ("announce", "10.1.0.1/16"),
        ("announce", "10.1.0.0/16,10.2.0.0/16"),
        ("announce", "10.1.0.0/16 10.1.0.0/16"),
        ("announce", "2001:db8::/32"),
        ("announce", " ".join(f"10.{n}.0.0/16" for n in range(101))),
        ("nat", "yes"),
        ("preferred-tunnel", "3"),
        ("keys", "hidden"),
        ("language", "de"),
    ],
)
def test_bad_values_are_refused_with_the_rule(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} is ") as caught:
        site.read(name, text)
    assert OPTIONS[name].rule in str(caught.value)
