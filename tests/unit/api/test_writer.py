"""The writer of answers against a plain one that builds a tree: the same octets, for every shape of EC2's answers."""

from __future__ import annotations

import base64
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest
from botocore.model import Shape
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from twinbore.api import codec, writer
from twinbore.api.writer import Joined, Kept

EC2 = codec.service("ec2")
ANSWERS = [name for name in EC2.operation_names if EC2.operation_model(name).output_shape is not None]
CONNECTIONS = EC2.operation_model("DescribeVpnConnections").output_shape
DEPTH = 7
MOMENT = datetime(2026, 11, 24, 9, 30, 1, 234_567, tzinfo=timezone(timedelta(hours=9)))
AWKWARD = "a & b <c> \"d\" 'e' \r\n\t é 漢 😀 \x00\x0b \ufffe ]]>"
LEAVES: dict[str, list[Any]] = {
    "string": ["vpn-1", AWKWARD, "", "a\x01b"],
    "integer": [0, -1, 2**31],
    "long": [1 << 40, 0],
    "boolean": [True, False],
    "double": [1.5, 0.0],
    "float": [0.25],
    "timestamp": [MOMENT, datetime(1970, 1, 1, tzinfo=UTC)],
    "blob": [b"\x00octets", b""],
}


def by_tree(shape: Shape, values: dict[str, Any]) -> bytes:
    """The members as a tree's own serialiser writes them."""
    root = ET.Element("root")
    _members(root, shape, values)
    text = ET.tostring(root, encoding="unicode")
    return text.removeprefix("<root>").removesuffix("</root>").encode() if text != "<root />" else b""


def _members(parent: ET.Element, shape: Shape, values: dict[str, Any]) -> None:
    for nested in (False, True):
        for name, member in shape.members.items():
            value = values.get(name)
            if value is not None and (member.type_name in ("list", "structure")) is nested:
                _element(parent, member.serialization.get("name", name), member, value)


def _element(parent: ET.Element, name: str, shape: Shape, value: Any) -> None:
    element = ET.SubElement(parent, name)
    if shape.type_name == "structure":
        _members(element, shape, value)
    elif shape.type_name == "list":
        for item in value:
            _element(element, shape.member.serialization.get("name", "item"), shape.member, item)
    elif isinstance(value, bool):
        element.text = str(value).lower()
    elif isinstance(value, datetime):
        element.text = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03}Z"
    elif isinstance(value, bytes):
        element.text = base64.b64encode(value).decode()
    else:
        element.text = writer.legal(str(value))


def example(shape: Shape, turn: int, depth: int = 0) -> Any:
    """A value of the shape: with every member, or with some that are left out, None or empty, by `turn`."""
    if shape.type_name == "structure":
        members: dict[str, Any] = {}
        for number, (name, member) in enumerate(shape.members.items()):
            if depth >= DEPTH and member.type_name in ("list", "structure"):
                continue
            kind = (number + turn + depth) % 5 if turn else 0
            if kind == 1:
                members[name] = None
            elif kind == 2 and member.type_name in ("list", "structure"):
                members[name] = [] if member.type_name == "list" else {}
            elif kind != 3:
                members[name] = example(member, turn, depth + 1)
        return members
    if shape.type_name == "list":
        if depth >= DEPTH and shape.member.type_name in ("list", "structure"):
            return []
        return [example(shape.member, turn + number, depth + 1) for number in range(1 + turn % 2)]
    leaves = LEAVES[shape.type_name]
    return leaves[(turn + depth) % len(leaves)]


def written(shape: Shape, values: dict[str, Any]) -> bytes:
    return b"".join(writer.parts(shape, values))


@pytest.mark.parametrize("turn", [0, 1, 2])
def test_every_answer_of_the_model(turn: int) -> None:
    for name in ANSWERS:
        shape = EC2.operation_model(name).output_shape
        values = example(shape, turn)
        assert written(shape, values) == by_tree(shape, values), name


def test_botocore_reads_the_same_out_of_both() -> None:
    parser = create_parser("ec2")
    for name in ANSWERS:
        model = EC2.operation_model(name)
        values = example(model.output_shape, 1)
        head = f'<{name}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>id</requestId>'.encode()
        by_plain = head + by_tree(model.output_shape, values) + f"</{name}Response>".encode()
        answers = [
            parser.parse({"status_code": 200, "headers": {}, "body": document}, model.output_shape)
            for document in (codec.answer(model, values, "id"), by_plain)
        ]
        assert answers[0] == answers[1]


