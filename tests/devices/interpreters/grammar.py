"""Grammars of line-based configuration languages: which commands there are, in which mode.

Two shapes cover most vendors:

* modes (Cisco and those who followed): a command may open a mode, whose commands follow; a line that the mode does not
  know is tried in the mode around it, as the device does it. `read_modes` gives a tree.
* flat lines (set commands): every line is a whole statement. `read_lines` gives them in order.

A pattern is a regular expression for a whole line, without leading and trailing blanks; its named groups are the
values. A line that no pattern takes is `Refused`, which is what makes a test of a configuration mean something.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Interface

from tests.devices.settings import Refused

IPV4 = r"(?:\d{1,3}\.){3}\d{1,3}"


@dataclass
class Statement:
    """A line that was understood: its pattern's key, the values, and what stands inside it."""

    number: int
    line: str
    key: str
    values: dict[str, str]
    inner: list[Statement] = field(default_factory=list)

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def all(self, key: str) -> list[Statement]:
        """The statements inside with this key."""
        return [statement for statement in self.inner if statement.key == key]

    def one(self, key: str) -> Statement:
        """The only statement inside with this key. Raises `Refused` when it is missing or there twice."""
        found = self.all(key)
        if len(found) != 1:
            raise Refused(self.number, self.line, f"{len(found)} statements of {key} inside")
        return found[0]

    def maybe(self, key: str) -> Statement | None:
        """The statement inside with this key, or None; the last one wins, as on most devices."""
        return found[-1] if (found := self.all(key)) else None


@dataclass(frozen=True)
class Command:
    """A command: its key, its pattern, and the mode that it opens."""

    key: str
    pattern: str
    opens: str | None = None


class Reader:
    """Questions to flat statements, by key and by the names in them."""

    def __init__(self, root: Statement) -> None:
        self.root = root

    def values(self, key: str, **where: str) -> list[str]:
        """The values of all statements of a key with these names."""
        return [s.values.get("value", "") for s in self.root.all(key) if where.items() <= s.values.items()]

    def value(self, key: str, **where: str) -> str:
        """The value of the only one. Raises `Refused` when it is missing or there twice."""
        found = self.values(key, **where)
        if len(found) != 1:
            raise Refused(0, key, f"{len(found)} statements for {where}")
        return found[0]

    def maybe(self, key: str, **where: str) -> str | None:
        """The value of the last one, or None."""
        found = self.values(key, **where)
        return found[-1] if found else None


def other_host(interface: str) -> str:
    """The other host of the /30 that an address, with length or without, is in."""
    address = IPv4Interface(f"{interface.partition('/')[0]}/30")
    return next(str(host) for host in address.network.hosts() if host != address.ip)


Modes = Mapping[str, Sequence[Command]]


def read_modes(text: str, modes: Modes, *, comment: str = "!", leave: Sequence[str] = ("exit",)) -> Statement:
    """The tree of a configuration; the mode at the start is the one with the empty name."""
    compiled = {
        mode: [(command, re.compile(command.pattern, re.ASCII)) for command in commands]
        for mode, commands in modes.items()
    }
    root = Statement(0, "", "", {})
    stack: list[tuple[str, Statement]] = [("", root)]
    for number, line in _lines(text, comment):
        word = line.strip()
        if word in leave:
            if len(stack) == 1:
                raise Refused(number, line, "there is no mode to leave")
            stack.pop()
            continue
        for depth in range(len(stack) - 1, -1, -1):
            mode, around = stack[depth]
            found = _match(word, compiled[mode])
            if found is not None:
                command, values = found
                statement = Statement(number, line, command.key, values)
                around.inner.append(statement)
                del stack[depth + 1 :]
                if command.opens is not None:
                    stack.append((command.opens, statement))
                break
        else:
            raise Refused(number, line, f"invalid input in the mode {stack[-1][0] or 'global'}")
    return root


def read_lines(text: str, patterns: Mapping[str, str], *, comment: str = "#") -> Statement:
    """The statements of a configuration of flat lines, inside one."""
    compiled = [(Command(key, pattern), re.compile(pattern, re.ASCII)) for key, pattern in patterns.items()]
    root = Statement(0, "", "", {})
    for number, line in _lines(text, comment):
        found = _match(line.strip(), compiled)
        if found is None:
            raise Refused(number, line, "unknown command")
        root.inner.append(Statement(number, line, found[0].key, found[1]))
    return root


def _lines(text: str, comment: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith(comment):
            yield number, line


def _match(line: str, commands: Sequence[tuple[Command, re.Pattern[str]]]) -> tuple[Command, dict[str, str]] | None:
    for command, pattern in commands:
        matched = pattern.fullmatch(line)
        if matched is not None:
            return command, {name: value for name, value in matched.groupdict().items() if value is not None}
    return None
