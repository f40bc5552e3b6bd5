"""STS's GetCallerIdentity, which many tools call first to see whether their key works.

Reference: AWS STS API reference, GetCallerIdentity (Query protocol, version 2011-06-15).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Final

from twinbore.api.errors import ApiError

NAMESPACE: Final = "https://sts.amazonaws.com/doc/2011-06-15/"


def answer(action: str, account_id: str, access_key_id: str, request_id: str) -> bytes:
    """The answer to an STS request. Raises `ApiError` for every other action."""
    if action != "GetCallerIdentity":
        raise ApiError("InvalidAction", f"Could not find operation {action} for version 2011-06-15")
    root = ET.Element("GetCallerIdentityResponse", {"xmlns": NAMESPACE})
    result = ET.SubElement(root, "GetCallerIdentityResult")
    ET.SubElement(result, "Arn").text = f"arn:aws:iam::{account_id}:root"
    ET.SubElement(result, "UserId").text = access_key_id
    ET.SubElement(result, "Account").text = account_id
    ET.SubElement(ET.SubElement(root, "ResponseMetadata"), "RequestId").text = request_id
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document
