"""EC2's Query protocol, from botocore's service model: form parameters in, XML out.

Nothing about an operation is written by hand: names, types, lists and required members come from the model at run
time, so that a new botocore brings AWS's new members with it.

Requests. A member's name on the wire is `queryName`, else its capitalised `locationName`, else the member's name;
lists are flattened (`Name.1`), may start at 0 and, with one element, do without an index (older libraries do both).
A parameter that the model does not know is refused: to ignore a misspelt filter would be to answer, or delete, too
much.

Answers. The namespace echoes the version that was asked for; an operation without output answers
`<return>true</return>`; how members are written is the work of `writer`.

STS speaks the parent of this protocol, whose answers have one wrapper more; its requests have no lists here.

References: EC2 API reference, "Query requests", "Making requests"; botocore data `ec2/2016-11-15/service-2.json`,
`sts/2011-06-15/service-2.json`; XML 1.0 section 2.2 (characters that a document cannot hold).
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import botocore.session
from botocore.model import OperationModel, ServiceModel, Shape

from twinbore.api import errors, writer
from twinbore.api.errors import ApiError
from twinbore.api.form import FRAME, malformed
from twinbore.api.members import Members, Path
from twinbore.api.writer import ILLEGAL_XML, legal

CURRENT_VERSION: Final = "2016-11-15"
INTEGER_LIMIT: Final = 1 << 63
"""Whole numbers are smaller; what a member takes is said by its operation, which knows the reason."""

POSITIONAL_LISTS: Final = frozenset({"VpnTunnelOptionsSpecificationsList"})
"""Shapes of lists whose positions mean something (tunnel 1, tunnel 2). Clients cannot write an item without members,
so one that is missing before another is an empty one."""
MAX_POSITION: Final = 100
_VERSION: Final = re.compile(r"20[01][0-9]-[0-9]{2}-[0-9]{2}", re.ASCII)
_INDEX: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_DECLARATION: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'

Node = dict[str, "Node | str"]


@cache
def service(name: str) -> ServiceModel:
    """botocore's model of a service (`ec2`, `sts`)."""
    return botocore.session.get_session().get_service_model(name)


def check_version(version: str) -> None:
    """Refuse what is not the form of a version up to the current one; older clients send older ones."""
    if not _VERSION.fullmatch(version) or version > CURRENT_VERSION:
        raise ApiError(
            "NoSuchVersion",
            f"The requested version ({version}) of service AmazonEC2 does not exist. The newest is {CURRENT_VERSION}.",
        )


def parse(operation: OperationModel, parameters: Iterable[tuple[str, str]]) -> Members:
    """The operation's input with botocore's member names and Python types.

    Raises `ApiError`: UnknownParameter, MissingParameter, InvalidParameterValue, MalformedQueryString.
    """
    tree: Node = {}
    for name, value in parameters:
        if name not in FRAME:
            _plant(tree, name, value)
    shape = operation.input_shape
    if shape is None:
        for name in tree:
            raise _unknown(name)
        return Members()
    return _structure(shape, tree, "")


def member_at(operation: OperationModel, path: Path) -> tuple[str, str]:
    """How a request names the member at `path`, e.g. Options.TunnelOptions.1.PreSharedKey; the structure it is in."""
    shape = operation.input_shape
    owner = ""
    names = []
    for step in path:
        if isinstance(step, int):
            names.append(str(step))
            shape = shape.member
        else:
            owner = shape.name
            shape = shape.members[step]
            names.append(_wire_name(step, shape))
    return ".".join(names), owner


def _plant(tree: Node, name: str, value: str) -> None:
    *path, last = name.split(".")
    node = tree
    for part in path:
        below = node.setdefault(part, {})
        if isinstance(below, str):
            raise malformed(f"The parameter {name} is given both with and without members")
        node = below
    if last in node:
        raise malformed(f"The parameter {name} is given twice")
    node[last] = value


def _unknown(name: str) -> ApiError:
    return ApiError("UnknownParameter", f"The parameter {name} is not recognized")


def _wire_name(member: str, shape: Shape) -> str:
    query = shape.serialization.get("queryName")
    if query:
        return str(query)
    name = str(shape.serialization.get("name", member))
    return name[:1].upper() + name[1:]


@cache
def _wire_members(shape: Shape) -> dict[str, tuple[str, Shape]]:
    return {_wire_name(name, member): (name, member) for name, member in shape.members.items()}


def _structure(shape: Shape, node: Node | str, path: str) -> Members:
    if isinstance(node, str):
        raise ApiError(
            "InvalidParameterValue", f"Value ({node}) for parameter {path} is invalid. Members are expected."
        )
    prefix = f"{path}." if path else ""
    members = _wire_members(shape)
    result = Members()
    for wire, below in node.items():
        if wire not in members:
            raise _unknown(prefix + wire)
        name, member = members[wire]
        result[name] = _value(member, below, prefix + wire)
    for wire, (name, _) in members.items():
        if name in shape.required_members and name not in result:
            raise errors.missing_parameter(prefix + wire)
    return result


