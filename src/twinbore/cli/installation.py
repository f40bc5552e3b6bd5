"""An installation: its database, and the lock that the service holds while it runs."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

import click

from twinbore.cli import config_file
from twinbore.cli.paths import Paths
from twinbore.store import migrate
from twinbore.store.database import Database, connect, sqlite_url
from twinbore.store.secrets import MasterKeyError, SecretBox, load_master_key


def prepare_database(paths: Paths) -> Database:
    """The installation's database with its schema up to date; made at the first start. Raises `MasterKeyError`."""
    database = _connect(paths, fresh=not paths.database.exists())
    migrate.upgrade(database.engine)
    paths.database.chmod(0o600)
    return database


def open_database(paths: Paths) -> Database:
    """The database, for verbs that work beside the service or without it.

    Raises `click.ClickException` where there is no installation or no master key.
    """
    config_file.saved(paths.settings)
    try:
        return _connect(paths, fresh=False)
    except MasterKeyError as error:
        raise click.ClickException(str(error)) from error


def _connect(paths: Paths, *, fresh: bool) -> Database:
    return connect(sqlite_url(paths.database), SecretBox(load_master_key(paths.master_key, create=fresh)))


@contextmanager
def locked(paths: Paths) -> Iterator[None]:
    """Hold the installation's lock; raises `click.ClickException` when another process has it.

    The lock file holds the owner's pid, for `twinbore down`.
    """
    with paths.lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise click.ClickException(
                f"twinbore up runs already for {paths.state} (pid {file.read().strip() or 'unknown'})"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def is_running(paths: Paths) -> bool:
    """Whether the service of this installation runs."""
    try:
        with locked(paths):
            return False
    except click.ClickException:
        return True
