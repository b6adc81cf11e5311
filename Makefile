# Everything a fresh machine needs is a Rust toolchain, git and make. As root the kernel steps run for real.
SHELL := /bin/bash
CARGO ?= cargo
PACKAGES := nftables iproute2 conntrack softhsm2 swtpm swtpm-tools tpm2-tools freeradius freeradius-utils hostapd

.PHONY: setup build test interop lint demo bench firmware fuzz clean

# System programs of the gateway, a security module to test signing with, a TPM with its tools to attest with, and a RADIUS
# server and an access point that the gateway tells what it enforces. Without root nothing is installed, and whatever needs them
# says so aloud.
setup:
	@missing=""; \
	for program in nft ip conntrack softhsm2-util swtpm tpm2_quote freeradius radclient hostapd; do \
		command -v $$program >/dev/null || test -x /usr/sbin/$$program || missing=yes; \
	done; \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(PACKAGES) >/dev/null; \
		else \
			echo "setup: $(PACKAGES) are not all here and cannot be installed without root and apt; kernel steps will be skipped"; \
		fi; \
	fi

build: setup
	$(CARGO) build --workspace --locked

# Every test: floors, units, tables, vectors, properties, kernel, stories over real binaries.
test: build
	$(CARGO) test --workspace --locked
	$(CARGO) test --package sextant-crypto --no-default-features --features soft --test left_out --locked
	$(CARGO) test --package sextant-crypto --features rsa,modp --test rsa --test modp --locked
	$(CARGO) test --package sextant-fdo --no-default-features --test left_out --locked

# Other people's tools against the programs here. What cannot be built or installed is said aloud.
interop: build
	$(CARGO) test --package sextant-tests --test tpm --test veraison --test onboarding --locked

lint:
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

# The whole story on this machine; ends after it and says whether every step held.
demo: build
	$(CARGO) run --quiet --locked --package sextant -- demo --exit

# Counting instructions needs valgrind, and peers of attestation OpenSSL's headers (and Go, where those in Go are to be
# measured); without them those measurements are passed over aloud.
bench: setup
	@missing=""; \
	command -v valgrind >/dev/null || missing=valgrind; \
	pkg-config --exists openssl 2>/dev/null || missing="$$missing pkg-config libssl-dev"; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null; \
	fi
	$(CARGO) build --release --locked --workspace
	$(CARGO) run --release --locked --package sextant-benches -- docs/benchmarks.md

# The device libraries on an emulated board. Where the compiler lacks the target, Debian's builds its libraries as well.
firmware:
	@missing=""; \
	command -v qemu-system-arm >/dev/null || missing=qemu-system-arm; \
	test -d "$$(rustc --print target-libdir --target thumbv7m-none-eabi 2>/dev/null)" || \
		{ test -x /usr/bin/rustc && command -v ld.lld >/dev/null; } || missing="$$missing rustc-web rust-web-src lld"; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && \
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi
	$(CARGO) xtask firmware

# Every decoder for a bounded time. Seeds are the test vectors.
FOR ?= 60
fuzz:
	fuzz/run.sh $(FOR)

clean:
	$(CARGO) clean
