"""Reasons that several differences share: what there is not, and what to do instead."""

from __future__ import annotations

from typing import Final

ALWAYS_SUCCEEDS: Final = "it says why a state is `failed`, and nothing fails so: what cannot be done is refused at once"
CERTIFICATES: Final = (
    "certificates for authentication come in a later version: give IpAddress, and authenticate by pre-shared key"
)
IPAM: Final = "there is no IP address manager: give the block itself (CidrBlock)"
IPV6: Final = "networks and tunnels carry IPv4 only: leave it out"
NO_CARRIER: Final = "there are no wavelength zones: use an internet gateway"
NO_CORE_NETWORK: Final = "Cloud WAN comes in a later version: use a virtual private gateway"
NO_ELASTIC: Final = "network interfaces have no public addresses: reach them through the VPN"
NO_ENDPOINTS: Final = "there are no VPC endpoints: route to a network interface"
NO_INSTANCES: Final = "there are no instances: what runs here is plugged into a network interface (`twinbore plug`)"
NO_LOG_GROUPS: Final = "there are no CloudWatch log groups: what tunnels and sessions do is in the service's own log"
NO_NAMES: Final = "there is no name service for private addresses: use the address"
NO_NAT: Final = "there are no NAT gateways: route to a network interface that translates"
NO_OPERATORS: Final = "no other service manages resources here: leave it out"
NO_OUTPOSTS: Final = "there are no Outposts and no local zones: leave it out"
NO_PEERING: Final = "there are no VPC peerings: route through a network interface"
NO_PREFIX_DELEGATION: Final = "prefixes cannot be delegated to a network interface: give it an address"
TRANSIT_GATEWAYS: Final = "transit gateways come in a later version: use a virtual private gateway"
