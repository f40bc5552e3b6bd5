# Twinbore Site-to-Site VPN: configuration of a customer gateway device
#
#   VPN connection id: vpn-0a1b2c3d4e5f60718
#   Virtual private gateway id: vgw-00000000000000002
#   Customer gateway id: cgw-00000000000000001
#   Device type: Cisco IOS XE, Terraform, provider CiscoDevNet/iosxe 0.5+, IOS XE 17.x
#   IKE version, suite: ikev2, the strongest that both sides can do
#   Generated at: 2026-11-24 00:00:00 UTC
#
# THIS FILE HAS THE PRE-SHARED KEYS IN CLEAR TEXT. Keep it as you keep a password.
#
# The connection has two tunnels. Configure both: the second one carries your traffic while the
# first one is maintained or has failed.

# Put this file beside the configuration of your provider, then: terraform plan, terraform apply.
# Keys stand in Terraform's state as well: keep it as you keep a password.
resource "iosxe_cli" "vpn_0a1b2c3d" {
  cli = <<-EOT
    ! Internet Key Exchange (phase 1)
    crypto ikev2 proposal vpn-0a1b2c3d-1
     encryption aes-gcm-256
     prf sha512
     group 20
    !
    crypto ikev2 proposal vpn-0a1b2c3d-2
     encryption aes-gcm-256
     prf sha512
     group 20
    !
    ! Phase 1 suites of both tunnels.
    crypto ikev2 policy vpn-0a1b2c3d
     proposal vpn-0a1b2c3d-1
     proposal vpn-0a1b2c3d-2
    !
    crypto ikev2 keyring vpn-0a1b2c3d-1
     peer vpn-0a1b2c3d-1
      address 203.0.113.10
      pre-shared-key Key.of_tunnel1.AAAAAAAAAAAAAAAAA
    !
    crypto ikev2 profile vpn-0a1b2c3d-1
     match identity remote address 203.0.113.10 255.255.255.255
     identity local address 192.0.2.2
     authentication remote pre-share
     authentication local pre-share
     keyring local vpn-0a1b2c3d-1
     lifetime 28800
     dpd 10 2 periodic
    !
    crypto ikev2 keyring vpn-0a1b2c3d-2
     peer vpn-0a1b2c3d-2
      address 198.51.100.10
      pre-shared-key Key.of_tunnel2.BBBBBBBBBBBBBBBBB
    !
    crypto ikev2 profile vpn-0a1b2c3d-2
     match identity remote address 198.51.100.10 255.255.255.255
     identity local address 192.0.2.2
     authentication remote pre-share
     authentication local pre-share
     keyring local vpn-0a1b2c3d-2
     lifetime 28800
     dpd 10 2 periodic
    !
    ! IPsec (phase 2)
    crypto ipsec transform-set vpn-0a1b2c3d-1 esp-gcm 256
     mode tunnel
    !
    crypto ipsec profile vpn-0a1b2c3d-1
     set transform-set vpn-0a1b2c3d-1
     set pfs group20
     set security-association lifetime seconds 3600
     set security-association replay window-size 1024
     set ikev2-profile vpn-0a1b2c3d-1
    !
    crypto ipsec transform-set vpn-0a1b2c3d-2 esp-gcm 256
     mode tunnel
    !
    crypto ipsec profile vpn-0a1b2c3d-2
     set transform-set vpn-0a1b2c3d-2
     set pfs group20
     set security-association lifetime seconds 3600
     set security-association replay window-size 1024
     set ikev2-profile vpn-0a1b2c3d-2
    !
    ! Tunnel interfaces
    interface Tunnel101
     description vpn-0a1b2c3d4e5f60718 Tunnel 1
     ip address 169.254.10.2 255.255.255.252
     ip mtu 1438
     ip tcp adjust-mss 1398
     tunnel source GigabitEthernet1
     tunnel destination 203.0.113.10
     tunnel mode ipsec ipv4
     tunnel protection ipsec profile vpn-0a1b2c3d-1
     no shutdown
    !
    interface Tunnel102
     description vpn-0a1b2c3d4e5f60718 Tunnel 2
     ip address 169.254.20.6 255.255.255.252
     ip mtu 1438
     ip tcp adjust-mss 1398
     tunnel source GigabitEthernet1
     tunnel destination 198.51.100.10
     tunnel mode ipsec ipv4
     tunnel protection ipsec profile vpn-0a1b2c3d-2
     no shutdown
    !
    ! Border Gateway Protocol
    ! These prefixes are announced to the cloud, each only while the device's routing table has exactly
    ! that one.
    ip prefix-list vpn-0a1b2c3d seq 5 permit 192.168.10.0/24
    !
    route-map vpn-0a1b2c3d-1-out permit 10
     match ip address prefix-list vpn-0a1b2c3d
     set metric 100
    !
    route-map vpn-0a1b2c3d-1-in permit 10
     set local-preference 200
    !
    route-map vpn-0a1b2c3d-2-out permit 10
     match ip address prefix-list vpn-0a1b2c3d
     set metric 200
    !
    route-map vpn-0a1b2c3d-2-in permit 10
     set local-preference 100
    !
    router bgp 65000
     bgp log-neighbor-changes
     neighbor 169.254.10.1 remote-as 64512
     neighbor 169.254.10.1 description vpn-0a1b2c3d4e5f60718 tunnel 1
     neighbor 169.254.10.1 timers 10 30
     neighbor 169.254.20.5 remote-as 64512
     neighbor 169.254.20.5 description vpn-0a1b2c3d4e5f60718 tunnel 2
     neighbor 169.254.20.5 timers 10 30
     address-family ipv4
      network 192.168.10.0 mask 255.255.255.0
      neighbor 169.254.10.1 activate
      neighbor 169.254.10.1 soft-reconfiguration inbound
      neighbor 169.254.10.1 route-map vpn-0a1b2c3d-1-in in
      neighbor 169.254.10.1 route-map vpn-0a1b2c3d-1-out out
      neighbor 169.254.20.5 activate
      neighbor 169.254.20.5 soft-reconfiguration inbound
      neighbor 169.254.20.5 route-map vpn-0a1b2c3d-2-in in
      neighbor 169.254.20.5 route-map vpn-0a1b2c3d-2-out out
     exit-address-family
    !
    ! No address translation for traffic through the tunnels
    ! Nothing is translated: the tunnel interfaces are neither `ip nat inside` nor `ip nat outside`.
    !
  EOT
}

# To verify
# On the device: show crypto session; show ip bgp summary; show ip route
