"""Operations: one module for each resource. Importing this package registers them all."""

from twinbore.api.ops import (  # noqa: F401
    customer_gateways,
    devices,
    internet_gateways,
    network_interfaces,
    propagation,
    route_table_associations,
    route_tables,
    routes,
    subnets,
    tags,
    vpcs,
    vpn_connections,
    vpn_gateways,
    vpn_modify_connection,
    vpn_modify_tunnel,
    vpn_replace_tunnel,
    vpn_routes,
    vpn_tunnel_status,
    zones,
)
