"""`twinbore key` and `twinbore account` on the database of an installation that does not run."""

from __future__ import annotations

import configparser
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.unit.sample import NOW
from tests.unit.seeded import SeededRandomness
from twinbore.api.accounts import KeyRing, ensure_credentials
from twinbore.cli import config_file, keys
from twinbore.cli.installation import locked
from twinbore.cli.main import main
from twinbore.cli.paths import Paths
from twinbore.model.permissions import ADMINISTRATOR, Verdict
from twinbore.model.settings import Settings
from twinbore.store.database import Database, connect, sqlite_url
from twinbore.store.migrate import upgrade
from twinbore.store.secrets import SecretBox, load_master_key

POLICY = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}}


@pytest.fixture
def installed(tmp_path: Path) -> Paths:
    """An installation as its first start leaves it: one account with one administrator's key."""
    paths = Paths(tmp_path)
    paths.run.mkdir(parents=True)
    config_file.save(Settings(), paths.settings)
    database = opened(paths, create=True)
    upgrade(database.engine)
    ensure_credentials(database, paths.credentials, {}, SeededRandomness(), NOW)
    database.close()
    return paths


def opened(paths: Paths, *, create: bool = False) -> Database:
    return connect(sqlite_url(paths.database), SecretBox(load_master_key(paths.master_key, create=create)))


def invoke(paths: Paths, *arguments: str, given: str = "") -> Result:
    return CliRunner().invoke(main, [*arguments, "--state", str(paths.state)], input=given)


def listed(paths: Paths) -> list[dict[str, str]]:
    known: list[dict[str, str]] = json.loads(invoke(paths, "key", "list", "--json").stdout)
    return known


def made(paths: Paths, *options: str, given: str = "") -> dict[str, str]:
    result = invoke(paths, "key", "create", "--json", *options, given=given)
    assert result.exit_code == 0, result.output
    key: dict[str, str] = json.loads(result.stdout)
    return key


def test_a_new_key_is_printed_as_a_section_of_the_clients_file(installed: Paths) -> None:
    result = invoke(installed, "key", "create", "--name", "alice")
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(result.stdout)
    section = parser["alice"]
    assert "not shown again" in result.stderr
    database = opened(installed)
    key = KeyRing(database).find(section["aws_access_key_id"])
    database.close()
    assert key is not None
    assert (key.secret, key.name, key.policy) == (section["aws_secret_access_key"], "alice", ADMINISTRATOR)
    assert section["aws_secret_access_key"] not in invoke(installed, "key", "list").output


def test_a_key_with_a_policy_from_a_file_or_standard_input(installed: Paths, tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(POLICY))
    for key in (made(installed, "--policy", str(file)), made(installed, "--policy", "-", given=json.dumps(POLICY))):
        assert (key["Role"], key["Policy"]) == ("", POLICY)
        database = opened(installed)
        found = KeyRing(database).find(key["AccessKeyId"])
        database.close()
        assert found is not None
        assert found.policy.verdict("ec2:DescribeVpcs", "*") is Verdict.ALLOWED
        assert found.policy.verdict("ec2:CreateVpc", "*") is Verdict.NOT_ALLOWED


@pytest.mark.parametrize(
    ("options", "given", "words"),
    [
        (("--policy", "-"), "", "standard input is empty"),
        (("--policy", "-"), "{}", "Statement"),
        (("--policy", "/nonexistent"), "", "/nonexistent"),
        (("--policy", "-", "--role", "read-only"), "", "either --role or --policy"),
        (("--role", "owner"), "", "read-only"),
        (("--name", "a b"), "", "1 to 64"),
        (("--account", "999999999999"), "", "does not exist; there is"),
    ],
)
def test_what_cannot_be_a_key(installed: Paths, options: tuple[str, ...], given: str, words: str) -> None:
    result = invoke(installed, "key", "create", *options, given=given)
    assert result.exit_code != 0
    assert words in result.output
    assert len(listed(installed)) == 1


def test_a_key_is_disabled_enabled_and_deleted(installed: Paths) -> None:
    key = made(installed, "--role", "read-only")["AccessKeyId"]
    for verb, status in (("disable", "Inactive"), ("enable", "Active")):
        assert invoke(installed, "key", verb, key).exit_code == 0
        assert [k["Status"] for k in listed(installed) if k["AccessKeyId"] == key] == [status]
    assert invoke(installed, "key", "delete", key).exit_code == 0
    assert [k for k in listed(installed) if k["AccessKeyId"] == key] == []
    result = invoke(installed, "key", "enable", key)
    assert result.exit_code == 1
    assert "twinbore key list" in result.output


@pytest.mark.parametrize("verb", ["disable", "delete"])
def test_the_last_administrators_key_stays_unless_insisted(installed: Paths, verb: str) -> None:
    (first,) = listed(installed)
    made(installed, "--role", "read-only")
    result = invoke(installed, "key", verb, first["AccessKeyId"])
    assert result.exit_code == 1
    assert "--force" in result.output
    assert first in listed(installed)
    assert invoke(installed, "key", verb, first["AccessKeyId"], "--force").exit_code == 0
    assert first not in listed(installed)


def test_a_service_that_runs_has_forgotten_the_key_before_the_command_returns(
    installed: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = made(installed)["AccessKeyId"]
    slept: list[float] = []
    monkeypatch.setattr("twinbore.cli.keys.time.sleep", slept.append)
    invoke(installed, "key", "disable", key)
    assert slept == []
    with locked(installed):
        invoke(installed, "key", "delete", key)
    assert slept == [keys.KEPT_SECONDS]


def test_accounts(installed: Paths) -> None:
    first = listed(installed)[0]["AccountId"]
    assert invoke(installed, "account", "create", "111122223333").stdout == "111122223333\n"
    chosen = invoke(installed, "account", "create").stdout.strip()
    assert len(chosen) == 12
    made(installed, "--account", "111122223333")
    counts = {
        a["AccountId"]: a["AccessKeys"] for a in json.loads(invoke(installed, "account", "list", "--json").stdout)
    }
    assert counts == {first: 1, "111122223333": 1, chosen: 0}
    assert "111122223333  1 key\n" in invoke(installed, "account", "list").stdout
    for wrong, words in (("111122223333", "exists already"), ("12", "12 digits")):
        result = invoke(installed, "account", "create", wrong)
        assert result.exit_code == 1
        assert words in result.output


def test_nothing_installed_says_so(tmp_path: Path) -> None:
    result = invoke(Paths(tmp_path / "none"), "key", "list")
    assert result.exit_code == 1
    assert "twinbore up" in result.output
