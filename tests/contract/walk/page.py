"""The page of the API's documentation, from the scope, botocore's model and the table of differences.

    python -m tests.contract.walk.page > docs/api.md

The walk has shown that whatever is not a difference works, so the page says no more than the tests do.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import botocore
from botocore.model import Shape

import twinbore.api.ops  # noqa: F401 - registers the operations
from tests.contract.walk import model
from tests.contract.walk.scope import SURROUNDINGS, VPN
from twinbore.api.differences import FILTERS, MEMBERS, reason
from twinbore.api.operation import OPERATIONS

WIDTH: Final = 120
HEAD: Final = """\
# The API, member by member

<!-- Made by `python -m tests.contract.walk.page`, and compared by the tests: do not edit. -->

Every operation that Twinbore has, and what it does with each member of AWS's model (botocore {version}).
The tests walk the model with real calls: a member that is named here as implemented has an effect that they have seen,
every other one is a difference with its reason. **Nothing is accepted and ignored**: a parameter that cannot be had is
refused with `UnsupportedOperation` or `InvalidParameterCombination`, by name, and nothing is changed; a member of an
answer is absent; a filter that asks for what does not exist matches nothing.

What every operation has: `DryRun`, requests by GET and POST, older versions echoed, lists that start at 0 or have no
index, unknown parameters refused. Actions that are not on this page are refused with `UnsupportedOperation`, but for
listings (`Describe...`) of what Twinbore does not have, which are empty. Transit gateways and VPN concentrators come in
a later version, and their operations say so.

Members of structures are listed once, under [Structures](#structures). In the table: members that are implemented, of
those that the model has, nested ones included.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD.format(version=botocore.__version__)]
    sections = (("VPN", VPN), ("What surrounds it", SURROUNDINGS))
    for title, operations in sections:
        parts.append(f"\n## {title}\n\n")
        parts.append("| operation | input | output | filters |\n|---|---|---|---|\n")
        parts += [_row(name) for name in operations if name in OPERATIONS]
        parts += [text for name in operations if name in OPERATIONS for text in _operation(name)]
    parts.append("\n## Structures\n")
    used = [name for _, operations in sections for name in operations if name in OPERATIONS]
    for name, shape in sorted(_structures(used).items()):
        parts.append(f"\n### {name}\n\n")
        parts += _members(shape, "Members")
    return "".join(parts)


def _row(name: str) -> str:
    shapes = model.operation(name)
    filters = model.filters(name)
    matched = len(filters) - len(FILTERS.get(name, {}))
    counts = [_count(shapes.input_shape), _count(shapes.output_shape), f"{matched}/{len(filters)}" if filters else ""]
    return f"| [{name}](#{name.lower()}) | {' | '.join(counts)} |\n"


def _count(shape: Shape | None) -> str:
    every = list(model.members(shape))
    had = [member for member in every if not any(reason(*key) for key in member.keys)]
    return f"{len(had)}/{len(every)}" if every else ""


def _operation(name: str) -> Iterator[str]:
    shapes = model.operation(name)
    yield f"\n### {name}\n\n"
    yield from _members(shapes.input_shape, "Input")
    if shapes.output_shape is None:
        yield "\nOutput: `return`, true.\n"
    else:
        yield "\n"
        yield from _members(shapes.output_shape, "Output")
    filters = model.filters(name)
    if filters:
        unmatched = FILTERS.get(name, {})
        matched = [name.replace("tag:Name", "tag:<key>") for name in filters if name not in unmatched]
        yield "\n" + _wrapped(f"Filters: {_names(matched)}.")
        if unmatched:
            yield "\nFilters that match nothing:\n\n"
            yield from _reasons(unmatched)


def _members(shape: Shape | None, title: str) -> Iterator[str]:
    if shape is None or not shape.members:
        yield f"{title}: nothing.\n"
        return
    table = MEMBERS.get(shape.name, {})
    had = [_linked(name, member) for name, member in shape.members.items() if name not in table]
    yield _wrapped(f"{title}: {', '.join(had) or 'nothing'}.")
    if table:
        yield "\nDifferences:\n\n"
        yield from _reasons(table)


def _linked(name: str, shape: Shape) -> str:
    inner = model.inside(shape)
    return f"`{name}` ([{inner.name}](#{inner.name.lower()}))" if inner.type_name == "structure" else f"`{name}`"


def _reasons(table: Mapping[str, str]) -> Iterator[str]:
    """Names grouped by their reason, in the order of the names."""
    grouped: dict[str, list[str]] = {}
    for name, why in sorted(table.items()):
        grouped.setdefault(why, []).append(name)
    for why, names in grouped.items():
        yield _wrapped(f"* {_names(names)}: {why}.", "  ")


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _wrapped(text: str, indent: str = "") -> str:
    lines = textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines) + "\n"


def _structures(operations: Iterable[str]) -> dict[str, Shape]:
    """Every structure that an implemented member leads to."""
    found: dict[str, Shape] = {}
    for name in operations:
        shapes = model.operation(name)
        for shape in (shapes.input_shape, shapes.output_shape):
            for member in model.members(shape):
                inner = model.inside(member.shape)
                if inner.type_name == "structure" and not any(reason(*key) for key in member.keys):
                    found[inner.name] = inner
    return found


if __name__ == "__main__":
    sys.stdout.write(page())
