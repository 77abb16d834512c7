# memory_coordinator: `make help` lists the targets.

VERSION = 0.1.0

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/memory_coordinator
DATADIR ?= $(PREFIX)/share/memory_coordinator
SYSTEMDUNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/site-functions
DESTDIR ?=
PKG_CONFIG ?= pkg-config
INSTALL ?= install
CLANG ?= clang
CLANG_FORMAT ?= clang-format

CFLAGS ?= -O2 -g
WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wformat=2 -Wundef -Wvla
ifdef WERROR
WARNINGS += -Werror
endif

PACKAGES = libvirt libxml-2.0 inih jansson libsystemd
MC_CFLAGS = -std=c11 $(WARNINGS) -D_GNU_SOURCE -DMC_VERSION='"$(VERSION)"' -Iinclude -MMD -MP \
	$(SANITIZE) $(shell $(PKG_CONFIG) --cflags $(PACKAGES))
MC_LIBS = $(shell $(PKG_CONFIG) --libs $(PACKAGES))
JSON_LIBS = $(shell $(PKG_CONFIG) --libs jansson)
INI_LIBS = $(shell $(PKG_CONFIG) --libs inih)
CHECK_CFLAGS = $(shell $(PKG_CONFIG) --cflags check)
CHECK_LIBS = $(shell $(PKG_CONFIG) --libs check)

