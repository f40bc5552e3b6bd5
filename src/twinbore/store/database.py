"""Transactions over the tables: rows as dataclasses, secrets, numbers that only grow, and the revision.

A write transaction is exclusive from its start and bumps the revision when it changed anything that the plan depends
on; listeners in the same process are told after the commit, others see the number. A failed transaction leaves
nothing behind, whatever the reason (an exception, a full disk, a locked database).

Secrets that were read are kept in the clear for a while, in the memory of the process that holds the master key: to
open one takes longer than all else about its row. They are kept under what is stored, so that none is found for a
ciphertext that has been changed or moved.

SQLite runs in WAL mode with `synchronous=FULL`: a commit is on disk when it returns. Nothing but the connection
set-up knows which database it is.

References: sqlite.org/wal.html, sqlite.org/pragma.html#pragma_synchronous; SQLAlchemy, "Serializable isolation /
Savepoints / Transactional DDL" for SQLite (explicit BEGIN).
"""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Dialect, Engine, bindparam, create_engine, delete, event, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from twinbore.store.results import ResultCache, Results
from twinbore.store.schema import TABLES, counters
from twinbore.store.schema import secrets as secrets_table
from twinbore.store.secrets import SealedSecret, SecretBox
from twinbore.store.statements import VALUES_AT_ONCE, Compiled, TableStatements, batched, padded
from twinbore.store.tallies import Tallies, Tally

Row = TypeVar("Row")

REVISION: Final = "revision"
CHANGE: Final = "change"
"""Counters: one for each commit that the plan depends on, one for each commit that changed anything."""

KEPT_SECRETS: Final = 4096

_LOCK_WAIT_SECONDS: Final = 10
_CONNECTIONS: Final = 256
"""More than there are transactions at once: threads, and answers on their way to slow clients."""


class StoreError(Exception):
    """The database could not do it (locked too long, disk full, unreachable). Nothing was changed."""


