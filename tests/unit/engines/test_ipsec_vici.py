"""The vici session against a server in the test: framing, streams, errors, reconnection, events."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from vici.protocol import Message, Packet

from twinbore.engines.ipsec.vici import ViciError, ViciEvents, ViciSession, ViciUnreachable, decode, encode_request

Handler = Callable[[int, str, dict[str, Any]], list[bytes]]


def response(message: dict[str, Any]) -> bytes:
    return bytes([Packet.CMD_RESPONSE]) + Message.serialize(message)


def event(name: str, message: dict[str, Any]) -> bytes:
    return bytes([Packet.EVENT, len(name)]) + name.encode() + Message.serialize(message)


CONFIRM = bytes([Packet.EVENT_CONFIRM])


class Server:
    """Answers each packet with the packets that `handler` gives; counts connections."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.connections = 0
        self.commands: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                (length,) = struct.unpack("!I", await reader.readexactly(4))
                data = await reader.readexactly(length)
                kind, name = data[0], data[2 : 2 + data[1]].decode()
                _, _, message = decode(bytes([Packet.CMD_RESPONSE]) + data[2 + data[1] :])
                self.commands.append(name)
                for answer in self.handler(kind, name, message):
                    writer.write(struct.pack("!I", len(answer)) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def running(path: Path, handler: Handler):
    server = Server(handler)
    listener = await asyncio.start_unix_server(server.serve, path)
    try:
        yield server
    finally:
        listener.close()


def play(tmp_path: Path, handler: Handler, scenario: Callable[[ViciSession, Server], Awaitable[None]]) -> None:
    async def run() -> None:
        path = tmp_path / "vici"
        async with running(path, handler) as server:
            session = ViciSession(path)
            await scenario(session, server)
            session.close()

    asyncio.run(asyncio.wait_for(run(), 10))


def test_request_carries_nested_sections_and_lists_and_answers_come_as_text(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []

    def handler(kind: int, name: str, message: dict[str, Any]) -> list[bytes]:
        seen.append(message)
        return [response({"conns": ["a", "b"], "inner": {"key": "välue"}})]

    async def scenario(session: ViciSession, server: Server) -> None:
        answer = await session.request("load-conn", {"t": {"proposals": ["x", "y"], "local": {"id": "z"}}})
        assert answer == {"conns": ["a", "b"], "inner": {"key": "välue"}}
        await session.request("version")
        assert server.connections == 1

    play(tmp_path, handler, scenario)
    assert seen == [{"t": {"proposals": ["x", "y"], "local": {"id": "z"}}}, {}]


def test_a_refused_command_raises_charons_words_and_keeps_the_connection(tmp_path: Path) -> None:
    def handler(kind: int, name: str, message: dict[str, Any]) -> list[bytes]:
        if name == "unload-conn":
            return [response({"success": "no", "errmsg": "unload: connection 'x' not found for unloading"})]
        return [response({"success": "yes"})] if name == "version" else [bytes([Packet.CMD_UNKNOWN])]

    async def scenario(session: ViciSession, server: Server) -> None:
        with pytest.raises(ViciError, match="connection 'x' not found"):
            await session.request("unload-conn", {"name": "x"})
        with pytest.raises(ViciError, match="knows no command 'nonsense'"):
            await session.request("nonsense")
        await session.request("version")
        assert server.connections == 1

    play(tmp_path, handler, scenario)


def test_streamed_answers_are_collected_and_foreign_events_are_not(tmp_path: Path) -> None:
    def handler(kind: int, name: str, message: dict[str, Any]) -> list[bytes]:
        if kind == Packet.EVENT_REGISTER:
            return [CONFIRM]
        stream = [event("list-sa", {f"conn{n}": {"uniqueid": str(n)}}) for n in range(45)]
        return [event("log", {"msg": "between"}), *stream, response({})]

    async def scenario(session: ViciSession, server: Server) -> None:
        for _ in range(2):
            answers = await session.stream("list-sas", "list-sa")
            assert [next(iter(a)) for a in answers] == [f"conn{n}" for n in range(45)]
        assert server.commands == ["list-sa", "list-sas", "list-sas"]

    play(tmp_path, handler, scenario)


def test_commands_do_not_mix_when_asked_at_once(tmp_path: Path) -> None:
    def handler(kind: int, name: str, message: dict[str, Any]) -> list[bytes]:
        return [response({"echo": name})]

    async def scenario(session: ViciSession, server: Server) -> None:
        names = [f"command-{n}" for n in range(20)]
        answers = await asyncio.gather(*(session.request(name) for name in names))
        assert [a["echo"] for a in answers] == names

    play(tmp_path, handler, scenario)


def test_a_command_without_answer_ends_its_connection_and_the_next_makes_a_new_one(tmp_path: Path) -> None:
    def handler(kind: int, name: str, message: dict[str, Any]) -> list[bytes]:
        return [] if name == "initiate" else [response({"ok": name})]

    async def scenario(session: ViciSession, server: Server) -> None:
        with pytest.raises(ViciUnreachable, match="did not answer initiate"):
            await session.request("initiate", timeout_seconds=0.05)
        assert await session.request("version") == {"ok": "version"}
        assert server.connections == 2

    play(tmp_path, handler, scenario)


def test_nobody_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        with pytest.raises(ViciUnreachable, match="charon does not answer"):
            await ViciSession(tmp_path / "none").request("version")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "garbage", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x02\x01\x02", b"\x00\x00\x00\x04\x01\x03\x05k"]
)
def test_garbage_is_no_answer(tmp_path: Path, garbage: bytes) -> None:
    async def run() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(garbage)
            await writer.drain()
            writer.close()

        listener = await asyncio.start_unix_server(serve, tmp_path / "vici")
        with pytest.raises(ViciUnreachable):
            await ViciSession(tmp_path / "vici").request("version")
        listener.close()

    asyncio.run(asyncio.wait_for(run(), 10))


def test_events_are_heard_again_after_the_server_went(tmp_path: Path) -> None:
    heard: list[tuple[str, dict[str, Any]]] = []
    connected: list[int] = []

    def handler(kind: int, name: str, message: dict[str, Any]) -> list[bytes]:
        return [CONFIRM, event(name, {"n": str(len(heard))})] if name == "last" else [CONFIRM]

    async def run() -> None:
        path = tmp_path / "vici"
        events = ViciEvents(path, ("first", "last"), lambda n, m: heard.append((n, m)), lambda: connected.append(1))
        events.start()
        events.start()
        for round_ in (1, 2):
            path.unlink(missing_ok=True)
            async with running(path, handler) as server:
                for _ in range(300):
                    if len(heard) == round_:
                        break
                    await asyncio.sleep(0.01)
                assert server.commands == ["first", "last"]
                if round_ == 1:
                    await drop_connections()
        await events.stop()
        await events.stop()

    async def drop_connections() -> None:
        """End what the server's side of the test holds, as a charon that dies does."""
        mine = asyncio.current_task()
        for task in asyncio.all_tasks():
            if task is not mine and "Server.serve" in repr(task.get_coro()):
                task.cancel()
        await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(run(), 20))
    assert heard == [("last", {"n": "0"}), ("last", {"n": "1"})]
    assert len(connected) == 2


def test_packets_are_those_of_the_reference_library() -> None:
    assert encode_request("version", None) == b"\x00\x07version"
    assert encode_request("get", {"a": "b"}) == b"\x00\x03get\x03\x01a\x00\x01b"
    assert decode(event("log", {"msg": "x"})) == (Packet.EVENT, "log", {"msg": "x"})
