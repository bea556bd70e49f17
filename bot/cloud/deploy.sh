#!/usr/bin/env bash
# From an empty project to a running bot. Run it as often as you like: each step looks first, and changes only what differs.
#
#   make deploy PROJECT=my-project          make deploy PROJECT=my-project ARGS=--dry-run
# shellcheck source=bot/cloud/names.sh
. "$(dirname "$0")/names.sh"

usage() {
    cat <<'END'
make deploy PROJECT=my-project [PARAMETER=VALUE ...] [ARGS=--dry-run]

  PROJECT               the Google Cloud project, with billing (required)
  REGION                asia-northeast1
  NAME                  kaiwa: the function, its queue and its accounts
  MEMORY, CPU           512Mi, 0.333
  CONCURRENCY           1 request at a time in an instance (more needs CPU=1)
  MAX_INSTANCES         60
  TIMEOUT               120s; longer than two times MODEL_DEADLINE_SECONDS
  QUEUE                 as NAME
  RATE, DISPATCHES      50 tasks in a second, 60 at a time
  DATABASE              (default): the Firestore database
  MODEL                 what answers, as OPENAI_MODEL
  DAILY_YEN_PER_USER    30; empty: no limit
  MONTHLY_YEN           10000; empty: no limit
  ENV                   more settings of the function: ENV=SYSTEM_PROMPT=hello,ENABLE_WEB_SEARCH=true
  ALERT_EMAIL           who is told of failures
  BUDGET                yen in a month, for Google Cloud alone: told by mail when they are spent
  BILLING_ACCOUNT       the budget's; else the project's

The secrets are asked for, or taken from the environment: LINE_CHANNEL_SECRET, LINE_CHANNEL_ACCESS_TOKEN, OPENAI_API_KEY.
END
}

main() {
    read_arguments "$@"
    read_parameters
    look_at_project
    enable_services
    make_metrics
    make_database
    make_queue
    make_accounts
    keep_secrets
    make_alerts
    make_dashboard
    make_budget
    deploy_function
    register_webhook
    tell
}

read_parameters() {
    MEMORY=${MEMORY:-512Mi} CPU=${CPU:-0.333} CONCURRENCY=${CONCURRENCY:-1} MAX_INSTANCES=${MAX_INSTANCES:-60}
    TIMEOUT=${TIMEOUT:-120s} RATE=${RATE:-50} DISPATCHES=${DISPATCHES:-60} MODEL=${MODEL:-} ENV=${ENV:-}
    DAILY_YEN_PER_USER=${DAILY_YEN_PER_USER-30} MONTHLY_YEN=${MONTHLY_YEN-10000}
    ALERT_EMAIL=${ALERT_EMAIL:-} BUDGET=${BUDGET:-} BILLING_ACCOUNT=${BILLING_ACCOUNT:-}
    check MEMORY "$MEMORY" '[0-9]+(Mi|Gi)' "like 512Mi"
    check CPU "$CPU" '[0-9]+(\.[0-9]{1,3})?' "a number of CPUs, like 0.333"
    check CONCURRENCY "$CONCURRENCY" '[1-9][0-9]{0,3}' "a whole number"
    check MAX_INSTANCES "$MAX_INSTANCES" '[1-9][0-9]{0,3}' "a whole number"
    check TIMEOUT "$TIMEOUT" '[1-9][0-9]*s' "seconds, like 120s"
    check RATE "$RATE" '[0-9]+(\.[0-9]+)?' "tasks in a second, like 50"
    check DISPATCHES "$DISPATCHES" '[1-9][0-9]{0,3}' "a whole number"
    check MODEL "$MODEL" '[^[:space:],]*' "a model's name"
    check DAILY_YEN_PER_USER "$DAILY_YEN_PER_USER" '([0-9]+(\.[0-9]+)?)?' "yen, or empty"
    check MONTHLY_YEN "$MONTHLY_YEN" '([0-9]+(\.[0-9]+)?)?' "yen, or empty"
    check ENV "$ENV" '([A-Z][A-Z0-9_]*=.*)?' "NAME=VALUE,NAME=VALUE"
    check ALERT_EMAIL "$ALERT_EMAIL" '([^[:space:]@]+@[^[:space:]@]+)?' "an address"
    check BUDGET "$BUDGET" '([1-9][0-9]*)?' "yen in a month"
    if [[ $CPU == 0.* && $CONCURRENCY != 1 ]]; then
        die "CONCURRENCY=$CONCURRENCY needs a whole CPU: add CPU=1, or leave CONCURRENCY at 1"
    fi
}

