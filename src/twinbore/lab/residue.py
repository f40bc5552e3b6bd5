"""What a run could leave behind on this machine, looked for by the names that it used.

The gateway host's namespace belongs to the run alone, so it must look as before. The machine itself may have other
users, so there only what bears one of the run's names counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from twinbore.lab import namespaces
from twinbore.lab.namespaces import run
from twinbore.model.naming import port_device

_UNDERLAY_COMMANDS: Final = (
    ("ip", "-brief", "link"),
    ("ip", "-brief", "address"),
    ("ip", "rule"),
    ("ip", "-4", "route", "show", "table", "all"),
    ("nft", "list", "ruleset"),
)


def underlay_state(namespace: str) -> list[str]:
    """Links, addresses, rules, routes and packet filter of the gateway host, then its processes."""
    return [
        *(run(command, namespace=namespace) for command in _UNDERLAY_COMMANDS),
        str(namespaces.processes(namespace)),
    ]


def residue(names: Iterable[str], directories: Iterable[Path]) -> list[str]:
    """What is left of namespaces and links with these names, of the directories, and of processes that name them.

    A phrase each; empty when nothing is left.
    """
    names, directories = list(names), list(directories)
    found = [f"network namespace {name}" for name in names if namespaces.exists(name)]
    found += [f"file {directory}" for directory in directories if directory.exists()]
    devices = {port_device(name) for name in names if name.startswith("eni-")}
    links = msgspec.json.decode(run(["ip", "-json", "link"]))
    found += [f"link {link['ifname']}" for link in links if link["ifname"] in devices]
    words = [*names, *(str(directory) for directory in directories)]
    for pid, command in _commands():
        if any(word in command for word in words):
            found.append(f"process {pid}: {command}")
    return found


def _commands() -> Iterable[tuple[int, str]]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            yield int(entry.name), (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
