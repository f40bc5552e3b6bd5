"""Twinbore's own options in tags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinbore.model.desired import Bfd
from twinbore.model.extensions import BFD_KEY, bfd_of, problem


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
