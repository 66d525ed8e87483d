#: make              build the programs into build/bin
#: make lib          the library libunclip.so, .a and unclip.pc in build/library (make builds them, too)
#: make deps         install what is missing to build and test: as root with apt-get, else print how
#: make vocab        fetch OpenAI's vocabulary, which weights without one need for texts
#: make demo         build; sentences become pictures, a directory is classified: demo/index.html
#: make check        build; run every test
#: make lint         compile with -Werror by gcc and clang; check layers, symbols, manual pages and scripts
#: make check-threads, make fuzz
#:                   run the threaded tests under ThreadSanitizer; run each fuzzer for FUZZ_TIME seconds
#: make check-cluster
#:                   run the recipes for many machines on a real sshd and a real slurmd of this machine
#: make check-arm64  cross-compile what needs only the C library for arm64; run its tests by qemu
#: make bench        measure
#: make install, make install-strip, make uninstall
#:                   programs, library, manual pages, completions and the model in the box, in PREFIX (/usr/local), below
#:                   DESTDIR
#: make clean        remove what was built
#:
#: Variables are set on the command line or in config.mk: CC, CFLAGS, PREFIX, PKG_CONFIG, ...
#: SAN=address,undefined (or thread) builds with sanitizers, in a directory of its own.
#: KERNELS=c leaves out the kernels of this machine (AVX2 and so on), in a directory of its own.
#: Nothing but `make deps` ever installs a package.

PREFIX   = /usr/local
BINDIR   = $(PREFIX)/bin
MANDIR   = $(PREFIX)/share/man
DATADIR  = $(PREFIX)/share
COMPDIR  = $(PREFIX)/share
LIBDIR   = $(PREFIX)/lib
INCDIR   = $(PREFIX)/include
CC       = cc
CFLAGS   = -O2 -g
MANDOC   = mandoc
PKG_CONFIG = pkg-config
INSTALL_PROGRAM = install
OBJCOPY  = objcopy
VERSION  = 0.2
-include config.mk

WARN     = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wdouble-promotion \
           -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wcast-align \
           -Wformat=2 -Wpointer-arith -Wwrite-strings -Wundef -Wvla
comma    = ,
SANS     = $(subst $(comma), ,$(SAN))
B        = build$(if $(SAN),-$(firstword $(SANS)))$(if $(filter c,$(KERNELS)),-c)

