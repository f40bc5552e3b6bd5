"""Lists whose positions mean something: a tunnel's options keep its number though the other's are left out."""

from __future__ import annotations

from typing import Any

import pytest

from twinbore.api import codec
from twinbore.api.errors import ApiError

KEY = "PreSharedKey"


def tunnels(*indices: str) -> list[dict[str, Any]]:
    """TunnelOptions as parsed from a request that gives these indices a key."""
    operation = codec.service("ec2").operation_model("CreateVpnConnection")
    given = [(f"Options.TunnelOptions.{index}.{KEY}", f"key.of.{index}") for index in indices]
    parsed = codec.parse(operation, [("Type", "ipsec.1"), ("CustomerGatewayId", "cgw-1"), *given])
    found: list[dict[str, Any]] = parsed["Options"]["TunnelOptions"]
    return found


def test_both() -> None:
    assert tunnels("1", "2") == [{KEY: "key.of.1"}, {KEY: "key.of.2"}]


def test_the_second_alone_stays_the_second() -> None:
    assert tunnels("2") == [{}, {KEY: "key.of.2"}]


def test_counting_from_zero() -> None:
    assert tunnels("0", "1") == [{KEY: "key.of.0"}, {KEY: "key.of.1"}]


def test_an_absurd_position_is_refused() -> None:
    with pytest.raises(ApiError) as caught:
        tunnels("1000000000")
    assert caught.value.code == "InvalidParameterValue"
    assert "Options.TunnelOptions" in caught.value.message
