# Twinbore サイト間 VPN: カスタマーゲートウェイ機器の設定
#
#   VPN 接続 ID: vpn-0a1b2c3d4e5f60718
#   仮想プライベートゲートウェイ ID: vgw-00000000000000002
#   カスタマーゲートウェイ ID: cgw-00000000000000001
#   機器の種類: Mikrotik RouterOS, 6.36
#   IKE バージョン、暗号スイート: ikev1, 双方が使える最も強いもの
#   作成日時: 2026-11-24 00:00:00 UTC
#
# このファイルには事前共有鍵が平文で書かれています (pre-shared keys in clear text)。パスワードと同じ
# ように扱ってください。
#
# この接続には二つのトンネルがあります。両方を設定してください。一方の保守中や障害時には、もう一方が
# 通信を運びます。

# ターミナルに貼り付けるか、/import file-name=... で読み込んでください。
# RouterOS はポリシーに従ってトンネルに送ります。同じネットワークのポリシーが二つあれば、有効なのは
# 一つです。両方のゲートウェイと接続したまま、スクリプトが 10 秒ごとに優先側の状態を確認し、切れてい
# ればもう一方のポリシーに切り替えます。

# 鍵交換 IKE (フェーズ 1)
/ip ipsec peer add address=203.0.113.10/32 auth-method=pre-shared-key secret="Key.of_tunnel1.AAAAAAAAAAAAAAAAA" exchange-mode=main hash-algorithm=sha512 enc-algorithm=aes-256 dh-group=modp4096 lifetime=28800s dpd-interval=10s dpd-maximum-failures=4 nat-traversal=yes my-id=address:192.0.2.2 comment=vpn-0a1b2c3d-1
/ip ipsec peer add address=198.51.100.10/32 auth-method=pre-shared-key secret="Key.of_tunnel2.BBBBBBBBBBBBBBBBB" exchange-mode=main hash-algorithm=sha512 enc-algorithm=aes-256 dh-group=modp4096 lifetime=28800s dpd-interval=10s dpd-maximum-failures=4 nat-traversal=yes my-id=address:192.0.2.2 comment=vpn-0a1b2c3d-2

# IPsec (フェーズ 2)
/ip ipsec proposal add name=vpn-0a1b2c3d-1 auth-algorithms=sha512 enc-algorithms=aes-256-cbc lifetime=3600s pfs-group=modp4096
/ip ipsec proposal add name=vpn-0a1b2c3d-2 auth-algorithms=sha512 enc-algorithms=aes-256-cbc lifetime=3600s pfs-group=modp4096

# ポリシー: トンネルを通すネットワーク
/ip ipsec policy add sa-src-address=0.0.0.0 sa-dst-address=203.0.113.10 tunnel=yes src-address=192.168.10.0/24 dst-address=10.0.0.0/16 action=encrypt level=unique proposal=vpn-0a1b2c3d-1 disabled=no comment=vpn-0a1b2c3d-1
/ip ipsec policy add sa-src-address=0.0.0.0 sa-dst-address=198.51.100.10 tunnel=yes src-address=192.168.10.0/24 dst-address=10.0.0.0/16 action=encrypt level=unique proposal=vpn-0a1b2c3d-2 disabled=yes comment=vpn-0a1b2c3d-2

# ファイアウォールポリシー
# 変換や破棄のルールより前に置く必要があるため、追加した後で先頭に移動します。
/ip firewall filter add chain=input in-interface=ether1 src-address=203.0.113.10 action=accept comment=vpn-0a1b2c3d
/ip firewall filter add chain=input in-interface=ether1 src-address=198.51.100.10 action=accept comment=vpn-0a1b2c3d
/ip firewall filter add chain=forward src-address=192.168.10.0/24 dst-address=10.0.0.0/16 action=accept comment=vpn-0a1b2c3d
/ip firewall filter add chain=forward src-address=10.0.0.0/16 dst-address=192.168.10.0/24 action=accept comment=vpn-0a1b2c3d
/ip firewall mangle add chain=forward protocol=tcp tcp-flags=syn src-address=192.168.10.0/24 dst-address=10.0.0.0/16 tcp-mss=1367-65535 action=change-mss new-mss=1366 passthrough=yes comment=vpn-0a1b2c3d
/ip firewall mangle add chain=forward protocol=tcp tcp-flags=syn src-address=10.0.0.0/16 dst-address=192.168.10.0/24 tcp-mss=1367-65535 action=change-mss new-mss=1366 passthrough=yes comment=vpn-0a1b2c3d
/ip firewall nat add chain=srcnat src-address=192.168.10.0/24 dst-address=10.0.0.0/16 action=accept comment=vpn-0a1b2c3d
/ip firewall filter move [find comment=vpn-0a1b2c3d] 0
/ip firewall nat move [find comment=vpn-0a1b2c3d] 0

# もう一方のトンネルへの切り替え
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

# 確認方法
# /ip ipsec active-peers print      両ゲートウェイが established
# /ip ipsec policy print            有効なポリシーが A、PH2 State が established
# /ip ipsec installed-sa print      双方向のバイト数
