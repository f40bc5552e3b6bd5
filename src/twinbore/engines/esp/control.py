"""The control socket of twinbore-esp: one JSON object a line each way, over a UNIX stream socket.

A request has `id` and `op`; the answer has the same `id` and either `ok` or `error` (`code`, `message`). Requests go
one after the other. A connection on which an answer failed to come is given up, and the next request makes a new one.

Reference: `twinbore-esp --help`; esp/daemon/src/control/mod.rs.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")

ANSWER_SECONDS: Final = 5.0
_LINE_LIMIT: Final = 64 << 20


class ControlError(Exception):
    """twinbore-esp refused a request. `code` is its word for why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ControlUnreachable(ConnectionError):
    """twinbore-esp is not there, or did not answer."""


class Encapsulation(msgspec.Struct, frozen=True):
    """UDP ports of an encapsulated SA."""

    src_port: int
    dst_port: int


class Sa(msgspec.Struct, frozen=True):
    """One SA in the data plane. `direction` is in, out or unknown; an `orphan`'s charon is gone."""

    spi: str
    direction: str
    if_id: int
    suite: str
    orphan: bool
    encap: Encapsulation | None = None


class Tunnel(msgspec.Struct, frozen=True):
    """One TUN device with its counters: `rx` from the customer after decryption, `tx` to it before encryption."""

    if_id: int
    netns: str | None
    name: str
    mtu: int
    rx_packets: int = 0
    rx_bytes: int = 0
    tx_packets: int = 0
    tx_bytes: int = 0
    drops: dict[str, int] = {}


class _Hello(msgspec.Struct):
    version: str
    pid: int


class _Changed(msgspec.Struct):
    changed: bool


class _Removed(msgspec.Struct):
    removed: list[int]


class _Tunnels(msgspec.Struct):
    tunnels: list[Tunnel]


class _Sas(msgspec.Struct):
    sas: list[Sa]


class _Refusal(msgspec.Struct):
    code: str
    message: str


class _Answer(msgspec.Struct):
    id: int
    ok: msgspec.Raw = msgspec.Raw()
    error: _Refusal | None = None


class ControlClient:
    """Requests to one daemon. Every method raises `ControlError` or `ControlUnreachable`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = asyncio.Lock()
        self._last_id = 0

    async def hello(self) -> str:
        """The daemon's version."""
        return (await self._request(_Hello, "hello")).version

    async def add_tunnel(self, if_id: int, netns: str, name: str, mtu: int) -> bool:
        """Make a TUN device, or set its MTU; false when it was so already."""
        answer = await self._request(_Changed, "add_tunnel", if_id=if_id, netns=netns, name=name, mtu=mtu)
        return answer.changed

    async def remove_tunnel(self, if_id: int) -> bool:
        """Remove a TUN device; false when there was none."""
        return (await self._request(_Changed, "remove_tunnel", if_id=if_id)).changed

    async def remove_tunnels(self, if_ids: list[int]) -> list[int]:
        """Remove several TUN devices; the ids of those that there were."""
        return (await self._request(_Removed, "remove_tunnels", if_ids=if_ids)).removed

    async def remove_sas(self, if_id: int) -> None:
        """Remove every SA and policy of a tunnel."""
        await self._request(msgspec.Raw, "remove_sas", if_id=if_id)

    async def list_tunnels(self) -> list[Tunnel]:
        return (await self._request(_Tunnels, "list_tunnels")).tunnels

    async def list_sas(self) -> list[Sa]:
        return (await self._request(_Sas, "list_sas")).sas

    def close(self) -> None:
        """End the connection; a later request makes a new one."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None

    async def _request(self, answer: type[T], op: str, **arguments: Any) -> T:
        async with self._turn:
            finished = False
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    received = await self._exchange({"op": op, **arguments})
                    finished = True
            except (OSError, TimeoutError, asyncio.IncompleteReadError, msgspec.MsgspecError, ValueError) as error:
                reason = str(error) or type(error).__name__
                raise ControlUnreachable(f"twinbore-esp does not answer {op} on {self._path}: {reason}") from error
            finally:
                if not finished:
                    self.close()
        if received.error is not None:
            raise ControlError(received.error.code, received.error.message)
        try:
            return msgspec.json.decode(received.ok, type=answer)
        except msgspec.MsgspecError as error:
            raise ControlError("protocol", f"twinbore-esp answered {op} with something unexpected: {error}") from error

    async def _exchange(self, request: dict[str, Any]) -> _Answer:
        if self._streams is None:
            self._streams = await asyncio.open_unix_connection(self._path, limit=_LINE_LIMIT)
        reader, writer = self._streams
        self._last_id += 1
        writer.write(msgspec.json.encode({"id": self._last_id, **request}) + b"\n")
        await writer.drain()
        answer = msgspec.json.decode(await reader.readuntil(b"\n"), type=_Answer)
        if answer.id != self._last_id:
            raise ValueError(f"answer {answer.id} to request {self._last_id}")
        return answer
