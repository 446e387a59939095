#!/bin/sh
# A lever in the shell: an application refuses orders while a file is there.
#
#   command = ["/opt/tocsin/closed_flag.sh", "/srv/shop/closed", "/var/lib/tocsin/closed_flag"]
#
# The first word is that file, the second a folder of this script's own, where each key that acted leaves its name: a
# key never acts twice, and only a flag of ours is taken away. Both folders must be there.
set -eu
umask 022
flag=$1
done=$2

# The request is one flat object without spaces; the key is 64 hex digits, the end a number, `do` one of our words.
read -r request || true
field() { printf '%s\n' "$request" | sed -n "s/.*\"$1\":\"\{0,1\}\([0-9a-z_]*\).*/\1/p"; }
do=$(field do)
key=$(field action_key)
until=$(field until_ms)
say() { printf '{"v":1,%s}\n' "$1"; }

# 0: no flag is there, or one that somebody made by hand, which is theirs.
ours() { [ -f "$flag" ] && sed -n '1s/^tocsin \([0-9a-f]\{64\}\) [0-9]*$/\1/p' "$flag" | grep . || echo 0; }

put_flag() {
  printf 'tocsin %s %s\n' "$key" "$until" > "$done/flag.$$"
  if [ "$(ours)" = 0 ]; then
    # a link to a name that is taken fails, so that nothing of anybody else is written over
    ln "$done/flag.$$" "$flag" 2> /dev/null || true
    rm -f "$done/flag.$$"
  else
    mv "$done/flag.$$" "$flag"
  fi
}

case $do in
  plan)
    if [ -e "$flag" ]; then
      say '"ok":true,"says":"the flag is there already","already":true'
    else
      say '"ok":true,"says":"the flag would be set"'
    fi ;;
  simulate)
    if [ -w "$(dirname "$flag")" ] && [ -w "$done" ]; then
      say '"ok":true,"says":"the flag can be set"'
    else
      say '"ok":false,"says":"a folder is not ours to write"'
    fi ;;
  apply)
    last=$(cat "$done/$key" 2> /dev/null || echo 0)
    if [ "$last" = ended ] || [ "$last" -ge "$until" ]; then
      say '"ok":true,"says":"done before under this key"'
    else
      # first what was done, then the doing: killed between, this key does too little and never too much
      printf '%s\n' "$until" > "$done/$key.new"
      mv "$done/$key.new" "$done/$key"
      put_flag
      say "\"ok\":true,\"says\":\"the flag is set\",\"reference\":\"$flag\""
    fi ;;
  read_back)
    if [ -e "$flag" ]; then
      say "\"ok\":true,\"says\":\"the flag is there\",\"until_ms\":$until"
    else
      say '"ok":false,"says":"no flag is there","retryable":true'
    fi ;;
  undo)
    printf 'ended\n' > "$done/$key.new"
    mv "$done/$key.new" "$done/$key"
    if [ "$(ours)" != 0 ]; then
      rm -f "$flag"
      say '"ok":true,"says":"the flag is taken away"'
    else
      say '"ok":true,"says":"nothing of ours stands here"'
    fi ;;
  beyond)
    say '"ok":true,"says":"it writes two folders","tried":0' ;;
  *)
    say '"ok":false,"says":"this request is not known here"' ;;
esac
