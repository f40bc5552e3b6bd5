"""The configuration file: TOML with the names of `Settings`, and tables `[quotas]` and `[throttling]`.

    region = "eu-central-1"
    outside_pool_a = ["203.0.113.10", "203.0.113.16/29"]
    outside_pool_b = ["198.51.100.10=10.0.0.10"]

Unknown names, wrong types and entries that cannot be used are refused with the name and what is allowed.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import math
import tomllib
from pathlib import Path

import click
import msgspec

from twinbore.model.addressing import expand_pool
from twinbore.model.settings import Quotas, Settings, Throttling


class ConfigError(click.ClickException):
    """The configuration cannot be used; the message says which entry and why."""


def read(path: Path | None) -> Settings:
    """The settings of the file, or the defaults when `path` is None. Raises `ConfigError`."""
    if path is None:
        return Settings()
    try:
        text = path.read_text()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    try:
        entries = tomllib.loads(text)
        _refuse_unknown(path, entries, Settings)
        _refuse_unknown(path, entries.get("quotas", {}), Quotas)
        _refuse_unknown(path, entries.get("throttling", {}), Throttling)
        settings = msgspec.convert(entries, Settings)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from error
    check(settings)
    return settings


def check(settings: Settings) -> None:
    """Raise `ConfigError` for values that no type can refuse."""
    if settings.engines not in ("real", "fake"):
        raise ConfigError(f"engines = {settings.engines!r}: real or fake")
    if settings.esp not in ("auto", "kernel", "user"):
        raise ConfigError(f"esp = {settings.esp!r}: auto, kernel or user")
    if settings.customer_dns_seconds < 1:
        raise ConfigError(f"customer_dns_seconds = {settings.customer_dns_seconds}: at least 1")
    for name in ("outside_pool_a", "outside_pool_b"):
        try:
            list(expand_pool(getattr(settings, name)))
        except ValueError as error:
            raise ConfigError(f"{name}: {error}") from error
    host, _, port = settings.listen.rpartition(":")
    if not host or not port.isdigit() or not 0 <= int(port) < 65536:
        raise ConfigError(f"listen = {settings.listen!r}: ADDRESS:PORT, for example 127.0.0.1:4566")
    for field in dataclasses.fields(Throttling):
        value = getattr(settings.throttling, field.name)
        if field.name.endswith("_burst") and value < 1:
            raise ConfigError(f"throttling.{field.name} = {value}: 1 or more")
        if field.name.endswith("_rate") and not (value > 0 and math.isfinite(value)):
            raise ConfigError(f"throttling.{field.name} = {value}: more than 0")


def check_listening(settings: Settings) -> None:
    """Raise `ConfigError` for a place to listen at that would give secrets away. For settings with all options in them.

    Signatures keep requests from being forged, not from being read, and answers hold pre-shared keys: without TLS only
    the loopback is listened on, unless the operator insists.
    """
    if (settings.tls_cert is None) != (settings.tls_key is None):
        present, absent = ("tls_cert", "tls_key") if settings.tls_key is None else ("tls_key", "tls_cert")
        raise ConfigError(f"{present} is set and {absent} is not: TLS needs both, a certificate and its key")
    if can_be_read(settings) and not settings.insecure_listen:
        raise ConfigError(
            f"listen = {settings.listen!r} is not a loopback address, and without TLS whoever is on the way reads the "
            "pre-shared keys in the answers. Give a certificate (tls_cert and tls_key, or --tls-cert and --tls-key), "
            "listen on 127.0.0.1 behind a proxy that ends TLS, or insist: insecure_listen = true, or --insecure-listen"
        )


def can_be_read(settings: Settings) -> bool:
    """Whether others than this host's processes may see what the API says."""
    host = settings.listen.rpartition(":")[0].strip("[]")
    return settings.tls_cert is None and not _is_loopback(host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"  # RFC 6761; where another name leads to may change


def save(settings: Settings, path: Path) -> None:
    """Keep the settings of this start for the other commands."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(settings)))


def saved(path: Path) -> Settings:
    """The settings of the last start. Raises `ConfigError` when there was none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Settings)
    except FileNotFoundError:
        raise ConfigError(f"{path.parent} has no Twinbore installation: start one with twinbore up") from None


def _refuse_unknown(path: Path, entries: object, kind: type) -> None:
    known = {field.name for field in dataclasses.fields(kind)}
    unknown = sorted(set(entries) - known) if isinstance(entries, dict) else []
    if unknown:
        raise ConfigError(f"{path}: unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}")
