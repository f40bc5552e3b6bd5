"""Sample configurations: errors, headers, options, and scripts that a shell accepts."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from tests.unit.devices.samples import KEYS, connection_view
from twinbore.devices.catalogue import DEVICE_TYPES, DeviceType, find
from twinbore.devices.errors import IkeVersionNotOffered, SampleTypeNotOffered, UnknownDeviceType
from twinbore.devices.render import SampleType, sample_configuration
from twinbore.model.desired import Bfd
from twinbore.model.options import TunnelOptions

GENERIC = "9005b6c1"
KERNEL_ESP = "7c1e40a9"
USER_SPACE_ESP = "d3925bf6"
SCRIPTS = (KERNEL_ESP, USER_SPACE_ESP, "51cb26fd")
EVERY_SAMPLE: tuple[tuple[str, SampleType], ...] = (
    ("ikev1", "compatibility"),
    ("ikev2", "compatibility"),
    ("ikev2", "recommended"),
)


def test_ids_are_unique_and_have_their_form() -> None:
    ids = [device.id for device in DEVICE_TYPES]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[0-9a-f]{8}", identifier) for identifier in ids)


def test_the_ids_that_aws_gives_out_mean_the_same_here() -> None:
    generic, strongswan = find(GENERIC), find("51cb26fd")
    assert generic is not None
    assert (generic.vendor, generic.software) == ("Generic", "Vendor Agnostic")
    assert strongswan is not None
    assert (strongswan.vendor, strongswan.platform) == ("Strongswan", "Ubuntu 16.04")


@pytest.mark.parametrize("device", DEVICE_TYPES, ids=lambda device: device.id)
def test_the_password_of_a_session_is_in_every_sample_once(device: DeviceType) -> None:
    view = connection_view()
    first = replace(view.tunnels[0], bgp_password="s3cret")
    text = sample_configuration(replace(view, tunnels=(first, view.tunnels[1])), device.id, "ikev2", "compatibility")
    assert text.count("s3cret") == 1
    assert "assword" not in sample_configuration(view, device.id, "ikev2", "compatibility").replace("a password", "")


def test_templates_are_where_an_installed_package_has_them() -> None:
    root = files("twinbore.devices") / "templates"
    assert all((root / device.template).is_file() for device in DEVICE_TYPES)


@pytest.mark.parametrize("device", DEVICE_TYPES, ids=lambda device: device.id)
@pytest.mark.parametrize(("ike_version", "sample_type"), EVERY_SAMPLE)
@pytest.mark.parametrize("static", [False, True])
def test_every_sample_has_ids_keys_addresses_and_a_warning(
    device: DeviceType, ike_version: str, sample_type: SampleType, static: bool
) -> None:
    view = connection_view(static=static)
    text = sample_configuration(view, device.id, ike_version, sample_type)
    header = "\n".join(text.splitlines()[:20])
    for identifier in ("vpn-0a1b2c3d4e5f60718", "vgw-00000000000000002", "cgw-00000000000000001"):
        assert identifier in header
    assert "pre-shared keys in clear text" in header.lower()
    for word in (*KEYS, "203.0.113.10", "198.51.100.10", "169.254.10.2/30", "169.254.20.6/30", ike_version):
        assert word in text
    assert text.index(KEYS[0]) < text.index(KEYS[1])
    assert ("64512" in text) is not static


@pytest.mark.parametrize("device_type_id", SCRIPTS)
@pytest.mark.parametrize(("ike_version", "sample_type"), EVERY_SAMPLE)
@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_scripts_are_accepted_by_shells(
    device_type_id: str, ike_version: str, sample_type: SampleType, static: bool, shell: str, tmp_path: Path
) -> None:
    view = connection_view(static=static, bfd=None if static else Bfd(300, 3))
    text = sample_configuration(view, device_type_id, ike_version, sample_type)
    assert text.startswith("#!/bin/sh\n")
    script = tmp_path / "customer.sh"
    script.write_text(text)
    checked = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    usage = subprocess.run([shell, str(script), "--help"], capture_output=True, text=True, check=False)
    assert usage.returncode == 0
    assert usage.stdout.startswith("Usage:")


def test_bfd_is_configured_only_where_the_connection_has_it() -> None:
    without = sample_configuration(connection_view(), USER_SPACE_ESP, "ikev2", "recommended")
    with_bfd = sample_configuration(connection_view(bfd=Bfd(300, 3)), USER_SPACE_ESP, "ikev2", "recommended")
    assert 'routing_daemons="zebra bgpd"' in without
    assert 'routing_daemons="zebra bfdd bgpd"' in with_bfd
    for line in (" neighbor GATEWAY bfd\n", "  transmit-interval 300\n", "  detect-multiplier 3\n"):
        assert line in with_bfd
        assert line not in without


def test_each_way_to_do_esp_has_its_own_arrangement() -> None:
    kernel = sample_configuration(connection_view(), KERNEL_ESP, "ikev2", "recommended")
    user = sample_configuration(connection_view(), USER_SPACE_ESP, "ikev2", "recommended")
    assert kernel.count("charon {\n") == 1
    assert {"if_id_in = 0x0a1b2c31", "if_id_in = 0x0a1b2c32"} <= {line.strip() for line in kernel.splitlines()}
    assert "kernel-libipsec" not in kernel
    assert user.count("charon {\n") == 2
    assert user.count("kernel-libipsec kernel-netlink") == 2
    assert "if_id" not in user
    tables = re.findall(r"routing_table = (\d+)", user)
    assert len(set(tables)) == 2
    assert user.count("fwmark = 0x7c0a1b2c") == 2


@pytest.mark.parametrize("device_type_id", SCRIPTS)
def test_interface_names_fit_the_kernel(device_type_id: str) -> None:
    text = sample_configuration(connection_view(), device_type_id, "ikev2", "recommended")
    names = re.findall(r"interface=(x\S+)", text)
    assert all(len(name) <= 15 for name in names)


def test_a_customer_gateway_without_an_address_identifies_itself_by_the_one_it_has() -> None:
    view = connection_view()
    anonymous = replace(view, customer_identity=None)
    identity = "            id = 192.0.2.2\n"
    assert identity in sample_configuration(view, USER_SPACE_ESP, "ikev2", "recommended")
    text = sample_configuration(anonymous, USER_SPACE_ESP, "ikev2", "recommended")
    assert "192.0.2.2" not in text
    assert "None" not in text


@pytest.mark.parametrize(
    ("device_type_id", "ike_version", "sample_type", "error", "said"),
    [
        ("00000000", "ikev2", "compatibility", UnknownDeviceType, "no device type has the id '00000000'"),
        (GENERIC, "ikev3", "compatibility", IkeVersionNotOffered, "speaks ikev1, ikev2, not 'ikev3'"),
        (GENERIC, "ikev1", "recommended", SampleTypeNotOffered, "ask for ikev2"),
        (GENERIC, "ikev2", "best", SampleTypeNotOffered, "'best' is not one of compatibility, recommended"),
    ],
)
def test_what_is_not_on_offer_is_refused_in_words(
    device_type_id: str, ike_version: str, sample_type: SampleType, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=re.escape(said)):
        sample_configuration(connection_view(), device_type_id, ike_version, sample_type)


def test_an_ike_version_that_a_tunnel_does_not_allow_is_refused() -> None:
    view = connection_view(options=TunnelOptions(ike_versions=("ikev2",)))
    with pytest.raises(IkeVersionNotOffered, match=r"tunnel 1 of vpn-0a1b2c3d4e5f60718 allows ikev2 only"):
        sample_configuration(view, GENERIC, "ikev1", "compatibility")


def test_ikev1_is_refused_where_phase_1_allows_gcm_only() -> None:
    view = connection_view(options=TunnelOptions(phase1_encryption_algorithms=("AES256-GCM-16",)))
    with pytest.raises(IkeVersionNotOffered, match="tunnel 1: phase 1 allows AES-GCM only"):
        sample_configuration(view, USER_SPACE_ESP, "ikev1", "compatibility")
