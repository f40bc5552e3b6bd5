"""What an operation is: a function from a parsed request to an answer, inside one transaction.

    @operation("CreateVpc")
    def create_vpc(call: Call, request: Request) -> Response: ...

`request` has botocore's member names and types, with unknown parameters refused and required members checked already;
the answer is a dict of botocore's output members, or empty for operations without output. An operation that raises
leaves nothing changed. DryRun is the frame's work: the transaction is undone after the operation has succeeded.

An operation gets everything from `Call`: its transaction, the caller's account, the time, randomness. It knows nothing
of HTTP and does no I/O of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from twinbore.api.authorization import Caller
from twinbore.model.ids import new_id
from twinbore.model.settings import Settings
from twinbore.store.database import Transaction

Request = dict[str, Any]
Response = dict[str, Any]


class Randomness(Protocol):
    """Where ids, keys and choices come from; the real one is `secrets`, tests give a seeded one."""

    def hex(self, digits: int) -> str: ...

    def below(self, limit: int) -> int: ...

    def key(self, length: int) -> str:
        """`length` characters of A-Z a-z 0-9 . _, not starting with 0."""


@dataclass(frozen=True, slots=True)
class Call:
    """The context of one request."""

    tx: Transaction
    caller: Caller
    settings: Settings
    now: datetime
    random: Randomness

    @property
    def account_id(self) -> str:
        """The caller's account."""
        return self.caller.account_id

    def new_id(self, resource_type: str) -> str:
        return new_id(resource_type, self.random.hex)


Operation = Callable[[Call, Request], Response]

OPERATIONS: Final[dict[str, Operation]] = {}
"""Every implemented operation by its name; filled by importing `twinbore.api.ops`."""

READ_ONLY: Final[tuple[str, ...]] = ("Describe", "Get")
"""Operations whose names start so change nothing and run on a read snapshot."""


def operation(name: str) -> Callable[[Operation], Operation]:
    """Register the function as the EC2 operation `name`."""

    def register(function: Operation) -> Operation:
        OPERATIONS[name] = function
        return function

    return register
