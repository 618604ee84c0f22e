# make            lists what there is
# make run        the whole chat in one go, http://127.0.0.1:8080

.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

# SANITIZE=1 builds everything once more, with ASan and UBSan.
ifdef SANITIZE
BUILD := build-asan
else
BUILD := build
endif
export SANITIZE BUILD

PREFIX ?= /usr
SBINDIR ?= $(PREFIX)/sbin
MODULESDIR ?= $(PREFIX)/lib/nginx/modules
DOCDIR ?= $(PREFIX)/share/doc/cs-chat
SYSCONFDIR ?= /etc/cs-chat
UNITDIR ?= /lib/systemd/system
SHAREDIR ?= $(PREFIX)/share/cs-chat

MODULE := $(BUILD)/ngx_http_cs_chat_module.so
WORKER := $(BUILD)/cs-chat-worker

include common/sources.mk
include worker/worker.mk
include t/unit/unit.mk
include fuzz/fuzz.mk
-include bench/bench.mk

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' \
		Makefile fuzz/fuzz.mk $(wildcard bench/bench.mk)

.PHONY: run
run: ## everything on one machine: install, build, start, seed, ready
	@exec scripts/run

.PHONY: reset-db
reset-db: ## empty the database of "make run" and seed it anew
	@exec scripts/run --reset-db

.PHONY: deps
deps: ## install the packages that building and running need
	@scripts/deps.sh run

.PHONY: build
build: module worker ## the module and the chat worker, in build/

.PHONY: module
module:
	@CC="$(CC)" scripts/build-module.sh

.PHONY: worker
worker: $(WORKER)

.PHONY: unit-programs
unit-programs: $(UNIT_TESTS)

.PHONY: test
test: ## every test
	@exec scripts/test

.PHONY: test-asan
test-asan: ## every test, with module and worker under ASan and UBSan
	@SANITIZE=1 exec scripts/test

.PHONY: chaos
chaos: build ## faults of every part in random order; TIME=10m SEED=...
	@scripts/deps.sh test
	@exec scripts/chaos

.PHONY: lint
lint: ## clang-format, cppcheck, clang-tidy, shellcheck
	@exec scripts/lint

# Signing keys are made where they are used: not for a package (DESTDIR).
.PHONY: install
install: build ## to DESTDIR and PREFIX (/usr)
	install -D -m 644 $(MODULE) \
		$(DESTDIR)$(MODULESDIR)/ngx_http_cs_chat_module.so
	install -D -m 755 $(WORKER) $(DESTDIR)$(SBINDIR)/cs-chat-worker
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSCONFDIR) \
		$(DESTDIR)$(DOCDIR)/docs $(DESTDIR)$(DOCDIR)/examples
	sed 's|/usr/sbin|$(SBINDIR)|; s|/etc/cs-chat|$(SYSCONFDIR)|' \
		packaging/systemd/cs-chat-worker.service \
		> $(DESTDIR)$(UNITDIR)/cs-chat-worker.service
	chmod 644 $(DESTDIR)$(UNITDIR)/cs-chat-worker.service
	test -e $(DESTDIR)$(SYSCONFDIR)/worker.conf || install -m 640 \
		worker/worker.conf.example $(DESTDIR)$(SYSCONFDIR)/worker.conf
	test -n "$(DESTDIR)" || test -e $(SYSCONFDIR)/jwt.key || \
		(umask 077 && openssl rand -hex 32 > $(SYSCONFDIR)/jwt.key)
	install -d $(DESTDIR)$(SHAREDIR)
	rm -rf $(DESTDIR)$(SHAREDIR)/web
	cp -RL --no-preserve=ownership clients/web $(DESTDIR)$(SHAREDIR)/web
	install -m 644 packaging/nginx/web-headers.conf $(DESTDIR)$(SHAREDIR)
	install -m 644 README.md LICENSE $(DESTDIR)$(DOCDIR)
	install -m 644 $(wildcard docs/*.*) $(DESTDIR)$(DOCDIR)/docs
	install -D -m 644 -t $(DESTDIR)$(DOCDIR)/docs/images docs/images/*
	install -m 644 nginx.conf.example worker/worker.conf.example \
		packaging/grafana-dashboard.json packaging/prometheus.yml \
		packaging/prometheus-alerts.yml $(DESTDIR)$(DOCDIR)/examples

.PHONY: clean
clean: ## what was built; the data in run/ stays
	rm -rf build build-asan
