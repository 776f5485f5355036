#!/bin/sh
# A session with tapstackd, of about ten seconds: real clients, the kernel's own TCP on their side, and the record of
# what happened. Runs in a network namespace of its own; on this machine's network nothing is seen of it.
#
# usage: demo.sh BUILD-DIRECTORY

set -eu

build=$(cd "${1:?usage: demo.sh BUILD-DIRECTORY}" && pwd)
tapstackd=$build/daemon/tapstackd
tapstackctl=$build/ctl/tapstackctl
host=192.0.2.1
stack=192.0.2.2

# Only a terminal is told what is bold and what is faint.
bold='' faint='' plain=''
if test -t 1; then
	bold=$(printf '\033[1m') faint=$(printf '\033[2m') plain=$(printf '\033[0m')
fi

step_number=0
say()
{
	step_number=$((step_number + 1))
	printf '\n%s%d. %s%s\n' "$bold" "$step_number" "$*" "$plain"
}

# show "COMMAND AS ONE TYPES IT" COMMAND...: what it was, and what it wrote, which is kept in $work/shown
show()
{
	printf '   %s$ %s%s\n' "$faint" "$1" "$plain"
	shift
	status=0
	"$@" >"$work/shown" 2>"$work/shown.error" || status=$?
	sed 's/^/   /' "$work/shown" "$work/shown.error"
	return "$status"
}

fail()
{
	printf '\ndemo: FAILED: %s\n' "$*" >&2
	if test -s "$work/tapstackd.log"; then
		printf 'The log of tapstackd:\n' >&2
		sed 's/^/   /' "$work/tapstackd.log" >&2
	fi
	exit 1
}

# until_true SECONDS COMMAND...: polls; fails when the time is over
until_true()
{
	tries=$(($1 * 50))
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		test "$tries" -gt 0 || return 1
		sleep 0.02
	done
}

need()
{
	for tool in "$@"; do
		command -v "$tool" >/dev/null || fail "$tool is not installed; ./autogen.sh demo installs all that is needed"
	done
}

enter_namespace()
{
	need unshare ip curl nc sqlite3 python3
	for program in "$tapstackd" "$tapstackctl"; do
		test -x "$program" || fail "$program is not built"
	done
	test -e /dev/net/tun || fail "there is no /dev/net/tun here; as root: modprobe tun"
	test -w /dev/net/tun || fail "this user may not open /dev/net/tun; run the demo as root"
	if test "$(id -u)" = 0; then
		as_root=
	else
		as_root=--map-root-user
	fi
	# shellcheck disable=SC2086 # one word or none
	unshare $as_root --net true 2>/dev/null ||
		fail "this user may not make a network namespace here; run the demo as root"
	# shellcheck disable=SC2086
	TAPSTACK_DEMO=inside exec unshare $as_root --net "$0" "$build"
}

stop()
{
	status=$?
	trap - EXIT INT TERM
	exec 9>&-
	for pid in $holder $daemon $server; do
		kill "$pid" 2>/dev/null || true
	done
	wait
	rm -rf "$work"
	exit "$status"
}

# A child that has ended stays visible until it is waited for.
is_gone()
{
	! grep -qv '^[0-9]* (.*) Z' "/proc/$1/stat"
}

ctl()
{
	"$tapstackctl" --socket "$work/run/control.sock" "$@"
}

sql()
{
	sqlite3 -readonly "$work/state/audit.db" "$@"
}

# The newest connection of a service that has ended; nothing when there is none.
ended()
{
	sql "SELECT connection FROM connections WHERE service = '$1' AND closed IS NOT NULL ORDER BY connection DESC LIMIT 1"
}

has_ended()
{
	test -n "$(ended "$1")"
}

transitions_of()
{
	columns="substr(time, 12, 15) AS time, from_state, to_state, cause, meaning"
	show "sqlite3 audit.db \"SELECT $columns FROM transitions WHERE connection = $1\"" \
		sql -box "SELECT $columns FROM transitions WHERE connection = $1 ORDER BY n" || fail "the audit database"
}

