"""Comments in a device's own syntax: sentences wrapped into lines, each between the marks of the syntax.

Lines are filled to 100 columns; an ideogram or kana takes two (UAX #11, East Asian Width). Japanese may be broken
between any two of them, but not before a mark that must not begin a line (JIS X 4051: full stop, comma, brackets).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

WIDTH = 100
NEVER_FIRST = "。、」』）・ー,.)"


def comment(text: str, marks: tuple[str, str], indent: int = 0) -> str:
    """`text` as comment lines, without a newline at the end; an empty line of it is an empty comment."""
    room = WIDTH - indent - len(marks[0]) - len(marks[1])
    lines = [line for paragraph in text.split("\n") for line in _wrapped(paragraph, room)]
    return "\n".join((" " * indent + marks[0] + line + marks[1]).rstrip() for line in lines)


def _wrapped(paragraph: str, room: int) -> Iterator[str]:
    line = ""
    for piece in _pieces(paragraph):
        if line and columns(line + piece.rstrip()) > room and piece[0] not in NEVER_FIRST:
            yield line.rstrip()
            line = piece.lstrip() if line.strip() else piece
        else:
            line += piece
    yield line.rstrip()


def _pieces(text: str) -> Iterator[str]:
    """What may not be broken: words with the spaces after them, single wide characters."""
    piece = ""
    for character in text:
        if _is_wide(character):
            if piece:
                yield piece
            yield character
            piece = ""
        elif character != " " and piece.endswith(" ") and piece.strip():
            yield piece
            piece = character
        else:
            piece += character
    if piece:
        yield piece


def columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(2 if _is_wide(character) else 1 for character in text)


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"