def _value(shape: Shape, node: Node | str, path: str) -> Any:
    if shape.type_name == "structure":
        return _structure(shape, node, path)
    if shape.type_name == "list":
        return _list(shape, node, path)
    if not isinstance(node, str):
        raise _unknown(f"{path}.{next(iter(node))}")
    return _scalar(shape, node, path)


def _list(shape: Shape, node: Node | str, path: str) -> list[Any]:
    if isinstance(node, str):
        return [_value(shape.member, node, path)]
    if not all(_INDEX.fullmatch(key) for key in node):
        return [_value(shape.member, node, path)]
    if shape.name in POSITIONAL_LISTS:
        return _positional_list(shape, {int(key): below for key, below in node.items()}, path)
    return [_value(shape.member, node[key], f"{path}.{key}") for key in sorted(node, key=int)]


def _positional_list(shape: Shape, items: dict[int, Node | str], path: str) -> list[Any]:
    if max(items) > MAX_POSITION:
        raise errors.invalid_value(path, f"item {max(items)}", f"at most {MAX_POSITION} items")
    first = min(1, *items)
    return [_value(shape.member, items.get(n, {}), f"{path}.{n}") for n in range(first, max(items) + 1)]


def _scalar(shape: Shape, text: str, path: str) -> Any:
    kind = shape.type_name
    if kind in ("integer", "long"):
        if not _INTEGER.fullmatch(text) or abs(int(text)) >= INTEGER_LIMIT:
            raise errors.invalid_value(path, text, "a whole number")
        return int(text)
    if kind == "boolean":
        if text.lower() not in ("true", "false"):
            raise errors.invalid_value(path, text, "true or false")
        return text.lower() == "true"
    if kind in ("double", "float"):
        return _number(text, path)
    if kind == "timestamp":
        return _timestamp(text, path)
    return _octets(text, path) if kind == "blob" else _characters(text, path)


def _characters(text: str, path: str) -> str:
    if ILLEGAL_XML.search(text):
        raise errors.invalid_value(path, text, "text without control characters, which no answer could hold")
    return text


def _number(text: str, path: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise errors.invalid_value(path, text, "a number")
    return number


def _timestamp(text: str, path: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise errors.invalid_value(path, text, "a time as 2026-11-24T12:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _octets(text: str, path: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise errors.invalid_value(path, f"{len(text)} characters", "octets in Base64") from None


def answer(operation: OperationModel, result: dict[str, Any], request_id: str, version: str = CURRENT_VERSION) -> bytes:
    """The XML document of a successful answer. Raises TypeError for a member that the model does not have."""
    return b"".join(answer_parts(operation, result, request_id, version))


def answer_parts(
    operation: OperationModel, result: dict[str, Any], request_id: str, version: str = CURRENT_VERSION
) -> Iterator[bytes]:
    """The same in parts, in which a list that is an iterator is written while it goes on."""
    name = operation.name
    head = f'<{name}Response xmlns="http://ec2.amazonaws.com/doc/{version}/"><requestId>{request_id}</requestId>'
    yield _DECLARATION + head.encode()
    if operation.output_shape is None:
        yield b"<return>true</return>"
    else:
        yield from writer.parts(operation.output_shape, result)
    yield f"</{name}Response>".encode()


def query_answer(operation: OperationModel, result: dict[str, Any], request_id: str) -> bytes:
    """The XML document of a successful answer in the Query protocol (STS)."""
    name, wrapper = operation.name, operation.output_shape.serialization["resultWrapper"]
    head = f'<{name}Response xmlns="{operation.metadata["xmlNamespace"]}"><{wrapper}>'
    tail = f"</{wrapper}><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>"
    return b"".join((_DECLARATION, head.encode(), *writer.parts(operation.output_shape, result), tail.encode()))


def query_error_answer(error: ApiError, request_id: str) -> bytes:
    """The XML document of a refusal in the Query protocol (STS)."""
    root = ET.Element("ErrorResponse", {"xmlns": str(service("sts").metadata["xmlNamespace"])})
    body = ET.SubElement(root, "Error")
    ET.SubElement(body, "Type").text = "Sender" if error.status < 500 else "Receiver"
    ET.SubElement(body, "Code").text = error.code
    ET.SubElement(body, "Message").text = legal(error.message)
    ET.SubElement(root, "RequestId").text = request_id
    return _document(root)


def error_answer(error: ApiError, request_id: str) -> bytes:
    """The XML document of a refusal; it has no namespace."""
    root = ET.Element("Response")
    body = ET.SubElement(ET.SubElement(root, "Errors"), "Error")
    ET.SubElement(body, "Code").text = error.code
    ET.SubElement(body, "Message").text = legal(error.message)
    ET.SubElement(root, "RequestID").text = request_id
    return _document(root)


def _document(root: ET.Element) -> bytes:
    return _DECLARATION + ET.tostring(root, encoding="unicode").encode()
