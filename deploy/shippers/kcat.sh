#!/bin/sh
# kcat.sh < access.log: sends each line to Kafka as a record. Debian: apt-get install kcat
# To follow a log that grows: tail -n 0 -F access.log | kcat.sh
set -eu
exec kcat -P -b "${BOOTSTRAP_SERVERS:-kafka.example:9092}" -t "${TOPIC:-url-events}" \
  -X acks=all -X compression.codec=lz4 -X queue.buffering.max.ms=50
