"""An exported VPN connection is made again, here: `twinbore import`.

The API's own operations do it, in the caller's transaction, so that every rule of theirs holds (quotas, free addresses,
ASNs that differ, options in range) and everything is made or nothing. What they would answer to a client that repeats a
request, the resource that is there already, is right for the customer gateway, which connections share, and refused for
the connection.

The outside addresses are chosen as a client would choose them, by tags (see `vpn_chosen_addresses`), which afterwards
are those of the document.

The target is a virtual private gateway of the account: the one that is named, or the only one with the ASN that the
router expects. With static routes the ASN does not matter to the router.

References: EC2 API reference, CreateCustomerGateway, CreateVpnConnection, CreateVpnConnectionRoute.
"""

from __future__ import annotations

from typing import Any

from botocore.validate import ParamValidator

from twinbore.api import codec
from twinbore.api.members import Members, unread
from twinbore.api.operation import OPERATIONS, Call, Response
from twinbore.api.ops import vpn_lookup
from twinbore.api.ops.tagging import add_tags
from twinbore.api.ops.vpn_routes import add_static_route
from twinbore.api.transfer import Document, TransferError
from twinbore.model import bgp_password
from twinbore.model import resources as r
from twinbore.model.extensions import OUTSIDE_KEYS, PREFIX
from twinbore.model.states import AVAILABLE, PENDING


def import_connection(call: Call, document: Document, vpn_gateway_id: str | None) -> str:
    """Make the document's connection in the caller's account; its id. Raises `ApiError` or `TransferError`."""
    wanted = document.vpn_connection
    _check("CreateCustomerGateway", document.customer_gateway.request)
    _check("CreateVpnConnection", {"CustomerGatewayId": "", **wanted.request})
    gateway_id = _target(call, document, vpn_gateway_id)
    customer_id = _customer_gateway(call, document)
    present = {c.id for c in call.tx.all(r.VpnConnection)}
    addresses = dict(zip(OUTSIDE_KEYS, (t.outside_address for t in wanted.tunnels), strict=True))
    options = {key: value for key, value in wanted.tags.items() if key.startswith(PREFIX)} | addresses
    target = {} if gateway_id is None else {"VpnGatewayId": gateway_id}
    request = {**wanted.request, **target, "CustomerGatewayId": customer_id}
    _ask(call, "CreateVpnConnection", {**request, **_tagged("vpn-connection", options)})
    made = [c for c in call.tx.all(r.VpnConnection) if c.id not in present]
    if not made:
        raise TransferError("a connection with all that the document says is there already: delete it first")
    (connection,) = made
    call.tx.delete(r.Tag, *(f"{connection.id}/{key}" for key in OUTSIDE_KEYS))
    tags = [{"Key": key, "Value": value} for key, value in wanted.tags.items()]
    add_tags(call, "vpn-connection", connection.id, tags)
    for route in wanted.routes:
        if not connection.static_routes_only:
            raise TransferError(f"the document has the static route {route}, but its connection is one with BGP")
        add_static_route(call, connection, route)
    _set_passwords(call, connection, document)
    if wanted.paused:
        call.tx.update(connection, paused=True)
    return connection.id


def _target(call: Call, document: Document, vpn_gateway_id: str | None) -> str | None:
    """The virtual private gateway for the connection, or None for one without a target."""
    asn = document.vpn_gateway.amazon_side_asn if document.vpn_gateway else None
    static = bool((document.vpn_connection.request.get("Options") or {}).get("StaticRoutesOnly"))
    if vpn_gateway_id is not None:
        found = vpn_lookup.usable_vpn_gateway(call, vpn_gateway_id)
        if asn not in (None, found.amazon_side_asn) and not static:
            raise TransferError(
                f"{vpn_gateway_id} has the ASN {found.amazon_side_asn}, but the customer's router expects {asn}: name "
                f"a virtual private gateway that was created with AmazonSideAsn {asn}"
            )
        return vpn_gateway_id
    if asn is None:
        return None
    gateways = call.tx.all(r.VpnGateway, account_id=call.account_id, state=[PENDING, AVAILABLE])
    fitting = [g.id for g in gateways if g.amazon_side_asn == asn]
    if len(fitting) == 1:
        return fitting[0]
    have = f"{len(fitting)} have: {', '.join(fitting)}" if fitting else "none has"
    raise TransferError(
        f"the connection goes to a virtual private gateway with the ASN {asn}, and of account {call.account_id} "
        f"{have}. Name one with --vpn-gateway, or create one with AmazonSideAsn"
    )


def _customer_gateway(call: Call, document: Document) -> str:
    part = document.customer_gateway
    tags = _tagged("customer-gateway", part.tags) if part.tags else {}
    answer = _ask(call, "CreateCustomerGateway", {**part.request, **tags})
    return str(answer["CustomerGateway"]["CustomerGatewayId"])


def _set_passwords(call: Call, connection: r.VpnConnection, document: Document) -> None:
    tunnels = sorted(call.tx.all(r.VpnTunnel, connection_id=connection.id), key=lambda t: t.index)
    for tunnel, part in zip(tunnels, document.vpn_connection.tunnels, strict=True):
        if not part.bgp_password:
            continue
        if not bgp_password.is_password(part.bgp_password) or connection.static_routes_only:
            raise TransferError(
                f"the BGP password of tunnel {tunnel.index} cannot be used; allowed, with BGP only: {bgp_password.RULE}"
            )
        call.tx.put_secret(tunnel.id, bgp_password.FIELD, part.bgp_password)


def _tagged(resource_type: str, tags: dict[str, str]) -> dict[str, Any]:
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    return {"TagSpecifications": [{"ResourceType": resource_type, "Tags": pairs}]}


def _check(action: str, members: dict[str, Any]) -> None:
    """Refuse members that the operation does not have, that lack, or that are of another type."""
    shape = codec.service("ec2").operation_model(action).input_shape
    report = ParamValidator().validate(members, shape)
    if report.has_errors():
        raise TransferError(f"the document's {action} cannot be asked for: {report.generate_report()}")


def _ask(call: Call, action: str, members: dict[str, Any]) -> Response:
    """Run an operation; a member that it does not heed is refused, as in a request from the network."""
    request: Members = _noting(members)
    answer = OPERATIONS[action](call, request)
    for path in unread(request):
        raise TransferError(f"the document's {action} has {'.'.join(map(str, path))}, which nothing here heeds")
    return answer


def _noting(value: Any) -> Any:
    """The value with structures that note what is read of them."""
    if isinstance(value, dict):
        return Members({name: _noting(below) for name, below in value.items()})
    if isinstance(value, list):
        return [_noting(item) for item in value]
    return value
