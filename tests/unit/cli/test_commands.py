"""The command line where nothing runs: help, refusals, and the status of an installation."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.unit import sample, worldstore
from twinbore.cli import config_file
from twinbore.cli.main import main
from twinbore.cli.paths import Paths
from twinbore.model.settings import Settings
from twinbore.store.database import connect, sqlite_url
from twinbore.store.migrate import upgrade
from twinbore.store.secrets import SecretBox, load_master_key


def invoke(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize("verb", ["up", "down", "status", "doctor", "plug", "unplug", "demo"])
def test_every_verb_has_help(verb: str) -> None:
    status, text = invoke(verb, "--help")
    assert status == 0
    assert "--state" in text


def test_commands_say_that_nothing_is_installed(tmp_path: Path) -> None:
    for verb in ("status", "down"):
        status, text = invoke(verb, "--state", tmp_path)
        assert status == 1
        assert "twinbore up" in text


def test_plugging_without_an_agent_says_how_to_start_one(tmp_path: Path) -> None:
    status, text = invoke("plug", sample.ENI, "--netns", "host", "--state", tmp_path)
    assert status == 1
    assert f"twinbore up --state {tmp_path}" in text


def test_plug_takes_one_kind_of_workload(tmp_path: Path) -> None:
    status, text = invoke("plug", sample.ENI, "--state", tmp_path)
    assert status == 2
    assert "--netns NAME or --tap NAME" in text


@pytest.fixture
def installation(tmp_path: Path) -> Paths:
    paths = Paths(tmp_path)
    config_file.save(Settings(), paths.settings)
    database = connect(sqlite_url(paths.database), SecretBox(load_master_key(paths.master_key, create=True)))
    upgrade(database.engine)
    worldstore.fill(database)
    database.close()
    return paths


def test_status_shows_both_tunnels(installation: Paths) -> None:
    status, text = invoke("status", "--state", installation.state)
    assert status == 0
    assert sample.VPN in text
    assert text.count("1 BGP ROUTES") == 2


def test_a_master_key_that_is_open_to_others_is_refused(installation: Paths) -> None:
    installation.master_key.chmod(0o644)
    status, text = invoke("status", "--state", installation.state)
    assert status == 1
    assert "chmod 600" in text
