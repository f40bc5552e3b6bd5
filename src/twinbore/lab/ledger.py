"""What a lab has made, on disk, so that the next one can remove what a killed one left behind.

A lab writes its ledger before it makes the first namespace and removes it after the last one is gone. A ledger whose
owner (process id and start time, so that a recycled id is not mistaken) is dead is a lab that crashed: its undo
commands are run and its namespaces removed. One that was kept on purpose has no owner and stays until it is asked for.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from twinbore.lab import namespaces

LEDGER_DIRECTORY: Final = Path("/run/twinbore-lab")


class Ledger(msgspec.Struct):
    """`undo` are commands (argument lists), the last one first, to run before the namespaces are removed.

    Their failures are ignored: after a crash, part of what they undo was never done.
    """

    prefix: str
    owner_pid: int
    owner_start: int
    namespaces: list[str]
    undo: list[list[str]]

    @property
    def path(self) -> Path:
        return LEDGER_DIRECTORY / f"{self.prefix}.json"

    def save(self) -> None:
        LEDGER_DIRECTORY.mkdir(mode=0o700, exist_ok=True)
        scratch = self.path.with_suffix(".new")
        scratch.write_bytes(msgspec.json.encode(self))
        scratch.replace(self.path)

    def abandoned(self) -> bool:
        """Whether the process that made the lab is dead."""
        return self.owner_pid != 0 and start_time(self.owner_pid) != self.owner_start

    def disown(self) -> None:
        """Keeps the lab beyond the life of this process."""
        self.owner_pid = 0
        self.save()

    def settle(self) -> None:
        """Undoes everything and removes the ledger."""
        for command in reversed(self.undo):
            try:
                namespaces.run(command)
            except namespaces.CommandFailed:
                continue
        for name in self.namespaces:
            namespaces.remove(name)
        self.path.unlink(missing_ok=True)


def open_ledger(prefix: str) -> Ledger:
    """A new ledger, owned by this process, on disk."""
    ledger = Ledger(prefix, os.getpid(), start_time(os.getpid()) or 0, [], [])
    ledger.save()
    return ledger


def ledgers() -> list[Ledger]:
    """Every ledger on this machine."""
    return [msgspec.json.decode(path.read_bytes(), type=Ledger) for path in sorted(LEDGER_DIRECTORY.glob("*.json"))]


def settle_abandoned() -> list[str]:
    """Removes what killed labs left behind; gives their prefixes."""
    found = [ledger for ledger in ledgers() if ledger.abandoned()]
    for ledger in found:
        ledger.settle()
    return [ledger.prefix for ledger in found]


def start_time(pid: int) -> int | None:
    """Start time of a process in clock ticks since boot (proc(5), field 22 of stat), None if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return None
    return int(text.rpartition(")")[2].split()[19])
