"""Where an installation keeps its files: one state directory, everything below it.

`run/` holds what belongs to running processes (sockets, pid files, generated configurations); it lies in the state
directory so that several installations on one machine never meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEFAULT_STATE: Final = Path("/var/lib/twinbore")


@dataclass(frozen=True, slots=True)
class Paths:
    """The files of the installation in `state`."""

    state: Path

    @property
    def database(self) -> Path:
        return self.state / "twinbore.db"

    @property
    def master_key(self) -> Path:
        return self.state / "master.key"

    @property
    def credentials(self) -> Path:
        """The first access key as an AWS shared-credentials file."""
        return self.state / "credentials"

    @property
    def settings(self) -> Path:
        """The settings of the last start: `down` and `status` must find the same underlay and engines."""
        return self.state / "settings.json"

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def lock(self) -> Path:
        return self.state / "up.lock"

    @property
    def admin_socket(self) -> Path:
        return self.run / "agent.sock"

    def create(self) -> None:
        """Make the directories, closed to others."""
        for directory in (self.state, self.run):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
