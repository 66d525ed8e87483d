font.o: lib/font.c lib/font.h

lib/font.h:
