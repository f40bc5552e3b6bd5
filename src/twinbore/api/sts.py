"""STS's GetCallerIdentity, which many tools call first to see whether their key works.

A key without a name is its account's root, in AWS's words; one with a name is a user.

Reference: AWS STS API reference, GetCallerIdentity; IAM User Guide, "IAM identifiers".
"""

from __future__ import annotations

from typing import Final

from twinbore.api import codec
from twinbore.api.authorization import Caller
from twinbore.api.errors import ApiError

VERSION: Final = "2011-06-15"
OPERATION: Final = "GetCallerIdentity"


def answer(action: str, caller: Caller, request_id: str) -> bytes:
    """The answer to an STS request. Raises `ApiError` for every other action."""
    if action != OPERATION:
        raise ApiError(
            "InvalidAction", f"Could not find operation {action} for version {VERSION}. There is {OPERATION}."
        )
    identity = {"Account": caller.account_id, "UserId": caller.user_id, "Arn": caller.arn}
    return codec.query_answer(codec.service("sts").operation_model(OPERATION), identity, request_id)
