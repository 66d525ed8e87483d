# make, make check, make bench, make lint, make install; config.mk overrides.
# SAN=address,undefined (or thread) builds beside the normal objects.

PREFIX   = /usr/local
BINDIR   = $(PREFIX)/bin
MANDIR   = $(PREFIX)/share/man
DATADIR  = $(PREFIX)/share
CC       = cc
CFLAGS   = -O2 -g
PROVE    = prove
MANDOC   = mandoc
VERSION  = 0.1
-include config.mk

WARN     = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wdouble-promotion \
           -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wcast-align \
           -Wformat=2 -Wpointer-arith -Wwrite-strings -Wundef -Wvla
comma    = ,
SANS     = $(subst $(comma), ,$(SAN))
B        = build$(if $(SAN),-$(firstword $(SANS)))
PKGS     = msgpack jansson libutf8proc zlib libxxhash
OPTPKGS := $(foreach p,libjpeg libwebp libheif,$(if $(shell pkg-config --exists $p 2>/dev/null && echo y),$p))
PKGC    := $(shell pkg-config --cflags $(PKGS) $(OPTPKGS) 2>/dev/null)
PKGL    := $(shell pkg-config --libs $(PKGS) $(OPTPKGS) 2>/dev/null)
ALL      = -std=c11 -D_POSIX_C_SOURCE=200809L -I. -MMD -MP $(WARN) $(PKGC) \
           $(foreach p,$(OPTPKGS),-DHAVE_$(shell echo $p | tr a-z A-Z)) \
           -DUNCLIP_VERSION='"$(VERSION)"' -DUNCLIP_DATADIR='"$(DATADIR)"' \
           -ffp-contract=off -fno-common -pthread
LDLIBS   = $(PKGL) -lblis -lm
ifdef SAN
ALL     += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

TOOLS    = $(filter-out tool,$(basename $(notdir $(wildcard tools/*.c))))
UNITS    = $(basename $(notdir $(wildcard tests/unit/*.c)))
BATS     = $(wildcard tests/cli/*.bats)
PAGES    = $(wildcard man/*.[157])
CORE     = $(patsubst %.c,$B/%.o,$(wildcard lib/*.c formats/*.c))
OBJ      = $(CORE) $(patsubst %.c,$B/%.o,$(wildcard tools/*.c tests/unit/*.c tests/fuzz/*.c tests/*.c))
BINS     = $(TOOLS:%=$B/bin/%)

all: $(BINS)

# Instruction sets: flags for one object each, never for all.
ifneq ($(filter x86_64%,$(shell $(CC) -dumpmachine)),)
$B/lib/kern_avx2.o: ISA = -mavx2 -mfma -mf16c
$B/lib/kern_avx512.o: ISA = -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma -mf16c -mprefer-vector-width=512
$B/lib/kern_bf16.o: ISA = -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx512bf16 -mavx2 -mfma -mf16c -mprefer-vector-width=512
endif

$B/%.o: %.c $B/flags
	@mkdir -p $(@D)
	$(CC) $(ALL) $(CPPFLAGS) $(CFLAGS) $(ISA) -c -o $@ $<

$B/core.a: $(CORE)
	rm -f $@
	$(AR) rc $@ $^

$(BINS): $B/bin/%: $B/tools/%.o $B/tools/tool.o $B/core.a
	@mkdir -p $(@D)
	$(CC) $(ALL) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(UNITS:%=$B/unit/%): $B/unit/%: $B/tests/unit/%.o $B/core.a
	@mkdir -p $(@D)
	$(CC) $(ALL) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Rebuild when the compiler or its flags change.
$B/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(subst ','\'',$(ALL)) $(CPPFLAGS) $(CFLAGS)' | cmp -s - $@ || \
	    echo '$(CC) $(subst ','\'',$(ALL)) $(CPPFLAGS) $(CFLAGS)' >$@

check: all $(UNITS:%=$B/unit/%)
	$(PROVE) -Q --exec '' $(UNITS:%=$B/unit/%)

clean:
	rm -rf build build-*

-include $(OBJ:.o=.d)
.PHONY: all check clean FORCE
