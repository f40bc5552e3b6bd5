"""Long answers in pieces: the same octets, little memory, and an end in every case."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from twinbore.api.streamed import PIECE, WHOLE, Streamed, whole_or_streamed

PART = b"x" * 10_000


def pieces(answer: Streamed) -> Iterator[bytes]:
    while piece := answer.piece():
        yield piece


class Ended(ExitStack):
    """Resources that say whether they are released."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = False
        self.callback(self._end)

    def _end(self) -> None:
        self.ended = True


@pytest.mark.parametrize("count", [0, 1, WHOLE // len(PART)])
def test_a_short_answer_is_a_whole(count: int) -> None:
    with Ended() as resources:
        assert whole_or_streamed(iter([PART] * count), resources) == PART * count
        assert not resources.ended
    assert resources.ended


def test_a_long_answer_comes_in_pieces_and_owns_its_resources() -> None:
    parts = [b"%05d" % number * 2000 for number in range(1000)]
    with Ended() as resources:
        answer = whole_or_streamed(iter(parts), resources)
    assert isinstance(answer, Streamed)
    assert not resources.ended
    taken = list(pieces(answer))
    assert b"".join(taken) == b"".join(parts)
    assert all(len(piece) < PIECE + len(PART) for piece in taken[1:])
    answer.close()
    assert resources.ended


def test_what_fails_in_the_beginning_is_an_error_and_releases() -> None:
    def parts() -> Iterator[bytes]:
        yield PART
        raise ZeroDivisionError

    resources = Ended()
    with pytest.raises(ZeroDivisionError), resources:
        whole_or_streamed(parts(), resources)
    assert resources.ended


def test_a_hundred_megabytes_take_a_few() -> None:
    with ExitStack() as resources:
        answer = whole_or_streamed((bytes(len(PART)) for _ in range(10_000)), resources)
    assert isinstance(answer, Streamed)
    tracemalloc.start()
    try:
        assert sum(map(len, pieces(answer))) == 10_000 * len(PART)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    answer.close()
    assert peak < 2 * WHOLE
