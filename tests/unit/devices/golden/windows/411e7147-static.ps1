# Twinbore Site-to-Site VPN: configuration of a customer gateway device
#
#   VPN connection id: vpn-0a1b2c3d4e5f60718
#   Virtual private gateway id: vgw-00000000000000002
#   Customer gateway id: cgw-00000000000000001
#   Device type: Microsoft Windows Server, 2012 R2
#   IKE version, suite: ikev1, the strongest that both sides can do
#   Generated at: 2026-11-24 00:00:00 UTC
#
# THIS FILE HAS THE PRE-SHARED KEYS IN CLEAR TEXT. Keep it as you keep a password.
#
# The connection has two tunnels. Configure both: the second one carries your traffic while the
# first one is maintained or has failed.

# Run this in PowerShell as administrator, on the server that is your site's router. Its outside
# address is 192.0.2.2.
# Of two rules for the same networks one is in force: the rule of the second tunnel is made
# disabled. Enable it, and disable the first one, when the first tunnel has failed.

$ErrorActionPreference = 'Stop'

# Tunnel 1: Internet Key Exchange (phase 1)
$proposal = New-NetIPsecMainModeCryptoProposal -Encryption AES256 -Hash SHA384 -KeyExchange DH20
$mainMode = New-NetIPsecMainModeCryptoSet -DisplayName 'vpn-0a1b2c3d-1' -Proposal $proposal -MaxMinutes 480
$key = New-NetIPsecAuthProposal -Machine -PreSharedKey 'Key.of_tunnel1.AAAAAAAAAAAAAAAAA'
$auth = New-NetIPsecPhase1AuthSet -DisplayName 'vpn-0a1b2c3d-1' -Proposal $key
New-NetIPsecMainModeRule -DisplayName 'vpn-0a1b2c3d-1' -RemoteAddress 203.0.113.10 -MainModeCryptoSet $mainMode.Name -Phase1AuthSet $auth.Name
# Tunnel 1: IPsec (phase 2)
$proposal = New-NetIPsecQuickModeCryptoProposal -Encapsulation ESP -Encryption AESGCM256 -ESPHash AESGMAC256 -MaxMinutes 60
$quickMode = New-NetIPsecQuickModeCryptoSet -DisplayName 'vpn-0a1b2c3d-1' -Proposal $proposal -PerfectForwardSecrecyGroup DH20
New-NetIPsecRule -DisplayName 'vpn-0a1b2c3d-1' -Enabled True -Mode Tunnel -LocalAddress 192.168.10.0/24 -RemoteAddress 10.0.0.0/16 -LocalTunnelEndpoint 192.0.2.2 -RemoteTunnelEndpoint 203.0.113.10 -InboundSecurity Require -OutboundSecurity Require -QuickModeCryptoSet $quickMode.Name -Phase1AuthSet $auth.Name
# Tunnel 2: Internet Key Exchange (phase 1)
$proposal = New-NetIPsecMainModeCryptoProposal -Encryption AES256 -Hash SHA384 -KeyExchange DH20
$mainMode = New-NetIPsecMainModeCryptoSet -DisplayName 'vpn-0a1b2c3d-2' -Proposal $proposal -MaxMinutes 480
$key = New-NetIPsecAuthProposal -Machine -PreSharedKey 'Key.of_tunnel2.BBBBBBBBBBBBBBBBB'
$auth = New-NetIPsecPhase1AuthSet -DisplayName 'vpn-0a1b2c3d-2' -Proposal $key
New-NetIPsecMainModeRule -DisplayName 'vpn-0a1b2c3d-2' -RemoteAddress 198.51.100.10 -MainModeCryptoSet $mainMode.Name -Phase1AuthSet $auth.Name
# Tunnel 2: IPsec (phase 2)
$proposal = New-NetIPsecQuickModeCryptoProposal -Encapsulation ESP -Encryption AESGCM256 -ESPHash AESGMAC256 -MaxMinutes 60
$quickMode = New-NetIPsecQuickModeCryptoSet -DisplayName 'vpn-0a1b2c3d-2' -Proposal $proposal -PerfectForwardSecrecyGroup DH20
New-NetIPsecRule -DisplayName 'vpn-0a1b2c3d-2' -Enabled False -Mode Tunnel -LocalAddress 192.168.10.0/24 -RemoteAddress 10.0.0.0/16 -LocalTunnelEndpoint 192.0.2.2 -RemoteTunnelEndpoint 198.51.100.10 -InboundSecurity Require -OutboundSecurity Require -QuickModeCryptoSet $quickMode.Name -Phase1AuthSet $auth.Name

# Firewall policy
New-NetFirewallRule -DisplayName 'vpn-0a1b2c3d-ike' -Direction Inbound -Action Allow -Protocol UDP -LocalPort 500,4500 -RemoteAddress 203.0.113.10,198.51.100.10
Set-NetIPInterface -InterfaceAlias 'Ethernet','Ethernet 2' -AddressFamily IPv4 -Forwarding Enabled
Set-NetIPInterface -InterfaceAlias 'Ethernet' -AddressFamily IPv4 -NlMtuBytes 1438

# To verify
# Get-NetIPsecMainModeSA       a main mode SA with one gateway
# Get-NetIPsecQuickModeSA      a quick mode SA
