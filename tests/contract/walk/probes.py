"""What is tried of an operation when it is first called, around parameters that are about to succeed.

* A dry run says that it would succeed, and changes nothing.
* A member that the table of differences names is refused, by its name; so is each such value.
* A value of an enumeration that the table does not name is taken, as a dry run shows.
* An id that nothing has is refused: the member is looked at.

Whatever is refused has changed nothing.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from botocore.model import Shape

from tests.contract.walk import model
from tests.contract.walk.model import Member
from tests.contract.walk.walker import Walker
from twinbore.api.differences import MEMBERS, reason

DRY_RUN = ("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
_ID = re.compile(r"[a-z]+(?:-[a-z]+)*-[0-9a-f]{17}")


def probe(walker: Walker, operation: str, parameters: dict[str, Any]) -> None:
    shape = model.operation(operation).input_shape
    if shape is None:
        return
    before = walker.service.dump()
    if "DryRun" in shape.members:
        _dry_run(walker, operation, parameters)
    for member in model.members(shape):
        if any(reason(*key) for key in list(member.keys)[:-1]):
            continue
        if reason(*list(member.keys)[-1]):
            _refused(walker, operation, parameters, member, sample(member.shape))
        else:
            _values(walker, operation, parameters, member)
    for member, value in list(model.given(shape, parameters)):
        _unknown_ids(walker, operation, parameters, member, value)
    assert walker.service.dump() == before, f"a refused {operation} has changed something"


def _dry_run(walker: Walker, operation: str, parameters: dict[str, Any]) -> None:
    found = walker.refusal(operation, **parameters, DryRun=True)
    if found == DRY_RUN:
        walker.dry_run.add(operation)
        walker.sent[operation].add(("DryRun",))
        walker.effects[operation].add(("DryRun",))
    else:
        walker.problems.append(f"{operation}: DryRun answers {found}")


def _refused(walker: Walker, operation: str, parameters: dict[str, Any], member: Member, value: Any) -> None:
    """The member with this value must be refused with a message that names it."""
    shape = model.operation(operation).input_shape
    found = walker.refusal(operation, **changed(shape, parameters, member.path, value))
    wire = str(member.shape.serialization.get("queryName") or member.shape.serialization.get("name", member.name))
    names = (member.name, wire, *(value if isinstance(value, list) else [value]))
    if found is None or not any(str(name).lower() in found[1].lower() for name in names):
        walker.problems.append(f"{operation}: {member} = {value!r} shall be refused by name: {found}")


def _values(walker: Walker, operation: str, parameters: dict[str, Any], member: Member) -> None:
    shape = model.operation(operation).input_shape
    owner, name = list(member.keys)[-1]
    listed = [key.partition("=")[2] for key in MEMBERS.get(owner, {}) if key.startswith(f"{name}=") and key[-1] != "*"]
    for value in dict.fromkeys([*model.enum(member.shape), *listed]):
        if reason(owner, f"{name}={value}"):
            _refused(walker, operation, parameters, member, [value] if member.shape.type_name == "list" else value)
            walker.effects[operation].add(member.path)
        elif "DryRun" in shape.members:
            tried = [value] if member.shape.type_name == "list" else value
            trial = changed(shape, parameters, member.path, tried) | {"DryRun": True}
            if walker.refusal(operation, **trial) == DRY_RUN:
                walker.values[operation, member.path].add(value)


def _unknown_ids(walker: Walker, operation: str, parameters: dict[str, Any], member: Member, value: Any) -> None:
    shape = model.operation(operation).input_shape
    first = value[0] if isinstance(value, list) and value else value
    if not isinstance(first, str) or not _ID.fullmatch(first):
        return
    unknown = first[:-17] + "0" * 17
    given = [unknown] if isinstance(value, list) else unknown
    found = walker.refusal(operation, **changed(shape, parameters, member.path, given))
    if found is None:
        walker.problems.append(f"{operation}: {member} = {unknown} is taken, and nothing has that id")
    else:
        walker.effects[operation].add(member.path)


def changed(shape: Shape, parameters: dict[str, Any], path: model.Path, value: Any) -> dict[str, Any]:
    """The parameters with another value of one member, in the first item of each list on the way."""
    result = copy.deepcopy(parameters)
    place: dict[str, Any] = result
    for name in path[:-1]:
        member = shape.members[name]
        shape = model.inside(member)
        if member.type_name == "list":
            items = place.setdefault(name, [])
            if not items:
                items.append({})
            place = items[0]
        else:
            place = place.setdefault(name, {})
    place[path[-1]] = value
    return result


def sample(shape: Shape) -> Any:
    """A value that asks for something."""
    if shape.type_name == "list":
        return [sample(shape.member)]
    if shape.type_name == "structure":
        return {name: sample(member) for name, member in shape.members.items()}
    values: dict[str, Any] = {"integer": 64, "long": 64, "boolean": True, "double": 1.5, "float": 1.5}
    if shape.type_name == "timestamp":
        return "2027-01-01T00:00:00Z"
    return (model.enum(shape) or [values.get(shape.type_name, "sample")])[0]
