# The common part of the demo and the comparison: a server on loopback and ten clients on the UCI digits.
#
# Sourced by scripts that have set `-euo pipefail`, from the top of the checkout.

build_release() {
    scripts/deps
    echo "building in release (minutes the first time)" >&2
    for product in rankwise-server rankwise-client rankwise-lab; do
        swift build -c release --product "$product" >&2
    done
    bin=$(swift build -c release --show-bin-path)
}

# Makes $scratch and sees to it that nothing is left behind.
begin_run() {
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/rankwise-digits.XXXXXX")
    pids=()
    trap cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

cleanup() {
    trap - EXIT INT TERM
    [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$scratch"
}

fail() {
    echo "${0##*/}: $1" >&2
    tail -n 5 "$scratch"/*.log >&2 || true
    exit 1
}

# The value of a string in a flat JSON object.
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

# Splits the digits among ten clients: client i holds the labels 0 to i.
split_digits() { # seed
    "$bin/rankwise-lab" partition --data Config/data/digits.csv --clients 10 --scheme staircase --seed "$1" \
        --holdout 0.2 --out "$scratch/shards-$1" >/dev/null
}

# Sets $url and $admin.
start_server() {
    # Here before the server's shell has made it, which a busy machine may delay.
    : >"$scratch/address"
    "$bin/rankwise-server" serve --listen 127.0.0.1:0 --data "$scratch/data" >"$scratch/address" \
        2>"$scratch/server.log" &
    pids+=($!)
    for _ in $(seq 600); do
        url=$(sed -n 's/^listening on //p' "$scratch/address")
        [ -n "$url" ] && break
        kill -0 "${pids[0]}" 2>/dev/null || fail "the server did not start"
        sleep 0.1
    done
    [ -n "$url" ] || fail "the server did not start"
    admin=$(cat "$scratch/data/admin.token")
}

# Creates the federation $1 of Config/digits.yaml with the strategy $2 (a YAML flow mapping), seed $3, $4 rounds and, where
# there is a fifth, that learning rate; sets $enrolment and $reader. Where $evaluation is set, it is the settings' evaluation.
create_federation() { # id strategy seed rounds [learning-rate]
    sed -E "s/^id: .*/id: $1/; s/^strategy: .*/strategy: $2/; s/seed: 7\b/seed: $3/; s/total: [0-9]+/total: $4/
        ${5:+s/learning_rate: [0-9.]+/learning_rate: $5/}" \
        Config/digits.yaml >"$scratch/$1.yaml"
    [ -z "${evaluation:-}" ] || echo "evaluation: $evaluation" >>"$scratch/$1.yaml"
    create_from "$scratch/$1.yaml"
}

# Creates the federation of a file of settings; sets $enrolment and $reader.
create_from() { # settings
    local created
    created=$("$bin/rankwise-server" check-config "$1" --json |
        curl -sS --fail-with-body -H "Authorization: Bearer $admin" -d @- "$url/v1/federations") ||
        fail "the federation was not created: $created"
    enrolment=$(field enrolment_token <<<"$created")
    reader=$(field reader_token <<<"$created")
}

# Runs ten clients of the ranks $3… on the shards of seed $2, and follows the federation $1 to its end.
run_clients() { # id seed ranks…
    local id=$1 seed=$2 clients=() i rank
    shift 2
    i=0
    for rank in "$@"; do
        RANKWISE_TOKEN=$enrolment "$bin/rankwise-client" join "$url" --federation "$id" --name "edge-0$i" \
            --rank "$rank" --data "$scratch/shards-$seed/client-0$i.csv" --state "$scratch/state-$id-$i" \
            >"$scratch/$id-$i.log" 2>&1 &
        clients+=($!)
        pids+=($!)
        i=$((i + 1))
    done
    RANKWISE_TOKEN=$reader "$bin/rankwise-lab" follow "$url" --federation "$id" \
        --data "$scratch/shards-$seed/heldout.csv" | tee "$scratch/$id.out" ||
        fail "the federation could not be followed"
    for client in "${clients[@]}"; do
        wait "$client" || fail "a client failed"
    done
}
