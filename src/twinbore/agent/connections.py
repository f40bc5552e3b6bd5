"""What the agent's local socket does to a VPN connection: rows only, the engines follow.

* Pause and resume: a paused connection keeps its addresses, keys and options and stays `available` in the API, but its
  tunnels are taken down in good order (BGP with a NOTIFICATION, IKE with a DELETE), its routes go, and nothing answers
  its customer gateway. Resumed, it is what it was. Both can be repeated.
* A password of BGP sessions (see `model.bgp_password`): set, changed or removed, for one tunnel or both.

References: RFC 2385 (TCP MD5 signature).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from twinbore.agent.refusal import AdminError
from twinbore.engines import tcp_md5
from twinbore.model import bgp_password
from twinbore.model import resources as r
from twinbore.model.naming import session_name, tunnel_interface
from twinbore.model.states import LIVING
from twinbore.store.database import Transaction

TUNNELS: Final = (1, 2)


def living(tx: Transaction, connection_id: str) -> r.VpnConnection:
    """The connection, which is not deleted nor being deleted. Raises `AdminError`."""
    connection = tx.get(r.VpnConnection, connection_id)
    if connection is None:
        raise AdminError(f"VPN connection {connection_id!r} does not exist: twinbore status lists those there are")
    if connection.state not in LIVING:
        raise AdminError(f"{connection_id} is {connection.state}; it must be {', '.join(LIVING)}")
    return connection


def set_paused(tx: Transaction, connection_id: str, *, paused: bool) -> None:
    """Take a connection out of service, or put it back. Raises `AdminError`."""
    connection = living(tx, connection_id)
    if connection.paused != paused:
        tx.update(connection, paused=paused)


def set_password(tx: Transaction, connection_id: str, indices: Collection[int], password: str) -> None:
    """Give the BGP sessions of these tunnels a password; an empty one removes it. Raises `AdminError`."""
    connection = living(tx, connection_id)
    if connection.static_routes_only:
        raise AdminError(f"{connection_id} has static routes only: there is no BGP session to have a password")
    if password and not bgp_password.is_password(password):
        raise AdminError(f"the password cannot be used; allowed: {bgp_password.RULE}")
    missing = tcp_md5.problem() if password else ""
    if missing:
        raise AdminError(f"this kernel cannot sign TCP segments with MD5 ({missing}): it needs CONFIG_TCP_MD5SIG")
    if not indices or not set(indices) <= set(TUNNELS):
        raise AdminError(f"tunnels {sorted(indices)}: one or both of {TUNNELS}")
    for tunnel in tx.all(r.VpnTunnel, connection_id=connection_id):
        if tunnel.index not in indices:
            continue
        if password:
            tx.put_secret(tunnel.id, bgp_password.FIELD, password)
        elif tx.secret(tunnel.id, bgp_password.FIELD) is not None:
            tx.delete_secret(tunnel.id, bgp_password.FIELD)
            tx.update(tunnel)  # a change that the agent must look at, like a new password


def subjects(tx: Transaction, connection_id: str) -> set[str]:
    """What an engine's failure calls the tunnels of a connection, or the BIRD that has their sessions."""
    connection = living(tx, connection_id)
    tunnels = tx.all(r.VpnTunnel, connection_id=connection_id)
    domain = {connection.vpn_gateway_id} if connection.vpn_gateway_id else set()
    return domain | {name for t in tunnels for name in (t.id, session_name(t.id), tunnel_interface(t.if_id))}
