"""A client that keeps a ledger of what it was answered, and can tell from what is there whether it was lied to.

Each client has resources of its own, which carry its name in a tag from their creation on. It writes down what it is
about to do, asks, and then writes down what came of it: done, refused (nothing has changed), or no answer. The last is
settled when the service is back: the change must be there wholly, or not at all.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

Thing: TypeAlias = dict[str, Any]
"""A resource: `kind`, `tags` and what else the client has asked for; for values that it left to the service, ANY."""

Things: TypeAlias = dict[str, Thing]
"""Resources by their ids."""

ANY: Final = object()
OWNER: Final = "owner"
MOST: Final = {"customer-gateway": 3, "vpc": 2}
REFUSALS: Final = frozenset({"IncorrectState", "InvalidVpnConnection.InvalidState", "InvalidRoute.InvalidState"})
"""What a client may be told while the agent is still busy with its last change."""


@dataclass(frozen=True)
class Attempt:
    """A request without an answer yet: what the resource is if it is done (None: gone). A new one has no id yet."""

    action: str
    target: str | None
    after: Thing | None


class Client:
    """One client. `things` is its ledger; `done` counts what was acknowledged, `faults` are answers that may not be."""

    def __init__(self, ec2: Any, number: int, vpn_gateway: str) -> None:
        self._ec2 = ec2
        self.name = f"client-{number}"
        self._number = number
        self._made = 0
        self._vpn_gateway = vpn_gateway
        self._random = random.Random(number)
        self.things: Things = {}
        self.attempt: Attempt | None = None
        self.done: Counter[str] = Counter()
        self.open: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.keys: set[str] = set()

    def work(self) -> None:
        """Create, change and delete until the service is gone. Raises for an answer that there must not be."""
        actions = (
            self._create_gateway, self._create_connection, self._create_vpc, self._delete, self._create_route,
            self._delete_route, self._tag, self._untag, self._change_tunnel,
        )  # fmt: skip
        try:
            while True:
                self._random.choice(actions)()
        except BotoCoreError:
            return
        except ResponseParserError:
            # A killed service leaves an answer that ends after its headers. From one that lives it would be a fault.
            try:
                self._ec2.describe_regions()
            except BotoCoreError:
                return
            raise

    def settle(self, found: Things) -> None:
        """Compare the ledger with what is there, and settle the attempt that got no answer."""
        expected = dict(self.things)
        attempt, self.attempt = self.attempt, None
        outcome = "not at all"
        if attempt is not None and attempt.target is None:
            made = found.keys() - expected.keys()
            assert len(made) <= 1, f"{self.name}: one {attempt.action} has made {made}"
            for name in made:
                assert attempt.after is not None
                assert alike(found[name], attempt.after), (found[name], attempt)
                expected[name] = found[name]
                outcome = "wholly"
        elif attempt is not None and found.get(str(attempt.target)) != expected[str(attempt.target)]:
            expected.pop(str(attempt.target))
            if attempt.after is not None:
                expected[str(attempt.target)] = attempt.after
            outcome = "wholly"
        assert found == expected, f"{self.name}, after {attempt}"
        if attempt is not None:
            self.open[outcome] += 1
        self.things = expected
        self.keys.update(key for thing in found.values() for key in thing.get("keys", ()))

    # Requests --------------------------------------------------------------------------------------------------------

    def _ask(self, attempt: Attempt, call: str, **parameters: Any) -> dict[str, Any] | None:
        """The answer, or None when it was refused. Where none comes the attempt stays open, and the error is raised."""
        self.attempt = attempt
        try:
            answer: dict[str, Any] = getattr(self._ec2, call)(**parameters)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            assert code in REFUSALS, error
            self.refused[f"{call}: {code}"] += 1
            self.attempt = None
            return None
        return answer

    def _create(self, call: str, member: str, thing: Thing, **parameters: Any) -> dict[str, Any] | None:
        tags = [{"Key": key, "Value": value} for key, value in thing["tags"].items()]
        specification = [{"ResourceType": thing["kind"], "Tags": tags}]
        answer = self._ask(Attempt(call, None, thing), call, TagSpecifications=specification, **parameters)
        if answer is None:
            return None
        made: dict[str, Any] = answer[member]
        self.things[made[f"{member}Id"]] = thing
        self.attempt = None
        self.done[call] += 1
        return made

    def _change(self, name: str, after: Thing | None, call: str, **parameters: Any) -> None:
        if self._ask(Attempt(call, name, after), call, **parameters) is None:
            return
        if after is None:
            del self.things[name]
        else:
            self.things[name] = after
        self.attempt = None
        self.done[call] += 1

    def _of(self, kind: str) -> list[str]:
        return [name for name, thing in self.things.items() if thing["kind"] == kind]

    def _any(self, names: list[str]) -> tuple[str, Thing] | None:
        if not names:
            return None
        name = self._random.choice(names)
        return name, self.things[name]

    def _tags(self) -> dict[str, str]:
        self._made += 1
        return {OWNER: self.name, "number": str(self._made)}

    def _key(self) -> str:
        key = "".join(self._random.choices("abcdefghijkmnopqrstuvwxyz", k=24))
        self.keys.add(key)
        return key

    # Actions ---------------------------------------------------------------------------------------------------------

    def _create_gateway(self) -> None:
        if len(self._of("customer-gateway")) < MOST["customer-gateway"]:
            tags = self._tags()
            address = f"{20 + self._number}.{self._made >> 16}.{self._made >> 8 & 255}.{self._made & 255}"
            thing = {"kind": "customer-gateway", "tags": tags, "asn": "65000", "address": address}
            self._create(
                "create_customer_gateway", "CustomerGateway", thing, Type="ipsec.1", BgpAsn=65000, IpAddress=address
            )

    def _create_connection(self) -> None:
        used = {self.things[name]["gateway"] for name in self._of("vpn-connection")}
        gateway = self._any([name for name in self._of("customer-gateway") if name not in used])
        if gateway is None:
            return
        key, lifetime = self._key(), self._random.randrange(900, 3600)
        thing = {
            "kind": "vpn-connection", "tags": self._tags(), "gateway": gateway[0], "keys": (key, ANY),
            "lifetimes": (lifetime, 3600), "routes": frozenset(),
        }  # fmt: skip
        tunnels = [{"PreSharedKey": key, "Phase2LifetimeSeconds": lifetime, "RekeyMarginTimeSeconds": 60}, {}]
        made = self._create(
            "create_vpn_connection",
            "VpnConnection",
            thing,
            Type="ipsec.1",
            CustomerGatewayId=gateway[0],
            VpnGatewayId=self._vpn_gateway,
            Options={"StaticRoutesOnly": True, "TunnelOptions": tunnels},
        )
        if made is not None:
            generated = made["Options"]["TunnelOptions"][1]["PreSharedKey"]
            self.things[made["VpnConnectionId"]] = thing | {"keys": (key, generated)}

    def _create_vpc(self) -> None:
        if len(self._of("vpc")) < MOST["vpc"]:
            self._create("create_vpc", "Vpc", {"kind": "vpc", "tags": self._tags()}, CidrBlock="10.0.0.0/16")

    def _delete(self) -> None:
        used = {self.things[name]["gateway"] for name in self._of("vpn-connection")}
        found = self._any([name for name in self.things if name not in used])
        if found is not None:
            kind = found[1]["kind"]
            member = "".join(word.capitalize() for word in kind.split("-")) + "Id"
            self._change(found[0], None, f"delete_{kind.replace('-', '_')}", **{member: found[0]})

    def _create_route(self) -> None:
        self._route("create_vpn_connection_route", lambda routes, block: routes | {block})

    def _delete_route(self) -> None:
        self._route("delete_vpn_connection_route", lambda routes, block: routes - {block})

    def _route(self, call: str, change: Any) -> None:
        deleting = call.startswith("delete")
        found = self._any([n for n in self._of("vpn-connection") if self.things[n]["routes"] or not deleting])
        if found is None:
            return
        name, thing = found
        new = f"172.16.{self._random.randrange(256)}.0/24"
        block = self._random.choice(sorted(thing["routes"])) if deleting else new
        after = thing | {"routes": change(thing["routes"], block)}
        self._change(name, after, call, VpnConnectionId=name, DestinationCidrBlock=block)

    def _tag(self) -> None:
        found = self._any(list(self.things))
        if found is not None:
            name, thing = found
            tags = {f"key-{self._random.randrange(4)}": f"{self._random.random()}" for _ in range(2)}
            given = [{"Key": key, "Value": value} for key, value in tags.items()]
            self._change(name, thing | {"tags": thing["tags"] | tags}, "create_tags", Resources=[name], Tags=given)

    def _untag(self) -> None:
        found = self._any([name for name, thing in self.things.items() if len(thing["tags"]) > 2])
        if found is not None:
            name, thing = found
            after = {key: value for key, value in thing["tags"].items() if key in (OWNER, "number")}
            gone = [{"Key": key} for key in thing["tags"].keys() - after.keys()]
            self._change(name, thing | {"tags": after}, "delete_tags", Resources=[name], Tags=gone)

    def _change_tunnel(self) -> None:
        """The key and the lifetime of one tunnel, in one request."""
        found = self._any(self._of("vpn-connection"))
        if found is None:
            return
        name, thing = found
        index, key, lifetime = self._random.randrange(2), self._key(), self._random.randrange(900, 3600)
        (shown,) = self._ec2.describe_vpn_connections(VpnConnectionIds=[name])["VpnConnections"]
        after = thing | {
            member: tuple(value if i == index else old for i, old in enumerate(thing[member]))
            for member, value in (("keys", key), ("lifetimes", lifetime))
        }
        self._change(
            name,
            after,
            "modify_vpn_tunnel_options",
            VpnConnectionId=name,
            VpnTunnelOutsideIpAddress=shown["VgwTelemetry"][index]["OutsideIpAddress"],
            TunnelOptions={"PreSharedKey": key, "Phase2LifetimeSeconds": lifetime, "RekeyMarginTimeSeconds": 60},
        )


def alike(found: Any, wanted: Any) -> bool:
    """Whether what is there is what was asked for; ANY is anything but nothing."""
    if wanted is ANY:
        return bool(found)
    if isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(alike(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, tuple):
        return len(found) == len(wanted) and all(alike(*pair) for pair in zip(found, wanted, strict=True))
    return bool(found == wanted)
