.PHONY: run test tests check kernel bench
CARGO ?= cargo
run: ; $(CARGO) run --release --quiet
test: ; $(CARGO) build --workspace && $(CARGO) test --workspace --features ottla/internals --quiet
tests: test
check: ; $(CARGO) fmt --all --check && $(CARGO) clippy --quiet --workspace --all-targets -- -D warnings
kernel: ; $(CARGO) test --lib --no-default-features --quiet
bench: ; $(CARGO) bench --quiet --features internals