write_configuration()
{
	mkdir "$work/state" "$work/run" "$work/plugins" "$work/site"
	cp "$build"/plugins/*/.libs/*.so "$work/plugins/"
	cat >"$work/site/index.html" <<-END
		<!doctype html><title>A real server</title>
		<p>This page came from a server that knows nothing of tapstack.</p>
	END
	cat >"$work/tapstack.yaml" <<-END
		link:
		  name: tapdemo
		  host_addresses: [$host/24]
		stack:
		  addresses: [$stack/24]
		tcp:
		  msl: 1s              # 30s by default: the demo does not wait a minute for TIME-WAIT to end
		state_directory: $work/state
		runtime_directory: $work/run
		plugins:
		  directory: $work/plugins
		  congestion: [cubic]
		services:
		  - {name: echo, kind: echo, port: 7}
		  - {name: status, kind: http, port: 80}
		  - {name: web, kind: relay, port: 8080, target: "tcp:127.0.0.1:8000", congestion: cubic}
	END
}

start()
{
	say "A server: python3 -m http.server, on 127.0.0.1 of a new network namespace"
	ip link set lo up
	python3 -m http.server 8000 --bind 127.0.0.1 --directory "$work/site" >"$work/server.log" 2>&1 &
	server=$!
	until_true 10 curl -sf http://127.0.0.1:8000/ || fail "the HTTP server does not answer"

	say "tapstackd: its own TCP/IP at $stack, on a TAP interface; the kernel's end is $host"
	sed 's/^/   | /' "$work/tapstack.yaml"
	"$tapstackd" -c "$work/tapstack.yaml" >"$work/tapstackd.log" 2>&1 &
	daemon=$!
	until_true 10 ctl status || fail "tapstackd does not get ready"
}

talk()
{
	say "curl fetches a page from that server through tapstackd (service web, a relay)"
	show "curl http://$stack:8080/" curl -sS --max-time 10 http://$stack:8080/ || fail "no page through the relay"

	say "tapstackd's own page (service status), over HTTP/1.0: here the server closes first"
	show "curl --http1.0 http://$stack/    (the middle of it, without tags)" status_page || fail "no status page"

	say "A half-close: nc sends a line and then its FIN (-N), and still gets the echo"
	show "echo 'still here' | nc -N $stack 7" half_close || fail "nc to the echo service"
	test "$(cat "$work/shown")" = "still here" || fail "the echo is not what was sent"
}

status_page()
{
	curl -sSf --http1.0 --max-time 10 -o "$work/page" http://$stack/ || return 1
	sed -n '/Since the start/,/<h2>Connections/p' "$work/page" |
		sed -e '/<h2>Connections/d' -e 's|</t[dh]><t[dh][^>]*>|\t|g' -e 's|<[^>]*>||g' -e '/^$/d' | expand -t 40,48,58,68,78
}

half_close()
{
	echo "still here" | nc -N -w 10 $stack 7
}

look()
{
	say "A connection is held open: the live table"
	mkfifo "$work/held"
	nc $stack 7 <"$work/held" >"$work/held.out" &
	holder=$!
	exec 9>"$work/held"
	echo "hello" >&9
	until_true 10 grep -q hello "$work/held.out" || fail "no echo on the connection held open"
	show "tapstackctl connections" ctl connections || fail "tapstackctl connections"
	grep -q ESTAB "$work/shown" || fail "the connection that is held open is not in the table"

	say "From SQL: nc's connection, from the three-way handshake to the close that its peer began"
	until_true 10 has_ended echo || fail "the echo connection is not in the audit as closed"
	transitions_of "$(ended echo)"

	say "And curl's over HTTP/1.0: tapstackd closed first, so TIME-WAIT is on its side, for twice the MSL of 1 s"
	until_true 10 has_ended status || fail "the status connection is not in the audit as closed"
	transitions_of "$(ended status)"
}

stop_daemon()
{
	say "SIGTERM: connections are ended with a cause, the audit is written out"
	kill "$daemon"
	until_true 10 is_gone "$daemon" || fail "tapstackd does not stop"
	wait "$daemon" || fail "tapstackd ended with exit status $?"
	daemon=
	show "sqlite3 audit.db 'SELECT connection, service, remote, ... FROM connections'" \
		sql -box "SELECT connection, service, remote, duration_s, closing_cause, closing_meaning AS meaning
			FROM connections ORDER BY connection" || fail "the audit database"
}

work=
daemon=
server=
holder=
test "${TAPSTACK_DEMO-}" = inside || enter_namespace
work=$(mktemp -d)
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
write_configuration
start
talk
look
stop_daemon
cat <<END

What to try next:
  a daemon of your own        sudo make -C $build install, then edit the installed tapstack.yaml
  what it can tell            tapstackctl help; tapstackctl show ID; tapstackctl history; tapstackctl counters
  any question, in SQL        sqlite3 audit.db 'SELECT * FROM endings'
  the proof                   ./autogen.sh check
END