look_at_project() {
    say "Project $PROJECT"
    if [ -n "$is_dry" ]; then
        echo "PROJECT_NUMBER=\$(gcloud projects describe $PROJECT --format='value(projectNumber)')"
        PROJECT_NUMBER="\$PROJECT_NUMBER"
    else
        PROJECT_NUMBER=$(gcloud projects describe "$PROJECT" --format='value(projectNumber)') ||
            die "Cannot see the project $PROJECT: check its id, and sign in with: gcloud auth login"
    fi
    URL=https://$NAME-$PROJECT_NUMBER.$REGION.run.app
}

enable_services() {
    say "Services"
    local api missing=""
    services=$(look gcloud services list --enabled --format='value(config.name)')
    for api in $APIS; do
        is_enabled "$api" || missing="$missing $api.googleapis.com"
    done
    # shellcheck disable=SC2086 # several words
    [ -z "$missing" ] || run gcloud services enable $missing
    # Enabled does not mean that every door is open already: for some minutes Google may still say that it is not.
    [ -z "$missing" ] || patience=patiently
    # What was deployed last stands on the function: read before anything that depends on it.
    local state
    state=$(look gcloud functions list --v2 --regions="$REGION" --format='value(name.basename(),labels.deployed,state)')
    digest=$(digested)
    is_same=""
    if has "$NAME"$'\t'"$digest"$'\t'ACTIVE "$state"; then is_same=yes; fi
}

# Of all that is uploaded, of the parameters, and of the definitions in this folder.
digested() {
    [ -z "$is_dry" ] || { echo digest && return; }
    local files
    files=$(gcloud meta list-files-for-upload . | LC_ALL=C sort)
    {
        echo "$ALERT_EMAIL $MEMORY $CPU $CONCURRENCY $MAX_INSTANCES $TIMEOUT $(function_environment) $RUNTIME $BUILDER"
        { echo "$files" && definitions; } | while read -r file; do cksum "$file"; done
    } | hashed
}

definitions() {
    find "$DEFINITIONS/metrics" "$DEFINITIONS/alerts" "$DEFINITIONS/dashboard.json" -type f | LC_ALL=C sort
}

hashed() {
    if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -c 1-16
}

