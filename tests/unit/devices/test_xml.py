"""CustomerGatewayConfiguration: AWS's schema, with the connection's real options."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from tests.unit.devices.samples import KEYS, connection_view
from twinbore.devices.view import ConnectionView
from twinbore.devices.xml import customer_gateway_configuration
from twinbore.model.options import TunnelOptions

FIRST_TUNNEL = """\
  <ipsec_tunnel>
    <customer_gateway>
      <tunnel_outside_address>
        <ip_address>192.0.2.2</ip_address>
      </tunnel_outside_address>
      <tunnel_inside_address>
        <ip_address>169.254.10.2</ip_address>
        <network_mask>255.255.255.252</network_mask>
        <network_cidr>30</network_cidr>
      </tunnel_inside_address>
      <bgp>
        <asn>65000</asn>
        <hold_time>30</hold_time>
      </bgp>
    </customer_gateway>
    <vpn_gateway>
      <tunnel_outside_address>
        <ip_address>203.0.113.10</ip_address>
      </tunnel_outside_address>
      <tunnel_inside_address>
        <ip_address>169.254.10.1</ip_address>
        <network_mask>255.255.255.252</network_mask>
        <network_cidr>30</network_cidr>
      </tunnel_inside_address>
      <bgp>
        <asn>64512</asn>
        <hold_time>30</hold_time>
      </bgp>
    </vpn_gateway>
    <ike>
      <authentication_protocol>sha1</authentication_protocol>
      <encryption_protocol>aes-128-cbc</encryption_protocol>
      <lifetime>28800</lifetime>
      <perfect_forward_secrecy>group2</perfect_forward_secrecy>
      <mode>main</mode>
      <pre_shared_key>Key.of_tunnel1.AAAAAAAAAAAAAAAAA</pre_shared_key>
    </ike>
    <ipsec>
      <protocol>esp</protocol>
      <authentication_protocol>hmac-sha1-96</authentication_protocol>
      <encryption_protocol>aes-128-cbc</encryption_protocol>
      <lifetime>3600</lifetime>
      <perfect_forward_secrecy>group2</perfect_forward_secrecy>
      <mode>tunnel</mode>
      <clear_df_bit>true</clear_df_bit>
      <fragmentation_before_encryption>true</fragmentation_before_encryption>
      <tcp_mss_adjustment>1379</tcp_mss_adjustment>
      <dead_peer_detection>
        <interval>10</interval>
        <retries>4</retries>
      </dead_peer_detection>
    </ipsec>
  </ipsec_tunnel>
"""


def parsed(view: ConnectionView) -> ElementTree.Element:
    return ElementTree.fromstring(customer_gateway_configuration(view))


def test_default_options_give_the_document_that_aws_clients_know() -> None:
    text = customer_gateway_configuration(connection_view())
    head = """\
<?xml version="1.0" encoding="UTF-8"?>
<vpn_connection id="vpn-0a1b2c3d4e5f60718">
  <customer_gateway_id>cgw-00000000000000001</customer_gateway_id>
  <vpn_gateway_id>vgw-00000000000000002</vpn_gateway_id>
  <vpn_connection_type>ipsec.1</vpn_connection_type>
"""
    assert text.startswith(head + FIRST_TUNNEL)
    assert text.endswith("  </ipsec_tunnel>\n</vpn_connection>\n")


def test_tunnel_1_comes_first_and_each_has_its_own_key() -> None:
    root = parsed(connection_view())
    assert [e.text for e in root.iter("pre_shared_key")] == list(KEYS)
    assert [e.text for e in root.findall("ipsec_tunnel/vpn_gateway/tunnel_outside_address/ip_address")] == [
        "203.0.113.10",
        "198.51.100.10",
    ]


def test_a_static_connection_says_so_and_has_no_bgp() -> None:
    root = parsed(connection_view(static=True))
    assert root.findtext("vpn_connection_attributes") == "NoBGPVPNConnection"
    assert [child.tag for child in root][:4] == [
        "customer_gateway_id",
        "vpn_gateway_id",
        "vpn_connection_type",
        "vpn_connection_attributes",
    ]
    assert not list(root.iter("bgp"))


def test_without_a_virtual_private_gateway_the_element_is_there_and_empty() -> None:
    text = customer_gateway_configuration(replace(connection_view(), vpn_gateway_id=None))
    assert "  <vpn_gateway_id></vpn_gateway_id>\n" in text


def test_the_lowest_allowed_algorithm_of_each_kind_is_named_whatever_their_order() -> None:
    options = TunnelOptions(
        phase1_encryption_algorithms=("AES256-GCM-16", "AES256"),
        phase1_integrity_algorithms=("SHA2-512", "SHA2-384"),
        phase1_dh_group_numbers=(21, 14),
        phase2_encryption_algorithms=("AES256-GCM-16", "AES128-GCM-16"),
        phase2_integrity_algorithms=("SHA2-512",),
        phase2_dh_group_numbers=(20,),
        phase1_lifetime_seconds=3600,
        phase2_lifetime_seconds=1800,
        dpd_timeout_seconds=30,
    )
    tunnel = parsed(connection_view(options=options)).find("ipsec_tunnel")
    assert tunnel is not None
    found = {
        (part, leaf.tag): leaf.text for part in ("ike", "ipsec") for leaf in tunnel.find(part) or () if not len(leaf)
    }
    assert found[("ike", "encryption_protocol")] == "aes-256-cbc"
    assert found[("ike", "authentication_protocol")] == "sha-384"
    assert found[("ike", "perfect_forward_secrecy")] == "group14"
    assert found[("ike", "lifetime")] == "3600"
    assert found[("ipsec", "encryption_protocol")] == "aes-128-gcm-16"
    assert found[("ipsec", "authentication_protocol")] == "hmac-sha2-512-256"
    assert found[("ipsec", "perfect_forward_secrecy")] == "group20"
    assert found[("ipsec", "lifetime")] == "1800"
    assert tunnel.findtext("ipsec/dead_peer_detection/retries") == "3"


@pytest.mark.parametrize(("integrity", "mss"), [("SHA1", "1379"), ("SHA2-384", "1379"), ("SHA2-512", "1366")])
def test_the_mss_fits_the_phase_2_integrity_algorithm(integrity: str, mss: str) -> None:
    options = TunnelOptions(phase2_encryption_algorithms=("AES256",), phase2_integrity_algorithms=(integrity,))
    assert parsed(connection_view(options=options)).findtext("ipsec_tunnel/ipsec/tcp_mss_adjustment") == mss


def test_tunnels_out_of_order_are_refused() -> None:
    view = connection_view()
    with pytest.raises(ValueError, match="index 1 and 2, in order"):
        replace(view, tunnels=(view.tunnels[1], view.tunnels[0]))


def test_a_view_does_not_show_its_keys() -> None:
    assert not any(key in repr(connection_view()) for key in KEYS)
