"""Fingerprints: which changes touch SAs and how, what survives an agent, and that no key is in the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.engines.tunnels import KEY, tunnel
from twinbore.engines.ipsec.charon_config import connection, shared_key
from twinbore.engines.ipsec.fingerprints import Due, Fingerprint, Ledger
from twinbore.engines.ipsec.proposals import EVERYTHING

LEDGER = Ledger.empty("1 2 boot")


def fingerprint(**changes: Any) -> Fingerprint:
    options = changes.pop("options", None)
    made = tunnel(options=options, **changes)
    return LEDGER.of(connection(made, 2, EVERYTHING), shared_key(made), made.replacements)


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({"options": {"phase1_lifetime_seconds": 10000}}, Due.RENEW),
        ({"options": {"phase2_lifetime_seconds": 1800}}, Due.RENEW),
        ({"options": {"rekey_margin_time_seconds": 100}}, Due.RENEW),
        ({"options": {"rekey_fuzz_percentage": 10}}, Due.RENEW),
        ({"options": {"dpd_timeout_seconds": 90}}, Due.RENEW),
        ({"options": {"dpd_timeout_action": "restart"}}, Due.RENEW),
        ({"options": {"replay_window_size": 64}}, Due.RENEW),
        ({"initiate": True}, Due.NOTHING),
        ({"options": {"phase1_dh_group_numbers": (14,)}}, Due.RENEGOTIATE),
        ({"options": {"phase2_encryption_algorithms": ("AES256",)}}, Due.RENEGOTIATE),
        ({"encapsulate": True}, Due.RENEGOTIATE),
        ({"local_ts": ("10.0.0.0/8",)}, Due.RENEGOTIATE),
        ({"if_id": 7}, Due.RENEGOTIATE),
        ({"replacements": 1}, Due.RENEGOTIATE),
        ({"pre_shared_key": "another.key"}, Due.REAUTHENTICATE),
        ({"remote_address": "198.51.100.2"}, Due.REAUTHENTICATE),
        ({"remote_identity": "198.51.100.2"}, Due.REAUTHENTICATE),
        ({"local_identity": "203.0.113.9"}, Due.REAUTHENTICATE),
        ({"pre_shared_key": "another.key", "encapsulate": True}, Due.RENEGOTIATE),
    ],
    ids=str,
)
def test_what_a_change_asks_of_existing_sas(changes: dict[str, Any], due: Due) -> None:
    before, after = fingerprint(), fingerprint(**changes)
    assert not before.same_as(after)
    assert before.change_to(after) is due


def test_no_change_asks_for_nothing() -> None:
    assert fingerprint().same_as(fingerprint())
    assert fingerprint().change_to(fingerprint()) is Due.NOTHING


@pytest.mark.parametrize("due", [Due.RENEGOTIATE, Due.REAUTHENTICATE, Due.RENEW])
def test_what_is_due_stays_due_over_a_further_change_of_times(due: Due) -> None:
    before = replace(fingerprint(), stale=((3, due),))
    after = fingerprint(options={"dpd_timeout_seconds": 90}).after(before, [3, 4])
    assert after.due == {3: due, 4: Due.RENEW}


def test_an_sa_that_has_a_successor_does_not_decide_about_that() -> None:
    """Number 3 gave way to 4 when the algorithms were changed; a new key concerns 4 as a new key does."""
    before = replace(fingerprint(), stale=((3, Due.RENEGOTIATE),))
    after = fingerprint(pre_shared_key="another.key").after(before, [4, 3])
    assert after.stale == ((3, Due.RENEGOTIATE), (4, Due.REAUTHENTICATE))
    assert after.without([3]).stale == ((4, Due.REAUTHENTICATE),)


def test_only_sas_that_are_there_are_outdated() -> None:
    before = replace(fingerprint(), stale=((3, Due.RENEGOTIATE),))
    assert fingerprint(pre_shared_key="another.key").after(before, []).stale == ()
    assert fingerprint(initiate=True).after(fingerprint(), [3]).stale == ()


def test_an_ike_sa_that_was_re_keyed_is_as_outdated_as_before() -> None:
    entry = replace(fingerprint(), stale=((3, Due.RENEW), (7, Due.REAUTHENTICATE)))
    assert entry.rekeyed(3, 9).stale == ((7, Due.REAUTHENTICATE), (9, Due.RENEW))


def test_a_ledger_comes_back_for_the_same_process_only(tmp_path: Path) -> None:
    path = tmp_path / "loaded.json"
    ledger = Ledger.empty("1 2 boot")
    made = tunnel()
    entry = replace(ledger.of(connection(made, 2, EVERYTHING), shared_key(made)), stale=((5, Due.RENEGOTIATE),))
    ledger.connections["vpn-1"] = entry
    ledger.write(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert KEY not in path.read_text()
    again = Ledger.read(path, "1 2 boot")
    assert again == ledger
    assert again.of(connection(made, 2, EVERYTHING), shared_key(made)).same_as(entry)
    assert Ledger.read(path, "1 3 boot").connections == {}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"process": "1 2 boot"}', '{"process": 1, "connections": {"a": {}}}'])
def test_a_damaged_file_is_an_empty_ledger(tmp_path: Path, text: str) -> None:
    path = tmp_path / "loaded.json"
    path.write_text(text)
    ledger = Ledger.read(path, "1 2 boot")
    assert (ledger.process, ledger.connections) == ("1 2 boot", {})


def test_salts_differ_so_that_equal_keys_do_not_look_equal() -> None:
    made = tunnel()
    body, key = connection(made, 2, EVERYTHING), shared_key(made)
    assert Ledger.empty("x").of(body, key).everything != Ledger.empty("x").of(body, key).everything
