"""A real server over a database of its own, with AWS's clients in front of it and the agent's part played on demand."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
import uvicorn
from botocore.config import Config
from sqlalchemy import select
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.unit import worldstore
from tests.unit.seeded import SeededRandomness
from twinbore.agent import lifecycle
from twinbore.api.accounts import SECRET_FIELD, ensure_credentials
from twinbore.api.app import create_app
from twinbore.model.resources import AccessKey
from twinbore.model.settings import Settings
from twinbore.store.database import Database
from twinbore.store.schema import metadata
from twinbore.store.snapshot import load_snapshot

POOL_A = tuple(f"203.0.113.{n}" for n in range(1, 21))
POOL_B = tuple(f"198.51.100.{n}" for n in range(1, 21))


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Service:
    """A running API: its address, its key, its database, and clients for it."""

    url: str
    database: Database
    settings: Settings
    access_key_id: str
    secret_access_key: str

    def client(self, name: str = "ec2", region: str | None = None, **changes: Any) -> Any:
        options: dict[str, Any] = {
            "endpoint_url": self.url,
            "region_name": region or self.settings.region,
            "aws_access_key_id": self.access_key_id,
            "aws_secret_access_key": self.secret_access_key,
            "config": Config(retries={"max_attempts": 0}),
        }
        return boto3.client(name, **(options | changes))

    def settle(self) -> None:
        """What the agent does after its engines have applied everything: rows move on."""
        with self.database.read() as tx:
            applied = load_snapshot(tx)
        with self.database.write(bump=False) as tx:
            lifecycle.settle(tx, applied, (), now())

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table, to show that something changed nothing."""
        with self.database.engine.connect() as connection:
            return {
                table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
                for table in metadata.sorted_tables
            }


@pytest.fixture
def settings() -> Settings:
    """Settings of the service; a module overrides this fixture to change them."""
    return Settings(outside_pool_a=POOL_A, outside_pool_b=POOL_B)


class Stage:
    """An ASGI application that is whichever the present test has put there: one server serves all tests."""

    def __init__(self) -> None:
        self.application: ASGIApp | None = None
        self.url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.application is not None
        await self.application(scope, receive, send)


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """A real HTTP server on a free port of the loopback."""
    stage = Stage()
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # without it asyncio leaves Nagle on: 40 ms for each request
    listener.bind(("127.0.0.1", 0))
    stage.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(stage, log_config=None, access_log=False, server_header=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield stage
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The database file with its schema and nothing in it; migrated once for all tests."""
    directory = tmp_path_factory.mktemp("empty")
    worldstore.database(directory).close()
    return (directory / worldstore.FILE).read_bytes()


@contextmanager
def serving(directory: Path, settings: Settings, stage: Stage, empty_store: bytes) -> Iterator[Service]:
    """A service with a database of its own in `directory`, on the stage for as long as the block lasts."""
    (directory / worldstore.FILE).write_bytes(empty_store)
    database = worldstore.connect_to(directory)
    randomness = SeededRandomness()
    key: AccessKey = ensure_credentials(database, directory / "credentials", {}, randomness, now())
    with database.read() as tx:
        secret = tx.secret(key.id, SECRET_FIELD)
    assert secret is not None
    stage.application = create_app(database, settings, now, randomness)
    try:
        yield Service(stage.url, database, settings, key.id, secret)
    finally:
        stage.application = None
        database.close()


@pytest.fixture
def service(tmp_path: Path, settings: Settings, stage: Stage, empty_store: bytes) -> Iterator[Service]:
    with serving(tmp_path, settings, stage, empty_store) as service:
        yield service


@pytest.fixture
def ec2(service: Service) -> Any:
    """boto3's client for the service."""
    return service.client()
