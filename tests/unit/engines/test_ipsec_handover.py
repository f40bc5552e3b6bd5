"""Handing a tunnel over to new SAs, before a charon that is played."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.engines.tunnels import tunnel
from twinbore.engines.ipsec import handover, handovers
from twinbore.engines.ipsec.charon_config import connection, shared_key
from twinbore.engines.ipsec.fingerprints import Due, Fingerprint, fingerprint
from twinbore.engines.ipsec.handover import Handover
from twinbore.engines.ipsec.handovers import Handovers, Outcome
from twinbore.engines.ipsec.proposals import EVERYTHING
from twinbore.engines.ipsec.status import IkeSa, ike_sas
from twinbore.engines.ipsec.vici import ViciError

NAME = "vpn-1"


class FakeCharon:
    """IKE SAs by unique id, as a session sees them; what is ended is noted."""

    def __init__(self, *numbers: int) -> None:
        self.sas: dict[int, dict[str, Any]] = {}
        self.ended: list[int] = []
        self.calls = 0
        for number in numbers:
            self.add(number)

    def add(self, number: int, *, child: bool = True, state: str = "ESTABLISHED") -> None:
        children = {"c": {"state": "INSTALLED", "uniqueid": str(number)}} if child else {}
        self.sas[number] = {"uniqueid": str(number), "state": state, "child-sas": children}

    async def stream(self, *_: Any) -> list[dict[str, Any]]:
        return [{NAME: section} for section in self.sas.values()]

    async def request(self, command: str, message: dict[str, str], *_: Any) -> dict[str, Any]:
        assert command == "terminate"
        self.ended.append(int(message["ike-id"]))
        del self.sas[int(message["ike-id"])]
        return {}

    def close(self) -> None:
        """As a session's end."""

    def answering(self, answer: Callable[[], None]) -> Callable[[IkeSa], Awaitable[None]]:
        """A call of the peer, of which comes what `answer` does."""

        async def call(_: IkeSa) -> None:
            self.calls += 1
            answer()

        return call


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (
        ("NEGOTIATION_SECONDS", 0.05),
        ("PATIENCE_SECONDS", 0.2),
        ("OVERLAP_SECONDS", 0.05),
        ("RETRY_SECONDS", (0.02,)),
        ("_POLL_SECONDS", 0.005),
    ):
        monkeypatch.setattr(handover, name, seconds)


def run(charon: FakeCharon, due: Due, call: Any, stale: tuple[int, ...] = (1,)) -> int | None:
    session: Any = charon

    async def scenario() -> int | None:
        return await Handover(session, NAME, stale, call, asyncio.Semaphore(1)).run(due)

    return asyncio.run(scenario())


@pytest.mark.parametrize("due", [Due.RENEW, Due.REAUTHENTICATE, Due.RENEGOTIATE])
def test_old_sas_go_when_the_new_one_carries(due: Due) -> None:
    charon = FakeCharon(1)
    assert run(charon, due, charon.answering(lambda: charon.add(2))) == 0
    assert (charon.ended, list(charon.sas), charon.calls) == ([1], [2], 1)


def test_a_peer_that_closes_the_old_one_itself_is_left_to_do_so() -> None:
    charon = FakeCharon(1)

    def answer() -> None:
        charon.add(2)
        asyncio.get_running_loop().call_later(0.01, charon.sas.pop, 1)

    assert run(charon, Due.RENEGOTIATE, charon.answering(answer)) == 0
    assert charon.ended == []


@pytest.mark.parametrize("child_only", [False, True], ids=["no answer", "phase 1 only"])
def test_without_a_successor_forbidden_sas_go(child_only: bool) -> None:
    charon = FakeCharon(1)
    answer = (lambda: charon.add(2, child=False)) if child_only else (lambda: None)
    assert run(charon, Due.RENEGOTIATE, charon.answering(answer)) == 1
    assert not charon.sas


def test_without_a_successor_sas_with_former_times_stay() -> None:
    charon = FakeCharon(1)
    assert run(charon, Due.RENEW, charon.answering(lambda: charon.add(2, child=False))) is None
    assert list(charon.sas) == [1]


def test_a_peer_that_may_not_be_called_is_not() -> None:
    charon = FakeCharon(1)
    assert run(charon, Due.RENEW, None) is None
    assert run(charon, Due.RENEGOTIATE, None) == 1
    assert charon.ended == [1]


@pytest.mark.parametrize("ours", [True, False], ids=["we call", "the customer calls"])
def test_the_old_key_carries_on_until_the_customer_has_the_new_one(ours: bool) -> None:
    charon = FakeCharon(1)

    def answer() -> None:
        if charon.calls == 1 and not ours:
            asyncio.get_running_loop().call_later(0.05, charon.add, 2)
        if charon.calls == 3 and ours:
            charon.add(2)

    assert run(charon, Due.REAUTHENTICATE, charon.answering(answer)) == 0
    assert charon.ended == [1]
    assert charon.calls == 3 if ours else charon.calls >= 1


