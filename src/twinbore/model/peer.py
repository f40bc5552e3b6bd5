"""Where a customer's router is, and how it calls itself in IKE. Pure.

Three kinds of customer gateway:
* at a fixed address, which is its identity as well, unless the option `twinbore:ike-identity` gives another one (a
  router behind NAT sends its private address);
* known by a DNS name (`twinbore:dns-name`): at the address that the name was resolved to last. Without the identity
  option it may call itself what it likes: the pre-shared key tells who it is;
* known by its identity alone: it may call from any address, and cannot be called.

References: RFC 7296 section 3.5 (identification payloads), RFC 6890 (special addresses).
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from twinbore.model.extensions import DNS_KEY, IDENTITY_KEY
from twinbore.model.resources import CustomerGateway

UNUSABLE: Final = tuple(IPv4Network(n) for n in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"))
"""Addresses that no router on a network has: this host, loopback, link-local, multicast and reserved (RFC 6890)."""


def is_usable(address: IPv4Address) -> bool:
    """Whether a router on a network can have this address."""
    return not any(address in network for network in UNUSABLE)


def address_of(gateway: CustomerGateway, options: Mapping[str, str]) -> str | None:
    """The address where the router is reached; None when it is not known (yet). `options` are the gateway's tags."""
    return gateway.ip_address or (gateway.resolved_address if DNS_KEY in options else None)


def identity_of(gateway: CustomerGateway, options: Mapping[str, str]) -> str | None:
    """The router's identity in IKE; None when any is accepted. `options` are the gateway's tags."""
    return options.get(IDENTITY_KEY) or gateway.ip_address


def is_at(gateway: CustomerGateway, address: str | None) -> bool:
    """Whether a gateway is at this address as far as is known; None is for those that have none of their own."""
    return gateway.ip_address == address or (address is not None and gateway.resolved_address == address)
