# Measurements: "make bench" runs bench/run, which docs/performance.md
# describes; "make bench QUICK=1" takes about a minute.

BENCH_DIR := build/bench
BENCH_LOAD := $(BENCH_DIR)/load
BENCH_CFLAGS ?= -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror -Wshadow \
	-Wstrict-prototypes

BENCH_OBJECTS := $(patsubst %.c,$(BENCH_DIR)/%.o,$(notdir $(wildcard bench/*.c)))

.PHONY: bench
bench: build $(BENCH_LOAD) ## measure speed, memory and CPU; QUICK=1 for a minute's worth
	@QUICK="$(QUICK)" exec bench/run

$(BENCH_LOAD): $(BENCH_OBJECTS) $(CSC_SOURCES:common/%.c=$(BENCH_DIR)/%.o)
	$(CC) $(BENCH_CFLAGS) -o $@ $^ $(CSC_LIBS)

$(BENCH_DIR)/%.o: bench/%.c bench/*.h common/*.h bench/bench.mk
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -Icommon -c -o $@ $<

$(BENCH_DIR)/%.o: common/%.c common/*.h bench/bench.mk
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -Icommon -c -o $@ $<
