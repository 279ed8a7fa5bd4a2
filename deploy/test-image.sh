#!/usr/bin/env bash
# Builds the images, and has compose.yaml run with them, without any image registry: what they are made
# from is made here, and so is the engine. Then it looks whether they are and do what is said of them.
#
#   deploy/test-image.sh            as they are released: 10 to 20 minutes of two cores
#   deploy/test-image.sh --quick    the same Dockerfile without optimisation, so that it takes a few; the
#                                   program is three times as large then, on the disk and in memory
#
#   IMAGE_FOLDER=FOLDER             keeps everything there, so that a second time takes less
#
# Needs root, Debian and its packages, and Rust. Ends with 77 where no engine can be had.
set -euo pipefail
cd "$(dirname "$0")/.."
source .ci/blocks
source .ci/judges
source deploy/image/engine.sh
source deploy/image/bases.sh

quick=
image_bytes_max=20000000
idle_kib_max=20480
start_ms_max=150
case ${1:-} in
--quick)
    quick=1
    image_bytes_max=60000000
    idle_kib_max=40960
    ;;
'') ;;
*)
    printf 'usage: deploy/test-image.sh [--quick]\n' >&2
    exit 2
    ;;
esac

folder=$(realpath -m "${IMAGE_FOLDER:-$(mktemp -d)}")
end() {
    stop_engine
    [ -n "${IMAGE_FOLDER:-}" ] || rm -rf "$folder"
}
trap end EXIT

key=a-demonstration-key
gateway=http://127.0.0.1:8080
meeting=meetings/by-code/446-153-273
services=(wecom replica-1 replica-2 gateway prometheus)
measured=()

step() {
    printf '\n-- %s (after %s s)\n' "$1" "$SECONDS"
}

# Something worth knowing at the end.
measure() {
    measured+=("$1")
    printf '%s\n' "$1"
}

fail() {
    printf '%s\n' "$1" >&2
    exit 1
}

# As often as it takes, for so many seconds.
within() {
    local seconds=$1
    shift
    for _ in $(seq "$((seconds * 10))"); do
        "$@" && return
        sleep 0.1
    done
    fail "not within $seconds s: $*"
}

compose() {
    NGINX_IMAGE=$base PROMETHEUS_IMAGE=$base \
        docker-compose --project-name wecom-test --file deploy/compose.yaml "$@"
}

ask() {
    inside curl -sf --max-time 15 "$@"
}

container() {
    "$docker" ps --all --quiet --filter label=com.docker.compose.project=wecom-test \
        --filter label=com.docker.compose.service="$1"
}

# What the engine knows of a service's container.
told() {
    "$docker" inspect --format "$2" "$(container "$1")"
}

# In KiB.
resident() {
    "$docker" top "$(container "$1")" -eo pid,rss | awk 'NR > 1 { sum += $2 } END { print sum }'
}

healthy() {
    [ "$(told "$1" '{{.State.Health.Status}}')" = healthy ]
}

# ------------------------------------------------------------------------------------------- images

step "an engine of our own"
have_debian mmdebstrap:mmdebstrap hey:hey
status=0
start_engine "$folder/engine" || status=$?
if [ "$status" != 0 ]; then
    printf '\n*** LEFT OUT: no container engine can be had on this machine; no image was built or tried. ***\n' >&2
    exit 77
fi
"$docker" info --format 'Docker Engine {{.ServerVersion}}, {{.Driver}}, control groups {{.CgroupVersion}}'

step "what images are made from"
base=test/base:$({ rustc -vV && grep CARGO_AUDITABLE= Dockerfile && cat Cargo.lock deploy/image/bases.sh; } |
    sha256sum | head -c 12)
if ! "$docker" image inspect "$base" >/dev/null 2>&1; then
    make_base "$base" "$folder/base"
fi

step "the images"
arguments=(--build-arg BUILD_IMAGE="$base" --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || echo unknown)")
if [ -n "$quick" ]; then
    printf '\n*** QUICK: without optimisation. Sizes and speeds are not those of a release. ***\n\n'
    arguments+=(--build-arg CARGO_PROFILE_RELEASE_LTO=off --build-arg CARGO_PROFILE_RELEASE_OPT_LEVEL=0
        --build-arg CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16)
