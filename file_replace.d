file_replace.o: formats/file_replace.c formats/file_replace.h lib/err.h \
  formats/stream.h formats/record.h formats/mp.h lib/arena.h \
  lib/tensor.h

formats/file_replace.h:

lib/err.h:

formats/stream.h:

formats/record.h:

formats/mp.h:

lib/arena.h:

lib/tensor.h:
