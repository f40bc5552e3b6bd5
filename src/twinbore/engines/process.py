"""Programs of the data plane (charon, twinbore-esp, bird): started so that they outlive us, found again, ended.

A `DataPlaneProcess` has its own session, no standard input and a log file, so that nothing ties it to the agent that
started it; a later agent adopts it by its pid file.

Invariants:
* The pid file is written by the child itself, before the program runs in its place. So a program never runs without a
  pid file, wherever the agent may be killed.
* A process is identified by pid, start time and boot, never by the pid alone, which the kernel may have given to
  another program meanwhile. Signals go through a pidfd, which cannot change its meaning.
* A child that ends while its parent runs is reaped, so that no zombie stays.

The child runs `nsenter` (its network namespace and `/` as its working directory), then `sh` (writes the pid file), then
the program; each replaces the one before, so the pid stays the same. The last step says through a pipe that the
program has been reached. No Python code runs between fork and exec: that would be unsafe with threads.

References: pidfd_open(2), posix_spawn(3), nsenter(1), proc_pid_stat(5) fields 3 (state) and 22 (starttime).
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from twinbore.engines.base import EngineError
from twinbore.engines.netns import path_of

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_LOG_LIMIT_BYTES: Final = 16 << 20
_LAUNCH_SECONDS: Final = 10.0
_SHELL: Final = "/bin/sh"
_TOOLS: Final = ("/usr/bin/nsenter", "/bin/nsenter")

_WRITE_PID_FILE_THEN_EXEC: Final = """\
file=$1 boot=$2; shift 2
start=$(read -r stat </proc/$$/stat; set -f; set -- ${stat##*) }; echo "${20}")
printf '%s %s %s\\n' "$$" "$start" "$boot" >"$file.new" && mv "$file.new" "$file" || exit 126
printf reached >&3
exec "$@" 3>&-
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """One process of one boot: `start_ticks` is /proc/PID/stat's starttime, in clock ticks since the boot."""

    pid: int
    start_ticks: int
    boot_id: str

    def __str__(self) -> str:
        return f"{self.pid} {self.start_ticks} {self.boot_id}"

    @classmethod
    def parse(cls, text: str) -> Identity | None:
        """The identity in a pid file's text; None when it is not one."""
        fields = text.split()
        if len(fields) != 3 or not (fields[0].isdecimal() and fields[1].isdecimal()):
            return None
        return cls(int(fields[0]), int(fields[1]), fields[2])

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """The identity of a process that runs now; None when there is none, or only its zombie."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        if fields[0] in ("Z", "X"):
            return None
        return cls(pid, int(fields[19]), boot_id())


def boot_id() -> str:
    """The kernel's identifier of the current boot."""
    return _BOOT_ID.read_text().strip()


def tail(path: Path, lines: int) -> str:
    """The last lines of a log file, joined: for error messages."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        text = ""
    return "; ".join(text.strip().splitlines()[-lines:]) or f"nothing in {path}"


class DataPlaneProcess:
    """One program of the data plane. Methods are called on the event loop's thread.

    `argv` starts with an absolute path. `netns` is the named network namespace to run in (None: the current one).
    Standard output and error are appended to `log_file`. `env` is the whole environment (None: only PATH).
    `on_exit` is called once for each time that a started or adopted process ended by itself, not after `stop`.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        netns: str | None,
        pid_file: Path,
        log_file: Path,
        env: Mapping[str, str] | None = None,
        on_exit: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.argv = tuple(argv)
        self.log_file = log_file
        self.exit_reason = ""
        self._netns = netns
        self._pid_file = pid_file
        self._env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"} if env is None else dict(env)
        self._on_exit = on_exit
        self._identity: Identity | None = None
        self._pidfd = -1
        self._ended: asyncio.Future[None] | None = None
        self._expected = False

    @property
    def identity(self) -> Identity | None:
        """Which process it is, while it runs."""
        return self._identity if self.running() else None

    @property
    def pid(self) -> int | None:
        identity = self.identity
        return identity.pid if identity else None

    def running(self) -> bool:
        """Whether the started or adopted process runs. Exact at the time of the call."""
        return self._pidfd >= 0 and not _has_ended(self._pidfd)

    async def adopt(self) -> bool:
        """Take over the process that the pid file names, when it still runs; true when it (or ours already) does."""
        if self.running():
            return True
        try:
            recorded = Identity.parse(self._pid_file.read_text())
        except FileNotFoundError:
            return False
        return recorded is not None and self._watch(recorded)

    async def start(self) -> None:
        """Start the program, unless it runs. Returns when the program itself has been reached; it may not be ready.

        Raises `EngineError` when the program ends before that (not there, no such namespace, no right to do it).
        """
        if await self.adopt():
            return
        if not os.access(self.argv[0], os.X_OK):
            raise EngineError(f"{self.name}: no program {self.argv[0]}")
        for directory in (self._pid_file.parent, self.log_file.parent):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _limit_log(self.log_file)
        self.exit_reason = ""
        self._expected = True
        try:
            await self._launch()
        finally:
            self._expected = False

    async def _launch(self) -> None:
        read_end, write_end = os.pipe()
        try:
            try:
                pid = self._spawn(write_end)
            finally:
                os.close(write_end)
            identity = Identity.of(pid)
            if identity is None or not self._watch(identity):
                self._reap(pid)
            try:
                reached = await _read_to_end(read_end)
            except TimeoutError:
                await self.stop()
                raise EngineError(f"{self.name} could not be started within {_LAUNCH_SECONDS:.0f} s") from None
        finally:
            os.close(read_end)
        if not reached:
            await self.wait(_LAUNCH_SECONDS)
            raise EngineError(f"{self.name} {self.exit_reason or 'did not start'}: {self.log_tail()}")

    async def stop(self, grace: float = 5.0) -> bool:
        """End the process: SIGTERM, after `grace` seconds SIGKILL. False when none ran."""
        if not await self.adopt():
            self._pid_file.unlink(missing_ok=True)
            return False
        self._expected = True
        try:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._pidfd, number)
                if await self.wait(grace):
                    break
        finally:
            self._expected = False
        self._pid_file.unlink(missing_ok=True)
        return True

    async def wait(self, timeout_seconds: float) -> bool:
        """Wait until the process has ended; false when it still runs after the time."""
        if self._ended is None:
            return True
        done, _ = await asyncio.wait({self._ended}, timeout=timeout_seconds)
        return bool(done)

    def release(self) -> None:
        """Stop watching; the process runs on."""
        if self._pidfd >= 0:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
        self._pidfd = -1
        self._identity = None
        self._ended = None

    def log_tail(self, lines: int = 3) -> str:
        """The last lines of the log file, joined: for error messages."""
        return tail(self.log_file, lines)

    def _spawn(self, write_end: int) -> int:
        nsenter = next((path for path in _TOOLS if Path(path).exists()), None)
        if nsenter is None:
            raise EngineError("nsenter is missing: apt-get install util-linux")
        enter = [f"--net={path_of(self._netns)}"] if self._netns is not None else []
        wrapper = [nsenter, *enter, "--wd=/", "--", _SHELL, "-c", _WRITE_PID_FILE_THEN_EXEC, self.name]
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.posix_spawn(
            nsenter,
            [*wrapper, str(self._pid_file.absolute()), boot_id(), *self.argv],
            self._env,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.log_file), append, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
                (os.POSIX_SPAWN_DUP2, write_end, 3),
            ],
            setsid=True,
            setsigmask=(),
            setsigdef=(signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGHUP),
        )

    def _watch(self, identity: Identity) -> bool:
        try:
            pidfd = os.pidfd_open(identity.pid)
        except ProcessLookupError:
            return False
        # The pidfd is fixed now: if the pid has this start time afterwards, it is the recorded process.
        if Identity.of(identity.pid) != identity:
            os.close(pidfd)
            return False
        self.release()
        loop = asyncio.get_running_loop()
        self._identity, self._pidfd, self._ended = identity, pidfd, loop.create_future()
        loop.add_reader(pidfd, self._exited)
        return True

    def _exited(self) -> None:
        ended, identity = self._ended, self._identity
        self.release()
        if identity is not None:
            self._reap(identity.pid)
        if ended is not None and not ended.done():
            ended.set_result(None)
        if not self._expected:
            self._on_exit()

    def _reap(self, pid: int) -> None:
        """Collect the exit status of a child of ours that has ended; an adopted process has another parent."""
        try:
            _, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            self.exit_reason = "ended"
            return
        code = os.waitstatus_to_exitcode(status)
        self.exit_reason = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


def _has_ended(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


async def _read_to_end(descriptor: int) -> bytes:
    """What comes through a pipe until its other end is closed. Raises TimeoutError."""
    loop = asyncio.get_running_loop()
    received = bytearray()
    done: asyncio.Future[None] = loop.create_future()

    def readable() -> None:
        data = os.read(descriptor, 64)
        received.extend(data)
        if not data and not done.done():
            done.set_result(None)

    loop.add_reader(descriptor, readable)
    try:
        async with asyncio.timeout(_LAUNCH_SECONDS):
            await done
    finally:
        loop.remove_reader(descriptor)
    return bytes(received)


def _limit_log(path: Path) -> None:
    """Keep one older log when the current one has grown large. Called only while nothing writes to it."""
    if path.exists() and path.stat().st_size > _LOG_LIMIT_BYTES:
        path.replace(path.with_suffix(path.suffix + ".1"))
