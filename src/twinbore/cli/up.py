"""`twinbore up`: API, planner and agent in one process.

The order at start: settings and certificate, lock, database, credentials, then the API's port, then the engines. The
API answers while the engines still start; resources stay `pending` until they are there. At the end, whatever its
cause, the data plane runs on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import click
import structlog
import uvicorn

from twinbore.agent.admin import AdminServer
from twinbore.agent.loop import Agent
from twinbore.agent.names import Names, SystemResolver
from twinbore.api.accounts import CredentialsError, ensure_credentials
from twinbore.api.app import create_app
from twinbore.cli import config_file
from twinbore.cli.assembly import build_engines
from twinbore.cli.installation import locked, prepare_database
from twinbore.cli.paths import Paths
from twinbore.cli.system import SystemRandomness, now
from twinbore.cli.tls import Certificate
from twinbore.engines.base import EngineError
from twinbore.model.settings import Settings
from twinbore.observe import logs
from twinbore.store.database import Database
from twinbore.store.secrets import MasterKeyError

SWITCH_SECONDS = 0.0005
"""How long a thread that computes may go on while another waits: the agent's plan of a large host takes a second, and
each request would wait for it as often as it asks the database."""


def run(
    paths: Paths,
    config: Path | None,
    *,
    listen: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    insecure_listen: bool,
    underlay: str | None,
    engines: str | None,
    verbose: bool,
) -> int:
    """Run until SIGINT or SIGTERM. Returns the exit status."""
    settings = config_file.read(config)
    settings = replace(
        settings,
        listen=listen or settings.listen,
        tls_cert=_absolute(tls_cert or settings.tls_cert),
        tls_key=_absolute(tls_key or settings.tls_key),
        insecure_listen=insecure_listen or settings.insecure_listen,
        underlay=underlay or settings.underlay,
        engines=engines or settings.engines,
    )
    config_file.check(settings)
    config_file.check_listening(settings)
    logs.configure(level=logging.DEBUG if verbose else logging.INFO)
    certificate = _certificate(settings)
    sys.setswitchinterval(SWITCH_SECONDS)
    _raise_file_limit()
    if settings.engines == "real" and os.geteuid() != 0:
        raise click.ClickException(
            "the real engines need root: run with sudo, or rehearse without a data plane: twinbore up --engines fake"
        )
    try:
        paths.create()
        with locked(paths):
            config_file.save(settings, paths.settings)
            database = prepare_database(paths)
            try:
                asyncio.run(_serve(paths, settings, database, certificate))
            finally:
                database.close()
    except (CredentialsError, EngineError, MasterKeyError) as error:
        raise click.ClickException(str(error)) from error
    except PermissionError as error:
        raise click.ClickException(
            f"{error.filename}: {error.strerror}; choose another --state or run as root"
        ) from error
    return 0


def _absolute(path: Path | str | None) -> str | None:
    """Links are kept as they are: a renewal makes them lead elsewhere."""
    return None if path is None else str(Path(path).absolute())


def _certificate(settings: Settings) -> Certificate | None:
    """What the API is served with. Raises `TlsError`."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return Certificate(Path(settings.tls_cert), Path(settings.tls_key), now)


def _raise_file_limit() -> None:
    """A data-plane process costs a descriptor or two: take as many as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _serve(paths: Paths, settings: Settings, database: Database, certificate: Certificate | None) -> None:
    log = structlog.get_logger("up")
    key = ensure_credentials(database, paths.credentials, os.environ, SystemRandomness(), now())
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    agent: Agent | None = None

    def touch(engine: str) -> None:
        if agent is not None:
            agent.touch(engine)

    engines, facts = build_engines(settings, paths, touch)
    agent = Agent(database, engines, facts, timedelta(seconds=settings.deleted_visible_seconds), now)
    admin = AdminServer(paths.admin_socket, database, agent, now)
    names = Names(database, SystemResolver(), settings.customer_dns_seconds, time.monotonic)
    server = _server(settings, database, certificate)
    log.info("starting", api=settings.endpoint, access_key=key.id, credentials=str(paths.credentials))
    if config_file.can_be_read(settings):
        log.warning("no TLS, as asked for: whoever is on the way reads the pre-shared keys in the answers")
    tasks = {
        asyncio.create_task(server.serve()),
        asyncio.create_task(agent.run(stop)),
        asyncio.create_task(names.run(stop)),
    }
    if certificate is not None:
        tasks.add(asyncio.create_task(certificate.follow(stop)))
    await admin.start()
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        stop.set()
        server.should_exit = True
        await admin.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        log.info("stopped; the data plane runs on", stop_it_with=f"twinbore down --state {paths.state}")


def _server(settings: Settings, database: Database, certificate: Certificate | None) -> uvicorn.Server:
    host, _, port = settings.listen.rpartition(":")
    app = create_app(database, settings, now, SystemRandomness())
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host.strip("[]"),
            port=int(port),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            **({} if certificate is None else certificate.serving),
        )
    )
