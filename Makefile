# make demo    the real daemon against the sandbox, rotating live (Ctrl-C ends it)
# make test    everything: format, lints, docs, unit tables, simulation, the real binary over TLS
# make test-azure, test-kubernetes, test-container  what is deployed: the az commands, the manifests, the image, each tried
# make soak    years at random for as long as you like: SEEDS=from..to lives of each kind, in release mode
# make mutants what is decided and done, each line bent once: which of it do the fast tests notice? FILES=src/domain/attempts.rs for one
# make test-system  installed like real software: the Debian package on a real systemd, in a machine of its own (as root)
# make deb     the Debian package of a release build, into target/package
# make dist    a release of what is committed, into target/dist: archive, package, bill of materials, licences, checksums
# make deny    licences, bans and sources of all that is built upon; advisories where their database can be reached. They fail
#              it, and a release (make dist); make test-system only tells of them
# make messages docs/messages.md anew, of the tables in the code
# make reference docs/configuration.md and the JSON Schemas in config/ anew, of the tables in the code
# make bench   what it costs, as tables, in some minutes; PART=fleet measures one part (one, fleet, far, year, cost)

CARGO ?= cargo
# Where cargo builds, wherever it has been told to.
TARGET := $(or $(CARGO_TARGET_DIR),target)
# What installs packages of Debian that are missing.
APT := tests/apt.sh
# The tools of cargo's, as all this was tried with them. Where one is there already, any version does.
VERSION_nextest := 0.9.143
VERSION_mutants := 27.1.0
VERSION_deb := 3.8.0
VERSION_cyclonedx := 0.5.9
VERSION_deny := 0.20.2

.PHONY: demo test soak mutants messages reference lint docs nextest network-tools faketime promtool strangers browser cargo-mutants bench release deb dist deny test-system test-systemd mmdebstrap nspawn cargo-deb cargo-cyclonedx cargo-deny

demo:
	$(CARGO) build --quiet --bin scim-rotator --example demo
	$(TARGET)/debug/examples/demo $(TARGET)/debug/scim-rotator $(DEMO_SECONDS)

test: nextest network-tools faketime promtool strangers browser lint docs
	$(CARGO) build --quiet --bins
	$(CARGO) nextest run --no-fail-fast --test-threads $$(($$(nproc) * 2))

# Not part of `test`: a quarter of a million lives with a million accidents, some twenty minutes on two cores (and the
# building takes eight). Every other range of seeds is new ground.
SEEDS ?= 100000..225000
soak: nextest
	SIM_SEEDS=$(SEEDS) SIM_PAIRS=all $(CARGO) nextest run --cargo-profile soak --profile soak --no-fail-fast -E 'test(/^sim::(random|enumerate::two_crashes)/)'

