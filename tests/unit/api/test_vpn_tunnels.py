"""Tunnel options: from the wire to values and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinbore.api.errors import ApiError
from twinbore.api.ops.vpn_tunnels import TunnelRequest, describe_options, describe_tunnel, parse_tunnel
from twinbore.model.options import (
    DPD_TIMEOUT_ACTIONS,
    ENCRYPTION_ALGORITHMS,
    IKE_VERSIONS,
    INTEGRITY_ALGORITHMS,
    PHASE1_DH_GROUPS,
    PHASE2_DH_GROUPS,
    LogOptions,
    TunnelOptions,
    problems,
)
from twinbore.model.resources import VpnTunnel

PREFIX = "TunnelOptions.2"


def parse(**specification: Any) -> TunnelRequest:
    return parse_tunnel(specification, PREFIX)


def refusal(**specification: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        parse(**specification)
    return caught.value


def values(*items: object) -> list[dict[str, object]]:
    return [{"Value": item} for item in items]


def test_nothing_given_is_every_default() -> None:
    assert parse() == TunnelRequest(TunnelOptions(), None, None)


def test_every_option_is_taken_over() -> None:
    wanted = parse(
        TunnelInsideCidr="169.254.10.0/30",
        PreSharedKey="a.key_of_mine",
        Phase1LifetimeSeconds=3600,
        Phase2LifetimeSeconds=1800,
        RekeyMarginTimeSeconds=900,
        RekeyFuzzPercentage=0,
        ReplayWindowSize=64,
        DPDTimeoutSeconds=30,
        DPDTimeoutAction="restart",
        StartupAction="start",
        EnableTunnelLifecycleControl=True,
        IKEVersions=values("ikev2"),
        Phase1EncryptionAlgorithms=values("AES256-GCM-16", "AES256"),
        Phase1IntegrityAlgorithms=values("SHA2-384"),
        Phase1DHGroupNumbers=values(20, 21),
        Phase2EncryptionAlgorithms=values("AES256"),
        Phase2IntegrityAlgorithms=values("SHA2-512"),
        Phase2DHGroupNumbers=values(5),
        LogOptions={"CloudWatchLogOptions": {"LogEnabled": False, "LogOutputFormat": "text"}},
    )
    assert wanted == TunnelRequest(
        TunnelOptions(
            ike_versions=("ikev2",),
            phase1_encryption_algorithms=("AES256-GCM-16", "AES256"),
            phase1_integrity_algorithms=("SHA2-384",),
            phase1_dh_group_numbers=(20, 21),
            phase2_encryption_algorithms=("AES256",),
            phase2_integrity_algorithms=("SHA2-512",),
            phase2_dh_group_numbers=(5,),
            phase1_lifetime_seconds=3600,
            phase2_lifetime_seconds=1800,
            rekey_margin_time_seconds=900,
            rekey_fuzz_percentage=0,
            replay_window_size=64,
            dpd_timeout_seconds=30,
            dpd_timeout_action="restart",
            startup_action="start",
            enable_tunnel_lifecycle_control=True,
            log_options=LogOptions(log_output_format="text"),
        ),
        "169.254.10.0/30",
        "a.key_of_mine",
    )


def test_a_value_given_twice_counts_once() -> None:
    assert parse(Phase1DHGroupNumbers=values(20, 14, 20)).options.phase1_dh_group_numbers == (20, 14)


@pytest.mark.parametrize(
    ("member", "value", "wire_name", "rule"),
    [
        ("Phase1LifetimeSeconds", 899, "Phase1LifetimeSeconds", "900 to 28800"),
        ("Phase1LifetimeSeconds", 28801, "Phase1LifetimeSeconds", "900 to 28800"),
        ("Phase2LifetimeSeconds", 899, "Phase2LifetimeSeconds", "900 to 3600"),
        ("Phase2LifetimeSeconds", 3601, "Phase2LifetimeSeconds", "900 to 3600"),
        ("RekeyMarginTimeSeconds", 59, "RekeyMarginTimeSeconds", "60 to 1800"),
        ("RekeyMarginTimeSeconds", 1801, "RekeyMarginTimeSeconds", "60 to 1800"),
        ("RekeyFuzzPercentage", -1, "RekeyFuzzPercentage", "0 to 100"),
        ("RekeyFuzzPercentage", 101, "RekeyFuzzPercentage", "0 to 100"),
        ("ReplayWindowSize", 63, "ReplayWindowSize", "64 to 2048"),
        ("ReplayWindowSize", 2049, "ReplayWindowSize", "64 to 2048"),
        ("DPDTimeoutSeconds", 29, "DPDTimeoutSeconds", "30 to"),
        ("DPDTimeoutAction", "reset", "DPDTimeoutAction", "clear, none, restart"),
        ("StartupAction", "go", "StartupAction", "add, start"),
        ("IKEVersions", values("ikev3"), "IKEVersion", "ikev1, ikev2"),
        ("Phase1EncryptionAlgorithms", values("AES128", "3DES"), "Phase1EncryptionAlgorithm", "AES128, AES256"),
        ("Phase2EncryptionAlgorithms", values("aes128"), "Phase2EncryptionAlgorithm", "AES128, AES256"),
        ("Phase1IntegrityAlgorithms", values("MD5"), "Phase1IntegrityAlgorithm", "SHA1, SHA2-256"),
        ("Phase2IntegrityAlgorithms", values("SHA256"), "Phase2IntegrityAlgorithm", "SHA1, SHA2-256"),
        ("Phase1DHGroupNumbers", values(5), "Phase1DHGroupNumber", "2, 14, 15"),
        ("Phase1DHGroupNumbers", values(35), "Phase1DHGroupNumber", "2, 14, 15"),
        ("Phase2DHGroupNumbers", values(1), "Phase2DHGroupNumber", "2, 5, 14"),
        ("Phase2DHGroupNumbers", values(36), "Phase2DHGroupNumber", "2, 5, 14"),
        ("TunnelInsideCidr", "10.0.0.0/30", "TunnelInsideCidr", "169.254.0.0/16"),
        ("TunnelInsideCidr", "169.254.10.0/29", "TunnelInsideCidr", "/30"),
        ("TunnelInsideCidr", "169.254.10.1/30", "TunnelInsideCidr", "host bits"),
        ("TunnelInsideCidr", "169.254.5.0/30", "TunnelInsideCidr", "reserved"),
        ("TunnelInsideCidr", "169.254.169.252/30", "TunnelInsideCidr", "reserved"),
        ("TunnelInsideCidr", "nonsense", "TunnelInsideCidr", "/30"),
        (
            "LogOptions",
            {"CloudWatchLogOptions": {"BgpLogOutputFormat": "xml"}},
            "LogOptions.CloudWatchLogOptions.BgpLogOutputFormat",
            "json, text",
        ),
    ],
)
def test_a_bad_value_is_refused_with_its_wire_name_and_rule(
    member: str, value: object, wire_name: str, rule: str
) -> None:
    error = refusal(**{member: value})
    assert error.code == "InvalidParameterValue"
    assert f"{PREFIX}.{wire_name} " in error.message
    assert rule in error.message


def test_phase_2_must_be_shorter_than_phase_1() -> None:
    error = refusal(Phase1LifetimeSeconds=1800, Phase2LifetimeSeconds=1800)
    assert f"{PREFIX}.Phase2LifetimeSeconds" in error.message and "1800" in error.message


def test_the_default_of_phase_2_is_held_against_a_given_phase_1() -> None:
    assert f"{PREFIX}.Phase2LifetimeSeconds" in refusal(Phase1LifetimeSeconds=3600).message


def test_the_margin_is_at_most_half_of_phase_2() -> None:
    assert parse(Phase2LifetimeSeconds=1000, RekeyMarginTimeSeconds=500).options.rekey_margin_time_seconds == 500
    assert "half" in refusal(Phase2LifetimeSeconds=1000, RekeyMarginTimeSeconds=501).message


def test_starting_needs_ikev2() -> None:
    assert "ikev2" in refusal(StartupAction="start", IKEVersions=values("ikev1")).message


def test_ikev1_alone_with_nothing_but_gcm_in_phase_1_could_never_come_up() -> None:
    gcm = values("AES256-GCM-16", "AES128-GCM-16")
    assert refusal(IKEVersions=values("ikev1"), Phase1EncryptionAlgorithms=gcm).code == "InvalidParameterCombination"
    assert parse(Phase1EncryptionAlgorithms=gcm).options.ike_versions == IKE_VERSIONS


@pytest.mark.parametrize(
    "key", ["short.7", "0startswithzero", "has-hyphen", "has space", "x" * 65, "", "umlaut_ü_here"]
)
def test_a_bad_key_is_refused_without_being_repeated(key: str) -> None:
    error = refusal(PreSharedKey=key)
    assert error.code == "InvalidParameterValue"
    assert f"{PREFIX}.PreSharedKey is invalid" in error.message
    assert not key or key not in error.message


def test_a_request_does_not_show_its_key() -> None:
    assert "secret.key" not in repr(parse(PreSharedKey="secret.key"))


@pytest.mark.parametrize(
    ("specification", "code", "named"),
    [
        ({"TunnelInsideIpv6Cidr": "fd00::/126"}, "InvalidParameterCombination", "TunnelInsideIpv6Cidr"),
        (
            {"Phase1AdditionalKeyExchanges": [{"AdditionalKeyExchangeRound": 1, "KeyExchangeMethods": values(36)}]},
            "UnsupportedOperation",
            "Phase1AdditionalKeyExchange",
        ),
        (
            {"Phase2AdditionalKeyExchanges": [{"AdditionalKeyExchangeRound": 1}]},
            "UnsupportedOperation",
            "Phase2AdditionalKeyExchange",
        ),
        (
            {"LogOptions": {"CloudWatchLogOptions": {"LogEnabled": True, "LogGroupArn": "arn"}}},
            "UnsupportedOperation",
            "LogOptions.CloudWatchLogOptions.LogEnabled",
        ),
        (
            {"LogOptions": {"CloudWatchLogOptions": {"BgpLogEnabled": True}}},
            "UnsupportedOperation",
            "LogOptions.CloudWatchLogOptions.BgpLogEnabled",
        ),
        (
            {"LogOptions": {"CloudWatchLogOptions": {"LogGroupArn": "arn"}}},
            "InvalidParameterCombination",
            "LogOptions.CloudWatchLogOptions.LogGroupArn",
        ),
        ({"IKEVersions": [{"Value": "ikev2"}, {}]}, "MissingParameter", "IKEVersion.2.Value"),
    ],
)
def test_what_cannot_be_had_is_refused_by_name(specification: dict[str, Any], code: str, named: str) -> None:
    error = refusal(**specification)
    assert error.code == code
    assert f"{PREFIX}.{named}" in error.message


def subsets(allowed: tuple[Any, ...]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(st.sampled_from(allowed), min_size=1, unique=True).map(tuple)


OPTIONS = st.builds(
    TunnelOptions,
    ike_versions=subsets(IKE_VERSIONS),
    phase1_encryption_algorithms=subsets(("AES128", *ENCRYPTION_ALGORITHMS[1:])),
    phase1_integrity_algorithms=subsets(INTEGRITY_ALGORITHMS),
    phase1_dh_group_numbers=subsets(PHASE1_DH_GROUPS),
    phase2_encryption_algorithms=subsets(ENCRYPTION_ALGORITHMS),
    phase2_integrity_algorithms=subsets(INTEGRITY_ALGORITHMS),
    phase2_dh_group_numbers=subsets(PHASE2_DH_GROUPS),
    phase1_lifetime_seconds=st.integers(3601, 28800),
    phase2_lifetime_seconds=st.integers(900, 3600),
    rekey_margin_time_seconds=st.integers(60, 450),
    rekey_fuzz_percentage=st.integers(0, 100),
    replay_window_size=st.integers(64, 2048),
    dpd_timeout_seconds=st.integers(30, 600),
    dpd_timeout_action=st.sampled_from(DPD_TIMEOUT_ACTIONS),
    enable_tunnel_lifecycle_control=st.booleans(),
).filter(lambda o: not problems(o) and (o.ike_versions != ("ikev1",) or "AES128" in o.phase1_encryption_algorithms))

INPUT_SPELLING = {
    "DpdTimeoutSeconds": "DPDTimeoutSeconds",
    "DpdTimeoutAction": "DPDTimeoutAction",
    "IkeVersions": "IKEVersions",
}


@given(OPTIONS)
def test_what_is_described_parses_to_the_same_options(options: TunnelOptions) -> None:
    tunnel = VpnTunnel("vpn-1-1", "1", "vpn-1", 1, 1001, "203.0.113.1", "203.0.113.1", "169.254.10.0/30", options)
    own, shared = describe_tunnel(tunnel, "some.key")
    assert describe_tunnel(replace(tunnel, id="vpn-2-1"), None).shared is shared
    shape = own | describe_options(options)
    assert shape.pop("OutsideIpAddress") == "203.0.113.1"
    specification = {INPUT_SPELLING.get(name, name): value for name, value in shape.items()}
    assert parse_tunnel(specification, PREFIX) == TunnelRequest(options, "169.254.10.0/30", "some.key")