make_metrics() {
    say "Metrics out of the logs"
    local there file metric
    there=$(look gcloud logging metrics list --format='value(name)')
    for file in "$DEFINITIONS"/metrics/*; do
        metric=$(basename "${file%.*}")
        if ! has "$metric" "$there"; then
            run_with "$file" gcloud logging metrics create "$metric" --config-from-file=-
        elif [ -z "$is_same" ]; then
            run_with "$file" gcloud logging metrics update "$metric" --config-from-file=-
        fi
    done
}

make_database() {
    say "Firestore"
    local there ttls indexed collection
    there=$(look gcloud firestore databases list --format='value(name.basename(),type,locationId)')
    case $'\n'$there in
    *$'\n'"$DATABASE"$'\t'FIRESTORE_NATIVE$'\t'*) ;;
    *$'\n'"$DATABASE"$'\t'*) die "The database $DATABASE is not in native mode: choose another one with DATABASE=kaiwa" ;;
    *) run gcloud firestore databases create --database="$DATABASE" --location="$REGION" --edition=standard --type=firestore-native ;;
    esac
    ttls=$(look gcloud firestore fields ttls list --database="$DATABASE" --format='value(name)')
    for collection in conversations archive; do
        has "$(field "$collection" expire_at)" "$ttls" ||
            patiently run gcloud firestore fields ttls update expire_at --collection-group="$collection" --database="$DATABASE" --enable-ttl --async
    done
    indexed=$(look gcloud firestore indexes fields list --database="$DATABASE" --format='value(name)')
    # First the two that are asked for, then all others: there is no moment when a query would fail.
    index conversations dead_letter_count --index=order=ascending
    index archive message_ids --index=array-config=contains
    index conversations '*' --disable-indexes
    index archive '*' --disable-indexes
    index ledger '*' --disable-indexes
}

# index COLLECTION FIELD HOW. Several changes at once to a database's fields come to a conflict now and then.
index() {
    has "$(field "$1" "$2")" "$indexed" ||
        patiently run gcloud firestore indexes fields update "$2" --collection-group="$1" --database="$DATABASE" "$3" --async
}

field() {
    echo "projects/$PROJECT/databases/$DATABASE/collectionGroups/$1/fields/$2"
}

make_queue() {
    say "Queue $QUEUE"
    local there wanted
    wanted=$(printf '%s\t' "$QUEUE" 50 3600s 2s 30s "${RATE%.0}" "$DISPATCHES")
    there=$(look gcloud tasks queues list --location="$REGION" --format='value(name.basename(),
        retryConfig.maxAttempts,retryConfig.maxRetryDuration,retryConfig.minBackoff,retryConfig.maxBackoff,
        rateLimits.maxDispatchesPerSecond,rateLimits.maxConcurrentDispatches)' | sed $'s/\\.0\t/\t/')
    case $'\n'$there in
    *$'\n'"${wanted%?}"*) ;;
    *$'\n'"$QUEUE"$'\t'*) set_queue update ;;
    *) set_queue create ;;
    esac
}

# Both of the first must be reached before Cloud Tasks drops a task: by then the bot has given up itself, and said so.
set_queue() {
    run gcloud tasks queues "$1" "$QUEUE" --location="$REGION" \
        --max-attempts=50 --max-retry-duration=3600s --min-backoff=2s --max-backoff=30s \
        --max-dispatches-per-second="$RATE" --max-concurrent-dispatches="$DISPATCHES"
}

make_accounts() {
    say "Service accounts"
    local there bound role
    there=$(look gcloud iam service-accounts list --format='value(email)')
    has "$RUNTIME" "$there" || run gcloud iam service-accounts create "$NAME-run" --display-name="$NAME: runs the function"
    has "$BUILDER" "$there" || run gcloud iam service-accounts create "$NAME-build" --display-name="$NAME: builds the function"
    bound=$(look gcloud projects get-iam-policy "$PROJECT" --flatten='bindings[].members' --format='value(bindings.role,bindings.members)')
    bind_project datastore.user "$RUNTIME"
    for role in $BUILD_ROLES; do
        bind_project "$role" "$BUILDER"
    done
    bound=$(look gcloud tasks queues get-iam-policy "$QUEUE" --location="$REGION" --flatten='bindings[].members' --format='value(bindings.role,bindings.members)')
    has "roles/cloudtasks.enqueuer"$'\t'"serviceAccount:$RUNTIME" "$bound" ||
        patiently run gcloud tasks queues add-iam-policy-binding "$QUEUE" --location="$REGION" --member="serviceAccount:$RUNTIME" --role=roles/cloudtasks.enqueuer
}

# bind_project ROLE ACCOUNT
bind_project() {
    has "roles/$1"$'\t'"serviceAccount:$2" "$bound" ||
        patiently run gcloud projects add-iam-policy-binding "$PROJECT" --member="serviceAccount:$2" --role="roles/$1" --condition=None
}

keep_secrets() {
    say "Secrets"
    local there secret bound
    there=$(look gcloud secrets list --format='value(name.basename())')
    for secret in $SECRETS; do
        keep_secret "$secret"
        bound=$(look gcloud secrets get-iam-policy "$secret" --flatten='bindings[].members' --format='value(bindings.role,bindings.members)')
        has "roles/secretmanager.secretAccessor"$'\t'"serviceAccount:$RUNTIME" "$bound" ||
            patiently run gcloud secrets add-iam-policy-binding "$secret" --member="serviceAccount:$RUNTIME" --role=roles/secretmanager.secretAccessor
    done
}

keep_secret() {
    local versions=""
    if ! has "$1" "$there"; then
        run gcloud secrets create "$1" --replication-policy=automatic --labels="$LABEL"
    else
        versions=$(look gcloud secrets versions list "$1" --filter=state=ENABLED --limit=1 --format='value(name)')
    fi
    [ -n "$versions" ] || add_version "$1" "$(tr 'a-z-' 'A-Z_' <<<"$1")"
}

# add_version SECRET VARIABLE: by standard input, so that it is in no list of processes and in no history.
add_version() {
    if [ -n "$is_dry" ]; then
        echo "printf %s \"\$$2\" | gcloud secrets versions add $1 --data-file=-"
        return
    fi
    local value=${!2:-}
    if [ -z "$value" ]; then
        [ -t 0 ] || die "The secret $1 has no value yet, and there is no terminal to ask at: set $2 in the environment, and run this again."
        read -rsp "$2 (from the $(source_of "$1"); it is not shown): " value || true
        echo >&2
    fi
    check_secret "$1" "$value"
    changes=$((changes + 1))
    echo "gcloud secrets versions add $1 --data-file=-" >&2
    printf %s "$value" | gcloud secrets versions add "$1" --data-file=- >/dev/null
}

source_of() {
    case $1 in
    line-channel-secret) echo "LINE Developers console, Basic settings" ;;
    line-channel-access-token) echo "LINE Developers console, Messaging API" ;;
    *) echo "OpenAI platform, API keys" ;;
    esac
}

# What is wrong is not shown either.
check_secret() {
    case $1 in
    line-channel-secret) [[ $2 =~ ^[0-9a-f]{32}$ ]] || die "The channel secret has 32 characters, 0-9 and a-f. Run this again." ;;
    *) [[ $2 =~ ^[^[:space:]]+$ ]] || die "$1 must not be empty or have blanks in it. Run this again." ;;
    esac
}

make_alerts() {
    say "Alerts"
    local there file title policy channel=""
    [ -z "$ALERT_EMAIL" ] || make_channel
    there=$(look gcloud alpha monitoring policies list --format='value(name,displayName)')
    for file in "$DEFINITIONS"/alerts/*.json; do
        title=$(display_name "$file")
        policy=$(named "$title" "$there")
        if [ -z "$policy" ]; then
            patiently run_with "$file" gcloud alpha monitoring policies create --policy-from-file=- ${channel:+"--notification-channels=$channel"}
        elif [ -z "$is_same" ]; then
            run_with "$file" gcloud alpha monitoring policies update "$policy" --policy-from-file=- ${channel:+"--set-notification-channels=$channel"}
        fi
    done
}

make_channel() {
    local there
    there=$(look gcloud beta monitoring channels list --format='value(name,labels.email_address)')
    channel=$(named "$ALERT_EMAIL" "$there")
    [ -z "$channel" ] || return 0
    run gcloud beta monitoring channels create --type=email --display-name="$NAME" "--channel-labels=email_address=$ALERT_EMAIL" \
        "--user-labels=$LABEL"
    there=$(look gcloud beta monitoring channels list --format='value(name,labels.email_address)')
    channel=$(named "$ALERT_EMAIL" "$there")
}

# What was just made is not known everywhere at once: an account after seconds, a service or a metric after minutes.
patiently() {
    local pause
    for pause in ${PAUSES:-2 4 8 16 32 64 128}; do
        "$@" && return
        echo "Google does not take it yet: once more in $pause seconds." >&2
        sleep "$pause"
    done
    "$@" || die "Google refuses it. What is done stays: see what it says above, and run this again."
}

make_dashboard() {
    say "Dashboard"
    local there file=$DEFINITIONS/dashboard.json dashboard
    [ -e "$file" ] || return 0
    there=$(look gcloud monitoring dashboards list --format='value(name,displayName)')
    dashboard=$(named "$(display_name "$file")" "$there")
    if [ -z "$dashboard" ]; then
        run_with "$file" gcloud monitoring dashboards create --config-from-file=-
    elif [ -z "$is_same" ]; then
        run_with "$file" gcloud monitoring dashboards update "$dashboard" --config-from-file=-
    fi
}

make_budget() {
    [ -n "$BUDGET" ] || return 0
    say "Budget"
    local there amount=${BUDGET}JPY
    if [ -z "$BILLING_ACCOUNT" ] && [ -n "$is_dry" ]; then
        BILLING_ACCOUNT=BILLING_ACCOUNT
    elif [ -z "$BILLING_ACCOUNT" ]; then
        BILLING_ACCOUNT=$(gcloud billing projects describe "$PROJECT" --format='value(billingAccountName.basename())') || true
    fi
    if [ -z "$BILLING_ACCOUNT" ] || ! there=$(patience="" look gcloud billing budgets list --billing-account="$BILLING_ACCOUNT" \
        --format='value(name,displayName,amount.specifiedAmount.units)'); then
        echo "No budget: your account may not see the project's billing account. Ask its administrator, or give BILLING_ACCOUNT." >&2
        return 0
    fi
    set_budget "$(named "$BUDGET_NAME" "$there")"
}

set_budget() {
    if [ -z "$1" ]; then
        run gcloud billing budgets create --billing-account="$BILLING_ACCOUNT" --display-name="$BUDGET_NAME" \
            --budget-amount="$amount" --filter-projects="projects/$PROJECT" \
            --threshold-rule=percent=0.5 --threshold-rule=percent=0.9 --threshold-rule=percent=1.0
    elif ! has "$1"$'\t'"$BUDGET_NAME"$'\t'"$BUDGET" "$there"; then
        run gcloud billing budgets update "$1" --budget-amount="$amount"
    fi || echo "No budget: Google refused it. If the billing account's currency is not yen, make it in the console." >&2
}

deploy_function() {
    say "Function $NAME (its first build takes about three minutes)"
    if [ -n "$is_same" ] && is_public; then
        echo "Nothing has changed since it was deployed." >&2
        return 0
    fi
    # All traffic: a build that failed its test, or somebody by hand, may have held it at an earlier revision.
    run gcloud functions deploy "$NAME" --gen2 --runtime=python313 --region="$REGION" --source=. --entry-point=webhook \
        --trigger-http --allow-unauthenticated --serve-all-traffic-latest-revision --service-account="$RUNTIME" \
        --build-service-account="projects/$PROJECT/serviceAccounts/$BUILDER" \
        --memory="$MEMORY" --cpu="$CPU" --concurrency="$CONCURRENCY" --max-instances="$MAX_INSTANCES" \
        --timeout="$TIMEOUT" --update-labels="$LABEL,deployed=$digest" "--update-env-vars=$(function_environment)"
}

# LINE cannot sign in to Google: the function is open to all, and checks LINE's signature. gcloud opens it after the
# deployment, in a step of its own, which may have been cut off.
is_public() {
    local bound
    bound=$(look gcloud run services get-iam-policy "$NAME" --region="$REGION" --flatten='bindings[].members' --format='value(bindings.role,bindings.members)')
    has "roles/run.invoker"$'\t'allUsers "$bound"
}

function_environment() {
    # The first two keep the framework from switching off the function's log.
    printf %s "FUNCTION_USE_ASGI=true,LOG_EXECUTION_ID=false,GOOGLE_CLOUD_PROJECT=$PROJECT"
    printf %s ",TASKS_QUEUE=projects/$PROJECT/locations/$REGION/queues/$QUEUE,SERVICE_URL=$URL"
    printf %s ",DAILY_YEN_PER_USER=$DAILY_YEN_PER_USER,MONTHLY_YEN=$MONTHLY_YEN"
    [ "$DATABASE" = "(default)" ] || printf %s ",FIRESTORE_DATABASE=$DATABASE"
    [ -z "$MODEL" ] || printf %s ",OPENAI_MODEL=$MODEL"
    [ -z "$ENV" ] || printf %s ",$ENV"
}

register_webhook() {
    say "LINE's webhook"
    if [ -n "$is_dry" ]; then
        echo "LINE_CHANNEL_ACCESS_TOKEN=\$(gcloud secrets versions access latest --secret=line-channel-access-token)" \
            "$(printed "$RUN" -m bot.admin register-webhook "$URL")"
        return
    fi
    local token
    token=$(gcloud secrets versions access latest --secret=line-channel-access-token)
    # For this one process alone; it needs neither the queue nor the database.
    if LINE_CHANNEL_ACCESS_TOKEN=$token GOOGLE_CLOUD_PROJECT=$PROJECT "$RUN" -m bot.admin register-webhook "$URL" >&2; then return 0; fi
    echo "The function is deployed, but LINE's webhook is not registered or not answered. Run this again, or set" >&2
    echo "the URL by hand in the LINE Developers console (Messaging API, Webhook URL): $URL" >&2
    webhook_failed=yes
}

tell() {
    [ -z "$is_dry" ] || return 0
    cat <<END

Deployed in $PROJECT ($REGION), $changes changes:
  function            $NAME, $MEMORY, $CPU CPU, $CONCURRENCY at a time, $MAX_INSTANCES instances at most
  webhook URL         $URL
  queue               $QUEUE
  database            $DATABASE, with TTL and index exemptions
  secrets             $SECRETS
  service accounts    $RUNTIME, $BUILDER
  limits              ${DAILY_YEN_PER_USER:-no} yen a user and day, ${MONTHLY_YEN:-no} yen a month, for the model

END
    echo "Expected cost, in yen a month:"
    "$RUN" -m bot.admin cost --cpu="$CPU" --memory="$MEMORY" --concurrency="$CONCURRENCY" ${MODEL:+"--model=$MODEL"} || true
    echo
    echo "In the LINE Developers console: switch on \"Use webhook\" and \"Webhook redelivery\", switch off greeting and auto-reply messages."
    [ -z "${webhook_failed:-}" ] || exit 1
}

main "$@"
