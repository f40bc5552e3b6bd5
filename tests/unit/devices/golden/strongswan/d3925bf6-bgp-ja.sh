#!/bin/sh
#
# Twinbore サイト間 VPN: カスタマーゲートウェイ機器の設定
#
#   VPN 接続 ID: vpn-0a1b2c3d4e5f60718
#   仮想プライベートゲートウェイ ID: vgw-00000000000000002
#   カスタマーゲートウェイ ID: cgw-00000000000000001
#   機器の種類: Strongswan Linux, user-space ESP, Strongswan 5.9+, FRR 8.4+
#   IKE バージョン、暗号スイート: ikev2, 双方が使える最も強いもの
#   作成日時: 2026-11-24 00:00:00 UTC
#
# このファイルには事前共有鍵が平文で書かれています (pre-shared keys in clear text)。パスワードと同じ
# ように扱ってください。
#
# この接続には二つのトンネルがあります。両方を設定してください。一方の保守中や障害時には、もう一方が
# 通信を運びます。
#
# 拠点のルーターで、root としてこのまま実行してください。
#
#   sh vpn-0a1b2c3d4e5f60718.sh up          # 両トンネル, BGP と経路。もう一度実行しても何も変わりま
# せん
#   sh vpn-0a1b2c3d4e5f60718.sh status
#   sh vpn-0a1b2c3d4e5f60718.sh down        # 何も残しません
#
# Debian 12、または同じパッケージのあるシステムが必要です。専用のデーモンを起動し、/etc のファイルも
# システムのサービスも使いません。書き込むものはすべて一つのディレクトリにあります (--help 参照)。起
# 動時に自動では始まらないので、ユニットやスクリプトから up を呼んでください。
#
# 経路: ゲートウェイ側を除き、このルーターに直接つながるネットワークを広告します。ほかのネットワーク
# は、まったく同じ経路がこのルーターにあるときに限り、--announce PREFIX で広告します。0.0.0.0/0 は指
# 定したときだけ広告します。静的なデフォルト経路がないルートテーブルでは、VPC のすべての通信が拠点に
# 向かうからです。
#
# ユーザー空間の ESP (strongSwan の kernel-libipsec) です。ESP のないカーネルやコンテナー向けで、常
# に UDP カプセル化を使い、トンネルごとに charon を起動します。一つ目は UDP 500 と 4500、二つ目は
# 1500 と 14500 を使います。どちらもゲートウェイの UDP 4500 に届くようにしてください。/dev/net/tun
# が必要です。

set -eu
umask 077
PATH=/usr/sbin:/usr/bin:/sbin:/bin

vpn=vpn-0a1b2c3d4e5f60718
directory=${TWINBORE_CUSTOMER_DIRECTORY:-/run/twinbore-customer/$vpn}
charon=/usr/lib/ipsec/charon
daemons="1 2"

usage() {
    cat <<EOF
Usage: sh $0 [--directory DIR] COMMAND

  up [--announce PREFIX]...   raise the VPN connection $vpn
  down                        stop it and remove everything that up made
  status                      show it; exit status 0 if both tunnels work, 1 if not, 3 if it is not running
  announce PREFIX             announce one more prefix to the gateway
  withdraw PREFIX             announce it no longer

DIR (default /run/twinbore-customer/$vpn, or TWINBORE_CUSTOMER_DIRECTORY) has all files, logs included.
EOF
}

fail() {
    echo "$vpn: $*" >&2
    exit 1
}

# The facts of tunnel $1, as variables.
tunnel_facts() {
    case $1 in
    1)
        daemon=1
        outside=203.0.113.10
        customer=169.254.10.2/30
        gateway=169.254.10.1
        mtu=1400
        interface=$(tun_device 1)
        ;;
    2)
        daemon=2
        outside=198.51.100.10
        customer=169.254.20.6/30
        gateway=169.254.20.5
        mtu=1400
        interface=$(tun_device 2)
        ;;
    esac
}

# Whether the process of pid file $1 runs the program $2: a pid alone may be somebody else's by now.
alive() {
    [ -s "$1" ] && [ "$(readlink "/proc/$(cat "$1")/exe")" = "$2" ]
}

