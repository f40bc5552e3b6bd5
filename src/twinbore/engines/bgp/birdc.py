"""BIRD's control socket: one command, one reply.

The protocol is that of birdc(8): after a greeting, a command is a line; the reply is lines `CODE-text` and a last line
`CODE text`; a line that begins with a space has the code of the line before it. Codes from 8000 are errors.

A connection is made for each command: it is a UNIX socket, and BIRD keeps no memory for idle ones.

References: BIRD 2.0 source, doc/reply_codes and client/client.c.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TIMEOUT_SECONDS: Final = 5.0
GREETING: Final = 1
RECONFIGURED: Final = 3
RECONFIGURATION_IN_PROGRESS: Final = 4
NETWORK_NOT_FOUND: Final = 8001
_FIRST_ERROR = 8000
_LINE_BYTES = 1 << 20


class BirdError(Exception):
    """BIRD refused a command (`code` as in its reply_codes), or cannot be talked to (`code` 0)."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a reply, without its code's characters."""

    code: int
    text: str


async def command(control: Path, text: str) -> list[Line]:
    """Send one command and return the reply. Raises `BirdError`."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_unix_connection(control, limit=_LINE_BYTES)
            try:
                await _reply(reader)
                writer.write(text.encode() + b"\n")
                reply = await _reply(reader)
            finally:
                writer.close()
    except TimeoutError as error:
        raise BirdError(0, f"BIRD did not answer {text!r} within {TIMEOUT_SECONDS:g} seconds") from error
    except OSError as error:
        raise BirdError(0, f"BIRD cannot be reached at {control}: {error.strerror or error}") from error
    if reply[-1].code >= _FIRST_ERROR:
        raise BirdError(reply[-1].code, f"BIRD refused {text!r}: {reply[-1].text}")
    return reply


async def _reply(reader: asyncio.StreamReader) -> list[Line]:
    lines: list[Line] = []
    while True:
        raw = await reader.readline()
        if not raw.endswith(b"\n"):
            raise BirdError(0, "BIRD closed the control connection in the middle of a reply")
        line = raw[:-1].decode(errors="replace")
        if line.startswith(" ") and lines:
            lines.append(Line(lines[-1].code, line[1:]))
            continue
        if len(line) < 5 or not line[:4].isdigit() or line[4] not in "- ":
            raise BirdError(0, f"BIRD answered something unexpected: {line!r}")
        lines.append(Line(int(line[:4]), line[5:]))
        if line[4] == " ":
            return lines
