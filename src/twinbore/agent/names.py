"""Follows the DNS names of customer gateways (`twinbore:dns-name`): each is resolved again and again, and what it leads
to is written into the gateway's row. The plan follows the row: charon is given the new address, negotiates with it, and
lets the old SAs go.

* Resolved every `interval` seconds; the system's resolver does not tell for how long an answer holds. A name that could
  not be resolved is tried again after `RETRY_SECONDS`. A new or changed name is seen within `POLL_SECONDS`.
* A failure keeps the last address: a router whose name server is away is most likely where it was.
* A name with several addresses keeps the one it has while that is among them, else the first in order is taken.
* An address that no router can have (loopback, link-local, multicast) is not taken, nor one at which another customer
  gateway is reached from the same outside address: charon could not tell the two apart.

The resolver is a parameter, so that tests need no name server.

References: RFC 1034 section 5.2 (resolvers); getaddrinfo(3).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final, Protocol

import structlog

from twinbore.model import resources as r
from twinbore.model.extensions import DNS_KEY
from twinbore.model.peer import is_at, is_usable
from twinbore.model.states import DELETED
from twinbore.store.database import Database, StoreError, Transaction

POLL_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 15.0


class ResolveError(Exception):
    """A name could not be resolved; the message says why."""


class Resolver(Protocol):
    """Where names are looked up."""

    async def addresses(self, name: str) -> tuple[str, ...]:
        """The name's IPv4 addresses. Raises `ResolveError` when there is none."""


class SystemResolver:
    """The resolver of this host (nsswitch.conf, resolv.conf)."""

    async def addresses(self, name: str) -> tuple[str, ...]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                found = await loop.getaddrinfo(name, None, family=socket.AF_INET, type=socket.SOCK_DGRAM)
        except TimeoutError:
            raise ResolveError(f"no answer within {ANSWER_SECONDS:.0f} seconds") from None
        except (OSError, UnicodeError) as error:
            raise ResolveError(str(error)) from error
        return tuple(str(address[0]) for *_, address in found)


@dataclass(frozen=True, slots=True)
class _Watched:
    """A gateway's name, when it is due again, and what was last said of it in the log."""

    name: str
    due: float
    said: str = ""


class Names:
    """Keeps `resolved_address` of every customer gateway with a name. `interval` in seconds; `clock` is monotonic."""

    def __init__(self, database: Database, resolver: Resolver, interval: float, clock: Callable[[], float]) -> None:
        self._database = database
        self._resolver = resolver
        self._interval = interval
        self._clock = clock
        self._watched: dict[str, _Watched] = {}
        self._log = structlog.get_logger("names")

    async def run(self, stop: asyncio.Event) -> None:
        """Resolve what is due until `stop` is set."""
        while not stop.is_set():
            try:
                await self.round()
            except StoreError as error:
                self._log.error("names of customer gateways cannot be followed now", reason=str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), POLL_SECONDS)

    async def round(self) -> None:
        """Resolve every name that is new or due, side by side."""
        names = await asyncio.to_thread(self._names)
        self._watched = {key: entry for key, entry in self._watched.items() if names.get(key) == entry.name}
        now = self._clock()
        due = [(key, name) for key, name in names.items() if key not in self._watched or self._watched[key].due <= now]
        await asyncio.gather(*(self._follow(key, name) for key, name in due))

    async def _follow(self, gateway_id: str, name: str) -> None:
        try:
            found = await self._resolver.addresses(name)
            said = await asyncio.to_thread(self._take, gateway_id, found)
            pause = self._interval
        except ResolveError as error:
            said = f"the name cannot be resolved: {error}; the last address is kept"
            pause = min(RETRY_SECONDS, self._interval)
        before = self._watched.get(gateway_id)
        if said and (before is None or before.said != said):
            self._log.info(said, gateway=gateway_id, name=name)
        self._watched[gateway_id] = _Watched(name, self._clock() + pause, said)

    def _names(self) -> dict[str, str]:
        """Customer gateway → its name."""
        with self._database.read() as tx:
            names = {tag.resource_id: tag.value for tag in tx.all(r.Tag, key=DNS_KEY)}
            gateways = tx.all(r.CustomerGateway, id=list(names))
        return {gateway.id: names[gateway.id] for gateway in gateways if gateway.state != DELETED}

    def _take(self, gateway_id: str, found: Iterable[str]) -> str:
        """Store the address for a gateway, if it is another; what there is to say."""
        with self._database.read() as tx:
            gateway = tx.get(r.CustomerGateway, gateway_id)
            others = _beside(tx, gateway_id)
        if gateway is None:
            return ""
        address, why = choose(found, gateway.resolved_address, others)
        if address is None:
            return f"{why}; the last address is kept"
        if address != gateway.resolved_address:
            with self._database.write() as tx:
                current = tx.get(r.CustomerGateway, gateway_id)
                if current is not None:
                    tx.update(current, resolved_address=address)
        return f"the customer gateway is at {address}"


def choose(
    found: Iterable[str], present: str | None, others: Mapping[str, r.CustomerGateway]
) -> tuple[str | None, str]:
    """The address to use of those that a name has, or None and why.

    `others` are gateways (by connection) that use the same outside addresses.
    """
    addresses = sorted({IPv4Address(text) for text in found})
    usable = [str(address) for address in addresses if is_usable(address)]
    if not usable:
        listed = ", ".join(map(str, addresses)) or "nowhere"
        return None, f"the name leads to {listed}, where no router can be"
    free = [a for a in usable if not any(is_at(gateway, a) for gateway in others.values())]
    if not free:
        taken = ", ".join(sorted(key for key, gateway in others.items() if any(is_at(gateway, a) for a in usable)))
        return None, f"the name leads to {', '.join(usable)}, where {taken} at the same outside address has its router"
    return (present if present in free else free[0]), ""


def _beside(tx: Transaction, gateway_id: str) -> dict[str, r.CustomerGateway]:
    """Connection → customer gateway, of the other gateways' connections at outside addresses that this one uses."""
    living = {c.id: c for c in tx.all(r.VpnConnection) if c.state != DELETED}
    tunnels = [t for t in tx.all(r.VpnTunnel) if t.connection_id in living]
    own = {t.outside_local for t in tunnels if living[t.connection_id].customer_gateway_id == gateway_id}
    near = {t.connection_id: living[t.connection_id].customer_gateway_id for t in tunnels if t.outside_local in own}
    gateways = {g.id: g for g in tx.all(r.CustomerGateway, id=list(set(near.values()) - {gateway_id}))}
    return {key: gateways[customer] for key, customer in near.items() if customer in gateways}