BUILD ?= build
comma = ,
OBJECTS = $(patsubst src/%.c,$(BUILD)/%.o,$(wildcard src/*.c))

# Has the linker call a suite's own __wrap_NAME() for NAME().
wrap = $(patsubst %,-Wl$(comma)--wrap=%,$(1))

# What each test suite links beside its own file, tests/support.o and splitmix.o: the walls, kept by the linker.
TESTS = $(patsubst tests/%.c,%,$(wildcard tests/test_*.c))
test_units_LINKS = units
test_settings_LINKS = settings units
test_config_LINKS = config settings units
test_config_LIBS = $(INI_LIBS)
test_options_LINKS = options config settings units
test_options_LIBS = $(INI_LIBS)
test_pace_LINKS = pace
test_meminfo_LINKS = meminfo kernel_file whole tests/tree
test_kernel_file_LINKS = kernel_file whole tests/tree
test_ksm_LINKS = ksm
test_ksm_files_LINKS = ksm_files kernel_file whole ksm tests/tree
test_sharing_LINKS = sharing ksm kernel_file state_dir atomic_file whole log tests/tree
test_sharing_LIBS = $(JSON_LIBS)
test_policy_LINKS = policy tests/ideal
test_limits_LINKS = policy tests/ideal
test_snapshot_LINKS = snapshot
test_state_dir_LINKS = state_dir atomic_file whole
test_atomic_file_LINKS = atomic_file whole
test_metrics_LINKS = metrics record json_out policy snapshot ksm
test_metrics_LIBS = $(JSON_LIBS)
test_log_LINKS = log
test_log_LIBS = $(JSON_LIBS)
test_service_LINKS = service
test_service_LIBS = $(shell $(PKG_CONFIG) --libs libsystemd)
test_state_LINKS = state clock state_dir atomic_file whole record json_out snapshot tests/sample policy ksm
test_state_LIBS = $(JSON_LIBS) $(call wrap,nanosleep fstatat)
test_status_LIBS = $(JSON_LIBS)
test_status_LINKS = status report text policy log tests/sample snapshot ksm
test_explain_LIBS = $(JSON_LIBS)
test_frame_LINKS = frame status report text policy log tests/sample snapshot ksm
test_frame_LIBS = $(JSON_LIBS)
test_explain_LINKS = explain status report text policy log tests/sample snapshot ksm
test_report_LINKS = report policy log
test_report_LIBS = $(JSON_LIBS)
test_coordinator_LINKS = coordinator kept reservation config settings units policy pace report log snapshot
test_coordinator_LIBS = $(INI_LIBS) $(JSON_LIBS)
test_record_LINKS = record json_out snapshot ksm
test_record_LIBS = $(JSON_LIBS)
test_json_out_LINKS = json_out
test_json_out_LIBS = $(JSON_LIBS)
test_publisher_LINKS = publisher kept notice record json_out metrics policy state_dir atomic_file whole log clock snapshot ksm
test_publisher_LIBS = $(JSON_LIBS) $(call wrap,clock_monotonic_usec)
test_pause_LINKS = pause state_dir atomic_file whole
test_commands_LINKS = steer reserve signals command_line complain pause log reservation_file reservation state record json_out state_dir atomic_file whole \
	$(test_hypervisor_LINKS) tests/tree
test_commands_LIBS = $(MC_LIBS)
test_notice_LINKS = notice state_dir atomic_file whole tests/tree
test_reservation_LINKS = reservation
test_reservation_file_LINKS = reservation_file reservation kernel_file state_dir atomic_file whole units log tests/tree
test_reservation_file_LIBS = $(JSON_LIBS)
test_replay_LINKS = replay record json_out report log policy config settings units snapshot tests/ideal ksm
test_replay_LIBS = $(JSON_LIBS) $(INI_LIBS)
test_supervisor_LINKS = supervisor kept signals clock snapshot
test_domain_xml_LINKS = domain_xml settings units
test_domain_xml_LIBS = $(shell $(PKG_CONFIG) --libs libxml-2.0)
test_event_loop_LINKS = event_loop clock
test_event_loop_LIBS = $(shell $(PKG_CONFIG) --libs libvirt)
test_hypervisor_LINKS = hypervisor event_loop domain_xml clock settings units meminfo ksm ksm_files kernel_file whole snapshot
test_hypervisor_WRAPPED = virDomainMemoryStats virDomainGetXMLDesc virDomainSetMemoryStatsPeriod virConnectListAllDomains \
	virConnectIsAlive virConnectGetURI virGetLastErrorCode virNodeGetMemoryStats meminfo_read virDomainGetControlInfo \
	virDomainSetMemory virDomainGetMetadata virDomainSetMetadata virDomainGetJobStats virDomainGetState \
	virConnectDomainEventRegisterAny virNodeGetMemoryParameters virNodeSetMemoryParameters ksm_files_read \
	ksm_files_set_pace ksm_files_set_run virDomainGetUUID
test_hypervisor_LIBS = $(MC_LIBS) $(call wrap,$(test_hypervisor_WRAPPED))
test_scenario_LINKS = tests/sim/scenario tests/sim/guest tests/sim/random tests/sim/truth config settings units
test_scenario_LIBS = $(INI_LIBS)
test_score_LINKS = $(patsubst tests/sim/%.c,tests/sim/%,$(filter-out tests/sim/sim.c,$(wildcard tests/sim/*.c))) \
	$(SIM_LINKS)
test_score_LIBS = $(INI_LIBS) $(JSON_LIBS) -lm
# Whatever takes memory may be told to fail.
test_oom_WRAPPED = kept_new malloc calloc realloc reallocarray strdup asprintf getline __getdelim fdopen
test_oom_LINKS = clock kept coordinator reservation policy pace report log options config hypervisor event_loop domain_xml settings units meminfo ksm ksm_files kernel_file whole snapshot \
	tests/sim/scenario tests/sim/truth
test_oom_LIBS = $(MC_LIBS) $(call wrap,$(test_oom_WRAPPED))
$(BUILD)/tests/test_oom.o $(BUILD)/tests/test_scenario.o $(BUILD)/tests/test_score.o: MC_CFLAGS += -Itests -Itests/sim

# Fuzz targets: the same, by libFuzzer; and each one's corpus as one more test suite.
FUZZ = fuzz_statistics fuzz_config fuzz_domain_xml fuzz_scenario fuzz_options fuzz_record
fuzz_statistics_LINKS = policy config $(test_hypervisor_LINKS)
fuzz_statistics_LIBS = $(MC_LIBS)
fuzz_config_LINKS = $(test_config_LINKS)
fuzz_config_LIBS = $(INI_LIBS)
fuzz_domain_xml_LINKS = $(test_domain_xml_LINKS)
fuzz_domain_xml_LIBS = $(test_domain_xml_LIBS)
fuzz_scenario_LINKS = tests/sim/scenario tests/sim/truth config settings units
fuzz_scenario_LIBS = $(INI_LIBS)
fuzz_options_LINKS = $(test_options_LINKS)
fuzz_options_LIBS = $(INI_LIBS)
fuzz_record_LINKS = explain status text replay record json_out report log policy config settings units snapshot ksm
fuzz_record_LIBS = $(JSON_LIBS) $(INI_LIBS)
REPLAYS = $(FUZZ:fuzz_%=replay_%)

.PHONY: $(TESTS:%=run_%) $(REPLAYS:%=run_%)
.PHONY: all check bench bench-policy e2e sanitize fuzz valgrind coverage analyze format check-format install uninstall deb clean help

# The simulator runs the program's own decision and cycle; of libvirt there is nothing in it.
SIM_LINKS = policy coordinator kept reservation config settings report record json_out log pace snapshot units ksm
SIM_LIBS = $(INI_LIBS) $(JSON_LIBS) -lm
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

$(BUILD)/tests/fuzz/%.o: tests/fuzz/%.c Makefile | $(BUILD)/tests/fuzz
	$(CC) $(MC_CFLAGS) $(CHECK_CFLAGS) -Itests -Itests/sim $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/sim: $(SIM_OBJECTS)
	$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(SIM_LIBS) $(LDLIBS)

$(BUILD) $(BUILD)/tests $(BUILD)/tests/sim $(BUILD)/tests/fuzz:
	mkdir -p $@

define TEST_RULE
$(BUILD)/tests/$(1): $(BUILD)/tests/$(1).o $(BUILD)/tests/support.o $(BUILD)/tests/splitmix.o \
		$(patsubst %,$(BUILD)/%.o,$($(1)_LINKS))
	$$(CC) $$(CFLAGS) $$(SANITIZE) $$(LDFLAGS) -o $$@ $$^ $$(CHECK_LIBS) $($(1)_LIBS) $$(LDLIBS)
endef
$(foreach test,$(TESTS),$(eval $(call TEST_RULE,$(test))))

define FUZZ_RULE
$(BUILD)/tests/fuzz/fuzz_$(1): $(BUILD)/tests/fuzz/fuzz_$(1).o $(patsubst %,$(BUILD)/%.o,$(fuzz_$(1)_LINKS))
	$$(CC) $$(CFLAGS) $$(SANITIZE) -fsanitize=fuzzer $$(LDFLAGS) -o $$@ $$^ $(fuzz_$(1)_LIBS) $$(LDLIBS)

$(BUILD)/tests/fuzz/replay_$(1): $(BUILD)/tests/fuzz/fuzz_$(1).o $(BUILD)/tests/fuzz/replay.o \
		$(BUILD)/tests/support.o $(patsubst %,$(BUILD)/%.o,$(fuzz_$(1)_LINKS))
	$$(CC) $$(CFLAGS) $$(SANITIZE) $$(LDFLAGS) -o $$@ $$^ $$(CHECK_LIBS) $(fuzz_$(1)_LIBS) $$(LDLIBS)
endef
$(foreach target,$(FUZZ:fuzz_%=%),$(eval $(call FUZZ_RULE,$(target))))

# A busy machine is no failure: libcheck gives a test 4 s by itself.
check: export CK_DEFAULT_TIMEOUT ?= 120
check: $(TESTS:%=run_%) $(REPLAYS:%=run_%) ## run the unit tests

$(TESTS:%=run_%): run_%: $(BUILD)/tests/%
	@$(RUNNER) ./$<

$(REPLAYS:%=run_%): run_%: $(BUILD)/tests/fuzz/%
	@$(RUNNER) ./$<

e2e: all ## run the tests on real guests
	scripts/e2e

BENCH_TOOLS = $(BUILD)/tests/bench_loop $(BUILD)/tests/bench_calls.so

bench: all $(BUILD)/tests/bench_policy $(BENCH_TOOLS) ## what a decision costs, and a cycle beside others'
	$(BUILD)/tests/bench_policy
	scripts/bench $(BENCH_FLAGS)

$(BUILD)/tests/bench_loop: $(BUILD)/tests/bench_loop.o
	$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs libvirt) $(LDLIBS)

$(BUILD)/tests/bench_calls.so: tests/bench_calls.c Makefile | $(BUILD)/tests
	$(CC) $(MC_CFLAGS) $(CPPFLAGS) $(CFLAGS) -fPIC -shared -o $@ $< -ldl

# A coordinator's state without a coordinator, for the commands that ask.
$(BUILD)/tests/write_state: $(BUILD)/tests/write_state.o $(BUILD)/tests/sample.o \
		$(patsubst %,$(BUILD)/%.o,clock record json_out state_dir atomic_file whole snapshot policy ksm)
	$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(JSON_LIBS) $(LDLIBS)

$(BUILD)/tests/bench_policy: $(BUILD)/tests/bench_policy.o $(BUILD)/tests/splitmix.o $(BUILD)/policy.o
	$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(LDLIBS)

bench-policy: $(BUILD)/sim ## all scenarios by us, the reactive floor and the peers' laws, judged
	scripts/scoresheet --sim $< -o $(BUILD)/scoresheet.md

sanitize: ## the unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
	ASAN_OPTIONS=allocator_may_return_null=1 $(MAKE) BUILD=$(BUILD)/sanitize \
		CFLAGS='-O1 -g -fno-omit-frame-pointer' SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all' check

# FUZZ_RUNS=N instead of the time: so many executions of each target.
FUZZ_SECONDS ?= 60
FUZZ_RUNS ?=
FUZZ_LIMIT = $(if $(FUZZ_RUNS),-runs=$(FUZZ_RUNS),-max_total_time=$(FUZZ_SECONDS))

fuzz: ## search for inputs that do harm: FUZZ_SECONDS or FUZZ_RUNS for each target
	$(MAKE) -k BUILD=$(BUILD)/fuzz CC=$(CLANG) CFLAGS='-O1 -g -fno-omit-frame-pointer' \
		SANITIZE='-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all' $(FUZZ:%=run_%)

# What it finds to be new stays in the build directory; what does harm is named there, for the corpus.
run_fuzz_%: $(BUILD)/tests/fuzz/fuzz_%
	mkdir -p $(BUILD)/corpus/$*
	$< $(FUZZ_LIMIT) -max_len=4096 -timeout=10 -verbosity=0 -print_final_stats=1 \
		-artifact_prefix=$(BUILD)/$*- $(BUILD)/corpus/$* tests/fuzz/corpus/$*

valgrind: ## the unit tests under valgrind
	CK_FORK=no $(MAKE) check RUNNER='valgrind -q --error-exitcode=9 --leak-check=full'

coverage: ## what of each file the unit tests reach; at least COVERAGE_LEAST percent of what decides and reads
	scripts/coverage $(BUILD)/coverage $(COVERAGE_LEAST)

COVERAGE_LEAST ?= 95

# gcc 12 takes memory for lost that is kept in an array of structures; AddressSanitizer finds real leaks. clang 14 does
# not see that va_start() fills a va_list. Names used in one branch only are declared at a function's head all the same.
analyze: ## static analysis by gcc, clang-tidy, cppcheck and clang's analyzer
	$(MAKE) BUILD=$(BUILD)/analyze CFLAGS='-O2 -fanalyzer -Wno-analyzer-malloc-leak -Werror' \
		$(patsubst src/%.c,$(BUILD)/analyze/%.o,$(wildcard src/*.c))
	printf '%s\n' $(wildcard src/*.c) | xargs -P "$$(nproc)" -I{} clang-tidy --quiet {} -- $(filter-out -MMD -MP,$(MC_CFLAGS))
	cppcheck -j "$$(nproc)" --quiet --error-exitcode=1 --std=c11 --enable=warning,style,performance,portability \
		--suppress=variableScope -D_GNU_SOURCE -DMC_VERSION='"$(VERSION)"' -Iinclude src
	scan-build --status-bugs -disable-checker valist.Uninitialized --use-cc=$(CLANG) -o $(BUILD)/scan \
		$(MAKE) BUILD=$(BUILD)/scan $(patsubst src/%.c,$(BUILD)/scan/%.o,$(wildcard src/*.c))

SOURCES = $(wildcard src/*.c include/*.h tests/*.c tests/*.h tests/sim/*.c tests/sim/*.h tests/fuzz/*.c tests/fuzz/*.h \
	scripts/guest/*.c scripts/lib/*.c)

format: ## lay the C sources out
	$(CLANG_FORMAT) -i $(SOURCES)

check-format: ## fail where that would change something
	$(CLANG_FORMAT) --dry-run --Werror $(SOURCES)

install: all ## copy program, man page, completions, example, unit, hook, alert rules and dashboard
	$(INSTALL) -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(DOCDIR) \
		$(DESTDIR)$(SYSTEMDUNITDIR) $(DESTDIR)$(SYSUSERSDIR) $(DESTDIR)$(BASHCOMPDIR) $(DESTDIR)$(ZSHCOMPDIR) \
		$(DESTDIR)$(DATADIR)/prometheus $(DESTDIR)$(DATADIR)/grafana $(DESTDIR)$(DATADIR)/hooks
	$(INSTALL) -m 755 memory_coordinator $(DESTDIR)$(SBINDIR)/
	$(INSTALL) -m 644 src/man/memory_coordinator.8 $(DESTDIR)$(MANDIR)/man8/
	$(INSTALL) -m 644 src/memory_coordinator.conf $(DESTDIR)$(DOCDIR)/
	$(INSTALL) -m 644 src/completion/memory_coordinator.bash $(DESTDIR)$(BASHCOMPDIR)/memory_coordinator
	$(INSTALL) -m 644 src/completion/_memory_coordinator $(DESTDIR)$(ZSHCOMPDIR)/
	$(INSTALL) -m 644 src/prometheus/memory_coordinator.rules.yml src/prometheus/federate.yml \
		$(DESTDIR)$(DATADIR)/prometheus/
	$(INSTALL) -m 644 src/grafana/memory_coordinator.json $(DESTDIR)$(DATADIR)/grafana/
	$(INSTALL) -m 755 scripts/hooks/qemu $(DESTDIR)$(DATADIR)/hooks/
	$(INSTALL) -m 644 src/systemd/memory_coordinator.sysusers $(DESTDIR)$(SYSUSERSDIR)/memory_coordinator.conf
	sed 's|@SBINDIR@|$(SBINDIR)|' src/systemd/memory_coordinator.service > $(BUILD)/memory_coordinator.service
	$(INSTALL) -m 644 $(BUILD)/memory_coordinator.service $(DESTDIR)$(SYSTEMDUNITDIR)/

uninstall: ## remove them
	$(RM) $(DESTDIR)$(SBINDIR)/memory_coordinator $(DESTDIR)$(MANDIR)/man8/memory_coordinator.8 \
		$(DESTDIR)$(DOCDIR)/memory_coordinator.conf $(DESTDIR)$(SYSUSERSDIR)/memory_coordinator.conf \
		$(DESTDIR)$(SYSTEMDUNITDIR)/memory_coordinator.service \
		$(DESTDIR)$(BASHCOMPDIR)/memory_coordinator $(DESTDIR)$(ZSHCOMPDIR)/_memory_coordinator \
		$(DESTDIR)$(DATADIR)/prometheus/memory_coordinator.rules.yml \
		$(DESTDIR)$(DATADIR)/prometheus/federate.yml \
		$(DESTDIR)$(DATADIR)/grafana/memory_coordinator.json \
		$(DESTDIR)$(DATADIR)/hooks/qemu

# In a tree of its own, since a package is built from debian/ at the top, and without this make's variables. Its
# files have the date of the changelog: the same sources give the same bytes.
DEB_TREE = $(BUILD)/deb/memory-coordinator-$(VERSION)
deb: ## build/*.deb, the Debian package
	$(RM) -r $(BUILD)/deb $(BUILD)/memory-coordinator*.deb
	mkdir -p $(DEB_TREE)/scripts
	cp -R Makefile LICENSE README.md include src tests $(DEB_TREE)/
	cp -R scripts/hooks $(DEB_TREE)/scripts/
	mv $(DEB_TREE)/src/debian $(DEB_TREE)/debian
	sed -i 's/@VERSION@/$(VERSION)/' $(DEB_TREE)/debian/changelog
	cd $(DEB_TREE) && env -i PATH="$$PATH" HOME="$$HOME" LC_ALL=C.UTF-8 \
		DEB_BUILD_OPTIONS="$(DEB_BUILD_OPTIONS)" dpkg-buildpackage --build=binary --no-sign
	cp $(BUILD)/deb/memory-coordinator_*.deb $(BUILD)/

clean: ## remove what was built
	$(RM) -r $(BUILD) memory_coordinator

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

-include $(wildcard $(BUILD)/*.d $(BUILD)/tests/*.d $(BUILD)/tests/sim/*.d $(BUILD)/tests/fuzz/*.d)
