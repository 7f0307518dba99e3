# The commands of the project. `make demo` and `make test` are all that a newcomer needs.

SWIFT ?= swift
# The product carries the runtimes of Swift and C++ in itself, so that one file can be copied to a gateway machine. From a
# folder that has only the archive of the latter, the linker takes that.
PRODUCT = $(CURDIR)/.build/release/gwnode
ARCHIVES = $(CURDIR)/.build/archives
# lld packs the relocations, of which there are a megabyte otherwise, read at every start; nothing is loaded that would look
# for symbols of ours.
LINKER = -Xswiftc -use-ld=lld -Xlinker -z -Xlinker pack-relative-relocs -Xlinker --no-export-dynamic
BUILD_FLAGS = -c release --static-swift-stdlib --product gwnode -Xlinker -L$(ARCHIVES) $(LINKER)
# Tests run optimised, as the product does, in a folder of their own: their flags differ from the product's.
TEST_FLAGS = -c release --scratch-path .build-tests
PREFIX ?= /usr/local
BASE_PORT ?= 8080
FUZZ_SECONDS ?= 60
SEEDS ?= 1000000000
SECONDS ?= 600

.PHONY: help deps build demo test lint fuzz sanitize soak mutants format docs/configuration.md deb install clean

help:
	@echo "make demo     a three-node cluster on this machine, with sample backends (BASE_PORT=8080)"
	@echo "make test     every test that needs no special right"
	@echo "make build    the gwnode binary, at .build/release/gwnode"
	@echo "make lint     formatting and repository rules"
	@echo "make fuzz     all that reads bytes from outside, under libFuzzer (FUZZ_SECONDS=60 a target)"
	@echo "make sanitize the tests in this process with the address and the thread sanitizer"
	@echo "make soak     simulated clusters, seed after seed (SEEDS=… SECONDS=600)"
	@echo "make mutants  classic bugs put into a copy of the core and of spreading; the simulators have to find each"
	@echo "make deps     what must be installed (Debian 12; needs root)"
	@echo "make deb      a Debian package, in .build/packages"
	@echo "make install  binary, systemd unit, manual page and completions below PREFIX (/usr/local)"

# What a fresh Debian 12 lacks; Swift 6.3 itself comes from swift.org.
deps:
	.ci/install-dependencies

build:
	mkdir -p $(ARCHIVES)
	ln -sf $$(clang -print-file-name=libstdc++.a) $(ARCHIVES)/libstdc++.a
	$(SWIFT) build $(BUILD_FLAGS)

demo: build
	$(PRODUCT) demo --base-port $(BASE_PORT)

# Tests of real processes come last and by themselves: they time failovers, for which they need the machine.
test: build
	$(SWIFT) test $(TEST_FLAGS) --skip "ClusterTests|NetworkTests"
	$(MAKE) mutants
	GWNODE_ENGINE=epoll $(SWIFT) test $(TEST_FLAGS) --skip-build --filter "GatewayTests.*(Flow|Departure|Failover|Tunnel|Chaos|WorkerPool|ClientPolicy|Allocation)Tests"
	GWNODE_WHOLE_BUFFERS=1 $(SWIFT) test $(TEST_FLAGS) --skip-build --filter "GatewayTests.*(Engine|Flow|Tunnel)Tests"
	GWNODE_TEST_TLS=1 $(SWIFT) test $(TEST_FLAGS) --skip-build --filter "GatewayTests.*(Flow|Failover|Tunnel|ClientPolicy)Tests" \
		--skip requestsComeThroughOrAreRefused
	GWNODE_BINARY=$(PRODUCT) $(SWIFT) test $(TEST_FLAGS) --skip-build --no-parallel --filter "ClusterTests|NetworkTests"
	GWNODE_ENGINE=epoll GWNODE_BINARY=$(PRODUCT) $(SWIFT) test $(TEST_FLAGS) --skip-build --no-parallel --filter ClusterTests \
		--skip RegistrationTests
	Tests/NetworkTests/random-faults $(PRODUCT)
	Tests/Moves/run $(PRODUCT) --count 8 --seed 49
	Tests/Moves/run $(PRODUCT) --spread --count 3 --seed 4 --only drain --only kill
	Tests/Upgrade/run $(PRODUCT) --lab
	Tests/API/run $(PRODUCT)
	Tests/TLS/run $(PRODUCT)
	Tests/Browser/run $(PRODUCT)
	package=$$(packaging/debian/build $(PRODUCT) .build/packages) && \
		Tests/Packaging/run $$package && Tests/Packaging/quick-start $$package

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests

fuzz:
	Tests/Fuzz/run $(FUZZ_SECONDS)
	Tests/Fuzz/run-raft $(FUZZ_SECONDS)
	Tests/Differential/run

# What the Swift runtime keeps for ever would count as leaked.
sanitize:
	ASAN_OPTIONS=detect_leaks=0 $(SWIFT) test --sanitize=address --scratch-path .build-address \
		--skip "ClusterTests|NetworkTests"
	$(SWIFT) test --sanitize=thread -Xswiftc -DTHREAD_SANITIZER --scratch-path .build-thread \
		--skip "ClusterTests|NetworkTests"

soak:
	$(SWIFT) run $(TEST_FLAGS) soak --seeds $(SEEDS) --seconds $(SECONDS)

mutants:
	$(SWIFT) run $(TEST_FLAGS) write-mutants $(CURDIR) $(CURDIR)/.build-mutants
	$(SWIFT) build -c release --package-path .build-mutants --product hunt
	.build-mutants/.build/release/hunt list | xargs -n 1 -P $$(nproc) .build-mutants/.build/release/hunt

format:
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests

# The configuration reference is made from the schema; a test compares the two.
docs/configuration.md: build
	$(PRODUCT) reference > $@

deb: build
	packaging/debian/build $(PRODUCT) .build/packages

# The unit starts the binary that this puts in place.
install: build
	install -D -m 0755 $(PRODUCT) $(DESTDIR)$(PREFIX)/bin/gwnode
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/share/man/man1 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions \
		$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	sed 's|/usr/bin/gwnode|$(PREFIX)/bin/gwnode|' cluster-configs/production/gwnode.service \
		> $(DESTDIR)$(PREFIX)/lib/systemd/system/gwnode.service
	$(PRODUCT) manual > $(DESTDIR)$(PREFIX)/share/man/man1/gwnode.1
	$(PRODUCT) completions bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/gwnode
	$(PRODUCT) completions zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_gwnode
	$(PRODUCT) completions fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/gwnode.fish

clean:
	rm -rf .build .build-tests .build-mutants .build-address .build-thread .build-python
