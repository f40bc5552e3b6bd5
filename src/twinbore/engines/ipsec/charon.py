"""One charon: strongSwan's IKE daemon in the underlay's network namespace, with a /run of its own.

Debian's charon has its pid file's path compiled in (/var/run/charon.pid), so that only one could run on a machine. Ours
gets a mount namespace where /run is a directory of ours; the pid file, vici's socket and the log are in there, under
paths that are short and always the same.

AppArmor's profile for charon is bound to the path of the program. Ours is started from a bind mount of the program, at
another path, so that the profile, which knows neither our files nor the preloaded library, does not apply.

With the user ESP engine the library `shim` is loaded into charon before all others; it sends charon's XFRM messages to
`esp_socket` instead of the kernel. That socket must be in `directory`, since charon sees nothing else below /run.

References: mount_namespaces(7), unshare(1), apparmor.d(5), ld.so(8) (LD_PRELOAD); strongswan.conf(5).
"""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from twinbore.engines.base import EngineError
from twinbore.engines.ipsec.charon_config import strongswan_conf
from twinbore.engines.ipsec.vici import ViciError, ViciSession, ViciUnreachable
from twinbore.engines.process import DataPlaneProcess, tail

INSIDE: Final = "/run"
PROGRAMS: Final = ("/usr/lib/ipsec/charon", "/usr/libexec/ipsec/charon", "/usr/libexec/strongswan/charon")
VICI_PLUGINS: Final = (
    "/usr/lib/ipsec/plugins/libstrongswan-vici.so",
    "/usr/lib64/strongswan/plugins/libstrongswan-vici.so",
)
MAX_SOCKET_PATH: Final = 107
READY_SECONDS: Final = 15.0
ESP_SECONDS: Final = 5.0
STOP_SECONDS: Final = 5.0
LOG_LIMIT_BYTES: Final = 16 << 20
_POLL_SECONDS: Final = 0.05

_LAUNCH: Final = """\
set -e
run=$1 program=$2 shim=$3 socket=$4
: >"$run/charon"
mount --bind "$program" "$run/charon"
set -- STRONGSWAN_CONF=/run/strongswan.conf
if [ -n "$shim" ]; then
    : >"$run/shim.so"
    mount --bind "$shim" "$run/shim.so"
    set -- "$@" LD_PRELOAD=/run/shim.so TWINBORE_ESP_SOCKET="$socket"
fi
mount --rbind "$run" /run
exec env "$@" /run/charon
"""


class Charon:
    """The daemon's process and files below `run_dir`."""

    def __init__(
        self,
        *,
        run_dir: Path,
        underlay: str | None,
        esp_socket: Path | None,
        shim: Path | None,
        on_exit: Callable[[], None],
    ) -> None:
        self.directory = (run_dir / "run").absolute()
        self.vici_path = self.directory / "charon.vici"
        self._log = self.directory / "charon.log"
        self._esp_socket = esp_socket
        self._shim = shim
        if (esp_socket is None) != (shim is None):
            raise ValueError("esp_socket and shim belong together")
        if esp_socket is not None and esp_socket.absolute().parent != self.directory:
            raise ValueError(f"esp_socket {esp_socket} must be in {self.directory}")
        for path in (self.vici_path, esp_socket):
            if path is not None and len(bytes(path)) > MAX_SOCKET_PATH:
                raise EngineError(
                    f"{path} is longer than the {MAX_SOCKET_PATH} bytes that a socket's path may have: "
                    "choose a shorter directory for the state"
                )
        program = next((path for path in PROGRAMS if Path(path).exists()), PROGRAMS[0])
        self._program = program
        self.process = DataPlaneProcess(
            "charon",
            [
                _tool("unshare"),
                "--mount",
                "--propagation",
                "slave",
                "--",
                "/bin/sh",
                "-c",
                _LAUNCH,
                "charon",
                str(self.directory),
                program,
                str(shim.absolute()) if shim else "",
                f"{INSIDE}/{esp_socket.name}" if esp_socket else "",
            ],
            netns=underlay,
            pid_file=run_dir / "charon.pid",
            log_file=run_dir / "charon.out",
            on_exit=on_exit,
        )

    async def start(self) -> bool:
        """Adopt or start charon and wait until it answers; true when it was started. Raises `EngineError`."""
        if await self.process.adopt():
            try:
                await self._answers()
                return False
            except EngineError:
                # One that ends at this moment is as good as none.
                if self.process.running():
                    raise
        self._check_files()
        await self._wait_for_esp()
        self._write_settings()
        await self.process.start()
        await self._answers()
        return True

    async def stop(self) -> bool:
        """End charon, which tells its peers; false when none ran."""
        return await self.process.stop(STOP_SECONDS)

    def remove_files(self) -> None:
        """Remove what charon and we have written. Only while it does not run."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.process.log_file.unlink(missing_ok=True)

    async def limit_log(self, session: ViciSession) -> None:
        """Set a large log aside and let charon begin a new one."""
        if self._log.exists() and self._log.stat().st_size > LOG_LIMIT_BYTES:
            self._log.replace(self._log.with_suffix(".log.1"))
            await session.request("reload-settings")

    def _check_files(self) -> None:
        if not Path(self._program).exists():
            raise EngineError("charon is missing: apt-get install strongswan-charon libstrongswan-standard-plugins")
        if not any(Path(path).exists() for path in VICI_PLUGINS):
            raise EngineError("charon's vici plugin is missing: apt-get install strongswan-swanctl")
        if self._shim is not None and not self._shim.exists():
            raise EngineError(f"{self._shim} is missing: build it with `make setup`")

    async def _wait_for_esp(self) -> None:
        """twinbore-esp may be starting at this moment: it ended together with charon and comes back by itself."""
        deadline = asyncio.get_running_loop().time() + ESP_SECONDS
        while self._esp_socket is not None and not await asyncio.to_thread(_accepts, self._esp_socket):
            if asyncio.get_running_loop().time() > deadline:
                raise EngineError(f"nobody listens on {self._esp_socket}: twinbore-esp does not run")
            await asyncio.sleep(_POLL_SECONDS)

    def _write_settings(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # charon refuses to start while a pid file names a living process, which may be a stranger by now.
        for name in ("charon.pid", "charon.vici"):
            (self.directory / name).unlink(missing_ok=True)
        (self.directory / "strongswan.conf").write_text(strongswan_conf(INSIDE))

    async def _answers(self) -> None:
        session = ViciSession(self.vici_path)
        try:
            async with asyncio.timeout(READY_SECONDS):
                while True:
                    try:
                        await session.request("version")
                        return
                    except ViciUnreachable:
                        if not self.process.running():
                            raise EngineError(f"charon {self.process.exit_reason}: {self.last_words()}") from None
                        await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise EngineError(f"charon does not answer on {self.vici_path}: {self.last_words()}") from None
        except ViciError as error:
            raise EngineError(f"charon does not know vici's version command: {error}") from error
        finally:
            session.close()

    def last_words(self) -> str:
        """The end of what charon wrote: in its log, or on standard error when it did not come that far."""
        own, before = tail(self._log, 3), self.process.log_tail()
        return f"{own}; {before}" if not before.startswith("nothing in") else own


def _accepts(path: Path) -> bool:
    """Whether somebody listens on a SOCK_SEQPACKET socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        try:
            probe.connect(bytes(path))
        except OSError:
            return False
    return True


def _tool(name: str) -> str:
    return shutil.which(name, path="/usr/bin:/bin") or f"/usr/bin/{name}"
