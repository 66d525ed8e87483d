terminal.o: formats/terminal.c formats/terminal.h formats/record_image.h \
  formats/record.h formats/mp.h lib/arena.h lib/tensor.h lib/err.h \
  formats/base64.h

formats/terminal.h:

formats/record_image.h:

formats/record.h:

formats/mp.h:

lib/arena.h:

lib/tensor.h:

lib/err.h:

formats/base64.h:
