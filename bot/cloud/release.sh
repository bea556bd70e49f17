#!/usr/bin/env bash
# Tests the newest revision at an address of its own, gives it all traffic, and tests again where LINE sends. If that
# fails or is cut off, the revision that hold.sh noted has all traffic, and this ends with an error.
#
#   LINE_CHANNEL_SECRET=... release.sh PROJECT REGION NAME FILE URL
set -euo pipefail
cd "$(dirname "$0")/../.."
export CLOUDSDK_CORE_PROJECT=$1 CLOUDSDK_RUN_REGION=$2 CLOUDSDK_CORE_DISABLE_PROMPTS=1
name=$3 previous=$(<"$4") url=$5

give_back() {
    local status=$?
    trap - EXIT
    trap '' HUP INT TERM
    [ "$status" != 0 ] || exit 0
    echo "The new revision has failed its test." >&2
    if [ -z "$previous" ]; then
        echo "It is the first one: there is nothing to return to. Mend it and deploy again." >&2
        exit 1
    fi
    for pause in 1 3 0; do
        if gcloud run services update-traffic "$name" --to-revisions="$previous=100"; then
            echo "Returned to $previous: it has all traffic." >&2
            exit 1
        fi
        sleep "$pause"
    done
    echo "Could not return to $previous. Do it by hand, at once:" >&2
    echo "  gcloud run services update-traffic $name --region=$2 --project=$1 --to-revisions=$previous=100" >&2
    exit 1
}
trap 'give_back "$@"' EXIT
trap 'exit 1' HUP INT TERM

# gcloud brings the Python that it runs on.
python=$(gcloud info --format='value(basic.python_location)')

gcloud run services update-traffic "$name" --update-tags=next=LATEST
next=$(gcloud run services describe "$name" --flatten='status.traffic[]' \
    --format='value(status.traffic.tag,status.traffic.url)' | awk '$1 == "next" { print $2 }')
"$python" -m bot.cloud.smoke "$next" "${SMOKE_SECONDS:-60}"

# Later deployments by hand get traffic again, too.
gcloud run services update-traffic "$name" --to-latest --remove-tags=next
"$python" -m bot.cloud.smoke "$url" "${SMOKE_SECONDS:-20}"