# Not part of `test`: some two hours for all on two cores (see tests/mutants/run.sh). What was found stands in docs/reliability.md.
FILES ?= src/domain/**/*.rs src/engine/**/*.rs src/sane_clock.rs
BENDS := target/mutants/python
mutants: cargo-mutants
	@cmp -s tests/mutants/requirements.txt $(BENDS)/requirements.txt || { \
	(python3 -c 'import ensurepip, venv' || $(APT) python3 python3-venv) && \
	python3 -m venv --clear $(BENDS) && \
	$(BENDS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --requirement tests/mutants/requirements.txt && \
	cp tests/mutants/requirements.txt $(BENDS)/requirements.txt; }
	tests/mutants/run.sh $(foreach file,$(FILES),'$(file)')

messages: nextest
	WRITE_MESSAGES=1 $(CARGO) nextest run it::messages

reference: nextest
	WRITE_REFERENCE=1 $(CARGO) nextest run it::reference

cargo-mutants:
	@$(CARGO) mutants --version >/dev/null 2>&1 || $(CARGO) install --locked --version $(VERSION_mutants) cargo-mutants

# The runner is built from its source where it is not there yet.
nextest:
	@$(CARGO) nextest --version >/dev/null 2>&1 || $(CARGO) install --locked --version $(VERSION_nextest) cargo-nextest

# What makes a network of a test's own (tests/it/namespace.rs). There on most systems.
network-tools:
	@command -v ip >/dev/null && command -v unshare >/dev/null && command -v mount >/dev/null || $(APT) iproute2 util-linux mount

# What shows the real binary another time (tests/it/leap.rs).
faketime:
	@ls /usr/lib*/faketime/libfaketime.so.1 /usr/lib/*/faketime/libfaketime.so.1 2>/dev/null | grep -q . || $(APT) libfaketime

# What reads the alert rules as Prometheus does (tests/it/monitoring.rs).
promtool:
	@command -v promtool >/dev/null || $(APT) prometheus

# Microsoft's own clients for Python (tests/it/strangers.rs), in a place of their own under target/: those that
# tests/strangers/requirements.txt names to the byte, and no others. Anew whenever that file changes.
STRANGERS := target/strangers
WHO := tests/strangers/requirements.txt
strangers:
	@cmp -s $(WHO) $(STRANGERS)/requirements.txt && $(STRANGERS)/bin/python -c 'import azure.identity, msgraph_core' || $(MAKE) --no-print-directory $(STRANGERS)

.PHONY: $(STRANGERS)
$(STRANGERS):
	python3 -c 'import ensurepip, venv' || $(APT) python3 python3-venv
	python3 -m venv --clear $(STRANGERS)
	$(STRANGERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --requirement $(WHO)
	cp $(WHO) $(STRANGERS)/requirements.txt

# What looks at the status page (tests/it/browser.rs): Debian's Chromium, and what drives it, as the lock file names it.
BROWSER := target/browser
browser:
	@command -v chromium >/dev/null || $(APT) chromium fonts-dejavu-core
	@command -v npm >/dev/null || $(APT) nodejs npm
	@cmp -s tests/browser/package-lock.json $(BROWSER)/installed.json || (mkdir -p $(BROWSER) && cp tests/browser/package.json tests/browser/package-lock.json tests/browser/.npmrc $(BROWSER) && npm ci --prefix $(BROWSER) --silent && cp tests/browser/package-lock.json $(BROWSER)/installed.json)

# What judges the files of deploy/ and the Dockerfile (tests/system): to the byte what requirements.txt names.
JUDGES := target/system
.PHONY: judges shellcheck kubectl podman test-azure test-kubernetes test-container
judges:
	@cmp -s tests/system/requirements.txt $(JUDGES)/requirements.txt || { \
	(python3 -c 'import ensurepip, venv' || $(APT) python3 python3-venv) && \
	python3 -m venv --clear $(JUDGES) && \
	$(JUDGES)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --requirement tests/system/requirements.txt && \
	cp tests/system/requirements.txt $(JUDGES)/requirements.txt; }

shellcheck:
	@command -v shellcheck >/dev/null || $(APT) shellcheck

kubectl:
	@command -v kubectl >/dev/null || $(APT) kubernetes-client

podman:
	@command -v podman >/dev/null && command -v buildah >/dev/null && command -v mmdebstrap >/dev/null && command -v runc >/dev/null || \
	$(APT) podman buildah runc netavark aardvark-dns iptables mmdebstrap

test-azure: judges shellcheck
	tests/system/azure.sh

test-kubernetes: judges shellcheck kubectl
	$(CARGO) build --quiet --bins
	tests/system/kubernetes.sh $(TARGET)/debug/scim-rotator

# As root, with the registry of cargo at hand: the image is built without a network of its own.
test-container: judges shellcheck podman
	$(CARGO) build --quiet --example demo
	tests/system/container.sh $(TARGET)/debug/examples/demo

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --quiet --all-targets -- -D warnings

docs:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --quiet --no-deps --document-private-items

release:
	$(CARGO) build --release --locked --bin scim-rotator

bench: release
	$(CARGO) build --quiet --profile soak --example bench
	$(TARGET)/soak/examples/bench $(TARGET)/release/scim-rotator $(PART)

# What belongs to a release. These tools are run once a release or a test: unoptimized, they are there in half the time.
cargo-deb cargo-cyclonedx cargo-deny: cargo-%:
	@$(CARGO) $* --version >/dev/null 2>&1 || $(CARGO) install --locked --debug --version $(VERSION_$*) cargo-$*

deb: release cargo-deb
	deploy/debian/package.sh

# UNCOMMITTED=yes: of whatever lies here, to try it.
dist: $(if $(UNCOMMITTED),,committed deny) release cargo-deb cargo-cyclonedx
	deploy/release/dist.sh

.PHONY: committed
committed:
	deploy/release/commit.sh is-all

# An advisory may come out between two tests of the same change. So they only tell of it; it fails whoever asks, and a release.
.PHONY: allowed advisories
deny: allowed
	@$(ADVISED)

advisories: allowed
	@$(ADVISED) || echo 'advisories: told here, and no failure; `make deny` fails of them'

allowed: cargo-deny
	$(CARGO) deny --all-features check bans licenses sources

ADVISED = if timeout 120 $(CARGO) deny fetch db >/dev/null 2>&1; then $(CARGO) deny --offline check advisories; \
	else echo 'advisories: not looked at, for their database cannot be reached from here'; fi

test-system: advisories test-systemd test-azure test-kubernetes test-container

# What makes a system that holds its base alone, and a repository (tests/system/package.sh).
mmdebstrap:
	@command -v mmdebstrap >/dev/null && command -v git >/dev/null || $(APT) mmdebstrap git

# What boots a machine of the test's own (tests/system/machine.sh).
nspawn:
	@command -v systemd-nspawn >/dev/null && command -v tc >/dev/null && command -v pgrep >/dev/null || \
	$(APT) systemd systemd-sysv dbus systemd-container iproute2 procps

# The package, and a later one to upgrade to. A failing check says what it saw.
NEWER := target/newer
# What lies here without its repository is tried all the same, as of no commit.
ifeq ($(shell deploy/release/commit.sh time 2>/dev/null),)
test-systemd: export SOURCE_DATE_EPOCH := $(shell date +%s)
test-systemd: export SCIM_ROTATOR_COMMIT := 0000000000000000000000000000000000000000
endif
test-systemd: shellcheck mmdebstrap nspawn
	$(MAKE) --no-print-directory dist UNCOMMITTED=yes
	$(CARGO) build --quiet --example demo
	@mkdir -p $(NEWER) && rm -f $(NEWER)/*
	deploy/debian/package.sh 2 && mv target/package/*.deb $(NEWER)/
	cd target/dist && sha256sum --quiet --check SHA256SUMS
	tests/system/package.sh target/dist/*.deb
	tests/system/systemd.sh target/dist/*.deb $(NEWER)/*.deb $(TARGET)/debug/examples/demo
