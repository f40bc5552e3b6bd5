"""Rules between a connection and its two gateways, which hold when it is made and after every change.

References: RFC 4271 (an external session has two different ASNs); AWS Site-to-Site VPN User Guide, "Quotas".
"""

from __future__ import annotations

from twinbore.api import errors
from twinbore.api.operation import Call
from twinbore.model import resources as r
from twinbore.model.states import DELETED


def check_asns(customer: r.CustomerGateway, gateway: r.VpnGateway) -> None:
    """Refuse a connection with BGP whose two ends have the same ASN."""
    if customer.bgp_asn == gateway.amazon_side_asn:
        raise errors.combination(
            "The ASN of the specified customer gateway and virtual private gateway are the same "
            f"({customer.bgp_asn}). BGP needs two different ones: make a gateway with another ASN, or set "
            "StaticRoutesOnly."
        )


def check_gateway_quota(call: Call, gateway: r.VpnGateway) -> None:
    """Refuse one connection more than a virtual private gateway may have."""
    limit = call.settings.quotas.vpn_connections_per_vpn_gateway
    if living(call, r.VpnConnection, vpn_gateway_id=gateway.id) >= limit:
        raise errors.limit_exceeded("VpnConnectionLimitExceeded", f"VPN connections of {gateway.id}", limit)


def living(call: Call, kind: type, **equals: str) -> int:
    """How many rows with these values are not deleted."""
    return call.tx.count(kind, **equals) - call.tx.count(kind, **equals, state=DELETED)
