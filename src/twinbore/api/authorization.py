"""Who calls, and whether that access key may do what it asks for.

A request is about resources. Which ones is read from its ids, and for a Create from the type of what it makes
(`arn:aws:ec2:us-east-1:123456789012:vpn-connection/*`); listings are about none in particular (`*`), as AWS has it for
Describe actions. The key's policy has to allow the action on each of them.

Keys of tunnels are secrets: whoever may set them (ec2:ModifyVpnTunnelOptions on the connection) sees them, everybody
else sees `REDACTED` in their place.

What a request names without an id (a security group by its name, a route table by its association) is looked up first
(see `indirect`), so that a Deny on a resource holds by whatever name it goes. A request that tags what it makes needs
`ec2:CreateTags` as well, as AWS has it.

A denied request says so before anything else is looked at, so that it learns nothing of what exists.

References: EC2 API reference, "Client error codes" (UnauthorizedOperation); Service Authorization Reference, "Actions,
resources, and condition keys for Amazon EC2"; IAM User Guide, "IAM identifiers" (ARNs).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from twinbore.api.errors import ApiError
from twinbore.model.ids import PREFIXES, resource_type_of
from twinbore.model.permissions import Policy, Verdict

REDACTED: Final = "REDACTED"
SET_KEYS: Final = "ec2:ModifyVpnTunnelOptions"
LISTING: Final = "Describe"
CREATE: Final = "Create"
ANY: Final = "*"
SET_TAGS: Final = "ec2:CreateTags"
NOT_NAMES: Final = frozenset({"ClientToken", "Description", "Filters", "Tags", "TagSpecifications"})
"""Members whose values are a user's words: what looks like an id there names nothing."""

Named = tuple[str, str]
"""Type and id of a resource."""

Meant = Mapping[Named, list[Named]]
"""What a request names otherwise than by an id → the resources behind it; a security group's name has no type."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The account and the access key behind a request; `name` is the key's name, or empty."""

    account_id: str
    access_key_id: str
    name: str
    policy: Policy
    region: str

    @property
    def arn(self) -> str:
        """How AWS names a caller: a key with a name is a user of the account, one without is its root."""
        return f"arn:aws:iam::{self.account_id}:" + (f"user/{self.name}" if self.name else "root")

    @property
    def user_id(self) -> str:
        """AWS's unique id of the caller."""
        return self.access_key_id if self.name else self.account_id

    def resource(self, resource_type: str, resource_id: str) -> str:
        """The ARN of a resource of the caller's account."""
        return f"arn:aws:ec2:{self.region}:{self.account_id}:{resource_type}/{resource_id}"

    def may(self, action: str, resource: str) -> bool:
        """Whether the caller may do this (`ec2:CreateVpc`) on this resource."""
        return self.policy.verdict(action, resource) is Verdict.ALLOWED

    def may_see_keys(self, connection_id: str) -> bool:
        """Whether the caller is shown the pre-shared keys of a VPN connection."""
        return self.may(SET_KEYS, self.resource("vpn-connection", connection_id))

    def key_viewer(self) -> Callable[[str], bool]:
        """`may_see_keys`, for many connections: a policy that does not tell them apart is asked once."""
        verdict = self.policy.verdict_everywhere(SET_KEYS)
        return self.may_see_keys if verdict is None else lambda _: verdict is Verdict.ALLOWED


def authorize(caller: Caller, action: str, request: dict[str, Any], meant: Meant | None = None) -> None:
    """Raise UnauthorizedOperation unless the caller may do the EC2 action with this request.

    `meant` has the resources behind what the request does not name by their own ids (see `indirect`).
    """
    for resource in resources(caller, action, request, meant):
        check(caller, f"ec2:{action}", resource)
    for specification in dict.get(request, "TagSpecifications") or ():
        if dict.get(specification, "Tags"):
            check(caller, SET_TAGS, caller.resource(str(dict.get(specification, "ResourceType") or ANY), ANY))


def check(caller: Caller, action: str, resource: str) -> None:
    """Raise UnauthorizedOperation unless the caller may do this on this resource."""
    verdict = caller.policy.verdict(action, resource)
    if verdict is Verdict.ALLOWED:
        return
    on = "" if resource == ANY else f" on resource: {resource}"
    why = (
        "with an explicit deny in an identity-based policy"
        if verdict is Verdict.DENIED
        else f"because no identity-based policy allows the {action} action"
    )
    raise ApiError(
        "UnauthorizedOperation",
        f"You are not authorized to perform this operation. User: {caller.arn} is not authorized to perform: "
        f"{action}{on} {why}",
        403,
    )


def resources(caller: Caller, action: str, request: dict[str, Any], meant: Meant | None = None) -> list[str]:
    """The ARNs that the request is about; `*` alone when it is about none in particular."""
    if action.startswith(LISTING):
        return [ANY]
    behind = meant or {}
    named = [resource for name in ids_in(request) for resource in behind.get(name, [name])]
    named += [resource for name, found in behind.items() if not name[0] for resource in found]
    if action.startswith(CREATE):
        made = _kebab(action.removeprefix(CREATE).removeprefix("Managed"))
        named += [(made, ANY)] if made in PREFIXES else []
    return list(dict.fromkeys(caller.resource(*one) for one in named)) or [ANY]


def ids_in(value: Any) -> Iterator[Named]:
    """Type and id of every resource that a request names, without taking note that it was read."""
    if isinstance(value, dict):
        for name, below in dict.items(value):
            if name not in NOT_NAMES:
                yield from ids_in(below)
    elif isinstance(value, list):
        for item in value:
            yield from ids_in(item)
    elif isinstance(value, str) and (resource_type := resource_type_of(value)) is not None:
        yield resource_type, value


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()
