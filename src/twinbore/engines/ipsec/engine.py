"""The IPsec engine on a real charon.

Invariants:
* One call changes things at a time (`_turn`); observations and events do not wait for it.
* Nothing is loaded that this charon process has already (see `fingerprints`), so an agent that comes back touches no
  SA. What a change asks of SAs is done beside `apply`, one task for each connection, and touches that connection only
  (see `handover`).
* charon that ends is started again, after a pause that grows while it keeps ending, and gets the last plan again.
  Tunnels that were up are then started from this side, without waiting for the peer to notice: it would take until its
  dead peer detection strikes, and meanwhile the SAs in the data plane can't be re-keyed, or are gone with its daemon.

References: strongSwan's vici README; architecture of the engines in `twinbore.engines.base`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import structlog

from twinbore.engines.base import EngineError
from twinbore.engines.ipsec import handover
from twinbore.engines.ipsec.charon import Charon
from twinbore.engines.ipsec.charon_config import (
    at_port,
    connection,
    connection_names,
    key_id,
    shared_key,
    tunnel_name,
)
from twinbore.engines.ipsec.fingerprints import Due, Ledger
from twinbore.engines.ipsec.handovers import Handovers, Outcome, by_connection, may_call
from twinbore.engines.ipsec.proposals import EVERYTHING, NoProposal, Support
from twinbore.engines.ipsec.reasons import Reasons
from twinbore.engines.ipsec.renewal import renewal_seconds
from twinbore.engines.ipsec.resume import Resume
from twinbore.engines.ipsec.status import IkeSa, best, ike_status
from twinbore.engines.ipsec.vici import Section, ViciError, ViciEvents, ViciSession, ViciUnreachable
from twinbore.engines.restarter import Restarter
from twinbore.model.desired import IkeTunnel, IpsecPlan
from twinbore.model.observed import Changes, Failure, IkeStatus

EVENTS: Final = ("ike-updown", "child-updown", "ike-rekey", "child-rekey", "log")
INITIATE_PAUSE_SECONDS: Final = 10.0

log = structlog.get_logger("ipsec")


class IpsecEngine:
    """`Engine[IpsecPlan, tuple[IkeStatus, ...]]` with one charon.

    `esp_socket` and `shim` are given together, with the user ESP engine; the socket lies in `run_dir / "run"`.
    """

    def __init__(
        self,
        *,
        run_dir: Path,
        underlay: str | None,
        on_event: Callable[[], None],
        esp_socket: Path | None = None,
        shim: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._charon = Charon(
            run_dir=run_dir, underlay=underlay, esp_socket=esp_socket, shim=shim, on_exit=self._charon_ended
        )
        self._run_dir = run_dir
        self._ledger_file = run_dir / "loaded.json"
        self._resume = Resume(run_dir / "up", clock)
        self._on_event = on_event
        self._clock = clock
        self._turn = asyncio.Lock()
        self._session = ViciSession(self._charon.vici_path)
        self._observer = ViciSession(self._charon.vici_path)
        self._events = ViciEvents(self._charon.vici_path, EVENTS, self._event, self._connected)
        self._reasons = Reasons()
        self._support = EVERYTHING
        self._ledger: Ledger | None = None
        self._settled: dict[str, tuple[IkeTunnel, frozenset[str]]] = {}
        self._plan: IpsecPlan | None = None
        self._initiated: dict[str, float] = {}
        self._handovers = Handovers(self._charon.vici_path, self._call, self._handed_over, clock)
        self._restarter = Restarter("charon", self._bring_back, (EngineError, ViciError, ViciUnreachable), clock)

    async def start(self) -> None:
        """Adopt or start charon. Raises `EngineError`."""
        self._run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        async with self._turn:
            await self._bring_up()

    async def apply(self, desired: IpsecPlan) -> Changes:
        """Load what is missing or differs, and start what this side has to start."""
        async with self._turn:
            self._plan = desired
            self._reasons.expect(desired.tunnels)
            try:
                await self._bring_up()
                return await self._load(desired)
            except (EngineError, ViciError, ViciUnreachable) as error:
                return Changes(failed=(Failure("charon", str(error)),))

    async def prune(self, desired: IpsecPlan) -> Changes:
        """End and unload what is not wanted."""
        async with self._turn:
            self._plan = desired
            self._reasons.expect(desired.tunnels)
            try:
                await self._bring_up()
                changes = await self._unload(desired)
                await self._charon.limit_log(self._session)
            except (EngineError, ViciError, ViciUnreachable) as error:
                return Changes(failed=(Failure("charon", str(error)),))
            return changes

    async def observe(self) -> tuple[IkeStatus, ...]:
        """The state of every tunnel of the last plan (after a restart: of every tunnel that charon has), by name."""
        names = self._names()
        try:
            sas = await handover.list_sas(self._observer)
        except (ViciUnreachable, ViciError) as error:
            return tuple(IkeStatus(name, False, False, last_error=f"charon does not run: {error}") for name in names)
        by_tunnel: dict[str, list[IkeSa]] = {}
        for sa in sas:
            by_tunnel.setdefault(sa.tunnel, []).append(sa)
        statuses = tuple(self._status(name, by_tunnel.get(name, [])) for name in names)
        if self._ledger is not None:
            self._resume.observed(statuses)
        return statuses

    def _status(self, name: str, sas: list[IkeSa]) -> IkeStatus:
        status = ike_status(name, sas, self._reasons.of(name), self._reasons.waiting(name))
        sa = best(sas)
        entry = self._ledger.connections.get(sa.connection) if sa and self._ledger else None
        if sa is None or entry is None or sa.unique_id not in entry.due:
            return status
        tunnel = self._tunnel(name)
        seconds = None
        renews = entry.due[sa.unique_id] is Due.RENEW
        if renews and tunnel is not None and may_call(tunnel, sa.connection):
            seconds = renewal_seconds([sa], {sa.unique_id}, tunnel.options)
        return replace(status, outdated=True, renewal_seconds=seconds)

    async def close(self) -> None:
        """Let go; charon and its SAs live on."""
        await self._let_go()
        self._charon.process.release()

    async def teardown(self) -> Changes:
        """End charon, which closes every IKE SA, and remove its files."""
        await self._let_go()
        async with self._turn:
            stopped = await self._charon.stop()
            self._charon.remove_files()
            self._ledger_file.unlink(missing_ok=True)
            self._resume.forget()
        return Changes(("stopped charon",) if stopped else ())

    # charon's life ---------------------------------------------------------------------------------------------------

    async def _bring_up(self) -> None:
        """charon runs, answers, and the ledger is its own. Called in turn."""
        process = self._charon.process
        if self._ledger is not None and process.running():
            return
        if self._restarter.waiting:
            raise EngineError(f"charon {process.exit_reason or 'does not run'}; it is being started again")
        if await self._charon.start():
            self._restarter.started()
            self._reasons.reset()
            self._resume.charon_started()
            log.info("charon started", pid=process.pid)
        else:
            log.info("charon adopted", pid=process.pid)
        self._ledger = Ledger.read(self._ledger_file, str(process.identity))
        self._settled.clear()
        self._support = Support.from_algorithms(await self._session.request("get-algorithms"))
        self._events.start()

    def _charon_ended(self) -> None:
        log.error("charon ended", reason=self._charon.process.exit_reason, log=self._charon.last_words())
        self._ledger = None
        self._session.close()
        self._observer.close()
        self._initiated.clear()
        self._handovers.forget()
        self._restarter.ended()
        self._on_event()

    async def _bring_back(self) -> None:
        async with self._turn:
            await self._bring_up()
            if self._plan is not None:
                await self._load(self._plan)
        self._on_event()

    def _connected(self) -> None:
        self._on_event()

    def _event(self, name: str, message: Section) -> None:
        self._reasons.feed(name, message)
        if name == "ike-rekey":
            self._ike_rekeyed(message)
        if name != "log":
            self._on_event()

    def _ike_rekeyed(self, message: Section) -> None:
        """An IKE SA that was re-keyed is as outdated as it was before."""
        for name, section in message.items():
            entry = self._ledger.connections.get(name) if self._ledger else None
            if self._ledger is not None and entry is not None and entry.stale and "old" in section and "new" in section:
                old, new = (int(section[part]["uniqueid"]) for part in ("old", "new"))
                self._ledger.connections[name] = entry.rekeyed(old, new)
                self._ledger.write(self._ledger_file)

    async def _let_go(self) -> None:
        await self._restarter.cancel()
        await self._handovers.cancel_all()
        await self._events.stop()
        self._session.close()
        self._observer.close()
        self._ledger = None

    # Loading ---------------------------------------------------------------------------------------------------------

    async def _load(self, plan: IpsecPlan) -> Changes:
        ledger = self._current_ledger()
        loaded, keys = await self._loaded()
        done: list[str] = []
        failed: list[Failure] = []
        for tunnel in plan.tunnels:
            try:
                done += await self._load_tunnel(ledger, tunnel, loaded, key_id(tunnel.name) in keys)
            except (ViciError, NoProposal) as error:
                self._reasons.note(tunnel.name, str(error))
                failed.append(Failure(tunnel.name, str(error)))
        if done:
            ledger.write(self._ledger_file)
        await self._hand_over(ledger)
        done += await self._initiate(plan.tunnels)
        return Changes(tuple(done), tuple(failed))

    async def _load_tunnel(self, ledger: Ledger, tunnel: IkeTunnel, loaded: set[str], has_key: bool) -> list[str]:
        settled, names = self._settled.get(tunnel.name, (None, frozenset()))
        if has_key and settled == tunnel and names <= loaded:
            return []
        # With many tunnels this loop is long: let others run in between.
        await asyncio.sleep(0)
        key = shared_key(tunnel)
        bodies = self._bodies(tunnel)
        entries = {name: ledger.of(body, key, tunnel.replacements) for name, body in bodies.items()}
        outdated = [
            name
            for name, entry in entries.items()
            if name not in loaded or (old := ledger.connections.get(name)) is None or not old.same_as(entry)
        ]
        done = []
        if outdated or not has_key:
            await self._session.request("load-shared", key)
        if not has_key:
            done.append(f"loaded the pre-shared key of {tunnel.name}")
        for name in outdated:
            await self._handovers.cancel(name)
            await self._session.request("load-conn", {name: bodies[name]})
            before = ledger.connections.get(name) if name in loaded else None
            ledger.connections[name] = entries[name]
            if before is not None:
                self._initiated.pop(tunnel.name, None)  # the pause was for the peer as it was before
                there = await handover.list_sas(self._session, name)
                ledger.connections[name] = entries[name].after(before, (sa.unique_id for sa in there))
            done.append(f"changed IKE connection {name}" if before else f"loaded IKE connection {name}")
        self._settled[tunnel.name] = (tunnel, frozenset(bodies))
        return done

    def _bodies(self, tunnel: IkeTunnel) -> dict[str, dict[str, Any]]:
        """The connections of a tunnel that can be negotiated at all. Raises `NoProposal` when there is none."""
        bodies = {}
        problems = []
        for name, version in connection_names(tunnel).items():
            try:
                bodies[name] = connection(tunnel, version, self._support)
            except NoProposal as error:
                problems.append(error)
        if not bodies:
            raise problems[0]
        return bodies

    async def _initiate(self, tunnels: Iterable[IkeTunnel]) -> list[str]:
        """Start IKE where this side has to and nothing is under way."""
        wanted = [
            t
            for t in tunnels
            if (t.initiate or self._resume.wants(t.name)) and t.remote_address and "ikev2" in t.options.ike_versions
        ]
        if not wanted:
            return []
        busy = {sa.tunnel for sa in await handover.list_sas(self._session) if not sa.established or sa.children}
        started = []
        now = self._clock()
        for tunnel in wanted:
            last = self._initiated.get(tunnel.name, float("-inf"))
            if tunnel.name in busy or tunnel.name in self._handovers or now - last < INITIATE_PAUSE_SECONDS:
                continue
            self._initiated[tunnel.name] = now
            try:
                await self._call(self._session, tunnel, self._resume.take_port(tunnel.name))
                started.append(f"started IKE of {tunnel.name}")
            except (ViciError, NoProposal) as error:
                self._reasons.note(tunnel.name, f"IKE could not be started: {error}")
        return started

    async def _call(self, session: ViciSession, tunnel: IkeTunnel, port: int | None) -> None:
        """Start IKE with a tunnel's peer, at the port where a NAT showed it last if one is given."""
        if port is None:
            await handover.initiate(session, tunnel.name)
            return
        body = connection(tunnel, 2, self._support)
        await session.request("load-conn", {tunnel.name: {**body, **at_port(port)}})
        try:
            await handover.initiate(session, tunnel.name)
        finally:
            await session.request("load-conn", {tunnel.name: body})

    async def _unload(self, plan: IpsecPlan) -> Changes:
        ledger = self._current_ledger()
        loaded, keys = await self._loaded()
        wanted = {name for tunnel in plan.tunnels for name in connection_names(tunnel)}
        done: list[str] = []
        failed: list[Failure] = []
        for name in sorted(loaded - wanted):
            try:
                await self._unload_connection(name)
            except ViciError as error:
                failed.append(Failure(name, str(error)))
                continue
            ledger.connections.pop(name, None)
            done.append(f"removed IKE connection {name}")
        for identifier in sorted(keys - {key_id(tunnel.name) for tunnel in plan.tunnels}):
            await self._session.request("unload-shared", {"id": identifier})
            done.append(f"removed the pre-shared key {identifier}")
        if done:
            ledger.write(self._ledger_file)
        return Changes(tuple(done), tuple(failed))

    async def _unload_connection(self, name: str) -> None:
        """The connection first, so that the peer cannot come back between its end and the end of its SAs."""
        await self._handovers.cancel(name)
        await self._session.request("unload-conn", {"name": name})
        await handover.terminate_all(self._session, name)
        self._initiated.pop(name, None)
        self._settled.pop(tunnel_name(name), None)

    async def _loaded(self) -> tuple[set[str], set[str]]:
        """Names of the connections and of the keys that charon has."""
        connections = await self._session.request("get-conns")
        keys = await self._session.request("get-shared")
        return set(connections.get("conns", ())), set(keys.get("keys", ()))

    # Work on SAs -----------------------------------------------------------------------------------------------------

    async def _hand_over(self, ledger: Ledger) -> None:
        """Begin what is due now. What has become void, since its IKE SAs are gone, is forgotten."""
        due = {name: entry for name, entry in ledger.connections.items() if entry.stale}
        if not due:
            return
        sas = by_connection(await handover.list_sas(self._session))
        for name, entry in due.items():
            if name not in self._handovers:
                there = sas.get(name, [])
                self._settle(name, entry.due.keys() - {sa.unique_id for sa in there})
                self._handovers.begin(name, ledger.connections[name], self._tunnel(tunnel_name(name)), there)

    def _handed_over(self, outcome: Outcome) -> None:
        if outcome.broken:
            tunnel = tunnel_name(outcome.connection)
            self._reasons.note(tunnel, "the tunnel's options were changed; waiting for the customer gateway")
        self._settle(outcome.connection, outcome.numbers)
        self._on_event()

    def _settle(self, name: str, numbers: Collection[int]) -> None:
        """Nothing is due any more on these IKE SAs of a connection."""
        entry = self._ledger.connections.get(name) if self._ledger else None
        if self._ledger is not None and entry is not None and not entry.due.keys().isdisjoint(numbers):
            self._ledger.connections[name] = entry.without(numbers)
            self._ledger.write(self._ledger_file)

    def _tunnel(self, name: str) -> IkeTunnel | None:
        tunnels = self._plan.tunnels if self._plan else ()
        return next((tunnel for tunnel in tunnels if tunnel.name == name), None)

    def _current_ledger(self) -> Ledger:
        if self._ledger is None:
            raise ViciUnreachable("charon does not run")
        return self._ledger

    def _names(self) -> list[str]:
        if self._plan is not None:
            return sorted(tunnel.name for tunnel in self._plan.tunnels)
        entries = self._ledger.connections if self._ledger else {}
        return sorted({tunnel_name(name) for name in entries})
