"""The lab: a public network, a customer site and a gateway host in network namespaces, and the demonstration on it.

* `namespaces`, `ledger`: the namespaces of one lab, and the record that lets them be removed after a crash.
* `topology`: who is connected to whom, with documentation prefixes (RFC 5737) as the public network.
* `faults`, `capture`, `probe`: cut a path silently, record packets, measure loss and gaps.
* `demo` and `steps`: the scenario, on real packets, through the EC2 API.

Nothing outside the lab's own namespaces is touched.
"""
