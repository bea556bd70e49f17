# shellcheck shell=bash disable=SC2034 # what is set here is used by deploy.sh and undeploy.sh
# What deploy.sh makes and undeploy.sh removes: parameters, names, and the two ways to speak to gcloud. Bash 3.2 will do.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

PROJECT=${PROJECT:-}
REGION=${REGION:-asia-northeast1}
NAME=${NAME:-kaiwa}
DATABASE=${DATABASE:-(default)}
QUEUE=${QUEUE:-$NAME}
RUN=${RUN:-.venv/bin/python}

DEFINITIONS=${DEFINITIONS:-bot/cloud}
SECRETS="line-channel-secret line-channel-access-token openai-api-key"
APIS="artifactregistry billingbudgets cloudbilling cloudbuild cloudfunctions cloudresourcemanager cloudtasks
    firestore iam logging monitoring run secretmanager"
# What undeploy.sh may remove. A secret without it was there before.
LABEL="deployed-by=kaiwa"
BUILD_ROLES="logging.logWriter artifactregistry.writer storage.objectViewer"

is_dry=""
changes=0
services=""
patience=""

die() {
    echo "$*" >&2
    exit 2
}

say() { echo "== $*" >&2; }

read_arguments() {
    local argument
    for argument in "$@"; do
        case $argument in
        --dry-run) is_dry=yes ;;
        -h | --help) usage && exit 0 ;;
        *) die "There is no option $argument, only --dry-run. Parameters are variables, as in: $0 PROJECT=my-project" ;;
        esac
    done
    [ -n "$PROJECT" ] || { usage >&2 && exit 2; }
    check PROJECT "$PROJECT" '[a-z][a-z0-9-]{4,28}[a-z0-9]' "a project id, like my-project"
    check REGION "$REGION" '[a-z]+-[a-z]+[0-9]+' "a region, like asia-northeast1"
    # A service account's name takes six to thirty characters, and ends with -run or -build here.
    check NAME "$NAME" '[a-z][a-z0-9-]{1,21}[a-z0-9]' "3 to 23 small letters, digits and -, a letter first"
    check QUEUE "$QUEUE" '[A-Za-z0-9-]{1,100}' "a queue's name: letters, digits and -"
    check DATABASE "$DATABASE" '\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9]' "a database id, like (default)"
    RUNTIME=$NAME-run@$PROJECT.iam.gserviceaccount.com
    BUILDER=$NAME-build@$PROJECT.iam.gserviceaccount.com
    BUDGET_NAME="$NAME in $PROJECT"
    export CLOUDSDK_CORE_PROJECT=$PROJECT CLOUDSDK_CORE_DISABLE_PROMPTS=1
    if [ -n "$is_dry" ]; then
        echo "export CLOUDSDK_CORE_PROJECT=$PROJECT CLOUDSDK_CORE_DISABLE_PROMPTS=1"
    else
        command -v gcloud >/dev/null || die "gcloud is missing: https://docs.cloud.google.com/sdk/docs/install"
    fi
}

# check PARAMETER VALUE PATTERN WHAT
check() {
    [[ $2 =~ ^($3)$ ]] || die "$1 must be $4; it is: $2"
}

# A word as a shell reads it back. The project's number stays a variable: a dry run does not know it.
quoted() {
    case $1 in
    "" | *[!A-Za-z0-9_./:=,@%+-]*)
        # In variables, because old and new shells differ in how they read quotes at this place.
        local word=$1 quote="'" escaped="'\\''" number="\$PROJECT_NUMBER" outside="'\"\$PROJECT_NUMBER\"'"
        word=${word//$quote/$escaped}
        printf "'%s'" "${word//$number/$outside}"
        ;;
    *) printf '%s' "$1" ;;
    esac
}

printed() {
    local word line=""
    for word in "$@"; do
        line="$line $(quoted "$word")"
    done
    echo "${line# }"
}

# A command that changes something: done, or only printed.
run() {
    changes=$((changes + 1))
    if [ -n "$is_dry" ]; then
        printed "$@"
    else
        printed "$@" >&2
        "$@" </dev/null >/dev/null
    fi
}

# The same with a definition's file as input: run_with FILE gcloud ... -
run_with() {
    local file=$1
    shift
    changes=$((changes + 1))
    if [ -n "$is_dry" ]; then
        echo "$(printed sed "$(placeholders)" "$file") | $(printed "$@")"
    else
        echo "$(printed "$@") <$file" >&2
        filled "$file" | "$@" >/dev/null
    fi
}

# A command that only looks: nothing is there, as far as a dry run goes.
look() {
    # shellcheck disable=SC2086 # no word at all, or one
    [ -n "$is_dry" ] || $patience "$@" </dev/null
}

# has LINE LINES
has() {
    grep -qxF -e "$1" <<<"$2"
}

placeholders() {
    echo "s|@NAME@|$NAME|g; s|@PROJECT@|$PROJECT|g; s|@REGION@|$REGION|g; s|@QUEUE@|$QUEUE|g; s|@CHANNEL@|${channel:-}|g"
}

filled() {
    sed "$(placeholders)" "$1"
}

# display_name FILE
display_name() {
    local found
    found=$(filled "$1" | sed -n 's/^  "displayName": "\(.*\)",*$/\1/p')
    [ -n "$found" ] || die "$1 has no displayName in a line of its own, indented by two blanks."
    echo "$found"
}

# The resource's name of a display name, out of lines "NAME<tab>DISPLAY NAME".
named() {
    awk -F '\t' -v wanted="$1" '$2 == wanted { print $1; exit }' <<<"$2"
}

# Without its API, there is nothing of that kind to look for.
is_enabled() {
    has "$1.googleapis.com" "$services"
}
