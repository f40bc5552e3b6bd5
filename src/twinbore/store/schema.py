"""Tables: one for each resource dataclass, with columns of the same names.

`TABLES` maps a dataclass to its table; the store converts between them by name, so that adding a resource is adding
a dataclass, a table here and a migration. Every table has the text primary key `id`.

Column types of our own: times are stored as milliseconds since 1970 UTC (a plain integer on every database), tunnel
options as JSON.

Invariant: the metadata here and the newest migration describe the same schema (a test compares them).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

from twinbore.model import resources as r
from twinbore.model import security as s
from twinbore.model.options import TunnelOptions

metadata: Final = MetaData()

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OPTIONS: Final = msgspec.json.Decoder(TunnelOptions)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored as milliseconds since 1970-01-01T00:00:00Z."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - _EPOCH) // timedelta(milliseconds=1)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + timedelta(milliseconds=value)


@lru_cache(256)
def _options(text: str) -> TunnelOptions:
    """What a JSON object says; most tunnels have the same."""
    return _OPTIONS.decode(text)


class OptionsJson(TypeDecorator[TunnelOptions]):
    """Tunnel options as a JSON object with the dataclass's member names."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: TunnelOptions | None, dialect: Dialect) -> str | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> TunnelOptions | None:
        return None if value is None else _options(value)


