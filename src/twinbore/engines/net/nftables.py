"""What nftables has of ours in a namespace, read through nfnetlink, and loading a ruleset with nft(8).

Reading does not start a process: the table's comment is the fingerprint of the ruleset that was loaded, the number of
rules tells whether somebody took one out, and the generation number, which the kernel raises with every change, tells
whether anything changed since we looked. Writing is nft's: a transaction that replaces the table at once.

Everything here blocks and concerns the namespace of the calling thread; nft, started from that thread, is in it too.

References: linux/netfilter/nf_tables.h; libnftnl udata.h (comment); nft(8).
"""

from __future__ import annotations

import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pyroute2.netlink import NETLINK_NETFILTER, nla  # type: ignore[import-untyped]
from pyroute2.netlink.nfnetlink import NFNL_SUBSYS_NFTABLES, nfgen_msg  # type: ignore[import-untyped]
from pyroute2.netlink.nfnetlink.nftsocket import (  # type: ignore[import-untyped]
    NFT_MSG_GETGEN,
    NFT_MSG_GETOBJ,
    NFT_MSG_GETRULE,
    NFT_MSG_GETTABLE,
    nft_gen_msg,
    nft_rule_msg,
    nft_table_msg,
)

from twinbore.engines.net.ruleset import TABLE, Counter
from twinbore.engines.netlink import Message, NetlinkSocket, decode, message

_NFPROTO_INET = 1
_OBJECT_COUNTER = 1
_NFT_TIMEOUT_SECONDS: Final = 20.0


class CounterObject(nfgen_msg):  # type: ignore[misc]
    """NFT_MSG_NEWOBJ for counters, which pyroute2 has not (linux/netfilter/nf_tables.h, nft_object_attributes)."""

    prefix = "NFTA_OBJ_"
    nla_map = (
        ("NFTA_OBJ_UNSPEC", "none"),
        ("NFTA_OBJ_TABLE", "asciiz"),
        ("NFTA_OBJ_NAME", "asciiz"),
        ("NFTA_OBJ_TYPE", "be32"),
        ("NFTA_OBJ_DATA", "counter"),
    )

    class counter(nla):  # type: ignore[misc]
        """nft_counter_attributes."""

        nla_map = (
            ("NFTA_COUNTER_UNSPEC", "none"),
            ("NFTA_COUNTER_BYTES", "be64"),
            ("NFTA_COUNTER_PACKETS", "be64"),
        )


@dataclass(frozen=True, slots=True)
class TableState:
    """Our table as the kernel has it: the comment of the table and the number of rules in it."""

    fingerprint: str
    rules: int


class RulesetError(Exception):
    """nft refused a ruleset; the message has its words."""


class NftSocket(NetlinkSocket):
    """Reads nftables of the calling thread's namespace."""

    def __init__(self) -> None:
        super().__init__(NETLINK_NETFILTER, strict=False)

    def __enter__(self) -> NftSocket:
        return self

    def generation(self) -> int:
        """The number that every change of any ruleset in the namespace raises."""
        reply = self.ask(_request(nft_gen_msg, NFT_MSG_GETGEN, socket.AF_UNSPEC))
        return int(decode(nft_gen_msg, reply).get_attr("NFTA_GEN_ID"))

    def table(self) -> TableState | None:
        """Our table, or None when there is none."""
        for data in self.dump(_request(nft_table_msg, NFT_MSG_GETTABLE)):
            entry = decode(nft_table_msg, data)
            if entry.get_attr("NFTA_TABLE_NAME") == TABLE:
                return TableState(entry.get_attr("NFTA_TABLE_USERDATA") or "", self._count_rules())
        return None

    def _count_rules(self) -> int:
        request = _request(nft_rule_msg, NFT_MSG_GETRULE)
        request["attrs"] = [("NFTA_RULE_TABLE", TABLE)]
        return len(self.dump(request))

    def counters(self) -> dict[str, Counter]:
        """The named counters of our table; empty when there is none."""
        request = _request(CounterObject, NFT_MSG_GETOBJ)
        request["attrs"] = [("NFTA_OBJ_TABLE", TABLE), ("NFTA_OBJ_TYPE", _OBJECT_COUNTER)]
        found = {}
        for data in self.dump(request):
            entry = decode(CounterObject, data)
            values = entry.get_attr("NFTA_OBJ_DATA")
            found[entry.get_attr("NFTA_OBJ_NAME")] = Counter(
                packets=values.get_attr("NFTA_COUNTER_PACKETS"), bytes=values.get_attr("NFTA_COUNTER_BYTES")
            )
        return found


def load(nft: Path, script: str) -> None:
    """Give a script to nft in the calling thread's namespace. Raises `RulesetError`."""
    try:
        result = subprocess.run(
            [str(nft), "-f", "-"],
            input=script,
            capture_output=True,
            text=True,
            timeout=_NFT_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RulesetError(f"{nft} could not be run: {error}") from error
    if result.returncode != 0:
        raise RulesetError(f"nft refused the ruleset: {result.stderr.strip()}")


def remove(nft: Path) -> None:
    """Delete our table if there is one."""
    load(nft, f"table inet {TABLE}\ndelete table inet {TABLE}\n")


def _request(kind: type[Message], command: int, family: int = _NFPROTO_INET) -> Message:
    return message(kind, (NFNL_SUBSYS_NFTABLES << 8) | command, nfgen_family=family)
