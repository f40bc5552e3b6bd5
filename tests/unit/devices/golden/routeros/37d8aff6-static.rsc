# Twinbore Site-to-Site VPN: configuration of a customer gateway device
#
#   VPN connection id: vpn-0a1b2c3d4e5f60718
#   Virtual private gateway id: vgw-00000000000000002
#   Customer gateway id: cgw-00000000000000001
#   Device type: Mikrotik RouterOS, 6.47
#   IKE version, suite: ikev2, the strongest that both sides can do
#   Generated at: 2026-11-24 00:00:00 UTC
#
# THIS FILE HAS THE PRE-SHARED KEYS IN CLEAR TEXT. Keep it as you keep a password.
#
# The connection has two tunnels. Configure both: the second one carries your traffic while the
# first one is maintained or has failed.

# Paste this into a terminal, or: /import file-name=...
# RouterOS tunnels by policy: of two policies for the same networks one is in force. Both gateways
# stay connected; a script looks every ten seconds whether the preferred one is there, and takes the
# other one's policy if not.

# Internet Key Exchange (phase 1)
/ip ipsec profile add name=vpn-0a1b2c3d-1 hash-algorithm=sha512 enc-algorithm=aes-256 dh-group=ecp384 lifetime=28800s dpd-interval=10s dpd-maximum-failures=4 nat-traversal=yes
/ip ipsec peer add name=vpn-0a1b2c3d-1 address=203.0.113.10/32 profile=vpn-0a1b2c3d-1 exchange-mode=ike2
/ip ipsec identity add peer=vpn-0a1b2c3d-1 auth-method=pre-shared-key secret="Key.of_tunnel1.AAAAAAAAAAAAAAAAA" my-id=address:192.0.2.2 remote-id=address:203.0.113.10 generate-policy=no
/ip ipsec profile add name=vpn-0a1b2c3d-2 hash-algorithm=sha512 enc-algorithm=aes-256 dh-group=ecp384 lifetime=28800s dpd-interval=10s dpd-maximum-failures=4 nat-traversal=yes
/ip ipsec peer add name=vpn-0a1b2c3d-2 address=198.51.100.10/32 profile=vpn-0a1b2c3d-2 exchange-mode=ike2
/ip ipsec identity add peer=vpn-0a1b2c3d-2 auth-method=pre-shared-key secret="Key.of_tunnel2.BBBBBBBBBBBBBBBBB" my-id=address:192.0.2.2 remote-id=address:198.51.100.10 generate-policy=no

# IPsec (phase 2)
/ip ipsec proposal add name=vpn-0a1b2c3d-1 auth-algorithms=null enc-algorithms=aes-256-gcm lifetime=3600s pfs-group=ecp384
/ip ipsec proposal add name=vpn-0a1b2c3d-2 auth-algorithms=null enc-algorithms=aes-256-gcm lifetime=3600s pfs-group=ecp384

# Policies: which networks go through a tunnel
/ip ipsec policy add peer=vpn-0a1b2c3d-1 tunnel=yes src-address=192.168.10.0/24 dst-address=10.0.0.0/16 action=encrypt level=unique proposal=vpn-0a1b2c3d-1 disabled=no comment=vpn-0a1b2c3d-1
/ip ipsec policy add peer=vpn-0a1b2c3d-2 tunnel=yes src-address=192.168.10.0/24 dst-address=10.0.0.0/16 action=encrypt level=unique proposal=vpn-0a1b2c3d-2 disabled=yes comment=vpn-0a1b2c3d-2

# Firewall policy
# The rules have to come first, before those that translate or drop; each is moved to the top.
/ip firewall filter add chain=input in-interface=ether1 src-address=203.0.113.10 action=accept comment=vpn-0a1b2c3d
/ip firewall filter add chain=input in-interface=ether1 src-address=198.51.100.10 action=accept comment=vpn-0a1b2c3d
/ip firewall filter add chain=forward src-address=192.168.10.0/24 dst-address=10.0.0.0/16 action=accept comment=vpn-0a1b2c3d
/ip firewall filter add chain=forward src-address=10.0.0.0/16 dst-address=192.168.10.0/24 action=accept comment=vpn-0a1b2c3d
/ip firewall mangle add chain=forward protocol=tcp tcp-flags=syn src-address=192.168.10.0/24 dst-address=10.0.0.0/16 tcp-mss=1399-65535 action=change-mss new-mss=1398 passthrough=yes comment=vpn-0a1b2c3d
/ip firewall mangle add chain=forward protocol=tcp tcp-flags=syn src-address=10.0.0.0/16 dst-address=192.168.10.0/24 tcp-mss=1399-65535 action=change-mss new-mss=1398 passthrough=yes comment=vpn-0a1b2c3d
/ip firewall nat add chain=srcnat src-address=192.168.10.0/24 dst-address=10.0.0.0/16 action=accept comment=vpn-0a1b2c3d
/ip firewall filter move [find comment=vpn-0a1b2c3d] 0
/ip firewall nat move [find comment=vpn-0a1b2c3d] 0

# Change to the other tunnel
/system script add name=vpn-0a1b2c3d source={
:if ([:len [/ip ipsec active-peers find remote-address=203.0.113.10 state=established]] > 0) do={
/ip ipsec policy set [find comment=vpn-0a1b2c3d-2] disabled=yes
/ip ipsec policy set [find comment=vpn-0a1b2c3d-1] disabled=no
} else={
/ip ipsec policy set [find comment=vpn-0a1b2c3d-1] disabled=yes
/ip ipsec policy set [find comment=vpn-0a1b2c3d-2] disabled=no
}
}
/system scheduler add name=vpn-0a1b2c3d interval=10s on-event=vpn-0a1b2c3d

# To verify
# /ip ipsec active-peers print      both gateways: established
# /ip ipsec policy print            the policy in force: A (active), PH2 State established
# /ip ipsec installed-sa print      bytes both ways
