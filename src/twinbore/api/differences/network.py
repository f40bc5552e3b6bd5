"""Differences of the operations around the VPN: networks, interfaces, routes, zones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from twinbore.api.differences.reasons import (
    ALWAYS_SUCCEEDS,
    IPAM,
    IPV6,
    NO_CARRIER,
    NO_CORE_NETWORK,
    NO_ELASTIC,
    NO_ENDPOINTS,
    NO_INSTANCES,
    NO_NAMES,
    NO_NAT,
    NO_OPERATORS,
    NO_OUTPOSTS,
    NO_PEERING,
    NO_PREFIX_DELEGATION,
    TRANSIT_GATEWAYS,
)

NO_BLOCKING: Final = "VPCs have no block on public access: nothing here is public unless it is routed so"
NO_EDGE: Final = "route tables of gateways (edge associations) do not exist: associate a subnet"
NO_ENCRYPTION_CONTROL: Final = "VPC encryption control needs Nitro instances: leave it out"
NO_GROUPS_OF_ZONES: Final = "there are no local and wavelength zones: every zone is one of the region's"
NO_MESSAGES: Final = "zones are always available, so that there is nothing to say of them"
ONE_SET: Final = "an account has one set of DHCP options, the region's own, which has no tags"
NO_ENA: Final = "network interfaces here are not ENA devices: leave it out"
NO_TRACKING: Final = "the times of connection tracking are the host's (`sysctl net.netfilter`): leave it out"

_ROUTE_TARGETS: Final = {
    "CarrierGatewayId": NO_CARRIER,
    "CoreNetworkArn": NO_CORE_NETWORK,
    "EgressOnlyInternetGatewayId": IPV6,
    "InstanceId": NO_INSTANCES,
    "LocalGatewayId": NO_OUTPOSTS,
    "NatGatewayId": NO_NAT,
    "OdbNetworkArn": NO_PEERING,
    "TransitGatewayId": TRANSIT_GATEWAYS,
    "VpcPeeringConnectionId": NO_PEERING,
}
NO_PREFIX_LIST_ROUTES: Final = "prefix lists are for security groups only: make a route for each block"
_DESTINATIONS: Final = {"DestinationIpv6CidrBlock": IPV6, "DestinationPrefixListId": NO_PREFIX_LIST_ROUTES}

MEMBERS: Final[Mapping[str, Mapping[str, str]]] = {
    "AssignPrivateIpAddressesRequest": {
        "Ipv4PrefixCount": NO_PREFIX_DELEGATION,
        "Ipv4Prefixes": NO_PREFIX_DELEGATION,
    },
    "AssignPrivateIpAddressesResult": {"AssignedIpv4Prefixes": NO_PREFIX_DELEGATION},
    "AssociateVpcCidrBlockRequest": {
        "AmazonProvidedIpv6CidrBlock": IPV6,
        "Ipv4IpamPoolId": IPAM,
        "Ipv4NetmaskLength": IPAM,
        "Ipv6CidrBlock": IPV6,
        "Ipv6CidrBlockNetworkBorderGroup": IPV6,
        "Ipv6IpamPoolId": IPV6,
        "Ipv6NetmaskLength": IPV6,
        "Ipv6Pool": IPV6,
    },
    "AssociateVpcCidrBlockResult": {"Ipv6CidrBlockAssociation": IPV6},
    "AssociateRouteTableRequest": {"GatewayId": NO_EDGE, "PublicIpv4Pool": NO_ELASTIC},
    "AvailabilityZone": {
        "Geography": NO_GROUPS_OF_ZONES,
        "Messages": NO_MESSAGES,
        "ParentZoneId": NO_GROUPS_OF_ZONES,
        "ParentZoneName": NO_GROUPS_OF_ZONES,
        "SubGeography": NO_GROUPS_OF_ZONES,
    },
    "CreateDefaultSubnetRequest": {"Ipv6Native": IPV6},
    "CreateNetworkInterfaceRequest": {
        "ConnectionTrackingSpecification": NO_TRACKING,
        "EnablePrimaryIpv6": IPV6,
        "InterfaceType=*": "there is one type of network interface, `interface`",
        "Ipv4PrefixCount": NO_PREFIX_DELEGATION,
        "Ipv4Prefixes": NO_PREFIX_DELEGATION,
        "Ipv6AddressCount": IPV6,
        "Ipv6Addresses": IPV6,
        "Ipv6PrefixCount": IPV6,
        "Ipv6Prefixes": IPV6,
        "Operator": NO_OPERATORS,
    },
    "CreateRouteRequest": {**_ROUTE_TARGETS, **_DESTINATIONS, "VpcEndpointId": NO_ENDPOINTS},
    "CreateSubnetRequest": {
        "Ipv4IpamPoolId": IPAM,
        "Ipv4NetmaskLength": IPAM,
        "Ipv6CidrBlock": IPV6,
        "Ipv6IpamPoolId": IPV6,
        "Ipv6Native": IPV6,
        "Ipv6NetmaskLength": IPV6,
        "OutpostArn": NO_OUTPOSTS,
    },
    "CreateVpcRequest": {
        "AmazonProvidedIpv6CidrBlock": IPV6,
        "InstanceTenancy=dedicated": NO_INSTANCES,
        "InstanceTenancy=host": NO_INSTANCES,
        "Ipv4IpamPoolId": IPAM,
        "Ipv4NetmaskLength": IPAM,
        "Ipv6CidrBlock": IPV6,
        "Ipv6CidrBlockNetworkBorderGroup": IPV6,
        "Ipv6IpamPoolId": IPV6,
        "Ipv6NetmaskLength": IPV6,
        "Ipv6Pool": IPV6,
        "VpcEncryptionControl": NO_ENCRYPTION_CONTROL,
    },
    "DeleteRouteRequest": _DESTINATIONS,
    "DhcpOptions": {"Tags": ONE_SET},
    "DisassociateVpcCidrBlockResult": {"Ipv6CidrBlockAssociation": IPV6},
    "DescribeDhcpOptionsResult": {"NextToken": ONE_SET},
    "DescribeNetworkInterfacesRequest": {"IncludeManagedResources": NO_OPERATORS},
    "ModifyNetworkInterfaceAttributeRequest": {
        "AssociatePublicIpAddress": NO_ELASTIC,
        "AssociatedSubnetIds": "a network interface is in one subnet: make another one",
        "Attachment": NO_INSTANCES,
        "ConnectionTrackingSpecification": NO_TRACKING,
        "EnaSrdSpecification": NO_ENA,
        "EnablePrimaryIpv6": IPV6,
    },
    "ModifySubnetAttributeRequest": {
        "AssignIpv6AddressOnCreation": IPV6,
        "CustomerOwnedIpv4Pool": NO_OUTPOSTS,
        "DisableLniAtDeviceIndex": NO_OUTPOSTS,
        "EnableDns64": IPV6,
        "EnableLniAtDeviceIndex": NO_OUTPOSTS,
        "EnableResourceNameDnsAAAARecordOnLaunch": IPV6,
        "EnableResourceNameDnsARecordOnLaunch": NO_NAMES,
        "MapCustomerOwnedIpOnLaunch": NO_OUTPOSTS,
        "PrivateDnsHostnameTypeOnLaunch": NO_NAMES,
    },
    "NetworkInterface": {
        "AssociatedSubnets": "a network interface is in one subnet",
        "Association": NO_ELASTIC,
        "ConnectionTrackingConfiguration": NO_TRACKING,
        "DenyAllIgwTraffic": NO_BLOCKING,
        "Ipv4Prefixes": NO_PREFIX_DELEGATION,
        "Ipv6Address": IPV6,
        "Ipv6Addresses": IPV6,
        "Ipv6Native": IPV6,
        "Ipv6Prefixes": IPV6,
        "OutpostArn": NO_OUTPOSTS,
        "PrivateDnsName": NO_NAMES,
        "PublicDnsName": NO_ELASTIC,
        "PublicIpDnsNameOptions": NO_ELASTIC,
        "RequesterId": NO_OPERATORS,
    },
    "NetworkInterfaceAttachment": {
        "DeviceIndex": NO_INSTANCES,
        "EnaQueueCount": NO_ENA,
        "EnaSrdSpecification": NO_ENA,
        "InstanceId": NO_INSTANCES,
        "NetworkCardIndex": NO_INSTANCES,
    },
    "NetworkInterfacePrivateIpAddress": {"Association": NO_ELASTIC, "PrivateDnsName": NO_NAMES},
    "OperatorResponse": {"HiddenByDefault": NO_OPERATORS, "Principal": NO_OPERATORS},
    "Region": {"Geography": "the region lies where its host stands"},
    "ReplaceRouteRequest": {
        **_ROUTE_TARGETS,
        **_DESTINATIONS,
        "LocalTarget": "the local route is always there and cannot be replaced: leave it out",
        "VpcEndpointId": NO_ENDPOINTS,
    },
    "Route": {
        **_ROUTE_TARGETS,
        **_DESTINATIONS,
        "InstanceOwnerId": NO_INSTANCES,
        "IpAddress": "routes to an address belong to VPC route servers, which do not exist",
    },
    "RouteTableAssociation": {"GatewayId": NO_EDGE, "PublicIpv4Pool": NO_ELASTIC},
    "RouteTableAssociationState": {"StatusMessage": ALWAYS_SUCCEEDS},
    "Subnet": {
        "BlockPublicAccessStates": NO_BLOCKING,
        "CustomerOwnedIpv4Pool": NO_OUTPOSTS,
        "EnableLniAtDeviceIndex": NO_OUTPOSTS,
        "Ipv6CidrBlockAssociationSet": IPV6,
        "OutpostArn": NO_OUTPOSTS,
        "Type": "there is one type of subnet",
    },
    "TagSpecification": {"ResourceType=*": "each operation takes the type of what it makes"},
    "Vpc": {
        "BlockPublicAccessStates": NO_BLOCKING,
        "EncryptionControl": NO_ENCRYPTION_CONTROL,
        "Ipv6CidrBlockAssociationSet": IPV6,
    },
    "UnassignPrivateIpAddressesRequest": {"Ipv4Prefixes": NO_PREFIX_DELEGATION},
    "VpcCidrBlockState": {"StatusMessage": ALWAYS_SUCCEEDS},
}

FILTERS: Final[Mapping[str, Mapping[str, str]]] = {
    "DescribeAvailabilityZones": {
        "message": NO_MESSAGES,
        "parent-zone-id": NO_GROUPS_OF_ZONES,
        "parent-zone-name": NO_GROUPS_OF_ZONES,
    },
    "DescribeNetworkInterfaces": {
        "addresses.association.owner-id": NO_ELASTIC,
        "addresses.association.public-ip": NO_ELASTIC,
        "association.allocation-id": NO_ELASTIC,
        "association.association-id": NO_ELASTIC,
        "association.ip-owner-id": NO_ELASTIC,
        "association.public-dns-name": NO_ELASTIC,
        "association.public-ip": NO_ELASTIC,
        "attachment.device-index": NO_INSTANCES,
        "attachment.instance-id": NO_INSTANCES,
        "ipv6-addresses.ipv6-address": IPV6,
        "operator.principal": NO_OPERATORS,
        "private-dns-name": NO_NAMES,
        "requester-id": NO_OPERATORS,
    },
    "DescribeRouteTables": {
        "association.gateway-id": NO_EDGE,
        "route.destination-ipv6-cidr-block": IPV6,
        "route.destination-prefix-list-id": NO_PREFIX_LIST_ROUTES,
        "route.egress-only-internet-gateway-id": IPV6,
        "route.instance-id": NO_INSTANCES,
        "route.nat-gateway-id": NO_NAT,
        "route.transit-gateway-id": TRANSIT_GATEWAYS,
        "route.vpc-peering-connection-id": NO_PEERING,
    },
    "DescribeSubnets": {
        "customer-owned-ipv4-pool": NO_OUTPOSTS,
        "enable-lni-at-device-index": NO_OUTPOSTS,
        "ipv6-cidr-block-association.association-id": IPV6,
        "ipv6-cidr-block-association.ipv6-cidr-block": IPV6,
        "ipv6-cidr-block-association.state": IPV6,
        "outpost-arn": NO_OUTPOSTS,
    },
    "DescribeVpcs": {
        "ipv6-cidr-block-association.association-id": IPV6,
        "ipv6-cidr-block-association.ipv6-cidr-block": IPV6,
        "ipv6-cidr-block-association.ipv6-pool": IPV6,
        "ipv6-cidr-block-association.state": IPV6,
    },
}
