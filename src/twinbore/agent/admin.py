"""The agent's local socket: what concerns this host and has no place in AWS's API.

One JSON object a line over a UNIX socket that only root may open (mode 0600): `plug` a network interface into a
workload, and `unplug` it; `pause` a VPN connection and `resume` it; give its BGP sessions a `password`. An answer is
`{"ok": …}` or `{"error": "…"}`. What is asked for becomes rows like every other resource, so it survives a restart; the
answer comes when the engines have made it true.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from twinbore.agent import connections
from twinbore.agent.loop import Agent
from twinbore.agent.refusal import AdminError
from twinbore.model import resources as r
from twinbore.store.database import Database, StoreError, Transaction

APPLY_SECONDS: Final = 15.0
NETNS_DIRECTORY: Final = Path("/run/netns")

Change = tuple[int, set[str]]
"""The revision at which it is made true, and what an engine's failure to do so would be about."""


class AdminRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A line from the socket. `target` is a network namespace (kind netns) or the name of a TAP device (kind tap).

    `connection` is a VPN connection's id; `tunnels` are indices, 1 and 2; an empty `password` removes it.
    """

    op: Literal["plug", "unplug", "pause", "resume", "password"]
    eni: str = ""
    kind: Literal["netns", "tap"] = "netns"
    target: str = ""
    device: str = "eth0"
    connection: str = ""
    tunnels: tuple[int, ...] = ()
    password: str = ""


class AdminServer:
    """Serves the socket at `path`."""

    def __init__(self, path: Path, database: Database, agent: Agent, clock: Callable[[], datetime]) -> None:
        self._path = path
        self._database = database
        self._agent = agent
        self._clock = clock
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self._path)
        self._path.chmod(0o600)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                answer: dict[str, Any]
                try:
                    request = msgspec.json.decode(line, type=AdminRequest)
                    answer = {"ok": await self._answer(request)}
                except (AdminError, StoreError, msgspec.DecodeError) as error:
                    answer = {"error": str(error)}
                writer.write(msgspec.json.encode(answer) + b"\n")
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _answer(self, request: AdminRequest) -> dict[str, Any]:
        changes = {
            "plug": self._plug,
            "unplug": self._unplug,
            "pause": self._pause,
            "resume": self._pause,
            "password": self._password,
        }
        revision, names = await asyncio.to_thread(changes[request.op], request)
        if not await self._agent.wait_for(revision, APPLY_SECONDS):
            raise AdminError(f"stored, but the agent has not applied it within {APPLY_SECONDS:.0f} s: see its log")
        for failure in self._agent.failures:
            if any(name in failure.subject for name in names):
                raise AdminError(failure.message)
        return {}

    def _plug(self, request: AdminRequest) -> Change:
        if request.kind == "netns" and not (NETNS_DIRECTORY / request.target).exists():
            raise AdminError(f"network namespace {request.target!r} does not exist: ip netns add {request.target}")
        for name in (request.target, request.device) if request.kind == "tap" else (request.device,):
            if not 0 < len(name) < 16 or "/" in name or any(c.isspace() for c in name):
                raise AdminError(f"interface name {name!r} must have 1 to 15 characters without / and white space")
        with self._database.write() as tx:
            interface = tx.get(r.NetworkInterface, request.eni)
            if interface is None:
                raise AdminError(f"network interface {request.eni!r} does not exist")
            new = r.Port(
                interface.id, interface.account_id, request.kind, request.target, request.device, self._clock()
            )
            old = tx.get(r.Port, interface.id)
            if old is None:
                tx.insert(new)
            elif (old.kind, old.target, old.target_device) != (new.kind, new.target, new.target_device):
                raise AdminError(f"{request.eni} is plugged into {old.target} already: twinbore unplug {request.eni}")
            return (tx.revision() + 1 if old is None else tx.revision()), {request.eni}

    def _unplug(self, request: AdminRequest) -> Change:
        with self._database.write() as tx:
            if tx.get(r.Port, request.eni) is None:
                raise AdminError(f"network interface {request.eni!r} is not plugged into anything")
            tx.delete(r.Port, request.eni)
            return tx.revision() + 1, {request.eni}

    def _pause(self, request: AdminRequest) -> Change:
        with self._database.write() as tx:
            connections.set_paused(tx, request.connection, paused=request.op == "pause")
            return self._changed(tx, request.connection)

    def _password(self, request: AdminRequest) -> Change:
        with self._database.write() as tx:
            connections.set_password(tx, request.connection, request.tunnels, request.password)
            return self._changed(tx, request.connection)

    @staticmethod
    def _changed(tx: Transaction, connection_id: str) -> Change:
        return tx.revision() + tx.changed, connections.subjects(tx, connection_id)