# What files say of themselves, in their first line:
#   /* flags: -idirafter DIR */     it is compiled with these flags
#   /* flags x86_64: -mavx2 */      the same; it holds kernels of that machine and is left out elsewhere
#   /* threads */                   check-threads runs this unit test
#   /* double */                    this unit test is linked with networks of double (tests/double.h)
#   /* allocates: WHAT */           it may call malloc (lint)
FILE_FLAGS = $(shell sed -n '1s|^/\* flags\( [a-z0-9_]*\)\{0,1\}: \(.*\) \*/$$|\2|p' $<)
MACHINE := $(if $(filter c,$(KERNELS)),none,$(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>/dev/null))))
FOREIGN := $(filter-out $(shell grep -l '^/\* flags $(MACHINE):' lib/*/*.c),$(shell grep -lE '^/\* flags [a-z0-9_]+:' lib/*/*.c))
THREADED = $(basename $(notdir $(shell grep -lx '/\* threads \*/' tests/unit/*.c)))
DOUBLED  = $(basename $(notdir $(shell grep -lx '/\* double \*/' tests/unit/*.c)))
WRAPS    = $(basename $(notdir $(shell grep -lE '^/\* allocates: .* \*/$$' formats/*/*.c tools/stage/*.c)))
BLIS     = blis
have     = $(shell $(PKG_CONFIG) --exists $1 2>/dev/null && echo $1)
MSGPACK := $(or $(call have,msgpack-c),msgpack)
PKGS     = $(MSGPACK) jansson libutf8proc yaml-0.1 zlib libxxhash libjpeg libpng
OPTPKGS := $(foreach p,libwebp libheif libtiff-4 freetype2,$(call have,$p))
PKGC    := $(shell $(PKG_CONFIG) --cflags $(PKGS) $(OPTPKGS) 2>/dev/null)
PKGL    := $(filter-out -lheif -ltiff -lfreetype,$(shell $(PKG_CONFIG) --libs $(PKGS) $(OPTPKGS) 2>/dev/null))
# Programs do not depend on where they are built: debug information names files from the top of the repository.  The compiler
# takes its directory from $PWD, which may lead there through a symbolic link.
export PWD := $(CURDIR)
PLACE    = '-ffile-prefix-map=$(CURDIR)=.'
ALL      = -std=c11 -D_POSIX_C_SOURCE=200809L -I. -MMD -MP $(WARN) $(PKGC) \
           $(foreach p,$(BLIS) $(OPTPKGS),-DHAVE_$(shell echo $p | tr a-z- A-Z_)) \
           -DKERNELS_$(MACHINE) \
           -DUNCLIP_PROGRAMS_INC='"$B/programs.inc"' \
           -DUNCLIP_VERSION='"$(VERSION)"' -DUNCLIP_DATADIR='"$(DATADIR)"' $(PLACE) \
           -ffp-contract=off -fno-common -fPIC -fvisibility=hidden -pthread
LDLIBS   = $(PKGL) $(BLIS:%=-l%) -lm
ifdef SAN
ALL     += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

TOOLS    = $(basename $(notdir $(wildcard tools/*.c)))
UNITS    = $(basename $(notdir $(wildcard tests/unit/*.c)))
FUZZERS  = $(basename $(notdir $(wildcard tests/fuzz/*.c)))
AIDS     = $(basename $(notdir $(wildcard tests/*.c)))
BENCHES  = $(basename $(notdir $(wildcard bench/*.c)))
BATS     = $(wildcard tests/cli/*.bats)
# The tests that take longest start first, so that at the end no processor waits for one of them.
LONG     = docs.bats emoji.bats dalle.bats glide.bats rank.bats unclip.bats hostile.bats clip_golden vq clip_grad gpt conv linear logreg transformer
first    = $(foreach t,$(LONG),$(filter %/$t,$1)) $(filter-out $(LONG:%=\%/%),$1)
PAGES    = $(wildcard man/*.[1357])
SOURCES  = $(sort $(wildcard lib/*/*.c formats/*/*.c tools/stage/*.c api/*.c))
CORE     = $(patsubst %.c,$B/%.o,$(filter-out $(FOREIGN),$(SOURCES)))
NETWORKS = $(filter-out %_fingerprint.c,$(wildcard lib/layer/*.c lib/net/clip*.c lib/net/vit*.c lib/net/resnet*.c lib/net/vq*.c)) lib/base/tensor.c \
           lib/kernel/kern.c lib/kernel/kern_c.c lib/kernel/packed.c lib/kernel/panel.c
COMMON   = $(patsubst %.c,$B/%.o,$(sort $(wildcard tools/common/*.c)))
OBJ      = $(CORE) $(COMMON) $(patsubst %.c,$B/%.o,$(wildcard tools/*.c tests/unit/*.c tests/fuzz/*.c tests/*.c bench/*.c))
BINS     = $(TOOLS:%=$B/bin/%)

all: $(BINS) lib

$B/%.o: %.c $B/flags
	@mkdir -p $(@D)
	$(CC) $(ALL) $(CPPFLAGS) $(CFLAGS) $(FILE_FLAGS) -c -o $@ $<

# The names of the programs, and what each does: from the manual pages.
$B/programs.inc: $(sort $(wildcard man/*.1))
	@mkdir -p $(@D)
	@for p in $^; do n=$${p##*/}; sed -n "s/\\\\//; s/^\.Nd \(.*\)/    {\"$${n%.1}\", \"\1\"},/p" $$p; done >$@
$B/tools/common/programs.o: $B/programs.inc

$B/core.a: $(CORE)
	rm -f $@
	$(AR) rcD $@ $^

LINK     = @mkdir -p $(@D); echo $(CC) -o $@; $(CC) $(ALL) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BINS): $B/bin/%: $B/tools/%.o $(COMMON) $B/core.a
	$(LINK)
$(patsubst %,$B/unit/%,$(filter-out $(DOUBLED),$(UNITS))): $B/unit/%: $B/tests/unit/%.o $B/core.a
	$(LINK)
$(DOUBLED:%=$B/unit/%): $B/unit/%: $B/double/tests/unit/%.o $(NETWORKS:%.c=$B/double/%.o) $B/core.a
	$(LINK)
# Warnings are those of the first compilation.
$B/double/%.o: %.c tests/double.h $B/flags
	@mkdir -p $(@D)
	$(CC) $(filter-out -DKERNELS_% -DHAVE_BLIS,$(ALL)) -include tests/double.h -w $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
$(AIDS:%=$B/tests/%): $B/tests/%: $B/tests/%.o $B/core.a
	$(LINK)
$(BENCHES:%=$B/bench/%): $B/bench/%: $B/bench/%.o $B/core.a
	$(LINK)
$(FUZZERS:%=$B/fuzz/%): $B/fuzz/%: $B/tests/fuzz/%.o $B/core.a
	@mkdir -p $(@D)
	$(CC) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LDLIBS) -pthread

# The library is made of the programs' objects: with -fPIC and hidden symbols the programs are as fast as without (0.3 % of
# processor time, bench/NOTES.md).  Only what api/unclip.h declares is visible in it.
API      = $(patsubst %.c,$B/%.o,$(sort $(wildcard api/*.c)))
SONAME   = libunclip.so.$(firstword $(subst ., ,$(VERSION)))
LIBS     = $B/library/libunclip.so.$(VERSION) $B/library/libunclip.a $B/library/unclip.pc
lib: $(LIBS)
$B/library/libunclip.so.$(VERSION): $(API) $B/core.a api/unclip.map
	@mkdir -p $(@D)
	$(CC) $(ALL) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=api/unclip.map -o $@ $(API) $B/core.a $(LDLIBS)
	@ln -sf $(@F) $(@D)/$(SONAME)
	@ln -sf $(SONAME) $(@D)/libunclip.so
$B/library/libunclip.a: $(API) $B/core.a
	@mkdir -p $(@D)
	$(CC) -r -nostdlib -o $(@D)/unclip.o $(API) $B/core.a
	$(OBJCOPY) --localize-hidden $(@D)/unclip.o
	@rm -f $@
	@$(AR) rcD $@ $(@D)/unclip.o
	@rm $(@D)/unclip.o
# Written again when PREFIX or another variable that it holds changes.
$B/library/unclip.pc: api/unclip.pc.in FORCE
	@mkdir -p $(@D)
	@sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@INCDIR@|$(INCDIR)|; s|@DATADIR@|$(DATADIR)|; s|@VERSION@|$(VERSION)|; s|@LIBS@|$(LDLIBS)|' $< >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
# The example in C is linked as a program of somebody else is.
$B/tests/unclip-label: examples/unclip-label.c api/unclip.h $B/library/libunclip.so.$(VERSION)
	@mkdir -p $(@D)
	$(CC) -std=c99 $(WARN) $(SAN:%=-fsanitize=%) -Iapi $(CFLAGS) $(LDFLAGS) -o $@ $< -L$B/library -lunclip -Wl,-rpath,'$$ORIGIN/../library'

# Rebuild when the compiler or its flags change.
$B/flags: FORCE
	@[ -e $@ ] && $(PKG_CONFIG) --exists $(PKGS) || $(NEEDS) build
	@mkdir -p $(@D)
	@echo '$(CC) $(subst ','\'',$(ALL)) $(CPPFLAGS) $(CFLAGS)' | cmp -s - $@ || \
	    echo '$(CC) $(subst ','\'',$(ALL)) $(CPPFLAGS) $(CFLAGS)' >$@

# What is missing, by the table in .ci/needs; DEPS are the groups that `make deps` installs.
DEPS     = build image check
NEEDS    = CC='$(CC)' CPPFLAGS='$(CPPFLAGS)' PKG_CONFIG='$(PKG_CONFIG)' .ci/needs
deps:
	@$(NEEDS) -i $(DEPS)

vocab:
	@.ci/vocab

# The main job on real input.
demo:
	@$(NEEDS) build
	@$(MAKE) --no-print-directory -j2 all >/dev/null
	@BIN=$B/bin sh examples/demo.sh

check:
	@$(NEEDS) build check
	@$(MAKE) --no-print-directory -j2 all units aids >/dev/null
	@BIN=$(abspath $B/bin) AID=$(abspath $B/tests) tests/run $B/tap $(call first,$(UNITS:%=$B/unit/%) $(BATS))
units: $(UNITS:%=$B/unit/%)
aids: $(AIDS:%=$B/tests/%) $B/tests/unclip-label

# Under ThreadSanitizer: what uses threads.
check-threads:
	@$(MAKE) --no-print-directory -j2 SAN=thread B=build-thread $(THREADED:%=build-thread/unit/%) >/dev/null
	@tests/run build-thread/tap $(call first,$(THREADED:%=build-thread/unit/%))

# With openssh-server, slurm-wlm and parallel; what is not installed is skipped.
check-cluster:
	@$(MAKE) --no-print-directory -j2 all >/dev/null
	@BIN=$(abspath $B/bin) tests/run $B/tap-cluster tests/cluster/cluster.bats

# For another machine: what includes nothing but lib/ and needs nothing but the C library.
BEYOND   = $(shell grep -lE '\#include <(blis|utf8proc|xxhash)\.h>' lib/*/*.c)
PORTABLE = $(basename $(notdir $(shell grep -LE '\#include ("(api|formats|tools|lib/text|lib/net/clip|tests/golden_|tests/unit)|<(jansson|zlib|xxhash|utf8proc))' tests/unit/*.c)))
CROSS    = CC=aarch64-linux-gnu-gcc B=build-arm64 LDFLAGS=-static SOURCES='$(filter-out $(BEYOND),$(wildcard lib/*/*.c))' BLIS= OPTPKGS= PKG_CONFIG=: NEEDS=:
check-arm64:
	@if $(NEEDS) arm64; then \
	    $(MAKE) --no-print-directory -j2 $(CROSS) portable >/dev/null && \
	    UNDER=qemu-aarch64 tests/run build-arm64/tap $(call first,$(PORTABLE:%=build-arm64/unit/%)); \
	else echo 'check-arm64 is skipped'; echo '0 passed, 0 failed, 1 skipped'; fi
portable: $(PORTABLE:%=$B/unit/%)

# Each parser for FUZZ_TIME seconds, two at a time, from its corpus; what is new stays in build-fuzz/corpus.
# Then the programs, built with ASan and UBSan, for as long on hostile records.
FUZZ_TIME = 60
fuzz:
	@$(NEEDS) build check lint
	@$(MAKE) --no-print-directory -j2 CC=clang SAN=fuzzer-no-link,address,undefined B=build-fuzz fuzzers >/dev/null
	@printf '%s\n' $(FUZZERS) | xargs -P 2 -I '{}' sh tests/fuzz/run build-fuzz '{}' $(FUZZ_TIME)
	@$(MAKE) --no-print-directory -j2 SAN=address,undefined B=build-address all build-address/tests/make_karlo build-address/tests/make_model build-address/tests/make_glide >/dev/null
	@python3 tests/stress/hostile.py build-address/bin $(FUZZ_TIME)
fuzzers: $(FUZZERS:%=$B/fuzz/%)

bench: all
	@$(MAKE) --no-print-directory $(BENCHES:%=$B/bench/%) >/dev/null
	@BIN=$B/bin BENCH=$B/bench sh bench/run.sh

# Layers: lib includes lib, formats adds formats; neither exits nor prints; lib does no I/O and
# neither allocates, except files that wrap a library and say so.  clang warns before it optimises, gcc after.
lint:
	@$(NEEDS) build image lint
	@$(MAKE) --no-print-directory -j2 B=build-lint CFLAGS='-O2 -g -Werror' all units aids $(CORE:$B/%=build-lint/%) >/dev/null
	@$(MAKE) --no-print-directory -j2 B=build-clang CC=clang CFLAGS='-O0 -Werror' all units aids >/dev/null
	@tests/layers
	@! nm -uA build-lint/lib/*/*.o build-lint/formats/*/*.o build-lint/tools/stage/*.o build-lint/api/*.o | grep -wE 'exit|_exit|abort|printf|fprintf|puts|putchar|stdout|stderr|getenv|setenv'
	@! nm -uA build-lint/lib/*/*.o | grep -wE 'malloc|calloc|realloc|free|fopen|fread|fwrite|open|read|write|mmap|setlocale'
	@! nm -uA build-lint/formats/*/*.o build-lint/tools/stage/*.o build-lint/api/*.o | grep -wE 'malloc|calloc|realloc' | grep -vE '/($(subst $() ,|,$(WRAPS)))\.o:'
	@for o in $(WRAPS); do nm -u build-lint/*/*/$$o.o | grep -qwE 'malloc|calloc|realloc' || { echo "$$o does not allocate"; exit 1; }; done
	@! command -v python3 >/dev/null || python3 lib/text/text_tables.py | cmp - lib/text/text_tables.c
	@$(MANDOC) -Tlint -Wwarning $(PAGES)
	@shellcheck -x -S warning -e SC2154 tests/run tests/layers tests/fuzz/run .ci/run .ci/needs .ci/vocab .ci/completions $(wildcard examples/*.sh bench/*.sh tests/*/*.sh) $(BATS) tests/cli/earlier.bash tests/cluster/cluster.bats
	@echo lint: clean

# Completions of bash, zsh and fish, from the options that the programs print.
completions: all
	@.ci/completions $B/bin $B/completions

SHARE    = $(DESTDIR)$(DATADIR)/unclip
install: completions lib
	mkdir -p $(DESTDIR)$(BINDIR) $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man3 $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man7 $(SHARE)
	$(INSTALL_PROGRAM) -m 755 $(BINS) $(DESTDIR)$(BINDIR)
	for p in $(PAGES); do install -m 644 $$p $(DESTDIR)$(MANDIR)/man$${p##*.}; done
	mkdir -p $(DESTDIR)$(COMPDIR)/bash-completion/completions $(DESTDIR)$(COMPDIR)/zsh/site-functions $(DESTDIR)$(COMPDIR)/fish/vendor_completions.d
	for p in $(TOOLS); do install -m 644 $B/completions/bash/unclip $(DESTDIR)$(COMPDIR)/bash-completion/completions/$$p; done
	install -m 644 $B/completions/zsh/_unclip $(DESTDIR)$(COMPDIR)/zsh/site-functions
	install -m 644 $B/completions/fish/*.fish $(DESTDIR)$(COMPDIR)/fish/vendor_completions.d
	mkdir -p $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCDIR)
	install -m 644 $B/library/libunclip.so.$(VERSION) $B/library/libunclip.a $(DESTDIR)$(LIBDIR)
	ln -sf libunclip.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libunclip.so
	install -m 644 $B/library/unclip.pc $(DESTDIR)$(LIBDIR)/pkgconfig
	install -m 644 api/unclip.h $(DESTDIR)$(INCDIR)
	rm -rf $(SHARE)/emoji
	cp -R examples/emoji $(SHARE)/emoji
	rm -rf $(SHARE)/emoji/train

install-strip:
	@$(MAKE) --no-print-directory INSTALL_PROGRAM='$(INSTALL_PROGRAM) -s' install

uninstall:
	rm -f $(TOOLS:%=$(DESTDIR)$(BINDIR)/%)
	for p in $(notdir $(PAGES)); do rm -f $(DESTDIR)$(MANDIR)/man$${p##*.}/$$p; done
	rm -f $(TOOLS:%=$(DESTDIR)$(COMPDIR)/bash-completion/completions/%) $(DESTDIR)$(COMPDIR)/zsh/site-functions/_unclip
	rm -f $(TOOLS:%=$(DESTDIR)$(COMPDIR)/fish/vendor_completions.d/%.fish)
	rm -f $(DESTDIR)$(LIBDIR)/libunclip.so $(DESTDIR)$(LIBDIR)/$(SONAME) $(DESTDIR)$(LIBDIR)/libunclip.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libunclip.a
	rm -f $(DESTDIR)$(LIBDIR)/pkgconfig/unclip.pc $(DESTDIR)$(INCDIR)/unclip.h
	rm -rf $(SHARE)/emoji
	rmdir $(SHARE) 2>/dev/null || true

help:
	@sed -n 's/^#: \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

clean:
	rm -rf build build-* demo

-include $(OBJ:.o=.d) $(patsubst %.c,$B/double/%.d,$(NETWORKS) $(DOUBLED:%=tests/unit/%.c))
.PHONY: all lib help deps vocab completions demo check units aids check-threads check-cluster check-arm64 portable fuzz fuzzers bench lint install install-strip uninstall clean FORCE