# Tries a command for up to $1 seconds.
wait_until() {
    local attempts=$(($1 * 20))
    shift
    until "$@"; do
        attempts=$((attempts - 1))
        [ "$attempts" -gt 0 ] || return 1
        sleep 0.05
    done
}

gone() {
    ! alive "$@"
}

# Ends the process of pid file $1 that runs $2.
stop_process() {
    if alive "$1" "$2"; then
        kill "$(cat "$1")"
        wait_until 5 gone "$1" "$2" || kill -KILL "$(cat "$1")"
    fi
    rm -f "$1"
}

require() {
    [ -e "$1" ] || missing="$missing $2"
}

check_requirements() {
    local ports port
    missing=
    require "$charon" strongswan-charon
    require /usr/sbin/swanctl strongswan-swanctl
    require /usr/lib/ipsec/plugins/libstrongswan-openssl.so libstrongswan-standard-plugins
    require /usr/sbin/nft nftables
    require /usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so libcharon-extra-plugins
    require /usr/lib/frr/bgpd frr
    [ -z "$missing" ] || fail "packages are missing; install them: apt-get install --no-install-recommends$missing"
    [ -c /dev/net/tun ] || fail "/dev/net/tun is missing: give this container the device, or load the module tun"
    ports="500 4500 1500 14500"
    for port in $ports; do
        [ -z "$(ss -Hlun "sport = :$port")" ] || fail "UDP port $port is in use: stop the other IPsec daemon," \
            "for example with: systemctl disable --now strongswan-starter"
    done
}

# The router's way to the gateway: outside_device and outside_address.
find_outside() {
    local route
    tunnel_facts 1
    route=$(ip -4 -oneline route get "$outside" 2>/dev/null) || fail "no route to the gateway's address $outside"
    outside_device=$(echo "$route" | sed -n 's/.* dev \([^ ]*\).*/\1/p')
    outside_address=$(echo "$route" | sed -n 's/.* src \([^ ]*\).*/\1/p')
}

# Writes the configuration of charon number $1 below its home.
configure_charon() {
    case $1 in
    1)
        cat >"$home/strongswan.conf" <<'EOF'
charon {
    # openssl only: where the plugins aes and gcm come first, user-space ESP is ten times slower.
    load = random nonce openssl kdf vici kernel-libipsec kernel-netlink socket-default
    # libipsec wants a route for the remote selectors. It goes to a table that only packets with a mark that nobody
    # sets are sent to, so that it can never catch traffic; which way packets take is for the main table to say.
    routing_table = 6624161
    install_routes = no
    install_virtual_ip = no
    # An unanswered request is given up after 26 seconds; a new attempt never waits for more than 5.
    retransmit_tries = 6
    retransmit_timeout = 1.0
    retransmit_base = 1.6
    retransmit_limit = 5
    filelog {
        log {
            path = /run/charon.log
            time_format = %F %T
            append = yes
            flush_line = yes
            default = 1
            net = 0
            enc = 0
        }
    }
    plugins {
        kernel-netlink {
            fwmark = 0x7c0a1b2c
        }
        vici {
            socket = unix:///run/charon.vici
        }
    }
}
EOF
        cat >"$home/swanctl/swanctl.conf" <<'EOF'
connections {
    tunnel1 {
        version = 2
        remote_addrs = 203.0.113.10
        proposals = aes256gcm16-prfsha512-ecp384
        unique = replace
        mobike = no
        keyingtries = 0
        dpd_delay = 10s
        dpd_timeout = 40s
        # The gateway rekeys first, by its margin and fuzz; these are for the case that it does not.
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
            tunnel1 {
                mode = tunnel
                local_ts = 0.0.0.0/0
                remote_ts = 0.0.0.0/0
                esp_proposals = aes256gcm16-ecp384
                life_time = 3600s
                rekey_time = 3465s
                rand_time = 0s
                replay_window = 1024
                dpd_action = restart
                close_action = start
            }
        }
    }
}
secrets {
    ike-tunnel1 {
        id = 203.0.113.10
        secret = "Key.of_tunnel1.AAAAAAAAAAAAAAAAA"
    }
}
EOF
        ;;
    2)
        cat >"$home/strongswan.conf" <<'EOF'
