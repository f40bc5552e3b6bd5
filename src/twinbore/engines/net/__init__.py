"""The network around the tunnels: namespaces, links, addresses, routes, rules and packet filters.

Everything that the kernel can tell is compared with the kernel, not with what was done before, so a sweep repairs what
somebody took away by hand, and an agent that starts fresh changes nothing that is right already. The order within one
`apply` is the order in which things stand on each other: namespaces, links, addresses, rules, routes, filters.

Ownership, so that nothing of others is ever removed:
* namespaces: those in the ledger, a directory of empty files that are written before the namespace is created;
* interfaces: veth and TAP devices in such a namespace that carry our alias (`ip link` shows it);
* routes: those with the routing protocol number `ROUTE_PROTOCOL`; rules: those in the priorities `RULE_PRIORITIES`;
* nftables: the table `inet twinbore` of such a namespace.

How a port works: the workload's interface is a veth whose other end is in the VPC's namespace. There the workload is a
host route, and proxy ARP answers for every address that the VPC can reach through another interface, so two workloads
of one subnet reach each other through the forward path, where filters apply. Calico connects its workloads this way.

Modules: `ledger`, `sysctl`, `devices` (veth, TAP, addresses), `routing` (routes and rules), `ruleset` (the text of a
packet filter), `nftables` (what the kernel has, and loading), `reconcile` (all of them in order), `observation`,
`engine`, `fake`.

References: ip-netns(8), veth(4), ip-rule(8), nft(8); kernel Documentation/networking/ip-sysctl.rst; RFC 1027 (proxy
ARP).
"""
