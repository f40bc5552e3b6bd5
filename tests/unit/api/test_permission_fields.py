"""The one form of each field of a security group's rule, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinbore.api.errors import ApiError
from twinbore.api.ops import permission_fields as fields


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("tcp", "tcp"),
        ("TCP", "tcp"),
        ("6", "tcp"),
        ("17", "udp"),
        ("1", "icmp"),
        ("58", "icmpv6"),
        ("icmpv6", "icmpv6"),
        ("-1", "-1"),
        ("all", "-1"),
        ("50", "50"),
        ("006", "tcp"),
        ("0", "0"),
        ("255", "255"),
    ],
)
def test_protocols(text: str, stored: str) -> None:
    assert fields.protocol("IpProtocol", text) == stored


@pytest.mark.parametrize("text", ["gre", "256", "-2", "6.0", "t cp", "٦"])
def test_what_is_no_protocol(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        fields.protocol("IpProtocol", text)
    assert caught.value.code == "InvalidParameterValue"
    assert text in caught.value.message


def test_a_protocol_is_needed() -> None:
    with pytest.raises(ApiError) as caught:
        fields.protocol("IpPermissions.1.IpProtocol", None)
    assert (caught.value.code, "IpPermissions.1.IpProtocol" in caught.value.message) == ("MissingParameter", True)


@pytest.mark.parametrize(
    ("protocol", "first", "last", "stored"),
    [
        ("tcp", 0, 65535, (0, 65535)),
        ("udp", 53, 53, (53, 53)),
        ("icmp", -1, -1, (-1, -1)),
        ("icmp", 8, 0, (8, 0)),
        ("icmp", 8, -1, (8, -1)),
        ("icmpv6", None, None, (-1, -1)),
        ("icmpv6", 128, 0, (128, 0)),
        ("-1", None, None, (None, None)),
        ("-1", 22, 22, (None, None)),
        ("50", 0, 65535, (None, None)),
    ],
)
def test_ports(protocol: str, first: int | None, last: int | None, stored: tuple[int | None, int | None]) -> None:
    assert fields.ports(protocol, first, last) == stored


@pytest.mark.parametrize(
    ("protocol", "first", "last", "words"),
    [
        ("tcp", None, None, "Must specify both from and to ports with TCP/UDP"),
        ("udp", 53, None, "Must specify both from and to ports with TCP/UDP"),
        ("tcp", -1, -1, "TCP/UDP port (-1) out of range"),
        ("tcp", 0, 65536, "TCP/UDP port (65536) out of range"),
        ("tcp", 23, 22, "Invalid TCP/UDP port range (23:22)"),
        ("icmp", None, None, "with ICMP"),
        ("icmpv6", 128, None, "with ICMP"),
        ("icmp", 256, 0, "ICMP type (256) out of range"),
        ("icmp", 8, -2, "ICMP code (-2) out of range"),
        ("icmp", -1, 0, "ICMP code (0) out of range"),
    ],
)
def test_ports_that_are_refused(protocol: str, first: int | None, last: int | None, words: str) -> None:
    with pytest.raises(ApiError) as caught:
        fields.ports(protocol, first, last)
    assert caught.value.code == "InvalidParameterValue"
    assert words in caught.value.message


def test_blocks_are_cut_to_their_network() -> None:
    assert fields.ipv4_block("100.68.0.18/18") == "100.68.0.0/18"
    assert fields.ipv6_block("2001:DB8:0:0::1/32") == "2001:db8::/32"


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_every_ipv4_block_is_taken_and_its_stored_form_is_stable(address: object, length: int) -> None:
    stored = fields.ipv4_block(f"{address}/{length}")
    assert fields.ipv4_block(stored) == stored


@pytest.mark.parametrize("text", ["10.0.0.0", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/255.0.0.0", "2001:db8::/32", ""])
def test_what_is_no_ipv4_block(text: str) -> None:
    with pytest.raises(ApiError, match="is malformed"):
        fields.ipv4_block(text)


@pytest.mark.parametrize("text", ["2001:db8::", "2001:db8::/129", "10.0.0.0/8", "fe80::%eth0/64", ""])
def test_what_is_no_ipv6_block(text: str) -> None:
    with pytest.raises(ApiError, match="is malformed"):
        fields.ipv6_block(text)


def test_texts() -> None:
    everything = "abcXYZ 019._-:/()#,@[]+=&;{}!$*"
    assert fields.group_text("GroupName", everything) == everything
    assert fields.rule_description(everything) == everything
    assert fields.rule_description("") is None
    assert len(fields.group_text("GroupName", "x" * 255)) == 255
    for bad in ("x" * 256, "é", "a'b", 'a"b', "a\nb", "a\tb", "a<b"):
        with pytest.raises(ApiError, match="InvalidParameterValue"):
            fields.group_text("GroupName", bad)
        with pytest.raises(ApiError, match="InvalidParameterValue"):
            fields.rule_description(bad)
    with pytest.raises(ApiError, match="MissingParameter"):
        fields.group_text("GroupDescription", "")


def test_a_permission_in_words() -> None:
    permission = fields.Permission("tcp", 22, 22, cidr_ipv4="0.0.0.0/0", description="ssh")
    assert str(permission) == "peer: 0.0.0.0/0, TCP, from port: 22, to port: 22, ALLOW"
    assert str(fields.Permission("-1", None, None, referenced_group_id="sg-1")) == "peer: sg-1, ALL, ALLOW"
    assert permission.key == fields.Permission("tcp", 22, 22, cidr_ipv4="0.0.0.0/0")
