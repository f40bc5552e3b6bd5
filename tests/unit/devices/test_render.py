"""Configurations of every type: header, real options, what is never in them, errors in words, scripts of a shell."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.unit.devices.cases import ALL, Case, usual
from tests.unit.devices.samples import KEYS, LAN, NOW, connection_view, view_for
from twinbore.devices.catalogue import DeviceType, device_types, find
from twinbore.devices.errors import DeviceCannot, IkeVersionNotOffered, SampleTypeNotOffered, UnknownDeviceType
from twinbore.devices.render import SampleType, device_configuration
from twinbore.devices.view import ConnectionView
from twinbore.model.desired import Bfd
from twinbore.model.options import TunnelOptions
from twinbore.model.site import Site

GENERIC = "9005b6c1"
KERNEL_ESP = "7c1e40a9"
USER_SPACE_ESP = "d3925bf6"
SCRIPTS = [device for device in device_types() if device.suffix == ".sh"]
BGP = [device for device in device_types() if "bgp" in device.routing]

every_type = pytest.mark.parametrize("device", device_types(), ids=lambda device: device.id)
every_case = pytest.mark.parametrize("case", ALL, ids=str)


def configuration(
    view: ConnectionView, device_id: str, ike_version: str = "ikev2", sample_type: SampleType | None = None
) -> str:
    return device_configuration(view, device_id, ike_version, sample_type, now=NOW)


@every_case
def test_every_case_has_ids_time_keys_addresses_and_a_warning(case: Case) -> None:
    text = case.text()
    header = "\n".join(text.splitlines()[:40])
    for identifier in ("vpn-0a1b2c3d4e5f60718", "vgw-00000000000000002", "cgw-00000000000000001"):
        assert identifier in header
    assert "2026-11-24 00:00:00 UTC" in header
    assert case.device.name in header
    assert "pre-shared keys in clear text" in header.lower()
    for word in (*KEYS, "203.0.113.10", "198.51.100.10"):
        assert word in text
    assert text.index(KEYS[0]) < text.index(KEYS[1])
    if case.device.mode == "route":
        assert "169.254.10.2" in text
        assert "169.254.20.6" in text
    assert ("64512" in text) is (case.routing == "bgp")


@every_case
def test_no_line_has_an_unfilled_place(case: Case) -> None:
    for line in case.text().splitlines():
        assert not re.search(r"\bNone\b|\{\{|\}\}|\bUndefined\b", line), line
        assert line == line.rstrip(), repr(line)


@every_type
def test_comments_come_in_both_languages_and_the_rest_stays(device: DeviceType) -> None:
    case = usual(device)
    english, japanese = (case.text(Site(announce=(LAN,), language=language)) for language in ("en", "ja"))
    assert re.search(r"[ぁ-んァ-ヶ一-龠]", english) is None
    assert re.search(r"[ぁ-ん]", japanese) is not None
    if device.kind in {"cli", "file", "script"}:
        assert code(english, device) == code(japanese, device)


def code(text: str, device: DeviceType) -> list[str]:
    """The lines that are not comments, those of a configuration inside another file included."""
    marks = (device.comment[0].strip(), "!")
    return [line for line in text.splitlines() if line.strip() and not line.strip().startswith(marks)]


@every_type
@pytest.mark.parametrize("keys", ["redacted", "reference"])
def test_keys_and_passwords_can_be_left_out(device: DeviceType, keys: str) -> None:
    password = "s3cret" if "bgp" in device.routing and device.bgp_password else ""
    text = usual(device).text(Site(announce=(LAN,), keys=keys), bgp_password=password)
    assert not any(secret in text for secret in (*KEYS, "s3cret"))
    assert ("REDACTED" if keys == "redacted" else "KEY_OF_vpn-0a1b2c3d4e5f60718_TUNNEL_2") in text


@pytest.mark.parametrize("device", [d for d in BGP if d.bgp_password], ids=lambda device: device.id)
def test_the_password_of_a_session_is_in_the_configuration_once(device: DeviceType) -> None:
    assert usual(device, "bgp").text(bgp_password="s3cret").count("s3cret") == 1


@every_type
def test_interface_names_are_those_of_the_site(device: DeviceType) -> None:
    if device.kind == "script" or device.id == GENERIC:
        return
    text = usual(device).text(Site(announce=(LAN,), outside_interface="outside0/7", inside_interface="inside0/8"))
    assert "outside0/7" in text
    assert device.outside_interface not in {line.strip() for line in text.splitlines()}


def test_json_and_yaml_are_what_they_say(tmp_path: Path) -> None:
    for case in ALL:
        if case.device.suffix == ".json":
            values = json.loads(case.text(Site(announce=(LAN,), language="ja")))
            assert [tunnel["key"] for tunnel in values["tunnels"]] == list(KEYS)
        elif case.device.suffix == ".yml":
            (play,) = yaml.safe_load(case.text())
            assert all(len(task) == 2 for task in play["tasks"])


@pytest.mark.parametrize("case", [case for case in ALL if case.device.suffix == ".tf"], ids=str)
def test_braces_of_terraform_s_blocks_are_balanced(case: Case) -> None:
    depth = 0
    for line in case.text().splitlines():
        if not line.lstrip().startswith("#"):
            depth += line.count("{") - line.count("}")
            assert depth >= 0, line
    assert depth == 0


@pytest.mark.parametrize("device", SCRIPTS, ids=lambda device: device.id)
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_scripts_are_accepted_by_shells(device: DeviceType, shell: str, tmp_path: Path) -> None:
    for case in (case for case in ALL if case.device == device):
        text = case.text()
        assert text.startswith("#!/bin/sh\n")
        script = tmp_path / "customer.sh"
        script.write_text(text)
        checked = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, ""), str(case)


@pytest.mark.parametrize("device_type_id", [KERNEL_ESP, USER_SPACE_ESP])
@pytest.mark.parametrize("static", [False, True])
def test_the_strongswan_script_has_a_usage(device_type_id: str, static: bool, tmp_path: Path) -> None:
    script = tmp_path / "customer.sh"
    script.write_text(configuration(connection_view(static=static), device_type_id))
    usage = subprocess.run(["dash", str(script), "--help"], capture_output=True, text=True, check=False)
    assert usage.returncode == 0
    assert usage.stdout.startswith("Usage:")


def test_bfd_is_configured_only_where_the_connection_has_it() -> None:
    without = configuration(connection_view(), USER_SPACE_ESP)
    with_bfd = configuration(connection_view(bfd=Bfd(300, 3)), USER_SPACE_ESP)
    assert 'routing_daemons="zebra bgpd"' in without
    assert 'routing_daemons="zebra bfdd bgpd"' in with_bfd
    for line in (" neighbor GATEWAY bfd\n", "  transmit-interval 300\n", "  detect-multiplier 3\n"):
        assert line in with_bfd
        assert line not in without


def test_each_way_to_do_esp_has_its_own_arrangement() -> None:
    kernel = configuration(connection_view(), KERNEL_ESP)
    user = configuration(connection_view(), USER_SPACE_ESP)
    assert kernel.count("charon {\n") == 1
    assert {"if_id_in = 0x0a1b2c31", "if_id_in = 0x0a1b2c32"} <= {line.strip() for line in kernel.splitlines()}
    assert "kernel-libipsec kernel" not in kernel
    assert user.count("charon {\n") == 2
    assert user.count("kernel-libipsec kernel-netlink") == 2
    assert "if_id" not in user
    tables = re.findall(r"routing_table = (\d+)", user)
    assert len(set(tables)) == 2
    assert user.count("fwmark = 0x7c0a1b2c") == 2


@every_type
def test_names_of_tunnels_fit_the_device(device: DeviceType) -> None:
    if device.name_length < 14:
        assert "vpn-0a1b2c3d-1" not in usual(device).text()


def test_a_customer_gateway_without_an_address_identifies_itself_by_the_one_it_has() -> None:
    view = connection_view()
    identity = "            id = 192.0.2.2\n"
    assert identity in configuration(view, USER_SPACE_ESP)
    text = configuration(replace(view, customer_identity=None), USER_SPACE_ESP)
    assert "192.0.2.2" not in text


@pytest.mark.parametrize(
    ("device_type_id", "ike_version", "sample_type", "error", "said"),
    [
        ("00000000", "ikev2", None, UnknownDeviceType, "no device type has the id '00000000'"),
        (GENERIC, "ikev3", None, IkeVersionNotOffered, "speaks ikev1, ikev2, not 'ikev3'"),
        (GENERIC, "ikev1", "recommended", SampleTypeNotOffered, "ask for ikev2"),
        (GENERIC, "ikev2", "best", SampleTypeNotOffered, "'best' is not one of compatibility, recommended"),
    ],
)
def test_what_is_not_on_offer_is_refused_in_words(
    device_type_id: str, ike_version: str, sample_type: SampleType, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=re.escape(said)):
        configuration(connection_view(), device_type_id, ike_version, sample_type)


def test_an_ike_version_that_a_tunnel_does_not_allow_is_refused() -> None:
    view = connection_view(options=TunnelOptions(ike_versions=("ikev2",)))
    with pytest.raises(IkeVersionNotOffered, match=r"tunnel 1 of vpn-0a1b2c3d4e5f60718 allows ikev2 only"):
        configuration(view, GENERIC, "ikev1")


def test_what_the_device_cannot_do_is_told_for_both_tunnels_at_once() -> None:
    fortios_5 = find("9d9470de")
    assert fortios_5 is not None
    options = TunnelOptions(phase1_encryption_algorithms=("AES256-GCM-16",), phase2_dh_group_numbers=(22,))
    with pytest.raises(DeviceCannot, match="Fortinet Fortigate 40") as caught:
        configuration(view_for(fortios_5, "bgp", options), fortios_5.id)
    assert [change.split(" to allow")[0] for change in caught.value.changes] == [
        "tunnel 1: Phase1EncryptionAlgorithms",
        "tunnel 1: Phase2DHGroupNumbers",
        "tunnel 2: Phase1EncryptionAlgorithms",
        "tunnel 2: Phase2DHGroupNumbers",
    ]


def test_bfd_on_a_device_without_it_is_something_to_change() -> None:
    with pytest.raises(DeviceCannot, match="twinbore:bfd to off"):
        configuration(connection_view(bfd=Bfd(300, 3)), "2b2c1a73")


def test_a_device_with_one_group_for_both_phases_gets_one_that_both_allow() -> None:
    yamaha = find("e7a2d626")
    assert yamaha is not None
    options = TunnelOptions(phase1_dh_group_numbers=(2, 14), phase2_dh_group_numbers=(2, 5))
    text = configuration(view_for(yamaha, "bgp", options), yamaha.id, "ikev1")
    assert text.count("modp1024") == 2
    apart = TunnelOptions(phase1_dh_group_numbers=(14,), phase2_dh_group_numbers=(2, 5))
    with pytest.raises(DeviceCannot, match=r"Phase\dDHGroupNumbers to allow one of"):
        configuration(view_for(yamaha, "bgp", apart), yamaha.id, "ikev1")
