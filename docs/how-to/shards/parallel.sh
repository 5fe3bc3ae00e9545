#!/usr/bin/env bash
# Notes in as many shards as JOBS says, at once on this machine or on those of HOSTS, then the packs here:
#
#   JOBS=8 ./parallel.sh recipes/*.yaml
#   JOBS=32 HOSTS=one,two ./parallel.sh recipes/*.yaml
#
# Hosts need the recipes at the same path, samplepack, and SAMPLEPACK_HOME on a file system that all of them share. A
# shard that fails is begun again, up to three times.
set -euo pipefail

parallel --halt soon,fail=1 --retries 3 ${HOSTS:+--sshlogin "$HOSTS" --workdir . --env SAMPLEPACK_HOME} \
    samplepack build "$@" --quiet --shard "{}/$JOBS" ::: $(seq "$JOBS")
samplepack build "$@" --output "${OUTPUT:-output}"
