"""One BIRD: its files, its process, its configuration.

The directory of a domain holds `bird.conf` (what BIRD reads), `bird.ctl` (control socket), `bird.log`, `bird.pid`,
`output.log` (standard error) and `state.json`: the namespace, and the digest of the configuration that BIRD runs.

Invariants:
* A configuration replaces `bird.conf` only after `bird -p` accepted it, by a rename: a bad one never stops a good BIRD,
  and a restart always finds a whole file.
* The digest in `state.json` is written after BIRD took the configuration and removed before BIRD is started, so an
  adopting agent reconfigures nothing that is right, and never trusts what it cannot know.
* A BIRD that was killed leaves its kernel routes behind. Its successor removes them in its first scan; without a
  successor we do (`RTPROT_BIRD`).
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pyroute2.netlink.rtnl.rtmsg import rtmsg  # type: ignore[import-untyped]

from twinbore.engines import netns as namespaces
from twinbore.engines.base import EngineError
from twinbore.engines.bgp import birdc, config
from twinbore.engines.bgp.birdc import BirdError, Line
from twinbore.engines.netlink import RTM_DELROUTE, RTM_GETROUTE, RouteSocket, decode, in_netns, message
from twinbore.engines.process import DataPlaneProcess
from twinbore.model.desired import RoutingDomain

RTPROT_BIRD: Final = 12
LOG_NAME: Final = "bird.log"
UNIX_PATH_BYTES: Final = 107
"""sun_path of unix(7) has 108 bytes, the last of them zero."""

_READY_SECONDS: Final = 5.0
_CHECK_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class _State:
    """`state.json`: the namespace that BIRD runs in, and the digest of its configuration (empty: not known)."""

    netns: str
    digest: str = ""


class Domain:
    """A routing domain's BIRD. Its name is a plain file name, else ValueError.

    Methods raise `EngineError`, `BirdError` or `config.ConfigError`.
    """

    def __init__(self, name: str, directory: Path, bird: Path, on_exit: Callable[[], None]) -> None:
        namespaces.path_of(name)
        self.name = name
        self.directory = directory
        self._bird = bird
        self._on_exit = on_exit
        self._config = directory / "bird.conf"
        self._control = directory / "bird.ctl"
        self._state_file = directory / "state.json"
        self._process: DataPlaneProcess | None = None
        if len(bytes(self._control)) > UNIX_PATH_BYTES:
            raise EngineError(
                f"{self._control}: a UNIX socket's path has at most {UNIX_PATH_BYTES} bytes; "
                "choose a shorter runtime directory"
            )

    @property
    def running(self) -> bool:
        """Whether BIRD runs."""
        return self._process is not None and self._process.running()

    @property
    def exit_reason(self) -> str:
        """How BIRD ended, in words; empty while it runs or was never started by us."""
        return self._process.exit_reason if self._process is not None and not self.running else ""

    @property
    def netns(self) -> str:
        """The namespace that BIRD was last started in; empty when it never was."""
        return self._read_state().netns

    async def adopt(self) -> bool:
        """Watch the BIRD that a former agent left; true when it runs."""
        state = self._read_state()
        if not state.netns:
            return False
        self._process = self._make_process(state.netns)
        return await self._process.adopt()

    async def ensure(self, desired: RoutingDomain) -> str:
        """Make BIRD run with the desired configuration; what was done in a sentence, or an empty string."""
        text = config.render(desired, self.directory / LOG_NAME)
        digest = hashlib.sha256(text.encode()).hexdigest()
        state = self._read_state()
        if self.running and not self._is_in(desired.netns):
            await self.stop()
        if self.running:
            if state == _State(desired.netns, digest):
                return ""
            await self._write_config(text)
            await self._configure()
            self._write_state(_State(desired.netns, digest))
            return f"Reconfigured BIRD of {self.name}"
        if not namespaces.exists(desired.netns):
            raise EngineError(f"there is no network namespace {desired.netns}: the net engine must create it first")
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        await self._write_config(text)
        self._write_state(_State(desired.netns))
        self._process = self._make_process(desired.netns)
        await self._process.start()
        await self._become_ready()
        self._write_state(_State(desired.netns, digest))
        return f"Started BIRD of {self.name}"

    async def command(self, text: str) -> list[Line]:
        """A command on BIRD's control socket."""
        return await birdc.command(self._control, text)

    async def stop(self) -> bool:
        """Stop BIRD, which withdraws its routes, and remove what a killed one left; true when it ran."""
        state = self._read_state()
        ran = self._process is not None and await self._process.stop()
        if state.netns and namespaces.exists(state.netns):
            await in_netns(state.netns, remove_bird_routes)
        return ran

    def release(self) -> None:
        """Stop watching; BIRD runs on."""
        if self._process is not None:
            self._process.release()

    def remove_files(self) -> None:
        """Remove the domain's directory. Only after `stop`."""
        shutil.rmtree(self.directory)

    def _is_in(self, netns: str) -> bool:
        """Whether BIRD runs in the namespace that has this name now, not in a deleted one of the same name."""
        pid = self._process.pid if self._process is not None else None
        try:
            return namespaces.path_of(netns).samefile(f"/proc/{pid}/ns/net")
        except FileNotFoundError:
            return False

    def _make_process(self, netns: str) -> DataPlaneProcess:
        return DataPlaneProcess(
            f"bird of {self.name}",
            (str(self._bird), "-f", "-c", str(self._config), "-s", str(self._control)),
            netns=netns,
            pid_file=self.directory / "bird.pid",
            log_file=self.directory / "output.log",
            on_exit=self._on_exit,
        )

    async def _write_config(self, text: str) -> None:
        candidate = self._config.with_suffix(".new")
        candidate.write_text(text)
        check = await asyncio.create_subprocess_exec(
            str(self._bird), "-p", "-c", str(candidate),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                output, _ = await check.communicate()
        except TimeoutError:
            check.kill()
            await check.wait()
            raise EngineError(f"{self._bird} -p did not end within {_CHECK_SECONDS:g} seconds") from None
        if check.returncode != 0:
            raise EngineError(f"BIRD refuses the configuration: {output.decode(errors='replace').strip()}")
        candidate.replace(self._config)

    async def _configure(self) -> None:
        reply = await self.command("configure")
        if reply[-1].code not in (birdc.RECONFIGURED, birdc.RECONFIGURATION_IN_PROGRESS):
            raise BirdError(reply[-1].code, f"BIRD did not take the configuration: {reply[-1].text}")

    async def _become_ready(self) -> None:
        """Wait until BIRD answers. It makes its socket before it reads anything from others, so this is short."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _READY_SECONDS
        while True:
            try:
                await self.command("show status")
            except BirdError as error:
                assert self._process is not None
                if not self.running:
                    reason = self._process.exit_reason or "ended"
                    raise EngineError(f"BIRD of {self.name} {reason}: {self._process.log_tail()}") from error
                if loop.time() > deadline:
                    raise
                await asyncio.sleep(0.01)
            else:
                return

    def _read_state(self) -> _State:
        try:
            content = json.loads(self._state_file.read_text())
            return _State(netns=content["netns"], digest=content["digest"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return _State("")

    def _write_state(self, state: _State) -> None:
        temporary = self._state_file.with_suffix(".new")
        temporary.write_text(json.dumps({"netns": state.netns, "digest": state.digest}))
        temporary.replace(self._state_file)


def remove_bird_routes(sock: RouteSocket) -> int:
    """Delete every IPv4 route of BIRD's protocol number from the socket's namespace; how many there were."""
    requests = []
    for data in sock.dump(message(rtmsg, RTM_GETROUTE, family=socket.AF_INET, proto=RTPROT_BIRD)):
        route = decode(rtmsg, data)
        if route["proto"] != RTPROT_BIRD:
            continue
        request = message(rtmsg, RTM_DELROUTE, family=socket.AF_INET, dst_len=route["dst_len"], proto=RTPROT_BIRD)
        identifying = ("RTA_TABLE", "RTA_DST", "RTA_PRIORITY")
        request["attrs"] = [(name, route.get_attr(name)) for name in identifying if route.get_attr(name) is not None]
        requests.append(request)
    for error in sock.batch(requests):
        if error is not None and error.errno != errno.ESRCH:
            raise error
    return len(requests)
