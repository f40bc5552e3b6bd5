"""Bursts of kernel events become one report."""

from __future__ import annotations

import asyncio
import struct

import pytest

from twinbore.engines.kernel_events import Collector, route_protocol

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_burst_is_reported_once() -> None:
    reports: list[set[str]] = []
    collector = Collector(0.02, reports.append)
    for name in ("a", "b", "a"):
        collector.add({name})
    assert reports == []
    await asyncio.sleep(0.05)
    assert reports == [{"a", "b"}]
    collector.add({"c"})
    await asyncio.sleep(0.05)
    assert reports == [{"a", "b"}, {"c"}]


async def test_the_short_one_does_not_wait_for_quiet_and_the_long_one_does() -> None:
    short: list[set[str]] = []
    long: list[set[str]] = []
    one, other = Collector(0.05, short.append), Collector(0.05, long.append, quiet=True)
    for _ in range(6):
        one.add({"a"})
        other.add({"a"})
        await asyncio.sleep(0.02)
    assert short
    assert long == []
    await asyncio.sleep(0.1)
    assert long == [{"a"}]


async def test_a_closed_one_is_silent() -> None:
    reports: list[set[str]] = []
    collector = Collector(0.01, reports.append)
    collector.add({"a"})
    collector.close()
    await asyncio.sleep(0.03)
    assert reports == []


def test_the_routing_protocol_of_a_route_message() -> None:
    header = struct.pack("=IHHII", 28, 24, 0, 0, 0)
    assert route_protocol(header + struct.pack("=8BI", 2, 24, 0, 0, 254, 12, 0, 1, 0)) == 12
