"""`twinbore device`: the catalogue, and configurations from an installation that does not run."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.unit.devices.samples import KEYS, connection_view
from tests.unit.sample import NOW
from twinbore.cli import config_file
from twinbore.cli.main import main
from twinbore.cli.paths import Paths
from twinbore.model import resources as r
from twinbore.model.settings import Settings
from twinbore.store.database import connect, sqlite_url
from twinbore.store.migrate import upgrade
from twinbore.store.secrets import SecretBox, load_master_key

VPN = "vpn-0a1b2c3d4e5f60718"
FORTIOS = "9d9470de"


@pytest.fixture
def installed(tmp_path: Path) -> Paths:
    """An installation with one connection, to a gateway that is attached to the VPC 10.0.0.0/16."""
    paths = Paths(tmp_path)
    paths.run.mkdir(parents=True)
    config_file.save(Settings(), paths.settings)
    database = connect(sqlite_url(paths.database), SecretBox(load_master_key(paths.master_key, create=True)))
    upgrade(database.engine)
    view = connection_view()
    account = view.connection.account_id
    with database.write() as tx:
        tx.insert(r.Account(account, NOW))
        tx.insert(r.Vpc("vpc-00000000000000001", account, "10.0.0.0/16", "available", NOW))
        tx.insert(r.VpnGateway("vgw-00000000000000002", account, "available", "ipsec.1", 64512, 1, None, NOW))
        tx.insert(r.VpnGatewayAttachment("vgw-00000000000000002", account, "vpc-00000000000000001", "attached", NOW))
        tx.insert(view.customer_gateway)
        tx.insert(view.connection)
        for one in view.tunnels:
            tx.insert(one.tunnel)
            tx.put_secret(one.tunnel.id, "pre_shared_key", one.pre_shared_key)
    database.close()
    return paths


def invoke(paths: Paths, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["device", *arguments, "--state", str(paths.state)])


def test_types_are_listed_and_one_vendor_s_alone() -> None:
    everything = CliRunner().invoke(main, ["device", "list"])
    assert everything.exit_code == 0
    assert FORTIOS in everything.stdout
    assert "80 device types" in everything.stderr
    listed = json.loads(CliRunner().invoke(main, ["device", "list", "--vendor", "fortinet", "--json"]).stdout)
    assert {device["vendor"] for device in listed} == {"Fortinet"}
    unknown = CliRunner().invoke(main, ["device", "list", "--vendor", "Nobody"])
    assert unknown.exit_code == 1
    assert "Yamaha" in unknown.stderr


def test_a_type_says_what_it_can_do() -> None:
    shown = CliRunner().invoke(main, ["device", "show", "2b2c1a73"])
    assert shown.exit_code == 0
    assert "phase 1 ikev2 encryption          AES128, AES256" in shown.stdout
    assert "FortiOS 4.0 MR3 CLI Reference" in shown.stdout
    assert CliRunner().invoke(main, ["device", "show", "00000000"]).exit_code == 1


def test_a_configuration_is_written_with_the_options_given(installed: Paths, tmp_path: Path) -> None:
    file = tmp_path / "site.conf"
    options = ["--announce", "192.168.1.0/24", "--announce", "192.168.2.0/24", "--outside-interface", "wan7"]
    done = invoke(installed, "render", VPN, FORTIOS, *options, "--output", str(file))
    assert done.exit_code == 0, done.output
    text = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert all(key in text for key in KEYS)
    assert 'set interface "wan7"' in text
    assert "set prefix 192.168.2.0 255.255.255.0" in text
    assert "clear text" in done.stdout
    again = invoke(installed, "render", VPN, FORTIOS, "--output", str(file))
    assert again.exit_code == 1
    assert "File exists" in again.stderr


def test_tags_are_the_options_unless_others_are_given(installed: Paths) -> None:
    database = connect(sqlite_url(installed.database), SecretBox(load_master_key(installed.master_key, create=False)))
    with database.write() as tx:
        for resource, kind, key, value in (
            ("cgw-00000000000000001", "customer-gateway", "twinbore:device-outside-interface", "wan3"),
            (VPN, "vpn-connection", "twinbore:device-keys", "redacted"),
        ):
            tx.insert(r.Tag(f"{resource}/{key}", "123456789012", resource, kind, key, value))
    database.close()
    text = invoke(installed, "render", VPN, FORTIOS).stdout
    assert 'set interface "wan3"' in text
    assert "REDACTED" in text
    text = invoke(installed, "render", VPN, FORTIOS, "--keys", "clear").stdout
    assert KEYS[0] in text


def test_check_says_what_would_be_negotiated_and_writes_nothing(installed: Paths) -> None:
    done = invoke(installed, "render", VPN, FORTIOS, "--check")
    assert done.exit_code == 0
    assert "can do it: ikev2, bgp" in done.stdout
    assert "phase 1 AES256, SHA2-512, group 20" in done.stdout
    assert not any(key in done.stdout for key in KEYS)
    refused = invoke(installed, "render", VPN, "c41e7d58", "--check")
    assert refused.exit_code == 1
    assert "  StaticRoutesOnly to true" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["vpn-00000000000000000", FORTIOS], VPN),
        ([VPN, "00000000"], "twinbore device list shows them"),
        ([VPN, FORTIOS, "--ike", "ikev1", "--suite", "recommended"], "for ikev2 only"),
        ([VPN, FORTIOS, "--announce", "192.168.1.1/24"], "without host bits"),
        ([VPN, FORTIOS, "--outside-interface", 'wan"1'], "interface's name"),
    ],
)
def test_bad_input_is_refused_in_words(installed: Paths, arguments: list[str], said: str) -> None:
    done = invoke(installed, "render", *arguments)
    assert done.exit_code == 1
    assert said in done.stderr
    assert done.stdout == ""