charon {
    # openssl only: where the plugins aes and gcm come first, user-space ESP is ten times slower.
    load = random nonce openssl kdf vici kernel-libipsec kernel-netlink socket-default
    port = 1500
    port_nat_t = 14500
    # libipsec wants a route for the remote selectors. It goes to a table that only packets with a mark that nobody
    # sets are sent to, so that it can never catch traffic; which way packets take is for the main table to say.
    routing_table = 6624162
    install_routes = no
    install_virtual_ip = no
    # An unanswered request is given up after 26 seconds; a new attempt never waits for more than 5.
    retransmit_tries = 6
    retransmit_timeout = 1.0
    retransmit_base = 1.6
    retransmit_limit = 5
    filelog {
        log {
            path = /run/charon.log
            time_format = %F %T
            append = yes
            flush_line = yes
            default = 1
            net = 0
            enc = 0
        }
    }
    plugins {
        kernel-netlink {
            fwmark = 0x7c0a1b2c
        }
        vici {
            socket = unix:///run/charon.vici
        }
    }
}
EOF
        cat >"$home/swanctl/swanctl.conf" <<'EOF'
connections {
    tunnel2 {
        version = 2
        remote_addrs = 198.51.100.10
        remote_port = 4500
        proposals = aes256gcm16-prfsha512-ecp384
        unique = replace
        mobike = no
        keyingtries = 0
        dpd_delay = 10s
        dpd_timeout = 40s
        # The gateway rekeys first, by its margin and fuzz; these are for the case that it does not.
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
            tunnel2 {
                mode = tunnel
                local_ts = 0.0.0.0/0
                remote_ts = 0.0.0.0/0
                esp_proposals = aes256gcm16-ecp384
                life_time = 3600s
                rekey_time = 3465s
                rand_time = 0s
                replay_window = 1024
                dpd_action = restart
                close_action = start
            }
        }
    }
}
secrets {
    ike-tunnel2 {
        id = 198.51.100.10
        secret = "Key.of_tunnel2.BBBBBBBBBBBBBBBBB"
    }
}
EOF
        ;;
    esac
}

# Starts charon number $1 with its own /run and configuration: in a mount namespace, at the paths that Debian's
# AppArmor profiles allow.
start_charon() {
    local home tunnel
    home=$directory/charon$1
    rm -rf "$home"
    mkdir -p "$home/run" "$home/swanctl"
    configure_charon "$1"
    # shellcheck disable=SC2016
    setsid unshare --mount --propagation private sh -ec '
        mount --bind "$1/strongswan.conf" /etc/strongswan.conf
        mount --bind "$1/swanctl" /etc/swanctl
        mount --bind "$1/run" /run
        exec "$2"' sh "$home" "$charon" </dev/null >"$home/output" 2>&1 &
    echo $! >"$home/pid"
    wait_until 10 [ -S "$home/run/charon.vici" ] ||
        fail "charon did not start: $(cat "$home/output" "$home/run/charon.log" 2>/dev/null | tail -n 5)"
    swan "$1" --load-all --noprompt >"$home/output" 2>&1 || fail "charon refused its configuration: $(cat "$home/output")"
    for tunnel in 1 2; do
        tunnel_facts "$tunnel"
        [ "$daemon" != "$1" ] || prepare_interface
    done
}

# Runs swanctl in the mount namespace of charon number $1.
swan() {
    local number=$1
    shift
    enter "$number" swanctl "$@"
}

# Prints a line for every event of charon number $1, at once: swanctl itself would keep them back in a pipe.
events() {
    enter "$1" stdbuf --output=L swanctl --monitor-sa --raw 2>/dev/null
}

enter() {
    local target
    target=$(cat "$directory/charon$1/pid")
    shift
    nsenter --target "$target" --mount "$@"
}

# The TUN device of charon number $1, if it runs: libipsec takes the first free ipsecN.
tun_device() {
    [ ! -s "$directory/charon$1/pid" ] ||
        sed -n 's/^iff:[[:space:]]*//p' "/proc/$(cat "$directory/charon$1/pid")/fdinfo/"* 2>/dev/null || :
}

