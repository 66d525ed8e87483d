sheet.o: lib/sheet.c lib/sheet.h lib/arena.h lib/err.h lib/font.h

lib/sheet.h:

lib/arena.h:

lib/err.h:

lib/font.h:
