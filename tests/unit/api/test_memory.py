"""To describe very many connections takes little memory: what is held does not grow with the answer."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit import sample, worldstore
from tests.unit.seeded import SeededRandomness
from twinbore.api.authorization import Caller
from twinbore.api.dispatch import Dispatcher
from twinbore.api.ops.vpn_connection_shape import _shown
from twinbore.api.streamed import Streamed
from twinbore.model.permissions import ADMINISTRATOR
from twinbore.model.settings import Settings

COUNT = 2000
OF_ANSWER = 20 << 20
"""The answer is longer than that."""

BOUND = 16 << 20


def test_two_thousand_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_shown, "most", 64)
    database = worldstore.database(tmp_path)
    worldstore.fill(database)
    with database.write() as tx:
        for number in range(COUNT - 1):
            connection_id = f"vpn-1{number:016x}"
            tx.insert(sample.connection(id=connection_id))
            for index in (1, 2):
                tunnel_id = f"{connection_id}-{index}"
                if_id = 2000 + 2 * number + index
                tx.insert(replace(sample.tunnel(index), id=tunnel_id, connection_id=connection_id, if_id=if_id))
                tx.put_secret(tunnel_id, "pre_shared_key", "some.key")
    settings = Settings()
    dispatcher = Dispatcher(database, settings, lambda: sample.NOW, SeededRandomness())
    caller = Caller(sample.ACCOUNT, "AKIAEXAMPLE", "", ADMINISTRATOR, settings.region)
    tracemalloc.start()
    try:
        answer = dispatcher.answer(caller, "DescribeVpnConnections", "2016-11-15", [], "id")
        assert isinstance(answer, Streamed)
        size = count = 0
        while piece := answer.piece():
            size += len(piece)
            count += piece.count(b"<vpnConnectionId>")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    answer.close()
    database.close()
    assert size > OF_ANSWER
    assert count in range(COUNT - 100, COUNT + 1)  # a tag may stand across two pieces
    assert peak < BOUND
