"""A customer gateway without a fixed address: what its tags may say, when it is made and later.

AWS wants an address, or a certificate, which is not to be had here. Instead of it a gateway may have the options
`twinbore:dns-name` or `twinbore:ike-identity`. What holds whenever its tags change:

* A gateway has an address or a name, not both; and one of address, name and identity.
* A tunnel that this side starts (StartupAction `start`) needs an address or a name to be called at.

References: EC2 API reference, CreateCustomerGateway (IpAddress), `VpnTunnelOptionsSpecification` (StartupAction).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from twinbore.api import errors
from twinbore.api.operation import Call
from twinbore.model import resources as r
from twinbore.model.extensions import DNS_KEY, IDENTITY_KEY
from twinbore.model.options import TunnelOptions
from twinbore.model.states import LIVING

KEYS: Final = (DNS_KEY, IDENTITY_KEY)


def check_options(ip_address: str | None, tags: Mapping[str, str]) -> None:
    """Refuse an address beside a name, and neither of address, name and identity."""
    if ip_address is not None and DNS_KEY in tags:
        raise errors.combination(
            f"The tag {DNS_KEY} is for a customer gateway without an address; this one has {ip_address}. Leave out "
            "IpAddress, or the tag."
        )
    if ip_address is None and not any(key in tags for key in KEYS):
        raise errors.missing_parameter("IpAddress")


def same_options(call: Call, gateway: r.CustomerGateway, tags: Mapping[str, str]) -> bool:
    """Whether a gateway has the options that a request asks for; one with an address may have more of them."""
    present = options(call, gateway.id)
    wanted = {key: tags[key] for key in KEYS if key in tags}
    return present == wanted if gateway.ip_address is None else wanted.items() <= present.items()


def options(call: Call, gateway_id: str) -> dict[str, str]:
    """The gateway's options of this module."""
    return {tag.key: tag.value for tag in call.tx.all(r.Tag, resource_id=gateway_id) if tag.key in KEYS}


def check_change(call: Call, gateway_id: str, tags: Mapping[str, str]) -> None:
    """Refuse to leave a gateway with these tags, if it or one of its connections could not be with them."""
    gateway = call.tx.get(r.CustomerGateway, gateway_id)
    assert gateway is not None  # the caller has looked it up
    if gateway.ip_address is None and not any(key in tags for key in KEYS):
        raise errors.combination(
            f"{gateway_id} has no address: it needs one of the tags {' and '.join(KEYS)}, so that it is known by a "
            "name or an identity."
        )
    check_options(gateway.ip_address, tags)
    for connection in call.tx.all(r.VpnConnection, customer_gateway_id=gateway_id):
        if connection.state in LIVING:
            for tunnel in call.tx.all(r.VpnTunnel, connection_id=connection.id):
                _check_start(gateway, tags, tunnel.options, f"tunnel {tunnel.index} of {connection.id}")


def check_start(call: Call, gateway: r.CustomerGateway, tunnels: Iterable[tuple[str, TunnelOptions]]) -> None:
    """Refuse tunnels (what to call them, their options) that this side shall start, but to nowhere."""
    tags = options(call, gateway.id)
    for name, tunnel_options in tunnels:
        _check_start(gateway, tags, tunnel_options, name)


def _check_start(gateway: r.CustomerGateway, tags: Mapping[str, str], tunnel_options: TunnelOptions, name: str) -> None:
    if tunnel_options.startup_action == "start" and gateway.ip_address is None and DNS_KEY not in tags:
        raise errors.combination(
            f"StartupAction start of {name} needs a customer gateway with an address or the tag {DNS_KEY}; "
            f"{gateway.id} is known by its identity alone, so it has to start. Use add, the default."
        )
