"""Twinbore's own options in tags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinbore.model.desired import Bfd
from twinbore.model.extensions import (
    BFD_KEY,
    DNS_KEY,
    DNS_RULE,
    IDENTITY_KEY,
    IDENTITY_RULE,
    bfd_of,
    chosen_outside,
    problem,
)


@pytest.mark.parametrize(
    ("value", "timers"),
    [
        ("on", Bfd(300, 3)),
        ("off", None),
        ("100x3", Bfd(100, 3)),
        ("50x2", Bfd(50, 2)),
        ("10000x20", Bfd(10000, 20)),
    ],
)
def test_every_form_of_bfd_is_accepted_and_read(value: str, timers: Bfd | None) -> None:
    assert problem("vpn-connection", BFD_KEY, value) is None
    assert bfd_of({BFD_KEY: value, "Name": "x"}) == timers


def test_without_the_tag_bfd_is_off() -> None:
    assert bfd_of({}) is None


@pytest.mark.parametrize(
    "value", ["", "ON", "true", "49x3", "10001x3", "300x1", "300x21", "300", "x3", "300x", "0300x3", "300x3 ", "３00x3"]
)
def test_other_values_of_bfd_are_refused_with_the_rule(value: str) -> None:
    rule = problem("vpn-connection", BFD_KEY, value)
    assert rule is not None and "50 to 10000" in rule and "2 to 20" in rule


def test_an_unknown_option_is_refused_and_the_known_ones_are_named() -> None:
    rule = problem("vpn-connection", "twinbore:bdf", "on")
    assert rule is not None and BFD_KEY in rule


def test_an_option_of_another_resource_type_is_refused() -> None:
    assert problem("customer-gateway", BFD_KEY, "on") is not None


def test_tags_without_the_prefix_are_anybodys() -> None:
    assert problem("vpn-connection", "Name", "anything") is None


@given(st.text())
def test_what_is_no_problem_is_on_off_or_timers_and_nothing_else(value: str) -> None:
    accepted = problem("vpn-connection", BFD_KEY, value) is None
    timers = bfd_of({BFD_KEY: value})
    assert accepted == (value == "off" or timers is not None)


@pytest.mark.parametrize(
    "value", ["router.example.net", "a.b", "xn--bcher-kva.example", "A-1.example.NET", "1.2.3.4.net"]
)
def test_good_names_are_accepted(value: str) -> None:
    assert problem("customer-gateway", DNS_KEY, value) is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "router",
        "router.",
        ".net",
        "a..b",
        "-a.net",
        "a-.net",
        "192.0.2.1",
        "a_b.net",
        "a b.net",
        "é.net",
        "x" * 64 + ".net",
        ".".join(["abcdefghi"] * 26),
    ],
)
def test_bad_names_are_refused_with_the_rule(value: str) -> None:
    assert problem("customer-gateway", DNS_KEY, value) == DNS_RULE


@pytest.mark.parametrize("value", ["router.example.net", "edge@example.net", "10.0.0.2"])
def test_good_identities_are_accepted(value: str) -> None:
    assert problem("customer-gateway", IDENTITY_KEY, value) is None


@pytest.mark.parametrize(
    "value", ["", "%any", "router", "@example.net", "a@b@example.net", "C=US, O=x", "10.0.0.300", "@#ff", "*"]
)
def test_bad_identities_are_refused_with_the_rule(value: str) -> None:
    assert problem("customer-gateway", IDENTITY_KEY, value) == IDENTITY_RULE


def test_chosen_addresses_are_read_by_tunnel() -> None:
    assert chosen_outside({"twinbore:outside-address-2": "198.51.100.2"}) == (None, "198.51.100.2")
    assert problem("vpn-connection", "twinbore:outside-address-1", "203.0.113.07") is not None
