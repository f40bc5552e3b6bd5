"""Commands in network namespaces, and the namespaces of one lab.

Every namespace's name begins with the lab's own prefix, so that labs can run beside each other and beside a real
gateway, and nothing that a lab did not make is ever removed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

NAMESPACE_DIRECTORY: Final = Path("/run/netns")
_TERMINATION_SECONDS: Final = 5.0


class CommandFailed(Exception):
    """A command of the lab ended with an error; the message has the command and what it said."""


def inside(namespace: str | None, argv: Sequence[str | Path]) -> list[str]:
    """`argv`, to be run in `namespace` (None: here)."""
    command = [str(part) for part in argv]
    return command if namespace is None else ["ip", "netns", "exec", namespace, *command]


def run(argv: Sequence[str | Path], *, namespace: str | None = None, text: str = "", timeout: float = 60) -> str:
    """Runs a command to its end, with `text` as its input; gives its output. Raises `CommandFailed`."""
    command = inside(namespace, argv)
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=timeout, check=False)
    except FileNotFoundError as error:
        raise CommandFailed(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{' '.join(command)}: no end after {timeout:.0f} s") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise CommandFailed(f"{' '.join(command)}: exit status {done.returncode}: {said}")
    return done.stdout


def exists(namespace: str) -> bool:
    """Whether there is a network namespace of this name."""
    return (NAMESPACE_DIRECTORY / namespace).exists()


def create(namespace: str) -> None:
    """A new namespace with its loopback up."""
    run(["ip", "netns", "add", namespace])
    run(["ip", "-n", namespace, "link", "set", "lo", "up"])


def remove(namespace: str) -> None:
    """Ends every process in the namespace, then removes it; its links go with it. Nothing if it is not there."""
    if not exists(namespace):
        return
    for sign in (signal.SIGTERM, signal.SIGKILL):
        _signal_all(namespace, sign)
        if _wait_until_empty(namespace):
            break
    run(["ip", "netns", "delete", namespace])


def processes(namespace: str) -> list[int]:
    """Ids of the processes that run in the namespace."""
    return [int(pid) for pid in run(["ip", "netns", "pids", namespace]).split()]


def _signal_all(namespace: str, sign: signal.Signals) -> None:
    for pid in processes(namespace):
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            continue


def _wait_until_empty(namespace: str) -> bool:
    deadline = time.monotonic() + _TERMINATION_SECONDS
    while processes(namespace):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
