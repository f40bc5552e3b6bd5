"""What counts as read of a request."""

from __future__ import annotations

from typing import Any

import pytest

from twinbore.api import codec
from twinbore.api.members import Members, read_all, unread


def request() -> Members:
    return Members({"A": 1, "B": Members({"C": 2, "D": [Members({"E": 3}), Members({"E": 4, "F": 5})]}), "G": ["x"]})


def test_nothing_is_read_at_first() -> None:
    assert list(unread(request())) == [("A",), ("B",), ("G",)]


def test_a_structure_is_as_well_read_as_its_members() -> None:
    given = request()
    assert (given["A"], given.get("G"), given.get("none", 7)) == (1, ["x"], 7)
    items = given["B"]["D"]
    assert list(unread(given)) == [("B", "C"), ("B", "D", 1, "E"), ("B", "D", 2, "E"), ("B", "D", 2, "F")]
    assert [item["E"] for item in items] == [3, 4]
    assert list(unread(given)) == [("B", "C"), ("B", "D", 2, "F")]


@pytest.mark.parametrize("look", [list, len, repr, Members.items, Members.values, lambda m: "A" in m])
def test_looking_at_what_is_there_reads_nothing(look: Any) -> None:
    given = request()
    look(given)
    assert len(list(unread(given))) == 3


def test_all_can_be_taken_as_read() -> None:
    given = request()
    read_all(given)
    assert not list(unread(given))


def test_a_path_is_named_as_the_client_has_written_it() -> None:
    operation = codec.service("ec2").operation_model("CreateVpnConnection")
    given = codec.parse(
        operation,
        [
            ("CustomerGatewayId", "cgw-1"),
            ("Type", "ipsec.1"),
            ("Options.TunnelOptions.2.Phase1DHGroupNumber.1.Value", "14"),
            ("TagSpecification.1.Tag.1.Key", "k"),
        ],
    )
    for name in ("CustomerGatewayId", "Type"):
        given.get(name)
    assert [codec.member_at(operation, path)[0] for path in unread(given)] == ["Options", "TagSpecification"]
    assert codec.member_at(operation, ("Options", "TunnelOptions", 1, "DPDTimeoutSeconds")) == (
        "Options.TunnelOptions.1.DPDTimeoutSeconds",
        "VpnTunnelOptionsSpecification",
    )
    tunnels = given["Options"]["TunnelOptions"]
    assert tunnels[1].get("Phase1DHGroupNumbers")
    assert given["TagSpecifications"][0]["Tags"]
    assert [codec.member_at(operation, path)[0] for path in unread(given)] == [
        "Options.TunnelOptions.2.Phase1DHGroupNumber.1.Value",
        "TagSpecification.1.Tag.1.Key",
    ]
