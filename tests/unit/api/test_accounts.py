"""The first account and its key: made once, written for AWS's clients, set by the environment, kept for a moment."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit import worldstore
from tests.unit.sample import NOW
from tests.unit.seeded import SeededRandomness
from twinbore.api.accounts import KEPT_SECONDS, SECRET_FIELD, CredentialsError, KeyRing, ensure_credentials
from twinbore.model.resources import AccessKey, Account
from twinbore.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = worldstore.database(tmp_path)
    yield opened
    opened.close()


def ensure(database: Database, path: Path, **environ: str) -> AccessKey:
    return ensure_credentials(database, path, environ, SeededRandomness(), NOW)


def written(path: Path) -> tuple[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(path)
    return parser["default"]["aws_access_key_id"], parser["default"]["aws_secret_access_key"]


def test_the_first_start_makes_an_account_and_a_key(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    key = ensure(database, path)
    assert re.fullmatch("AKIA[A-Z2-7]{16}", key.id)
    assert re.fullmatch("[0-9]{12}", key.account_id)
    identifier, secret = written(path)
    assert identifier == key.id
    assert re.fullmatch("[A-Za-z0-9/+]{40}", secret)
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in tmp_path.iterdir() if "credentials" in p.name) == ["credentials"]


def test_the_secret_is_not_in_the_database_in_clear(database: Database, tmp_path: Path) -> None:
    ensure(database, tmp_path / "credentials")
    _, secret = written(tmp_path / "credentials")
    database.close()
    stored = b"".join(p.read_bytes() for p in tmp_path.iterdir() if p.name.startswith("twinbore.db"))
    assert secret.encode() not in stored


def test_a_later_start_changes_nothing(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    key = ensure(database, path)
    before = path.stat().st_ino
    assert ensure(database, path) == key
    assert path.stat().st_ino == before


@pytest.mark.parametrize("damage", ["missing", "stale", "open"])
def test_a_file_that_is_not_right_is_written_again(database: Database, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "credentials"
    key = ensure(database, path)
    good = path.read_text()
    if damage == "missing":
        path.unlink()
    elif damage == "stale":
        path.write_text("[default]\naws_access_key_id = AKIAOLD\n")
    else:
        path.chmod(0o644)
    assert ensure(database, path) == key
    assert path.read_text() == good
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_environment_sets_the_key(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    first = ensure(database, path)
    given = ensure(database, path, TWINBORE_ACCESS_KEY_ID="AKIDEXAMPLE", TWINBORE_SECRET_ACCESS_KEY="one")
    assert (given.id, given.account_id) == ("AKIDEXAMPLE", first.account_id)
    assert written(path) == ("AKIDEXAMPLE", "one")
    ensure(database, path, TWINBORE_ACCESS_KEY_ID="AKIDEXAMPLE", TWINBORE_SECRET_ACCESS_KEY="two")
    with database.read() as tx:
        assert tx.secret("AKIDEXAMPLE", SECRET_FIELD) == "two"
        assert {k.id for k in tx.all(AccessKey)} == {first.id, "AKIDEXAMPLE"}
        assert len(tx.all(Account)) == 1


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"TWINBORE_ACCESS_KEY_ID": "AKIDEXAMPLE"}, "both"),
        ({"TWINBORE_SECRET_ACCESS_KEY": "x"}, "both"),
        ({"TWINBORE_ACCESS_KEY_ID": "a b c", "TWINBORE_SECRET_ACCESS_KEY": "x"}, "'a b c'"),
        ({"TWINBORE_ACCESS_KEY_ID": "AKIDEXAMPLE", "TWINBORE_SECRET_ACCESS_KEY": "x\n[other]"}, "SECRET_ACCESS_KEY"),
    ],
)
def test_an_environment_that_cannot_be(database: Database, tmp_path: Path, environ: dict[str, str], words: str) -> None:
    with pytest.raises(CredentialsError, match=words) as caught:
        ensure(database, tmp_path / "credentials", **environ)
    assert "[other]" not in str(caught.value)
    assert not (tmp_path / "credentials").exists()
    with database.read() as tx:
        assert tx.all(Account) == []


def test_secrets_are_kept_for_a_moment_only(database: Database, tmp_path: Path) -> None:
    key = ensure(database, tmp_path / "credentials")
    moment = 0.0
    ring = KeyRing(database, lambda: moment)
    found = ring.find(key.id)
    assert found is not None
    assert (found.account_id, found.secret) == (key.account_id, written(tmp_path / "credentials")[1])
    with database.write() as tx:
        tx.put_secret(key.id, SECRET_FIELD, "changed")
    moment = KEPT_SECONDS - 0.1
    assert ring.find(key.id) == found
    moment = KEPT_SECONDS
    changed = ring.find(key.id)
    assert changed is not None
    assert changed.secret == "changed"
    with database.write() as tx:
        tx.delete(AccessKey, key.id)
    moment += KEPT_SECONDS
    assert ring.find(key.id) is None


def test_unknown_keys_are_not_remembered(database: Database, tmp_path: Path) -> None:
    ring = KeyRing(database, lambda: 0.0)
    assert ring.find("AKIDEXAMPLE") is None
    ensure(database, tmp_path / "c", TWINBORE_ACCESS_KEY_ID="AKIDEXAMPLE", TWINBORE_SECRET_ACCESS_KEY="s")
    assert ring.find("AKIDEXAMPLE") is not None
