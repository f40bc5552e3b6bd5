"""Which blocks a VPC may have, and which beside which: AWS's table of restrictions, line by line."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from twinbore.model import vpc_blocks


@pytest.mark.parametrize("block", ["10.0.0.0/16", "172.31.0.0/16", "100.64.0.0/18", "8.8.8.0/28"])
def test_blocks_that_any_vpc_may_have(block: str) -> None:
    assert vpc_blocks.problem(IPv4Network(block)) is None


@pytest.mark.parametrize("block", ["10.0.0.0/15", "10.0.0.0/29", "169.254.0.0/16", "127.0.0.0/16", "239.0.0.0/16"])
def test_blocks_that_no_vpc_may_have(block: str) -> None:
    rule = vpc_blocks.problem(IPv4Network(block))
    assert rule is not None
    assert "/16" in rule
    assert "/28" in rule


@pytest.mark.parametrize(
    ("present", "new", "restricted"),
    [
        ("10.0.0.0/16", "10.1.0.0/16", False),
        ("10.1.0.0/16", "10.0.0.0/16", True),
        ("10.0.0.0/24", "10.0.1.0/24", True),
        ("10.2.0.0/16", "10.0.0.0/16", False),
        ("10.0.0.0/16", "172.16.0.0/16", True),
        ("10.0.0.0/16", "192.168.0.0/16", True),
        ("10.0.0.0/16", "198.19.0.0/16", True),
        ("10.0.0.0/16", "198.18.0.0/16", False),
        ("10.0.0.0/16", "100.64.0.0/16", False),
        ("10.0.0.0/16", "8.8.0.0/16", False),
        ("172.16.0.0/16", "172.20.0.0/16", False),
        ("172.16.0.0/16", "172.31.4.0/24", True),
        ("172.16.0.0/16", "10.0.0.0/16", True),
        ("172.16.0.0/16", "192.168.0.0/24", True),
        ("192.168.0.0/24", "192.168.1.0/24", False),
        ("192.168.0.0/24", "10.9.0.0/16", True),
        ("192.168.0.0/24", "198.19.1.0/24", True),
        ("198.19.0.0/24", "198.19.1.0/24", False),
        ("198.19.0.0/24", "10.0.0.0/16", True),
        ("198.19.0.0/24", "9.0.0.0/16", False),
        ("100.64.0.0/16", "100.65.0.0/16", False),
        ("100.64.0.0/16", "10.0.0.0/16", True),
        ("8.8.0.0/16", "192.168.0.0/16", True),
        ("8.8.0.0/16", "198.19.0.0/16", True),
        ("8.8.0.0/16", "9.9.0.0/16", False),
    ],
)
def test_which_block_may_stand_beside_which(present: str, new: str, restricted: bool) -> None:
    assert vpc_blocks.restricted(IPv4Network(new), [IPv4Network(present)]) is restricted


def test_every_block_that_is_there_counts() -> None:
    present = [IPv4Network("10.5.0.0/16"), IPv4Network("10.1.0.0/16")]
    assert vpc_blocks.restricted(IPv4Network("10.0.0.0/16"), present)


def test_overlaps_routes_and_the_block_of_an_address() -> None:
    network = IPv4Network("10.1.0.0/16")
    assert vpc_blocks.overlapping(network, ["10.0.0.0/16", "10.1.128.0/17"]) == "10.1.128.0/17"
    assert vpc_blocks.overlapping(network, ["10.0.0.0/16"]) is None
    assert vpc_blocks.swallowed_route(network, ["0.0.0.0/0", "10.1.0.0/16"]) == "10.1.0.0/16"
    assert vpc_blocks.swallowed_route(network, ["0.0.0.0/0", "10.0.0.0/8"]) is None
    assert vpc_blocks.block_of(IPv4Network("10.1.2.0/24"), ["10.0.0.0/16", "10.1.0.0/16"]) == "10.1.0.0/16"
    assert vpc_blocks.block_of(IPv4Network("10.0.0.0/8"), ["10.0.0.0/16"]) is None
