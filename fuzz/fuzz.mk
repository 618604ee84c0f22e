# Fuzzers: "make fuzz" builds one program per fuzz/*_fuzz.c with clang and runs
# each for FUZZ_SECONDS.  What they find on their way is kept in
# build/fuzz/corpus; the inputs to begin with are in fuzz/corpus.

FUZZ_DIR := build/fuzz
FUZZ_CC ?= clang
FUZZ_SECONDS ?= 20
FUZZ_CFLAGS ?= -std=c11 -D_GNU_SOURCE -O1 -g -fno-omit-frame-pointer \
	-Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all

FUZZERS := $(patsubst fuzz/%.c,$(FUZZ_DIR)/%,$(wildcard fuzz/*_fuzz.c))

.PHONY: fuzz
fuzz: $(FUZZERS:%=%.run) ## every fuzzer, for FUZZ_SECONDS (20) each

.PHONY: $(FUZZERS:%=%.run)
$(FUZZERS:%=%.run): %_fuzz.run: %_fuzz
	@mkdir -p $(FUZZ_DIR)/corpus/$(*F)
	$< -max_total_time=$(FUZZ_SECONDS) -timeout=5 -max_len=4096 \
		-print_final_stats=1 -verbosity=0 \
		-artifact_prefix=$(FUZZ_DIR)/$(*F)- \
		$(FUZZ_DIR)/corpus/$(*F) fuzz/corpus/$(*F)

$(FUZZERS): $(FUZZ_DIR)/%_fuzz: fuzz/%_fuzz.c $(CSC_SOURCES) common/*.h \
		fuzz/fuzz.mk
	@mkdir -p $(FUZZ_DIR)
	$(FUZZ_CC) $(FUZZ_CFLAGS) -Icommon -o $@ $< $(CSC_SOURCES) $(CSC_LIBS)
