"""A sheet: the fields of a device that has a user interface only, in the order in which one comes by them.

Sheets are data, in the `family.toml` of a family:

    [sheets.example]
    spell = { AES256 = "AES-256", "SHA2-256" = "SHA256", "group 14" = "14 (MODP 2048)" }
    [[sheets.example.steps]]
    where = "VPN > IPsec > Add"
    each = "tunnel"
    fields = [["Name", "name"], ["Interface", "@outside_interface"], ["Mode", "= Tunnel"]]

A field is the label that the device shows and what is put in: the key of a value (`values`), with `@` before it where
the value stands somewhere else already, or `=` and a text. A field whose value the connection does not have is left
out. A step with `routing` is for `bgp` or `static` only. Every value stands in one place exactly: those that no field
of the device takes come at the end, and those of the site at the beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twinbore.devices.side import CustomerSide
from twinbore.devices.values import Values, connection_values, tunnel_values


@dataclass(frozen=True, slots=True)
class Field:
    """A label, and its value: one for both tunnels, or one for each."""

    label: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """Where in the user interface, and the fields there. `each`: the fields have a value for each tunnel."""

    where: str
    each: bool
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """`site` comes first, `rest` last: keys and values that no field of the device takes."""

    site: tuple[Field, ...]
    steps: tuple[Step, ...]
    rest: tuple[Field, ...]


def fill(sheet: Mapping[str, Any], side: CustomerSide) -> Sheet:
    """The sheet with the connection's values. Raises `KeyError` for a key that no connection has."""
    spell: Mapping[str, str] = sheet.get("spell", {})
    site = connection_values(side)
    tunnels = [tunnel_values(side, tunnel) for tunnel in side.tunnels]
    placed: set[str] = set()
    steps: list[Step] = []
    for step in sheet["steps"]:
        if step.get("routing", side.routing) == side.routing:
            each = step.get("each") == "tunnel"
            fields = tuple(_fields(step["fields"], site, tunnels if each else [{}], spell))
            steps.append(Step(step["where"], each, fields))
            placed |= {key for _, key in step["fields"] if key[0] not in "=@"}
    keys = dict.fromkeys(key for tunnel in tunnels for key in tunnel)
    rest = tuple(Field(key, _each(key, tunnels, spell)) for key in keys if key not in placed)
    return Sheet(tuple(Field(key, (value,)) for key, value in site.items()), tuple(steps), rest)


def _fields(
    fields: Sequence[Sequence[str]], site: Values, tunnels: Sequence[Values], spell: Mapping[str, str]
) -> Iterator[Field]:
    for label, source in fields:
        if source.startswith("="):
            yield Field(label, (source[1:].strip(),) * len(tunnels))
            continue
        key = source.removeprefix("@")
        found = [site | tunnel for tunnel in tunnels]
        if any(key in values for values in found):
            yield Field(label, _each(key, found, spell))


def _each(key: str, tunnels: Sequence[Values], spell: Mapping[str, str]) -> tuple[str, ...]:
    """The value of each tunnel; a dash where one has none, as with a password of the other's session only."""
    return tuple(_spelt(key, values[key], spell) if key in values else "-" for values in tunnels)


def _spelt(key: str, value: str, spell: Mapping[str, str]) -> str:
    """A value as the device's user interface spells it; groups are looked up as `group 14`."""
    return spell.get(f"group {value}" if key.endswith(".group") else value, value)
