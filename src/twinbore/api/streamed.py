"""Long answers, written while they are sent.

An answer of up to `WHOLE` octets is a whole: it has a Content-Length, and whatever goes wrong while it is written is an
error to the client. A longer one is sent in pieces as they come out of the operation's transaction, a read snapshot
that stays open as long, so that ten thousand connections take little more memory than some hundred. What goes wrong
after the first piece cannot be told any more: then the connection is broken off before the answer's end, which no
client takes for success (RFC 9112 section 8).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

WHOLE: Final = 4 << 20
PIECE: Final = 1 << 18


class Streamed:
    """The rest of an answer; used by one thread at a time."""

    def __init__(self, begun: bytes, parts: Iterator[bytes], resources: ExitStack) -> None:
        self._begun = begun
        self._parts = parts
        self._resources = resources

    def piece(self) -> bytes:
        """The next octets, some `PIECE` of them; none at the end."""
        if self._begun:
            begun, self._begun = self._begun, b""
            return begun
        collected: list[bytes] = []
        size = 0
        for part in self._parts:
            collected.append(part)
            size += len(part)
            if size >= PIECE:
                break
        return b"".join(collected)

    def close(self) -> None:
        """End the transaction. To be called in every case, once."""
        self._resources.close()


def whole_or_streamed(parts: Iterator[bytes], resources: ExitStack) -> bytes | Streamed:
    """The answer as a whole if it is short, else `Streamed`, which then owns what `resources` closes."""
    collected: list[bytes] = []
    size = 0
    for part in parts:
        collected.append(part)
        size += len(part)
        if size > WHOLE:
            return Streamed(b"".join(collected), parts, resources.pop_all())
    return b"".join(collected)
