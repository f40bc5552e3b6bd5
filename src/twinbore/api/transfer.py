"""A VPN connection as a document that can be carried to another host or account: `twinbore export`.

The document is what would have to be asked of the API to get the same again, in the API's own words: the members of
CreateCustomerGateway and CreateVpnConnection, with inside CIDRs and pre-shared keys; and beside them what has no
members in the API: outside addresses, passwords of BGP sessions, whether the connection is paused. So the customer's
router needs no change when its connection moves, if the new host has the outside addresses.

* It holds keys in clear text: who has it can take the gateway's place.
* `version` changes when an older reader would misunderstand the document. A reader refuses what it does not know, as a
  whole: an unknown member as well, for that may be what the other one relied on.
* Ids are not carried over, `source` names them for the reader's sake. The virtual private gateway is not part of the
  document, but its ASN is, since the router expects that.

References: EC2 API reference, CreateCustomerGateway, CreateVpnConnection.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from twinbore.api.ops.customer_gateways import MAX_BGP_ASN
from twinbore.api.ops.vpn_connection_view import PRE_SHARED_KEY
from twinbore.api.ops.vpn_tunnels import specify_tunnel
from twinbore.model import bgp_password
from twinbore.model import resources as r
from twinbore.model.states import DELETING, LIVING
from twinbore.store.database import Transaction

FORMAT: Final = "twinbore-connection"
VERSION: Final = 1


class TransferError(Exception):
    """The connection cannot be exported, or the document not be imported; the message is for the operator."""


class Part(msgspec.Struct, forbid_unknown_fields=True):
    """A part of the document; unknown members are refused. Its text does not show what is in it, for that has keys."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Source(Part):
    """Where the document comes from; for the reader only."""

    vpn_connection_id: str
    customer_gateway_id: str
    vpn_gateway_id: str | None = None


class CustomerGateway(Part):
    """`request` has CreateCustomerGateway's members."""

    request: dict[str, Any]
    tags: dict[str, str] = {}


class VpnGateway(Part):
    """The target that the connection had."""

    amazon_side_asn: int


class Tunnel(Part):
    """What is not part of CreateVpnConnection's TunnelOptions."""

    outside_address: str
    bgp_password: str = ""


class VpnConnection(Part):
    """`request` has CreateVpnConnection's members but the gateways' ids; `routes` are static routes' CIDRs."""

    request: dict[str, Any]
    tunnels: tuple[Tunnel, Tunnel]
    tags: dict[str, str] = {}
    routes: tuple[str, ...] = ()
    paused: bool = False


class Document(Part):
    """The whole of it. `vpn_gateway` is None for a connection without a target gateway."""

    format: Literal["twinbore-connection"]
    version: int
    source: Source
    customer_gateway: CustomerGateway
    vpn_connection: VpnConnection
    vpn_gateway: VpnGateway | None = None


class _Header(msgspec.Struct):
    """What every version has."""

    format: str = ""
    version: int = 0


def export(tx: Transaction, connection_id: str) -> Document:
    """The document of a connection. Raises `TransferError` when there is none, or it is being deleted."""
    connection = tx.get(r.VpnConnection, connection_id)
    if connection is None:
        raise TransferError(f"VPN connection {connection_id!r} does not exist: twinbore status lists those there are")
    if connection.state not in LIVING:
        raise TransferError(
            f"{connection_id} is {connection.state}; only a connection that is in service can be exported"
        )
    customer = tx.get(r.CustomerGateway, connection.customer_gateway_id)
    gateway = tx.get(r.VpnGateway, connection.vpn_gateway_id) if connection.vpn_gateway_id else None
    assert customer is not None  # the store does not let it go before the connection
    tunnels = sorted(tx.all(r.VpnTunnel, connection_id=connection_id), key=lambda t: t.index)
    first, second = (Tunnel(t.outside_address, tx.secret(t.id, bgp_password.FIELD) or "") for t in tunnels)
    routes = tx.all(r.VpnStaticRoute, connection_id=connection_id)
    return Document(
        format=FORMAT,
        version=VERSION,
        source=Source(connection.id, customer.id, connection.vpn_gateway_id),
        customer_gateway=CustomerGateway(_customer_request(customer), _tags(tx, customer.id)),
        vpn_gateway=VpnGateway(gateway.amazon_side_asn) if gateway else None,
        vpn_connection=VpnConnection(
            request=_connection_request(tx, connection, tunnels),
            tunnels=(first, second),
            tags=_tags(tx, connection.id),
            routes=tuple(sorted(route.destination_cidr_block for route in routes if route.state != DELETING)),
            paused=connection.paused,
        ),
    )


def encode(document: Document) -> bytes:
    """The document as JSON for people and programs, with a line feed at its end."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def decode(text: bytes) -> Document:
    """The document that `encode` has written, here or elsewhere. Raises `TransferError`."""
    try:
        header = msgspec.json.decode(text, type=_Header)
        if header.format != FORMAT:
            raise TransferError(f"this is no exported connection: format is {header.format!r}, not {FORMAT!r}")
        if header.version != VERSION:
            raise TransferError(
                f"the document has version {header.version}; this Twinbore reads version {VERSION}: export it with the "
                "same release"
            )
        return msgspec.json.decode(text, type=Document)
    except msgspec.MsgspecError as error:
        raise TransferError(f"the document cannot be read: {error}") from error


def _customer_request(customer: r.CustomerGateway) -> dict[str, Any]:
    members = {
        "Type": customer.type,
        "BgpAsn" if customer.bgp_asn <= MAX_BGP_ASN else "BgpAsnExtended": customer.bgp_asn,
        "IpAddress": customer.ip_address,
        "CertificateArn": customer.certificate_arn,
        "DeviceName": customer.device_name,
    }
    return {name: value for name, value in members.items() if value is not None}


def _connection_request(tx: Transaction, connection: r.VpnConnection, tunnels: list[r.VpnTunnel]) -> dict[str, Any]:
    return {
        "Type": connection.type,
        "PreSharedKeyStorage": connection.pre_shared_key_storage,
        "Options": {
            "StaticRoutesOnly": connection.static_routes_only,
            "LocalIpv4NetworkCidr": connection.local_ipv4_network_cidr,
            "RemoteIpv4NetworkCidr": connection.remote_ipv4_network_cidr,
            "TunnelOptions": [
                {
                    "TunnelInsideCidr": tunnel.inside_cidr,
                    "PreSharedKey": tx.secret(tunnel.id, PRE_SHARED_KEY),
                    **specify_tunnel(tunnel.options),
                }
                for tunnel in tunnels
            ],
        },
    }


def _tags(tx: Transaction, resource_id: str) -> dict[str, str]:
    return {tag.key: tag.value for tag in tx.all(r.Tag, resource_id=resource_id)}
