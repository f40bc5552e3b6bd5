"""Options that several verbs have."""

from __future__ import annotations

from pathlib import Path

import click

from twinbore.cli.paths import DEFAULT_STATE

state = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_STATE,
    show_default=True,
    envvar="TWINBORE_STATE",
    help="Directory of the installation: database, keys, run files.",
)
