"""`twinbore down`: stop the service if it runs, then take the data plane down.

Works after a clean stop, after a crash and when nothing runs at all: what is to be removed is read from the run
directory, not from memory. Resources stay in the database: the next `twinbore up` builds everything again.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
from typing import Final

import click

from twinbore.agent.engines import ORDER
from twinbore.cli import config_file
from twinbore.cli.assembly import build_engines
from twinbore.cli.installation import locked
from twinbore.cli.paths import Paths
from twinbore.model.observed import Changes
from twinbore.model.settings import Settings

STOP_SECONDS: Final = 20.0


def run(paths: Paths) -> int:
    """Stop everything. Returns 0, or 1 when something could not be removed (said in words)."""
    settings = config_file.saved(paths.settings)
    stop_service(paths)
    with locked(paths):
        changes = asyncio.run(_teardown(settings, paths))
    for sentence in changes.done:
        click.echo(sentence)
    for failure in changes.failed:
        click.echo(f"{failure.subject}: {failure.message}", err=True)
    return 1 if changes.failed else 0


def stop_service(paths: Paths) -> None:
    """End the `twinbore up` of this installation, if one runs, and wait for it."""
    try:
        with locked(paths):
            return
    except click.ClickException:
        pid = int(paths.lock.read_text())
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        ended, _, _ = select.select([descriptor], [], [], STOP_SECONDS)
        if not ended:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            select.select([descriptor], [], [], STOP_SECONDS)
    finally:
        os.close(descriptor)
    click.echo(f"stopped twinbore up (pid {pid})")


async def _teardown(settings: Settings, paths: Paths) -> Changes:
    engines, _ = build_engines(settings, paths, lambda _name: None)
    changes = Changes()
    for name in reversed(ORDER):
        changes += await engines.named(name).teardown()
    return changes
