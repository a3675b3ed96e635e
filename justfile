# What a person repeats. `just` is optional: every recipe is one command that works without it.

# Show the recipes
default:
    @just --list

# See projects scored, end to end, over REST and over TCP
demo:
    cargo run -q -p local -- demo

# Run the whole system on localhost until Ctrl-C
up *args:
    cargo run -q -p local -- up {{args}}

# Any command of the command line: just deo queue stats
deo *args:
    cargo run -q -p local -- {{args}}

# Generate the API's description from its code, after a change of its routes or types
openapi:
    cargo run -q -p local -- openapi --output functions/api/openapi.json

# Run the tests; servers are found or fetched by the tests themselves
test *args:
    cargo test --workspace {{args}}

# Check form and lints
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# Put the code into form
fmt:
    cargo fmt --all

# Everything that CI runs
ci:
    .ci/run

# Run the interop suites against BullMQ's and Upstash's own programs; just one with its name
interop suite='*':
    for run in local/interop/{{suite}}/run; do "$run" || exit 1; done

# Run the suites that hold BullMQ against us with its newest release, or with the one that is named
interop-newest version='latest':
    local/interop/bullmq/newest {{version}}

# Hold our reading of so many cron patterns against both of BullMQ's parsers
cron-patterns count='100000' seed='1':
    npm --prefix local/interop/bullmq ci --silent
    cargo build --quiet --package local
    CRON_PATTERNS={{count}} CRON_SEED={{seed}} DEO="${CARGO_TARGET_DIR:-$PWD/target}/debug/deo" node --test local/interop/bullmq/cron.test.mjs

# Hold the queue against a model of its states for so many steps; one that fails says how to repeat it
model steps='5000000' seed='1':
    MODEL_STEPS={{steps}} MODEL_SEED={{seed}} cargo test --release --package local --test queue -- model::the_queue --nocapture

# Let everything go wrong, each fault alone and then all at once; --list lists the faults
chaos *args='--each --at-a-time 3 --jobs 150':
    cargo build --quiet --package local --package drain
    "${CARGO_TARGET_DIR:-$PWD/target}/debug/deo" chaos {{args}}

# The same with 10,000 jobs for each fault, and for all at once: the table of docs/figures.md
chaos-long seed='1' jobs='10000':
    cargo build --quiet --profile dist --package local --package drain
    "${CARGO_TARGET_DIR:-$PWD/target}/dist/deo" chaos --each --jobs {{jobs}} --seed {{seed}} --drains 5 --at-a-time 2

# Build the three functions as they are deployed
build:
    cargo lambda build --release --package api --package drain --package cron

# Run the drain of an older commit beside this one's on one queue: before a release, with the last tag
upgrade commit:
    local/upgrade/run {{commit}}

# Build the archives of a release for this machine: docs/releases.md
release:
    local/release/run

# Measure how the functions start, their size and memory, beside a hello-world and Node
cold-start *args:
    local/cold-start/run {{args}}

# Serve the functions as on Lambda, with settings from local/.env
watch:
    cargo lambda watch --env-file local/.env

# Let Upstash's own SDKs judge the REST gateway
interop-upstash:
    node local/interop/upstash/run.mjs

# Let schemathesis judge the HTTP API by its own description
interop-schemathesis *args:
    local/interop/schemathesis/run {{args}}

# Feed a target of local/fuzz with anything, for SECONDS or ten million times (wants `cargo install cargo-fuzz`)
fuzz target="rest_answer" seconds="600":
    mkdir -p local/fuzz/target/found/{{target}}
    RUSTC_BOOTSTRAP=1 cargo fuzz run -s none --fuzz-dir local/fuzz {{target}} local/fuzz/target/found/{{target}} local/fuzz/corpus/{{target}} -- -max_total_time={{seconds}} -runs=10000000 -max_len=8192 -timeout=60

# Take into a target's corpus as few of the inputs found as reach what all of them reach
fuzz-keep target:
    RUSTC_BOOTSTRAP=1 cargo fuzz run -s none --fuzz-dir local/fuzz {{target}} -- -set_cover_merge=1 local/fuzz/corpus/{{target}} local/fuzz/target/found/{{target}}
