#!/usr/bin/env bash
# Holds all traffic at the revision that answers now: what is deployed next gets none before release.sh gives it.
#
#   hold.sh PROJECT REGION NAME FILE
#
# FILE receives the name of that revision; it is empty when there is no function yet.
set -euo pipefail
export CLOUDSDK_CORE_PROJECT=$1 CLOUDSDK_RUN_REGION=$2 CLOUDSDK_CORE_DISABLE_PROMPTS=1
name=$3 file=$4

# A list, because it is empty where `describe` would fail: a new function is not an error, everything else is one.
gcloud run services list --region="$CLOUDSDK_RUN_REGION" --filter="metadata.name=$name" \
    --flatten='status.traffic[]' --format='value(status.traffic.percent,status.traffic.revisionName)' |
    awk -F '\t' '$1 + 0 > most { most = $1; revision = $2 } END { print revision }' >"$file"

previous=$(<"$file")
if [ -n "$previous" ]; then
    gcloud run services update-traffic "$name" --to-revisions="$previous=100"
    echo "$previous keeps all traffic until the new revision is tested."
else
    echo "There is no function $name yet: this is its first deployment, with nothing to return to."
fi
