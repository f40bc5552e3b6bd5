"""How many rows have which values, kept from one write transaction to the next.

Quotas and the choice of an address ask how many rows there are of a kind. To count them takes time in proportion to
their number, and would make each new connection slower than the one before. So a count is made once and goes along
with what the transactions of this process do: an insertion adds one; a row that is changed or removed makes the counts
of its kind be forgotten, and so do a transaction that is undone and a commit by another process, which the number of
the counter `change` shows. What is left is the same as if it had been counted anew.

Used by write transactions alone, of which there is one at a time.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from twinbore.store.statements import TableStatements

Columns = tuple[str, ...]
Tally = Counter[tuple[Any, ...]]


class Tallies:
    """Kind and columns → values of the columns, as the driver has them → number of rows."""

    def __init__(self) -> None:
        self._number = -1
        self._kept: dict[type, dict[Columns, Tally]] = {}

    def begin(self, number: int) -> None:
        """A transaction begins on the state of the database that has this number."""
        if number != self._number:
            self._kept.clear()
            self._number = number

    def end(self, number: int) -> None:
        """The transaction was committed, and its state has this number."""
        self._number = number

    def abandon(self) -> None:
        """The transaction was undone."""
        self._kept.clear()

    def find(self, kind: type, columns: Columns) -> Tally | None:
        return self._kept.get(kind, {}).get(columns)

    def keep(self, kind: type, columns: Columns, tally: Tally) -> None:
        self._kept.setdefault(kind, {})[columns] = tally

    def inserted(self, row: Any, statements: TableStatements) -> None:
        """One row more."""
        for columns, tally in self._kept.get(type(row), {}).items():
            tally[tuple([statements.bound(name, getattr(row, name)) for name in columns])] += 1

    def changed(self, kind: type) -> None:
        """Rows of this kind have changed, or are gone."""
        self._kept.pop(kind, None)
