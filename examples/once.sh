#!/bin/sh
# Every replica starts this, one runs the command: gone over HTTP, with nothing but a shell and curl.
#
#   once.sh SYSTEM ROUND COMMAND [ARGUMENT...]
#   GONE_URL=http://gone:8080 GONE_KEY=gone_... once.sh report 2026-11-22 ./send-report --all
#
# SYSTEM and ROUND are of letters, digits, ".", "_" and "-" here; anything else would have to be percent-encoded.
# Exits 0 if the command was done or another has the round, as the command if it failed, 2 if nobody could tell.
#
# There is no lease: if this machine or script dies, nobody runs the round again, and it turns red at its deadline. Who
# wants another to take over adds ?lease=30s to elect and renews every 10 s (POST .../renew/...), as once.py does.
set -u

url=${GONE_URL:-http://127.0.0.1:8080}
[ $# -ge 3 ] || { echo "usage: once.sh SYSTEM ROUND COMMAND [ARGUMENT...]" >&2; exit 2; }
system=$1 round=$2
shift 2
case $system$round in
*[!A-Za-z0-9._-]*) echo "once.sh: SYSTEM and ROUND: letters, digits, '.', '_' and '-' only" >&2; exit 2 ;;
esac

# The token is who we are. With it every call may be repeated: a leader that asks again is told again that it leads.
# So what got no answer, or one that says "try again" (408, 429, 5xx), is asked again with the same token. Not by curl's own --retry,
# which takes a connection that was cut, or an empty answer, for final.
token=$(hostname)-$$-$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
header() { [ -z "${GONE_KEY:-}" ] || printf 'Authorization: Bearer %s\n' "$GONE_KEY"; }
ask() { # ask VERB [QUERY]: prints the status, 000 if there was no answer
  for left in 8 7 6 5 4 3 2 1 0; do
    answer=$(header | curl -sS -H @- -o /dev/null -w '%{http_code}' --max-time 5 \
      -X POST -H "Gone-Candidate: $token" "$url/api/v1/$1/$system/$round${2:-}")
    case $answer in 000 | 408 | 429 | 5??) [ "$left" -eq 0 ] || sleep 1 ;; *) break ;; esac
  done
  echo "$answer"
}

status=$(ask elect)
case $status in
202) ;;         # we lead
204) exit 0 ;;  # another does, or has
*) echo "once.sh: could not tell who leads $system $round (status $status)" >&2; exit 2 ;;
esac

"$@"
code=$?

if [ "$code" -eq 0 ]; then status=$(ask complete); else status=$(ask fail "?reason=exit%20code%20$code"); fi
[ "$status" = 200 ] && exit "$code"
echo "once.sh: the end of $system $round was not recorded (status $status)" >&2
[ "$code" -ne 0 ] && exit "$code"
exit 2
