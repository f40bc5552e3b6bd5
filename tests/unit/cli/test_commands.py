"""The command line where nothing runs: help, refusals, and the status of an installation."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.unit import sample, worldstore
from tests.unit.certificates import authority, issued
from twinbore.cli import config_file, doctor
from twinbore.cli.main import main
from twinbore.cli.paths import Paths
from twinbore.model.settings import Settings
from twinbore.store.database import connect, sqlite_url
from twinbore.store.migrate import upgrade
from twinbore.store.secrets import SecretBox, load_master_key


def invoke(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    "verb",
    ["up", "down", "status", "doctor", "plug", "unplug", "demo", "pause", "resume", "password", "export", "import"],
)
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


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_pausing_without_an_agent_says_how_to_start_one(tmp_path: Path, verb: str) -> None:
    status, text = invoke(verb, sample.VPN, "--state", tmp_path)
    assert status == 1
    assert f"twinbore up --state {tmp_path}" in text


@pytest.mark.parametrize("content", ["", "two\nlines\n", "a space", 'quo"te', "x" * 81])
def test_a_password_that_cannot_be_used_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    file = tmp_path / "password"
    file.write_text(content)
    status, text = invoke("password", sample.VPN, "--file", file, "--state", tmp_path)
    assert status == 1
    assert "one line of 1 to 80 characters" in text
    assert not content or content not in text


def test_a_password_is_read_from_standard_input(tmp_path: Path) -> None:
    arguments = ["password", sample.VPN, "--state", str(tmp_path)]
    result = CliRunner().invoke(main, arguments, input="s3cret\n")
    assert "no agent runs" in result.output
    assert "s3cret" not in result.output


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


def finding_of_the_api(settings: Settings) -> doctor.Finding:
    (finding,) = [each for each in doctor.findings(settings) if each.text.startswith("API: ")]
    return finding


def test_doctor_looks_at_where_the_api_listens(tmp_path: Path) -> None:
    assert finding_of_the_api(Settings()).text == "API: http://127.0.0.1:4566, without TLS"
    refused = finding_of_the_api(Settings(listen="0.0.0.0:4566"))
    assert (refused.level, "is not a loopback address" in refused.text) == ("missing", True)
    certificate, key = issued(authority()).write(tmp_path)
    served = finding_of_the_api(Settings(listen="0.0.0.0:4566", tls_cert=str(certificate), tls_key=str(key)))
    assert served.level == "ok"
    assert "https://0.0.0.0:4566, a certificate for localhost, 127.0.0.1 until 20" in served.text
    key.chmod(0o644)
    opened = finding_of_the_api(Settings(tls_cert=str(certificate), tls_key=str(key)))
    assert (opened.level, "chmod 600" in opened.text) == ("missing", True)
    files = issued(authority(), not_before=datetime(2020, 1, 1, tzinfo=UTC)).write(tmp_path)
    expired = finding_of_the_api(Settings(tls_cert=str(files[0]), tls_key=str(files[1])))
    assert (expired.level, "expired on 2020-01-11" in expired.text) == ("note", True)
