"""A gateway and a customer on one wire: two network namespaces with a veth pair, names unique to this process."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

GATEWAY_ADDRESSES = ("10.99.0.1", "10.99.0.11")
CUSTOMER_ADDRESS = "10.99.0.2"

_numbers = itertools.count()


@dataclass(frozen=True)
class Wire:
    """Names of the two namespaces and what they have in common."""

    gateway: str
    customer: str

    def cut(self) -> None:
        """Take the wire down: nothing arrives any more, and nobody is told."""
        ip("-n", self.customer, "link", "set", "wire", "down")

    def mend(self) -> None:
        ip("-n", self.customer, "link", "set", "wire", "up")


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@contextmanager
def wired() -> Iterator[Wire]:
    """Make the namespaces, and remove them whatever happens."""
    prefix = f"tbw{os.getpid()}-{next(_numbers)}"
    wire = Wire(f"{prefix}-g", f"{prefix}-c")
    try:
        for netns in (wire.gateway, wire.customer):
            ip("netns", "add", netns)
            ip("-n", netns, "link", "set", "lo", "up")
        ip("link", "add", "wire", "netns", wire.gateway, "type", "veth", "peer", "name", "wire", "netns", wire.customer)
        for address in GATEWAY_ADDRESSES:
            ip("-n", wire.gateway, "addr", "add", f"{address}/24", "dev", "wire")
        ip("-n", wire.customer, "addr", "add", f"{CUSTOMER_ADDRESS}/24", "dev", "wire")
        for netns in (wire.gateway, wire.customer):
            ip("-n", netns, "link", "set", "wire", "up")
        yield wire
    finally:
        for netns in (wire.gateway, wire.customer):
            subprocess.run(["ip", "netns", "del", netns], check=False, capture_output=True)


async def until(condition: Callable[[], Awaitable[bool]], what: str, seconds: float = 15.0) -> None:
    """Wait until something is so; fails with its name."""
    for _ in range(int(seconds / 0.05)):
        if await condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")
