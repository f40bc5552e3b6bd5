"""Results of queries are those of one state of the database, and bounded."""

from __future__ import annotations

from twinbore.store.results import KEPT, LARGEST, ResultCache


def test_a_new_number_ends_what_was_known() -> None:
    cache = ResultCache()
    first = cache.at(1)
    assert first is not None
    first.put("key", ["a"])
    again = cache.at(1)
    assert again is not None
    assert again.get("key") == ["a"]
    second = cache.at(2)
    assert second is not None
    assert second.get("key") is None
    first.put("late", ["b"])  # a transaction that began before
    assert second.get("late") is None
    assert cache.at(1) is None


def test_what_is_kept_is_bounded() -> None:
    results = ResultCache().at(1)
    assert results is not None
    results.put("large", [None] * LARGEST)
    assert results.get("large") is None
    for number in range(20):
        results.put(number, [None] * (LARGEST - 1))
    kept = [number for number in range(20) if results.get(number) is not None]
    assert 0 < len(kept) <= KEPT // LARGEST
    assert kept[-1] == 19
