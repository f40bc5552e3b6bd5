"""The user ESP engine: twinbore-esp, a daemon that does ESP itself and gives one TUN device for each tunnel.

The daemon runs in the underlay's namespace, where the outside addresses are, and puts its TUN devices into the routing
domains. charon finds it at `xfrm_socket`, which lies in charon's own /run (see `engines.ipsec.charon`).

Invariants:
* The daemon makes and deletes the devices. When it ends charon, which cannot work without it, ends too; both come back,
  each by its own engine, and this one gives the daemon the last plan again at once. A daemon that was killed leaves its
  devices as they are: the new one takes them over, BGP sessions go on, and nothing is routed anew if the peers agree on
  new SAs within `RESUME_SECONDS`. What it left and nobody wants any more is deleted here.
* A device whose namespace was deleted under it is made anew.

References: esp/daemon (the daemon); Documentation/networking/tuntap.rst of the kernel.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from twinbore.engines import netlink
from twinbore.engines.base import EngineError
from twinbore.engines.esp import arrange
from twinbore.engines.esp.control import ControlClient, ControlError, ControlUnreachable, Tunnel
from twinbore.engines.process import DataPlaneProcess
from twinbore.engines.restarter import Restarter
from twinbore.model.desired import EspPlan, TunnelInterface
from twinbore.model.observed import Changes, EspStatus, Failure

MAX_SOCKET_PATH: Final = 107
READY_SECONDS: Final = 10.0
RESUME_SECONDS: Final = 6.0
"""How long tunnels that carried packets when the daemon was killed are waited for; they need 1 to 3 seconds."""
_POLL_SECONDS: Final = 0.02

log = structlog.get_logger("esp")


class UserEspEngine:
    """`Engine[EspPlan, tuple[EspStatus, ...]]` with twinbore-esp.

    `daemon` is the program; `workers` its number of threads (0: as many as it finds right).
    """

    def __init__(
        self,
        *,
        run_dir: Path,
        underlay: str | None,
        on_event: Callable[[], None],
        xfrm_socket: Path,
        daemon: Path,
        workers: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        control_socket = (run_dir / "control.sock").absolute()
        self._sockets = (control_socket, xfrm_socket.absolute())
        for path in self._sockets:
            if len(bytes(path)) > MAX_SOCKET_PATH:
                raise EngineError(
                    f"{path} is longer than the {MAX_SOCKET_PATH} bytes that a socket's path may have: "
                    "choose a shorter directory for the state"
                )
        threads = ["--workers", str(workers)] if workers else []
        sockets = ["--xfrm-socket", str(self._sockets[1]), "--control-socket", str(control_socket)]
        self._process = DataPlaneProcess(
            "twinbore-esp",
            [str(daemon.absolute()), "run", *sockets, *threads],
            netns=underlay,
            pid_file=run_dir / "twinbore-esp.pid",
            log_file=run_dir / "twinbore-esp.log",
            on_exit=self._daemon_ended,
        )
        self._daemon = daemon
        self._on_event = on_event
        self._clock = clock
        self._client = ControlClient(control_socket)
        self._turn = asyncio.Lock()
        self._plan: EspPlan | None = None
        self._carrying: frozenset[int] = frozenset()
        self._resuming: set[int] = set()
        self._resume_timer: asyncio.TimerHandle | None = None
        errors = (EngineError, ControlError, ControlUnreachable)
        self._restarter = Restarter("twinbore-esp", self._bring_back, errors, clock)

    async def start(self) -> None:
        """Adopt or start the daemon. Raises `EngineError`."""
        async with self._turn:
            await self._bring_up()

    async def apply(self, desired: EspPlan) -> Changes:
        async with self._turn:
            self._plan = desired
            try:
                await self._bring_up()
                return await self._create(desired)
            except (EngineError, ControlUnreachable) as error:
                return Changes(failed=(Failure("twinbore-esp", str(error)),))

    async def prune(self, desired: EspPlan) -> Changes:
        async with self._turn:
            self._plan = desired
            try:
                await self._bring_up()
                return await self._remove(desired) + await self._remove_left_over(desired)
            except (EngineError, ControlUnreachable, ControlError) as error:
                return Changes(failed=(Failure("twinbore-esp", str(error)),))

    async def observe(self) -> tuple[EspStatus, ...]:
        """The state of every tunnel of the last plan and of every device that the daemon has, by `if_id`."""
        planned = {i.if_id for i in self._plan.interfaces} if self._plan else set()
        try:
            tunnels = {tunnel.if_id: tunnel for tunnel in await self._client.list_tunnels()}
            sas = await self._client.list_sas()
        except (ControlUnreachable, ControlError):
            return tuple(EspStatus(i, False, False, False, i in self._resuming) for i in sorted(planned))
        up = await arrange.states({tunnel.netns for tunnel in tunnels.values() if tunnel.netns})
        directions: dict[int, set[str]] = {}
        for sa in sas:
            directions.setdefault(sa.if_id, set()).add(sa.direction)
        self._carrying = frozenset(if_id for if_id, found in directions.items() if {"in", "out"} <= found)
        self._resuming -= self._carrying
        return tuple(self._status(if_id, tunnels.get(if_id), up) for if_id in sorted(planned | tunnels.keys()))

    async def close(self) -> None:
        """Let go; the daemon and its devices live on."""
        await self._let_go()
        self._process.release()

    async def teardown(self) -> Changes:
        """End the daemon; its devices and SAs go with it."""
        await self._let_go()
        async with self._turn:
            stopped = await self._process.stop()
            self._remove_sockets()
            self._process.log_file.unlink(missing_ok=True)
        return Changes(("stopped twinbore-esp",) if stopped else ())

    # The daemon's life -----------------------------------------------------------------------------------------------

    async def _bring_up(self) -> None:
        if self._process.running():
            return
        if self._restarter.waiting:
            raise EngineError(f"twinbore-esp {self._process.exit_reason or 'does not run'}; it is being started again")
        version = await self._adopt() or await self._start()
        log.info("twinbore-esp runs", pid=self._process.pid, version=version)

    async def _adopt(self) -> str | None:
        """Take over a running daemon; its version, or None when there is none, or one that is just ending."""
        if not await self._process.adopt():
            return None
        try:
            return await self._answers()
        except EngineError:
            if self._process.running():
                raise
            return None

    async def _start(self) -> str:
        if not self._daemon.exists():
            raise EngineError(f"{self._daemon} is missing: build it with `make setup`")
        for path in self._sockets:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._remove_sockets()
        await self._process.start()
        self._restarter.started()
        return await self._answers()

    async def _answers(self) -> str:
        deadline = self._clock() + READY_SECONDS
        while True:
            try:
                return await self._client.hello()
            except ControlUnreachable as error:
                if not self._process.running():
                    why = f"twinbore-esp {self._process.exit_reason}: {self._process.log_tail()}"
                    raise EngineError(why) from error
                if self._clock() > deadline:
                    raise EngineError(f"{error}; its log says: {self._process.log_tail()}") from error
                await asyncio.sleep(_POLL_SECONDS)

    def _daemon_ended(self) -> None:
        log.error("twinbore-esp ended", reason=self._process.exit_reason, log=self._process.log_tail())
        self._client.close()
        self._resuming |= self._carrying
        self._cancel_resume_timer()
        self._resume_timer = asyncio.get_running_loop().call_later(RESUME_SECONDS, self._give_up_resuming)
        self._restarter.ended()
        self._on_event()

    def _give_up_resuming(self) -> None:
        if self._resuming:
            self._resuming.clear()
            self._on_event()

    def _cancel_resume_timer(self) -> None:
        if self._resume_timer is not None:
            self._resume_timer.cancel()

    async def _bring_back(self) -> None:
        async with self._turn:
            await self._bring_up()
            if self._plan is not None:
                await self._create(self._plan)
        self._on_event()

    async def _let_go(self) -> None:
        await self._restarter.cancel()
        self._cancel_resume_timer()
        self._client.close()

    def _remove_sockets(self) -> None:
        for path in self._sockets:
            path.unlink(missing_ok=True)

    # Devices ---------------------------------------------------------------------------------------------------------

    async def _create(self, plan: EspPlan) -> Changes:
        present = {tunnel.if_id: tunnel for tunnel in await self._client.list_tunnels()}
        links = await arrange.states({interface.netns for interface in plan.interfaces})
        done: list[str] = []
        failed: list[Failure] = []
        ready = []
        for wanted in plan.interfaces:
            try:
                done += await self._ensure(wanted, present.get(wanted.if_id), (wanted.netns, wanted.name) in links)
                ready.append(wanted)
            except ControlError as error:
                failed.append(Failure(wanted.name, str(error)))
        return Changes(tuple(done), tuple(failed)) + await arrange.arrange_all(ready)

    async def _ensure(self, wanted: TunnelInterface, present: Tunnel | None, link_exists: bool) -> list[str]:
        done = []
        if present is not None and ((present.netns, present.name) != (wanted.netns, wanted.name) or not link_exists):
            await self._client.remove_tunnel(wanted.if_id)
            done.append(f"removed tunnel interface {present.name} from {present.netns}")
            present = None
        if present is None or present.mtu != wanted.mtu:
            await self._client.add_tunnel(wanted.if_id, wanted.netns, wanted.name, wanted.mtu)
            action = f"set the MTU of {wanted.name} to {wanted.mtu}"
            done.append(action if present else f"made tunnel interface {wanted.name} in {wanted.netns}")
        return done

    async def _remove(self, plan: EspPlan) -> Changes:
        wanted = {interface.if_id for interface in plan.interfaces}
        unwanted = [tunnel for tunnel in await self._client.list_tunnels() if tunnel.if_id not in wanted]
        for tunnel in unwanted:
            await self._client.remove_sas(tunnel.if_id)
        if unwanted:
            # At once: one by one the kernel takes 20 ms for each.
            await self._client.remove_tunnels([tunnel.if_id for tunnel in unwanted])
        return Changes(tuple(f"removed tunnel interface {tunnel.name} from {tunnel.netns}" for tunnel in unwanted))

    async def _remove_left_over(self, plan: EspPlan) -> Changes:
        """Delete devices of a daemon that was killed before their tunnels were removed."""
        wanted = {(tunnel.netns, tunnel.name) for tunnel in await self._client.list_tunnels()}
        wanted |= {(interface.netns, interface.name) for interface in plan.interfaces}
        done: list[str] = []
        for netns in {interface.netns for interface in plan.interfaces}:
            names = {name for place, name in wanted if place == netns}
            try:
                done += await netlink.in_netns(netns, arrange.delete_others, names)
            except OSError as error:
                log.warning("left-over devices could not be looked for", netns=netns, reason=str(error))
        return Changes(tuple(done))

    def _status(self, if_id: int, tunnel: Tunnel | None, up: dict[tuple[str, str], bool]) -> EspStatus:
        carrying, resuming = if_id in self._carrying, if_id in self._resuming
        if tunnel is None:
            return EspStatus(if_id, False, False, carrying, resuming)
        state = up.get((tunnel.netns or "", tunnel.name))
        return EspStatus(
            if_id=if_id,
            present=state is not None,
            up=bool(state),
            carrying=carrying,
            resuming=resuming,
            rx_bytes=tunnel.rx_bytes,
            rx_packets=tunnel.rx_packets,
            tx_bytes=tunnel.tx_bytes,
            tx_packets=tunnel.tx_packets,
            drops=tuple(sorted((reason, count) for reason, count in tunnel.drops.items() if count)),
        )