def test_patience_with_the_old_key_ends() -> None:
    charon = FakeCharon(1)
    assert run(charon, Due.REAUTHENTICATE, charon.answering(lambda: None)) == 1
    assert charon.ended == [1]
    assert charon.calls > 2


def test_what_carries_nothing_is_not_waited_for() -> None:
    charon = FakeCharon()
    charon.add(1, child=False)
    assert run(charon, Due.REAUTHENTICATE, charon.answering(lambda: None)) == 1
    assert charon.calls == 0


def test_a_successor_that_is_there_already_needs_no_call() -> None:
    """As after a restart of the agent, or when a newer SA is outdated for another reason."""
    charon = FakeCharon(1, 2)
    assert run(charon, Due.RENEGOTIATE, charon.answering(lambda: None)) == 0
    assert (charon.ended, charon.calls) == ([1], 0)


def test_a_call_that_charon_refuses_is_a_peer_that_does_not_answer() -> None:
    charon = FakeCharon(1)

    async def call(_: IkeSa) -> None:
        raise ViciError("no such connection")

    assert run(charon, Due.RENEGOTIATE, call) == 1


def entry(*stale: tuple[int, Due]) -> Fingerprint:
    made = tunnel()
    return replace(fingerprint(b"salt", connection(made, 2, EVERYTHING), shared_key(made)), stale=stale)


class Play:
    """`Handovers` on a charon that is played, with a clock that is set by hand."""

    def __init__(self, charon: FakeCharon, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(handovers, "ViciSession", lambda _: charon)
        self.charon = charon
        self.now = 0.0
        self.answer: Callable[[], None] = lambda: None
        self.outcomes: list[Outcome] = []
        self.it = Handovers(Path("charon.vici"), self.call, self.outcomes.append, lambda: self.now)

    async def call(self, *_: Any) -> None:
        self.charon.calls += 1
        self.answer()

    async def begin(self, *stale: tuple[int, Due]) -> None:
        """Begin what is due, and wait for its end."""
        sas = ike_sas(await self.charon.stream())
        self.it.begin(NAME, entry(*stale), tunnel(), sas)
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == f"ipsec-{NAME}"))
        assert NAME not in self.it


def test_a_peer_that_does_not_take_part_in_a_renewal_is_asked_again_after_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    charon = FakeCharon(1)
    charon.sas[1]["rekey-time"] = "10"
    play = Play(charon, monkeypatch)

    async def scenario() -> None:
        await play.begin((1, Due.RENEW))
        await play.begin((1, Due.RENEW))
        assert (charon.calls, play.outcomes) == (1, [])
        play.now += handovers.RENEWAL_PAUSE_SECONDS
        play.answer = lambda: charon.add(2)
        await play.begin((1, Due.RENEW))
        assert play.outcomes == [Outcome(NAME, frozenset({1}), broken=False)]

    asyncio.run(scenario())
    assert list(charon.sas) == [2]


def test_times_alone_wait_for_the_next_rekeying_while_what_was_replaced_before_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    charon = FakeCharon(1, 2)
    play = Play(charon, monkeypatch)
    asyncio.run(play.begin((1, Due.RENEGOTIATE), (2, Due.RENEW)))
    assert (charon.ended, charon.calls) == ([1], 0)
    assert play.outcomes == [Outcome(NAME, frozenset({1}), broken=False)]


def test_the_newest_sa_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is changed just after the algorithms were: the customer is waited for."""
    charon = FakeCharon(1, 2)
    play = Play(charon, monkeypatch)

    def answer() -> None:
        if charon.calls == 3:
            charon.add(3)

    play.answer = answer
    asyncio.run(play.begin((1, Due.RENEGOTIATE), (2, Due.REAUTHENTICATE)))
    assert list(charon.sas) == [3]
    assert play.outcomes == [Outcome(NAME, frozenset({1, 2}), broken=False)]


def test_what_is_under_way_ends_with_charon(monkeypatch: pytest.MonkeyPatch) -> None:
    charon = FakeCharon(1)
    play = Play(charon, monkeypatch)

    async def scenario() -> None:
        play.it.begin(NAME, entry((1, Due.REAUTHENTICATE)), tunnel(), ())
        await asyncio.sleep(0.01)
        play.it.forget()
        await asyncio.sleep(0.01)
        assert NAME not in play.it

    asyncio.run(scenario())
    assert (charon.ended, play.outcomes) == ([], [])
