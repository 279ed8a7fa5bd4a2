# What one does here. `just` lists it.

_list:
    @just --list

# Every test.
test:
    cargo test --workspace --locked

# What must hold before anything lands.
ci:
    .ci/run

# The service and a WeCom to go with it, without credentials.
demo:
    cargo run --locked --example demo

# The API's description, as the tests compare it with the code.
openapi:
    cargo run --quiet --locked -- openapi >docs/openapi.json
    cargo run --quiet --locked -- openapi --older >docs/openapi-3.0.json

# The service in front of a WeCom that comes and goes: does it grow?
soak minutes="10" seed="1":
    cargo build --release --locked --bins
    cargo run --release --locked --example soak -- --minutes {{ minutes }} --seed {{ seed }}

# The service beside a bare server, nginx and Varnish: what a request costs.
bench *arguments:
    benches/side_by_side/run {{ arguments }}

# What a working day asks of WeCom, in every case of docs/sizing.md, and the page's tables and plots: most of an hour.
sizing:
    cargo run --release --locked --example sizing >examples/sizing/results.jsonl
    python3 examples/sizing/draw.py