# Whether interface $1 is shown as having SAs: an xfrm interface is up then; libipsec's TUN device must always be up,
# or no policy could be installed, so it has a carrier then.
carries() {
    ip link show dev "$1" 2>/dev/null | grep -q "[<,]LOWER_UP[,>]"
}

raise_interface() {
    ip link set dev "$interface" carrier on
    route_through_interface
}

lower_interface() {
    ip link set dev "$interface" carrier off
}

# Gives the current tunnel's interface its address.
prepare_interface() {
    lower_interface
    ip link set dev "$interface" mtu "$mtu"
    ip address replace "$customer" dev "$interface"
    # Loose: with two tunnels, an answer may take the other one.
    echo 2 >"/proc/sys/net/ipv4/conf/$interface/rp_filter"
    # An interface that is down has no routes; one without a carrier has them still, and must not be sent into.
    echo 1 >"/proc/sys/net/ipv4/conf/$interface/ignore_routes_with_linkdown"
}

stop_charon() {
    local table
    stop_process "$directory/charon$1/pid" "$charon"
    # What charon removes itself, unless it was killed.
    table=$((662316 * 10 + 1000 + $1))
    while ip rule delete table "$table" 2>/dev/null; do :; done
    ip route flush table "$table" 2>/dev/null || :
}

trim_logs() {
    local log
    for log in "$directory"/charon*/run/charon.log; do
        [ ! -f "$log" ] || [ "$(stat -c %s "$log")" -lt 1000000 ] || : >"$log"
    done
}

# In the order of their start.
routing_daemons="zebra bgpd"

# Writes FRR's configuration.
configure_routing() {
    local prefix
    : >"$directory/frr/vtysh.conf"
    cat >"$directory/frr/zebra.conf" <<EOF
log file $directory/frr/zebra.log informational
EOF
    {
        cat <<EOF
log file $directory/frr/bgpd.log informational
ip prefix-list TUNNELS permit 169.254.0.0/16 le 32
route-map LOCAL-NETWORKS deny 10
 match interface $outside_device
route-map LOCAL-NETWORKS deny 20
 match ip address prefix-list TUNNELS
route-map LOCAL-NETWORKS permit 30
bgp as-path access-list OWN permit ^$
route-map TO-GATEWAY-1 permit 10
 match as-path OWN
 set metric 100
route-map FROM-GATEWAY-1 permit 10
 set local-preference 200
route-map TO-GATEWAY-2 permit 10
 match as-path OWN
 set metric 200
route-map FROM-GATEWAY-2 permit 10
 set local-preference 100
router bgp 65000
 bgp router-id 169.254.10.2
 no bgp ebgp-requires-policy
 bgp network import-check
 neighbor GATEWAY peer-group
 neighbor GATEWAY remote-as 64512
 neighbor GATEWAY timers 10 30
 neighbor GATEWAY timers connect 1
 neighbor 169.254.10.1 peer-group GATEWAY
 neighbor 169.254.10.1 description tunnel 1
 neighbor 169.254.20.5 peer-group GATEWAY
 neighbor 169.254.20.5 description tunnel 2
 address-family ipv4 unicast
  redistribute connected route-map LOCAL-NETWORKS
  neighbor 169.254.10.1 route-map TO-GATEWAY-1 out
  neighbor 169.254.10.1 route-map FROM-GATEWAY-1 in
  neighbor 169.254.20.5 route-map TO-GATEWAY-2 out
  neighbor 169.254.20.5 route-map FROM-GATEWAY-2 in
  maximum-paths 1
EOF
        while read -r prefix; do
            [ -z "$prefix" ] || echo "  network $prefix"
        done <"$directory/prefixes"
        echo " exit-address-family"
    } >"$directory/frr/bgpd.conf"
}

