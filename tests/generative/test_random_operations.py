"""Random sequences of API operations, good and bad, with the agent's part in between.

After every step: an error has changed nothing, every state of the store can be planned, and the plan keeps what it
promises (unique interfaces and tunnels, two different outside addresses for a connection, rules and routes only in
namespaces that exist). At the end everything can be deleted in the right order, and the plan is empty again.
"""

from __future__ import annotations

import random
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import twinbore.api.ops  # noqa: F401 - registers the operations
from tests.unit import worldstore
from twinbore.agent import lifecycle
from twinbore.api.authorization import Caller
from twinbore.api.errors import ApiError
from twinbore.api.operation import OPERATIONS, Call
from twinbore.model import resources as r
from twinbore.model import security as sec
from twinbore.model.desired import HostPlan
from twinbore.model.permissions import ADMINISTRATOR
from twinbore.model.settings import Settings
from twinbore.planner.gateways import HostFacts
from twinbore.planner.plan import plan
from twinbore.store.snapshot import load_snapshot

ACCOUNT = "123456789012"
NOW = datetime(2026, 11, 24, tzinfo=UTC)
POOLS = Settings(outside_pool_a=("203.0.113.1", "203.0.113.2"), outside_pool_b=("198.51.100.1", "198.51.100.2"))
CALLER = Caller(ACCOUNT, "AKIAEXAMPLE", "", ADMINISTRATOR, POOLS.region)
NOWHERE = "0123456789abcdef0"
choice = st.integers(min_value=0, max_value=1000)


class Seeded:
    """Ids and keys of one run."""

    def __init__(self) -> None:
        self._random = random.Random(7)

    def hex(self, digits: int) -> str:
        return "".join(self._random.choices("0123456789abcdef", k=digits))

    def below(self, limit: int) -> int:
        return self._random.randrange(limit)

    def key(self, length: int) -> str:
        return "".join(self._random.choices("abcdefgh", k=length))


