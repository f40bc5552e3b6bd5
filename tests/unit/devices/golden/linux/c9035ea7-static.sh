#!/bin/sh
#
# Twinbore Site-to-Site VPN: configuration of a customer gateway device
#
#   VPN connection id: vpn-0a1b2c3d4e5f60718
#   Virtual private gateway id: vgw-00000000000000002
#   Customer gateway id: cgw-00000000000000001
#   Device type: Libreswan Linux, Libreswan 4.5+, FRR 8.4+
#   IKE version, suite: ikev2, the strongest that both sides can do
#   Generated at: 2026-11-24 00:00:00 UTC
#
# THIS FILE HAS THE PRE-SHARED KEYS IN CLEAR TEXT. Keep it as you keep a password.
#
# The connection has two tunnels. Configure both: the second one carries your traffic while the
# first one is maintained or has failed.
#
# Run this as root on the router of your site. It writes files for the system's own daemons and has
# them read; with DESTDIR set it only writes them, below that directory. Running it again changes
# nothing. It needs: libreswan, frr, nftables.

set -eu
umask 077
root=${DESTDIR:-}
mkdir -p "$root/etc/ipsec.d" "$root/etc/frr" "$root/etc/sysctl.d" "$root/etc/systemd/system"

# Internet Key Exchange (phase 1)
# IPsec (phase 2)
cat >"$root/etc/ipsec.d/vpn-0a1b2c3d.conf" <<'EOF'
conn vpn-0a1b2c3d-1
    ikev2=insist
    authby=secret
    left=%defaultroute
    leftid=192.0.2.2
    leftsubnet=0.0.0.0/0
    right=203.0.113.10
    rightid=203.0.113.10
    rightsubnet=0.0.0.0/0
    ike=aes_gcm256-sha2_512;dh20
    esp=aes_gcm256-null;dh20
    pfs=yes
    ikelifetime=28800s
    salifetime=3600s
    replay-window=1024
    dpddelay=10s
    dpdtimeout=40s
    dpdaction=restart
    encapsulation=auto
    ipsec-interface=101
    mtu=1438
    auto=start
conn vpn-0a1b2c3d-2
    ikev2=insist
    authby=secret
    left=%defaultroute
    leftid=192.0.2.2
    leftsubnet=0.0.0.0/0
    right=198.51.100.10
    rightid=198.51.100.10
    rightsubnet=0.0.0.0/0
    ike=aes_gcm256-sha2_512;dh20
    esp=aes_gcm256-null;dh20
    pfs=yes
    ikelifetime=28800s
    salifetime=3600s
    replay-window=1024
    dpddelay=10s
    dpdtimeout=40s
    dpdaction=restart
    encapsulation=auto
    ipsec-interface=102
    mtu=1438
    auto=start
EOF
cat >"$root/etc/ipsec.d/vpn-0a1b2c3d.secrets" <<'EOF'
192.0.2.2 203.0.113.10 : PSK "Key.of_tunnel1.AAAAAAAAAAAAAAAAA"
192.0.2.2 198.51.100.10 : PSK "Key.of_tunnel2.BBBBBBBBBBBBBBBBB"
EOF

# Tunnel interfaces
cat >"$root/etc/sysctl.d/90-vpn-0a1b2c3d.conf" <<'EOF'
net.ipv4.ip_forward = 1
net.ipv4.conf.default.rp_filter = 2
EOF
cat >"$root/etc/nftables-vpn-0a1b2c3d.nft" <<'EOF'
table ip vpn_0a1b2c3d
delete table ip vpn_0a1b2c3d
table ip vpn_0a1b2c3d {
    chain forward {
        type filter hook forward priority mangle
        iifname "ipsec101" tcp flags & (syn | rst) == syn tcp option maxseg size set 1398
        oifname "ipsec101" tcp flags & (syn | rst) == syn tcp option maxseg size set 1398
        iifname "ipsec102" tcp flags & (syn | rst) == syn tcp option maxseg size set 1398
        oifname "ipsec102" tcp flags & (syn | rst) == syn tcp option maxseg size set 1398
    }
}
EOF
cat >"$root/etc/systemd/system/vpn-0a1b2c3d.service" <<'EOF'
[Unit]
Description=vpn-0a1b2c3d4e5f60718: MSS of what goes through the tunnels
After=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/nftables-vpn-0a1b2c3d.nft

[Install]
WantedBy=multi-user.target
EOF

# Static routes
# BGP is FRR's: the file is read into the running configuration and written to frr.conf.
cat >"$root/etc/frr/vpn-0a1b2c3d.conf" <<'EOF'
interface ipsec101
 ip address 169.254.10.2/30
exit
interface ipsec102
 ip address 169.254.20.6/30
exit
ip route 10.0.0.0/16 ipsec101 10
ip route 10.0.0.0/16 ipsec102 20
EOF

if [ -z "$root" ]; then
    chown frr:frr /etc/frr/vpn-0a1b2c3d.conf
    sysctl --quiet --load /etc/sysctl.d/90-vpn-0a1b2c3d.conf
    systemctl daemon-reload
    systemctl enable --now vpn-0a1b2c3d.service
    systemctl enable ipsec.service
    systemctl restart ipsec.service
    systemctl restart frr.service
    vtysh -f /etc/frr/vpn-0a1b2c3d.conf
    vtysh -c "write memory"
fi

# To verify
# ipsec trafficstatus               both tunnels with bytes
# ipsec status                      both connections: IPsec SA established
# vtysh -c 'show bgp summary'       both neighbors: a number below State/PfxRcd
# ip route                          networks of the cloud through ipsec101 and ipsec102
