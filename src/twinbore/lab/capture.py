"""Packets on an interface, recorded by tcpdump and counted afterwards by capture filters (pcap-filter(7))."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from twinbore.lab.namespaces import CommandFailed, inside, run

_STOP_SECONDS: Final = 5.0


class Capture:
    """A recording of one interface, from entering the context until leaving it; then it can be counted."""

    def __init__(self, namespace: str, device: str, file: Path) -> None:
        self._namespace = namespace
        self._device = device
        self.file = file

    def __enter__(self) -> Self:
        command = ["tcpdump", "--immediate-mode", "-U", "-n", "-Z", "root", "-i", self._device, "-w", str(self.file)]
        self._process = subprocess.Popen(
            inside(self._namespace, command), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr is not None
        first = self._process.stderr.readline()
        if "listening on" not in first:
            self._process.wait(_STOP_SECONDS)
            raise CommandFailed(f"tcpdump on {self._device} in {self._namespace}: {first.strip()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate(timeout=_STOP_SECONDS)

    def count(self, expression: str = "") -> int:
        """How many of the recorded packets match a filter expression."""
        output = run(["tcpdump", "-n", "--count", "-r", self.file, *([expression] if expression else [])])
        return int(output.split()[0])

    def contains(self, data: bytes) -> bool:
        """Whether the bytes occur anywhere in the recording, headers included."""
        return data in self.file.read_bytes()
