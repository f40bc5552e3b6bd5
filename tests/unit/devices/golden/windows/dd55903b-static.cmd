rem Twinbore Site-to-Site VPN: configuration of a customer gateway device
rem
rem   VPN connection id: vpn-0a1b2c3d4e5f60718
rem   Virtual private gateway id: vgw-00000000000000002
rem   Customer gateway id: cgw-00000000000000001
rem   Device type: Microsoft Windows Server, 2008 R2
rem   IKE version, suite: ikev1, the strongest that both sides can do
rem   Generated at: 2026-11-24 00:00:00 UTC
rem
rem THIS FILE HAS THE PRE-SHARED KEYS IN CLEAR TEXT. Keep it as you keep a password.
rem
rem The connection has two tunnels. Configure both: the second one carries your traffic while the
rem first one is maintained or has failed.
rem
rem Run this in a command prompt as administrator, on the server that is your site's router (its
rem address is 192.0.2.2). The outside address of the server has to be fixed.
rem Of two rules for the same networks one is in force: the rule of the second tunnel is made
rem disabled. Enable it, and disable the first one, when the first tunnel has failed.

rem Internet Key Exchange (phase 1)
netsh advfirewall set global mainmode mmkeylifetime 480min,0sess
netsh advfirewall set global mainmode mmsecmethods ecdhp384:aes256-sha256

rem IPsec (phase 2)
netsh advfirewall consec add rule name="vpn-0a1b2c3d-1-1" enable=yes mode=tunnel profile=any type=static endpoint1=192.168.10.0/24 endpoint2=10.0.0.0/16 localtunnelendpoint=192.0.2.2 remotetunnelendpoint=203.0.113.10 protocol=any action=requireinrequireout auth1=computerpsk auth1psk="Key.of_tunnel1.AAAAAAAAAAAAAAAAA" qmsecmethods=esp:sha256-aes256+60min+100000000kb qmpfs=ecdhp384 exemptipsecprotectedconnections=no applyauthz=no
netsh advfirewall consec add rule name="vpn-0a1b2c3d-2-1" enable=no mode=tunnel profile=any type=static endpoint1=192.168.10.0/24 endpoint2=10.0.0.0/16 localtunnelendpoint=192.0.2.2 remotetunnelendpoint=198.51.100.10 protocol=any action=requireinrequireout auth1=computerpsk auth1psk="Key.of_tunnel2.BBBBBBBBBBBBBBBBB" qmsecmethods=esp:sha256-aes256+60min+100000000kb qmpfs=ecdhp384 exemptipsecprotectedconnections=no applyauthz=no

rem Firewall policy
netsh advfirewall firewall add rule name="vpn-0a1b2c3d-ike" dir=in action=allow protocol=udp localport=500,4500 remoteip=203.0.113.10,198.51.100.10
netsh interface ipv4 set interface "Ethernet" forwarding=enabled
netsh interface ipv4 set interface "Ethernet 2" forwarding=enabled
netsh interface ipv4 set subinterface "Ethernet" mtu=1422 store=persistent

rem To verify
rem netsh advfirewall monitor show mmsa     a main mode SA with one gateway
rem netsh advfirewall monitor show qmsa     a quick mode SA
