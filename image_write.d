image_write.o: formats/image_write.c formats/image_write.h \
  formats/record_image.h formats/record.h formats/mp.h lib/arena.h \
  lib/tensor.h lib/err.h formats/image_encode.h formats/json_record.h

formats/image_write.h:

formats/record_image.h:

formats/record.h:

formats/mp.h:

lib/arena.h:

lib/tensor.h:

lib/err.h:

formats/image_encode.h:

formats/json_record.h:
