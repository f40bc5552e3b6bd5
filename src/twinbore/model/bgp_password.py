"""The password of a tunnel's BGP session: what may be one, and where it is kept.

It goes into TCP's MD5 signature, so that nobody but the two routers can put a segment into the session, or end it. The
tunnel protects the session already, which is why AWS has none; some customers' rules ask for it all the same.

* Kept as the tunnel's secret `FIELD`, encrypted like its pre-shared key. Not a tag: tags are shown to everybody who may
  describe the connection, and are not encrypted.
* Only characters that every router's command line and configuration file takes as they are.

References: RFC 2385 (TCP MD5 signature); Linux tcp.h (TCP_MD5SIG_MAXKEYLEN: 80).
"""

from __future__ import annotations

import re
from typing import Final

FIELD: Final = "bgp_password"
RULE: Final = "1 to 80 characters: letters, digits and . _ + / = @ % : , -"
_ALLOWED: Final = re.compile(r"[A-Za-z0-9._+/=@%:,-]{1,80}", re.ASCII)


def is_password(text: str) -> bool:
    """Whether `text` obeys `RULE`."""
    return _ALLOWED.fullmatch(text) is not None
