"""vici, charon's control protocol, for asyncio: commands on one connection, events on another.

The bytes of packets and messages are those of strongSwan's own package `vici` (`vici.protocol`); only the blocking
session around them is replaced. Values come as text: vici sends no others.

Invariants:
* A connection has one command under way at a time, since answers carry no number that would tell them apart. So a
  command that was given up (cancelled, timed out) ends its connection; the next command opens a new one.
* Events have a connection of their own and are never lost behind a long command; whenever that connection was made
  anew, the listener is told, since what happened meanwhile is unknown to it.

Reference: strongSwan's src/libcharon/plugins/vici/README.md (packet types, commands, events).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

from vici.exception import DeserializationException
from vici.protocol import FiniteStream, Message, Packet

Section: TypeAlias = dict[str, Any]
"""A vici message: names to text, lists of text, or further sections."""

COMMAND_SECONDS: Final = 30.0
_CONNECT_SECONDS: Final = 5.0
_RECONNECT_SECONDS: Final = (0.1, 0.5, 1.0, 2.0)
_MAX_PACKET: Final = 512 * 1024
_YIELD_EVERY: Final = 20


class ViciError(Exception):
    """charon refused a command; the text is its own."""


class ViciUnreachable(ConnectionError):
    """charon is not there, or its connection ended in the middle of a command."""


class _Connection:
    """One stream of length-prefixed packets."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._registered: set[str] = set()

    @classmethod
    async def open(cls, path: Path) -> _Connection:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                return cls(*await asyncio.open_unix_connection(path))
        except (OSError, TimeoutError) as error:
            raise ViciUnreachable(f"charon does not answer on {path}: {error}") from error

    async def send(self, packet: bytes) -> None:
        try:
            self._writer.write(struct.pack("!I", len(packet)) + packet)
            await self._writer.drain()
        except OSError as error:
            raise ViciUnreachable(f"charon closed the connection: {error}") from error

    async def receive(self) -> tuple[int, str, Section]:
        """(packet type, name of the event or empty, message)."""
        try:
            (length,) = struct.unpack("!I", await self._reader.readexactly(4))
            if length > _MAX_PACKET:
                raise ViciUnreachable(f"not vici: a packet of {length} bytes")
            data = await self._reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError) as error:
            raise ViciUnreachable("charon closed the connection") from error
        try:
            return decode(data)
        except (DeserializationException, struct.error, UnicodeDecodeError) as error:
            raise ViciUnreachable(f"not vici: {error}") from error

    async def register(self, event: str) -> None:
        if event in self._registered:
            return
        await self.send(Packet.register_event(event))
        kind, _, _ = await self.receive()
        while kind == Packet.EVENT:
            kind, _, _ = await self.receive()
        if kind != Packet.EVENT_CONFIRM:
            raise ViciError(f"charon knows no event {event!r}")
        self._registered.add(event)

    def close(self) -> None:
        self._writer.close()


class ViciSession:
    """Commands, one after the other. Connects at the first one, and anew after charon was restarted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: _Connection | None = None
        self._turn = asyncio.Lock()

    async def request(
        self, command: str, message: Mapping[str, Any] | None = None, timeout_seconds: float = COMMAND_SECONDS
    ) -> Section:
        """The answer to a command. Raises `ViciError`, `ViciUnreachable`."""
        return (await self._run(command, None, message, timeout_seconds))[0]

    async def stream(
        self,
        command: str,
        event: str,
        message: Mapping[str, Any] | None = None,
        timeout_seconds: float = COMMAND_SECONDS,
    ) -> list[Section]:
        """The messages of all `event`s that a command streams. Raises `ViciError`, `ViciUnreachable`."""
        return (await self._run(command, event, message, timeout_seconds))[1]

    def close(self) -> None:
        """End the connection; a later command makes a new one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    async def _run(
        self, command: str, event: str | None, message: Mapping[str, Any] | None, timeout_seconds: float
    ) -> tuple[Section, list[Section]]:
        async with self._turn:
            finished = False
            try:
                async with asyncio.timeout(timeout_seconds):
                    result = await self._exchange(command, event, message)
                finished = True
            except TimeoutError:
                raise ViciUnreachable(f"charon did not answer {command} in {timeout_seconds:.0f} s") from None
            except ViciError:
                finished = True
                raise
            finally:
                if not finished:
                    self.close()
        return result

    async def _exchange(
        self, command: str, event: str | None, message: Mapping[str, Any] | None
    ) -> tuple[Section, list[Section]]:
        if self._connection is None:
            self._connection = await _Connection.open(self._path)
        connection = self._connection
        if event is not None:
            await connection.register(event)
        await connection.send(encode_request(command, message))
        streamed: list[Section] = []
        while True:
            kind, name, answer = await connection.receive()
            if kind == Packet.EVENT:
                if name == event:
                    streamed.append(answer)
                if len(streamed) % _YIELD_EVERY == 0:
                    await asyncio.sleep(0)
            elif kind == Packet.CMD_RESPONSE:
                if answer.get("success", "yes") != "yes":
                    raise ViciError(str(answer.get("errmsg", "no reason given")))
                return answer, streamed
            else:
                raise ViciError(f"charon knows no command {command!r}")


class ViciEvents:
    """Listens for events as long as it runs, across restarts of charon.

    `on_event` gets the event's name and message; `on_connect` is called each time that listening began (anew).
    """

    def __init__(
        self,
        path: Path,
        names: Sequence[str],
        on_event: Callable[[str, Section], None],
        on_connect: Callable[[], None],
    ) -> None:
        self._path = path
        self._names = tuple(names)
        self._on_event = on_event
        self._on_connect = on_connect
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen; does nothing when it listens already."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._listen(), name="vici-events")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _listen(self) -> None:
        attempt = 0
        while True:
            connection = None
            try:
                connection = await _Connection.open(self._path)
                for name in self._names:
                    await connection.register(name)
                attempt = 0
                self._on_connect()
                while True:
                    kind, name, message = await connection.receive()
                    if kind == Packet.EVENT:
                        self._on_event(name, message)
            except ViciUnreachable:
                await asyncio.sleep(_RECONNECT_SECONDS[min(attempt, len(_RECONNECT_SECONDS) - 1)])
                attempt += 1
            finally:
                if connection is not None:
                    connection.close()


def encode_request(command: str, message: Mapping[str, Any] | None) -> bytes:
    """The packet of a command."""
    packet: bytes = Packet.request(command, None if message is None else Message.serialize(message))
    return packet


def decode(data: bytes) -> tuple[int, str, Section]:
    """(packet type, name of the event or empty, message) of a received packet."""
    parsed = Packet.parse(data)
    name = parsed.event_type.decode() if parsed.response_type == Packet.EVENT else ""
    stream: FiniteStream = parsed.payload
    return parsed.response_type, name, _text(Message.deserialize(stream)) if stream.has_more() else {}


def _text(section: Mapping[str, Any]) -> Section:
    return {key: _text_value(value) for key, value in section.items()}


def _text_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, list):
        return [item.decode(errors="replace") for item in value]
    return _text(value)
