.PHONY: run test tests sim history load clients judge judge-kills judge-tests check deny deny-install kernel bench fuzz
CARGO ?= cargo
run: ; $(CARGO) run --release --quiet
# The way of `make run` first: it must know which program is meant.
test: ; $(CARGO) build --workspace && $(CARGO) run --quiet -- --version && $(CARGO) test --workspace --features ottla/internals --quiet
tests: test
# Groups and transactions in the simulated world: SEEDS of them from FROM on, or SEED alone with all that happens in it.
sim: ; $(CARGO) run --profile quick --no-default-features --features sim --bin ottla-sim --quiet
# What several clients of all kinds see of a node that is killed 200 times; `make test` has a short one. HISTORY=file keeps it.
OPERATIONS ?= 10000000
history: ; $(CARGO) build --profile quick && OPERATIONS=$(OPERATIONS) \
	$(CARGO) test --profile quick -p protocol-tests --test history clients_of -- --nocapture
# What groups and transactions cost, beside other brokers: programs that take the path of a server.properties. The table
# comes last. protocol-tests/README.md has the scenarios.
LOAD ?= live groups rebalance transactions load-time
LOAD_BESIDE ?=
LOAD_ARGS ?=
load: ; $(CARGO) build --release && $(CARGO) build --profile quick -p protocol-tests --bin load && target/quick/load \
	--broker $(CURDIR)/target/release/ottla $(addprefix --broker ,$(LOAD_BESIDE)) $(LOAD_ARGS) $(LOAD)
# librdkafka from its source and rskafka: minutes to build on a small machine.
clients: ; $(CARGO) build && OTTLA_BROKER=$(CURDIR)/target/debug/ottla \
	$(CARGO) test --manifest-path protocol-tests/clients/Cargo.toml --quiet
	$(CARGO) clippy --manifest-path protocol-tests/clients/Cargo.toml --quiet --all-targets -- -D warnings
# Apache Kafka 4.1 to 4.4 (Java 17, Maven) and Debian's kcat judge ours.
judge: ; $(CARGO) build && $(CARGO) test -p protocol-tests --features judge --test judge --quiet -- --test-threads=2
# Apache's test drivers, for ten minutes each, while the node is killed every ten seconds.
# OTTLA_BROKER names another one.
JUDGE_SECONDS ?= 600
judge-kills: ; $(CARGO) build && JUDGE_SECONDS=$(JUDGE_SECONDS) \
	$(CARGO) test -p protocol-tests --features judge-kills --test judge kills:: -- --test-threads=1 --nocapture
# Our own tests on Apache 4.3.1, as `make judge` fetched it: they pass there, too. Minutes, with a JVM for nearly each test.
judge-tests: judge ; OTTLA_BROKER=$(CURDIR)/target/judge/kafka-4.3.1.sh \
	$(CARGO) test -p protocol-tests --test stages --test wire --test door --quiet -- --test-threads=2
# The package for itself first: with the fuzzers in, everything of the pure floors counts as used.
check: deny
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path protocol-tests/clients/Cargo.toml --check
	$(CARGO) clippy --quiet --workspace --exclude ottla-fuzz --all-targets -- -D warnings
	$(CARGO) clippy --quiet -p ottla-fuzz -p ottla --features ottla/internals,ottla/sim --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" $(CARGO) doc --quiet --no-deps --document-private-items
# Not every clone has cargo-deny, which takes minutes to build: without it this says so and goes on.
deny: ; @if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --workspace --offline check licenses bans sources; \
	else echo "UNCHECKED: licences, bans and sources of dependencies (make deny-install)"; fi
deny-install: ; $(CARGO) install cargo-deny --locked --version 0.20.2
kernel: ; $(CARGO) test --lib --no-default-features --quiet
bench: ; $(CARGO) bench --quiet --features internals
# A minute for each target; needs cargo-fuzz and a C++ compiler. What it finds belongs in fuzz/seeds/<target>/.
FUZZ_TARGETS = $(notdir $(basename $(wildcard fuzz/fuzz_targets/*.rs)))
FUZZ_SECONDS ?= 60
fuzz: ; set -e; for t in $(FUZZ_TARGETS); do mkdir -p fuzz/corpus/$$t; CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
	$(CARGO) fuzz run --sanitizer none --features libfuzzer $$t fuzz/corpus/$$t fuzz/seeds/$$t -- \
	-max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=1024 -timeout=5 -max_len=4096; done
