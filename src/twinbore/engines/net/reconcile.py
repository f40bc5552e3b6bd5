"""Comparing a `NetPlan` with the kernel and making the difference: the blocking core of the net engine.

Runs in a netlink worker thread, one call at a time. Each item that fails is reported and does not stop the others; what
stands on it fails with it, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from twinbore.engines import netns as namespaces
from twinbore.engines.net import devices, nftables, routing, ruleset, sysctl
from twinbore.engines.net.ledger import Ledger
from twinbore.engines.net.observation import FilterDrops, NetObservation, PortStatus
from twinbore.engines.netlink import RouteSocket, within
from twinbore.model.desired import NetPlan, PacketFilter
from twinbore.model.observed import Changes, Failure

P = ParamSpec("P")


class _InNamespace(Protocol):
    @property
    def netns(self) -> str: ...


Item = TypeVar("Item", bound=_InNamespace)


@dataclass(slots=True)
class _Report:
    """Collects what was done and what failed."""

    done: list[str] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)

    def attempt(self, subject: str, action: Callable[P, Iterable[str]], *args: P.args, **kwargs: P.kwargs) -> None:
        """Call an action that returns sentences; an error becomes a failure of the subject."""
        try:
            self.done += action(*args, **kwargs)
        except (OSError, ValueError, nftables.RulesetError) as error:
            words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self.failed.append(Failure(subject, words))

    def settle(self, what: str, netns: str, reconcile: Callable[[], routing.Outcome]) -> None:
        """`attempt` for a reconciliation that counts."""

        def action() -> list[str]:
            outcome = reconcile()
            self.failed += outcome.failed
            if not (outcome.added or outcome.removed):
                return []
            return [f"Changed the {what} of {netns}: {outcome.added} added, {outcome.removed} removed"]

        self.attempt(f"{what} of {netns}", action)

    def changes(self) -> Changes:
        return Changes(tuple(self.done), tuple(self.failed))


class Reconciler:
    """Blocking apply, prune and observe. Remembers only what saves work: rulesets known to be unchanged."""

    def __init__(self, ledger: Ledger, nft: Path) -> None:
        self._ledger = ledger
        self._nft = nft
        self._loaded: dict[str, tuple[str, int]] = {}
        """Namespace: fingerprint of the ruleset and nftables generation when it was last found right."""

    def apply(self, plan: NetPlan) -> Changes:
        """Create and update everything of the plan."""
        report = _Report()
        for namespace in plan.namespaces:
            report.attempt(namespace.name, self._ensure_namespace, namespace.name)
        for link in plan.attachments:
            report.attempt(f"attachment of {link.domain_netns} to {link.vpc_netns}", devices.ensure_attachment, link)
        for port in plan.ports:
            report.attempt(port.eni_id, devices.ensure_port, port)
        usable = self._usable(plan)
        self._route(plan, usable, report, remove=False)
        for packet_filter in plan.filters:
            if packet_filter.netns in usable:
                report.attempt(f"packet filter of {packet_filter.netns}", self._ensure_filter, packet_filter)
        return report.changes()

    def prune(self, plan: NetPlan) -> Changes:
        """Remove everything of ours that is not in the plan."""
        report = _Report()
        for name in sorted(self._ledger.names() - {namespace.name for namespace in plan.namespaces}):
            report.attempt(name, self._delete_namespace, name)
        usable = self._usable(plan)
        self._route(plan, usable, report, remove=True)
        links: dict[str, set[str]] = {}
        for link in plan.attachments:
            links.setdefault(link.vpc_netns, set()).add(link.vpc_device)
            links.setdefault(link.domain_netns, set()).add(link.domain_device)
        for port in plan.ports:
            links.setdefault(port.netns, set()).add(port.device)
        filtered = {packet_filter.netns for packet_filter in plan.filters}
        for name in sorted(usable):
            report.attempt(f"interfaces of {name}", _remove_links, name, links.get(name, set()))
            if name not in filtered:
                report.attempt(f"packet filter of {name}", self._remove_filter, name)
        return report.changes()

    def observe(self) -> NetObservation:
        """Ports and drops of every namespace of ours that exists."""
        names = sorted(name for name in self._ledger.names() if namespaces.exists(name))
        ports: list[PortStatus] = []
        drops: list[FilterDrops] = []
        for name in names:
            with namespaces.entered(name), RouteSocket() as sock, nftables.NftSocket() as nft:
                ports += _ports(sock, name)
                drops += _drops(nft, name)
        return NetObservation(tuple(names), tuple(sorted(ports)), tuple(sorted(drops)))

    def _usable(self, plan: NetPlan) -> set[str]:
        """The plan's namespaces that exist and are ours."""
        ours = self._ledger.names()
        return {n.name for n in plan.namespaces if n.name in ours and namespaces.exists(n.name)}

    def _ensure_namespace(self, name: str) -> list[str]:
        done = []
        exists = namespaces.exists(name)
        if exists and name not in self._ledger.names():
            raise FileExistsError(
                f"network namespace {name} exists and was not created by this engine: "
                f"remove it (ip netns delete {name}) or give the agent its former runtime directory"
            )
        self._ledger.add(name)
        if not exists:
            namespaces.delete(name)
            namespaces.create(name)
            self._loaded.pop(name, None)
            done.append(f"Created network namespace {name}")
        with namespaces.entered(name):
            if sysctl.ensure(sysctl.NAMESPACE) and not done:
                done.append(f"Repaired kernel settings of {name}")
        return done

    def _delete_namespace(self, name: str) -> list[str]:
        existed = namespaces.exists(name)
        if existed:
            # A process or socket inside keeps a namespace alive after its name is gone: its links must go now.
            within(name, devices.remove_unwanted, ())
        namespaces.delete(name)
        self._ledger.remove(name)
        self._loaded.pop(name, None)
        return [f"Deleted network namespace {name}"] if existed else []

    def _route(self, plan: NetPlan, usable: set[str], report: _Report, remove: bool) -> None:
        """Local addresses, rules and routes of each usable namespace; `remove` takes away what is not wanted."""
        addresses = _by_netns(plan.local_addresses)
        rules = _by_netns(plan.rules)
        routes = _by_netns(plan.routes)
        for name in sorted(usable):
            local = {item.address for item in addresses.get(name, ())}
            with namespaces.entered(name), RouteSocket() as sock:
                report.attempt(f"addresses of {name}", _set_local_addresses, sock, name, local, remove)
                report.settle("rules", name, partial(routing.reconcile_rules, sock, name, rules.get(name, ()), remove))
                report.settle(
                    "routes", name, partial(routing.reconcile_routes, sock, name, routes.get(name, ()), remove)
                )

    def _ensure_filter(self, packet_filter: PacketFilter) -> list[str]:
        """Load the ruleset unless it is there, whole; whatever else changed since we looked makes us load it again."""
        wanted = ruleset.render(packet_filter)
        name = packet_filter.netns
        with namespaces.entered(name), nftables.NftSocket() as sock:
            known = self._loaded.get(name)
            if known == (wanted.fingerprint, sock.generation()):
                return []
            table = sock.table()
            intact = known is None and table == nftables.TableState(wanted.fingerprint, wanted.rules)
            if not intact:
                nftables.load(self._nft, wanted.script(sock.counters()))
            self._loaded[name] = (wanted.fingerprint, sock.generation())
        return [] if intact else [f"Loaded the packet filter of {name}"]

    def _remove_filter(self, name: str) -> list[str]:
        with namespaces.entered(name), nftables.NftSocket() as sock:
            if sock.table() is None:
                return []
            nftables.remove(self._nft)
        self._loaded.pop(name, None)
        return [f"Removed the packet filter of {name}"]


def _by_netns(items: Iterable[Item]) -> dict[str, Sequence[Item]]:
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(item.netns, []).append(item)
    return dict(found)


def _set_local_addresses(sock: RouteSocket, name: str, wanted: set[str], remove: bool) -> list[str]:
    changed = devices.ensure_local_addresses(sock, wanted, remove)
    return [f"Changed the addresses of {name}"] if changed else []


def _remove_links(name: str, wanted: set[str]) -> list[str]:
    return [
        f"Removed {link.name} ({link.alias.removeprefix(devices.ALIAS)}) of {name}"
        for link in within(name, devices.remove_unwanted, wanted)
    ]


def _ports(sock: RouteSocket, name: str) -> list[PortStatus]:
    return [
        PortStatus(name, link.alias.removeprefix(devices.ALIAS), link.name, link.carrier)
        for link in sock.links().values()
        if link.alias.startswith(devices.ALIAS) and link.alias != devices.ATTACHMENT_ALIAS
    ]


def _drops(sock: nftables.NftSocket, name: str) -> list[FilterDrops]:
    found = []
    for counter, value in sock.counters().items():
        reason, device = ruleset.split_counter_name(counter)
        found.append(FilterDrops(name, device, reason, value.packets, value.bytes))
    return found
