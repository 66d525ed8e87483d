image_jpeg_write.o: formats/image_jpeg_write.c formats/image_encode.h \
  formats/image_write.h formats/record_image.h formats/record.h \
  formats/mp.h lib/arena.h lib/tensor.h lib/err.h

formats/image_encode.h:

formats/image_write.h:

formats/record_image.h:

formats/record.h:

formats/mp.h:

lib/arena.h:

lib/tensor.h:

lib/err.h:
