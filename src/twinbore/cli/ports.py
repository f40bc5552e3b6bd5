"""`twinbore plug` and `twinbore unplug`: a question to the agent's local socket."""

from __future__ import annotations

import socket
from typing import Any

import click
import msgspec

from twinbore.cli.paths import Paths

ANSWER_SECONDS = 30.0


def ask(paths: Paths, **request: Any) -> dict[str, Any]:
    """Send one request to the agent and return its answer. Raises `click.ClickException` with what went wrong."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ANSWER_SECONDS)
        try:
            connection.connect(str(paths.admin_socket))
            connection.sendall(msgspec.json.encode(request) + b"\n")
            line = connection.makefile("rb").readline()
        except (FileNotFoundError, ConnectionRefusedError):
            raise click.ClickException(
                f"no agent runs for {paths.state}: start it with twinbore up --state {paths.state}"
            ) from None
        except PermissionError:
            raise click.ClickException(f"{paths.admin_socket} is closed to you: run as root") from None
        except OSError as error:
            raise click.ClickException(f"the agent did not answer: {error}") from error
    if not line:
        raise click.ClickException("the agent closed the connection without an answer: see its log")
    answer = msgspec.json.decode(line, type=dict[str, Any])
    if "error" in answer:
        raise click.ClickException(answer["error"])
    result: dict[str, Any] = answer["ok"]
    return result


def plug(paths: Paths, eni: str, netns: str | None, tap: str | None, device: str) -> int:
    kind, target = ("netns", netns) if netns is not None else ("tap", tap)
    ask(paths, op="plug", eni=eni, kind=kind, target=target, device=device)
    click.echo(f"{eni} is plugged into {'namespace' if kind == 'netns' else 'TAP device'} {target}")
    return 0


def unplug(paths: Paths, eni: str) -> int:
    ask(paths, op="unplug", eni=eni)
    click.echo(f"{eni} is unplugged")
    return 0