fi
# With BuildKit, which leaves out what a target does not need. It has no network, and needs none.
export DOCKER_BUILDKIT=1
build() {
    local began=$SECONDS
    "$docker" build --quiet --tag "$1:demo" --target "$2" "${arguments[@]}" . >/dev/null
    measure "$1 was built in $((SECONDS - began)) s"
}
build wecom-meeting-proxy service
build wecom-simulator simulator
"$docker" save --output "$folder/image.tar" wecom-meeting-proxy:demo
judged=$(python3 deploy/image/judge.py "$folder/image.tar" Cargo.lock "$image_bytes_max")
measure "$judged"
rm "$folder/image.tar"
measure "wecom-simulator: $("$docker" image inspect --format '{{.Size}}' wecom-simulator:demo) bytes"
"$docker" run --rm --network none wecom-meeting-proxy:demo --version
if "$docker" run --rm --network none --entrypoint /bin/sh wecom-meeting-proxy:demo -c true 2>/dev/null; then
    fail "there is a shell in the image"
fi

# ------------------------------------------------------------------------------------------- the whole

step "the whole, as compose.yaml has it, started as the README says"
compose down --volumes 2>/dev/null
# But for what the engine is called here, and the images, which are there already.
up=$(block compose README.md)
printf '$ %s\n' "$up"
read -ra up <<<"${up#docker compose -f deploy/compose.yaml }"
[ "${up[0]}" = up ] || fail "the README starts something else"
began=$SECONDS
compose "${up[@]/#--build/--no-build}" --detach
for service in replica-1 replica-2 gateway prometheus; do
    within 60 healthy "$service"
done
measure "compose up, until all are healthy: $((SECONDS - began)) s"
for service in "${services[@]}"; do
    [ "$(told "$service" '{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}}')" = \
        'true [ALL] [no-new-privileges:true]' ] || fail "$service is not hardened"
    "$docker" top "$(container "$service")" -eo pid,uid,args | awk 'NR > 1 && $2 == 0 { exit 1 }' ||
        fail "$service runs as root"
done
for replica in replica-1 replica-2; do
    [ "$(told "$replica" '{{.HostConfig.Memory}}')" = $((64 << 20)) ] || fail "$replica has more than 64 MiB"
done

step "a meeting, through the gateway"
ask -H "Authorization: Bearer $key" "$gateway/$meeting" | grep -o '"title":"[^"]*"' | grep -F '设计评审：会议代理'
[ "$(inside curl -s -o /dev/null -w '%{http_code}' "$gateway/$meeting")" = 401 ] || fail "it is shown without a key"

step "Prometheus has scraped both, and knows the rules"
query() {
    ask -G http://127.0.0.1:9090/api/v1/query --data-urlencode "query=$1" |
        python3 -c 'import json, sys; print(*(r["value"][1] for r in json.load(sys.stdin)["data"]["result"]))'
}
counts() {
    [ "$(query "$1")" = "$2" ]
}
within 30 counts 'sum(up)' 2
within 30 counts 'count(wecom_proxy_build_info)' 2
within 30 counts 'sum(wecom_proxy_http_requests_total{status="200"}) > bool 0' 1
ask http://127.0.0.1:9090/api/v1/rules | python3 -c '
import json, sys
rules = [rule for group in json.load(sys.stdin)["data"]["groups"] for rule in group["rules"]]
bad = [rule["name"] for rule in rules if rule["health"] == "err"]
assert rules and not bad, bad
print(len(rules), "rules, none of which fails")'

