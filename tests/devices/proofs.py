"""What was proved of each device type, and how: the tables behind the matrix in docs/devices.md.

A type stands in the first table that it is in. What is in none has a golden file only.
"""

from __future__ import annotations

from typing import Final

from tests.devices.interpreters import OF_TYPE

RUN: Final = {
    "d3925bf6": "the script runs as it is on the lab's router: tests/namespace/test_lab_customer.py",
    "e04b7a95": "the script runs as it is on the lab's router: tests/namespace/test_lab_customer.py",
}
"""Run on the real software."""

INTERPRETED: Final = dict.fromkeys(OF_TYPE, "tests/namespace/test_devices.py")
"""Interpreted and run."""

READ: Final = {
    "c9035ea7": "Libreswan 4.10's addconn and algparse, FRR's vtysh, nft",
    "6e62f3e3": "Libreswan 4.10's addconn (Openswan's heir)",
    "f58b20d6": "OpenIKED 7.2's iked -n, OpenBGPD 7.7's bgpd -n",
    "a7f41d20": "charon by swanctl, FRR's vtysh, nft",
    "51cb26fd": "dash and bash; the same script with user-space ESP is run",
    "7c1e40a9": "dash and bash; the same script with user-space ESP is run",
    "28e6c9f1": "dash and bash; the same script with user-space ESP is run",
    "6fd3e1a4": "Python's json",
    "d60e91b7": "PyYAML; the values are those of the type FortiOS 7.x",
}
"""Read by the software itself, or by its language's parser, without being run."""

USER_INTERFACE: Final = "the devices have a user interface only: a sheet, each value in one place"
REASONS: Final = {
    "Barracuda": USER_INTERFACE,
    "Checkpoint": USER_INTERFACE,
    "Citrix": USER_INTERFACE,
    "Cyberoam": USER_INTERFACE,
    "F5": USER_INTERFACE,
    "Generic": "a sheet for any device, and its values as data",
    "H3C": "no description of Comware 5's grammar was at hand that an interpreter could be written from independently",
    "IIJ": "no description of SEIL's grammar was at hand that an interpreter could be written from independently",
    "Microsoft": "PowerShell and netsh are not to be had here, and their modules exist on Windows only",
    "Openswan": "Openswan is no longer in any distribution; its heir reads the file",
    "pfSense": USER_INTERFACE,
    "Sophos": USER_INTERFACE,
    "WatchGuard": USER_INTERFACE,
    "Zyxel": USER_INTERFACE,
}
"""Vendors of AWS's list without a type that was run, with the reason."""


def proof(device_type_id: str) -> tuple[str, str]:
    """The column of the matrix, and how."""
    for column, table in (("run", RUN), ("interpreted", INTERPRETED), ("read", READ)):
        if device_type_id in table:
            return column, table[device_type_id]
    return "reviewed", ""
