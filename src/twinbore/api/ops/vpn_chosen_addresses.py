"""Outside addresses that the caller has chosen, by the tags `twinbore:outside-address-1` and `-2` of a connection.

AWS gives the addresses and lets nobody choose. Who runs the gateway host has reasons to: a customer's firewall that
knows one address already, an uplink for each customer, a connection that moves in from elsewhere (`twinbore import`).

* Chosen at creation. The address must be in the tunnel's own pool (1: `outside_pool_a`, 2: `outside_pool_b`) and free,
  which is the same as for one that is not chosen: no other connection with a customer gateway at the same address has
  it, nor the connection's other tunnel. Otherwise the request is refused with the addresses that could be had.
* Afterwards the tag tells what was chosen: it can be set to the address that the tunnel has, to nothing else; and it
  can be removed, which changes no address.

References: AWS Site-to-Site VPN User Guide, "Site-to-Site VPN tunnel options" (outside addresses are the service's).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from twinbore.api import errors
from twinbore.api.operation import Call
from twinbore.model import resources as r
from twinbore.model.addressing import OutsideAddress
from twinbore.model.extensions import OUTSIDE_KEYS

SHOWN: Final = 20
"""How many free addresses a refusal names."""


def restricted(
    pools: list[list[OutsideAddress]], chosen: Collection[str | None], settings: Collection[str], peer_taken: set[str]
) -> list[list[OutsideAddress]]:
    """The pools, each with its chosen address alone where there is one.

    `settings` are the pools' names. `peer_taken` are local addresses that the customer gateway is used with already.
    Raises InvalidParameterValue.
    """
    found: list[list[OutsideAddress]] = []
    given: dict[str, str] = {}
    for key, setting, pool, address in zip(OUTSIDE_KEYS, settings, pools, chosen, strict=True):
        if address is None:
            found.append(pool)
            continue
        free = [a for a in pool if a.local not in peer_taken and a.local not in given]
        found.append([a for a in free if a.public == address])
        if not found[-1]:
            raise errors.invalid_value(f"Tag {key}", address, _rule(setting, pool, address, free, given))
        given[found[-1][0].local] = key
    return found


def refuse_changes(call: Call, connection_id: str, tags: Mapping[str, str]) -> None:
    """Refuse to tag an existing connection with an outside address that its tunnel does not have."""
    wanted = {number: tags[key] for number, key in enumerate(OUTSIDE_KEYS, 1) if key in tags}
    if not wanted:
        return
    for tunnel in call.tx.all(r.VpnTunnel, connection_id=connection_id):
        if wanted.get(tunnel.index, tunnel.outside_address) != tunnel.outside_address:
            raise errors.invalid_value(
                f"Tag {OUTSIDE_KEYS[tunnel.index - 1]}",
                wanted[tunnel.index],
                f"{tunnel.outside_address}, the address that tunnel {tunnel.index} of {connection_id} has and keeps "
                "until it is deleted; another one is chosen when a connection is created",
            )


def _rule(
    setting: str, pool: list[OutsideAddress], address: str, free: list[OutsideAddress], given: Mapping[str, str]
) -> str:
    taken = [a for a in pool if a.public == address]
    if not taken:
        why = f"an address of the setting {setting}, which does not have this one"
    elif taken[0].local in given:
        why = f"an address other than that of {given[taken[0].local]}"
    else:
        why = "an address that no other connection to the same customer gateway address has; one has this"
    names = [a.public for a in free]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{why}. Free in {setting}: {', '.join(names[:SHOWN]) or 'none'}{more}"
