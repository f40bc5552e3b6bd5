"""Questions to botocore's model: which members, filters and values an operation has, also nested ones."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import botocore.session
from botocore.model import OperationModel, Shape

from twinbore.api import codec

Path = tuple[str, ...]

_FILTER = re.compile(r"<li>\s*(?:<p>)?\s*<code>([^<]+)</code>")


@dataclass(frozen=True)
class Member:
    """A member of a structure, with the way to it: names of members, and for each the structure that has it."""

    path: Path
    owners: Path
    shape: Shape

    @property
    def name(self) -> str:
        return self.path[-1]

    @property
    def keys(self) -> Iterator[tuple[str, str]]:
        """(shape, member) of the member and of all that it is in."""
        return zip(self.owners, self.path, strict=True)

    def __str__(self) -> str:
        return ".".join(self.path)


def operation(name: str) -> OperationModel:
    return codec.service("ec2").operation_model(name)


def inside(shape: Shape) -> Shape:
    """The shape itself, or what a list is of."""
    while shape.type_name == "list":
        shape = shape.member
    return shape


def members(shape: Shape | None, path: Path = (), owners: Path = ()) -> Iterator[Member]:
    """Every member below a shape; a structure inside itself is not entered again."""
    if shape is None:
        return
    for name, member in shape.members.items():
        yield Member((*path, name), (*owners, shape.name), member)
        below = inside(member)
        if below.type_name == "structure" and below.name not in (*owners, shape.name):
            yield from members(below, (*path, name), (*owners, shape.name))


def given(shape: Shape, value: Any, path: Path = (), owners: Path = ()) -> Iterator[tuple[Member, Any]]:
    """The members that a value of a structure's shape has, with their values, also nested; None is no value."""
    for name, below in value.items():
        if name not in shape.members or below is None:
            continue
        member = shape.members[name]
        yield Member((*path, name), (*owners, shape.name), member), below
        inner = inside(member)
        if inner.type_name == "structure":
            for item in below if isinstance(below, list) else [below]:
                yield from given(inner, item, (*path, name), (*owners, shape.name))


def filters(name: str) -> list[str]:
    """The filters that the documentation of an operation's `Filters` lists; a tag's name stands for `<key>`."""
    shape = operation(name).input_shape
    if shape is None or "Filters" not in shape.members:
        return []
    found = [html.unescape(text).strip() for text in _FILTER.findall(shape.members["Filters"].documentation)]
    return [re.sub(r"^tag(:<key>)?$", "tag:Name", text) for text in dict.fromkeys(found)]


def enum(shape: Shape) -> list[str]:
    """The values that the model gives a member, or the items of a list; empty for any value."""
    return list(getattr(inside(shape), "enum", None) or [])


def paginated() -> set[str]:
    """The operations that botocore has a paginator for."""
    loader = botocore.session.get_session().get_component("data_loader")
    return set(loader.load_service_model("ec2", "paginators-1")["pagination"])


def waiters() -> dict[str, str]:
    """Waiter → the operation that it calls."""
    loader = botocore.session.get_session().get_component("data_loader")
    return {name: w["operation"] for name, w in loader.load_service_model("ec2", "waiters-2")["waiters"].items()}
