"""The real BGP engine: one `Domain` for each routing domain, events, observation.

Reading all routes of all domains costs most, so a domain's routes are read again only when something says that they
may have changed: an event, or different statistics of one of its sessions, which are read every time.

A session that exceeded its import limit stays down for `LIMIT_PAUSE_SECONDS`, then it gets another try.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from twinbore.engines import netns as namespaces
from twinbore.engines.base import EngineError
from twinbore.engines.bgp import birdc, parser
from twinbore.engines.bgp.birdc import BirdError
from twinbore.engines.bgp.domain import Domain
from twinbore.engines.bgp.watch import Watch
from twinbore.model.desired import BgpPlan, RoutingDomain
from twinbore.model.observed import BgpObservation, BgpStatus, Changes, Failure, LearnedRoute

LIMIT_PAUSE_SECONDS: Final = 300.0

_BIRD_PATH: Final = "/usr/sbin:/usr/local/sbin:/usr/bin"
_AT_ONCE: Final = 8
"""How many BIRDs are talked to at the same time."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was last read of a domain."""

    sessions: tuple[parser.Session, ...]
    routes: tuple[LearnedRoute, ...]


class BgpEngine:
    """All routing domains of one host.

    `run_dir` holds a directory for each domain. `underlay` is part of every engine's construction: BGP runs in the
    domains' namespaces only. `on_event` is called on the event loop. `bird` is the program's path; None looks for it.
    `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        *,
        run_dir: Path,
        underlay: str | None = None,  # noqa: ARG002
        on_event: Callable[[], None] = lambda: None,
        bird: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run_dir = run_dir
        self._on_event = on_event
        self._bird_wanted = bird
        self._bird = Path()
        self._clock = clock
        self._watch: Watch | None = None
        self._domains: dict[str, Domain] = {}
        self._desired: dict[str, RoutingDomain] = {}
        self._readings: dict[str, _Reading] = {}
        self._dirty: set[str] = set()
        self._limited_since: dict[tuple[str, str], float] = {}
        self._turn = asyncio.Lock()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def start(self) -> None:
        """Adopt the BIRDs that a former agent left."""
        found = shutil.which(self._bird_wanted or "bird", path=_BIRD_PATH)
        if found is None:
            raise EngineError("bird is missing: install BIRD 2 with apt-get install bird2")
        self._bird = Path(found)
        self._run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._watch = Watch(self._noticed)
        for directory in sorted(self._run_dir.iterdir()):
            domain = self._domain(directory.name)
            if await domain.adopt() and namespaces.exists(domain.netns):
                await self._watch.add(domain.name, domain.directory, domain.netns)

    async def apply(self, desired: BgpPlan) -> Changes:
        """Start and reconfigure until every domain of the plan runs as it shall."""
        async with self._turn:
            self._desired = {domain.name: domain for domain in desired.domains}
            return await self._for_each(desired.domains, lambda d: d.name, self._ensure)

    async def prune(self, desired: BgpPlan) -> Changes:
        """Stop the BIRDs of domains that are not in the plan."""
        async with self._turn:
            wanted = {domain.name for domain in desired.domains}
            return await self._for_each(sorted(self._domains.keys() - wanted), str, self._remove)

    async def observe(self) -> BgpObservation:
        """All sessions and learned routes; sessions of a BIRD that does not answer are Idle, with the reason."""
        async with self._turn:
            found = await asyncio.gather(*(self._slot(self._observe(name)) for name in sorted(self._domains)))
        return BgpObservation(
            sessions=tuple(status for statuses, _ in found for status in statuses),
            routes=tuple(sorted(route for _, routes in found for route in routes)),
        )

    async def close(self) -> None:
        """Let go of watchers; every BIRD runs on."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        for domain in self._domains.values():
            domain.release()

    async def teardown(self) -> Changes:
        """Stop every BIRD and remove its routes and files."""
        if self._watch is None:
            await self.start()
        try:
            return await self.prune(BgpPlan())
        finally:
            await self.close()

    async def _ensure(self, desired: RoutingDomain) -> list[str]:
        domain = self._domain(desired.name)
        done = await domain.ensure(desired)
        await self._started().add(domain.name, domain.directory, desired.netns)
        if done:
            self._dirty.add(domain.name)
        sentences = [done] if done else []
        for session in desired.sessions:
            since = self._limited_since.get((domain.name, session.name))
            if since is not None and self._clock() - since >= LIMIT_PAUSE_SECONDS:
                await domain.command(f"enable {session.name}")
                del self._limited_since[domain.name, session.name]
                sentences.append(f"Enabled BGP session {session.name} after its import limit had taken it down")
        return sentences

    async def _remove(self, name: str) -> list[str]:
        domain = self._domains[name]
        self._started().remove(name)
        ran = await domain.stop()
        domain.remove_files()
        del self._domains[name]
        self._readings.pop(name, None)
        self._desired.pop(name, None)
        self._limited_since = {key: since for key, since in self._limited_since.items() if key[0] != name}
        return [f"Stopped BIRD of {name}"] if ran else []

    async def _observe(self, name: str) -> tuple[list[BgpStatus], tuple[LearnedRoute, ...]]:
        domain = self._domains[name]
        desired = self._desired.get(name)
        expected = {session.name for session in desired.sessions} if desired else set()
        try:
            if not domain.running:
                raise BirdError(0, f"BIRD {domain.exit_reason or 'is not running'}")
            reading = await self._read(name, domain)
        except BirdError as error:
            self._readings.pop(name, None)
            return [BgpStatus(name, session, "Idle", 0, 0, str(error)) for session in sorted(expected)], ()
        self._note_limits(name, reading.sessions)
        statuses = [
            BgpStatus(name, s.name, s.state, s.imported, s.exported, self._reason(desired, s)) for s in reading.sessions
        ]
        return statuses, reading.routes

    async def _read(self, name: str, domain: Domain) -> _Reading:
        was_dirty = name in self._dirty
        self._dirty.discard(name)
        sessions = tuple(sorted(parser.sessions(await domain.command("show protocols all")), key=lambda s: s.name))
        known = self._readings.get(name)
        unchanged = known is not None and [s.statistics for s in known.sessions] == [s.statistics for s in sessions]
        if known is not None and unchanged and not was_dirty:
            routes = known.routes
        else:
            routes = await self._routes(domain)
        self._readings[name] = reading = _Reading(sessions, routes)
        return reading

    async def _routes(self, domain: Domain) -> tuple[LearnedRoute, ...]:
        try:
            reply = await domain.command("show route table master4 all")
        except BirdError as error:
            if error.code != birdc.NETWORK_NOT_FOUND:
                raise
            return ()
        return tuple(
            LearnedRoute(
                domain=domain.name,
                prefix=path.prefix,
                session=path.protocol if path.bgp else path.interface,
                as_path=path.as_path,
                med=path.med,
                best=path.best,
            )
            for path in parser.paths(reply)
        )

    def _note_limits(self, name: str, sessions: Iterable[parser.Session]) -> None:
        for session in sessions:
            key = (name, session.name)
            if session.limit_exceeded:
                self._limited_since.setdefault(key, self._clock())
            else:
                self._limited_since.pop(key, None)

    def _reason(self, desired: RoutingDomain | None, session: parser.Session) -> str:
        if not session.limit_exceeded:
            return session.reason
        limits = [s.import_limit for s in desired.sessions if s.name == session.name] if desired else []
        allowed = f" (at most {limits[0]} are allowed)" if limits else ""
        return (
            f"Maximum prefix exceeded: the customer gateway announced too many prefixes{allowed}; "
            f"the session is tried again after {LIMIT_PAUSE_SECONDS / 60:.0f} minutes"
        )

    def _domain(self, name: str) -> Domain:
        if name not in self._domains:
            self._domains[name] = Domain(name, self._run_dir / name, self._bird, lambda: self._noticed({name}))
        return self._domains[name]

    def _noticed(self, names: set[str]) -> None:
        self._dirty |= names
        self._on_event()

    def _started(self) -> Watch:
        if self._watch is None:
            raise EngineError("the BGP engine was not started: call start() first")
        return self._watch

    async def _for_each(
        self, items: Iterable[T], subject: Callable[[T], str], action: Callable[[T], Awaitable[list[str]]]
    ) -> Changes:
        """Do something for each domain, several at a time; errors become failures of that domain."""

        async def attempt(item: T) -> Changes:
            try:
                return Changes(tuple(await self._slot(action(item))))
            except (EngineError, BirdError, ValueError, OSError) as error:
                return Changes(failed=(Failure(subject(item), str(error)),))

        total = Changes()
        for changes in await asyncio.gather(*(attempt(item) for item in items)):
            total += changes
        return total

    async def _slot(self, work: Awaitable[T]) -> T:
        async with self._slots:
            return await work
