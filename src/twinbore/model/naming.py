"""Names of kernel objects, derived from resource ids and small numbers: one place, used by planner and observers.

Interface names have at most 15 characters (linux/if.h IFNAMSIZ); namespaces are named by resource ids as they stand.
"""

from __future__ import annotations

from typing import Final

ATTACHMENT_VPC_DEVICE: Final = "vgw"
"""A VPC's end of the link to its virtual private gateway."""

ATTACHMENT_DOMAIN_DEVICE: Final = "vpc"
"""The routing domain's end of that link."""


def tunnel_interface(if_id: int) -> str:
    """The interface of a tunnel in its routing domain."""
    return f"t{if_id}"


def port_device(eni_id: str) -> str:
    """The port of a network interface in its VPC: `e` and the id's first 14 hexadecimal digits."""
    return "e" + eni_id.removeprefix("eni-")[:14]


def tunnel_name(connection_id: str, index: int) -> str:
    """A tunnel's id, and the name of its IKE connection."""
    return f"{connection_id}-{index}"


def session_name(tunnel_id: str) -> str:
    """The BGP session of a tunnel: a BIRD symbol (letters, digits, underscores)."""
    return tunnel_id.replace("-", "_")
