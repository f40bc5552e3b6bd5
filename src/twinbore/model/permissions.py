"""What an access key may do: a policy as AWS's Identity and Access Management writes them, and its verdicts. Pure.

    {"Version": "2012-10-17",
     "Statement": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"},
                   {"Effect": "Allow", "Action": ["ec2:ModifyVpnTunnelOptions", "ec2:ReplaceVpnTunnel"],
                    "Resource": "arn:aws:ec2:*:*:vpn-connection/vpn-0123456789abcdef0"}]}

* A statement is about the actions and the resources that its patterns match: `*` stands for any characters, `?` for
  one. Actions are compared without regard to case, resources with.
* Nothing is allowed that no statement allows, and nothing that one denies.
* Twinbore's policies have effects, actions and resources, and nothing else. What would narrow a statement (Condition,
  Principal, NotAction, NotResource, an element that stands twice, a policy variable such as ${aws:username}) is
  refused, not passed over: it would allow more than its author means.

References: IAM User Guide, "IAM JSON policy elements reference", "Policy evaluation logic"; Service Authorization
Reference, "Actions, resources, and condition keys for Amazon EC2".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Final

VERSIONS: Final = ("2012-10-17", "2008-10-17")
STATEMENT_ELEMENTS: Final = ("Sid", "Effect", "Action", "Resource")
EFFECTS: Final = ("Allow", "Deny")
MAX_POLICY: Final = 6144
"""Characters without white space, as for a managed policy of AWS."""

_ACTION: Final = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+", re.ASCII)
_RESOURCE: Final = re.compile(r"\*|arn(:[!-9;-~]*){4}:[!-~]+", re.ASCII)
_ARN_RULE: Final = "* or an ARN, for example arn:aws:ec2:*:*:vpc/*"
_VARIABLE: Final = "${"


class PolicyError(ValueError):
    """What is no policy, or one that cannot be kept; the message says which element and what is allowed."""


class Verdict(Enum):
    """What a policy says of an action on a resource."""

    ALLOWED = "allowed"
    DENIED = "denied"
    NOT_ALLOWED = "not allowed"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: whether it allows or denies, and patterns of actions and resources."""

    allow: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def is_about(self, action: str, resource: str) -> bool:
        """Whether the statement is about this action on this resource (an ARN, or `*` for no one in particular)."""
        return self.names(action) and any(_pattern(p).fullmatch(resource) for p in self.resources)

    def names(self, action: str) -> bool:
        """Whether the statement is about this action on some resource."""
        return any(_pattern(p.lower()).fullmatch(action.lower()) for p in self.actions)


@dataclass(frozen=True, slots=True)
class Policy:
    """Statements, all of which are asked."""

    statements: tuple[Statement, ...]

    def verdict(self, action: str, resource: str) -> Verdict:
        """What the policy says of an action (`ec2:CreateVpc`) on a resource."""
        about = [statement.allow for statement in self.statements if statement.is_about(action, resource)]
        if False in about:
            return Verdict.DENIED
        return Verdict.ALLOWED if about else Verdict.NOT_ALLOWED

    def verdict_everywhere(self, action: str) -> Verdict | None:
        """What the policy says of an action, if that is the same for every resource; None if it is not."""
        if any(statement.resources != ("*",) for statement in self.statements if statement.names(action)):
            return None
        return self.verdict(action, "*")


ADMINISTRATOR: Final = Policy((Statement(True, ("*",), ("*",)),))
READ_ONLY: Final = Policy((Statement(True, ("ec2:Describe*", "ec2:Get*", "sts:*"), ("*",)),))

ROLES: Final = {"administrator": ADMINISTRATOR, "read-only": READ_ONLY}
"""Policies with a name."""


def parse_policy(text: str) -> Policy:
    """The policy in a JSON document. Raises `PolicyError`."""
    if len("".join(text.split())) > MAX_POLICY:
        raise PolicyError(f"the policy has more than {MAX_POLICY} characters, white space not counted")
    try:
        document = json.loads(text, object_pairs_hook=_once)
    except PolicyError:  # itself a ValueError
        raise
    except (ValueError, RecursionError) as error:
        raise PolicyError(f"the policy is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise PolicyError("the policy must be a JSON object with the elements Version and Statement")
    _refuse_others("the policy", document, ("Version", "Id", "Statement"))
    if document.get("Version", VERSIONS[0]) not in VERSIONS:
        raise PolicyError(f"Version {document['Version']!r}: one of {', '.join(VERSIONS)}")
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise PolicyError("Statement: a statement or a list of them is needed")
    return Policy(tuple(_statement(number, item) for number, item in enumerate(statements, 1)))


def _statement(number: int, item: Any) -> Statement:
    where = f"statement {number}"
    if not isinstance(item, dict):
        raise PolicyError(f"{where}: must be a JSON object")
    _refuse_others(where, item, STATEMENT_ELEMENTS)
    if item.get("Effect") not in EFFECTS:
        raise PolicyError(f"{where}: Effect {item.get('Effect')!r}: one of {', '.join(EFFECTS)}")
    return Statement(
        allow=item["Effect"] == "Allow",
        actions=_patterns(where, "Action", item.get("Action"), _ACTION, "* or service:name, for example ec2:Describe*"),
        resources=_patterns(where, "Resource", item.get("Resource"), _RESOURCE, _ARN_RULE),
    )


def _patterns(where: str, name: str, value: Any, form: re.Pattern[str], rule: str) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values:
        raise PolicyError(f"{where}: {name}: a text or a list of texts is needed ({rule})")
    for text in values:
        if not isinstance(text, str) or not form.fullmatch(text):
            raise PolicyError(f"{where}: {name} {text!r}: must be {rule}")
        if _VARIABLE in text:
            raise PolicyError(f"{where}: {name} {text!r}: policy variables are not supported; write what is meant")
    return tuple(values)


def _refuse_others(where: str, item: Iterable[str], known: tuple[str, ...]) -> None:
    for name in item:
        if name not in known:
            raise PolicyError(f"{where}: the element {name!r} is not supported; there are {', '.join(known)}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise PolicyError(f"the element {name!r} stands twice in one object")
    return dict(pairs)


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    """A pattern as a regular expression. What a `*` has passed is not tried again (atomic groups), which changes no
    match and keeps the time to length times length."""
    first, *others = ("".join("." if c == "?" else re.escape(c) for c in piece) for piece in text.split("*"))
    middle = "".join(f"(?>.*?{piece})" for piece in others[:-1] if piece)
    return re.compile(first + middle + (".*" + others[-1] if others else ""), re.DOTALL)