class Operations(RuleBasedStateMachine):
    """One account's life."""

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory()
        self.database = worldstore.database(Path(self._directory.name))
        self.random = Seeded()
        with self.database.write() as tx:
            tx.insert(r.Account(ACCOUNT, NOW))

    def teardown(self) -> None:
        self._delete_everything()
        self.database.close()
        self._directory.cleanup()

    def _revision(self) -> int:
        with self.database.read() as tx:
            return tx.revision()

    def _call(self, name: str, **request: Any) -> None:
        before = self._revision()
        try:
            with self.database.write() as tx:
                OPERATIONS[name](Call(tx, CALLER, POOLS, NOW, self.random), request)
        except ApiError as error:
            assert error.code
            assert error.message
            assert self._revision() == before

    def _pick(self, kind: type, number: int, prefix: str) -> str:
        with self.database.read() as tx:
            ids = [row.id for row in tx.all(kind)]  # type: ignore[attr-defined]
        return ids[number % len(ids)] if ids else f"{prefix}-{NOWHERE}"

    def _plan(self) -> HostPlan:
        with self.database.read() as tx:
            return plan(load_snapshot(tx), HostFacts(encapsulate=True))

    @rule(block=st.sampled_from(["10.0.0.0/16", "10.1.0.0/16", "10.0.0.1/16", "10.0.0.0/8", "x"]))
    def create_vpc(self, block: str) -> None:
        self._call("CreateVpc", CidrBlock=block)

    @rule(number=choice, third=st.integers(0, 3), length=st.sampled_from([24, 25, 28, 30]))
    def create_subnet(self, number: int, third: int, length: int) -> None:
        vpc = self._pick(r.Vpc, number, "vpc")
        self._call("CreateSubnet", VpcId=vpc, CidrBlock=f"10.0.{third}.0/{length}")

    @rule(number=choice)
    def create_route_table(self, number: int) -> None:
        self._call("CreateRouteTable", VpcId=self._pick(r.Vpc, number, "vpc"))

    @rule(table=choice, subnet=choice)
    def associate(self, table: int, subnet: int) -> None:
        table_id, subnet_id = self._pick(r.RouteTable, table, "rtb"), self._pick(r.Subnet, subnet, "subnet")
        self._call("AssociateRouteTable", RouteTableId=table_id, SubnetId=subnet_id)

    @rule(number=choice)
    def create_interface_and_plug(self, number: int) -> None:
        self._call("CreateNetworkInterface", SubnetId=self._pick(r.Subnet, number, "subnet"))
        with self.database.write() as tx:
            free = [i for i in tx.all(r.NetworkInterface) if tx.get(r.Port, i.id) is None]
            if free and number % 2:
                tx.insert(r.Port(free[0].id, ACCOUNT, "netns", "host", "eth0", NOW))

    @rule(number=choice, name=st.sampled_from(["web", "Web", "db", "default"]))
    def create_group(self, number: int, name: str) -> None:
        vpc = self._pick(r.Vpc, number, "vpc")
        self._call("CreateSecurityGroup", VpcId=vpc, GroupName=name, Description="x")

    @rule(
        group=choice,
        other=choice,
        word=st.sampled_from(["Authorize", "Revoke"]),
        way=st.sampled_from(["Ingress", "Egress"]),
        port=st.integers(21, 23),
    )
    def change_rules(self, group: int, other: int, word: str, way: str, port: int) -> None:
        pair = {"GroupId": self._pick(sec.SecurityGroup, other, "sg")}
        permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": port, "UserIdGroupPairs": [pair]}
        if other % 2:
            permission["IpRanges"] = [{"CidrIp": "10.0.0.0/8"}]
        group_id = self._pick(sec.SecurityGroup, group, "sg")
        self._call(f"{word}SecurityGroup{way}", GroupId=group_id, IpPermissions=[permission])

    @rule(interface=choice, groups=st.lists(choice, min_size=1, max_size=2))
    def wear_groups(self, interface: int, groups: list[int]) -> None:
        ids = [self._pick(sec.SecurityGroup, number, "sg") for number in groups]
        eni = self._pick(r.NetworkInterface, interface, "eni")
        self._call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=eni, Groups=ids)

    @rule(number=choice)
    def delete_group(self, number: int) -> None:
        self._call("DeleteSecurityGroup", GroupId=self._pick(sec.SecurityGroup, number, "sg"))

    @rule(number=choice)
    def create_acl(self, number: int) -> None:
        self._call("CreateNetworkAcl", VpcId=self._pick(r.Vpc, number, "vpc"))

    @rule(acl=choice, subnet=choice)
    def choose_acl(self, acl: int, subnet: int) -> None:
        with self.database.read() as tx:
            chosen = {a.subnet_id: a.id for a in tx.all(sec.NetworkAclAssociation)}
        subnet_id = self._pick(r.Subnet, subnet, "subnet")
        association = chosen.get(subnet_id, "aclassoc-" + subnet_id.removeprefix("subnet-"))
        acl_id = self._pick(sec.NetworkAcl, acl, "acl")
        self._call("ReplaceNetworkAclAssociation", AssociationId=association, NetworkAclId=acl_id)

    @rule(last=st.integers(1, 3), asn=st.sampled_from([65000, 64512, 0, 7224]))
    def create_customer_gateway(self, last: int, asn: int) -> None:
        self._call("CreateCustomerGateway", Type="ipsec.1", BgpAsn=asn, PublicIp=f"192.0.2.{last}")

    @rule()
    def create_vpn_gateway(self) -> None:
        self._call("CreateVpnGateway", Type="ipsec.1")

    @rule(gateway=choice, vpc=choice)
    def attach(self, gateway: int, vpc: int) -> None:
        ids = {"VpnGatewayId": self._pick(r.VpnGateway, gateway, "vgw"), "VpcId": self._pick(r.Vpc, vpc, "vpc")}
        self._call("AttachVpnGateway", **ids)

    @rule(gateway=choice, vpc=choice)
    def detach(self, gateway: int, vpc: int) -> None:
        ids = {"VpnGatewayId": self._pick(r.VpnGateway, gateway, "vgw"), "VpcId": self._pick(r.Vpc, vpc, "vpc")}
        self._call("DetachVpnGateway", **ids)

    @rule(gateway=choice, table=choice)
    def propagate(self, gateway: int, table: int) -> None:
        gateway_id, table_id = self._pick(r.VpnGateway, gateway, "vgw"), self._pick(r.RouteTable, table, "rtb")
        self._call("EnableVgwRoutePropagation", GatewayId=gateway_id, RouteTableId=table_id)

    @rule(customer=choice, gateway=choice, static=st.booleans(), inside=st.sampled_from([None, "169.254.9.0/30"]))
    def create_connection(self, customer: int, gateway: int, static: bool, inside: str | None) -> None:
        options: dict[str, Any] = {"StaticRoutesOnly": static}
        if inside:
            options["TunnelOptions"] = [{"TunnelInsideCidr": inside}]
        self._call(
            "CreateVpnConnection",
            Type="ipsec.1",
            CustomerGatewayId=self._pick(r.CustomerGateway, customer, "cgw"),
            VpnGatewayId=self._pick(r.VpnGateway, gateway, "vgw"),
            Options=options,
        )

    @rule(connection=choice, block=st.sampled_from(["172.16.0.0/12", "0.0.0.0/0", "172.16.0.1/12"]))
    def create_connection_route(self, connection: int, block: str) -> None:
        connection_id = self._pick(r.VpnConnection, connection, "vpn")
        self._call("CreateVpnConnectionRoute", VpnConnectionId=connection_id, DestinationCidrBlock=block)

    @rule(
        kind=st.sampled_from(["Vpc", "Subnet", "RouteTable", "NetworkInterface", "VpnGateway", "VpnConnection"]),
        number=choice,
    )
    def delete_something(self, kind: str, number: int) -> None:
        prefixes = {"Vpc": "vpc", "Subnet": "subnet", "RouteTable": "rtb", "NetworkInterface": "eni"}
        prefix = prefixes.get(kind, "vgw" if kind == "VpnGateway" else "vpn")
        self._call(f"Delete{kind}", **{f"{kind}Id": self._pick(getattr(r, kind), number, prefix)})

    @rule()
    def the_agent_settles(self) -> None:
        with self.database.read() as tx:
            applied = load_snapshot(tx)
        with self.database.write(bump=False) as tx:
            lifecycle.settle(tx, applied, (), NOW)

    @invariant()
    def every_state_can_be_planned(self) -> None:
        host = self._plan()
        names = [n.name for n in host.net.namespaces]
        assert len(names) == len(set(names))
        for part in (host.net.routes, host.net.rules, host.net.filters, host.net.local_addresses):
            assert {item.netns for item in part} <= set(names)
        interfaces = [i.if_id for i in host.esp.interfaces]
        assert len(interfaces) == len(set(interfaces)) == len(host.ipsec.tunnels)
        peers = [(t.local_address, t.remote_address) for t in host.ipsec.tunnels]
        assert len(peers) == len(set(peers))

    @invariant()
    def every_vpc_has_its_defaults_and_every_interface_a_group(self) -> None:
        with self.database.read() as tx:
            vpcs = sorted(vpc.id for vpc in tx.all(r.Vpc))
            assert sorted(g.vpc_id for g in tx.all(sec.SecurityGroup, name="default")) == vpcs
            assert sorted(a.vpc_id for a in tx.all(sec.NetworkAcl, is_default=True)) == vpcs
            groups = {g.id: g.vpc_id for g in tx.all(sec.SecurityGroup)}
            worn: dict[str, set[str]] = {i.id: set() for i in tx.all(r.NetworkInterface)}
            for row in tx.all(sec.NetworkInterfaceGroup):
                worn[row.network_interface_id].add(groups[row.group_id])
            assert worn == {i.id: {i.vpc_id} for i in tx.all(r.NetworkInterface)}
            for one in tx.all(sec.SecurityGroupRule):
                assert one.referenced_group_id is None or groups[one.referenced_group_id] == groups[one.group_id]

    def _delete_groups_and_acls(self) -> None:
        with self.database.read() as tx:
            groups, rules = tx.all(sec.SecurityGroup), tx.all(sec.SecurityGroupRule)
            acls = [a for a in tx.all(sec.NetworkAcl) if not a.is_default]
        for one in rules:
            way = "Egress" if one.egress else "Ingress"
            self._call(f"RevokeSecurityGroup{way}", GroupId=one.group_id, SecurityGroupRuleIds=[one.id])
        for group in groups:
            self._call("DeleteSecurityGroup", GroupId=group.id)
        for acl in acls:
            self._call("DeleteNetworkAcl", NetworkAclId=acl.id)

    def _delete_everything(self) -> None:
        with self.database.write() as tx:
            tx.delete(r.Port, *(p.id for p in tx.all(r.Port)))
            ids = {
                kind: [row.id for row in tx.all(kind)]  # type: ignore[attr-defined]
                for kind in (r.VpnConnection, r.VpnGateway, r.NetworkInterface, r.Subnet, r.RouteTable, r.Vpc)
            }
            attachments = tx.all(r.VpnGatewayAttachment)
        self.the_agent_settles()
        for connection in ids[r.VpnConnection]:
            self._call("DeleteVpnConnection", VpnConnectionId=connection)
        self.the_agent_settles()
        for attachment in attachments:
            self._call("DetachVpnGateway", VpnGatewayId=attachment.id, VpcId=attachment.vpc_id)
        self.the_agent_settles()
        for kind in (r.VpnGateway, r.NetworkInterface, r.Subnet, r.RouteTable, r.Vpc):
            if kind is r.Vpc:
                self._delete_groups_and_acls()
            for key in ids[kind]:
                self._call(f"Delete{kind.__name__}", **{f"{kind.__name__}Id": key})
        self.the_agent_settles()
        assert self._plan() == HostPlan()
        with self.database.read() as tx:
            kinds = (sec.SecurityGroup, sec.SecurityGroupRule, sec.NetworkInterfaceGroup, sec.NetworkAcl)
            assert not any(tx.all(kind) for kind in (*kinds, sec.NetworkAclEntry, sec.NetworkAclAssociation))


TestOperations = Operations.TestCase
TestOperations.settings = settings(
    max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
