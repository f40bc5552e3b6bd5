"""Ids in a listing of what does not exist here: the answer is the type's NotFound, as for any id that nothing has.

Without ids such a listing is empty (see `dispatch`). With ids an empty answer would tell a client that waits for a
resource to come, or for one to go, something that AWS never says. For members that are not in the table AWS's code is
not documented, and the answer stays empty.

References: EC2 API reference, "Error codes for the Amazon EC2 API".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from twinbore.api.errors import ApiError

NOT_FOUND: Final[Mapping[str, tuple[str, str]]] = {
    "AllocationIds": ("InvalidAllocationID.NotFound", "The allocation ID '{}' does not exist"),
    "CapacityReservationIds": (
        "InvalidCapacityReservationId.NotFound",
        "The capacity reservation ID '{}' does not exist",
    ),
    "CarrierGatewayIds": ("InvalidCarrierGatewayID.NotFound", "The carrierGateway ID '{}' does not exist"),
    "ClientVpnEndpointId": ("InvalidClientVpnEndpointId.NotFound", "Endpoint {} does not exist"),
    "ClientVpnEndpointIds": ("InvalidClientVpnEndpointId.NotFound", "Endpoint {} does not exist"),
    "EgressOnlyInternetGatewayIds": ("InvalidGatewayID.NotFound", "The gateway ID '{}' does not exist"),
    "GroupNames": ("InvalidPlacementGroup.Unknown", "The Placement Group '{}' is unknown."),
    "HostIds": ("InvalidHostID.NotFound", "The host ID '{}' does not exist"),
    "ImageIds": ("InvalidAMIID.NotFound", "The image id '[{}]' does not exist"),
    "InstanceIds": ("InvalidInstanceID.NotFound", "The instance ID '{}' does not exist"),
    "KeyNames": ("InvalidKeyPair.NotFound", "The key pair '{}' does not exist"),
    "KeyPairIds": ("InvalidKeyPair.NotFound", "The key pair '{}' does not exist"),
    "LaunchTemplateIds": (
        "InvalidLaunchTemplateId.NotFound",
        "The specified launch template, with template ID {}, does not exist.",
    ),
    "LaunchTemplateNames": (
        "InvalidLaunchTemplateName.NotFoundException",
        "The specified launch template, with template name {}, does not exist.",
    ),
    "NatGatewayIds": ("NatGatewayNotFound", "NatGateway {} was not found"),
    "PublicIps": ("InvalidAddress.NotFound", "Address '{}' not found."),
    "SnapshotIds": ("InvalidSnapshot.NotFound", "The snapshot '{}' does not exist."),
    "SpotInstanceRequestIds": (
        "InvalidSpotInstanceRequestID.NotFound",
        "The spot instance request ID '{}' does not exist",
    ),
    "TransitGatewayAttachmentIds": (
        "InvalidTransitGatewayAttachmentID.NotFound",
        "Transit Gateway Attachment {} was deleted or does not exist.",
    ),
    "TransitGatewayIds": ("InvalidTransitGatewayID.NotFound", "Transit Gateway {} was deleted or does not exist."),
    "TransitGatewayRouteTableIds": (
        "InvalidRouteTableID.NotFound",
        "Transit Gateway Route Table {} was deleted or does not exist.",
    ),
    "VolumeIds": ("InvalidVolume.NotFound", "The volume '{}' does not exist."),
    "VpcEndpointIds": ("InvalidVpcEndpointId.NotFound", "The Vpc Endpoint Id '{}' does not exist"),
    "VpcPeeringConnectionIds": (
        "InvalidVpcPeeringConnectionID.NotFound",
        "The vpcPeeringConnection ID '{}' does not exist",
    ),
}
"""Member of a request → code and message, with the id's place, for an id of a type of which there is nothing."""


def refuse_ids(request: Mapping[str, Any]) -> None:
    """Raise NotFound for the first id that a listing of what does not exist here is asked for."""
    for member, (code, message) in NOT_FOUND.items():
        given = request.get(member) or ()
        for value in [given] if isinstance(given, str) else given:
            raise ApiError(code, message.format(value))
