name_pattern.o: formats/name_pattern.c formats/name_pattern.h \
  formats/record.h formats/mp.h lib/arena.h lib/tensor.h lib/err.h \
  lib/utf8.h

formats/name_pattern.h:

formats/record.h:

formats/mp.h:

lib/arena.h:

lib/tensor.h:

lib/err.h:

lib/utf8.h:
