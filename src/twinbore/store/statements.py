"""SQL for the tables, compiled once for each shape of statement, and rows as dataclasses.

SQLAlchemy has the tables, knows the database's dialect and writes the SQL. But to build, hash and adapt a statement for
each use takes it ten times what SQLite needs to run it, so each shape (which columns are compared, with how many
values) is compiled once and runs on the driver's connection from then on. Values are converted as the column's type
says, for the types that convert.

A row that is read again becomes the same object: the dataclasses are frozen, so what the driver gives twice with the
same values is built once. Which objects are kept is bounded (`KEPT_ROWS`); the oldest go first.

Reference: SQLAlchemy 2.1, `Compiled`, `TypeEngine.bind_processor`, `TypeEngine.result_processor`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from sqlalchemy import Dialect, Table, bindparam, delete, func, insert, select, update
from sqlalchemy.sql.expression import ClauseElement

from twinbore.store.bounded import Bounded

KEPT_ROWS: Final = 8192
"""Rows of one kind; a row has 300 octets to 2 KiB."""

VALUES_AT_ONCE: Final = 512
"""The most values that one statement compares a column with; every database takes as many."""

Shape = tuple[tuple[str, int | None], ...]
"""Column and the number of values that it is compared with: None is "equals", 0 "is NULL"."""


class Compiled:
    """A statement as the driver takes it."""

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self._names: tuple[str, ...] | None = tuple(compiled.positiontup or ()) if compiled.positional else None

    def arguments(self, values: Mapping[str, Any]) -> Any:
        """The values in their places, or by name, whichever the driver wants."""
        return values if self._names is None else [values[name] for name in self._names]


class TableStatements:
    """The statements of one dataclass's table."""

    def __init__(self, kind: type, table: Table, dialect: Dialect) -> None:
        self._kind = kind
        self._table = table
        self._dialect = dialect
        self._fields = tuple(field.name for field in dataclasses.fields(kind))
        columns = [table.c[name] for name in self._fields]
        self._binders = {c.name: bind for c in columns if (bind := c.type.bind_processor(dialect)) is not None}
        readers = [column.type.result_processor(dialect, None) for column in columns]
        self._readers = [(place, read) for place, read in enumerate(readers) if read is not None]
        self._selects: dict[Shape, Compiled] = {}
        self._tallies: dict[tuple[str, ...], Compiled] = {}
        self._deletes: dict[int, Compiled] = {}
        self._kept: Bounded[tuple[Any, ...], Any] = Bounded(KEPT_ROWS)
        self.ordered_by = ("created_at", "id") if "created_at" in table.c else ("id",)
        self.insert = Compiled(insert(table), dialect)
        new = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in self._fields if name != "id"}
        self.update = Compiled(update(table).where(table.c.id == bindparam("new_id")).values(new), dialect)

    def select(self, shape: Shape) -> Compiled:
        """Rows whose columns compare as `shape` says, by age, then id."""
        found = self._selects.get(shape)
        if found is None:
            query = select(*(self._table.c[name] for name in self._fields))
            for name, values in shape:
                query = query.where(self._condition(name, values))
            query = query.order_by(*(self._table.c[name] for name in self.ordered_by))
            found = self._selects[shape] = Compiled(query, self._dialect)
        return found

    def _condition(self, name: str, values: int | None) -> Any:
        column = self._table.c[name]
        if values == 0:
            return column.is_(None)
        if values is None:
            return column == bindparam(f"{name}_0", type_=column.type)
        return column.in_([bindparam(f"{name}_{n}", type_=column.type) for n in range(values)])

    def tally(self, names: tuple[str, ...]) -> Compiled:
        """The values of some columns, each combination with the number of rows that have it."""
        found = self._tallies.get(names)
        if found is None:
            columns = [self._table.c[name] for name in names]
            found = self._tallies[names] = Compiled(
                select(*columns, func.count()).select_from(self._table).group_by(*columns), self._dialect
            )
        return found

    def delete(self, count: int) -> Compiled:
        """Delete the rows with the ids `id_0`, `id_1`, ..., so many of them."""
        found = self._deletes.get(count)
        if found is None:
            keys: list[Any] = [bindparam(f"id_{n}") for n in range(count)]
            found = self._deletes[count] = Compiled(
                delete(self._table).where(self._table.c.id.in_(keys)), self._dialect
            )
        return found

    def bound(self, name: str, value: Any) -> Any:
        """A column's value as the driver takes it."""
        bind = self._binders.get(name)
        return value if bind is None else bind(value)

    def values(self, row: Any, prefix: str = "") -> dict[str, Any]:
        """`prefix` and column → value as the driver takes it."""
        return {prefix + name: self.bound(name, getattr(row, name)) for name in self._fields}

    def objects(self, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        """The rows as dataclasses."""
        kept = self._kept.get
        return [kept(row) or self._keep(row) for row in rows]

    def _keep(self, row: tuple[Any, ...]) -> Any:
        values = list(row)
        for place, read in self._readers:
            values[place] = read(values[place])
        made = self._kind(*values)
        self._kept.put(row, made)
        return made


def batched(values: Iterable[Any], size: int) -> Iterator[tuple[Any, ...]]:
    """The values in tuples of at most `size` (`itertools.batched` is Python 3.12's)."""
    rest = iter(values)
    while batch := tuple(islice(rest, size)):
        yield batch


def padded(values: Sequence[Any]) -> list[Any]:
    """The values, the last one repeated until there are a power of two: so there are few shapes of statements."""
    size = 1 << (len(values) - 1).bit_length()
    return [*values, *[values[-1]] * (size - len(values))]
