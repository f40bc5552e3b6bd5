"""Ids and keys that are the same in every run."""

from __future__ import annotations

import random


class SeededRandomness:
    """`twinbore.api.operation.Randomness` with a seed."""

    def __init__(self) -> None:
        self._random = random.Random(1)

    def hex(self, digits: int) -> str:
        return "".join(self._random.choices("0123456789abcdef", k=digits))

    def below(self, limit: int) -> int:
        return self._random.randrange(limit)

    def key(self, length: int) -> str:
        return "".join(self._random.choices("abcdefghijklmnopqrstuvwxyz._", k=length))
