"""From a snapshot to the whole desired state of a host.

Invariants (property tests): the same snapshot gives the same plan; the order of rows does not matter; every tuple of
the plan is sorted and free of duplicates.
"""

from __future__ import annotations

from twinbore.model.desired import BgpPlan, EspPlan, HostPlan, IpsecPlan, NetPlan
from twinbore.model.snapshot import Snapshot
from twinbore.planner.gateways import HostFacts, plan_gateway
from twinbore.planner.index import Index
from twinbore.planner.vpcs import plan_vpc


def plan(snapshot: Snapshot, facts: HostFacts) -> HostPlan:
    """The desired state of the host that carries everything in `snapshot`."""
    index = Index(snapshot)
    gateways = [plan_gateway(gateway, index, facts) for gateway in index.gateways()]
    nets = [plan_vpc(vpc, index, facts) for vpc in index.vpcs()] + [g.net for g in gateways]
    return HostPlan(
        net=NetPlan(
            namespaces=tuple(sorted(x for n in nets for x in n.namespaces)),
            attachments=tuple(sorted(x for n in nets for x in n.attachments)),
            ports=tuple(sorted(x for n in nets for x in n.ports)),
            local_addresses=tuple(sorted(x for n in nets for x in n.local_addresses)),
            routes=tuple(sorted({x for n in nets for x in n.routes})),
            rules=tuple(sorted(x for n in nets for x in n.rules)),
            filters=tuple(sorted(x for n in nets for x in n.filters)),
        ),
        esp=EspPlan(tuple(sorted(i for g in gateways for i in g.esp.interfaces))),
        bgp=BgpPlan(tuple(d for g in gateways for d in g.bgp.domains)),
        ipsec=IpsecPlan(tuple(sorted((t for g in gateways for t in g.ipsec.tunnels), key=lambda t: t.name))),
    )
