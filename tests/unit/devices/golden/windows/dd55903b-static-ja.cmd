rem Twinbore サイト間 VPN: カスタマーゲートウェイ機器の設定
rem
rem   VPN 接続 ID: vpn-0a1b2c3d4e5f60718
rem   仮想プライベートゲートウェイ ID: vgw-00000000000000002
rem   カスタマーゲートウェイ ID: cgw-00000000000000001
rem   機器の種類: Microsoft Windows Server, 2008 R2
rem   IKE バージョン、暗号スイート: ikev1, 双方が使える最も強いもの
rem   作成日時: 2026-11-24 00:00:00 UTC
rem
rem このファイルには事前共有鍵が平文で書かれています (pre-shared keys in clear text)。パスワードと同
rem じように扱ってください。
rem
rem この接続には二つのトンネルがあります。両方を設定してください。一方の保守中や障害時には、もう一方
rem が通信を運びます。
rem
rem 拠点のルーターとなるサーバー (アドレス 192.0.2.2) で、管理者のコマンドプロンプトから実行してくだ
rem さい。サーバーの外側アドレスは固定である必要があります。
rem 同じネットワークのルールが二つあれば、有効にできるのは一つです。二つ目のトンネルのルールは無効の
rem 状態で作ります。一つ目に障害があれば、こちらを有効にし、一つ目を無効にしてください。

rem 鍵交換 IKE (フェーズ 1)
netsh advfirewall set global mainmode mmkeylifetime 480min,0sess
netsh advfirewall set global mainmode mmsecmethods ecdhp384:aes256-sha256

rem IPsec (フェーズ 2)
netsh advfirewall consec add rule name="vpn-0a1b2c3d-1-1" enable=yes mode=tunnel profile=any type=static endpoint1=192.168.10.0/24 endpoint2=10.0.0.0/16 localtunnelendpoint=192.0.2.2 remotetunnelendpoint=203.0.113.10 protocol=any action=requireinrequireout auth1=computerpsk auth1psk="Key.of_tunnel1.AAAAAAAAAAAAAAAAA" qmsecmethods=esp:sha256-aes256+60min+100000000kb qmpfs=ecdhp384 exemptipsecprotectedconnections=no applyauthz=no
netsh advfirewall consec add rule name="vpn-0a1b2c3d-2-1" enable=no mode=tunnel profile=any type=static endpoint1=192.168.10.0/24 endpoint2=10.0.0.0/16 localtunnelendpoint=192.0.2.2 remotetunnelendpoint=198.51.100.10 protocol=any action=requireinrequireout auth1=computerpsk auth1psk="Key.of_tunnel2.BBBBBBBBBBBBBBBBB" qmsecmethods=esp:sha256-aes256+60min+100000000kb qmpfs=ecdhp384 exemptipsecprotectedconnections=no applyauthz=no

rem ファイアウォールポリシー
netsh advfirewall firewall add rule name="vpn-0a1b2c3d-ike" dir=in action=allow protocol=udp localport=500,4500 remoteip=203.0.113.10,198.51.100.10
netsh interface ipv4 set interface "Ethernet" forwarding=enabled
netsh interface ipv4 set interface "Ethernet 2" forwarding=enabled
netsh interface ipv4 set subinterface "Ethernet" mtu=1422 store=persistent

rem 確認方法
rem netsh advfirewall monitor show mmsa     一方のゲートウェイとのメインモード SA
rem netsh advfirewall monitor show qmsa     クイックモード SA
