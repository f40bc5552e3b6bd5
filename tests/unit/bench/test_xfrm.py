"""Messages of XFRM netlink: sizes as of linux/xfrm.h on 64-bit Linux."""

from __future__ import annotations

import struct

from bench.xfrm import Tunnel, messages

NETLINK_HEADER = 16
NEWSA_SIZE, NEWPOLICY_SIZE = 224, 168


def test_a_tunnel_is_two_sas_and_three_policies() -> None:
    made = messages(Tunnel(7, "203.0.113.1", "198.18.0.1", 0xC0000001, 0xC0000002))
    heads = [struct.unpack_from("=IHH", message) for message in made]
    assert [(kind, flags) for _, kind, flags in heads] == [(0x10, 5)] * 2 + [(0x13, 5)] * 3
    assert [length for length, _, _ in heads] == [len(message) for message in made]
    fixed = [NEWSA_SIZE] * 2 + [NEWPOLICY_SIZE] * 3
    for message, size in zip(made, fixed, strict=True):
        kinds, offset = [], NETLINK_HEADER + size
        while offset < len(message):
            length, kind = struct.unpack_from("=HH", message, offset)
            kinds.append(kind)
            offset += (length + 3) & ~3
        assert offset == len(message)
        assert kinds in ([18, 4, 31], [5, 31])


def test_sas_go_both_ways_with_their_spis() -> None:
    made = messages(Tunnel(7, "203.0.113.1", "198.18.0.1", 0xC0000001, 0xC0000002))
    for message, spi, destination in zip(made, (0xC0000001, 0xC0000002), ("cb007101", "c6120001"), strict=False):
        identity = message[NETLINK_HEADER + 56 :]
        assert (identity[:4].hex(), struct.unpack_from("!I", identity, 16)[0]) == (destination, spi)
