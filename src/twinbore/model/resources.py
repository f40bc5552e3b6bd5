"""The resources of the API as values: one frozen dataclass for each, flat, with the fields that are stored.

Every class maps to one table of the store with columns of the same names (store/schema.py). What can be derived is
not stored: a route table's propagated routes come from `observed.LearnedRoute`, an attachment's route from the plan.

Invariants:
* Ids are AWS's: a prefix, a hyphen, 17 hexadecimal digits.
* Times are aware datetimes in UTC; CIDRs are canonical text; ASNs are plain integers (asplain, RFC 5396).
* Secrets are not members: a pre-shared key lives in the store's secrets under the tunnel's id.

References: EC2 API reference, data types of the same names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from twinbore.model.options import TunnelOptions


@dataclass(frozen=True, slots=True)
class Vpc:
    """`cidr_block` is the primary block; the others are `VpcCidrBlock`s. `dhcp_options_id` may be `default`: none."""

    id: str
    account_id: str
    cidr_block: str
    state: str
    created_at: datetime
    instance_tenancy: str = "default"
    enable_dns_support: bool = True
    enable_dns_hostnames: bool = False
    dhcp_options_id: str = "default"
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class VpcCidrBlock:
    """A secondary block of a VPC. `id` is AWS's association id."""

    id: str
    account_id: str
    vpc_id: str
    cidr_block: str
    state: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Subnet:
    id: str
    account_id: str
    vpc_id: str
    cidr_block: str
    availability_zone: str
    state: str
    created_at: datetime
    map_public_ip_on_launch: bool = False
    default_for_az: bool = False


@dataclass(frozen=True, slots=True)
class RouteTable:
    """`kernel_table` is the number of its kernel routing table, unique within the VPC's namespace."""

    id: str
    account_id: str
    vpc_id: str
    kernel_table: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RouteTableAssociation:
    """Binds a subnet to a route table; the one with `main` and no subnet serves every subnet without its own."""

    id: str
    account_id: str
    route_table_id: str
    vpc_id: str
    subnet_id: str | None
    main: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StaticRoute:
    """A route made by CreateRoute: exactly one of the targets is set.

    The local routes of the VPC's blocks are not stored, but what ReplaceRoute has put in the place of one is.
    """

    id: str
    account_id: str
    route_table_id: str
    destination_cidr_block: str
    gateway_id: str | None
    network_interface_id: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Propagation:
    """EnableVgwRoutePropagation: the gateway's learned prefixes appear in the route table."""

    id: str
    account_id: str
    route_table_id: str
    gateway_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class InternetGateway:
    """`vpc_id` is the VPC that it is attached to, or None."""

    id: str
    account_id: str
    vpc_id: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NetworkInterface:
    """`private_ip_address` is the primary address; the others are in the order in which they came."""

    id: str
    account_id: str
    vpc_id: str
    subnet_id: str
    availability_zone: str
    private_ip_address: str
    mac_address: str
    description: str
    source_dest_check: bool
    created_at: datetime
    secondary_addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Port:
    """What a network interface is plugged into on this host (see `desired.Port`). `id` is the ENI's id."""

    id: str
    account_id: str
    kind: str
    target: str
    target_device: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CustomerGateway:
    """`resolved_address` is where its DNS name (a tag, see `extensions`) led to last; None without one, or not yet."""

    id: str
    account_id: str
    state: str
    type: str
    bgp_asn: int
    ip_address: str | None
    certificate_arn: str | None
    device_name: str | None
    created_at: datetime
    deleted_at: datetime | None = None
    resolved_address: str | None = None


@dataclass(frozen=True, slots=True)
class VpnGateway:
    """`number` is unique and small: the routing domain's BGP identifier is made of it."""

    id: str
    account_id: str
    state: str
    type: str
    amazon_side_asn: int
    number: int
    availability_zone: str | None
    created_at: datetime
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class VpnGatewayAttachment:
    """`id` is the gateway's id: a virtual private gateway has one attachment at most."""

    id: str
    account_id: str
    vpc_id: str
    state: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class VpnConnection:
    """Connection-level options have AWS's names; `local` is the customer's side, `remote` the cloud's (AWS's words).

    `paused`: taken out of service by the operator; it keeps everything and carries nothing.
    """

    id: str
    account_id: str
    state: str
    type: str
    customer_gateway_id: str
    vpn_gateway_id: str | None
    static_routes_only: bool
    local_ipv4_network_cidr: str
    remote_ipv4_network_cidr: str
    outside_ip_address_type: str
    tunnel_inside_ip_version: str
    tunnel_bandwidth: str
    pre_shared_key_storage: str
    created_at: datetime
    deleted_at: datetime | None = None
    paused: bool = False


@dataclass(frozen=True, slots=True)
class VpnTunnel:
    """One of a connection's two tunnels. `id` is `<connection id>-<index>`, index 1 or 2.

    `outside_address` is the public address that the customer is given, `outside_local` the underlay's address behind
    it. `if_id` is unique on the host. The pre-shared key is the secret (`id`, "pre_shared_key"). `replacements` counts
    how often the tunnel's replacement was asked for: one more makes the engine negotiate the tunnel anew.
    """

    id: str
    account_id: str
    connection_id: str
    index: int
    if_id: int
    outside_address: str
    outside_local: str
    inside_cidr: str
    options: TunnelOptions = field(default_factory=TunnelOptions)
    replacements: int = 0


@dataclass(frozen=True, slots=True)
class VpnStaticRoute:
    """CreateVpnConnectionRoute: a prefix behind the customer gateway of a connection without BGP."""

    id: str
    account_id: str
    connection_id: str
    destination_cidr_block: str
    state: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Tag:
    """`id` is `<resource id>/<key>`."""

    id: str
    account_id: str
    resource_id: str
    resource_type: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class TunnelTelemetry:
    """VgwTelemetry of one tunnel and what is negotiated now. `id` is the tunnel's id.

    `carrying`: SAs are installed in the data plane, or will be again in a moment (decides the tunnel interface's state
    in the plan). The negotiated values are AWS's spellings or None. `failure` is what an engine could not do for the
    tunnel, or empty.

    `maintenance_pending`: the SAs were made under former settings; they are replaced at `maintenance_due_at` at the
    latest (None: when the customer negotiates anew). `maintenance_applied_at` is when that was last put right.
    """

    id: str
    status: str
    status_message: str
    last_status_change: datetime
    accepted_route_count: int
    carrying: bool
    ike_version: str | None = None
    phase1_encryption: str | None = None
    phase1_integrity: str | None = None
    phase1_dh_group: int | None = None
    phase2_encryption: str | None = None
    phase2_integrity: str | None = None
    phase2_dh_group: int | None = None
    detail: str = ""
    failure: str = ""
    maintenance_pending: bool = False
    maintenance_due_at: datetime | None = None
    maintenance_applied_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class GatewayRoute:
    """A prefix that a virtual private gateway carries at the moment. `id` is `<gateway id>/<prefix>`."""

    id: str
    gateway_id: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Account:
    id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AccessKey:
    """`id` is the access key id; the secret access key is the secret (`id`, "secret_access_key").

    `role` is one of `permissions.ROLES`, or empty where `policy` (JSON) says what the key may do.
    """

    id: str
    account_id: str
    created_at: datetime
    name: str = ""
    enabled: bool = True
    role: str = "administrator"
    policy: str = ""
