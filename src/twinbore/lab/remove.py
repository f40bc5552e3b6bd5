"""Removes labs that were kept: `python -m twinbore.lab.remove [PREFIX]...`; without one, all kept or crashed ones."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from twinbore.lab.ledger import ledgers


def remove(prefixes: Sequence[str]) -> int:
    """Removes the labs with these prefixes, or every one that no process owns. Returns the exit status."""
    there = {ledger.prefix: ledger for ledger in ledgers()}
    unknown = [prefix for prefix in prefixes if prefix not in there]
    if unknown:
        print(f"no lab {', '.join(unknown)}; there are: {', '.join(there) or 'none'}", file=sys.stderr)
        return 1
    for prefix in prefixes or [p for p, ledger in there.items() if ledger.owner_pid == 0 or ledger.abandoned()]:
        there[prefix].settle()
        print(f"removed {prefix}")
    return 0


if __name__ == "__main__":
    sys.exit(remove(sys.argv[1:]))
