"""Configurations for customer gateway devices: a device type's template over the customer's side of a connection.

Templates decide layout and syntax of one platform; what they show is computed once for all (`side`). In a template:

* `side`, `device`: the model (`CustomerSide`) and the type (`DeviceType`);
* `t(key, field=…)`: a sentence in the user's language (`words`);
* `note(key, field=…, indent=0)`: the same as comment lines in the device's syntax; `remark(text)` for a text as it is,
  with other marks where a configuration stands inside another file;
* `site_values`, `tunnels_values`: the model as named values (`values`);
* `sheet`: its fields with the connection's values, where the type is a sheet;
* `header()`: the comment that opens every file: ids, time, what it is for, how to treat the keys;
* the filters of the families' own words (`FILTERS`).

A variable that a template misspells is an error (StrictUndefined), never an empty line in a router's configuration.

References: EC2 API reference, GetVpnConnectionDeviceSampleConfiguration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from ipaddress import AddressValueError, IPv4Address
from typing import Any, Final, Literal, get_args

from jinja2 import Environment, PackageLoader, StrictUndefined

from twinbore.devices import strongswan
from twinbore.devices.catalogue import DeviceType, device_types, find
from twinbore.devices.comments import columns, comment
from twinbore.devices.errors import IkeVersionNotOffered, SampleTypeNotOffered, UnknownDeviceType
from twinbore.devices.sheet import fill
from twinbore.devices.side import HOLD_SECONDS, KEEPALIVE_SECONDS, CustomerSide, customer_side
from twinbore.devices.values import connection_values, tunnel_values
from twinbore.devices.view import ConnectionView
from twinbore.devices.words import words
from twinbore.model.site import Site

SampleType = Literal["compatibility", "recommended"]


def _is_ipv4(text: str) -> bool:
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "columns": columns,
    "is_ipv4": _is_ipv4,
    "strongswan_ike": strongswan.ike_proposal,
    "strongswan_esp": strongswan.esp_proposal,
}


def device_configuration(
    view: ConnectionView,
    device_type_id: str,
    ike_version: str,
    sample_type: str | None = None,
    *,
    site: Site | None = None,
    now: datetime,
) -> str:
    """The text for the device. `now` is the time that its header gives.

    Raises `UnknownDeviceType`, `IkeVersionNotOffered`, `SampleTypeNotOffered` or `DeviceCannot`.
    """
    device = find(device_type_id)
    if device is None:
        known = ", ".join(d.id for d in device_types())
        raise UnknownDeviceType(f"no device type has the id {device_type_id!r}; there are {known}")
    site = site or Site()
    return text_of(device_side(view, device, ike_version, sample_type, site=site, now=now), device, site.language)


def device_side(
    view: ConnectionView, device: DeviceType, ike_version: str, sample_type: str | None, *, site: Site, now: datetime
) -> CustomerSide:
    """The model behind the text. Raises `IkeVersionNotOffered`, `SampleTypeNotOffered` or `DeviceCannot`."""
    _check(view, device, ike_version, sample_type)
    return customer_side(view, device, ike_version, sample_type, site=site, now=now)


def text_of(side: CustomerSide, device: DeviceType, language: str) -> str:
    """The device's template over the model."""
    sentences = words(device.family, language)

    def t(key: str, **fields: object) -> str:
        return sentences[key].format(**fields)

    def remark(text: str, indent: int = 0, marks: tuple[str, str] | None = None) -> str:
        return comment(text, marks or device.comment, indent)

    def note(key: str, indent: int = 0, **fields: object) -> str:
        return remark(t(key, **fields), indent)

    def header() -> str:
        return remark(_header(side, device, t))

    return _environment().get_template(device.template).render(
        side=side,
        device=device,
        language=language,
        t=t,
        note=note,
        remark=remark,
        header=header,
        sheet=fill(device.sheet, side) if device.sheet is not None else None,
        site_values=connection_values(side),
        tunnels_values=[tunnel_values(side, tunnel) for tunnel in side.tunnels],
        keepalive=KEEPALIVE_SECONDS,
        hold=HOLD_SECONDS,
    )  # fmt: skip


def _header(side: CustomerSide, device: DeviceType, t: Callable[..., str]) -> str:
    facts = {
        "vpn_connection": side.connection_id,
        "vpn_gateway": side.vpn_gateway_id or t("none"),
        "customer_gateway": side.customer_gateway_id,
        "device": device.name,
        "ike_and_suite": f"{side.ike_version}, {t('suite_' + (side.sample_type or 'strongest'))}",
        "generated": side.generated_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
    }
    lines = [t("title"), ""]
    lines += [f"  {t(name)}: {value}" for name, value in facts.items()]
    lines += ["", t(f"keys_{side.keys}", connection=side.connection_id), "", t("two_tunnels")]
    return "\n".join(lines)


def _check(view: ConnectionView, device: DeviceType, ike_version: str, sample_type: str | None) -> None:
    if sample_type is not None and sample_type not in get_args(SampleType):
        raise SampleTypeNotOffered(f"sample type {sample_type!r} is not one of compatibility, recommended")
    if ike_version not in device.ike_versions:
        raise IkeVersionNotOffered(f"{device.name} speaks {', '.join(device.ike_versions)}, not {ike_version!r}")
    if sample_type == "recommended" and ike_version == "ikev1":
        raise SampleTypeNotOffered("the recommended sample is for ikev2 only: ask for ikev2, or for compatibility")
    for one in view.tunnels:
        options = one.tunnel.options
        if ike_version not in options.ike_versions:
            raise IkeVersionNotOffered(
                f"tunnel {one.tunnel.index} of {view.connection.id} allows {', '.join(options.ike_versions)} only"
            )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("twinbore.devices", "families"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - the output is a router's configuration, not a page
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    environment.filters.update(FILTERS)
    return environment
