"""The client of twinbore-esp's control socket against a server in the test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from twinbore.engines.esp.control import ControlClient, ControlError, ControlUnreachable, Encapsulation, Sa, Tunnel

Answer = Callable[[dict[str, Any]], Any]


def play(tmp_path: Path, answer: Answer, scenario: Callable[[ControlClient], Awaitable[None]]) -> list[dict[str, Any]]:
    """Serve `answer` (None: no answer, the connection is closed) while `scenario` runs; the requests that came."""
    requests: list[dict[str, Any]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            request = json.loads(line)
            requests.append(request)
            given = answer(request)
            if given is None:
                break
            writer.write(json.dumps(given).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def run() -> None:
        listener = await asyncio.start_unix_server(serve, tmp_path / "control")
        client = ControlClient(tmp_path / "control")
        await scenario(client)
        client.close()
        listener.close()

    asyncio.run(asyncio.wait_for(run(), 10))
    return requests


def test_requests_and_answers_of_the_contract(tmp_path: Path) -> None:
    answers = {
        "hello": {"version": "0.1.0", "pid": 9, "workers": 2, "features": {"tun_uso": True}},
        "add_tunnel": {"changed": True},
        "remove_tunnel": {"changed": False},
        "remove_tunnels": {"removed": [1001]},
        "remove_sas": {"removed": 2},
        "list_tunnels": {
            "tunnels": [
                {
                    "if_id": 1001,
                    "netns": "vgw-1",
                    "name": "t1001",
                    "mtu": 1438,
                    "rx_packets": 3,
                    "rx_bytes": 300,
                    "tx_packets": 4,
                    "tx_bytes": 400,
                    "drops": {"replay": 1},
                }
            ]
        },
        "list_sas": {
            "sas": [
                {
                    "spi": "c0ffee01",
                    "src": "198.51.100.1",
                    "dst": "203.0.113.1",
                    "direction": "in",
                    "if_id": 1001,
                    "reqid": 1,
                    "suite": "aes-gcm-16-128",
                    "encap": {"src_port": 4500, "dst_port": 4500},
                    "esn": False,
                    "replay_window": 1024,
                    "bytes": 0,
                    "packets": 0,
                    "age_s": 1,
                    "idle_s": 1,
                    "orphan": False,
                }
            ]
        },
    }

    async def scenario(client: ControlClient) -> None:
        assert await client.hello() == "0.1.0"
        assert await client.add_tunnel(1001, "vgw-1", "t1001", 1438) is True
        assert await client.remove_tunnel(1001) is False
        assert await client.remove_tunnels([1001, 1002]) == [1001]
        await client.remove_sas(1001)
        assert await client.list_tunnels() == [
            Tunnel(1001, "vgw-1", "t1001", 1438, 3, 300, 4, 400, {"replay": 1}),
        ]
        assert await client.list_sas() == [
            Sa("c0ffee01", "in", 1001, "aes-gcm-16-128", False, Encapsulation(4500, 4500)),
        ]

    requests = play(tmp_path, lambda request: {"id": request["id"], "ok": answers[request["op"]]}, scenario)
    assert [request["id"] for request in requests] == [1, 2, 3, 4, 5, 6, 7]
    assert requests[1] == {
        "id": 2,
        "op": "add_tunnel",
        "if_id": 1001,
        "netns": "vgw-1",
        "name": "t1001",
        "mtu": 1438,
    }


def test_a_refusal_has_the_daemons_code_and_words(tmp_path: Path) -> None:
    async def scenario(client: ControlClient) -> None:
        with pytest.raises(ControlError, match="namespace vgw-1 does not exist") as caught:
            await client.add_tunnel(1, "vgw-1", "t1", 1438)
        assert caught.value.code == "os_error"
        assert await client.remove_tunnel(1) is True

    def answer(request: dict[str, Any]) -> Any:
        if request["op"] == "remove_tunnel":
            return {"id": request["id"], "ok": {"changed": True}}
        return {"id": request["id"], "error": {"code": "os_error", "message": "namespace vgw-1 does not exist"}}

    play(tmp_path, answer, scenario)


@pytest.mark.parametrize("bad", [None, {"id": 999, "ok": {}}, "text", {"ok": {}}], ids=repr)
def test_a_broken_answer_ends_the_connection_and_the_next_request_makes_a_new_one(tmp_path: Path, bad: Any) -> None:
    served: list[int] = []

    def answer(request: dict[str, Any]) -> Any:
        served.append(1)
        return bad if len(served) == 1 else {"id": request["id"], "ok": {"changed": True}}

    async def scenario(client: ControlClient) -> None:
        with pytest.raises(ControlUnreachable, match="does not answer remove_tunnel"):
            await client.remove_tunnel(1)
        assert await client.remove_tunnel(1) is True

    play(tmp_path, answer, scenario)


def test_an_answer_of_another_shape_is_a_refusal(tmp_path: Path) -> None:
    async def scenario(client: ControlClient) -> None:
        with pytest.raises(ControlError, match="answered list_tunnels with something unexpected") as caught:
            await client.list_tunnels()
        assert caught.value.code == "protocol"

    play(tmp_path, lambda request: {"id": request["id"], "ok": {"tunnels": [{"if_id": "x"}]}}, scenario)


def test_nobody_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        with pytest.raises(ControlUnreachable, match="does not answer hello"):
            await ControlClient(tmp_path / "none").hello()

    asyncio.run(scenario())
