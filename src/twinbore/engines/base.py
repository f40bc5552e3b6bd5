"""What every engine is: whole desired state in, facts out.

The agent gives an engine everything that shall be; the engine compares it with what is there and changes only the
difference, so a second call with the same value does nothing. Creation (`apply`) and removal (`prune`) are two calls,
because the engines build on each other: namespaces, then tunnel interfaces, then BGP, then IKE; and are taken down in
the opposite order.

Data-plane processes and interfaces are never children of the agent in spirit: `start` adopts what runs, `close` leaves
it running, only `teardown` stops it.

An engine calls the `on_event` function that it was made with whenever something may have changed (an SA, a session, a
route, a process that ended). The call says that something is worth a look, not what it is: the truth is re-read.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from twinbore.model.observed import Changes

Desired_contra = TypeVar("Desired_contra", contravariant=True)
Observed_co = TypeVar("Observed_co", covariant=True)


class EngineError(Exception):
    """An engine cannot work at all (a missing program, privilege or kernel feature); the message says what mends it."""


class Engine(Protocol[Desired_contra, Observed_co]):
    """The interface that the agent works with; each engine package has a fake and a real implementation."""

    async def start(self) -> None:
        """Adopt what a former agent left running, start what is missing. Raises `EngineError`."""

    async def apply(self, desired: Desired_contra) -> Changes:
        """Create and update until everything in `desired` is there. Removes nothing that others may stand on."""

    async def prune(self, desired: Desired_contra) -> Changes:
        """Remove everything of this engine that is not in `desired`."""

    async def observe(self) -> Observed_co:
        """Read the truth now."""

    async def close(self) -> None:
        """Let go of sockets and watchers; the data plane runs on."""

    async def teardown(self) -> Changes:
        """Stop the data plane and remove every trace of it, also what a former agent left; needs no `start`."""
