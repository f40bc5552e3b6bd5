"""From a verified request to its answer: which operation it is, its transaction, and the answer where there is none.

* A request that the caller's key may not make is refused before anything is looked at (see `authorization`), or, where
  it names a resource otherwise than by its id, before anything but that name is (see `indirect`).
* An operation runs in one transaction, a write transaction unless its name says that it only reads; the answer is
  written inside it, so that whatever ends in an error has changed nothing. DryRun undoes it after it has succeeded: a
  dry run checks all that a real one would.
* The answer of an operation that reads may be longer than what is kept in memory; then it is handed out while it is
  written, and the transaction ends with it (see `streamed`).
* What a client sends is done or refused: a member that the operation has not read is refused by name when the rest has
  succeeded, and undoes it (see `members`).
* An action that AWS has and Twinbore has not is refused by name, with one exception: a listing (Describe..., with
  lists and nothing else in its answer) is answered with empty lists, or with NotFound for an id (see `missing`). Tools
  list what they do not use on their way, and of all those resources there is in truth none.

References: EC2 API reference, "Actions", "Common error types".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from time import monotonic_ns
from typing import Final

from botocore.model import OperationModel

import twinbore.api.ops  # noqa: F401 - registers the operations
from twinbore.api import codec, differences, errors, indirect
from twinbore.api.authorization import Caller, authorize
from twinbore.api.errors import ApiError
from twinbore.api.members import Members, read_all, unread
from twinbore.api.missing import refuse_ids
from twinbore.api.operation import OPERATIONS, READ_ONLY, Call, Operation, Randomness, Request, Response
from twinbore.api.streamed import Streamed, whole_or_streamed
from twinbore.api.throttle import Throttle
from twinbore.model.settings import Settings
from twinbore.store.database import Database

NEXT_TOKEN: Final = "NextToken"  # noqa: S105 - a member's name
LISTING: Final = "Describe"

LATER: Final = {
    "TransitGateway": "transit gateways come in a later version. Use a virtual private gateway (CreateVpnGateway)",
    "VpnConcentrator": "VPN concentrators come in a later version. Use a virtual private gateway (CreateVpnGateway)",
}
"""Part of an operation's name → what will be there one day. An operation takes its place by being registered."""

Parameters = Sequence[tuple[str, str]]


class Dispatcher:
    """Runs the operations of EC2 against one database."""

    def __init__(
        self, database: Database, settings: Settings, clock: Callable[[], datetime], random: Randomness
    ) -> None:
        self._model = codec.service("ec2")  # loaded here, so that no request waits for it
        self._names = frozenset(self._model.operation_names)
        self._database = database
        self._settings = settings
        self._throttle = Throttle(settings.throttling)
        self._clock = clock
        self._random = random

    def answer(
        self, caller: Caller, action: str, version: str, parameters: Parameters, request_id: str
    ) -> bytes | Streamed:
        """The XML document that the request is answered with, or its beginning if it is long.

        Raises `ApiError` and `StoreError`.
        """
        codec.check_version(version)
        if not action:
            raise errors.missing_parameter("Action")
        if action not in self._names:
            raise ApiError("InvalidAction", f"The action {action} is not valid for this web service.")
        self._throttle.check(caller.account_id, action, (name for name, _ in parameters), monotonic_ns())
        operation_model = self._model.operation_model(action)
        function = OPERATIONS.get(action) or empty_listing(operation_model)
        request = codec.parse(operation_model, parameters)
        dry_run = bool(request.pop("DryRun", False))
        named = indirect.names(action, request)
        if not named:
            authorize(caller, action, request)
        reading = action.startswith(READ_ONLY)
        with ExitStack() as stack:
            tx = stack.enter_context(self._database.read() if reading else self._database.write())
            call = Call(tx, caller, self._settings, self._clock(), self._random)
            if named:
                authorize(caller, action, request, indirect.meant(call, named))
            result = function(call, request)
            _refuse_unread(operation_model, request)
            if dry_run:
                raise errors.dry_run()
            parts = codec.answer_parts(operation_model, result, request_id, version)
            return whole_or_streamed(parts, stack) if reading else b"".join(parts)


def empty_listing(operation_model: OperationModel) -> Operation:
    """An operation that lists nothing, for a listing of what does not exist here; `ApiError` for everything else."""
    members = operation_model.output_shape.members if operation_model.output_shape is not None else {}
    lists = [name for name, member in members.items() if member.type_name == "list"]
    others = members.keys() - set(lists) - {NEXT_TOKEN}
    if not operation_model.name.startswith(LISTING) or not lists or others:
        raise errors.unsupported(_why_not(operation_model.name))

    def nothing(_call: Call, request: Request) -> Response:
        refuse_ids(request)
        read_all(request)  # whatever else is asked about what does not exist
        return {name: [] for name in lists}

    return nothing


def _why_not(name: str) -> str:
    for part, later in LATER.items():
        if part in name:
            return f"The operation {name} is not supported by Twinbore yet: {later}."
    return f"The operation {name} is not supported by Twinbore."


def _refuse_unread(operation_model: OperationModel, request: Members) -> None:
    for path in unread(request):
        name, structure = codec.member_at(operation_model, path)
        why = differences.reason(structure, str(path[-1])) or "leave it out"
        raise errors.unsupported(f"The parameter {name} is not supported by Twinbore: {why}.")
