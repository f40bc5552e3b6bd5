"""Steps 7 to 9: real packets between the LAN and the VPC, and which way they take."""

from __future__ import annotations

from typing import Any, Final

from twinbore.lab.capture import Capture
from twinbore.lab.probe import MARKER, Probe, Report
from twinbore.lab.scenario import VPC_CIDR, VPC_HOST_ADDRESS, Scenario, check, equal, source_nat
from twinbore.lab.topology import LAN_ADDRESS
from twinbore.model.addressing import inside_customer

DEFAULT_ROUTE: Final = "0.0.0.0/0"
INTERNET_ADDRESS: Final = "192.0.2.1"
IPSEC: Final = "udp port 500 or udp port 4500 or esp"
PINGS: Final = 20
_BGP_SECONDS: Final = 5.0
_WITHDRAWAL_SECONDS: Final = 2.0


def ping_both_ways(s: Scenario) -> str:
    """Echo requests from the LAN to the VPC and back; the public network carries nothing in clear."""
    with (
        Capture(s.lab.name("internet"), "customer", s.work / "public.pcap") as public,
        Capture(s.host, "eth0", s.work / "host.pcap") as at_host,
    ):
        there = _ping(s.lab.name("lan"), VPC_HOST_ADDRESS)
        back = _ping(s.host, LAN_ADDRESS)
    equal((there.lost, back.lost), (0, 0), "echo requests without an answer, to the VPC and back")
    equal(at_host.count(f"icmp[icmptype] == icmp-echo and src host {LAN_ADDRESS}"), PINGS, "requests from the LAN host")
    tunnelled = public.count(IPSEC)
    check(tunnelled >= 4 * PINGS, "IKE and ESP on the public network")
    equal(public.count(f"not ({IPSEC} or arp or ip6)"), 0, "other packets in public")
    equal(public.count(f"host {LAN_ADDRESS} or net {VPC_CIDR}"), 0, "inner addresses in public")
    check(not public.contains(MARKER), "no payload in clear on the public network")
    return (
        f"{PINGS} of {PINGS} each way, {there.median_ms:.1f} ms; the VPC host sees {LAN_ADDRESS} itself, "
        f"the public network only {tunnelled} packets of IKE and ESP."
    )


def source_nat_on_router(s: Scenario) -> str:
    """With source NAT, the VPC host sees the customer's inside address of tunnel 1, and its answers arrive."""
    tunnels = s.connection()["Options"]["TunnelOptions"]
    expected = str(inside_customer(tunnels[0]["TunnelInsideCidr"]).ip)
    with source_nat(s.router), Capture(s.host, "eth0", s.work / "nat.pcap") as at_host:
        report = _ping(s.lab.name("lan"), VPC_HOST_ADDRESS)
    equal(report.lost, 0, "echo requests without an answer")
    equal(at_host.count(f"icmp[icmptype] == icmp-echo and src host {expected}"), PINGS, f"requests from {expected}")
    return f"The VPC host now sees {expected}, the customer's inside address of tunnel 1, and its answers come back."


def default_route(s: Scenario) -> str:
    """A default route from the customer is propagated beside the static one, which wins; withdrawn, it is gone."""
    gateway = s.ec2.call("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
    s.ids.internet_gateway = gateway
    s.ec2.call("AttachInternetGateway", InternetGatewayId=gateway, VpcId=s.ids.vpc)
    static = {"RouteTableId": s.ids.route_table, "DestinationCidrBlock": DEFAULT_ROUTE}
    s.ec2.call("CreateRoute", **static, GatewayId=gateway)
    s.customer("announce", DEFAULT_ROUTE)
    s.within(
        _BGP_SECONDS,
        "the default route is propagated",
        lambda: {r["Origin"] for r in _default_routes(s)} == {"CreateRoute", "EnableVgwRoutePropagation"},
    )
    equal(_requests_through_vpn(s), 0, "packets that took the propagated default route beside a static one")
    s.ec2.call("DeleteRoute", **static)
    s.within(_BGP_SECONDS, "the propagated default route alone is used", lambda: _requests_through_vpn(s) > 0)
    s.customer("withdraw", DEFAULT_ROUTE)
    _, seconds = s.within(_WITHDRAWAL_SECONDS, "the default route is gone", lambda: not _default_routes(s))
    return (
        f"Two default routes stood side by side and the static one was used; alone, the propagated one was; "
        f"withdrawn, it was gone after {seconds:.1f} s."
    )


def _ping(namespace: str, destination: str) -> Report:
    return Probe(namespace, destination, count=PINGS).wait()


def _default_routes(s: Scenario) -> list[dict[str, Any]]:
    return [route for route in s.routes() if route.get("DestinationCidrBlock") == DEFAULT_ROUTE]


def _requests_through_vpn(s: Scenario) -> int:
    """How many of three echo requests from the VPC to the Internet leave the customer's router in clear."""
    with Capture(s.router, "wan", s.work / "default.pcap") as at_router:
        Probe(s.host, INTERNET_ADDRESS, count=3).wait()
    return at_router.count(f"icmp[icmptype] == icmp-echo and src host {VPC_HOST_ADDRESS}")