@given(st.text())
def test_any_text(text: str) -> None:
    values = {"NextToken": text}
    assert written(CONNECTIONS, {"VpnConnections": [{"VpnConnectionId": text}]}) == by_tree(
        CONNECTIONS, {"VpnConnections": [{"VpnConnectionId": text}]}
    )
    shape = EC2.operation_model("DescribeVpcs").output_shape
    assert written(shape, values) == by_tree(shape, values)


def test_a_member_that_the_model_does_not_have() -> None:
    with pytest.raises(TypeError, match="has no member Misspelt"):
        written(CONNECTIONS, {"Misspelt": 1})
    with pytest.raises(TypeError, match="VpnConnection has no member Misspelt"):
        written(CONNECTIONS, {"VpnConnections": [{"Misspelt": 1}]})


CONNECTION = example(CONNECTIONS.members["VpnConnections"].member, 0)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_an_iterator_is_written_as_a_list(count: int) -> None:
    values = {"VpnConnections": [CONNECTION] * count}
    assert written(CONNECTIONS, {"VpnConnections": iter([CONNECTION] * count)}) == by_tree(CONNECTIONS, values)
    kept = [Kept(lambda: CONNECTION) for _ in range(count)]
    assert written(CONNECTIONS, {"VpnConnections": iter(kept)}) == by_tree(CONNECTIONS, values)
    assert written(CONNECTIONS, {"VpnConnections": kept}) == by_tree(CONNECTIONS, values)


def test_an_iterator_goes_on_only_when_what_it_gave_is_written() -> None:
    given_so_far = 0

    def connections() -> Iterator[dict[str, Any]]:
        nonlocal given_so_far
        for given_so_far in range(1, 4):
            yield {"VpnConnectionId": f"vpn-{given_so_far}"}

    parts = writer.parts(CONNECTIONS, {"VpnConnections": connections()})
    assert b"vpn-1" in next(parts)
    assert given_so_far == 1
    assert b"vpn-2" in next(parts)
    assert given_so_far == 2


def test_what_is_kept_is_made_once() -> None:
    calls = 0

    def make() -> dict[str, Any]:
        nonlocal calls
        calls += 1
        return CONNECTION

    kept = Kept(make)
    first = written(CONNECTIONS, {"VpnConnections": [kept, kept]})
    assert written(CONNECTIONS, {"VpnConnections": iter([kept, kept])}) == first
    assert calls == 1


@pytest.mark.parametrize("tags", [[], [{"Key": AWKWARD, "Value": ""}, {"Key": "b"}]])
def test_kept_lists_and_empty_ones(tags: list[dict[str, str]]) -> None:
    plain = {"VpnConnections": [{"Tags": tags, "Options": {}}]}
    kept = {"VpnConnections": [{"Tags": Kept(partial(list, tags)), "Options": Kept(dict)}]}
    assert written(CONNECTIONS, kept) == by_tree(CONNECTIONS, plain)


def test_an_empty_structure_that_is_kept() -> None:
    expected = by_tree(CONNECTIONS, {"VpnConnections": [{}]})
    assert written(CONNECTIONS, {"VpnConnections": iter([Kept(dict)])}) == expected
    assert written(CONNECTIONS, {"VpnConnections": [Kept(dict)]}) == expected


def test_a_structure_that_is_joined() -> None:
    own, shared = {"VpnConnectionId": AWKWARD, "State": None}, {"Type": "ipsec.1", "Tags": [{"Key": "a"}]}
    for common in (shared, {}):
        joined = written(CONNECTIONS, {"VpnConnections": [Joined(own, Kept(partial(dict, common)))]})
        text = joined.decode()
        plain = by_tree(CONNECTIONS, {"VpnConnections": [own | common]}).decode()
        assert sorted(text.split("<")) == sorted(plain.split("<"))
        assert text.index("vpnConnectionId") < text.index("type>") if common else "type>" not in text
    assert written(CONNECTIONS, {"VpnConnections": [Joined({}, Kept(dict))]}) == by_tree(
        CONNECTIONS, {"VpnConnections": [{}]}
    )
    with pytest.raises(TypeError, match="no scalar member Tags"):
        written(CONNECTIONS, {"VpnConnections": [Joined({"Tags": []}, Kept(dict))]})
