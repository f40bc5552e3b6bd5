"""What a request to the agent's local socket is refused with."""

from __future__ import annotations


class AdminError(Exception):
    """A request that cannot be fulfilled; the message is for the operator."""
