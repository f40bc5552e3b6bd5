"""Transactions over the tables: rows as dataclasses, secrets, numbers that only grow, and the revision.

A write transaction is exclusive from its start and bumps the revision when it changed anything that the plan depends
on; listeners in the same process are told after the commit, others see the number. A failed transaction leaves
nothing behind, whatever the reason (an exception, a full disk, a locked database).

SQLite runs in WAL mode with `synchronous=FULL`: a commit is on disk when it returns. Nothing but the connection
set-up knows which database it is.

References: sqlite.org/wal.html, sqlite.org/pragma.html#pragma_synchronous; SQLAlchemy, "Serializable isolation /
Savepoints / Transactional DDL" for SQLite (explicit BEGIN).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, Table, create_engine, delete, event, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from twinbore.store.schema import TABLES, counters
from twinbore.store.schema import secrets as secrets_table
from twinbore.store.secrets import SealedSecret, SecretBox

Row = TypeVar("Row")

_LOCK_WAIT_SECONDS: Final = 10


class StoreError(Exception):
    """The database could not do it (locked too long, disk full, unreachable). Nothing was changed."""


class Transaction:
    """One transaction; made by `Database.read` and `Database.write` only."""

    def __init__(self, connection: Connection, box: SecretBox) -> None:
        self._connection = connection
        self._box = box
        self.changed = False

    def get(self, kind: type[Row], key: str) -> Row | None:
        """The row with this id, or None."""
        rows = self.all(kind, id=key)
        return rows[0] if rows else None

    def all(self, kind: type[Row], **equals: Any) -> list[Row]:
        """Rows whose columns equal the given values, by age, then id.

        A set, list or tuple as a value means "one of"; None means NULL.
        """
        table = TABLES[kind]
        query = select(table)
        for name, value in equals.items():
            column = table.c[name]
            if isinstance(value, (set, frozenset, list, tuple)):
                query = query.where(column.in_(list(value)))
            else:
                query = query.where(column.is_(None) if value is None else column == value)
        query = (
            query.order_by(table.c.created_at, table.c.id) if "created_at" in table.c else query.order_by(table.c.id)
        )
        return [kind(**row) for row in self._connection.execute(query).mappings()]

    def insert(self, *rows: Any) -> None:
        """Add rows; each a dataclass of `TABLES`."""
        for row in rows:
            self._connection.execute(insert(TABLES[type(row)]), _values(row))
            self.changed = True

    def update(self, row: Row, **changes: Any) -> Row:
        """Store `row` with `changes` applied, and return it."""
        new = dataclasses.replace(row, **changes) if changes else row  # type: ignore[type-var]
        table = TABLES[type(row)]
        values = _values(new)
        self._connection.execute(update(table).where(table.c.id == values.pop("id")).values(values))
        self.changed = True
        return new

    def delete(self, kind: type, *keys: str) -> None:
        """Remove the rows with these ids; ids that are not there are passed over."""
        if keys:
            table: Table = TABLES[kind]
            self._connection.execute(delete(table).where(table.c.id.in_(keys)))
            self.changed = True

    def next_number(self, name: str, first: int = 1) -> int:
        """A number that was never given before under this name: `first`, then one more each time."""
        row = self._connection.execute(select(counters.c.value).where(counters.c.id == name)).scalar_one_or_none()
        if row is None:
            self._connection.execute(insert(counters), {"id": name, "value": first})
            return first
        self._connection.execute(update(counters).where(counters.c.id == name).values(value=row + 1))
        return int(row) + 1

    def put_secret(self, resource_id: str, field: str, plaintext: str) -> None:
        """Store a secret, encrypted; replaces the one that is there."""
        self.delete_secret(resource_id, field)
        sealed = self._box.seal(resource_id, field, plaintext)
        self._connection.execute(
            insert(secrets_table),
            {
                "resource_id": resource_id,
                "field": field,
                "key_id": sealed.key_id,
                "wrapped_key": sealed.wrapped_key,
                "ciphertext": sealed.ciphertext,
            },
        )
        self.changed = True

    def secret(self, resource_id: str, field: str) -> str | None:
        """A secret's plaintext, or None when there is none."""
        table = secrets_table
        row = self._connection.execute(
            select(table).where(table.c.resource_id == resource_id, table.c.field == field)
        ).one_or_none()
        if row is None:
            return None
        return self._box.open(resource_id, field, SealedSecret(row.key_id, row.wrapped_key, row.ciphertext))

    def secrets(self, resource_ids: Collection[str], field: str) -> dict[str, str]:
        """Resource id → plaintext of that secret, for those of the resources that have it; one query for all."""
        table = secrets_table
        rows = self._connection.execute(
            select(table).where(table.c.resource_id.in_(list(resource_ids)), table.c.field == field)
        )
        return {
            row.resource_id: self._box.open(
                row.resource_id, field, SealedSecret(row.key_id, row.wrapped_key, row.ciphertext)
            )
            for row in rows
        }

    def delete_secret(self, resource_id: str, field: str) -> None:
        table = secrets_table
        self._connection.execute(delete(table).where(table.c.resource_id == resource_id, table.c.field == field))

    def revision(self) -> int:
        """The revision that this transaction sees."""
        query = select(counters.c.value).where(counters.c.id == "revision")
        return int(self._connection.execute(query).scalar_one_or_none() or 0)


class Database:
    """A database with its migrations applied; see `open_database`."""

    def __init__(self, engine: Engine, box: SecretBox) -> None:
        self.engine = engine
        self._box = box
        self._listeners: list[Callable[[int], None]] = []

    def on_revision(self, listener: Callable[[int], None]) -> None:
        """Call `listener(revision)` after each commit of this process that bumped the revision (in its thread)."""
        self._listeners.append(listener)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A consistent snapshot; changes are thrown away. Raises `StoreError`."""
        with self._failures(), self.engine.connect() as connection, connection.begin() as snapshot:
            try:
                yield Transaction(connection, self._box)
            finally:
                snapshot.rollback()

    @contextmanager
    def write(self, *, bump: bool = True) -> Iterator[Transaction]:
        """An exclusive transaction, committed at the end of the block, undone by any exception.

        `bump=False` is for observations, which the plan's owner writes itself. Raises `StoreError`.
        """
        revision: int | None = None
        with (
            self._failures(),
            self.engine.connect().execution_options(twinbore_write=True) as connection,
            connection.begin(),
        ):
            transaction = Transaction(connection, self._box)
            yield transaction
            if transaction.changed and bump:
                revision = transaction.next_number("revision")
        if revision is not None:
            for listener in self._listeners:
                listener(revision)

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise StoreError(f"{type(cause).__name__}: {cause}") from error


def connect(url: str, box: SecretBox) -> Database:
    """A database whose schema is up to date already (see `migrate.upgrade`). `url` is SQLAlchemy's."""
    options: dict[str, Any] = {}
    if url.startswith("sqlite"):
        options = {
            "poolclass": QueuePool,
            "connect_args": {"check_same_thread": False, "timeout": _LOCK_WAIT_SECONDS, "isolation_level": None},
        }
    engine = create_engine(url, **options)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return Database(engine, box)


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


def _values(row: Any) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    exclusive = connection.get_execution_options().get("twinbore_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if exclusive else "BEGIN")
