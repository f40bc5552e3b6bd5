"""MikroTik RouterOS: `/menu add property=value`, and the script that changes between policies.

References: help.mikrotik.com, IPsec; wiki.mikrotik.com, Manual:IP/IPsec of 6.36. Until 6.43 a peer has its key and
algorithms; since 6.44 they are the profile's and the identity's. Of two policies with the same networks one is active.
Source NAT happens before policies are looked at, so that a rule must accept what goes through a tunnel first.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable

from tests.devices.settings import INSIDE, DeviceSettings, Proposal, Refused, StaticRoute, Tunnel

PEER = {"address", "auth-method", "secret", "exchange-mode", "hash-algorithm", "enc-algorithm", "dh-group", "lifetime",
        "dpd-interval", "dpd-maximum-failures", "nat-traversal", "my-id", "comment"}  # fmt: skip
RULE = {
    "chain",
    "in-interface",
    "protocol",
    "tcp-flags",
    "src-address",
    "dst-address",
    "tcp-mss",
    "action",
    "new-mss",
    "passthrough",
    "comment",
}
POLICY = {"tunnel", "src-address", "dst-address", "action", "level", "proposal", "disabled", "comment"}
MENUS: dict[str, dict[str, set[str]]] = {
    "6.36": {
        "/ip ipsec peer": PEER,
        "/ip ipsec policy": POLICY | {"sa-src-address", "sa-dst-address"},
    },
    "6.44": {
        "/ip ipsec profile": {"name", "hash-algorithm", "enc-algorithm", "dh-group", "lifetime", "dpd-interval",
                              "dpd-maximum-failures", "nat-traversal"},
        "/ip ipsec peer": {"name", "address", "profile", "exchange-mode"},
        "/ip ipsec identity": {"peer", "auth-method", "secret", "my-id", "remote-id", "generate-policy"},
        "/ip ipsec policy": POLICY | {"peer"},
    },
}  # fmt: skip
COMMON: dict[str, set[str]] = {
    "/ip ipsec proposal": {"name", "auth-algorithms", "enc-algorithms", "lifetime", "pfs-group"},
    "/ip firewall filter": RULE,
    "/ip firewall mangle": RULE,
    "/ip firewall nat": RULE,
    "/system scheduler": {"name", "interval", "on-event"},
}
VALUES = {
    "exchange-mode": {"main", "ike2"},
    "hash-algorithm": {"md5", "sha1", "sha256", "sha384", "sha512"},
    "enc-algorithm": {"aes-128", "aes-192", "aes-256"},
    "auth-algorithms": {"null", "sha1", "sha256", "sha512"},
    "enc-algorithms": {"aes-128-cbc", "aes-256-cbc", "aes-128-gcm", "aes-256-gcm"},
    "auth-method": {"pre-shared-key"},
    "tunnel": {"yes"},
    "level": {"unique", "require"},
    "disabled": {"yes", "no"},
}
ECP = {"ecp256", "ecp384", "ecp521"}
MODP = {"modp1024", "modp1536", "modp2048", "modp3072", "modp4096", "modp6144", "modp8192"}

Item = dict[str, str]


def release(number: str) -> Callable[[str], DeviceSettings]:
    """The interpreter of `6.36` or `6.44` and later."""
    return lambda text: _settings(parse(text, number), number)


def parse(text: str, number: str) -> dict[str, list[Item]]:
    """Menu → what was added, in the order in which it stands at the end; scripts by their name. Raises `Refused`."""
    menus = COMMON | MENUS[number]
    items: dict[str, list[Item]] = {menu: [] for menu in menus} | {"script": []}
    lines = enumerate(text.splitlines(), 1)
    for count, line in lines:
        word = line.strip()
        if not word or word.startswith("#"):
            continue
        if word.startswith("/system script add ") and word.endswith(" source={"):
            body, depth = [], 1
            for _, inner in lines:
                depth += inner.count("{") - inner.count("}")
                if depth == 0:
                    break
                body.append(inner)
            if depth:
                raise Refused(count, line, "a brace is not closed")
            items["script"].append({"name": word.split("name=")[1].split()[0], "source": "\n".join(body)})
            continue
        menu = next((m for m in menus if word.startswith(m + " ")), None)
        if menu is None:
            raise Refused(count, line, "bad command name")
        verb, *words = shlex.split(word.removeprefix(menu))
        if verb == "move":
            comment = word.split("[find comment=")[1].split("]")[0]
            items[menu].sort(key=lambda item, comment=comment: item.get("comment") != comment)  # type: ignore[misc]
            continue
        if verb != "add":
            raise Refused(count, line, f"bad command name {verb}")
        item = dict(pair.split("=", 1) for pair in words)
        for key, value in item.items():
            if key not in menus[menu]:
                raise Refused(count, line, f"expected end of command, not {key}")
            if (key in VALUES and value not in VALUES[key]) or (
                key in {"dh-group", "pfs-group"} and value not in (MODP if number == "6.36" else MODP | ECP)
            ):
                raise Refused(count, line, f"input does not match any value of {key}")
        items[menu].append(item)
    return items


def _settings(items: dict[str, list[Item]], number: str) -> DeviceSettings:
    policies = items["/ip ipsec policy"]
    active = [policy for policy in policies if policy["disabled"] == "no"]
    if len(active) != 1 or len(policies) != 2:
        raise Refused(0, "policy", f"{len(active)} of {len(policies)} policies are in force")
    read = _tunnel_636 if number == "6.36" else _tunnel_644
    tunnels = tuple(sorted((read(items, policy) for policy in policies), key=lambda tunnel: tunnel.standby))
    _check_failover(items, tunnels)
    policy = active[0]
    pair = (policy["src-address"], policy["dst-address"])
    nat = items["/ip firewall nat"]
    exempt = bool(nat) and nat[0]["action"] == "accept" and (nat[0]["src-address"], nat[0]["dst-address"]) == pair
    forwarded = {
        (rule["src-address"], rule["dst-address"])
        for rule in items["/ip firewall filter"]
        if rule["chain"] == "forward" and rule["action"] == "accept"
    }
    first = tunnels[0].name
    permitted = {(INSIDE, first)} if pair in forwarded else set()
    permitted |= {(first, INSIDE)} if pair[::-1] in forwarded else set()
    inputs = {
        r["src-address"] for r in items["/ip firewall filter"] if r["chain"] == "input" and r["action"] == "accept"
    }
    if not inputs >= {tunnel.peer for tunnel in tunnels}:
        raise Refused(0, "filter", "the gateways are not let in")
    return DeviceSettings(
        tunnels,
        static_routes=(StaticRoute(pair[1], first, 0),),
        permitted=frozenset(permitted),
        source_nat=not exempt,
    )


def _check_failover(items: dict[str, list[Item]], tunnels: tuple[Tunnel, ...]) -> None:
    scripts = {script["name"]: script["source"] for script in items["script"]}
    (task,) = items["/system scheduler"]
    source = scripts[task["on-event"]]
    first, second = tunnels
    then, otherwise = source.split("else={")
    wanted = f"remote-address={first.peer} state=established" in then and all(
        f"/ip ipsec policy set [find comment={name}] disabled={state}" in branch
        for branch, name, state in (
            (then, first.name, "no"), (then, second.name, "yes"),
            (otherwise, first.name, "yes"), (otherwise, second.name, "no"),
        )
    )  # fmt: skip
    if not wanted:
        raise Refused(0, "script", "the script does not change to the other tunnel")


def _seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def _by(items: list[Item], key: str, value: str) -> Item:
    found = [item for item in items if item.get(key) == value]
    if len(found) != 1:
        raise Refused(0, value, f"{len(found)} items with this {key}")
    return found[0]


def _tunnel_636(items: dict[str, list[Item]], policy: Item) -> Tunnel:
    peer = _by(items["/ip ipsec peer"], "address", f"{policy['sa-dst-address']}/32")
    return _tunnel(items, policy, peer, peer, peer)


def _tunnel_644(items: dict[str, list[Item]], policy: Item) -> Tunnel:
    peer = _by(items["/ip ipsec peer"], "name", policy["peer"])
    profile = _by(items["/ip ipsec profile"], "name", peer["profile"])
    return _tunnel(items, policy, peer, profile, _by(items["/ip ipsec identity"], "peer", peer["name"]))


def _tunnel(items: dict[str, list[Item]], policy: Item, peer: Item, profile: Item, identity: Item) -> Tunnel:
    proposal = _by(items["/ip ipsec proposal"], "name", policy["proposal"])
    cipher, digest = proposal["enc-algorithms"], proposal["auth-algorithms"]
    gcm = cipher.endswith("gcm")
    if gcm != (digest == "null"):
        raise Refused(0, proposal["name"], "AES-GCM goes with null, AES-CBC does not")
    bits = cipher.split("-")[1]
    interval = _seconds(profile["dpd-interval"])
    mss = {rule["new-mss"] for rule in items["/ip firewall mangle"]}
    remote = identity.get("remote-id", "").removeprefix("address:")
    return Tunnel(
        name=policy["comment"],
        peer=peer["address"].removesuffix("/32"),
        pre_shared_key=identity["secret"],
        ike_version=2 if peer["exchange-mode"] == "ike2" else 1,
        ike=(
            Proposal(
                f"aes{profile['enc-algorithm'].removeprefix('aes-')}",
                profile["hash-algorithm"],
                None,
                profile["dh-group"],
            ),
        ),
        esp=(
            Proposal(f"aes{bits}gcm16" if gcm else f"aes{bits}", None if gcm else digest, None, proposal["pfs-group"]),
        ),
        ike_lifetime=_seconds(profile["lifetime"]),
        esp_lifetime=_seconds(proposal["lifetime"]),
        inside="",
        remote_inside="",
        local_id=identity["my-id"].partition(":")[2] if "my-id" in identity else None,
        remote_id=remote or None,
        dpd_interval=interval,
        dpd_timeout=interval * int(profile["dpd-maximum-failures"]),
        mss=int(mss.pop()),
        local_selector=policy["src-address"],
        remote_selector=policy["dst-address"],
        standby=policy["disabled"] == "yes",
    )
