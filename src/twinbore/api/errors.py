"""The EC2 error codes that Twinbore answers with, and the one exception that carries them.

Operations raise `ApiError` through the constructors here, so that a code's spelling stands once; only the API's edge
turns it into a response. A raised error undoes the operation's transaction: nothing was changed.

References: EC2 API reference, "Error codes for the Amazon EC2 API"; "Common error types" for the HTTP statuses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MAX_MESSAGE: Final = 8000
"""Characters; of a longer one the beginning and the end are shown."""


class ApiError(Exception):
    """An answer other than success: `code` and `message` for the client, `status` for HTTP.

    `retry_after`: seconds after which it is worth asking again, where that is known.
    """

    def __init__(self, code: str, message: str, status: int = 400, *, retry_after: int | None = None) -> None:
        if len(message) > MAX_MESSAGE:  # it names what the client has sent, of any length
            message = f"{message[: MAX_MESSAGE // 2]} ... {message[-MAX_MESSAGE // 2 :]}"
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.retry_after = retry_after


NOT_FOUND: Final[dict[str, tuple[str, str]]] = {
    "vpc": ("InvalidVpcID.NotFound", "The vpc ID '{}' does not exist"),
    "vpc-cidr-block-association": (
        "InvalidVpcCidrBlockAssociationID.NotFound",
        "The vpc CIDR block association ID '{}' does not exist",
    ),
    "dhcp-options": ("InvalidDhcpOptionsID.NotFound", "The dhcpOptions ID '{}' does not exist"),
    "subnet": ("InvalidSubnetID.NotFound", "The subnet ID '{}' does not exist"),
    "route-table": ("InvalidRouteTableID.NotFound", "The routeTable ID '{}' does not exist"),
    "route-table-association": ("InvalidAssociationID.NotFound", "The association ID '{}' does not exist"),
    "internet-gateway": ("InvalidInternetGatewayID.NotFound", "The internetGateway ID '{}' does not exist"),
    "network-interface": ("InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '{}' does not exist"),
    "customer-gateway": ("InvalidCustomerGatewayID.NotFound", "The customerGateway ID '{}' does not exist"),
    "vpn-gateway": ("InvalidVpnGatewayID.NotFound", "The vpnGateway ID '{}' does not exist"),
    "vpn-connection": ("InvalidVpnConnectionID.NotFound", "The vpnConnection ID '{}' does not exist"),
    "security-group": ("InvalidGroup.NotFound", "The security group '{}' does not exist"),
    "security-group-rule": ("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '{}' does not exist"),
    "network-acl": ("InvalidNetworkAclID.NotFound", "The networkAcl ID '{}' does not exist"),
    "network-acl-association": ("InvalidAssociationID.NotFound", "The association ID '{}' does not exist"),
    "prefix-list": ("InvalidPrefixListID.NotFound", "The prefix list ID '{}' does not exist"),
}
"""Resource type → (code, message with the id's place) for an id that nothing has."""

MALFORMED: Final[dict[str, str]] = {
    "vpc": "InvalidVpcID.Malformed",
    "vpc-cidr-block-association": "InvalidVpcCidrBlockAssociationID.Malformed",
    "dhcp-options": "InvalidDhcpOptionsId.Malformed",
    "subnet": "InvalidSubnetID.Malformed",
    "route-table": "InvalidRouteTableId.Malformed",
    "route-table-association": "InvalidAssociationID.Malformed",
    "internet-gateway": "InvalidInternetGatewayId.Malformed",
    "network-interface": "InvalidNetworkInterfaceId.Malformed",
    "customer-gateway": "InvalidCustomerGatewayId.Malformed",
    "vpn-gateway": "InvalidVpnGatewayId.Malformed",
    "vpn-connection": "InvalidVpnConnectionID",
    "security-group": "InvalidGroupId.Malformed",
    "security-group-rule": "InvalidSecurityGroupRuleId.Malformed",
    "network-acl": "InvalidNetworkAclId.Malformed",
    "network-acl-association": "InvalidAssociationID.Malformed",
    "prefix-list": "InvalidPrefixListId.Malformed",
}
"""Resource type → code for an id of the wrong form."""


def not_found(resource_type: str, value: str) -> ApiError:
    code, message = NOT_FOUND[resource_type]
    return ApiError(code, message.format(value))


def malformed_id(resource_type: str, value: str, form: str) -> ApiError:
    return ApiError(MALFORMED[resource_type], f'Invalid id: "{value}" (expecting "{form}")')


def missing_parameter(name: str) -> ApiError:
    return ApiError("MissingParameter", f"The request must contain the parameter {name}")


def invalid_value(name: str, value: object, rule: str) -> ApiError:
    """InvalidParameterValue that names the field, the value and what is allowed."""
    return ApiError("InvalidParameterValue", f"Value ({value}) for parameter {name} is invalid. Allowed: {rule}.")


def combination(message: str) -> ApiError:
    return ApiError("InvalidParameterCombination", message)


def dependency_violation(message: str) -> ApiError:
    return ApiError("DependencyViolation", message)


def has_dependencies(resource_type: str, value: str, dependants: Iterable[str]) -> ApiError:
    """DependencyViolation in AWS's words, with what stands in the way."""
    word = NOT_FOUND[resource_type][1].split()[1]
    return dependency_violation(
        f"The {word} '{value}' has dependencies and cannot be deleted. Remove first: {', '.join(dependants)}."
    )


def incorrect_state(message: str) -> ApiError:
    return ApiError("IncorrectState", message)


def unsupported(message: str) -> ApiError:
    return ApiError("UnsupportedOperation", message)


def limit_exceeded(code: str, what: str, limit: int) -> ApiError:
    """A quota's own code, e.g. VpnGatewayLimitExceeded."""
    return ApiError(code, f"The maximum number of {what} has been reached ({limit}).")


def idempotent_mismatch(token: str, what: str) -> ApiError:
    """A ClientToken that was used for something else."""
    return ApiError(
        "IdempotentParameterMismatch",
        f"The client token '{token}' was used before with other parameters, for {what}: use a new one.",
    )


def dry_run() -> ApiError:
    """What a DryRun request that would have succeeded is answered with."""
    return ApiError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
