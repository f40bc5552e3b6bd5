"""Tunnel options on the wire: from a request's VpnTunnelOptionsSpecification to values, and back to TunnelOption.

A request names only what it wants changed from the default; what comes out of `parse_tunnel` is complete and obeys
every rule of the options' table (model/options.py), or the request is refused with the wire name of the member. A value
that AWS knows but that cannot be had here is UnsupportedOperation, so that no option is ever accepted without effect.

The pre-shared key is never put into a message.

References: EC2 API reference, `VpnTunnelOptionsSpecification`, `TunnelOption`; RFC 5282 (AES-GCM in IKE: IKEv2 only).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from ipaddress import IPv4Network
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.writer import Joined, Kept
from twinbore.model.addressing import inside_cidr_problem
from twinbore.model.options import PRE_SHARED_KEY, PRE_SHARED_KEY_RULE, LogOptions, TunnelOptions, problems
from twinbore.model.resources import VpnTunnel

_SCALARS: Final = {
    "Phase1LifetimeSeconds": "phase1_lifetime_seconds",
    "Phase2LifetimeSeconds": "phase2_lifetime_seconds",
    "RekeyMarginTimeSeconds": "rekey_margin_time_seconds",
    "RekeyFuzzPercentage": "rekey_fuzz_percentage",
    "ReplayWindowSize": "replay_window_size",
    "DPDTimeoutSeconds": "dpd_timeout_seconds",
    "DPDTimeoutAction": "dpd_timeout_action",
    "StartupAction": "startup_action",
    "EnableTunnelLifecycleControl": "enable_tunnel_lifecycle_control",
}
_LISTS: Final = {
    "IKEVersions": "ike_versions",
    "Phase1EncryptionAlgorithms": "phase1_encryption_algorithms",
    "Phase1IntegrityAlgorithms": "phase1_integrity_algorithms",
    "Phase1DHGroupNumbers": "phase1_dh_group_numbers",
    "Phase2EncryptionAlgorithms": "phase2_encryption_algorithms",
    "Phase2IntegrityAlgorithms": "phase2_integrity_algorithms",
    "Phase2DHGroupNumbers": "phase2_dh_group_numbers",
}
_WIRE_NAMES: Final = {member: name for name, member in _SCALARS.items()} | {
    member: name.removesuffix("s") for name, member in _LISTS.items()
}
"""Option → its name on the wire: lists are flattened, so theirs are in the singular (Phase1DHGroupNumber.1.Value)."""

_OUTPUT_NAMES: Final = {"DPDTimeoutSeconds": "DpdTimeoutSeconds", "DPDTimeoutAction": "DpdTimeoutAction"}
_OUTPUT_LISTS: Final = {"IKEVersions": "IkeVersions"}
"""Members that the output shape spells differently."""

KEPT_OPTIONS: Final = 256
"""Sets of options whose description is kept, 3 KiB each."""

LOG_FORMATS: Final = ("json", "text")
DEFAULTS: Final = TunnelOptions()


@dataclass(frozen=True, slots=True)
class TunnelRequest:
    """What a request wants of one tunnel. An inside CIDR or key of None is for the service to choose."""

    options: TunnelOptions = field(default_factory=TunnelOptions)
    inside_cidr: str | None = None
    pre_shared_key: str | None = field(default=None, repr=False)


def parse_tunnel(specification: Mapping[str, Any], prefix: str, before: TunnelOptions = DEFAULTS) -> TunnelRequest:
    """The request's specification of one tunnel, completed with what was `before`, or the defaults, and validated.

    `prefix` is the wire name of the specification (`TunnelOptions.1`). Raises `ApiError` naming the member.
    """
    _refuse_unavailable(specification, prefix)
    values: dict[str, Any] = {
        member: specification[name] for name, member in _SCALARS.items() if specification.get(name) is not None
    }
    for name, member in _LISTS.items():
        if specification.get(name):
            values[member] = _values(specification[name], f"{prefix}.{_WIRE_NAMES[member]}")
    options = replace(before, **values, log_options=_log_options(specification, prefix, before.log_options))
    for problem in problems(options):
        raise errors.invalid_value(f"{prefix}.{_WIRE_NAMES[problem.field]}", problem.value, problem.rule)
    if options.ike_versions == ("ikev1",) and all("GCM" in name for name in options.phase1_encryption_algorithms):
        raise errors.combination(
            f"{prefix}.Phase1EncryptionAlgorithm: IKEv1 has no AES-GCM in phase 1: permit AES128 or AES256 too, "
            f"or ikev2 in {prefix}.IKEVersion"
        )
    return TunnelRequest(options, _inside_cidr(specification, prefix), _pre_shared_key(specification, prefix))


def describe_tunnel(tunnel: VpnTunnel, pre_shared_key: str | None) -> Joined:
    """The TunnelOption shape: everything that is in force, the key where there is one."""
    own = {
        "OutsideIpAddress": tunnel.outside_address,
        "TunnelInsideCidr": tunnel.inside_cidr,
        "PreSharedKey": pre_shared_key,
    }
    return Joined(own, _written_options(tunnel.options))


@lru_cache(KEPT_OPTIONS)
def _written_options(options: TunnelOptions) -> Kept:
    """Most tunnels have the same."""
    return Kept(partial(describe_options, options))


def describe_options(options: TunnelOptions) -> dict[str, Any]:
    """The members of the TunnelOption shape that show options."""
    shape: dict[str, Any] = {}
    for name, member in _SCALARS.items():
        shape[_OUTPUT_NAMES.get(name, name)] = getattr(options, member)
    for name, member in _LISTS.items():
        shape[_OUTPUT_LISTS.get(name, name)] = [{"Value": value} for value in getattr(options, member)]
    logs = options.log_options
    cloud_watch = {
        "LogEnabled": logs.log_enabled,
        "LogGroupArn": logs.log_group_arn,
        "LogOutputFormat": logs.log_output_format,
        "BgpLogEnabled": logs.bgp_log_enabled,
        "BgpLogGroupArn": logs.bgp_log_group_arn,
        "BgpLogOutputFormat": logs.bgp_log_output_format,
    }
    shape["LogOptions"] = {"CloudWatchLogOptions": {k: v for k, v in cloud_watch.items() if v is not None}}
    return shape


def specify_tunnel(options: TunnelOptions) -> dict[str, Any]:
    """The specification from which `parse_tunnel` makes these options: every member, whatever the defaults are."""
    scalars = {name: getattr(options, member) for name, member in _SCALARS.items()}
    lists = {name: [{"Value": value} for value in getattr(options, member)] for name, member in _LISTS.items()}
    formats = {
        "LogOutputFormat": options.log_options.log_output_format,
        "BgpLogOutputFormat": options.log_options.bgp_log_output_format,
    }
    return {**scalars, **lists, "LogOptions": {"CloudWatchLogOptions": formats}}


def _refuse_unavailable(specification: Mapping[str, Any], prefix: str) -> None:
    if specification.get("TunnelInsideIpv6Cidr"):
        raise errors.combination(
            f"{prefix}.TunnelInsideIpv6Cidr: An ipv6 inside cidr is not allowed for VPNs using an ipv4 inside ip "
            "version. Leave it out."
        )
    for name in ("Phase1AdditionalKeyExchanges", "Phase2AdditionalKeyExchanges"):
        if specification.get(name):
            raise errors.unsupported(
                f"{prefix}.{name.removesuffix('s')}: additional key exchanges (post-quantum, RFC 9370) are not "
                f"available here. Leave them out; the groups of {prefix}.Phase1DHGroupNumber and "
                f"{prefix}.Phase2DHGroupNumber are what a tunnel can negotiate."
            )


def _values(items: list[dict[str, Any]], name: str) -> tuple[Any, ...]:
    for number, item in enumerate(items, 1):
        if item.get("Value") is None:
            raise errors.missing_parameter(f"{name}.{number}.Value")
    return tuple(dict.fromkeys(item["Value"] for item in items))


def _inside_cidr(specification: Mapping[str, Any], prefix: str) -> str | None:
    text: str | None = specification.get("TunnelInsideCidr")
    if text is None:
        return None
    rule = inside_cidr_problem(text)
    if rule is not None:
        raise errors.invalid_value(f"{prefix}.TunnelInsideCidr", text, rule)
    return str(IPv4Network(text))


def _pre_shared_key(specification: Mapping[str, Any], prefix: str) -> str | None:
    key: str | None = specification.get("PreSharedKey")
    if key is not None and PRE_SHARED_KEY.match(key) is None:
        raise errors.ApiError(
            "InvalidParameterValue",
            f"Value for parameter {prefix}.PreSharedKey is invalid. Allowed: {PRE_SHARED_KEY_RULE}.",
        )
    return key


def _log_options(specification: Mapping[str, Any], prefix: str, before: LogOptions) -> LogOptions:
    given: Mapping[str, Any] = (specification.get("LogOptions") or {}).get("CloudWatchLogOptions") or {}
    name = f"{prefix}.LogOptions.CloudWatchLogOptions"
    for kind in ("", "Bgp"):
        if given.get(f"{kind}LogEnabled"):
            raise errors.unsupported(
                f"{name}.{kind}LogEnabled: there are no CloudWatch log groups here. Leave it out or false; what "
                "tunnels and sessions do is in the service's own log."
            )
        if given.get(f"{kind}LogGroupArn") is not None:
            raise errors.combination(f"{name}.{kind}LogGroupArn needs {name}.{kind}LogEnabled to be true.")
        written = given.get(f"{kind}LogOutputFormat")
        if written is not None and written not in LOG_FORMATS:
            raise errors.invalid_value(f"{name}.{kind}LogOutputFormat", written, "one of " + ", ".join(LOG_FORMATS))
    return LogOptions(
        log_output_format=given.get("LogOutputFormat") or before.log_output_format,
        bgp_log_output_format=given.get("BgpLogOutputFormat") or before.bgp_log_output_format,
    )
