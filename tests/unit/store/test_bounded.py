"""A mapping with a bound, also under threads."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from twinbore.store.bounded import Bounded


def test_the_oldest_go_first() -> None:
    kept: Bounded[str, int] = Bounded(2)
    for number, key in enumerate(["a", "b", "a", "c"]):
        kept.put(key, number)
    assert (kept.get("a"), kept.get("b"), kept.get("c"), len(kept)) == (2, None, 3, 2)


def test_threads_do_not_disturb_each_other() -> None:
    kept: Bounded[int, int] = Bounded(8)

    def work(first: int) -> None:
        for number in range(first, 20_000, 4):
            kept.put(number, number)
            assert kept.get(number) in (number, None)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
    finally:
        sys.setswitchinterval(before)
    assert len(kept) == 8
