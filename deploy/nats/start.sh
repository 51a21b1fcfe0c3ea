#!/bin/sh
# Starts NATS with nats.conf made for the town; further arguments go to nats-server and win over the file.
set -eu
: "${MINEWATCH_JURISDICTION:?the division code of the town}"
case $MINEWATCH_JURISDICTION in
  *[!A-Za-z0-9]*) echo "MINEWATCH_JURISDICTION: letters and digits only" >&2; exit 1 ;;
esac
made=${TMPDIR:-/tmp}/nats.conf
sed "s/@TOWN@/$MINEWATCH_JURISDICTION/g" "$(dirname "$0")/nats.conf" >"$made"
exec nats-server --config "$made" --store_dir /data "$@"
