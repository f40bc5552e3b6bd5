"""Verbs about a VPN connection that have no place in AWS's API: requests to the agent's local socket.

A password comes from standard input or a file, never from the command line, where every user of the machine could read
it, and is never printed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from twinbore.cli.paths import Paths
from twinbore.cli.ports import ask
from twinbore.model import bgp_password

BOTH = (1, 2)


def pause(paths: Paths, connection: str) -> int:
    """Take a connection out of service."""
    ask(paths, op="pause", connection=connection)
    click.echo(f"{connection} is paused: its tunnels are down; twinbore resume {connection} brings it back")
    return 0


def resume(paths: Paths, connection: str) -> int:
    """Put a connection back into service."""
    ask(paths, op="resume", connection=connection)
    click.echo(f"{connection} is in service: its tunnels come up when they are negotiated; see twinbore status")
    return 0


def password(paths: Paths, connection: str, tunnel: int | None, file: Path | None, remove: bool) -> int:
    """Set or remove the password of one tunnel's BGP session, or of both."""
    tunnels = BOTH if tunnel is None else (tunnel,)
    text = "" if remove else _read(file)
    ask(paths, op="password", connection=connection, tunnels=tunnels, password=text)
    sessions = "both tunnels" if tunnel is None else f"tunnel {tunnel}"
    if remove:
        click.echo(f"the BGP sessions of {sessions} of {connection} have no password")
    else:
        click.echo(f"the BGP sessions of {sessions} of {connection} have the password; give it to the router as well")
    return 0


def _read(file: Path | None) -> str:
    """The first line of the file, or of standard input; a terminal is asked twice, without an echo."""
    if file is not None:
        try:
            lines = file.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise click.ClickException(f"cannot read {file}: {error}") from error
    elif sys.stdin.isatty():
        prompt = "Password of the BGP sessions"
        lines = [str(click.prompt(prompt, hide_input=True, confirmation_prompt=True, err=True))]
    else:
        lines = sys.stdin.read().splitlines()
    if len(lines) != 1 or not bgp_password.is_password(lines[0]):
        raise click.ClickException(f"a password is one line of {bgp_password.RULE}")
    return lines[0]
