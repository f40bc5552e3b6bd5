"""The database of an installation, for verbs that work beside the service or without it."""

from __future__ import annotations

import click

from twinbore.cli import config_file
from twinbore.cli.paths import Paths
from twinbore.store.database import Database, connect, sqlite_url
from twinbore.store.secrets import MasterKeyError, SecretBox, load_master_key


def open_database(paths: Paths) -> Database:
    """The installation's database. Raises `click.ClickException` where there is no installation or no master key."""
    config_file.saved(paths.settings)
    try:
        return connect(sqlite_url(paths.database), SecretBox(load_master_key(paths.master_key, create=False)))
    except MasterKeyError as error:
        raise click.ClickException(str(error)) from error
