# Every routine by name. `just` lists them; each line also works by itself.

default:
    @just --list

# What a newcomer runs: three regions on loopback, and the main job.
demo *args:
    sh .ci/setup && cargo run --release -- demo {{args}}

# All tests.
test *args:
    cargo test --workspace {{args}}

# What CI runs.
ci:
    .ci/run

# Formatting, lints, documentation links.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --quiet

# Licences, advisories, duplicate crates (needs cargo-deny).
deny:
    cargo deny check

# Writes the golden files anew: read the difference before you commit it.
golden:
    UPDATE_GOLDEN=1 cargo test --workspace

# Small figures on messages in memory.
microbench *args:
    cargo bench --bench messages -- {{args}}

# The figures of BENCHMARKING.md.
bench *args:
    cargo run --release -- bench {{args}}

# The Java peer's suites against a stand-alone, a demo and a gateway before its own servers.
interop *args:
    conformance/interop {{args}}

# Fuzzes one target (xml, mime, soap, ...) for a minute (needs cargo-fuzz and a nightly toolchain).
fuzz target seconds="60":
    cd fuzz && cargo +nightly fuzz run {{target}} -- -max_total_time={{seconds}}
