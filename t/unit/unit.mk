# Unit tests: "make unit" builds one program per t/unit/*_test.c and runs all.
#
# They run under the sanitizers; UNIT_SANITIZE= turns that off, and
# UNIT_RUN=valgrind puts another program before them.

UNIT_DIR := build/unit
UNIT_CC ?= $(CC)
UNIT_SANITIZE ?= -fsanitize=address,undefined -fno-sanitize-recover=all
UNIT_CFLAGS ?= -std=c11 -D_GNU_SOURCE -O1 -g -fno-omit-frame-pointer \
	-Wall -Wextra -Werror -Wshadow -Wstrict-prototypes $(UNIT_SANITIZE)
UNIT_RUN ?=

UNIT_TESTS := $(patsubst t/unit/%.c,$(UNIT_DIR)/%,$(wildcard t/unit/*_test.c))
UNIT_OBJECTS := $(patsubst common/%.c,$(UNIT_DIR)/%.o,$(CSC_SOURCES))

# the writer's answer to an allocation that fails
UNIT_LDFLAGS_json := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc

.PHONY: unit
unit: $(UNIT_TESTS)
	@failed=; \
	for test in $(UNIT_TESTS); do \
		$(UNIT_RUN) $$test || failed="$$failed $$test"; \
	done; \
	if [ -n "$$failed" ]; then echo "failed:$$failed" >&2; exit 1; fi

$(UNIT_DIR)/csc_%.o: common/csc_%.c common/*.h t/unit/unit.mk
	@mkdir -p $(UNIT_DIR)
	$(UNIT_CC) $(UNIT_CFLAGS) -Icommon -c -o $@ $<

$(UNIT_TESTS): $(UNIT_DIR)/%_test: t/unit/%_test.c t/unit/unit.h \
		$(UNIT_OBJECTS)
	$(UNIT_CC) $(UNIT_CFLAGS) -Icommon -o $@ $< $(UNIT_OBJECTS) \
		$(UNIT_LDFLAGS_$*) -lcmocka $(CSC_LIBS)
