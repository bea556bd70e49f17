#!/usr/bin/env bash
# Removes what deploy.sh made, and nothing else. Conversations stay, unless DELETE_DATA=yes. Run it as often as you like.
#
#   make undeploy PROJECT=my-project        make undeploy PROJECT=my-project ARGS=--dry-run
# shellcheck source=bot/cloud/names.sh
. "$(dirname "$0")/names.sh"

usage() {
    cat <<'END'
make undeploy PROJECT=my-project [PARAMETER=VALUE ...] [ARGS=--dry-run]

  PROJECT               the Google Cloud project (required)
  REGION, NAME, QUEUE, DATABASE, ALERT_EMAIL, BILLING_ACCOUNT    as for make deploy
  BUDGET                given in any way, the budget is removed, too
  DELETE_DATA=yes       delete the database with all that is in it
  YES=1                 do not ask
END
}

main() {
    read_arguments "$@"
    DELETE_DATA=${DELETE_DATA:-} YES=${YES:-} BUDGET=${BUDGET:-} BILLING_ACCOUNT=${BILLING_ACCOUNT:-}
    confirm
    look_at_services
    look_at_others
    remove_function
    remove_budget
    remove_dashboard
    remove_alerts
    remove_secrets
    remove_accounts
    remove_queue
    remove_database
    remove_metrics
    tell
}

confirm() {
    [ -z "$is_dry" ] && [ "$YES" != 1 ] || return 0
    [ -t 0 ] || die "This removes the bot from $PROJECT, its secrets included. Without a terminal, say so with YES=1."
    local typed
    echo "This removes the bot $NAME from $PROJECT: the function, the queue and what waits in it, the secrets." >&2
    [ "$DELETE_DATA" != yes ] || echo "It also deletes the database $DATABASE with ALL that is in it, also what is not the bot's." >&2
    read -rp "Type the project's id to go on: " typed
    [ "$typed" = "$PROJECT" ] || die "Nothing was removed."
}

# A dry run shows the removal of all that there could be.
look_at_services() {
    local api
    if [ -n "$is_dry" ]; then
        services=$(for api in $APIS; do echo "$api.googleapis.com"; done)
    else
        services=$(gcloud services list --enabled --format='value(config.name)')
    fi
}

# The secrets and the metrics have the same names for all bots of a project: another one may live on them.
look_at_others() {
    others=""
    is_enabled cloudfunctions || return 0
    others=$(look gcloud functions list --v2 --filter="labels.deployed-by=kaiwa" --format='value(name)' |
        awk -v own="projects/$PROJECT/locations/$REGION/functions/$NAME" '$0 != own')
    [ -z "$others" ] || printf 'Secrets and metrics stay, for what is also deployed in this project:\n%s\n' "$others" >&2
}

# there IT LIST: whether it is in the list, or it is a dry run.
there() {
    [ -n "$is_dry" ] || has "$1" "$2"
}

remove_function() {
    is_enabled cloudfunctions || return 0
    say "Function"
    local all
    all=$(look gcloud functions list --v2 --regions="$REGION" --filter="labels.deployed-by=kaiwa" --format='value(name.basename())')
    ! there "$NAME" "$all" || run gcloud functions delete "$NAME" --gen2 --region="$REGION"
}

remove_budget() {
    [ -n "$BUDGET" ] || return 0
    say "Budget"
    local all budget=""
    [ -n "$BILLING_ACCOUNT" ] || BILLING_ACCOUNT=$(look gcloud billing projects describe "$PROJECT" --format='value(billingAccountName.basename())') || true
    if [ -n "$is_dry" ]; then
        budget=billingAccounts/${BILLING_ACCOUNT:-BILLING_ACCOUNT}/budgets/BUDGET
    elif all=$(gcloud billing budgets list --billing-account="$BILLING_ACCOUNT" --format='value(name,displayName)'); then
        budget=$(named "$BUDGET_NAME" "$all")
    else
        echo "The budget stays: your account may not see the project's billing account." >&2
    fi
    [ -z "$budget" ] || run gcloud billing budgets delete "$budget"
}

