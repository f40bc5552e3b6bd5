"""Interpreters of vendors' configuration syntax: text → `DeviceSettings`, or `Refused` as the device would refuse it.

Each is written from the vendor's documentation, not from the templates, and shares no code or table with them. What an
interpreter does not know it refuses: a command that no device was seen to take never passes for good.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import yaml

from tests.devices.interpreters import asa, fortios, ios, junos, panos, routeros, screenos, sonicwall, vyos, yamaha
from tests.devices.settings import DeviceSettings


def _in_playbook(text: str) -> DeviceSettings:
    """The commands of an Ansible play, as the module gives them to the router."""
    (play,) = yaml.safe_load(text)
    return ios.release("17")(play["tasks"][0]["cisco.ios.ios_config"]["src"])


def _in_heredoc(text: str) -> DeviceSettings:
    """The commands of a Terraform resource: a heredoc whose indentation is taken away."""
    return ios.release("17")(textwrap.dedent(text.partition("<<-EOT\n")[2].partition("  EOT\n")[0]))


OF_TYPE: dict[str, Callable[[str], DeviceSettings]] = {
    "2b2c1a73": fortios.release("4.0"),
    "9d9470de": fortios.release("5.4"),
    "f0761c54": fortios.release("7.4"),
    "48548f98": ios.release("12.4"),
    "b0adb196": ios.release("12.4"),
    "7b754310": ios.release("17"),
    "5c87e0b2": ios.release("17"),
    "8a961875": junos.release("11"),
    "1361227b": junos.release("11"),
    "b2d07a36": junos.release("21"),
    "754a6372": panos.release("4.1"),
    "5fb390ba": panos.release("7.0"),
    "e83c5a10": panos.release("10.1"),
    "f1647754": vyos.release("vyatta"),
    "0d9f6be4": vyos.release("edgeos"),
    "3b64d1fc": vyos.release("vyos"),
    "96ae2c07": vyos.release("vyos"),
    "b556dcd1": asa.interpret,
    "78c1a727": asa.interpret_map,
    "6883834a": asa.interpret_map,
    "2b5427d7": routeros.release("6.36"),
    "37d8aff6": routeros.release("6.44"),
    "c41e7d58": routeros.release("6.44"),
    "47c2a8ef": _in_playbook,
    "8b35f2d1": _in_heredoc,
    "e7a2d626": yamaha.release(ikev2=False),
    "4fa80d73": yamaha.release(ikev2=True),
    "acabcac0": screenos.interpret,
    "631f834b": screenos.interpret,
    "4280e43e": sonicwall.release("5.8"),
    "60ca5da1": sonicwall.release("5.9"),
    "46154821": sonicwall.release("6.2"),
    "fa2df246": sonicwall.release("6.5"),
    "7d13fb42": sonicwall.release("7"),
}
"""Device type → its interpreter."""
