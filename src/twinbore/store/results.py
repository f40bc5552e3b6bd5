"""Results of queries, kept for as long as nothing in the database changes.

Every commit that changes anything, by whichever process, takes the next number of the counter `change`. A reading
transaction looks that number up first, so it knows whether what was read at the same number is still all there is to
read. No writer needs to know who depends on what, and an answer is never older than the transaction that gives it.

What is kept is bounded in rows; a result of more than `LARGEST` is not kept at all.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import Any, Final

LARGEST: Final = 4096
KEPT: Final = 16384


class _Generation:
    """The results at one number."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.results: dict[Hashable, Any] = {}
        self.rows = 0


class ResultCache:
    """The results of one state of a database; safe to use from several threads."""

    def __init__(self) -> None:
        self._generation = _Generation(-1)

    def at(self, number: int) -> Results | None:
        """The results at this number; None for a number that has passed already."""
        generation = self._generation
        if number > generation.number:
            generation = self._generation = _Generation(number)
        return Results(generation) if number == generation.number else None


class Results:
    """The results at one number, for one transaction."""

    def __init__(self, generation: _Generation) -> None:
        self._generation = generation

    def get(self, key: Hashable) -> Any:
        return self._generation.results.get(key)

    def put(self, key: Hashable, result: Collection[Any]) -> None:
        """Keep a result, which nobody may change from now on."""
        generation = self._generation
        size = len(result) + 1
        if size > LARGEST:
            return
        if generation.rows + size > KEPT:
            generation.results, generation.rows = {}, 0
        generation.results[key] = result
        generation.rows += size
