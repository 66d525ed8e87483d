image-out.o: tools/image-out.c formats/caption.h formats/record.h \
  formats/mp.h lib/arena.h lib/tensor.h lib/err.h formats/file_replace.h \
  formats/image_read.h formats/image_write.h formats/record_image.h \
  formats/name_pattern.h formats/terminal.h lib/sheet.h tools/tool.h \
  formats/model.h formats/weights.h formats/mapfile.h lib/clip.h \
  lib/linear.h lib/kern.h lib/pool.h lib/prep.h formats/resume.h \
  formats/sample.h lib/sampler.h lib/noise.h lib/prior.h \
  lib/transformer.h lib/attention.h lib/bind.h lib/scheduler.h \
  lib/torch_rng.h lib/unet.h lib/conv.h lib/picture.h formats/stream.h

formats/caption.h:

formats/record.h:

formats/mp.h:

lib/arena.h:

lib/tensor.h:

lib/err.h:

formats/file_replace.h:

formats/image_read.h:

formats/image_write.h:

formats/record_image.h:

formats/name_pattern.h:

formats/terminal.h:

lib/sheet.h:

tools/tool.h:

formats/model.h:

formats/weights.h:

formats/mapfile.h:

lib/clip.h:

lib/linear.h:

lib/kern.h:

lib/pool.h:

lib/prep.h:

formats/resume.h:

formats/sample.h:

lib/sampler.h:

lib/noise.h:

lib/prior.h:

lib/transformer.h:

lib/attention.h:

lib/bind.h:

lib/scheduler.h:

lib/torch_rng.h:

lib/unet.h:

lib/conv.h:

lib/picture.h:

formats/stream.h:
