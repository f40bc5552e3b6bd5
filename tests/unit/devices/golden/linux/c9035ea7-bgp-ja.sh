#!/bin/sh
#
# Twinbore サイト間 VPN: カスタマーゲートウェイ機器の設定
#
#   VPN 接続 ID: vpn-0a1b2c3d4e5f60718
#   仮想プライベートゲートウェイ ID: vgw-00000000000000002
#   カスタマーゲートウェイ ID: cgw-00000000000000001
#   機器の種類: Libreswan Linux, Libreswan 4.5+, FRR 8.4+
#   IKE バージョン、暗号スイート: ikev2, 双方が使える最も強いもの
#   作成日時: 2026-11-24 00:00:00 UTC
#
# このファイルには事前共有鍵が平文で書かれています (pre-shared keys in clear text)。パスワードと同じ
# ように扱ってください。
#
# この接続には二つのトンネルがあります。両方を設定してください。一方の保守中や障害時には、もう一方が
# 通信を運びます。
#
# 拠点のルーターで root として実行してください。システムのデーモンの設定ファイルを書き、読み込ませま
# す。DESTDIR を指定すると、そのディレクトリの下に書くだけです。もう一度実行しても何も変わりません。
# 必要なもの: libreswan, frr, nftables

set -eu
umask 077
root=${DESTDIR:-}
mkdir -p "$root/etc/ipsec.d" "$root/etc/frr" "$root/etc/sysctl.d" "$root/etc/systemd/system"

# 鍵交換 IKE (フェーズ 1)
# IPsec (フェーズ 2)
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

# トンネルインターフェース
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

# BGP
# 次の経路をクラウドに広告します。機器は、まったく同じ経路が経路表にある間だけ広告します。
# BGP は FRR が行います。設定を動作中の FRR に読み込ませ、frr.conf に保存します。
cat >"$root/etc/frr/vpn-0a1b2c3d.conf" <<'EOF'
interface ipsec101
 ip address 169.254.10.2/30
exit
interface ipsec102
 ip address 169.254.20.6/30
exit
ip prefix-list vpn-0a1b2c3d seq 5 permit 192.168.10.0/24
route-map vpn-0a1b2c3d-1-out permit 10
 match ip address prefix-list vpn-0a1b2c3d
 set metric 100
exit
route-map vpn-0a1b2c3d-1-in permit 10
 set local-preference 200
exit
route-map vpn-0a1b2c3d-2-out permit 10
 match ip address prefix-list vpn-0a1b2c3d
 set metric 200
exit
route-map vpn-0a1b2c3d-2-in permit 10
 set local-preference 100
exit
router bgp 65000
 bgp router-id 169.254.10.2
 no bgp ebgp-requires-policy
 bgp network import-check
 neighbor 169.254.10.1 remote-as 64512
 neighbor 169.254.10.1 timers 10 30
 neighbor 169.254.10.1 timers connect 10
 neighbor 169.254.20.5 remote-as 64512
 neighbor 169.254.20.5 timers 10 30
 neighbor 169.254.20.5 timers connect 10
 address-family ipv4 unicast
  network 192.168.10.0/24
  maximum-paths 1
  neighbor 169.254.10.1 route-map vpn-0a1b2c3d-1-in in
  neighbor 169.254.10.1 route-map vpn-0a1b2c3d-1-out out
  neighbor 169.254.20.5 route-map vpn-0a1b2c3d-2-in in
  neighbor 169.254.20.5 route-map vpn-0a1b2c3d-2-out out
 exit-address-family
exit
EOF

if [ -z "$root" ]; then
    chown frr:frr /etc/frr/vpn-0a1b2c3d.conf
    sysctl --quiet --load /etc/sysctl.d/90-vpn-0a1b2c3d.conf
    systemctl daemon-reload
    systemctl enable --now vpn-0a1b2c3d.service
    systemctl enable ipsec.service
    systemctl restart ipsec.service
    sed -i 's/^bgpd=no/bgpd=yes/' /etc/frr/daemons
    systemctl restart frr.service
    vtysh -f /etc/frr/vpn-0a1b2c3d.conf
    vtysh -c "write memory"
fi

# 確認方法
# ipsec trafficstatus               両トンネルのバイト数
# ipsec status                      両接続で IPsec SA established
# vtysh -c 'show bgp summary'       両ネイバーの State/PfxRcd に数字
# ip route                          ipsec101 と ipsec102 経由のクラウド側ネットワーク