class TextsJson(TypeDecorator[tuple[str, ...]]):
    """Several texts, in their order, as a JSON array."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...] | None:
        return None if value is None else msgspec.json.decode(value, type=tuple[str, ...])


def _id() -> Column[str]:
    return Column("id", String(160), primary_key=True)


def _text(name: str, *, null: bool = False, length: int = 64, **options: Any) -> Column[str]:
    return Column(name, String(length), nullable=null, **options)


def _reference(name: str, table: str, *, null: bool = False) -> Column[str]:
    return Column(name, String(64), ForeignKey(f"{table}.id"), nullable=null, index=True)


def _integer(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def _time(name: str, *, null: bool = False) -> Column[datetime]:
    return Column(name, UtcDateTime, nullable=null)


def _account() -> Column[str]:
    return _reference("account_id", "accounts")


accounts: Final = Table("accounts", metadata, _id(), _time("created_at"))
access_keys: Final = Table(
    "access_keys",
    metadata,
    _id(),
    _account(),
    _time("created_at"),
    _text("name"),
    _flag("enabled"),
    _text("role"),
    _text("policy", length=16384),
)
vpcs: Final = Table(
    "vpcs",
    metadata,
    _id(),
    _account(),
    _text("cidr_block"),
    _text("state"),
    _text("instance_tenancy"),
    _flag("enable_dns_support"),
    _flag("enable_dns_hostnames"),
    _time("created_at"),
    _text("dhcp_options_id"),
    _flag("is_default"),
)
vpc_cidr_blocks: Final = Table(
    "vpc_cidr_blocks",
    metadata,
    _id(),
    _account(),
    _reference("vpc_id", "vpcs"),
    _text("cidr_block"),
    _text("state"),
    _time("created_at"),
)
subnets: Final = Table(
    "subnets",
    metadata,
    _id(),
    _account(),
    _reference("vpc_id", "vpcs"),
    _text("cidr_block"),
    _text("availability_zone"),
    _text("state"),
    _flag("map_public_ip_on_launch"),
    _time("created_at"),
    _flag("default_for_az"),
)
route_tables: Final = Table(
    "route_tables",
    metadata,
    _id(),
    _account(),
    _reference("vpc_id", "vpcs"),
    _integer("kernel_table"),
    _time("created_at"),
    UniqueConstraint("vpc_id", "kernel_table"),
)
route_table_associations: Final = Table(
    "route_table_associations",
    metadata,
    _id(),
    _account(),
    _reference("route_table_id", "route_tables"),
    _reference("vpc_id", "vpcs"),
    _reference("subnet_id", "subnets", null=True),
    _flag("main"),
    _time("created_at"),
)
internet_gateways: Final = Table(
    "internet_gateways",
    metadata,
    _id(),
    _account(),
    _reference("vpc_id", "vpcs", null=True),
    _time("created_at"),
)
network_interfaces: Final = Table(
    "network_interfaces",
    metadata,
    _id(),
    _account(),
    _reference("vpc_id", "vpcs"),
    _reference("subnet_id", "subnets"),
    _text("availability_zone"),
    _text("private_ip_address"),
    _text("mac_address"),
    _text("description", length=255),
    _flag("source_dest_check"),
    Column("secondary_addresses", TextsJson, nullable=False, server_default="[]"),
    _time("created_at"),
    UniqueConstraint("vpc_id", "private_ip_address"),
)
ports: Final = Table(
    "ports",
    metadata,
    Column("id", String(64), ForeignKey("network_interfaces.id"), primary_key=True),
    _account(),
    _text("kind"),
    _text("target", length=255),
    _text("target_device"),
    _time("created_at"),
)
static_routes: Final = Table(
    "static_routes",
    metadata,
    _id(),
    _account(),
    _reference("route_table_id", "route_tables"),
    _text("destination_cidr_block"),
    _text("gateway_id", null=True),
    _text("network_interface_id", null=True),
    _time("created_at"),
    UniqueConstraint("route_table_id", "destination_cidr_block"),
)
propagations: Final = Table(
    "propagations",
    metadata,
    _id(),
    _account(),
    _reference("route_table_id", "route_tables"),
    _reference("gateway_id", "vpn_gateways"),
    _time("created_at"),
    UniqueConstraint("route_table_id", "gateway_id"),
)
customer_gateways: Final = Table(
    "customer_gateways",
    metadata,
    _id(),
    _account(),
    _text("state"),
    _text("type"),
    _integer("bgp_asn"),
    _text("ip_address", null=True),
    _text("certificate_arn", null=True, length=255),
    _text("device_name", null=True, length=255),
    _time("created_at"),
    _time("deleted_at", null=True),
    _text("resolved_address", null=True),
    Index("ix_customer_gateways_account_id_state", "account_id", "state"),
    Index("ix_customer_gateways_ip_address_account_id", "ip_address", "account_id"),
    Index("ix_customer_gateways_resolved_address", "resolved_address"),
)
vpn_gateways: Final = Table(
    "vpn_gateways",
    metadata,
    _id(),
    _account(),
    _text("state"),
    _text("type"),
    _integer("amazon_side_asn"),
    Column("number", Integer, nullable=False, unique=True),
    _text("availability_zone", null=True),
    _time("created_at"),
    _time("deleted_at", null=True),
)
vpn_gateway_attachments: Final = Table(
    "vpn_gateway_attachments",
    metadata,
    Column("id", String(64), ForeignKey("vpn_gateways.id"), primary_key=True),
    _account(),
    _reference("vpc_id", "vpcs"),
    _text("state"),
    _time("created_at"),
)
vpn_connections: Final = Table(
    "vpn_connections",
    metadata,
    _id(),
    _account(),
    _text("state"),
    _text("type"),
    _reference("customer_gateway_id", "customer_gateways"),
    _reference("vpn_gateway_id", "vpn_gateways", null=True),
    _flag("static_routes_only"),
    _text("local_ipv4_network_cidr"),
    _text("remote_ipv4_network_cidr"),
    _text("outside_ip_address_type"),
    _text("tunnel_inside_ip_version"),
    _text("tunnel_bandwidth"),
    _text("pre_shared_key_storage"),
    _time("created_at"),
    _time("deleted_at", null=True),
    _flag("paused"),
    Index("ix_vpn_connections_account_id_state", "account_id", "state"),
    Index("ix_vpn_connections_vpn_gateway_id_state", "vpn_gateway_id", "state"),
    Index("ix_vpn_connections_state", "state"),
)
vpn_tunnels: Final = Table(
    "vpn_tunnels",
    metadata,
    _id(),
    _account(),
    _reference("connection_id", "vpn_connections"),
    Column("index", Integer, nullable=False),
    Column("if_id", Integer, nullable=False, unique=True),
    _text("outside_address"),
    _text("outside_local"),
    _text("inside_cidr"),
    Column("options", OptionsJson, nullable=False),
    _integer("replacements"),
    UniqueConstraint("connection_id", "index"),
    Index("ix_vpn_tunnels_inside_cidr", "inside_cidr"),
    Index("ix_vpn_tunnels_outside_local", "outside_local"),
)
vpn_static_routes: Final = Table(
    "vpn_static_routes",
    metadata,
    _id(),
    _account(),
    _reference("connection_id", "vpn_connections"),
    _text("destination_cidr_block"),
    _text("state"),
    _time("created_at"),
    UniqueConstraint("connection_id", "destination_cidr_block"),
)
tags: Final = Table(
    "tags",
    metadata,
    Column("id", String(320), primary_key=True),
    _account(),
    _text("resource_id", index=True),
    _text("resource_type"),
    _text("key", length=128),
    _text("value", length=256),
)
tunnel_telemetry: Final = Table(
    "tunnel_telemetry",
    metadata,
    Column("id", String(64), ForeignKey("vpn_tunnels.id"), primary_key=True),
    _text("status"),
    _text("status_message", length=255),
    _time("last_status_change"),
    _integer("accepted_route_count"),
    _flag("carrying"),
    _text("ike_version", null=True),
    _text("phase1_encryption", null=True),
    _text("phase1_integrity", null=True),
    _integer("phase1_dh_group", null=True),
    _text("phase2_encryption", null=True),
    _text("phase2_integrity", null=True),
    _integer("phase2_dh_group", null=True),
    _text("detail", length=1000),
    _text("failure", length=1000),
    _flag("maintenance_pending"),
    _time("maintenance_due_at", null=True),
    _time("maintenance_applied_at", null=True),
)
gateway_routes: Final = Table(
    "gateway_routes",
    metadata,
    _id(),
    _reference("gateway_id", "vpn_gateways"),
    _text("prefix"),
)
security_groups: Final = Table(
    "security_groups",
    metadata,
    _id(),
    _account(),
    _reference("vpc_id", "vpcs"),
    _text("name", length=255),
    _text("description", length=255),
    _time("created_at"),
    UniqueConstraint("vpc_id", "name"),
)
prefix_lists: Final = Table(
    "prefix_lists",
    metadata,
    _id(),
    _account(),
    _text("name", length=255),
    _text("address_family"),
    _integer("max_entries"),
    _integer("version"),
    _text("state"),
    _time("created_at"),
)
prefix_list_entries: Final = Table(
    "prefix_list_entries",
    metadata,
    _id(),
    _account(),
    _reference("prefix_list_id", "prefix_lists"),
    _text("cidr"),
    _text("description", null=True, length=255),
    _integer("first_version"),
    _integer("last_version", null=True),
)
security_group_rules: Final = Table(
    "security_group_rules",
    metadata,
    _id(),
    _account(),
    _reference("group_id", "security_groups"),
    _flag("egress"),
    _text("protocol"),
    _integer("from_port", null=True),
    _integer("to_port", null=True),
    _text("cidr_ipv4", null=True),
    _text("cidr_ipv6", null=True),
    _reference("prefix_list_id", "prefix_lists", null=True),
    _reference("referenced_group_id", "security_groups", null=True),
    _text("description", null=True, length=255),
    _time("created_at"),
)
network_interface_groups: Final = Table(
    "network_interface_groups",
    metadata,
    _id(),
    _account(),
    _reference("network_interface_id", "network_interfaces"),
    _reference("group_id", "security_groups"),
)
network_acls: Final = Table(
    "network_acls",
    metadata,
    _id(),
    _account(),
    _reference("vpc_id", "vpcs"),
    _flag("is_default"),
    _time("created_at"),
)
network_acl_entries: Final = Table(
    "network_acl_entries",
    metadata,
    _id(),
    _account(),
    _reference("network_acl_id", "network_acls"),
    _flag("egress"),
    _integer("rule_number"),
    _text("protocol"),
    _text("rule_action"),
    _text("cidr_block", null=True),
    _text("ipv6_cidr_block", null=True),
    _integer("icmp_type", null=True),
    _integer("icmp_code", null=True),
    _integer("from_port", null=True),
    _integer("to_port", null=True),
)
network_acl_associations: Final = Table(
    "network_acl_associations",
    metadata,
    _id(),
    _account(),
    _reference("network_acl_id", "network_acls"),
    Column("subnet_id", String(64), ForeignKey("subnets.id"), nullable=False, unique=True),
    _time("created_at"),
)

secrets: Final = Table(
    "secrets",
    metadata,
    Column("resource_id", String(160), primary_key=True),
    Column("field", String(64), primary_key=True),
    Column("key_id", String(64), nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
)
counters: Final = Table("counters", metadata, _id(), _integer("value"))
"""Named numbers that only grow: `revision` and the sources of unique small numbers."""

TABLES: Final[dict[type, Table]] = {
    r.Account: accounts,
    r.AccessKey: access_keys,
    r.Vpc: vpcs,
    r.VpcCidrBlock: vpc_cidr_blocks,
    r.Subnet: subnets,
    r.RouteTable: route_tables,
    r.RouteTableAssociation: route_table_associations,
    r.InternetGateway: internet_gateways,
    r.NetworkInterface: network_interfaces,
    r.Port: ports,
    r.StaticRoute: static_routes,
    r.Propagation: propagations,
    r.CustomerGateway: customer_gateways,
    r.VpnGateway: vpn_gateways,
    r.VpnGatewayAttachment: vpn_gateway_attachments,
    r.VpnConnection: vpn_connections,
    r.VpnTunnel: vpn_tunnels,
    r.VpnStaticRoute: vpn_static_routes,
    r.Tag: tags,
    r.TunnelTelemetry: tunnel_telemetry,
    r.GatewayRoute: gateway_routes,
    s.SecurityGroup: security_groups,
    s.SecurityGroupRule: security_group_rules,
    s.NetworkInterfaceGroup: network_interface_groups,
    s.NetworkAcl: network_acls,
    s.NetworkAclEntry: network_acl_entries,
    s.NetworkAclAssociation: network_acl_associations,
    s.PrefixList: prefix_lists,
    s.PrefixListEntry: prefix_list_entries,
}
