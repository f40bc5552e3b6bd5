"""Allocation of inside blocks and outside addresses, and the rules for given ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinbore.model.addressing import (
    RESERVED_INSIDE_CIDRS,
    OutsideAddress,
    PoolExhausted,
    allocate_inside_cidr,
    allocate_outside,
    expand_pool,
    inside_cidr_problem,
    inside_customer,
    inside_gateway,
    inside_hosts,
)


@pytest.mark.parametrize("text", ["169.254.10.0/30", "169.254.255.252/30"])
def test_usable_inside_blocks(text: str) -> None:
    assert inside_cidr_problem(text) is None


@pytest.mark.parametrize(
    "text",
    ["169.254.10.1/30", "169.254.10.0/29", "10.0.0.0/30", "nonsense", "fd00::/126"]
    + [str(n) for n in RESERVED_INSIDE_CIDRS],
)
def test_refused_inside_blocks(text: str) -> None:
    assert inside_cidr_problem(text)


@given(st.integers(min_value=0, max_value=(1 << 14) - 1))
def test_allocated_blocks_are_usable_and_free(start: int) -> None:
    first = allocate_inside_cidr((), lambda _: start)
    second = allocate_inside_cidr((first,), lambda _: start)
    assert inside_cidr_problem(first) is None
    assert inside_cidr_problem(second) is None
    assert first != second


def test_gateway_has_the_first_host_and_customer_the_second() -> None:
    assert str(inside_gateway("169.254.10.144/30")) == "169.254.10.145/30"
    assert str(inside_customer("169.254.10.144/30")) == "169.254.10.146/30"
    for block in ("169.254.0.0/30", "169.254.10.144/30", "169.254.255.252/30"):
        assert inside_hosts(block) == (str(inside_gateway(block).ip), str(inside_customer(block).ip))


def test_pool_entries() -> None:
    assert list(expand_pool(("203.0.113.1", "203.0.113.8/30", "198.51.100.7=10.0.0.7"))) == [
        OutsideAddress("203.0.113.1", "203.0.113.1"),
        OutsideAddress("203.0.113.9", "203.0.113.9"),
        OutsideAddress("203.0.113.10", "203.0.113.10"),
        OutsideAddress("198.51.100.7", "10.0.0.7"),
    ]
    with pytest.raises(ValueError, match=r"'203\.0\.113\.300'"):
        list(expand_pool(("203.0.113.300",)))


def test_unused_outside_addresses_come_first_then_shared_ones() -> None:
    pool = list(expand_pool(("203.0.113.1", "203.0.113.2")))
    used = {"203.0.113.1": 1, "203.0.113.2": 0}
    assert allocate_outside(pool, used.__getitem__, (), None).local == "203.0.113.2"
    assert allocate_outside(pool, used.__getitem__, ("203.0.113.2",), None).local == "203.0.113.1"
    with pytest.raises(PoolExhausted, match="outside address pools"):
        allocate_outside(pool, used.__getitem__, ("203.0.113.2",), "203.0.113.1")
