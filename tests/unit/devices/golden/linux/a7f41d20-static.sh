#!/bin/sh
#
# Twinbore Site-to-Site VPN: configuration of a customer gateway device
#
#   VPN connection id: vpn-0a1b2c3d4e5f60718
#   Virtual private gateway id: vgw-00000000000000002
#   Customer gateway id: cgw-00000000000000001
#   Device type: Strongswan Linux, systemd-networkd, Strongswan 5.9+, FRR 8.4+
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
# nothing. It needs: strongswan-swanctl, charon-systemd, frr, nftables.

set -eu
umask 077
root=${DESTDIR:-}
mkdir -p "$root/etc/swanctl/conf.d" "$root/etc/systemd/network" "$root/etc/systemd/system" "$root/etc/frr" "$root/etc/sysctl.d"

# Internet Key Exchange (phase 1)
# IPsec (phase 2)
cat >"$root/etc/swanctl/conf.d/vpn-0a1b2c3d.conf" <<'EOF'
connections {
    vpn-0a1b2c3d-1 {
        version = 2
        remote_addrs = 203.0.113.10
        proposals = aes256gcm16-prfsha512-ecp384
        mobike = no
        keyingtries = 0
        encap = no
        dpd_delay = 10s
        dpd_timeout = 40s
        rekey_time = 28665s
        rand_time = 0s
        over_time = 135s
        local {
            auth = psk
            id = 192.0.2.2
        }
        remote {
            auth = psk
            id = 203.0.113.10
        }
        children {
            vpn-0a1b2c3d-1 {
                mode = tunnel
                local_ts = 0.0.0.0/0
                remote_ts = 0.0.0.0/0
                esp_proposals = aes256gcm16-ecp384
                life_time = 3600s
                rekey_time = 3465s
                rand_time = 0s
                replay_window = 1024
                if_id_in = 101
                if_id_out = 101
                dpd_action = restart
                close_action = start
                start_action = start
            }
        }
    }
    vpn-0a1b2c3d-2 {
        version = 2
        remote_addrs = 198.51.100.10
        proposals = aes256gcm16-prfsha512-ecp384
        mobike = no
        keyingtries = 0
        encap = no
        dpd_delay = 10s
        dpd_timeout = 40s
        rekey_time = 28665s
        rand_time = 0s
        over_time = 135s
        local {
            auth = psk
            id = 192.0.2.2
        }
        remote {
            auth = psk
            id = 198.51.100.10
        }
        children {
            vpn-0a1b2c3d-2 {
                mode = tunnel
                local_ts = 0.0.0.0/0
                remote_ts = 0.0.0.0/0
                esp_proposals = aes256gcm16-ecp384
                life_time = 3600s
                rekey_time = 3465s
                rand_time = 0s
                replay_window = 1024
                if_id_in = 102
                if_id_out = 102
                dpd_action = restart
                close_action = start
                start_action = start
            }
        }
    }
}
secrets {
    ike-vpn-0a1b2c3d-1 {
        id = 203.0.113.10
        secret = "Key.of_tunnel1.AAAAAAAAAAAAAAAAA"
    }
    ike-vpn-0a1b2c3d-2 {
        id = 198.51.100.10
        secret = "Key.of_tunnel2.BBBBBBBBBBBBBBBBB"
    }
}
EOF

# Tunnel interfaces
# Netplan leaves these files alone: they stand beside its own in the order of their names.
cat >"$root/etc/systemd/network/60-xfrm101.netdev" <<'EOF'
[NetDev]
Name=xfrm101
Kind=xfrm
MTUBytes=1438

[Xfrm]
InterfaceId=101
Independent=yes
EOF
cat >"$root/etc/systemd/network/60-xfrm101.network" <<'EOF'
[Match]
Name=xfrm101

[Network]
Address=169.254.10.2/30
IPForward=ipv4

[Route]
Destination=10.0.0.0/16
Metric=10
EOF
cat >"$root/etc/systemd/network/60-xfrm102.netdev" <<'EOF'
[NetDev]
Name=xfrm102
Kind=xfrm
MTUBytes=1438

[Xfrm]
InterfaceId=102
Independent=yes
EOF
cat >"$root/etc/systemd/network/60-xfrm102.network" <<'EOF'
[Match]
Name=xfrm102

[Network]
Address=169.254.20.6/30
IPForward=ipv4

[Route]
Destination=10.0.0.0/16
Metric=20
EOF
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
        iifname "xfrm101" tcp flags & (syn | rst) == syn tcp option maxseg size set 1398
        oifname "xfrm101" tcp flags & (syn | rst) == syn tcp option maxseg size set 1398
        iifname "xfrm102" tcp flags & (syn | rst) == syn tcp option maxseg size set 1398
        oifname "xfrm102" tcp flags & (syn | rst) == syn tcp option maxseg size set 1398
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


if [ -z "$root" ]; then
    chmod 644 /etc/systemd/network/60-*
    sysctl --quiet --load /etc/sysctl.d/90-vpn-0a1b2c3d.conf
    systemctl daemon-reload
    systemctl enable --now vpn-0a1b2c3d.service
    networkctl reload
    systemctl enable --now strongswan.service
    swanctl --load-all
fi

# To verify
# swanctl --list-sas                both tunnels: ESTABLISHED, INSTALLED
# networkctl status                 both xfrm interfaces
# vtysh -c 'show bgp summary'       both neighbors: a number below State/PfxRcd
