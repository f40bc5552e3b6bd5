#!/bin/sh
#
# Twinbore Site-to-Site VPN: configuration of a customer gateway device
#
#   VPN connection id: vpn-0a1b2c3d4e5f60718
#   Virtual private gateway id: vgw-00000000000000002
#   Customer gateway id: cgw-00000000000000001
#   Device type: OpenBSD OpenBSD, OpenBSD 7.4+ (iked, bgpd)
#   IKE version, suite: ikev2, the strongest that both sides can do
#   Generated at: 2026-11-24 00:00:00 UTC
#
# THIS FILE HAS THE PRE-SHARED KEYS IN CLEAR TEXT. Keep it as you keep a password.
#
# The connection has two tunnels. Configure both: the second one carries your traffic while the
# first one is maintained or has failed.
#
# Run this as root on the router of your site. It writes files for the system's own daemons and has
# them read; with DESTDIR set it only writes them, below that directory. Where iked.conf, bgpd.conf
# or pf.conf have something already, include the files named here instead of replacing it.

set -eu
umask 077
root=${DESTDIR:-}
mkdir -p "$root/etc/iked" "$root/etc/pf"

# Tunnel interfaces
cat >"$root/etc/hostname.sec101" <<'EOF'
inet 169.254.10.2 255.255.255.252 169.254.10.1
mtu 1438
up
EOF
cat >"$root/etc/hostname.sec102" <<'EOF'
inet 169.254.20.6 255.255.255.252 169.254.20.5
mtu 1438
up
EOF

# Internet Key Exchange (phase 1)
# IPsec (phase 2)
# iked asks a silent peer by itself, every minute.
cat >"$root/etc/iked/vpn-0a1b2c3d.conf" <<'EOF'
ikev2 "vpn-0a1b2c3d-1" active tunnel esp \
    from 0.0.0.0/0 to 0.0.0.0/0 \
    peer 203.0.113.10 \
    ikesa auth hmac-sha2-512 enc aes-256 group ecp384 \
    childsa enc aes-256-gcm group ecp384 \
    srcid 192.0.2.2 \
    dstid 203.0.113.10 \
    ikelifetime 28800 lifetime 3600 \
    psk "Key.of_tunnel1.AAAAAAAAAAAAAAAAA" \
    iface sec101
ikev2 "vpn-0a1b2c3d-2" active tunnel esp \
    from 0.0.0.0/0 to 0.0.0.0/0 \
    peer 198.51.100.10 \
    ikesa auth hmac-sha2-512 enc aes-256 group ecp384 \
    childsa enc aes-256-gcm group ecp384 \
    srcid 192.0.2.2 \
    dstid 198.51.100.10 \
    ikelifetime 28800 lifetime 3600 \
    psk "Key.of_tunnel2.BBBBBBBBBBBBBBBBB" \
    iface sec102
EOF

# Border Gateway Protocol
# These prefixes are announced to the cloud, each only while the device's routing table has exactly
# that one.
cat >"$root/etc/bgpd-vpn-0a1b2c3d.conf" <<'EOF'
AS 65000
router-id 169.254.10.2
prefix-set "vpn-0a1b2c3d" { 192.168.10.0/24 }
network prefix-set "vpn-0a1b2c3d"
group "vpn-0a1b2c3d" {
    remote-as 64512
    holdtime 30
    neighbor 169.254.10.1 {
        descr "vpn-0a1b2c3d-1"
        local-address 169.254.10.2
    }
    neighbor 169.254.20.5 {
        descr "vpn-0a1b2c3d-2"
        local-address 169.254.20.6
    }
}
deny to group "vpn-0a1b2c3d"
allow from group "vpn-0a1b2c3d"
allow to 169.254.10.1 prefix-set "vpn-0a1b2c3d"
match to 169.254.10.1 set metric 100
match from 169.254.10.1 set localpref 200
allow to 169.254.20.5 prefix-set "vpn-0a1b2c3d"
match to 169.254.20.5 set metric 200
match from 169.254.20.5 set localpref 100
EOF

# Firewall policy
cat >"$root/etc/pf/vpn-0a1b2c3d.conf" <<'EOF'
match on { sec101 sec102 } scrub (max-mss 1398)
pass in on em0 proto udp from { 203.0.113.10 198.51.100.10 } to port { 500 4500 }
pass in on em0 proto esp from { 203.0.113.10 198.51.100.10 }
pass on { sec101 sec102 }
pass on em1
EOF

if [ -z "$root" ]; then
    sysctl net.inet.ip.forwarding=1
    grep -q '^net.inet.ip.forwarding=1' /etc/sysctl.conf 2>/dev/null || echo net.inet.ip.forwarding=1 >>/etc/sysctl.conf
    grep -q '/etc/iked/vpn-0a1b2c3d.conf' /etc/iked.conf 2>/dev/null || echo 'include "/etc/iked/vpn-0a1b2c3d.conf"' >>/etc/iked.conf
    chmod 600 /etc/iked.conf
    grep -q '/etc/pf/vpn-0a1b2c3d.conf' /etc/pf.conf || echo 'include "/etc/pf/vpn-0a1b2c3d.conf"' >>/etc/pf.conf
    pfctl -f /etc/pf.conf
    sh /etc/netstart sec101 sec102
    rcctl enable iked
    rcctl restart iked
    [ -e /etc/bgpd.conf ] || { echo 'include "/etc/bgpd-vpn-0a1b2c3d.conf"' >/etc/bgpd.conf; chmod 600 /etc/bgpd.conf; }
    rcctl enable bgpd
    rcctl restart bgpd
fi

# To verify
# ikectl show sa               both peers
# bgpctl show                  both neighbors: Established
# netstat -rn -f inet          networks of the cloud through sec101 and sec102
