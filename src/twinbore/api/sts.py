"""STS's GetCallerIdentity, which many tools call first to see whether their key works.

There are no users and roles: who holds a key is its account's root, in AWS's words.

Reference: AWS STS API reference, GetCallerIdentity; IAM User Guide, "IAM identifiers".
"""

from __future__ import annotations

from typing import Final

from twinbore.api import codec
from twinbore.api.errors import ApiError

VERSION: Final = "2011-06-15"
OPERATION: Final = "GetCallerIdentity"


def answer(action: str, account_id: str, request_id: str) -> bytes:
    """The answer to an STS request. Raises `ApiError` for every other action."""
    if action != OPERATION:
        raise ApiError(
            "InvalidAction", f"Could not find operation {action} for version {VERSION}. There is {OPERATION}."
        )
    identity = {"Account": account_id, "UserId": account_id, "Arn": f"arn:aws:iam::{account_id}:root"}
    return codec.query_answer(codec.service("sts").operation_model(OPERATION), identity, request_id)
