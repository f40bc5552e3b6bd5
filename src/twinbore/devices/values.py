"""The customer's side as named values: for sheets of fields, for JSON, for a page to print.

Keys are stable. A value exists only where the connection has it: no ASN with static routes, no integrity algorithm
beside AES-GCM in phase 2, no password without one. Units are part of the key's meaning: seconds, bytes, milliseconds.
"""

from __future__ import annotations

from twinbore.devices.offer import Suite
from twinbore.devices.side import HOLD_SECONDS, KEEPALIVE_SECONDS, CustomerSide, TunnelSide

Values = dict[str, str]


def connection_values(side: CustomerSide) -> Values:
    """What both tunnels share. Prefixes are separated by a comma and a blank; an empty list is an empty text."""
    values = {
        "outside_interface": side.outside_interface,
        "inside_interface": side.inside_interface,
        "outside_address": side.outside_address or "",
        "identity": side.local_identity or "",
        "local_prefixes": ", ".join(map(str, side.local_prefixes)),
        "remote_prefixes": ", ".join(map(str, side.remote_prefixes)),
    }
    if side.routing == "bgp":
        values["local_asn"] = str(side.local_asn)
    if side.bfd is not None:
        values["bfd.interval_ms"] = str(side.bfd.interval_ms)
        values["bfd.multiplier"] = str(side.bfd.multiplier)
    return values


def tunnel_values(side: CustomerSide, tunnel: TunnelSide) -> Values:
    """What is one tunnel's."""
    values = {
        "name": tunnel.name,
        "outside": tunnel.outside,
        "key": tunnel.pre_shared_key,
        "ike_version": side.ike_version,
        **_suite("phase1", tunnel.phase1),
        **_suite("phase2", tunnel.phase2),
        "dpd.interval": str(tunnel.offer.dpd_interval),
        "dpd.retries": str(tunnel.offer.dpd_retries),
        "local_selector": str(side.local_selector),
        "remote_selector": str(side.remote_selector),
        "inside": str(tunnel.inside),
        "gateway_inside": str(tunnel.gateway_inside.ip),
        "mtu": str(tunnel.mtu),
        "mss": str(tunnel.mss),
        "replay_window": str(tunnel.replay_window),
    }
    if tunnel.phase2.is_gcm:
        del values["phase2.integrity"]
    if side.routing == "static":
        values["distance"] = str(tunnel.distance)
        return values
    values |= {"remote_asn": str(side.remote_asn), "keepalive": str(KEEPALIVE_SECONDS), "hold": str(HOLD_SECONDS)}
    if tunnel.bgp_password:
        values["bgp_password"] = tunnel.bgp_password
    if tunnel.med is not None:
        values |= {"local_preference": str(tunnel.local_preference), "med": str(tunnel.med)}
    return values


def _suite(phase: str, suite: Suite) -> Values:
    return {
        f"{phase}.encryption": suite.encryption,
        f"{phase}.integrity": suite.integrity,
        f"{phase}.group": str(suite.group),
        f"{phase}.lifetime": str(suite.lifetime_seconds),
    }
