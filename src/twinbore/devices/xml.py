"""`CustomerGatewayConfiguration`: the XML that describes a connection to programs on the customer's side.

Terraform, pfSense's AWS wizard, Yamaha's routers and Batfish read it, so element names, their order and the empty
elements are AWS's. Decisions where AWS's own output leaves room:

* Tunnel 1 always comes first (AWS's order changes between calls, which clients complain about).
* One algorithm of each kind has to be named although a tunnel allows several: the lowest one allowed, which is what
  AWS's gateways choose first and what AWS's own documents show for default options.
* `retries` is the DPD timeout over the interval, `tcp_mss_adjustment` is AWS's 1379, lowered where the phase 2
  integrity algorithm leaves less room under UDP encapsulation.

References: EC2 API reference, `VpnConnection.CustomerGatewayConfiguration`; RFC 4301, RFC 3706 (DPD).
"""

from __future__ import annotations

from ipaddress import IPv4Interface
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from twinbore.devices.view import ConnectionView, TunnelView
from twinbore.model.addressing import inside_customer, inside_gateway
from twinbore.model.mtu import IPV4_AND_TCP_HEADERS, tunnel_mtu
from twinbore.model.options import DPD_INTERVAL_SECONDS, ENCRYPTION_ALGORITHMS, INTEGRITY_ALGORITHMS

HOLD_TIME_SECONDS: Final = 30
AWS_MSS: Final = 1379

_ENCRYPTION: Final = {
    "AES128": "aes-128-cbc",
    "AES256": "aes-256-cbc",
    "AES128-GCM-16": "aes-128-gcm-16",
    "AES256-GCM-16": "aes-256-gcm-16",
}
_IKE_INTEGRITY: Final = {"SHA1": "sha1", "SHA2-256": "sha-256", "SHA2-384": "sha-384", "SHA2-512": "sha-512"}
_ESP_INTEGRITY: Final = {
    "SHA1": "hmac-sha1-96",
    "SHA2-256": "hmac-sha2-256-128",
    "SHA2-384": "hmac-sha2-384-192",
    "SHA2-512": "hmac-sha2-512-256",
}


def customer_gateway_configuration(view: ConnectionView) -> str:
    """The document as text: XML declaration, two spaces of indentation, keys in clear."""
    connection = view.connection
    root = Element("vpn_connection", id=connection.id)
    _leaf(root, "customer_gateway_id", view.customer_gateway.id)
    _leaf(root, "vpn_gateway_id", view.vpn_gateway_id or "")
    _leaf(root, "vpn_connection_type", connection.type)
    if connection.static_routes_only:
        _leaf(root, "vpn_connection_attributes", "NoBGPVPNConnection")
    for tunnel in view.tunnels:
        _tunnel(SubElement(root, "ipsec_tunnel"), view, tunnel)
    ElementTree.indent(root, "  ")
    body = ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _tunnel(parent: Element, view: ConnectionView, side: TunnelView) -> None:
    tunnel = side.tunnel
    _endpoint(
        SubElement(parent, "customer_gateway"),
        view.customer_gateway.ip_address or "",
        inside_customer(tunnel.inside_cidr),
        None if view.connection.static_routes_only else view.customer_gateway.bgp_asn,
    )
    _endpoint(
        SubElement(parent, "vpn_gateway"),
        tunnel.outside_address,
        inside_gateway(tunnel.inside_cidr),
        None if view.connection.static_routes_only else view.amazon_side_asn,
    )
    _ike(SubElement(parent, "ike"), side)
    _ipsec(SubElement(parent, "ipsec"), side)


def _endpoint(parent: Element, outside: str, inside: IPv4Interface, asn: int | None) -> None:
    _leaf(SubElement(parent, "tunnel_outside_address"), "ip_address", outside)
    address = SubElement(parent, "tunnel_inside_address")
    _leaf(address, "ip_address", inside.ip)
    _leaf(address, "network_mask", inside.netmask)
    _leaf(address, "network_cidr", inside.network.prefixlen)
    if asn is not None:
        bgp = SubElement(parent, "bgp")
        _leaf(bgp, "asn", asn)
        _leaf(bgp, "hold_time", HOLD_TIME_SECONDS)


def _ike(parent: Element, side: TunnelView) -> None:
    options = side.tunnel.options
    _leaf(parent, "authentication_protocol", _IKE_INTEGRITY[_lowest_integrity(options.phase1_integrity_algorithms)])
    _leaf(parent, "encryption_protocol", _ENCRYPTION[_lowest_encryption(options.phase1_encryption_algorithms)])
    _leaf(parent, "lifetime", options.phase1_lifetime_seconds)
    _leaf(parent, "perfect_forward_secrecy", f"group{min(options.phase1_dh_group_numbers)}")
    _leaf(parent, "mode", "main")
    _leaf(parent, "pre_shared_key", side.pre_shared_key)


def _ipsec(parent: Element, side: TunnelView) -> None:
    options = side.tunnel.options
    encryption = _lowest_encryption(options.phase2_encryption_algorithms)
    integrity = _lowest_integrity(options.phase2_integrity_algorithms)
    mtu = tunnel_mtu((encryption,), (integrity,), encapsulated=True)
    _leaf(parent, "protocol", "esp")
    _leaf(parent, "authentication_protocol", _ESP_INTEGRITY[integrity])
    _leaf(parent, "encryption_protocol", _ENCRYPTION[encryption])
    _leaf(parent, "lifetime", options.phase2_lifetime_seconds)
    _leaf(parent, "perfect_forward_secrecy", f"group{min(options.phase2_dh_group_numbers)}")
    _leaf(parent, "mode", "tunnel")
    _leaf(parent, "clear_df_bit", "true")
    _leaf(parent, "fragmentation_before_encryption", "true")
    _leaf(parent, "tcp_mss_adjustment", min(AWS_MSS, mtu - IPV4_AND_TCP_HEADERS))
    dpd = SubElement(parent, "dead_peer_detection")
    _leaf(dpd, "interval", DPD_INTERVAL_SECONDS)
    _leaf(dpd, "retries", options.dpd_timeout_seconds // DPD_INTERVAL_SECONDS)


def _leaf(parent: Element, name: str, value: object) -> None:
    SubElement(parent, name).text = str(value)


def _lowest_encryption(allowed: tuple[str, ...]) -> str:
    return min(allowed, key=ENCRYPTION_ALGORITHMS.index)


def _lowest_integrity(allowed: tuple[str, ...]) -> str:
    return min(allowed, key=INTEGRITY_ALGORITHMS.index)
