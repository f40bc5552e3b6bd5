"""Faults of the public network: an address that nothing reaches any more, without a word to anybody.

Silent loss is an nftables drop in the public network's forwarding path: no link goes down and no ICMP is sent, as with
a provider's fault, so that only timers can notice.
"""

from __future__ import annotations

from typing import Final

from twinbore.lab.namespaces import run

_RULESET: Final = """\
table ip faults {
    set cut { type ipv4_addr; }
    chain forward {
        type filter hook forward priority filter;
        ip saddr @cut drop
        ip daddr @cut drop
    }
}
"""


class Faults:
    """The faults in one forwarding namespace."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        run(["nft", "-f", "-"], namespace=namespace, text=_RULESET)

    def cut(self, address: str) -> None:
        """Drops everything from and to `address`."""
        self._element("add", address)

    def heal(self, address: str) -> None:
        """Lets it pass again. The address must have been cut."""
        self._element("delete", address)

    def _element(self, verb: str, address: str) -> None:
        run(["nft", verb, "element", "ip", "faults", "cut", f"{{ {address} }}"], namespace=self._namespace)