remove_dashboard() {
    is_enabled monitoring && [ -e "$DEFINITIONS/dashboard.json" ] || return 0
    say "Dashboard"
    local all dashboard title
    all=$(look gcloud monitoring dashboards list --format='value(name,displayName)')
    title=$(display_name "$DEFINITIONS/dashboard.json")
    dashboard=$(known DASHBOARD "$(named "$title" "$all")")
    [ -z "$dashboard" ] || run gcloud monitoring dashboards delete "$dashboard"
}

remove_alerts() {
    is_enabled monitoring || return 0
    say "Alerts"
    local all file policy channel=""
    all=$(look gcloud alpha monitoring policies list --format='value(name,displayName)')
    for file in "$DEFINITIONS"/alerts/*.json; do
        policy=$(known POLICY "$(named "$(display_name "$file")" "$all")")
        [ -z "$policy" ] || run gcloud alpha monitoring policies delete "$policy"
    done
    all=$(look gcloud beta monitoring channels list --filter="userLabels.deployed-by=kaiwa AND displayName=$NAME" --format='value(name)')
    for channel in $(known CHANNEL "$all"); do
        run gcloud beta monitoring channels delete "$channel"
    done
}

# known WORD NAME: the name; in a dry run the word.
known() {
    if [ -n "$is_dry" ]; then echo "$1"; else echo "$2"; fi
}

# They can be read again in the LINE Developers console; a key of OpenAI's is made anew there.
remove_secrets() {
    is_enabled secretmanager && [ -z "$others" ] || return 0
    say "Secrets"
    local all secret
    all=$(look gcloud secrets list --filter="labels.deployed-by=kaiwa" --format='value(name.basename())')
    for secret in $SECRETS; do
        ! there "$secret" "$all" || run gcloud secrets delete "$secret"
    done
}

# Bindings first: those of a deleted account stay behind, under a name that nobody knows.
remove_accounts() {
    say "Service accounts"
    local all role bound email
    bound=$(look gcloud projects get-iam-policy "$PROJECT" --flatten='bindings[].members' --format='value(bindings.role,bindings.members)')
    unbind_project datastore.user "$RUNTIME"
    for role in $BUILD_ROLES; do
        unbind_project "$role" "$BUILDER"
    done
    is_enabled iam || return 0
    all=$(look gcloud iam service-accounts list --format='value(email)')
    for email in "$RUNTIME" "$BUILDER"; do
        ! there "$email" "$all" || run gcloud iam service-accounts delete "$email"
    done
}

unbind_project() {
    ! there "roles/$1"$'\t'"serviceAccount:$2" "$bound" ||
        run gcloud projects remove-iam-policy-binding "$PROJECT" --member="serviceAccount:$2" --role="roles/$1" --condition=None
}

remove_queue() {
    is_enabled cloudtasks || return 0
    say "Queue"
    local all
    all=$(look gcloud tasks queues list --location="$REGION" --format='value(name.basename())')
    ! there "$QUEUE" "$all" || run gcloud tasks queues delete "$QUEUE" --location="$REGION"
}

remove_database() {
    [ "$DELETE_DATA" = yes ] && is_enabled firestore || return 0
    say "Database"
    local all
    all=$(look gcloud firestore databases list --format='value(name.basename())')
    ! there "$DATABASE" "$all" || run gcloud firestore databases delete --database="$DATABASE"
}

remove_metrics() {
    is_enabled logging && [ -z "$others" ] || return 0
    say "Metrics out of the logs"
    local all file metric
    all=$(look gcloud logging metrics list --format='value(name)')
    for file in "$DEFINITIONS"/metrics/*; do
        metric=$(basename "${file%.*}")
        ! there "$metric" "$all" || run gcloud logging metrics delete "$metric"
    done
}

tell() {
    [ -z "$is_dry" ] || return 0
    echo "Removed from $PROJECT: $changes things."
    [ "$DELETE_DATA" = yes ] ||
        echo "The database $DATABASE stays, with its TTL and index exemptions. To delete it, too: make undeploy PROJECT=$PROJECT DELETE_DATA=yes"
    echo "These stay: the services that are enabled, the bucket gcf-v2-sources-... and the repository gcf-artifacts, which"
    echo "Cloud Run functions made for all functions of the region; and LINE's webhook: switch it off in the LINE Developers console."
    echo "A queue's name is free again after some days only: to deploy again before, add QUEUE=another-name."
}

main "$@"
