"""What this charon process was told, as fingerprints in a file, so that a later agent need not tell it again.

charon gives back neither keys nor proposals, so what it has loaded cannot be compared with what it should have. A
fingerprint of each connection, written after loading, can; and it says how much of the connection a change concerns.

Invariants:
* The file is good for one charon process only (pid, start time, boot): another one has nothing loaded.
* It holds no key: fingerprints are HMAC-SHA-256 with a random salt of the file, which has mode 0600.
* What is due is written together with the new fingerprint, before the work on SAs begins, and cleared after it; so an
  agent that was killed in between leaves the work to the next one. It is written for each IKE SA that was there when
  the connection was loaded anew (`stale`): one that has a successor already must not decide about that.

References: RFC 2104 (HMAC).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from twinbore.engines.ipsec.charon_config import FOR_NEW_SAS, IDENTITY, TIMES


class Due(StrEnum):
    """What a change of a connection asks of an IKE SA that was there before; in the order of their weight."""

    NOTHING = "nothing"
    RENEW = "renew"
    """Replace them when they would be re-keyed: only times have changed."""
    REAUTHENTICATE = "reauthenticate"
    """The peer or its key is another: replace them as soon as it has authenticated, and end them if it does not."""
    RENEGOTIATE = "renegotiate"
    """Negotiate new ones, then end the old ones."""


_WEIGHTS: Final = tuple(Due)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Hexadecimal digests: of everything, of what SAs keep, of what they negotiate, and of peers and key alone."""

    everything: str
    kept: str
    negotiated: str
    peers: str
    stale: tuple[tuple[int, Due], ...] = ()

    @property
    def due(self) -> dict[int, Due]:
        """Unique id of an outdated IKE SA → what is due on it."""
        return dict(self.stale)

    def change_to(self, new: Fingerprint) -> Due:
        """What becoming `new` asks of an SA that was made under this one."""
        if new.negotiated != self.negotiated:
            return Due.RENEGOTIATE
        if new.peers != self.peers:
            return Due.REAUTHENTICATE
        if new.kept != self.kept:
            return Due.RENEW
        return Due.NOTHING

    def after(self, before: Fingerprint, there: Iterable[int]) -> Fingerprint:
        """This one, after `before`, while these IKE SAs are there: with what is due on each of them."""
        change = before.change_to(self)
        due = {number: max(change, before.due.get(number, Due.NOTHING), key=_WEIGHTS.index) for number in there}
        return replace(self, stale=tuple(sorted((n, d) for n, d in due.items() if d is not Due.NOTHING)))

    def rekeyed(self, old: int, new: int) -> Fingerprint:
        """charon re-keyed an IKE SA: the new one has its settings from the old one."""
        return replace(self, stale=tuple(sorted((new if n == old else n, due) for n, due in self.stale)))

    def without(self, numbers: Collection[int]) -> Fingerprint:
        """Nothing is due any more on these IKE SAs."""
        return replace(self, stale=tuple((n, due) for n, due in self.stale if n not in numbers))

    def same_as(self, other: Fingerprint) -> bool:
        return self.everything == other.everything


def fingerprint(
    salt: bytes, connection: Mapping[str, Any], key: Mapping[str, Any], replacements: int = 0
) -> Fingerprint:
    """The fingerprint of one connection (`charon_config.connection`) and its tunnel's key (`shared_key`).

    `replacements` is `IkeTunnel.replacements`.
    """
    asked = {"replacements": replacements}
    kept = _without(connection, FOR_NEW_SAS)
    return Fingerprint(
        everything=_digest(salt, connection, key, asked),
        kept=_digest(salt, kept),
        negotiated=_digest(salt, _without(kept, TIMES | IDENTITY), asked),
        peers=_digest(salt, {name: connection[name] for name in IDENTITY}, key),
    )


def _without(connection: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    children = {
        child: {name: value for name, value in body.items() if name not in names}
        for child, body in connection["children"].items()
    }
    return {name: value for name, value in connection.items() if name not in names} | {"children": children}


def _digest(salt: bytes, *parts: Mapping[str, Any]) -> str:
    text = json.dumps(parts, sort_keys=True).encode()
    return hmac.new(salt, text, hashlib.sha256).hexdigest()


@dataclass
class Ledger:
    """The fingerprints of one charon process. `process` is its identity as text; `salt` is hexadecimal."""

    process: str
    salt: str
    connections: dict[str, Fingerprint] = field(default_factory=dict)

    @classmethod
    def empty(cls, process: str) -> Ledger:
        return cls(process, os.urandom(16).hex())

    @classmethod
    def read(cls, path: Path, process: str) -> Ledger:
        """The file's ledger, if it is of that process; an empty one otherwise."""
        try:
            data = json.loads(path.read_text())
            entries = {
                name: replace(Fingerprint(**entry), stale=tuple((int(n), Due(due)) for n, due in entry["stale"]))
                for name, entry in data["connections"].items()
            }
            found = cls(data["process"], data["salt"], entries)
        except (OSError, ValueError, KeyError, TypeError):
            return cls.empty(process)
        return found if found.process == process else cls.empty(process)

    def write(self, path: Path) -> None:
        """Replace the file as a whole."""
        text = json.dumps(asdict(self))
        new = path.with_suffix(".new")
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(text)
        new.replace(path)

    def of(self, connection: Mapping[str, Any], key: Mapping[str, Any], replacements: int = 0) -> Fingerprint:
        """The fingerprint of a connection with this ledger's salt."""
        return fingerprint(bytes.fromhex(self.salt), connection, key, replacements)
