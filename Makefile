# memory_coordinator: `make help` lists the targets.

VERSION = 0.1.0

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/memory_coordinator
DESTDIR ?=
PKG_CONFIG ?= pkg-config
INSTALL ?= install
CLANG_FORMAT ?= clang-format

CFLAGS ?= -O2 -g
WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wformat=2 -Wundef -Wvla
ifdef WERROR
WARNINGS += -Werror
endif

PACKAGES = libvirt libxml-2.0 inih
MC_CFLAGS = -std=c11 $(WARNINGS) -D_GNU_SOURCE -DMC_VERSION='"$(VERSION)"' -Iinclude -MMD -MP \
	$(SANITIZE) $(shell $(PKG_CONFIG) --cflags $(PACKAGES))
MC_LIBS = $(shell $(PKG_CONFIG) --libs $(PACKAGES))
INI_LIBS = $(shell $(PKG_CONFIG) --libs inih)
CHECK_CFLAGS = $(shell $(PKG_CONFIG) --cflags check)
CHECK_LIBS = $(shell $(PKG_CONFIG) --libs check)

BUILD ?= build
OBJECTS = $(patsubst src/%.c,$(BUILD)/%.o,$(wildcard src/*.c))

# What each test suite links beside its own file, tests/support.o and splitmix.o: the walls, kept by the linker.
TESTS = test_units test_settings test_config test_options test_pace test_snapshot test_meminfo test_policy test_limits test_report \
	test_coordinator test_hypervisor test_scenario test_score
test_units_LINKS = units
test_settings_LINKS = settings units
test_config_LINKS = config settings units
test_config_LIBS = $(INI_LIBS)
test_options_LINKS = options config settings units
test_options_LIBS = $(INI_LIBS)
test_pace_LINKS = pace
test_meminfo_LINKS = meminfo
test_policy_LINKS = policy tests/ideal
test_limits_LINKS = policy tests/ideal
test_snapshot_LINKS = snapshot
test_report_LINKS = report policy log
test_coordinator_LINKS = coordinator config settings units policy pace report log snapshot
test_coordinator_LIBS = $(INI_LIBS)
test_hypervisor_LINKS = hypervisor settings units meminfo snapshot
test_hypervisor_LIBS = $(MC_LIBS)
test_scenario_LINKS = tests/sim/scenario tests/sim/guest tests/sim/random tests/sim/truth config settings units
test_scenario_LIBS = $(INI_LIBS)
test_score_LINKS = $(patsubst tests/sim/%.c,tests/sim/%,$(filter-out tests/sim/sim.c,$(wildcard tests/sim/*.c))) \
	$(SIM_LINKS)
test_score_LIBS = $(INI_LIBS) -lm
$(BUILD)/tests/test_scenario.o $(BUILD)/tests/test_score.o: MC_CFLAGS += -Itests -Itests/sim

.PHONY: all check bench bench-policy e2e sanitize valgrind analyze format check-format install uninstall clean help

# The simulator runs the program's own decision and cycle; of libvirt there is nothing in it.
SIM_LINKS = policy coordinator config settings report log pace snapshot units
SIM_OBJECTS = $(patsubst tests/sim/%.c,$(BUILD)/tests/sim/%.o,$(wildcard tests/sim/*.c)) \
	$(BUILD)/tests/splitmix.o $(patsubst %,$(BUILD)/%.o,$(SIM_LINKS))

all: memory_coordinator $(BUILD)/sim ## build ./memory_coordinator and the simulator

memory_coordinator: $(OBJECTS)
	$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(MC_LIBS) $(LDLIBS)

$(BUILD)/%.o: src/%.c Makefile | $(BUILD)
	$(CC) $(MC_CFLAGS) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/tests/%.o: tests/%.c Makefile | $(BUILD)/tests
	$(CC) $(MC_CFLAGS) $(CHECK_CFLAGS) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/tests/sim/%.o: tests/sim/%.c Makefile | $(BUILD)/tests/sim
	$(CC) $(MC_CFLAGS) -Itests -Itests/sim $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/sim: $(SIM_OBJECTS)
	$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(INI_LIBS) -lm $(LDLIBS)

$(BUILD) $(BUILD)/tests $(BUILD)/tests/sim:
	mkdir -p $@

define TEST_RULE
$(BUILD)/tests/$(1): $(BUILD)/tests/$(1).o $(BUILD)/tests/support.o $(BUILD)/tests/splitmix.o \
		$(patsubst %,$(BUILD)/%.o,$($(1)_LINKS))
	$$(CC) $$(CFLAGS) $$(SANITIZE) $$(LDFLAGS) -o $$@ $$^ $$(CHECK_LIBS) $($(1)_LIBS) $$(LDLIBS)
endef
$(foreach test,$(TESTS),$(eval $(call TEST_RULE,$(test))))

check: $(TESTS:%=$(BUILD)/tests/%) ## run the unit tests
	@failed=0; for test in $^; do $(RUNNER) ./$$test || failed=1; done; exit $$failed

e2e: all ## run the tests on real guests
	scripts/e2e

bench: $(BUILD)/tests/bench_policy ## what a decision costs, beside a sort
	$<

$(BUILD)/tests/bench_policy: $(BUILD)/tests/bench_policy.o $(BUILD)/tests/splitmix.o $(BUILD)/policy.o
	$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(LDLIBS)

bench-policy: $(BUILD)/sim ## all scenarios by us, the reactive floor and the peers' laws, judged
	scripts/scoresheet --sim $< -o $(BUILD)/scoresheet.md

sanitize: ## the unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
	ASAN_OPTIONS=allocator_may_return_null=1 $(MAKE) BUILD=$(BUILD)/sanitize \
		CFLAGS='-O1 -g -fno-omit-frame-pointer' SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all' check

valgrind: ## the unit tests under valgrind
	CK_FORK=no $(MAKE) check RUNNER='valgrind -q --error-exitcode=9 --leak-check=full'

# gcc 12 takes memory for lost that is kept in an array of structures; AddressSanitizer finds real leaks.
analyze: ## the compiler's own static analysis
	$(MAKE) BUILD=$(BUILD)/analyze CFLAGS='-O2 -fanalyzer -Wno-analyzer-malloc-leak -Werror' \
		$(patsubst src/%.c,$(BUILD)/analyze/%.o,$(wildcard src/*.c))

SOURCES = $(wildcard src/*.c include/*.h tests/*.c tests/*.h tests/sim/*.c tests/sim/*.h scripts/guest/*.c)

format: ## lay the C sources out
	$(CLANG_FORMAT) -i $(SOURCES)

check-format: ## fail where that would change something
	$(CLANG_FORMAT) --dry-run --Werror $(SOURCES)

install: all ## copy the program, its man page and its example below DESTDIR and PREFIX
	$(INSTALL) -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(DOCDIR)
	$(INSTALL) -m 755 memory_coordinator $(DESTDIR)$(SBINDIR)/
	$(INSTALL) -m 644 src/man/memory_coordinator.8 $(DESTDIR)$(MANDIR)/man8/
	$(INSTALL) -m 644 src/memory_coordinator.conf $(DESTDIR)$(DOCDIR)/

uninstall: ## remove them
	$(RM) $(DESTDIR)$(SBINDIR)/memory_coordinator $(DESTDIR)$(MANDIR)/man8/memory_coordinator.8 \
		$(DESTDIR)$(DOCDIR)/memory_coordinator.conf

clean: ## remove what was built
	$(RM) -r $(BUILD) memory_coordinator

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

-include $(wildcard $(BUILD)/*.d $(BUILD)/tests/*.d $(BUILD)/tests/sim/*.d)