step "what people are shown to try"
# Each line that comes in is run, and in what it says stands what is expected of it, one after the other.
try_lines() {
    local document=$1 line
    shift
    while IFS= read -r line; do
        printf '$ %s\n' "$line"
        [ $# != 0 ] || fail "nobody knows what to expect of it"
        inside bash -euo pipefail -c "$line" </dev/null >"$folder/said" 2>/dev/null || fail "no answer"
        grep -m 1 -o -F -- "$1" "$folder/said" || fail "no $1"
        shift
    done
    [ $# = 0 ] || fail "$document tries less"
}
try_lines README.md 'wecom-meeting-proxy; hit' 'HTTP/1.1 204' 'HTTP/1.1 204' 'fwd=uri-miss' '"get_info":' '"result":"miss"' \
    < <(block composed README.md)
try_lines deploy/compose/README.md 'HTTP/1.1 200' 'HTTP/1.1 401' 'HTTP/1.1 204' '"result":"miss"' '"get_info":' \
    < <(block containers deploy/compose/README.md | grep -v '^#')

step "idle"
for replica in replica-1 replica-2; do
    kib=$(resident "$replica")
    measure "$replica, idle: $kib KiB resident"
    [ "$kib" -lt "$idle_kib_max" ] || fail "more than $idle_kib_max KiB"
done

step "from start to ready"
# The image's program by itself, since what an engine does before it starts one takes longer, and is no
# business of ours.
"$docker" cp "$(container replica-1):/wecom-meeting-proxy" "$folder/program"
read -r least median < <(
    inside env WECOM_CORP_ID=wwsimulator00000001 WECOM_SECRET="$(cat deploy/compose/wecom-secret)" \
        WECOM_PROXY_WECOM__BASE_URL=http://127.0.0.1:9999 WECOM_PROXY_SERVER__LISTEN=127.0.0.1:8070 \
        WECOM_PROXY_ADMIN__LISTEN=127.0.0.1:9070 python3 deploy/image/start.py "$folder/program" 10 9070
)
measure "from start to ready: $least ms at best, $median ms in the median of 10"
[ "$median" -lt "$start_ms_max" ] || fail "more than $start_ms_max ms"

# ------------------------------------------------------------------------------------------- leaving

# Callers who come through the gateway for so many seconds: most for what is kept, some for what has to be
# asked for, which takes WeCom a while, so that something is under way whenever a replica goes.
load() {
    local seconds=$1
    ask -o /dev/null -X PUT http://127.0.0.1:9999/_control/trouble/get_info -d '{"kind":"latency","latency_ms":300}'
    inside hey -z "${seconds}s" -c 12 -q 50 -H "Authorization: Bearer $key" "$gateway/$meeting" >"$folder/kept" &
    loads=($!)
    inside hey -z "${seconds}s" -c 12 -q 10 -H "Authorization: Bearer $key" -H 'Cache-Control: no-cache' \
        "$gateway/meetings/mtfDesignReview-0000000000000004" >"$folder/asked" &
    loads+=($!)
    since=$(date +%s)
}

# All of them were answered, and with a meeting; how many had to be sent twice.
judge_load() {
    local how=$1 answers others again
    wait "${loads[@]}"
    answers=$(sed -n 's/^ *\[200\]\s*\([0-9]*\) responses$/\1/p' "$folder/kept" "$folder/asked" | paste -sd+ | bc)
    others=$(sed -n -e '/^ *\[200\]\s*[0-9]* responses$/d' -e '/^ *\[[0-9]*\]/p' "$folder/kept" "$folder/asked")
    again=$("$docker" logs --since "$since" "$(container gateway)" 2>/dev/null | grep -c ', [^ ]*: .*, ' || true)
    measure "$how: $answers answers, none other than 200; $again were asked for again at the other replica"
    [ -z "$others" ] || fail "others: $others"
    [ "$answers" -gt 1000 ] || fail "that was no load"
}

# A question of this replica's is under way.
asking() {
    ask "http://127.0.0.1:$1/metrics" | grep -q '^wecom_proxy_wecom_in_flight [1-9]'
}

step "one is told to leave, under load (SIGTERM)"
load 10
sleep 3
within 10 asking 9092
began=$(date +%s%N)
"$docker" stop --time 30 "$(container replica-2)" >/dev/null
measure "SIGTERM under load: it ended with $(told replica-2 '{{.State.ExitCode}}') after $((($(date +%s%N) - began) / 1000000)) ms"
[ "$(told replica-2 '{{.State.ExitCode}}')" = 0 ] || fail "not 0"
judge_load "SIGTERM under load"
"$docker" start "$(container replica-2)" >/dev/null
within 30 healthy replica-2

step "one is killed, under load (SIGKILL)"
load 15
sleep 3
within 10 asking 9092
was=$(told replica-2 '{{.State.StartedAt}}')
# As a crash would, so that the engine starts it again.
kill_in_engine "$(told replica-2 '{{.State.Pid}}')"
again() {
    [ "$(told replica-2 '{{.State.StartedAt}}')" != "$was" ] && healthy replica-2
}
within 20 again
judge_load "SIGKILL under load"
ask -o /dev/null -X DELETE http://127.0.0.1:9999/_control/trouble
# And callers come to it again.
comes_again() {
    ask -o /dev/null -H "Authorization: Bearer $key" "$gateway/$meeting" &&
        ask http://127.0.0.1:9092/metrics | grep -q '^wecom_proxy_http_requests_total{.*by-code.*status="200"} [1-9]'
}
within 20 comes_again
step "what is left"
for replica in replica-1 replica-2; do
    [ "$(told "$replica" '{{.State.OOMKilled}}')" = false ] || fail "$replica had too little memory"
    measure "$replica, after that: $(resident "$replica") KiB resident"
done
for service in "${services[@]}"; do
    if "$docker" logs "$(container "$service")" 2>&1 | grep -F -i panicked; then
        fail "$service panicked"
    fi
done

step "measured"
printf '%s\n' "${measured[@]}"
