caption.o: formats/caption.c formats/caption.h formats/record.h \
  formats/mp.h lib/arena.h lib/tensor.h lib/err.h formats/json_record.h \
  formats/name_pattern.h lib/utf8.h

formats/caption.h:

formats/record.h:

formats/mp.h:

lib/arena.h:

lib/tensor.h:

lib/err.h:

formats/json_record.h:

formats/name_pattern.h:

lib/utf8.h:
