"""Members of an answer as XML, by plans that are made once for each shape of botocore's model.

An element's name is its `locationName`; list items are `<item>`; scalars come before nested elements, because streaming
parsers drop what follows a list that they do not know. What is None is left out, an element without content is written
as `<name />`, and what XML cannot hold becomes U+FFFD.

Three things let long answers be quick and small:

* `Kept` is a structure or list that is written once and keeps its octets: an operation that describes the same
  unchanged resource again gives the same object.
* A structure may be `Joined`: few members of its own, and what it has in common with others, which is kept.
* A list in the outermost structure may be an iterator: what it has given is written before it goes on.

References: botocore data `ec2/2016-11-15/service-2.json`; XML 1.0 section 2.2 (characters that a document cannot hold).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import Any, Final, NamedTuple

from botocore.model import Shape

ILLEGAL_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ILLEGAL_ASCII: Final = bytes(octet for octet in range(0x20) if octet not in b"\t\n\r")


class Kept:
    """A structure or list of an answer that is made and written when it is first needed, and kept as octets."""

    __slots__ = ("_make", "_octets")

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make: Callable[[], Any] | None = make
        self._octets = b""

    def content(self, shape: Shape) -> bytes:
        """What stands between the tags of its element. An object is written as one shape only."""
        make = self._make
        if make is not None:
            pieces: list[str] = []
            if shape.type_name == "list":
                item = _item(shape)
                for value in make():
                    item.write(value, pieces)
            else:
                _plan(shape).write(make(), pieces)
            self._octets = "".join(pieces).encode()
            self._make = None
        return self._octets


class Joined(NamedTuple):
    """A structure of an answer: scalar members of its own, and then those that it shares with others."""

    own: dict[str, Any]
    shared: Kept


def legal(text: str) -> str:
    """The text with U+FFFD in place of what a document cannot hold."""
    return ILLEGAL_XML.sub("\ufffd", text)


def parts(shape: Shape, values: dict[str, Any]) -> Iterator[bytes]:
    """The members of an answer's outermost structure, each item of an iterator as it comes.

    Raises TypeError for a member that the shape does not have.
    """
    plan = _plan(shape)
    plan.check(values)
    pieces: list[str] = []
    for member in plan.members:
        value = values.get(member.name)
        if not isinstance(value, Iterator):
            if value is not None:
                member.write(value, pieces)
            continue
        begun = False
        for item in value:
            if not begun:
                pieces.append(member.begin)
                begun = True
            if isinstance(item, Kept) and (content := item.content(member.item.shape)):
                pieces.append(member.item.begin)
                yield "".join(pieces).encode()
                yield content
                pieces = [member.item.end]
            else:
                member.item.write(item, pieces)
                yield "".join(pieces).encode()
                pieces = []
        pieces.append(member.end if begun else member.empty)
    yield "".join(pieces).encode()


class _Element:
    """How a value of a shape is written between the tags of this name."""

    def __init__(self, name: str, wire_name: str, shape: Shape) -> None:
        self.name = name
        self.begin = f"<{wire_name}>"
        self.end = f"</{wire_name}>"
        self.empty = f"<{wire_name} />"
        self.nested = shape.type_name in ("list", "structure")
        self.shape = shape
        self.write: Callable[[Any, list[str]], None] = {"list": self._list, "structure": self._structure}.get(
            shape.type_name, self._scalar
        )

    @cached_property
    def item(self) -> _Element:
        """A list's items."""
        return _item(self.shape)

    def _structure(self, value: Any, out: list[str]) -> None:
        if isinstance(value, Kept):
            self._kept(value, out)
            return
        place = len(out)
        out.append(self.begin)
        if isinstance(value, Joined):
            _plan(self.shape).write_scalars(value.own, out)
            if content := value.shared.content(self.shape):
                out.append(content.decode())
        else:
            _plan(self.shape).write(value, out)
        if len(out) > place + 1:
            out.append(self.end)
        else:
            out[place] = self.empty

    def _list(self, value: Any, out: list[str]) -> None:
        if isinstance(value, Kept):
            self._kept(value, out)
            return
        if not value:
            out.append(self.empty)
            return
        out.append(self.begin)
        write = self.item.write
        for item in value:
            write(item, out)
        out.append(self.end)

    def _kept(self, value: Kept, out: list[str]) -> None:
        text = value.content(self.shape).decode()
        out.append(f"{self.begin}{text}{self.end}" if text else self.empty)

    def _scalar(self, value: Any, out: list[str]) -> None:
        text = _text(value)
        out.append(f"{self.begin}{text}{self.end}" if text else self.empty)


class _Plan:
    """The members of a structure in the order in which they are written."""

    def __init__(self, shape: Shape) -> None:
        self._shape_name = shape.name
        self._names = shape.members.keys()
        elements = [
            _Element(name, str(member.serialization.get("name", name)), member)
            for name, member in shape.members.items()
        ]
        self.members = sorted(elements, key=lambda element: element.nested)
        self._scalars = {element.name: element for element in self.members if not element.nested}

    def check(self, values: dict[str, Any]) -> None:
        if not values.keys() <= self._names:
            raise TypeError(f"{self._shape_name} has no member {min(values.keys() - self._names)}")

    def write(self, values: dict[str, Any], out: list[str]) -> None:
        self.check(values)
        get = values.get
        for member in self.members:
            value = get(member.name)
            if value is not None:
                member.write(value, out)

    def write_scalars(self, values: dict[str, Any], out: list[str]) -> None:
        """Write these members, in their order. Raises TypeError for one that is not a scalar."""
        for name, value in values.items():
            if name not in self._scalars:
                raise TypeError(f"{self._shape_name} has no scalar member {name}")
            if value is not None:
                self._scalars[name].write(value, out)


@cache
def _plan(shape: Shape) -> _Plan:
    """A structure's plan. Those of its members are made when they are needed: some shapes contain themselves."""
    return _Plan(shape)


@cache
def _item(shape: Shape) -> _Element:
    """How a list's items are written."""
    member = shape.member
    return _Element("", str(member.serialization.get("name", "item")), member)


def _text(value: Any) -> str:
    if type(value) is int:
        return str(value)
    if isinstance(value, str):
        return _escaped(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        moment = value.astimezone(UTC).isoformat(timespec="milliseconds")
        return moment.removesuffix("+00:00") + "Z"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return _escaped(str(value))


def _escaped(text: str) -> str:
    if text.isascii():
        # Long texts are device configurations, and the pattern would take longer for one than all that makes it.
        octets = text.encode()
        if len(octets.translate(None, _ILLEGAL_ASCII)) != len(octets):
            text = legal(text)
    elif ILLEGAL_XML.search(text):
        text = legal(text)
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    if ">" in text:
        text = text.replace(">", "&gt;")
    return text
