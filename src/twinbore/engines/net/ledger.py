"""Which namespaces this engine created: a directory with an empty file for each.

The file is written before the namespace and removed after it, so that a crash in between leaves at worst an entry
without a namespace, never a namespace that nobody remembers.
"""

from __future__ import annotations

from pathlib import Path


class Ledger:
    """The set of names, on disk. Names are plain file names (`netns.path_of` checks them)."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def names(self) -> set[str]:
        """Every name in the ledger."""
        if not self._directory.is_dir():
            return set()
        return {entry.name for entry in self._directory.iterdir()}

    def add(self, name: str) -> None:
        """Remember a name. Remembering it twice is no error."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._directory / name).touch(mode=0o600)

    def remove(self, name: str) -> None:
        """Forget a name. Forgetting an unknown one is no error."""
        (self._directory / name).unlink(missing_ok=True)
