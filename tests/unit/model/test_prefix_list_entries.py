"""Which entries of a prefix list hold in which version."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from twinbore.model.security import PrefixListEntry, entries_at


def entry(cidr: str, first: int, last: int | None) -> PrefixListEntry:
    return PrefixListEntry(f"pl-1/{first}/{cidr}", "1", "pl-1", cidr, None, first, last)


def test_an_entry_holds_from_its_first_version_to_its_last() -> None:
    entries = [entry("10.0.0.0/8", 1, None), entry("10.1.0.0/16", 2, 3), entry("10.1.0.0/16", 5, None)]
    seen = {version: [e.cidr for e in entries_at(entries, version)] for version in range(6)}
    assert seen == {
        0: [],
        1: ["10.0.0.0/8"],
        2: ["10.0.0.0/8", "10.1.0.0/16"],
        3: ["10.0.0.0/8", "10.1.0.0/16"],
        4: ["10.0.0.0/8"],
        5: ["10.0.0.0/8", "10.1.0.0/16"],
    }


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 5)), max_size=9), st.integers(1, 9))
def test_the_order_given_is_kept(spans: list[tuple[int, int]], version: int) -> None:
    entries = [entry(f"10.{n}.0.0/16", first, first + more) for n, (first, more) in enumerate(spans)]
    held = entries_at(entries, version)
    assert held == [e for e in entries if e in held]
    assert all((e in held) == (e.first_version <= version <= (e.last_version or 0)) for e in entries)
