"""What is started again after charon was, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from twinbore.engines.ipsec.resume import RESUME_SECONDS, Resume
from twinbore.model.observed import IkeStatus


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def status(name: str, address: str = "192.0.2.2:4500", *, nat: bool = False, version: str = "ikev2") -> IkeStatus:
    return IkeStatus(name, True, True, ike_version=version, remote_address=address, nat_detected=nat)


DOWN = IkeStatus("a", False, False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "up"


def restarted(file: Path, clock: Clock | None = None) -> Resume:
    resume = Resume(file, clock or Clock())
    resume.charon_started()
    return resume


@pytest.mark.parametrize(
    ("address", "nat", "port"),
    [
        ("192.0.2.2:500", False, None),
        ("192.0.2.2:4500", False, None),
        ("192.0.2.2:500", True, None),
        ("192.0.2.2:4500", True, 4500),
        ("192.0.2.2:61234", True, 61234),
        ("192.0.2.2:14500", False, 14500),
        ("2001:db8::2:4500", True, 4500),
    ],
)
def test_a_peer_is_called_where_it_was_seen_if_the_usual_port_cannot_reach_it(
    file: Path, address: str, nat: bool, port: int | None
) -> None:
    Resume(file, Clock()).observed([status("a", address, nat=nat)])
    resume = restarted(file)
    assert resume.wants("a") and not resume.wants("b")
    assert resume.take_port("a") == port
    assert resume.take_port("a") is None, "a second attempt goes to the usual port"
    assert resume.wants("a")


def test_what_is_not_up_yet_stays_in_the_file(file: Path) -> None:
    Resume(file, Clock()).observed([status("a", nat=True), status("b"), status("old", version="ikev1")])
    assert file.read_text() == "a 4500\nb\n"
    resume = restarted(file)
    resume.observed([status("b")])
    assert resume.wants("a") and not resume.wants("b")
    assert file.read_text() == "a 4500\nb\n", "charon may end again before a is up"
    again = restarted(file)
    assert again.wants("a") and again.wants("b")


def test_a_tunnel_that_does_not_come_back_in_time_is_left_to_its_peer(file: Path) -> None:
    clock = Clock()
    Resume(file, clock).observed([status("a")])
    resume = restarted(file, clock)
    clock.now += RESUME_SECONDS + 1
    resume.observed([DOWN])
    assert not resume.wants("a")
    assert file.read_text() == ""


def test_nothing_was_up(file: Path) -> None:
    resume = restarted(file)
    assert not resume.wants("a") and resume.take_port("a") is None
    resume.forget()
    assert not file.exists()
