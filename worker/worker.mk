# The chat worker.  The root Makefile includes this; alone, it is
# "make -f worker/worker.mk" in the root directory.  CFLAGS, LDFLAGS and CC
# can be changed; SANITIZE=1 builds with ASan and UBSan into build-asan/.

include common/sources.mk

BUILD ?= $(if $(SANITIZE),build-asan,build)
WORKER ?= $(BUILD)/cs-chat-worker
WORKER_VERSION ?= 1.0.0

.PHONY: worker
worker: $(WORKER)

PKG_CONFIG ?= pkg-config
WORKER_PACKAGES := libuv hiredis libpq yajl libcrypto libcrypt
WORKER_SOURCES := $(wildcard worker/*.c)
WORKER_OBJECTS := $(WORKER_SOURCES:%.c=$(BUILD)/%.o) \
	$(CSC_SOURCES:%.c=$(BUILD)/worker/%.o) $(BUILD)/worker/sql_embedded.o
WORKER_CFLAGS := -std=c11 -D_GNU_SOURCE -DCS_CHAT_VERSION='"$(WORKER_VERSION)"' \
	-Wall -Wextra -Wshadow -Wstrict-prototypes -fno-strict-aliasing \
	-fstack-protector-strong
WORKER_LIBS = $(shell $(PKG_CONFIG) --libs $(WORKER_PACKAGES))
WORKER_INCLUDES = $(shell $(PKG_CONFIG) --cflags $(WORKER_PACKAGES))

ifdef SANITIZE
WORKER_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
endif

ifeq ($(origin CFLAGS),undefined)
CFLAGS := -O2 -g -Werror
endif

$(WORKER): $(WORKER_OBJECTS)
	$(CC) $(CFLAGS) $(WORKER_SANITIZE) $(LDFLAGS) -o $@ $^ $(WORKER_LIBS)

$(BUILD)/worker/%.o: worker/%.c worker/*.h common/*.h worker/worker.mk
	@mkdir -p $(@D)
	$(CC) $(WORKER_CFLAGS) $(WORKER_INCLUDES) $(CFLAGS) \
		$(WORKER_SANITIZE) -c -o $@ $<

$(BUILD)/worker/common/%.o: common/%.c common/*.h worker/worker.mk
	@mkdir -p $(@D)
	$(CC) $(WORKER_CFLAGS) $(WORKER_INCLUDES) $(CFLAGS) \
		$(WORKER_SANITIZE) -c -o $@ $<

$(BUILD)/sql_embedded.c: scripts/embed-sql.sh sql/migrations/*.sql \
		sql/functions/*.sql sql/migrations sql/functions
	@mkdir -p $(@D)
	scripts/embed-sql.sh > $@.new && mv $@.new $@

$(BUILD)/worker/sql_embedded.o: $(BUILD)/sql_embedded.c
	@mkdir -p $(@D)
	$(CC) $(WORKER_CFLAGS) -Iworker $(CFLAGS) $(WORKER_SANITIZE) \
		-c -o $@ $<
