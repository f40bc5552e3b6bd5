"""The documentation names what exists: links, commands, make targets, API operations; its shell blocks parse."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from botocore import xform_name

import twinbore.api.ops  # noqa: F401 - registers the operations
from twinbore.api.operation import OPERATIONS
from twinbore.cli.main import main
from twinbore.model.permissions import Verdict, parse_policy

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "bench").glob("*.md")])
WALKTHROUGH = ROOT / "docs" / "aws-cli-walkthrough.md"


def code(text: str) -> str:
    """Everything in code blocks and in backticks."""
    return "\n".join(re.findall(r"^```.*?^```|`[^`\n]+`", text, flags=re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    assert not [link for link in links if not (page.parent / link).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_targets_exist(page: Path) -> None:
    shown = code(page.read_text())
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+(?:-[a-z0-9]+)*)", shown)) <= targets
    commands = set(re.findall(r"(?:^|[`/# ])twinbore ((?!is\b)[a-z]+)\b", shown, flags=re.MULTILINE))
    assert commands <= main.commands.keys()


def test_the_walkthrough_uses_operations_that_exist() -> None:
    words = set(re.findall(r"\bec2 ((?!wait)[a-z]+-[a-z-]+)", WALKTHROUGH.read_text()))
    known = {xform_name(name, "-") for name in OPERATIONS}
    assert len(words) > 20
    assert words <= known


def test_the_walkthrough_is_a_shell_script() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", WALKTHROUGH.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) > 10
    subprocess.run(["bash", "-n"], input="\n".join(blocks), text=True, check=True)


def test_the_policies_of_the_documentation_are_policies() -> None:
    blocks = re.findall(r"^```json\n(.*?)^```", (ROOT / "docs" / "accounts.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    narrow, careful = (parse_policy(block) for block in blocks)
    chosen = "arn:aws:ec2:us-east-1:123456789012:vpn-connection/vpn-0123456789abcdef0"
    assert narrow.verdict("ec2:ReplaceVpnTunnel", chosen) is Verdict.ALLOWED
    assert narrow.verdict("ec2:ReplaceVpnTunnel", chosen[:-1] + "1") is Verdict.NOT_ALLOWED
    assert careful.verdict("ec2:DeleteVpnConnection", chosen) is Verdict.DENIED
    assert careful.verdict("ec2:CreateVpnConnection", chosen) is Verdict.ALLOWED
