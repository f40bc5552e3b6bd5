"""DNS names of customer gateways are followed: resolved again, kept when that fails, not to where no router can be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit import sample, worldstore
from twinbore.agent.names import Names, ResolveError, SystemResolver, choose
from twinbore.model import resources as r
from twinbore.model.extensions import DNS_KEY
from twinbore.store.database import Database

NAME = "router.example.net"
OTHER = "cgw-0000000000000000b"


class Zone:
    """A resolver that knows what a test tells it, and counts what it is asked."""

    def __init__(self) -> None:
        self.records: dict[str, tuple[str, ...]] = {}
        self.asked: list[str] = []
        self.was_asked = asyncio.Event()

    async def addresses(self, name: str) -> tuple[str, ...]:
        self.asked.append(name)
        self.was_asked.set()
        if name not in self.records:
            raise ResolveError("no such name")
        return self.records[name]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """The sample world, whose customer gateway is known by its name."""
    opened = worldstore.database(tmp_path)
    worldstore.fill(opened)
    with opened.write() as tx:
        (gateway,) = tx.all(r.CustomerGateway)
        tx.update(gateway, ip_address=None)
        tx.insert(tag(sample.CGW, NAME))
    yield opened
    opened.close()


def tag(gateway_id: str, name: str) -> r.Tag:
    return r.Tag(f"{gateway_id}/{DNS_KEY}", sample.ACCOUNT, gateway_id, "customer-gateway", DNS_KEY, name)


class Follower:
    """`Names` with a clock that a test moves."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.zone = Zone()
        self.now = 0.0
        self._names = Names(database, self.zone, 60, lambda: self.now)

    def round(self, *, after: float = 0) -> str | None:
        """One round, so many seconds later: where the gateway is."""
        self.now += after
        asyncio.run(self._names.round())
        return self.address()

    def address(self) -> str | None:
        with self.database.read() as tx:
            found = tx.get(r.CustomerGateway, sample.CGW)
        assert found is not None
        return found.resolved_address


def test_a_name_is_resolved_at_once_and_again_when_it_is_time(database: Database) -> None:
    follower = Follower(database)
    follower.zone.records[NAME] = ("198.51.100.7",)
    assert follower.round() == "198.51.100.7"
    follower.zone.records[NAME] = ("198.51.100.8",)
    assert follower.round(after=59) == "198.51.100.7"
    assert follower.round(after=1) == "198.51.100.8"
    assert follower.zone.asked == [NAME, NAME]


def test_a_failure_keeps_the_address_and_is_tried_again_sooner(database: Database) -> None:
    follower = Follower(database)
    follower.zone.records[NAME] = ("198.51.100.7",)
    follower.round()
    del follower.zone.records[NAME]
    assert follower.round(after=60) == "198.51.100.7"
    follower.zone.records[NAME] = ("198.51.100.9",)
    assert follower.round(after=9) == "198.51.100.7"
    assert follower.round(after=1) == "198.51.100.9"


def test_nothing_is_written_while_nothing_changes(database: Database) -> None:
    follower = Follower(database)
    follower.zone.records[NAME] = ("198.51.100.7",)
    follower.round()
    with database.read() as tx:
        revision = tx.revision()
    follower.round(after=60)
    with database.read() as tx:
        assert tx.revision() == revision


def test_a_changed_name_is_resolved_at_once_and_a_deleted_gateway_never(database: Database) -> None:
    follower = Follower(database)
    follower.zone.records |= {NAME: ("198.51.100.7",), "b.example.net": ("198.51.100.8",)}
    follower.round()
    with database.write() as tx:
        tx.update(tag(sample.CGW, "b.example.net"))
    assert follower.round() == "198.51.100.8"
    with database.write() as tx:
        (gateway,) = tx.all(r.CustomerGateway)
        tx.update(gateway, state="deleted")
    follower.round(after=1000)
    assert follower.zone.asked == [NAME, "b.example.net"]


def test_an_address_of_another_gateway_at_the_same_outside_address_is_not_taken(database: Database) -> None:
    with database.write() as tx:
        other = r.CustomerGateway(
            OTHER, sample.ACCOUNT, "available", "ipsec.1", 65001, "198.51.100.7", None, None, sample.NOW
        )
        connection = replace(sample.connection(), id="vpn-b", customer_gateway_id=OTHER)
        tx.insert(other, connection, replace(sample.tunnel(1), id="vpn-b-1", connection_id="vpn-b", if_id=2001))
    follower = Follower(database)
    follower.zone.records[NAME] = ("198.51.100.7",)
    assert follower.round() is None
    follower.zone.records[NAME] = ("198.51.100.7", "198.51.100.8")
    assert follower.round(after=60) == "198.51.100.8"


def test_a_present_address_stays_while_the_name_has_it() -> None:
    assert choose(("198.51.100.9", "198.51.100.8"), "198.51.100.9", {}) == ("198.51.100.9", "")
    assert choose(("198.51.100.9", "198.51.100.8"), "198.51.100.1", {}) == ("198.51.100.8", "")


@pytest.mark.parametrize("found", [(), ("127.0.0.1",), ("169.254.1.1", "224.0.0.5"), ("0.0.0.0",)])
def test_addresses_that_no_router_has_are_not_taken(found: tuple[str, ...]) -> None:
    address, why = choose(found, "198.51.100.1", {})
    assert address is None
    assert "no router can be" in why
    assert all(text in why for text in found)


def test_the_systems_resolver_finds_this_host_and_says_what_it_cannot_find() -> None:
    assert "127.0.0.1" in asyncio.run(SystemResolver().addresses("localhost"))
    with pytest.raises(ResolveError, match="label"):
        asyncio.run(SystemResolver().addresses("a..invalid"))  # refused before any server is asked


def test_it_ends_when_it_is_told_to(database: Database) -> None:
    async def scenario() -> None:
        stop = asyncio.Event()
        zone = Zone()
        zone.records[NAME] = ("198.51.100.7",)
        running = asyncio.create_task(Names(database, zone, 60, lambda: 0.0).run(stop))
        await asyncio.wait_for(zone.was_asked.wait(), 60)
        stop.set()
        await asyncio.wait_for(running, 60)

    asyncio.run(scenario())
