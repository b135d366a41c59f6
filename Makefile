.PHONY: run test tests check kernel bench fuzz
CARGO ?= cargo
run: ; $(CARGO) run --release --quiet
test: ; $(CARGO) build --workspace && $(CARGO) test --workspace --features ottla/internals --quiet
tests: test
check: ; $(CARGO) fmt --all --check && $(CARGO) clippy --quiet --workspace --all-targets -- -D warnings
kernel: ; $(CARGO) test --lib --no-default-features --quiet
bench: ; $(CARGO) bench --quiet --features internals
# A minute for each target; needs cargo-fuzz and a C++ compiler. What it finds belongs in fuzz/seeds/<target>/.
FUZZ_TARGETS = $(notdir $(basename $(wildcard fuzz/fuzz_targets/*.rs)))
FUZZ_SECONDS ?= 60
fuzz: ; set -e; for t in $(FUZZ_TARGETS); do mkdir -p fuzz/corpus/$$t; CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
	$(CARGO) fuzz run --sanitizer none --features libfuzzer $$t fuzz/corpus/$$t fuzz/seeds/$$t -- \
	-max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=1024 -timeout=5 -max_len=4096; done