# Starts those of FRR's daemons that do not run: an instance of their own, which shares nothing with the system's.
# bgpd does not listen, so that it can stand beside another one; it connects to the gateway every second.
start_routing() {
    local name complete=yes
    for name in $routing_daemons; do
        alive "$directory/frr/$name.pid" "/usr/lib/frr/$name" || complete=no
    done
    [ "$complete" = no ] || return 0
    stop_routing
    find_outside
    mkdir -p "$directory/frr"
    configure_routing
    chown -R frr:frr "$directory/frr"
    for name in $routing_daemons; do
        start_frr "$name"
    done
}

start_frr() {
    local name=$1
    case $name in
    bgpd) set -- -p 0 ;;
    bfdd) set -- --bfdctl "$directory/frr/bfdd.sock" ;;
    *) set -- ;;
    esac
    "/usr/lib/frr/$name" --daemon --config_file "$directory/frr/$name.conf" --pid_file "$directory/frr/$name.pid" \
        --socket "$directory/frr/zserv.api" --vty_socket "$directory/frr" --vty_port 0 "$@" \
        >"$directory/frr/$name.output" 2>&1 || fail "FRR's $name did not start: $(cat "$directory/frr/$name.output")"
}

stop_routing() {
    local name
    for name in $routing_daemons; do
        stop_process "$directory/frr/$name.pid" "/usr/lib/frr/$name"
    done
}

vty() {
    vtysh --vty_socket "$directory/frr" --config_dir "$directory/frr" --histfile "$directory/frr/history" -d bgpd "$@"
}

# BGP finds its way by itself when an interface comes up.
route_through_interface() {
    :
}

routing_status() {
    vty -c "show bgp ipv4 unicast summary" | awk -v peer="$gateway" '
        $1 == peer { print ($10 ~ /^[0-9]+$/) ? "BGP is established, " $10 " prefixes received" : "BGP is " $10 }'
}

announce() {
    change_network "" "$@"
    grep -qxF "$1" "$directory/prefixes" || echo "$1" >>"$directory/prefixes"
}

withdraw() {
    local remaining
    change_network "no " "$@"
    remaining=$(grep -vxF "$1" "$directory/prefixes") || :
    printf '%s' "${remaining:+$remaining
}" >"$directory/prefixes"
}

change_network() {
    local output
    [ $# -eq 2 ] || fail "give one prefix, for example 10.20.0.0/16"
    [ -e "$directory/supervisor.pid" ] || fail "it is not running: start it with 'up'"
    check_prefix "$2"
    output=$(vty -c "configure terminal" -c "router bgp 65000" \
        -c "address-family ipv4 unicast" -c "$1network $2" 2>&1) || fail "FRR refused $2: $output"
}

# Makes interface and state of every tunnel what they should be; called on every event and every two seconds.
reconcile() {
    local tunnel sas
    for daemon in $daemons; do
        alive "$directory/charon$daemon/pid" "$charon" || start_charon "$daemon"
    done
    start_routing
    for tunnel in 1 2; do
        tunnel_facts "$tunnel"
        sas=$(swan "$daemon" --list-sas --ike "tunnel$tunnel") || continue
        case $sas in
        *", reqid "*", INSTALLED,"* | *", reqid "*", REKEY"*)
            carries "$interface" || raise_interface
            ;;
        *)
            # At once, so that BGP leaves a dead tunnel without waiting for its hold timer.
            lower_interface
            case $sas in
            *CONNECTING*) ;;
            *) [ "$1" != tick ] || swan "$daemon" --initiate --child "tunnel$tunnel" --timeout 1 >/dev/null 2>&1 & ;;
            esac
            ;;
        esac
    done
    trim_logs
}

# The background process: charon's events, and a tick for what has no event.
supervise() {
    {
        for daemon in $daemons; do
            while :; do
                events "$daemon" || sleep 1
            done &
        done
        while echo tick; do
            sleep 2
        done
    } | while read -r event; do
        # In a subshell: a failure ends this attempt only.
        (reconcile "${event%% *}") || :
    done
}

