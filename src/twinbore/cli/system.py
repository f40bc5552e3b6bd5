"""What the operating system gives: randomness and the time of day."""

from __future__ import annotations

import secrets
import string
from datetime import UTC, datetime
from typing import Final

_KEY_CHARACTERS: Final = string.ascii_letters + string.digits + "._"
"""64 of them: six bits of a random octet choose one, each as likely as another."""


class SystemRandomness:
    """Ids, keys and choices from the operating system's generator."""

    def hex(self, digits: int) -> str:
        return secrets.token_hex((digits + 1) // 2)[:digits]

    def below(self, limit: int) -> int:
        return secrets.randbelow(limit)

    def key(self, length: int) -> str:
        first = secrets.choice(_KEY_CHARACTERS.replace("0", ""))
        return first + "".join(_KEY_CHARACTERS[octet & 63] for octet in secrets.token_bytes(length - 1))


def now() -> datetime:
    """The time of day in UTC."""
    return datetime.now(UTC)
