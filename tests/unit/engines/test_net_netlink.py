"""Netlink framing and errors, on hand-made datagrams."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from twinbore.engines import netlink, netns


def frame(kind: int, body: bytes, flags: int = 0, sequence: int = 1) -> bytes:
    length = 16 + len(body)
    return struct.pack("=IHHII", length, kind, flags, sequence, 0) + body + bytes(-length % 4)


def test_messages_of_one_datagram_are_told_apart() -> None:
    data = frame(24, b"abcde", sequence=1) + frame(25, b"", sequence=2)
    assert [(kind, sequence, len(message)) for kind, _, sequence, message in netlink.split(data)] == [
        (24, 1, 21),
        (25, 2, 16),
    ]


def test_a_broken_length_ends_the_datagram() -> None:
    assert list(netlink.split(struct.pack("=IHHII", 4, 24, 0, 1, 0) + bytes(32))) == []


def test_the_kernels_own_words_are_kept() -> None:
    words = b"Nexthop has invalid gateway\0"
    attribute = struct.pack("=HH", 4 + len(words), netlink.NLMSGERR_ATTR_MSG) + words
    body = struct.pack("=i", -101) + bytes(16) + attribute
    error = netlink._error(netlink.NLM_F_ACK_TLVS, frame(netlink.NLMSG_ERROR, body))
    assert error is not None
    assert error.errno == 101
    assert str(error.strerror).startswith("Nexthop has invalid gateway (")
    plain = netlink._error(0, frame(netlink.NLMSG_ERROR, struct.pack("=i", -17) + bytes(16)))
    assert plain is not None
    assert plain.strerror == "File exists"
    assert netlink._error(0, frame(netlink.NLMSG_ERROR, bytes(20))) is None


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/run/netns/x"])
def test_a_namespace_name_is_a_plain_file_name(name: str) -> None:
    with pytest.raises(ValueError, match="must be a plain file name"):
        netns.path_of(name)


def test_namespace_paths() -> None:
    assert netns.path_of("vpc-1") == Path("/run/netns/vpc-1")
