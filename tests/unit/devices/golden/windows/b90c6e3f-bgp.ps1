# Twinbore Site-to-Site VPN: configuration of a customer gateway device
#
#   VPN connection id: vpn-0a1b2c3d4e5f60718
#   Virtual private gateway id: vgw-00000000000000002
#   Customer gateway id: cgw-00000000000000001
#   Device type: Microsoft Windows Server, 2022
#   IKE version, suite: ikev2, the strongest that both sides can do
#   Generated at: 2026-11-24 00:00:00 UTC
#
# THIS FILE HAS THE PRE-SHARED KEYS IN CLEAR TEXT. Keep it as you keep a password.
#
# The connection has two tunnels. Configure both: the second one carries your traffic while the
# first one is maintained or has failed.

# Run this in PowerShell as administrator, on the server that is your site's router. Its outside
# address is 192.0.2.2.
# This installs the role Remote Access, if it is not there, and restarts its service once.

$ErrorActionPreference = 'Stop'
Install-WindowsFeature -Name Routing, DirectAccess-VPN -IncludeManagementTools | Out-Null
if ((Get-RemoteAccess).VpnS2SStatus -ne 'Installed') { Install-RemoteAccess -VpnType VpnS2S }

# Tunnel 1: Internet Key Exchange (phase 1), IPsec (phase 2)
# The interface is persistent, so that the tunnel is up without traffic.
$interface = @{
    Name                             = 'vpn-0a1b2c3d-1'
    Protocol                         = 'IKEv2'
    Destination                      = '203.0.113.10'
    AuthenticationMethod             = 'PSKOnly'
    SharedSecret                     = 'Key.of_tunnel1.AAAAAAAAAAAAAAAAA'
    IPv4Subnet                       = @('169.254.10.1/32:1')
    NumberOfTries                    = 0
    RetryInterval                    = 10
    Persistent                       = $true
    CustomPolicy                     = $true
    EncryptionMethod                 = 'AES256'
    IntegrityCheckMethod             = 'SHA384'
    DHGroup                          = 'ECP384'
    CipherTransformConstants         = 'GCMAES256'
    AuthenticationTransformConstants = 'GCMAES256'
    PfsGroup                         = 'ECP384'
    SALifeTimeSeconds                = 3600
    MMSALifeTimeSeconds              = 28800
}
Add-VpnS2SInterface @interface
Set-VpnS2SInterface -Name 'vpn-0a1b2c3d-1' -SourceIpAddress '169.254.10.2' -InitiateConfigPayload $false
netsh interface ipv4 set subinterface 'vpn-0a1b2c3d-1' mtu=1438 store=persistent

# Tunnel 2: Internet Key Exchange (phase 1), IPsec (phase 2)
# The interface is persistent, so that the tunnel is up without traffic.
$interface = @{
    Name                             = 'vpn-0a1b2c3d-2'
    Protocol                         = 'IKEv2'
    Destination                      = '198.51.100.10'
    AuthenticationMethod             = 'PSKOnly'
    SharedSecret                     = 'Key.of_tunnel2.BBBBBBBBBBBBBBBBB'
    IPv4Subnet                       = @('169.254.20.5/32:1')
    NumberOfTries                    = 0
    RetryInterval                    = 10
    Persistent                       = $true
    CustomPolicy                     = $true
    EncryptionMethod                 = 'AES256'
    IntegrityCheckMethod             = 'SHA384'
    DHGroup                          = 'ECP384'
    CipherTransformConstants         = 'GCMAES256'
    AuthenticationTransformConstants = 'GCMAES256'
    PfsGroup                         = 'ECP384'
    SALifeTimeSeconds                = 3600
    MMSALifeTimeSeconds              = 28800
}
Add-VpnS2SInterface @interface
Set-VpnS2SInterface -Name 'vpn-0a1b2c3d-2' -SourceIpAddress '169.254.20.6' -InitiateConfigPayload $false
netsh interface ipv4 set subinterface 'vpn-0a1b2c3d-2' mtu=1438 store=persistent

# Border Gateway Protocol
# These prefixes are announced to the cloud, each only while the device's routing table has exactly
# that one.
# Windows has no local preference: it follows the gateway's MED, tunnel 1.
Add-BgpRouter -BgpIdentifier '169.254.10.2' -LocalASN 65000
Add-BgpPeer -Name 'vpn-0a1b2c3d-1' -LocalIPAddress '169.254.10.2' -PeerIPAddress '169.254.10.1' -PeerASN 64512 -HoldTimeSec 30 -OperationMode Mixed -PeeringMode Automatic
Add-BgpRoutingPolicy -Name 'vpn-0a1b2c3d-1-out' -PolicyType ModifyAttribute -MatchPrefix '192.168.10.0/24' -NewMED 100
Add-BgpRoutingPolicyForPeer -PeerName 'vpn-0a1b2c3d-1' -PolicyName 'vpn-0a1b2c3d-1-out' -Direction Egress
Add-BgpPeer -Name 'vpn-0a1b2c3d-2' -LocalIPAddress '169.254.20.6' -PeerIPAddress '169.254.20.5' -PeerASN 64512 -HoldTimeSec 30 -OperationMode Mixed -PeeringMode Automatic
Add-BgpRoutingPolicy -Name 'vpn-0a1b2c3d-2-out' -PolicyType ModifyAttribute -MatchPrefix '192.168.10.0/24' -NewMED 200
Add-BgpRoutingPolicyForPeer -PeerName 'vpn-0a1b2c3d-2' -PolicyName 'vpn-0a1b2c3d-2-out' -Direction Egress
Add-BgpCustomRoute -Network '192.168.10.0/24'

# Firewall policy
New-NetFirewallRule -DisplayName 'vpn-0a1b2c3d-ike' -Direction Inbound -Action Allow -Protocol UDP -LocalPort 500,4500 -RemoteAddress 203.0.113.10,198.51.100.10
Set-NetIPInterface -InterfaceAlias 'Ethernet','Ethernet 2' -AddressFamily IPv4 -Forwarding Enabled

# To verify
# Get-VpnS2SInterface          both: Connected
# Get-BgpPeer                  both: Connected
# Get-BgpRouteInformation      networks of the cloud
