"""The shape of the source tree: who may import whom, how long a file may be, and what no file may mention.

The import rule keeps the pure core pure and lets each engine be replaced: `model` knows nobody; store, planner and
devices know the model; engines know the model only; API and agent join them; the command line and the lab put all
together. It is read from the syntax tree, so that imports inside functions count as well.
"""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "twinbore"

MAY_IMPORT: dict[str, set[str]] = {
    "model": set(),
    "engines": {"model"},
    "store": {"model"},
    "planner": {"model"},
    "devices": {"model"},
    "observe": {"model"},
    "api": {"model", "store", "planner", "devices", "observe"},
    "agent": {"model", "store", "planner", "devices", "engines", "observe"},
    "lab": {"model", "store", "planner", "devices", "engines", "observe", "api", "agent"},
    "cli": {"model", "store", "planner", "devices", "engines", "observe", "api", "agent", "lab"},
}
"""Package: the other packages of the project that it may import (itself always)."""

SOURCE_FOLDERS = ("src", "esp", "tests", "bench", "scripts", "packaging", "docs", ".ci")
LONGEST = 800
LONG = 450
SHARE_OF_LONG_FILES = 0.05

FORBIDDEN_TEXT = {
    "a home directory": re.compile(r"(?<![\w.])/(?:root|home/[a-z][\w-]*|Users/\w+)/"),
    "a file outside the project": re.compile(r"\.\./shared\b"),
}


def imports(tree: ast.Module, module: str) -> Iterator[str]:
    """Absolute names of what `module` imports, relative imports resolved."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = ".".join(module.split(".")[: -node.level]) if node.level else ""
            base = ".".join(part for part in (parent, node.module) if part)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def breaches(source: str, module: str) -> list[str]:
    """The imports in `source` that `module` (dotted, `__init__` included) may not make."""
    package = module.split(".")[1]
    allowed = MAY_IMPORT[package] | {package, "__version__"}
    found = set()
    for name in imports(ast.parse(source), module):
        parts = name.split(".")
        if parts[0] == "twinbore" and len(parts) > 1 and parts[1] not in allowed:
            found.add(f"{module} imports twinbore.{parts[1]}")
    return sorted(found)


def python_modules() -> list[tuple[Path, str]]:
    files = sorted(PACKAGE.rglob("*.py"))
    return [(file, ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)) for file in files]


def source_files() -> list[Path]:
    built = {"target", "__pycache__", "results"}
    files = [file for folder in SOURCE_FOLDERS for file in (ROOT / folder).rglob("*") if file.is_file()]
    inside = [f for f in files if not built & set(f.relative_to(ROOT).parts) and ".egg-info" not in str(f)]
    return sorted([*inside, *(f for f in ROOT.iterdir() if f.is_file())])


def lines(file: Path) -> int:
    return file.read_text().count("\n")


def code_files() -> list[Path]:
    return [file for file in source_files() if file.suffix in (".py", ".rs", ".sh") or file.parent.name == "scripts"]


def test_packages_import_in_one_direction() -> None:
    found = [
        b for file, module in python_modules() if module.count(".") > 1 for b in breaches(file.read_text(), module)
    ]
    assert not found, "\n".join(found)


def test_every_package_has_a_rule() -> None:
    packages = {folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()}
    assert packages <= MAY_IMPORT.keys(), f"no import rule for {sorted(packages - MAY_IMPORT.keys())}"


def test_the_rule_has_no_cycle() -> None:
    left = {name: set(allowed) for name, allowed in MAY_IMPORT.items()}
    while left:
        free = {name for name, allowed in left.items() if not allowed & left.keys()}
        assert free, f"packages import each other: {sorted(left)}"
        left = {name: allowed for name, allowed in left.items() if name not in free}


@pytest.mark.parametrize(
    "source",
    [
        "import twinbore.store.database",
        "from twinbore.store import database",
        "from twinbore import store",
        "from ..store import database",
        "def f():\n    from twinbore.api.errors import ApiError",
    ],
)
def test_a_breach_is_seen_however_it_is_written(source: str) -> None:
    assert breaches(source, "twinbore.planner.routes")


def test_what_the_rule_allows_is_allowed() -> None:
    assert not breaches("from twinbore.model import ids\nfrom . import index\nimport json", "twinbore.planner.routes")


def test_files_are_small() -> None:
    sizes = {file.relative_to(ROOT): lines(file) for file in code_files()}
    modules = [lines(file) for file, _ in python_modules()]
    print(f"{len(sizes)} source files; median module {statistics.median(modules):.0f} lines, longest {max(modules)}")
    too_long = {str(file): size for file, size in sizes.items() if size > LONGEST}
    assert not too_long, f"over {LONGEST} lines: {too_long}"
    rather_long = {str(file): size for file, size in sizes.items() if size > LONG}
    assert len(rather_long) <= SHARE_OF_LONG_FILES * len(sizes), f"too many over {LONG} lines: {rather_long}"


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    forbidden = {**FORBIDDEN_TEXT, "where this copy of the project lies": re.compile(re.escape(f"{ROOT}/"))}
    found = []
    for file in source_files():
        text = file.read_bytes().decode(errors="replace")
        found += [f"{file.relative_to(ROOT)}: {what}" for what, pattern in forbidden.items() if pattern.search(text)]
    assert not found, "\n".join(found)


def test_every_module_says_what_it_is_for() -> None:
    silent = [module for file, module in python_modules() if not ast.get_docstring(ast.parse(file.read_text()))]
    assert not silent, f"no docstring: {silent}"
