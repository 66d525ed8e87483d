image_text.o: formats/image_text.c formats/image_write.h \
  formats/record_image.h formats/record.h formats/mp.h lib/arena.h \
  lib/tensor.h lib/err.h lib/utf8.h

formats/image_write.h:

formats/record_image.h:

formats/record.h:

formats/mp.h:

lib/arena.h:

lib/tensor.h:

lib/err.h:

lib/utf8.h:
