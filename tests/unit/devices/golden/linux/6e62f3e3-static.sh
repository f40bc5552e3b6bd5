#!/bin/sh
#
# Twinbore Site-to-Site VPN: configuration of a customer gateway device
#
#   VPN connection id: vpn-0a1b2c3d4e5f60718
#   Virtual private gateway id: vgw-00000000000000002
#   Customer gateway id: cgw-00000000000000001
#   Device type: Openswan Openswan, Openswan 2.6.38+
#   IKE version, suite: ikev1, the strongest that both sides can do
#   Generated at: 2026-11-24 00:00:00 UTC
#
# THIS FILE HAS THE PRE-SHARED KEYS IN CLEAR TEXT. Keep it as you keep a password.
#
# The connection has two tunnels. Configure both: the second one carries your traffic while the
# first one is maintained or has failed.
#
# Run this as root on the router of your site. It writes files for the system's own daemons and has
# them read; with DESTDIR set it only writes them, below that directory. Running it again changes
# nothing. It needs: openswan.
# Openswan tunnels by policy, and of two policies for the same networks one is in force. The second
# tunnel is defined and not started: `ipsec auto --replace vpn-0a1b2c3d-2 && ipsec auto --up
# vpn-0a1b2c3d-2` takes it when the first one has failed.

set -eu
umask 077
root=${DESTDIR:-}
mkdir -p "$root/etc/ipsec.d" "$root/etc/sysctl.d"

# Internet Key Exchange (phase 1)
# IPsec (phase 2)
cat >"$root/etc/ipsec.d/vpn-0a1b2c3d.conf" <<'EOF'
conn vpn-0a1b2c3d-1
    type=tunnel
    authby=secret
    left=%defaultroute
    leftid=192.0.2.2
    leftsubnet=192.168.10.0/24
    right=203.0.113.10
    rightsubnet=10.0.0.0/16
    ike=aes256-sha1;modp2048
    phase2=esp
    phase2alg=aes256-sha1;modp2048
    pfs=yes
    ikelifetime=28800s
    keylife=3600s
    dpddelay=10
    dpdtimeout=40
    dpdaction=restart_by_peer
    auto=start
conn vpn-0a1b2c3d-2
    type=tunnel
    authby=secret
    left=%defaultroute
    leftid=192.0.2.2
    leftsubnet=192.168.10.0/24
    right=198.51.100.10
    rightsubnet=10.0.0.0/16
    ike=aes256-sha1;modp2048
    phase2=esp
    phase2alg=aes256-sha1;modp2048
    pfs=yes
    ikelifetime=28800s
    keylife=3600s
    dpddelay=10
    dpdtimeout=40
    dpdaction=restart_by_peer
    auto=ignore
EOF
cat >"$root/etc/ipsec.d/vpn-0a1b2c3d.secrets" <<'EOF'
192.0.2.2 203.0.113.10 : PSK "Key.of_tunnel1.AAAAAAAAAAAAAAAAA"
192.0.2.2 198.51.100.10 : PSK "Key.of_tunnel2.BBBBBBBBBBBBBBBBB"
EOF
cat >"$root/etc/sysctl.d/90-vpn-0a1b2c3d.conf" <<'EOF'
net.ipv4.ip_forward = 1
net.ipv4.conf.all.accept_redirects = 0
net.ipv4.conf.all.send_redirects = 0
EOF

# Firewall policy
cat >"$root/etc/ipsec.d/vpn-0a1b2c3d.iptables" <<'EOF'
*mangle
-A FORWARD -s 192.168.10.0/24 -d 10.0.0.0/16 -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1382
-A FORWARD -s 10.0.0.0/16 -d 192.168.10.0/24 -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1382
COMMIT
*nat
-I POSTROUTING 1 -s 192.168.10.0/24 -d 10.0.0.0/16 -j ACCEPT
COMMIT
EOF

if [ -z "$root" ]; then
    grep -q '^include /etc/ipsec.d/\*.conf' /etc/ipsec.conf || echo 'include /etc/ipsec.d/*.conf' >>/etc/ipsec.conf
    grep -q '^include /etc/ipsec.d/\*.secrets' /etc/ipsec.secrets || echo 'include /etc/ipsec.d/*.secrets' >>/etc/ipsec.secrets
    sysctl -q -p /etc/sysctl.d/90-vpn-0a1b2c3d.conf
    iptables-restore --noflush </etc/ipsec.d/vpn-0a1b2c3d.iptables
    service ipsec restart
fi

# To verify
# ipsec auto --status               the first connection: IPsec SA established
# ip xfrm policy                    the networks of both sides