class Transaction:
    """One transaction; made by `Database.read` and `Database.write` only."""

    def __init__(self, tools: _Tools, connection: Any, tallies: Tallies | None = None) -> None:
        self._tools = tools
        self._cursor = connection.cursor()
        self._reading = tallies is None
        self._tallies = tallies or Tallies()
        self.changed = False

    def get(self, kind: type[Row], key: str) -> Row | None:
        """The row with this id, or None."""
        rows = self.all(kind, id=key)
        return rows[0] if rows else None

    def all(self, kind: type[Row], **equals: Any) -> list[Row]:
        """Rows whose columns equal the given values, by age, then id.

        A set, list or tuple as a value means "one of"; None means NULL.
        """
        conditions = {
            name: tuple(value) if isinstance(value, (set, frozenset, list, tuple)) else value
            for name, value in equals.items()
        }
        key = (kind, *conditions.items())
        results = self._results
        known: list[Row] | None = results.get(key) if results else None
        if known is None:
            known = self._select(kind, conditions)
            if results is not None:
                results.put(key, known)
        return known.copy()

    def count(self, kind: type, **equals: Any) -> int:
        """How many rows `all` would give; `equals` has single values only."""
        statements = self._tools.tables[kind]
        values = tuple([statements.bound(name, value) for name, value in equals.items()])
        return self._tally(kind, tuple(equals))[values]

    def counts(self, kind: type, column: str) -> Callable[[Any], int]:
        """How many rows have which value of a column, which must be text or a number; as of now."""
        tally = self._tally(kind, (column,))
        return lambda value: tally[value,]

    def insert(self, *rows: Any) -> None:
        """Add rows; each a dataclass of `TABLES`."""
        for row in rows:
            statements = self._tools.tables[type(row)]
            self._run(statements.insert, statements.values(row))
            self._tallies.inserted(row, statements)
            self._note_change()

    def update(self, row: Row, **changes: Any) -> Row:
        """Store `row` with `changes` applied, and return it."""
        new = dataclasses.replace(row, **changes) if changes else row  # type: ignore[type-var]
        statements = self._tools.tables[type(row)]
        self._run(statements.update, statements.values(new, "new_"))
        self._tallies.changed(type(row))
        self._note_change()
        return new

    def delete(self, kind: type, *keys: str) -> None:
        """Remove the rows with these ids; ids that are not there are passed over."""
        for some in batched(keys, VALUES_AT_ONCE):
            chosen = padded(some)
            statement = self._tools.tables[kind].delete(len(chosen))
            self._run(statement, {f"id_{n}": key for n, key in enumerate(chosen)})
            self._tallies.changed(kind)
            self._note_change()

    def next_number(self, name: str, first: int = 1) -> int:
        """A number that was never given before under this name: `first`, then one more each time."""
        current = self._counter(name)
        if current is None:
            self._run(self._tools.insert_counter, {"id": name, "value": first})
            return first
        self._run(self._tools.set_counter, {"name": name, "number": current + 1})
        return current + 1

    def put_secret(self, resource_id: str, field: str, plaintext: str) -> None:
        """Store a secret, encrypted; replaces the one that is there."""
        self.delete_secret(resource_id, field)
        sealed = self._tools.box.seal(resource_id, field, plaintext)
        self._run(
            self._tools.insert_secret,
            {
                "resource_id": resource_id,
                "field": field,
                "key_id": sealed.key_id,
                "wrapped_key": sealed.wrapped_key,
                "ciphertext": sealed.ciphertext,
            },
        )
        self._note_change()

    def secret(self, resource_id: str, field: str) -> str | None:
        """A secret's plaintext, or None when there is none."""
        return self.secrets([resource_id], field).get(resource_id)

    def secrets(self, resource_ids: Collection[str], field: str) -> dict[str, str]:
        """Resource id → plaintext of that secret, for those of the resources that have it."""
        ids = tuple(resource_ids)
        key = ("secrets", field, ids)
        results = self._results
        known: dict[str, str] | None = results.get(key) if results else None
        if known is None:
            known = {}
            for some in batched(ids, VALUES_AT_ONCE):
                chosen = padded(some)
                values = {"field_name": field} | {f"id_{n}": value for n, value in enumerate(chosen)}
                for resource_id, key_id, wrapped_key, ciphertext in self._rows(
                    self._tools.select_secrets(len(chosen)), values
                ):
                    sealed = SealedSecret(key_id, bytes(wrapped_key), bytes(ciphertext))
                    known[resource_id] = self._tools.opened(resource_id, field, sealed)
            if results is not None:
                results.put(key, known)
        return known.copy()

    def delete_secret(self, resource_id: str, field: str) -> None:
        self._run(self._tools.delete_secret, {"owner": resource_id, "field_name": field})
        self._note_change()

    def revision(self) -> int:
        """The revision that this transaction sees."""
        return self._counter(REVISION) or 0

    def change(self) -> int:
        """How many commits that changed anything this transaction sees."""
        return self._counter(CHANGE) or 0

    @cached_property
    def _results(self) -> Results | None:
        """What is known of this very state of the database; nothing in a transaction that may change it."""
        return self._tools.results.at(self.change()) if self._reading else None

    def _note_change(self) -> None:
        self.changed = True
        if self._reading:
            self._reading = False
            self.__dict__["_results"] = None

    def _select(self, kind: type[Row], conditions: Mapping[str, Any]) -> list[Row]:
        statements = self._tools.tables[kind]
        shape: list[tuple[str, int | None]] = []
        values: dict[str, Any] = {}
        longest: tuple[str, tuple[Any, ...]] | None = None
        for name, value in conditions.items():
            if not isinstance(value, tuple):
                shape.append((name, 0 if value is None else None))
                values[f"{name}_0"] = statements.bound(name, value)
            elif not value:
                return []
            elif len(value) > VALUES_AT_ONCE:
                longest = (name, value)
            else:
                self._one_of(statements, name, value, shape, values)
        if longest is None:
            return statements.objects(self._rows(statements.select(tuple(shape)), values))
        name, every = longest
        found: list[Row] = []
        for some in batched(dict.fromkeys(every), VALUES_AT_ONCE):
            more, with_more = shape.copy(), values.copy()
            self._one_of(statements, name, some, more, with_more)
            found += statements.objects(self._rows(statements.select(tuple(more)), with_more))
        return sorted(found, key=attrgetter(*statements.ordered_by))

    @staticmethod
    def _one_of(
        statements: TableStatements,
        name: str,
        some: Sequence[Any],
        shape: list[tuple[str, int | None]],
        values: dict[str, Any],
    ) -> None:
        chosen = padded(some)
        shape.append((name, len(chosen)))
        values.update({f"{name}_{n}": statements.bound(name, value) for n, value in enumerate(chosen)})

    def _tally(self, kind: type, columns: tuple[str, ...]) -> Tally:
        tally = self._tallies.find(kind, columns)
        if tally is None:
            rows = self._rows(self._tools.tables[kind].tally(columns), {})
            tally = Counter({tuple(values): number for *values, number in rows})
            self._tallies.keep(kind, columns, tally)
        return tally

    def _counter(self, name: str) -> int | None:
        rows = self._rows(self._tools.select_counter, {"name": name})
        return int(rows[0][0]) if rows else None

    def _run(self, statement: Compiled, values: Mapping[str, Any]) -> None:
        self._cursor.execute(statement.sql, statement.arguments(values))

    def _rows(self, statement: Compiled, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        self._cursor.execute(statement.sql, statement.arguments(values))
        rows: list[tuple[Any, ...]] = self._cursor.fetchall()
        return rows


class _Tools:
    """What all transactions of a database share."""

    def __init__(self, dialect: Dialect, box: SecretBox) -> None:
        self.box = box
        self.results = ResultCache()
        self.tallies = Tallies()
        self.opened = lru_cache(KEPT_SECRETS)(box.open)
        self.tables = {kind: TableStatements(kind, table, dialect) for kind, table in TABLES.items()}
        self._dialect = dialect
        self._secrets: dict[int, Compiled] = {}
        table, numbers = secrets_table, counters
        this = numbers.c.id == bindparam("name")
        self.insert_counter = Compiled(insert(numbers), dialect)
        self.select_counter = Compiled(select(numbers.c.value).where(this), dialect)
        self.set_counter = Compiled(update(numbers).where(this).values(value=bindparam("number")), dialect)
        self.insert_secret = Compiled(insert(table), dialect)
        self._field = table.c.field == bindparam("field_name")
        owner = table.c.resource_id == bindparam("owner")
        self.delete_secret = Compiled(delete(table).where(owner, self._field), dialect)

    def select_secrets(self, count: int) -> Compiled:
        """The secrets of the resources `id_0`, `id_1`, ..., so many of them."""
        found = self._secrets.get(count)
        if found is None:
            table = secrets_table
            wanted = table.c.resource_id.in_([bindparam(f"id_{n}") for n in range(count)])
            columns = (table.c.resource_id, table.c.key_id, table.c.wrapped_key, table.c.ciphertext)
            found = self._secrets[count] = Compiled(select(*columns).where(wanted, self._field), self._dialect)
        return found


class Database:
    """A database with its migrations applied; see `open_database`."""

    def __init__(self, engine: Engine, box: SecretBox) -> None:
        self.engine = engine
        self._tools = _Tools(engine.dialect, box)
        self._writing = threading.Lock()
        self._listeners: list[Callable[[int], None]] = []

    def on_revision(self, listener: Callable[[int], None]) -> None:
        """Call `listener(revision)` after each commit of this process that bumped the revision (in its thread)."""
        self._listeners.append(listener)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A consistent snapshot; changes are thrown away. Raises `StoreError`."""
        with self._connection("BEGIN") as connection:
            yield Transaction(self._tools, connection)

    @contextmanager
    def write(self, *, bump: bool = True) -> Iterator[Transaction]:
        """An exclusive transaction, committed at the end of the block, undone by any exception.

        `bump=False` is for observations, which the plan's owner writes itself. Raises `StoreError`.
        """
        revision: int | None = None
        tallies = self._tools.tallies
        # Threads of this process queue here: SQLite lets who waits for its lock sleep and try again, and whoever comes
        # at the right moment goes first.
        if not self._writing.acquire(timeout=_LOCK_WAIT_SECONDS):
            raise StoreError("another transaction of this process takes too long")
        try:
            with self._connection("BEGIN IMMEDIATE") as connection:
                transaction = Transaction(self._tools, connection, tallies)
                change = transaction.change()
                tallies.begin(change)
                yield transaction
                if transaction.changed:
                    change = transaction.next_number(CHANGE)
                    if bump:
                        revision = transaction.next_number(REVISION)
                connection.commit()
                tallies.end(change)
        except BaseException:
            tallies.abandon()
            raise
        finally:
            self._writing.release()
        if revision is not None:
            for listener in self._listeners:
                listener(revision)

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _connection(self, begin: str) -> Iterator[Any]:
        """The driver's connection in a transaction, which is undone at the end if it is not committed."""
        failure: Any = self.engine.dialect.loaded_dbapi.Error
        try:
            pooled = self.engine.raw_connection()
            try:
                connection: Any = pooled.driver_connection
                if self.engine.dialect.name == "sqlite":
                    connection.execute(begin)
                yield connection
            finally:
                pooled.close()
        except (SQLAlchemyError, failure) as error:
            cause = getattr(error, "orig", None) or error
            raise StoreError(f"{type(cause).__name__}: {cause}") from error


def connect(url: str, box: SecretBox) -> Database:
    """A database whose schema is up to date already (see `migrate.upgrade`). `url` is SQLAlchemy's."""
    options: dict[str, Any] = {}
    if url.startswith("sqlite"):
        options = {
            "poolclass": QueuePool,
            "max_overflow": _CONNECTIONS,
            "connect_args": {"check_same_thread": False, "timeout": _LOCK_WAIT_SECONDS, "isolation_level": None},
        }
    engine = create_engine(url, **options)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return Database(engine, box)


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    exclusive = connection.get_execution_options().get("twinbore_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if exclusive else "BEGIN")
