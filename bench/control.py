"""The control socket of a twinbore-esp under measurement: one request after the other, without an event loop."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.measure import NotReached


class Control:
    """A connection. A context manager: leaving it closes it."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30)
        self._socket.connect(str(path))
        self._answers = self._socket.makefile("r")

    def ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """What the daemon answers. Raises `NotReached` when it refuses."""
        self._socket.sendall(json.dumps({"id": 1, "op": operation, **arguments}).encode() + b"\n")
        answer: dict[str, Any] = json.loads(self._answers.readline())
        if "error" in answer:
            raise NotReached(f"{operation} {arguments}: {answer['error']['message']}")
        ok: dict[str, Any] = answer["ok"]
        return ok

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._answers.close()
        self._socket.close()
