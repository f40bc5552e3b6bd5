"""What is shipped for real hosts fits the program: the example configuration, the systemd unit, the set-up script."""

from __future__ import annotations

import configparser
import dataclasses
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from twinbore.cli import config_file
from twinbore.model.settings import Quotas, Settings, Throttling

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "packaging" / "twinbore.toml"
UNIT = ROOT / "packaging" / "systemd" / "twinbore.service"

GIVES_A_MOUNT_NAMESPACE = {
    "PrivateTmp",
    "PrivateDevices",
    "PrivateMounts",
    "PrivateUsers",
    "ProtectSystem",
    "ProtectHome",
    "ProtectHostname",
    "ProtectClock",
    "ProtectKernelTunables",
    "ProtectKernelModules",
    "ProtectKernelLogs",
    "ProtectControlGroups",
    "ProtectProc",
    "ReadWritePaths",
    "ReadOnlyPaths",
    "InaccessiblePaths",
    "BindPaths",
    "RootDirectory",
    "TemporaryFileSystem",
    "MountFlags",
}


def uncommented(text: str) -> str:
    """The example with every setting that it shows as a comment switched on."""
    return re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE)


def unit() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return parser["Service"]


def test_the_example_configuration_is_accepted() -> None:
    settings = config_file.read(EXAMPLE)
    assert settings == dataclasses.replace(
        Settings(), outside_pool_a=settings.outside_pool_a, outside_pool_b=settings.outside_pool_b
    )
    assert settings.outside_pool_a and settings.outside_pool_b


def test_the_example_shows_every_setting_with_its_default() -> None:
    shown = tomllib.loads(uncommented(EXAMPLE.read_text()))
    quotas = shown.pop("quotas")
    assert quotas == dataclasses.asdict(Quotas())
    assert shown.pop("throttling") == dataclasses.asdict(Throttling())
    assert shown.keys() == {field.name for field in dataclasses.fields(Settings)} - {"quotas", "throttling"}
    for name in shown.keys() - {"outside_pool_a", "outside_pool_b", "underlay", "tls_cert", "tls_key"}:
        default = getattr(Settings(), name)
        assert shown[name] == (list(default) if isinstance(default, tuple) else default), name


def test_the_unit_leaves_the_data_plane_running_and_the_namespaces_visible() -> None:
    service = unit()
    assert service["KillMode"] == "process"
    assert service["OOMPolicy"] == "continue"
    assert not GIVES_A_MOUNT_NAMESPACE & set(service)
    assert not {"RestrictNamespaces", "DevicePolicy", "DeviceAllow", "PrivateNetwork"} & set(service)


def test_the_unit_starts_the_command_line_that_exists() -> None:
    from twinbore.cli.main import main

    words = unit()["ExecStart"].split()
    assert words[0].endswith("/bin/twinbore")
    options = {option for parameter in main.commands[words[1]].params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


@pytest.mark.parametrize("script", ["scripts/setup", ".ci/run"])
def test_scripts_are_executable_and_parse(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", path], check=True)


def test_the_lock_pins_what_the_project_asks_for_and_names_no_index() -> None:
    text = (ROOT / "requirements.lock").read_text()
    pinned = dict(re.findall(r"^([a-z0-9.-]+)==([^ ]+)", text, flags=re.MULTILINE))
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    asked += [line for line in (ROOT / "requirements-dev.in").read_text().splitlines() if line[:1].isalpha()]
    for requirement in asked:
        name, _, version = requirement.partition("==")
        key = re.sub(r"[-_.]+", "-", re.split(r"[<>=\[; ]", name)[0]).lower()
        assert key in pinned, f"{requirement} is not in requirements.lock: run make lock"
        assert not version or pinned[key] == version, f"{requirement}, but the lock has {pinned[key]}: run make lock"
    assert len(re.findall(r"--hash=sha256:", text)) >= len(pinned)
    assert "://" not in text
