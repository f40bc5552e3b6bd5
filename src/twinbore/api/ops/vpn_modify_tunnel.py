"""ModifyVpnTunnelOptions and ModifyVpnTunnelCertificate: one tunnel of a connection is changed, the other never.

* An option that is left out keeps its value; so does a list that is left empty, which is the same on the wire. The
  rules of the options' table hold for the whole that results, and a message names the member that breaks one.
* EnableTunnelLifecycleControl is turned on or off with a replacement of the tunnel, as on AWS, unless
  SkipTunnelReplacement says not to. That member is for nothing else; and turning the control off while maintenance is
  pending carries the maintenance out, so that it cannot be skipped then.
* Tunnels authenticate with pre-shared keys, so there is no certificate to be changed: ModifyVpnTunnelCertificate is
  refused, after its parameters have been found right.

References: EC2 API reference, `ModifyVpnTunnelOptionsSpecification`; AWS Site-to-Site VPN User Guide, "Tunnel endpoint
lifecycle control".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from twinbore.api import errors
from twinbore.api.operation import Call, Request, Response, operation
from twinbore.api.ops import vpn_lookup, vpn_modify
from twinbore.api.ops.customer_gateway_options import check_start
from twinbore.api.ops.vpn_addresses import refuse_taken_inside
from twinbore.api.ops.vpn_connection_view import PRE_SHARED_KEY
from twinbore.api.ops.vpn_request import check_pre_shared_key_storage
from twinbore.api.ops.vpn_tunnels import parse_tunnel
from twinbore.model import resources as r

LIFECYCLE_CONTROL: Final = "EnableTunnelLifecycleControl"
SPECIFICATION: Final = "TunnelOptions"


@operation("ModifyVpnTunnelOptions")
def modify_vpn_tunnel_options(call: Call, request: Request) -> Response:
    connection = vpn_modify.changeable(call, request["VpnConnectionId"])
    tunnel = vpn_lookup.vpn_tunnel(call, connection, request["VpnTunnelOutsideIpAddress"])
    specification: Mapping[str, Any] = request["TunnelOptions"]
    check_pre_shared_key_storage(request)
    wanted = parse_tunnel(specification, SPECIFICATION, tunnel.options)
    customer = vpn_lookup.customer_gateway(call, connection.customer_gateway_id)
    check_start(call, customer, [(SPECIFICATION, wanted.options)])
    replace = _replaces(call, request, tunnel)
    inside_cidr = wanted.inside_cidr or tunnel.inside_cidr
    if inside_cidr != tunnel.inside_cidr:
        refuse_taken_inside(call, connection, tunnel, inside_cidr, f"{SPECIFICATION}.TunnelInsideCidr")
    new_key = wanted.pre_shared_key not in (None, call.tx.secret(tunnel.id, PRE_SHARED_KEY))
    changes = {"inside_cidr": inside_cidr, "options": wanted.options, "replacements": tunnel.replacements + replace}
    if not new_key and all(getattr(tunnel, name) == value for name, value in changes.items()):
        return vpn_modify.answer(call, connection)
    call.tx.update(tunnel, **changes)
    if new_key:
        call.tx.put_secret(tunnel.id, PRE_SHARED_KEY, wanted.pre_shared_key or "")
    return vpn_modify.answer(call, vpn_modify.mark(call, connection))


@operation("ModifyVpnTunnelCertificate")
def modify_vpn_tunnel_certificate(call: Call, request: Request) -> Response:
    connection = vpn_modify.changeable(call, request["VpnConnectionId"])
    tunnel = vpn_lookup.vpn_tunnel(call, connection, request["VpnTunnelOutsideIpAddress"])
    raise errors.unsupported(
        f"The tunnel {tunnel.outside_address} of {connection.id} authenticates with a pre-shared key, so it has no "
        "certificate that could be changed. Its key is changed with ModifyVpnTunnelOptions (PreSharedKey)."
    )


def _replaces(call: Call, request: Request, tunnel: r.VpnTunnel) -> bool:
    """Whether the request turns lifecycle control on or off with a replacement of the tunnel."""
    specification: Mapping[str, Any] = request["TunnelOptions"]
    wanted = specification.get(LIFECYCLE_CONTROL)
    turned = wanted is not None and wanted != tunnel.options.enable_tunnel_lifecycle_control
    if not request.get("SkipTunnelReplacement"):
        return turned
    if set(specification) != {LIFECYCLE_CONTROL}:
        raise errors.combination(
            f"SkipTunnelReplacement is applicable only when {SPECIFICATION}.{LIFECYCLE_CONTROL} is turned on or off, "
            "and nothing else. Change other options in a request of their own, without SkipTunnelReplacement."
        )
    telemetry = call.tx.get(r.TunnelTelemetry, tunnel.id)
    if turned and not wanted and telemetry is not None and telemetry.maintenance_pending:
        raise errors.combination(
            f"SkipTunnelReplacement cannot be used to turn {LIFECYCLE_CONTROL} off while maintenance is pending on the "
            f"tunnel {tunnel.outside_address}: leave it out, and the maintenance is applied at once."
        )
    return False