up() {
    local prefixes daemon
    prefixes=$(read_prefixes "$@")
    if [ -e "$directory/supervisor.pid" ]; then
        if alive "$directory/supervisor.pid" "$(readlink -f /bin/sh)" && cmp -s "$0" "$directory/script" &&
            [ "$prefixes" = "$(cat "$directory/given")" ]; then
            echo "$vpn is up already"
            return
        fi
        down
    fi
    check_requirements
    find_outside
    (umask 022 && mkdir -p "$(dirname "$directory")")
    mkdir "$directory" 2>/dev/null || fail "$directory is there already: run 'down' first, or choose another directory"
    trap down EXIT
    chmod 711 "$directory"
    cp "$0" "$directory/script"
    echo "$prefixes" | tee "$directory/given" >"$directory/prefixes"
    cat /proc/sys/net/ipv4/ip_forward >"$directory/ip_forward"
    echo 1 >/proc/sys/net/ipv4/ip_forward
    for daemon in $daemons; do
        start_charon "$daemon"
    done
    clamp_mss
    start_routing
    setsid sh "$directory/script" --directory "$directory" supervise </dev/null >"$directory/supervisor.log" 2>&1 &
    echo $! >"$directory/supervisor.pid"
    trap - EXIT
    echo "$vpn: started; $outside_device $outside_address is the way to the gateway. See: sh $0 status"
}

# The prefixes that up was given, one a line; without any, those that the connection knows.
read_prefixes() {
    if [ $# -eq 0 ]; then
        printf '%s\n' 192.168.10.0/24
    fi
    while [ $# -gt 0 ]; do
        [ "$1" = --announce ] && [ $# -ge 2 ] || fail "up takes --announce PREFIX, not '$1'"
        check_prefix "$2"
        echo "$2"
        shift 2
    done
}

check_prefix() {
    echo "$1" | grep -qE '^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}$' ||
        fail "'$1' is not an IPv4 prefix; write it as 10.20.0.0/16"
}

# TCP segments that fit into the tunnel, whatever path MTU discovery says.
clamp_mss() {
    local tunnel way
    {
        echo "table ip $vpn {"
        echo "chain forward {"
        echo "type filter hook forward priority mangle"
        for tunnel in 1 2; do
            tunnel_facts "$tunnel"
            for way in iifname oifname; do
                echo "$way \"$interface\" tcp flags & (syn | rst) == syn tcp option maxseg size set $((mtu - 40))"
            done
        done
        echo "}"
        echo "}"
    } | nft -f -
}

down() {
    local daemon
    if alive "$directory/supervisor.pid" "$(readlink -f /bin/sh)"; then
        kill -s TERM -- "-$(cat "$directory/supervisor.pid")"
    fi
    stop_routing
    for daemon in $daemons; do
        stop_charon "$daemon"
    done
    nft delete table ip "$vpn" 2>/dev/null || :
    [ ! -e "$directory/ip_forward" ] || cat "$directory/ip_forward" >/proc/sys/net/ipv4/ip_forward
    rm -rf "$directory"
    rmdir "$(dirname "$directory")" 2>/dev/null || :
}

status() {
    local tunnel result
    [ -e "$directory/supervisor.pid" ] || { echo "$vpn is not running"; exit 3; }
    result=0
    for tunnel in 1 2; do
        tunnel_facts "$tunnel"
        if [ -n "$interface" ] && carries "$interface"; then
            echo "tunnel $tunnel to $outside: IPsec is up on $interface (${customer%/*}), $(routing_status)"
        else
            echo "tunnel $tunnel to $outside: IPsec is down"
            result=1
        fi
    done
    return "$result"
}

[ "$(id -u)" = 0 ] || case ${1-} in --help | -h) ;; *) fail "this must be run as root" ;; esac
if [ "${1-}" = --directory ]; then
    [ $# -ge 2 ] || fail "--directory needs a directory"
    directory=$2
    shift 2
fi
case $directory in /*) ;; *) directory=$PWD/$directory ;; esac
[ "$(printf %s "$directory" | wc -c)" -le 70 ] || fail "the directory's name is too long for UNIX sockets in it (at most 70 characters)"
command=${1-}
[ $# -eq 0 ] || shift
case $command in
up) up "$@" ;;
down) down ;;
status) status ;;
supervise) supervise ;;
announce | withdraw) "$command" "$@" ;;
--help | -h) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
