"""The page of the device types, from the catalogue and the tables of proofs.

python -m tests.devices.page > docs/devices.md
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import Final

from tests.devices.proofs import INTERPRETED, REASONS, RUN, proof
from twinbore.devices.catalogue import DeviceType, device_types
from twinbore.model.site import OPTIONS

HEAD: Final = """\
# Customer gateway devices

<!-- Made by `python -m tests.devices.page`, and compared by the tests: do not edit. -->

A configuration for the router at the other end of a VPN connection, with the connection's real options: loadable as it
is, both tunnels, routing, firewall rules both ways, MSS, no address translation, and how to verify it. {count} types of
{vendors} vendors, all 53 of AWS's list among them under AWS's ids.

```console
$ twinbore device list
$ twinbore device show 9d9470de
$ twinbore device render vpn-0123456789abcdef0 9d9470de --announce 192.168.10.0/24 --output site.conf
$ aws ec2 get-vpn-connection-device-sample-configuration --vpn-connection-id vpn-… \\
    --vpn-connection-device-type-id 9d9470de --internet-key-exchange-version ikev2
```

## What is negotiated

One suite for each phase, out of what both tunnels allow and the device can do: the strongest, unless asked otherwise.
`SampleType=compatibility` gives the oldest, `recommended` never one that is out of date (SHA-1, groups below 14 and
22 to 24), and IKEv2 only. Where the device cannot do what the connection asks for, no file is made: the error lists all
that would have to be changed on the connection, and by which option. The IKE version is ikev2 where both sides can.

## Options of the site

Tags of the customer gateway, and of the connection where it differs, which wins; `twinbore device render` takes the
same as options. Nothing is announced to the cloud that was not asked for: with BGP the prefixes of `announce` (or
LocalIpv4NetworkCidr, where it is not any), each only while the device's routing table has exactly that one. A default
route is announced only as `0.0.0.0/0` among them.

| tag | value |
|---|---|
"""
PROVED: Final = """
## What was proved

* **run** ({run} types): the output as it is, on the software that it is for, against a gateway: tunnels, BGP, failover,
  no trace left.
* **interpreted** ({interpreted}): an interpreter that shares nothing with the template reads the text as the device
  does, refuses what the device refuses, and stock strongSwan and FRR do what it read, for every IKE version, routing
  and suite of the type: the tunnels come up with these algorithms, the prefix is announced and nothing else, a ping
  passes, tunnel 1 is preferred.
* **read** ({read}): the software's own parser, or its language's, takes the files.
* **reviewed** ({reviewed}): a golden file, written from the documentation that is named. No device or parser has read
  it: tell us what yours says.

| id | vendor | platform | software | IKE | routing | output | proved | how, or written from |
|---|---|---|---|---|---|---|---|---|
"""
REST: Final = """
Vendors of AWS's list without a type that was run or interpreted, and why:

| vendor | reason |
|---|---|
"""


def page() -> str:
    """The whole page."""
    types = device_types()
    counts = Counter(proof(device.id)[0] for device in types)
    parts = [HEAD.format(count=len(types), vendors=len({device.vendor for device in types}))]
    parts += [f"| `twinbore:device-{name}` | {option.rule} |\n" for name, option in OPTIONS.items()]
    parts.append(PROVED.format(**{column: counts[column] for column in ("run", "interpreted", "read", "reviewed")}))
    parts += [_row(device) for device in types]
    parts.append(REST)
    parts += [f"| {vendor} | {reason} |\n" for vendor, reason in REASONS.items()]
    return "".join(parts)


def _row(device: DeviceType) -> str:
    column, how = proof(device.id)
    versions = ", ".join(version.removeprefix("ike") for version in device.ike_versions)
    source = device.source if column in {"reviewed", "interpreted"} else how
    return (
        f"| {device.id} | {device.vendor} | {device.platform} | {device.software} | {versions} "
        f"| {', '.join(device.routing)} | {device.kind} | {column} | {source} |\n"
    )


def proved_vendors() -> set[str]:
    """Vendors with a type that was run or interpreted."""
    return {device.vendor for device in device_types() if device.id in RUN or device.id in INTERPRETED}


if __name__ == "__main__":
    sys.stdout.write(page())
