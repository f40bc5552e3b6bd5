"""A BGP engine in memory: domains are there as soon as they are applied; tests say what peers do."""

from __future__ import annotations

from collections.abc import Callable

from twinbore.model.desired import BgpPlan, RoutingDomain
from twinbore.model.observed import BgpObservation, BgpStatus, Changes, LearnedRoute


class FakeBgpEngine:
    """`present` is the plan that "runs". Sessions are Active until a test establishes them."""

    def __init__(self, *, on_event: Callable[[], None] = lambda: None) -> None:
        self.present: dict[str, RoutingDomain] = {}
        self.running = False
        self._on_event = on_event
        self._established: dict[tuple[str, str], tuple[LearnedRoute, ...]] = {}
        self._errors: dict[tuple[str, str], str] = {}

    async def start(self) -> None:
        """What was present before still runs, as BIRD does."""
        self.running = True

    async def apply(self, desired: BgpPlan) -> Changes:
        """Start and reconfigure domains."""
        done = []
        for domain in desired.domains:
            present = self.present.get(domain.name)
            if present != domain:
                done.append(f"{'Reconfigured' if present else 'Started'} BGP of {domain.name}")
                self.present[domain.name] = domain
        return Changes(tuple(done))

    async def prune(self, desired: BgpPlan) -> Changes:
        """Stop domains that are not wanted."""
        unwanted = sorted(self.present.keys() - {domain.name for domain in desired.domains})
        for name in unwanted:
            del self.present[name]
        return Changes(tuple(f"Stopped BGP of {name}" for name in unwanted))

    async def observe(self) -> BgpObservation:
        """Every session of every present domain; routes of the established ones, and static ones."""
        statuses: list[BgpStatus] = []
        routes: list[LearnedRoute] = []
        for domain in self.present.values():
            for session in domain.sessions:
                key = (domain.name, session.name)
                learned = self._established.get(key)
                state = "Active" if learned is None else "Established"
                sent = 0 if learned is None else len(domain.advertised)
                statuses.append(
                    BgpStatus(domain.name, session.name, state, len(learned or ()), sent, self._errors.get(key, ""))
                )
                routes += learned or ()
            routes += [
                LearnedRoute(domain.name, static.prefix, static.interface, (), None, True)
                for static in domain.static_routes
            ]
        return BgpObservation(tuple(statuses), tuple(sorted(routes)))

    async def close(self) -> None:
        """What is present runs on."""
        self.running = False

    async def teardown(self) -> Changes:
        """Stop everything."""
        return await self.prune(BgpPlan())

    def establish(self, domain: str, session: str, *routes: LearnedRoute) -> None:
        """For tests: the session comes up and the peer announces these routes."""
        self._established[domain, session] = routes
        self._errors.pop((domain, session), None)
        self._on_event()

    def fail(self, domain: str, session: str, error: str) -> None:
        """For tests: the session goes down for this reason."""
        self._established.pop((domain, session), None)
        self._errors[domain, session] = error
        self._on_event()
