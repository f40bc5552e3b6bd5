"""Which prefixes a route table takes when there are more than its quota."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from twinbore.model.propagation import propagated


def test_below_the_limit_all_of_them_by_address() -> None:
    assert propagated(["192.168.0.0/16", "10.0.0.0/8", "10.0.0.0/8"], 100) == ["10.0.0.0/8", "192.168.0.0/16"]


def test_above_the_limit_the_least_specific_stay() -> None:
    many = [f"10.0.{n}.0/24" for n in range(200)]
    kept = propagated([*many, "0.0.0.0/0", "172.16.0.0/12"], 100)
    assert len(kept) == 100
    assert {"0.0.0.0/0", "172.16.0.0/12", "10.0.97.0/24"} <= set(kept)
    assert "10.0.98.0/24" not in kept


@given(st.permutations([f"10.{n}.0.0/16" for n in range(8)]))
def test_the_order_of_learning_does_not_matter(prefixes: list[str]) -> None:
    assert propagated(prefixes, 5) == [f"10.{n}.0.0/16" for n in range(5)]
