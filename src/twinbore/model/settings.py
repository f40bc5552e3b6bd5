"""Settings of a Twinbore installation, as values. Reading them from a file is the command line's work.

Quotas are AWS's defaults (AWS Site-to-Site VPN User Guide, "Quotas"; Amazon VPC User Guide, "Quotas").
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Quotas:
    """Upper limits for one account."""

    vpcs: int = 50
    cidr_blocks_per_vpc: int = 5
    subnets_per_vpc: int = 200
    route_tables_per_vpc: int = 200
    routes_per_route_table: int = 500
    propagated_routes_per_route_table: int = 100
    internet_gateways: int = 50
    network_interfaces: int = 5000
    customer_gateways: int = 50
    vpn_gateways: int = 5
    vpn_connections: int = 50
    vpn_connections_per_vpn_gateway: int = 10
    static_routes_per_vpn_connection: int = 100
    tags_per_resource: int = 50
    security_groups: int = 2500
    rules_per_security_group: int = 60
    security_groups_per_network_interface: int = 5
    private_addresses_per_network_interface: int = 50
    network_acls_per_vpc: int = 200
    rules_per_network_acl: int = 20
    prefix_lists: int = 100
    entries_per_prefix_list: int = 1000
    versions_per_prefix_list: int = 1000


@dataclass(frozen=True, slots=True)
class Throttling:
    """How often one account may ask, for each action; AWS's figures (Amazon EC2 Developer Guide, "Request throttling").

    A bucket holds `..._burst` requests and is filled with `..._rate` a second. `unfiltered` is for the listings that
    AWS wants to be filtered or paged, `resource_intensive` for the changes that it counts as such (see `api.throttle`).
    """

    enabled: bool = False
    non_mutating_burst: int = 100
    non_mutating_rate: float = 20.0
    unfiltered_burst: int = 50
    unfiltered_rate: float = 10.0
    mutating_burst: int = 50
    mutating_rate: float = 5.0
    resource_intensive_burst: int = 50
    resource_intensive_rate: float = 5.0


@dataclass(frozen=True, slots=True)
class Settings:
    """`outside_pool_a` serves first tunnels, `outside_pool_b` second ones; entries as in `addressing.expand_pool`.

    `underlay` is the network namespace that owns the outside addresses (None: the one the agent runs in). `engines`
    is `real` or `fake`; `esp` is `auto`, `kernel` or `user`. `deleted_visible_seconds`: how long deleted gateways and
    connections stay in Describe answers. `customer_dns_seconds`: how often DNS names of customer gateways are resolved.

    `tls_cert` (chain, the server's own first) and `tls_key` are PEM files; both or neither. `insecure_listen` allows
    plain HTTP on addresses other than the loopback's.
    """

    region: str = "us-east-1"
    zones: tuple[str, ...] = ("a", "b", "c")
    listen: str = "127.0.0.1:4566"
    tls_cert: str | None = None
    tls_key: str | None = None
    insecure_listen: bool = False
    underlay: str | None = None
    outside_pool_a: tuple[str, ...] = ()
    outside_pool_b: tuple[str, ...] = ()
    engines: str = "real"
    esp: str = "auto"
    esp_workers: int = 0
    deleted_visible_seconds: int = 3600
    bgp_import_limit: int = 100
    customer_dns_seconds: int = 60
    quotas: Quotas = field(default_factory=Quotas)
    throttling: Throttling = field(default_factory=Throttling)

    @property
    def availability_zones(self) -> tuple[str, ...]:
        return tuple(self.region + z for z in self.zones)

    @property
    def endpoint(self) -> str:
        """The URL that clients are given."""
        return f"{'http' if self.tls_cert is None else 'https'}://{self.listen}"
