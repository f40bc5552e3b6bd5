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

from functools import lru_cache
from typing import Final
from xml.sax.saxutils import escape

from twinbore.devices.view import ConnectionView, TunnelView
from twinbore.model.addressing import inside_hosts
from twinbore.model.mtu import IPV4_AND_TCP_HEADERS, tunnel_mtu
from twinbore.model.options import DPD_INTERVAL_SECONDS, ENCRYPTION_ALGORITHMS, INTEGRITY_ALGORITHMS, TunnelOptions

HOLD_TIME_SECONDS: Final = 30
AWS_MSS: Final = 1379
KEPT_OPTIONS: Final = 256
"""Sets of options whose parts of the document are kept."""

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
    static = "\n  <vpn_connection_attributes>NoBGPVPNConnection</vpn_connection_attributes>"
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<vpn_connection id="{escape(connection.id, {'"': "&quot;"})}">
  <customer_gateway_id>{escape(view.customer_gateway.id)}</customer_gateway_id>
  <vpn_gateway_id>{escape(view.vpn_gateway_id or "")}</vpn_gateway_id>
  <vpn_connection_type>{escape(connection.type)}</vpn_connection_type>{static if connection.static_routes_only else ""}
{"".join(_tunnel(view, side) for side in view.tunnels)}</vpn_connection>
"""


def _tunnel(view: ConnectionView, side: TunnelView) -> str:
    tunnel = side.tunnel
    static = view.connection.static_routes_only
    gateway_inside, customer_inside = inside_hosts(tunnel.inside_cidr)
    customer = _endpoint(
        view.customer_gateway.ip_address or view.customer_gateway.resolved_address or "",
        customer_inside,
        None if static else view.customer_gateway.bgp_asn,
    )
    gateway = _endpoint(tunnel.outside_address, gateway_inside, None if static else view.amazon_side_asn)
    return f"""\
  <ipsec_tunnel>
    <customer_gateway>
{customer}    </customer_gateway>
    <vpn_gateway>
{gateway}    </vpn_gateway>
    <ike>
{_ike(tunnel.options)}      <pre_shared_key>{escape(side.pre_shared_key)}</pre_shared_key>
    </ike>
    <ipsec>
{_ipsec(tunnel.options)}    </ipsec>
  </ipsec_tunnel>
"""


def _endpoint(outside: str, inside: str, asn: int | None) -> str:
    bgp = ""
    if asn is not None:
        bgp = f"""\
      <bgp>
        <asn>{asn}</asn>
        <hold_time>{HOLD_TIME_SECONDS}</hold_time>
      </bgp>
"""
    return f"""\
      <tunnel_outside_address>
        <ip_address>{escape(outside)}</ip_address>
      </tunnel_outside_address>
      <tunnel_inside_address>
        <ip_address>{inside}</ip_address>
        <network_mask>255.255.255.252</network_mask>
        <network_cidr>30</network_cidr>
      </tunnel_inside_address>
{bgp}"""


@lru_cache(KEPT_OPTIONS)
def _ike(options: TunnelOptions) -> str:
    integrity = _IKE_INTEGRITY[_lowest_integrity(options.phase1_integrity_algorithms)]
    encryption = _ENCRYPTION[_lowest_encryption(options.phase1_encryption_algorithms)]
    return f"""\
      <authentication_protocol>{integrity}</authentication_protocol>
      <encryption_protocol>{encryption}</encryption_protocol>
      <lifetime>{options.phase1_lifetime_seconds}</lifetime>
      <perfect_forward_secrecy>group{min(options.phase1_dh_group_numbers)}</perfect_forward_secrecy>
      <mode>main</mode>
"""


@lru_cache(KEPT_OPTIONS)
def _ipsec(options: TunnelOptions) -> str:
    encryption = _lowest_encryption(options.phase2_encryption_algorithms)
    integrity = _lowest_integrity(options.phase2_integrity_algorithms)
    mtu = tunnel_mtu((encryption,), (integrity,), encapsulated=True)
    return f"""\
      <protocol>esp</protocol>
      <authentication_protocol>{_ESP_INTEGRITY[integrity]}</authentication_protocol>
      <encryption_protocol>{_ENCRYPTION[encryption]}</encryption_protocol>
      <lifetime>{options.phase2_lifetime_seconds}</lifetime>
      <perfect_forward_secrecy>group{min(options.phase2_dh_group_numbers)}</perfect_forward_secrecy>
      <mode>tunnel</mode>
      <clear_df_bit>true</clear_df_bit>
      <fragmentation_before_encryption>true</fragmentation_before_encryption>
      <tcp_mss_adjustment>{min(AWS_MSS, mtu - IPV4_AND_TCP_HEADERS)}</tcp_mss_adjustment>
      <dead_peer_detection>
        <interval>{DPD_INTERVAL_SECONDS}</interval>
        <retries>{options.dpd_timeout_seconds // DPD_INTERVAL_SECONDS}</retries>
      </dead_peer_detection>
"""


def _lowest_encryption(allowed: tuple[str, ...]) -> str:
    return min(allowed, key=ENCRYPTION_ALGORITHMS.index)


def _lowest_integrity(allowed: tuple[str, ...]) -> str:
    return min(allowed, key=INTEGRITY_ALGORITHMS.index)
