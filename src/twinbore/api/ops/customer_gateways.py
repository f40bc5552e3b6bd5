"""Customer gateways: the customer's router as the service knows it, an address and an ASN.

* `available` at once, since nothing has to be built; a connection is what makes it real. Deleted at once too, and
  described with state `deleted` for a while.
* An identical request (type, address, ASN) answers with the gateway that is there, its tags as they are; a device name
  that is new makes another one (EC2 API reference, CreateCustomerGateway).
* Authentication is by pre-shared key, so an address is needed, or one of Twinbore's options in its place (see
  `customer_gateway_options`).

References: AWS Site-to-Site VPN User Guide, "Customer gateway options" (ASNs that are refused); RFC 7607 (AS 0).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import AddressValueError, IPv4Address
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops import vpn_lookup
from twinbore.api.ops.common import select, tag_on_create, tag_sets
from twinbore.api.ops.customer_gateway_options import check_options, same_options
from twinbore.api.ops.tagging import requested_tags
from twinbore.api.ops.vpn_request import check_type
from twinbore.api.ops.vpn_rules import living
from twinbore.model import resources as r
from twinbore.model.addressing import DEFAULT_CUSTOMER_ASN, MAX_ASN
from twinbore.model.peer import is_usable
from twinbore.model.states import AVAILABLE, DELETED

MAX_BGP_ASN: Final = 2147483647
"""The largest ASN of `BgpAsn`; greater ones have the member `BgpAsnExtended` (EC2 API reference)."""

MAX_DEVICE_NAME: Final = 255
RESERVED_ASNS: Final[dict[str, tuple[int, ...]]] = {
    "eu-west-1": (7224, 9059),
    "ap-northeast-1": (7224, 10124),
    "ap-southeast-1": (7224, 17943),
}
RESERVED_ASNS_ELSEWHERE: Final = (7224,)


@operation("CreateCustomerGateway")
def create_customer_gateway(call: Call, request: Request) -> Response:
    check_type(request["Type"])
    asn = _asn(request, call.settings.region)
    tags = requested_tags(request, "customer-gateway")
    address = _address(request)
    check_options(address, tags)
    device_name: str | None = request.get("DeviceName")
    if device_name is not None and not 0 < len(device_name) <= MAX_DEVICE_NAME:
        raise errors.invalid_value("DeviceName", device_name, f"1 to {MAX_DEVICE_NAME} characters")
    for gateway in call.tx.all(r.CustomerGateway, account_id=call.account_id, ip_address=address):
        same = (gateway.type, gateway.bgp_asn) == (request["Type"], asn) and gateway.state != DELETED
        if same and device_name in (None, gateway.device_name) and same_options(call, gateway, tags):
            return {"CustomerGateway": _shape(gateway, tag_sets(call, [gateway.id]))}
    limit = call.settings.quotas.customer_gateways
    if living(call, r.CustomerGateway, account_id=call.account_id) >= limit:
        raise errors.limit_exceeded("CustomerGatewayLimitExceeded", "customer gateways", limit)
    gateway = r.CustomerGateway(
        id=call.new_id("customer-gateway"),
        account_id=call.account_id,
        state=AVAILABLE,
        type=request["Type"],
        bgp_asn=asn,
        ip_address=address,
        certificate_arn=None,
        device_name=device_name,
        created_at=call.now,
    )
    call.tx.insert(gateway)
    tag_on_create(call, request, "customer-gateway", gateway.id)
    return {"CustomerGateway": _shape(gateway, tag_sets(call, [gateway.id]))}


_FILTERS: Final[Mapping[str, Callable[[r.CustomerGateway], object]]] = {
    "bgp-asn": lambda g: g.bgp_asn,
    "customer-gateway-id": lambda g: g.id,
    "ip-address": lambda g: g.ip_address,
    "state": lambda g: g.state,
    "type": lambda g: g.type,
}


@operation("DescribeCustomerGateways")
def describe_customer_gateways(call: Call, request: Request) -> Response:
    gateways = select(call, request, r.CustomerGateway, "customer-gateway", "CustomerGatewayIds", _FILTERS)
    tags = tag_sets(call, [g.id for g in gateways])
    return {"CustomerGateways": [_shape(g, tags) for g in gateways]}


@operation("DeleteCustomerGateway")
def delete_customer_gateway(call: Call, request: Request) -> Response:
    gateway = vpn_lookup.customer_gateway(call, request["CustomerGatewayId"])
    connections = call.tx.all(r.VpnConnection, customer_gateway_id=gateway.id)
    users = [c.id for c in connections if c.state != DELETED]
    if users:
        raise errors.incorrect_state(
            f"The customer gateway is in use. {gateway.id} is used by {', '.join(users)}: delete that first and wait "
            "until it is deleted."
        )
    call.tx.update(gateway, state=DELETED, deleted_at=call.now)
    return {}


def _asn(request: Request, region: str) -> int:
    asn: int | None = request.get("BgpAsn")
    extended: int | None = request.get("BgpAsnExtended")
    if asn is not None and extended is not None:
        raise errors.combination("The parameters BgpAsn and BgpAsnExtended cannot be used together.")
    if asn is not None and not 1 <= asn <= MAX_BGP_ASN:
        larger = "; a larger one is given as BgpAsnExtended" if MAX_BGP_ASN < asn <= MAX_ASN else ""
        raise errors.invalid_value("BgpAsn", asn, f"1 to {MAX_BGP_ASN}{larger}")
    if extended is not None and not MAX_BGP_ASN < extended <= MAX_ASN:
        smaller = "; a smaller one is given as BgpAsn" if 1 <= extended <= MAX_BGP_ASN else ""
        raise errors.invalid_value("BgpAsnExtended", extended, f"{MAX_BGP_ASN + 1} to {MAX_ASN}{smaller}")
    reserved = RESERVED_ASNS.get(region, RESERVED_ASNS_ELSEWHERE)
    if asn in reserved:
        listed = ", ".join(str(number) for number in reserved)
        raise errors.invalid_value("BgpAsn", asn, f"an ASN that is not reserved in {region} ({listed})")
    return asn or extended or DEFAULT_CUSTOMER_ASN


def _address(request: Request) -> str | None:
    if request.get("CertificateArn") is not None:
        raise errors.unsupported(
            "CertificateArn: authentication by certificate is not available here. Give IpAddress; connections of the "
            "gateway authenticate by pre-shared key."
        )
    text: str | None = request.get("IpAddress")
    deprecated: str | None = request.get("PublicIp")
    if text is not None and deprecated is not None and text != deprecated:
        raise errors.combination("IpAddress and PublicIp (its deprecated name) differ. Give IpAddress only.")
    name = "IpAddress" if text is not None or deprecated is None else "PublicIp"
    text = text if text is not None else deprecated
    if text is None:
        return None
    try:
        address = IPv4Address(text)
    except AddressValueError:
        raise errors.invalid_value(name, text, "an IPv4 address in dotted decimal form") from None
    if not is_usable(address):
        raise errors.invalid_value(
            name, text, "a unicast IPv4 address of the customer gateway's outside interface, or of the NAT before it"
        )
    return str(address)


def _shape(gateway: r.CustomerGateway, tags: Mapping[str, list[dict[str, str]]]) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "CustomerGatewayId": gateway.id,
        "State": gateway.state,
        "Type": gateway.type,
        "IpAddress": gateway.ip_address,
        "BgpAsn" if gateway.bgp_asn <= MAX_BGP_ASN else "BgpAsnExtended": str(gateway.bgp_asn),
        "CertificateArn": gateway.certificate_arn,
        "DeviceName": gateway.device_name,
    }
    present = {name: value for name, value in shape.items() if value is not None}
    return present | {"Tags": tags.get(gateway.id, [])}
