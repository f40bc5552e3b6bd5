"""Documents of connections: what they hold, and what a reader refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from tests.unit import sample, worldstore
from twinbore.api.ops.vpn_tunnels import parse_tunnel, specify_tunnel
from twinbore.api.transfer import TransferError, decode, encode, export
from twinbore.model import resources as r
from twinbore.model.options import LogOptions, TunnelOptions
from twinbore.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = worldstore.database(tmp_path)
    worldstore.fill(opened)
    yield opened
    opened.close()


def text_of(database: Database) -> bytes:
    with database.read() as tx:
        return encode(export(tx, sample.VPN))


def test_a_document_is_read_as_it_was_written(database: Database) -> None:
    text = text_of(database)
    assert encode(decode(text)) == text
    for part in ("first.key", "second.key", "203.0.113.2", "169.254.10.8/30", '"amazon_side_asn": 64512', sample.VPN):
        assert part in text.decode()


def test_options_are_specified_so_that_they_are_parsed_to_the_same() -> None:
    for options in (
        TunnelOptions(),
        replace(
            TunnelOptions(),
            ike_versions=("ikev2",),
            phase1_dh_group_numbers=(20,),
            phase2_encryption_algorithms=("AES256-GCM-16",),
            dpd_timeout_action="restart",
            startup_action="start",
            phase2_lifetime_seconds=1800,
            enable_tunnel_lifecycle_control=True,
            log_options=LogOptions(log_output_format="text"),
        ),
    ):
        assert parse_tunnel(specify_tunnel(options), "TunnelOptions.1").options == options


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b'"version": 1', b'"version": 2', "has version 2; this Twinbore reads version 1"),
        (b"twinbore-connection", b"terraform-state", "no exported connection"),
        (b'"paused"', b'"halted"', "halted"),
        (b'"routes": []', b'"routes": "10.0.0.0/8"', "routes"),
        (b'"tunnels": [', b'"tunnels": [], "tags": [', "tunnels"),
        (b"{", b"", "cannot be read"),
    ],
)
def test_what_is_not_understood_is_refused(database: Database, old: bytes, new: bytes, words: str) -> None:
    text = text_of(database)
    assert old in text
    with pytest.raises(TransferError, match=words):
        decode(text.replace(old, new, 1))


def test_a_connection_that_is_not_in_service_is_not_exported(database: Database) -> None:
    with database.write() as tx:
        tx.update(sample.connection(state="deleting"))
        with pytest.raises(TransferError, match="is deleting"):
            export(tx, sample.VPN)
        with pytest.raises(TransferError, match="'vpn-1' does not exist"):
            export(tx, "vpn-1")


def test_routes_that_are_being_deleted_stay_behind(database: Database) -> None:
    with database.write() as tx:
        for prefix, state in (("10.1.0.0/16", "available"), ("10.2.0.0/16", "deleting")):
            tx.insert(r.VpnStaticRoute(prefix, sample.ACCOUNT, sample.VPN, prefix, state, sample.NOW))
        assert export(tx, sample.VPN).vpn_connection.routes == ("10.1.0.0/16",)


def test_the_document_is_plain_json(database: Database) -> None:
    document = msgspec.json.decode(text_of(database))
    assert document["vpn_connection"]["request"]["Options"]["TunnelOptions"][0]["IKEVersions"] == [
        {"Value": "ikev1"},
        {"Value": "ikev2"},
    ]
    assert document["customer_gateway"]["request"] == {
        "Type": "ipsec.1",
        "BgpAsn": 65000,
        "IpAddress": "198.51.100.1",
    }
