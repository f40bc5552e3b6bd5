"""Data-plane processes: started, adopted by another instance, told from recycled pids, ended, reaped."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from twinbore.engines.base import EngineError
from twinbore.engines.process import DataPlaneProcess, Identity, boot_id

SLEEP = "/bin/sleep"


def process(run_dir: Path, *argv: str, on_exit=lambda: None, netns=None, env=None) -> DataPlaneProcess:
    return DataPlaneProcess(
        "sleeper",
        argv or (SLEEP, "60"),
        netns=netns,
        pid_file=run_dir / "sleeper.pid",
        log_file=run_dir / "sleeper.log",
        env=env,
        on_exit=on_exit,
    )


def state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "gone"


def command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def target(pid: int, entry: str) -> Path | None:
    link = Path(f"/proc/{pid}/{entry}")
    return link.readlink() if link.is_symlink() else None


async def closes(pid: int, entry: str) -> bool:
    """Whether a descriptor is closed before long: the loader has files open for moments, an inherited one stays."""
    for _ in range(500):
        if target(pid, entry) is None:
            return True
        await asyncio.sleep(0.01)
    return False


async def written(log: Path, word: str) -> None:
    """Wait until a log has a word in it."""
    for _ in range(500):
        if word in content(log):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{word} never came")


def content(log: Path) -> str:
    return log.read_text()


def test_start_reaches_the_program_and_records_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        sleeper = process(tmp_path)
        await sleeper.start()
        pid = sleeper.pid
        assert pid is not None
        assert command_line(pid) == b"/bin/sleep\x0060\x00"
        assert Identity.parse((tmp_path / "sleeper.pid").read_text()) == Identity.of(pid) == sleeper.identity
        assert os.getsid(pid) == pid
        assert target(pid, "cwd") == Path("/")
        assert {target(pid, f"fd/{n}") for n in (1, 2)} == {tmp_path / "sleeper.log"}
        assert await closes(pid, "fd/3")
        assert await sleeper.stop()
        assert state_of(pid) == "gone"
        assert not (tmp_path / "sleeper.pid").exists()

    asyncio.run(scenario())


def test_second_instance_adopts_and_stops_what_the_first_started(tmp_path: Path) -> None:
    """The second stands for a restarted agent; the first is its parent and must still leave no zombie."""
    exits: list[str] = []

    async def scenario() -> None:
        first = process(tmp_path, on_exit=lambda: exits.append("first"))
        await first.start()
        pid = first.pid
        second = process(tmp_path, on_exit=lambda: exits.append("second"))
        assert await second.adopt()
        await second.start()
        assert second.pid == pid
        assert await second.stop()
        assert await first.wait(5)
        assert not first.running()
        assert state_of(pid) == "gone"

    asyncio.run(scenario())
    assert exits == ["first"]


def test_exit_of_an_adopted_process_that_is_no_child_is_noticed(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path\n"
        "from twinbore.engines.process import DataPlaneProcess\n"
        "d = Path(sys.argv[1])\n"
        "p = DataPlaneProcess('s', ['/bin/sleep', '60'], netns=None, pid_file=d/'sleeper.pid', log_file=d/'log')\n"
        "asyncio.run(p.start())\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, env={"PYTHONPATH": "src"}, timeout=30)
    exits: list[int] = []

    async def scenario() -> None:
        sleeper = process(tmp_path, on_exit=lambda: exits.append(1))
        assert await sleeper.adopt()
        assert sleeper.pid is not None
        os.kill(sleeper.pid, signal.SIGKILL)
        assert await sleeper.wait(5)
        assert not sleeper.running()

    asyncio.run(scenario())
    assert exits == [1]


@pytest.mark.parametrize("change", ["start", "boot"])
def test_a_recycled_pid_is_not_adopted(tmp_path: Path, change: str) -> None:
    mine = Identity.of(os.getpid())
    assert mine is not None
    stale = (
        Identity(mine.pid, mine.start_ticks - 1, mine.boot_id)
        if change == "start"
        else Identity(mine.pid, mine.start_ticks, "another-boot")
    )
    (tmp_path / "sleeper.pid").write_text(f"{stale}\n")

    async def scenario() -> None:
        sleeper = process(tmp_path)
        assert not await sleeper.adopt()
        assert not await sleeper.stop()

    asyncio.run(scenario())
    assert not (tmp_path / "sleeper.pid").exists()


@pytest.mark.parametrize("text", ["", "12", "12 x boot", "-1 5 boot", "1 2 3 4"])
def test_a_damaged_pid_file_names_nobody(text: str) -> None:
    assert Identity.parse(text) is None


def test_a_zombie_does_not_run() -> None:
    child = subprocess.Popen([SLEEP, "0"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert state_of(child.pid) == "Z"
    assert Identity.of(child.pid) is None
    child.wait()


def test_a_crash_is_reported_once_with_its_reason_and_leaves_no_zombie(tmp_path: Path) -> None:
    exits: list[int] = []

    async def scenario() -> None:
        sleeper = process(tmp_path, on_exit=lambda: exits.append(1))
        await sleeper.start()
        pid = sleeper.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert await sleeper.wait(5)
        assert sleeper.exit_reason == "was killed by SIGKILL"
        assert sleeper.pid is None
        assert state_of(pid) == "gone"
        await sleeper.start()
        assert sleeper.running()
        await sleeper.stop()

    asyncio.run(scenario())
    assert exits == [1]


def test_stop_kills_what_ignores_sigterm(tmp_path: Path) -> None:
    async def scenario() -> None:
        stubborn = process(tmp_path, "/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done")
        await stubborn.start()
        await written(tmp_path / "sleeper.log", "ready")
        assert await stubborn.stop(grace=0.3)
        assert stubborn.exit_reason == "was killed by SIGKILL"

    asyncio.run(scenario())


def test_errors_say_what_is_wrong(tmp_path: Path) -> None:
    async def scenario() -> None:
        with pytest.raises(EngineError, match="sleeper: no program /nonexistent/charon"):
            await process(tmp_path, "/nonexistent/charon").start()
        lost = process(tmp_path, netns="no-such-namespace")
        with pytest.raises(EngineError, match=r"sleeper ended with status 1: .*no-such-namespace"):
            await lost.start()
        assert not lost.running()

    asyncio.run(scenario())


def test_environment_is_exactly_what_was_given(tmp_path: Path) -> None:
    async def scenario() -> None:
        printer = process(tmp_path, "/usr/bin/env", env={"PATH": "/bin", "ONLY": "this"})
        await printer.start()
        assert await printer.wait(5)
        assert printer.exit_reason == "ended with status 0"

    asyncio.run(scenario())
    names = {line.partition("=")[0] for line in (tmp_path / "sleeper.log").read_text().splitlines()}
    assert names - {"PWD", "OLDPWD", "_", "SHLVL"} == {"PATH", "ONLY"}


def test_a_large_log_is_set_aside_at_start(tmp_path: Path) -> None:
    log = tmp_path / "sleeper.log"
    with log.open("wb") as file:
        file.truncate((16 << 20) + 1)

    async def scenario() -> None:
        sleeper = process(tmp_path)
        await sleeper.start()
        await sleeper.stop()

    asyncio.run(scenario())
    assert log.stat().st_size == 0
    assert log.with_suffix(".log.1").exists()


def test_boot_id_is_stable() -> None:
    assert boot_id() == boot_id() != ""
