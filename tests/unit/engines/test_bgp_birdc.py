"""The control socket's protocol, against a server that says what it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from twinbore.engines.bgp import birdc
from twinbore.engines.bgp.birdc import BirdError, Line

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def bird_that_answers(path: Path, reply: bytes) -> AsyncIterator[list[bytes]]:
    commands: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"0001 BIRD 2.0.12 ready.\n")
        commands.append(await reader.readline())
        for byte in reply:
            writer.write(bytes([byte]))
            await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(serve, path)
    async with server:
        yield commands


async def test_continued_lines_keep_their_code(tmp_path: Path) -> None:
    reply = b"1002-tA BGP\n1006-  BGP state: Down\n   Neighbor AS: 1\n0000 \n"
    async with bird_that_answers(tmp_path / "ctl", reply) as commands:
        assert await birdc.command(tmp_path / "ctl", "show protocols all") == [
            Line(1002, "tA BGP"),
            Line(1006, "  BGP state: Down"),
            Line(1006, "  Neighbor AS: 1"),
            Line(0, ""),
        ]
        assert commands == [b"show protocols all\n"]


@pytest.mark.parametrize(
    ("reply", "code", "words"),
    [
        (b"9001 syntax error\n", 9001, "BIRD refused 'configure': syntax error"),
        (b"0002-Reading configuration\n8002 there is an error\n", 8002, "there is an error"),
        (b"0002-Reading", 0, "closed the control connection in the middle"),
        (b"", 0, "closed the control connection in the middle"),
        (b"hello\n", 0, "something unexpected: 'hello'"),
    ],
)
async def test_errors(tmp_path: Path, reply: bytes, code: int, words: str) -> None:
    async with bird_that_answers(tmp_path / "ctl", reply):
        with pytest.raises(BirdError, match=words) as caught:
            await birdc.command(tmp_path / "ctl", "configure")
    assert caught.value.code == code


async def test_no_bird(tmp_path: Path) -> None:
    with pytest.raises(BirdError, match="cannot be reached"):
        await birdc.command(tmp_path / "ctl", "show status")


async def test_a_bird_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(birdc, "TIMEOUT_SECONDS", 0.05)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_unix_server(silent, tmp_path / "ctl"):
        with pytest.raises(BirdError, match=r"did not answer 'show status' within 0\.05 seconds"):
            await birdc.command(tmp_path / "ctl", "show status")
