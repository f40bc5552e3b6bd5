"""The members of a request, which note what is read of them: nothing that a client sends is accepted and ignored.

An operation takes what it needs out of its request. A member that nobody has read when the operation has succeeded
would be a promise without anybody to keep it, so the frame refuses the request then, inside its transaction: nothing
has changed. That holds for members of members and of list items too, and for whatever a new version of the model adds.

What reads: indexing and `get` of the name. Whatever only looks at which members there are (`in`, iteration,
`items`, `values`, `len`) reads none, for the value of such a member may go unheeded. An operation that takes a member
by not needing it (a value that says what is so anyway) says so by reading it.

Decision: a set for each structure, instead of a look at the operations' source or a list of what each supports: it
costs a microsecond, and cannot lag behind the code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]
"""Names of members and positions in lists, from the outermost on."""


class Members(dict[str, Any]):
    """A structure of a request; `read` holds the names that were read."""

    __slots__ = ("read",)

    def __init__(self, *values: Any) -> None:
        super().__init__(*values)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return super().get(name, default)


def unread(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where in a request the members are that nobody has read; of nested ones the innermost.

    A structure that was never read is named as a whole; one that was read is only as well read as its members are.
    """
    if isinstance(value, Members):
        for name, below in dict.items(value):
            if name in value.read:
                yield from unread(below, (*path, name))
            else:
                yield (*path, name)
    elif isinstance(value, list):
        for position, item in enumerate(value, 1):
            yield from unread(item, (*path, position))


def read_all(value: Any) -> None:
    """Take a request as read, with all that is in it."""
    if isinstance(value, Members):
        value.read.update(value)
        for below in dict.values(value):
            read_all(below)
    elif isinstance(value, list):
        for item in value:
            read_all(item)
