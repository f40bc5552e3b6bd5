"""Compiled statements: values in their places, many values, rows that stay the same objects, counts."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite

from tests.unit import sample, worldstore
from twinbore.model import resources as r
from twinbore.store import statements
from twinbore.store.database import Database
from twinbore.store.schema import TABLES
from twinbore.store.statements import VALUES_AT_ONCE, TableStatements, batched, padded

CUSTOMER = r.CustomerGateway(
    "cgw-0", sample.ACCOUNT, "available", "ipsec.1", 65000, "192.0.2.1", None, None, sample.NOW
)


def customers(count: int) -> list[r.CustomerGateway]:
    return [replace(CUSTOMER, id=f"cgw-{n:05}", ip_address=f"10.0.{n // 256}.{n % 256}") for n in range(count)]


@pytest.mark.parametrize(("count", "size"), [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (500, 512), (512, 512)])
def test_few_shapes_serve_many_numbers_of_values(count: int, size: int) -> None:
    values = [str(n) for n in range(count)]
    assert padded(values)[:count] == values
    assert set(padded(values)) == set(values)
    assert len(padded(values)) == size <= VALUES_AT_ONCE


def test_batches() -> None:
    assert list(batched(range(5), 2)) == [(0, 1), (2, 3), (4,)]
    assert list(batched([], 2)) == []


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()])
def test_every_database_gets_its_own_sql(dialect: object) -> None:
    for kind, table in TABLES.items():
        of_kind = TableStatements(kind, table, dialect)  # type: ignore[arg-type]
        statement = of_kind.select((("id", 2),))
        arguments = statement.arguments({"id_0": "a", "id_1": "b"})
        assert (arguments == ["a", "b"]) is (isinstance(arguments, list))
        assert ("%(id_0)s" in statement.sql) is (not isinstance(arguments, list))
        assert " ORDER BY " in statement.sql


def test_more_values_than_a_statement_takes(database: Database) -> None:
    rows = customers(3 * VALUES_AT_ONCE + 5)
    with database.write() as tx:
        tx.insert(*rows)
    wanted = [row.id for row in rows if row.id != "cgw-00007"]
    with database.read() as tx:
        found = tx.all(r.CustomerGateway, id=[*reversed(wanted), *wanted, "cgw-none"], state="available")
        assert found == [row for row in rows if row.id != "cgw-00007"]
        assert tx.all(r.CustomerGateway, id=wanted, state="deleted") == []
    with database.write() as tx:
        tx.delete(r.CustomerGateway, *wanted)
        assert [row.id for row in tx.all(r.CustomerGateway)] == ["cgw-00007"]


def test_a_row_that_is_read_again_is_the_same_object(database: Database) -> None:
    with database.write() as tx:
        tx.insert(CUSTOMER)
    with database.read() as tx:
        (first,) = tx.all(r.CustomerGateway)
    with database.write() as tx:
        (second,) = tx.all(r.CustomerGateway, id="cgw-0")
        assert second is first
        tx.update(second, state="deleted")
        (third,) = tx.all(r.CustomerGateway)
    assert third == replace(first, state="deleted")


def test_rows_are_kept_within_bounds(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "KEPT_ROWS", 10)
    of_kind = TableStatements(r.CustomerGateway, TABLES[r.CustomerGateway], database.engine.dialect)
    rows = [tuple(of_kind.values(row).values()) for row in customers(50)]
    assert of_kind.objects(rows) == customers(50)
    assert len(of_kind._kept) == 10


def counted(opened: Database, **equals: str) -> int:
    table = TABLES[r.CustomerGateway]
    query = select(func.count()).select_from(table)
    for name, value in equals.items():
        query = query.where(table.c[name] == value)
    with opened.engine.connect() as connection:
        return connection.execute(query).scalar_one()


def test_counts_stay_true_whatever_happens(tmp_path: Path, database: Database) -> None:
    other = worldstore.connect_to(tmp_path)
    randomness = random.Random(1)
    for number in range(300):
        writer = randomness.choice([database, database, database, other])
        undone = randomness.random() < 0.2
        try:
            with writer.write() as tx:
                rows = tx.all(r.CustomerGateway)
                what = randomness.randrange(4)
                if what == 0 and rows:
                    tx.update(randomness.choice(rows), state=randomness.choice(["available", "deleted"]))
                elif what == 1 and rows:
                    tx.delete(r.CustomerGateway, randomness.choice(rows).id)
                elif what > 1:
                    tx.insert(replace(CUSTOMER, id=f"cgw-{number}", bgp_asn=randomness.randrange(2)))
                assert tx.count(r.CustomerGateway) == len(tx.all(r.CustomerGateway))
                assert tx.count(r.CustomerGateway, account_id=sample.ACCOUNT, state="deleted") == len(
                    tx.all(r.CustomerGateway, account_id=sample.ACCOUNT, state="deleted")
                )
                by_asn = tx.counts(r.CustomerGateway, "bgp_asn")
                assert [by_asn(n) for n in range(3)] == [len(tx.all(r.CustomerGateway, bgp_asn=n)) for n in range(3)]
                if undone:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            assert undone
        with database.read() as tx:
            assert tx.count(r.CustomerGateway, state="deleted") == counted(database, state="deleted")
            assert tx.count(r.CustomerGateway, state="none") == 0
    other.close()


def test_what_another_process_writes_is_seen(tmp_path: Path, database: Database) -> None:
    other = worldstore.connect_to(tmp_path)
    with database.read() as tx:
        assert tx.all(r.CustomerGateway, id="cgw-0") == []
    with other.write(bump=False) as tx:
        tx.insert(CUSTOMER)
        tx.put_secret("cgw-0", "key", "first")
    with database.read() as tx:
        assert tx.all(r.CustomerGateway, id="cgw-0") == [CUSTOMER]
        assert tx.secret("cgw-0", "key") == "first"
    with other.write(bump=False) as tx:
        tx.update(CUSTOMER, state="deleted")
        tx.put_secret("cgw-0", "key", "second")
    with database.read() as tx:
        assert tx.all(r.CustomerGateway, id="cgw-0") == [replace(CUSTOMER, state="deleted")]
        assert tx.secret("cgw-0", "key") == "second"
    other.close()


def test_a_caller_may_change_the_list_it_was_given(database: Database) -> None:
    with database.write() as tx:
        tx.insert(CUSTOMER)
    with database.read() as tx:
        tx.all(r.CustomerGateway).clear()
        assert tx.all(r.CustomerGateway) == [CUSTOMER]


def test_what_a_reading_transaction_changes_is_seen_by_it_alone(database: Database) -> None:
    with database.read() as tx:
        assert tx.all(r.CustomerGateway) == []
        tx.insert(CUSTOMER)
        assert tx.all(r.CustomerGateway) == [CUSTOMER]
        assert tx.count(r.CustomerGateway) == 1
    with database.read() as tx:
        assert tx.all(r.CustomerGateway) == []
        assert tx.count(r.CustomerGateway) == 0
