"""The ESP engine: the interface of each tunnel, and whether its SAs are in the data plane.

Two implementations with one behaviour; which one a host uses is `choose`'s decision:

* `user`: TUN devices of the daemon twinbore-esp, driven through its control socket (`control`).
* `kernel`: xfrm interfaces, driven through rtnetlink; SAs read through the XFRM netlink (`xfrm`).

Whatever made an interface, `arrange` gives it its address and brings it up or down. `fake` is the engine in memory.
"""
