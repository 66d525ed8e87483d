#!/usr/bin/env python3
"""libunclip from Python, by ctypes and nothing else: unclip(3).

    unclip_lib.py MODEL 'a red heart' heart.ppm

draws a picture: four candidates for the sentence, of which the one whose picture fits best is enlarged.  As a module,
its class Model has the library's functions.  $LIBUNCLIP names the library if it is not installed.
"""
import ctypes
import math
import os
import sys

EMBED, CONTEXT, SIDE, RATIO = 1, 2, 3, 4
STEP = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
_size, _char, _void = ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p
_lib = ctypes.CDLL(os.environ.get("LIBUNCLIP", "libunclip.so.0"))

# result and arguments of each function
for _name, _result, *_args in [
    ("version", _char),
    ("new", _void),
    ("free", None, _void),
    ("error", _char, _void),
    ("open", ctypes.c_int, _void, _char),
    ("set", ctypes.c_int, _void, _char, _char),
    ("get", _char, _void, _char),
    ("size", _size, _void, ctypes.c_int),
    ("watch", None, _void, STEP, _void),
    ("tokens", ctypes.c_int, _void, _char, _size, _void, _void),
    ("embed_texts", ctypes.c_int, _void, _size, _void, _void),
    ("embed_files", ctypes.c_int, _void, _size, _void, _void),
    ("embed_bytes", ctypes.c_int, _void, _size, _void, _void, _void),
    ("embed_rgb", ctypes.c_int, _void, _size, _size, _size, _void, _void),
    ("embed_labels", ctypes.c_int, _void, _size, _void, _void),
    ("cosines", ctypes.c_int, _void, _size, _void, _size, _void, _void),
    ("classify", ctypes.c_int, _void, _size, _void, _size, _void, _void),
    ("prior", ctypes.c_int, _void, _char, _size, _void),
    ("decode", ctypes.c_int, _void, _char, _size, _void, _void),
    ("upsample", ctypes.c_int, _void, _char, _size, _size, _void, _void),
    ("rgb", None, _size, _size, _void, _void),
    ("reader_new", _void, _void, _char),
    ("reader_next", ctypes.c_int, _void, _void),
    ("reader_free", None, _void),
    ("record_new", _void, _void, _char),
    ("record_free", None, _void),
    ("record_id", _void, _void, _void),
    ("record_text", ctypes.c_int, _void, _char, _void, _void),
    ("record_floats", ctypes.c_int, _void, _char, _size, _void, _void),
    ("record_json", ctypes.c_int, _void, _char, _void, _void),
    ("record_set_text", ctypes.c_int, _void, _char, _char),
    ("record_set_number", ctypes.c_int, _void, _char, ctypes.c_double),
    ("record_set_floats", ctypes.c_int, _void, _char, _char, _size, _void, _void),
    ("record_bytes", ctypes.c_int, _void, _void, _void),
]:
    _f = getattr(_lib, "unclip_" + _name)
    _f.restype, _f.argtypes = _result, _args


class Error(Exception):
    pass


def _strings(items):
    return (_char * len(items))(*[os.fsencode(s) for s in items])


def _array(v):
    """Anything with the buffer protocol (array, numpy, ctypes) as an argument, without a copy."""
    return v if isinstance(v, ctypes.Array) else (ctypes.c_char * memoryview(v).nbytes).from_buffer(v)


class Model:
    """A handle.  Vectors and pictures are ctypes arrays of floats, which numpy.frombuffer reads without a copy."""

    def __init__(self, *paths, **options):
        self.u = _lib.unclip_new()
        if not self.u:
            raise MemoryError
        for p in paths:
            self._check(_lib.unclip_open(self.u, os.fsencode(p)))
        for name, value in options.items():
            self.set(name.replace("_", "-"), value)

    def close(self):
        _lib.unclip_free(self.u)
        self.u = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def error(self):
        return _lib.unclip_error(self.u).decode()

    def _check(self, got):
        if got is None or got < 0:
            raise Error(self.error())
        return got

    def set(self, option, value):
        self._check(_lib.unclip_set(self.u, option.encode(), None if value is None else str(value).encode()))

    def get(self, fact):
        got = _lib.unclip_get(self.u, fact.encode())
        if got is None:
            raise Error(self.error())
        return got.decode()

    def size(self, what):
        got = _lib.unclip_size(self.u, what)
        if not got:
            raise Error(self.error())
        return got

    def tokens(self, text):
        n = _size()
        self._check(_lib.unclip_tokens(self.u, text.encode(), 0, None, ctypes.byref(n)))
        ids = (ctypes.c_int * n.value)()
        self._check(_lib.unclip_tokens(self.u, text.encode(), n, ids, ctypes.byref(n)))
        return list(ids)

    def _embed(self, f, n, *args):
        v = (ctypes.c_float * (n * self.size(EMBED)))()
        self._check(f(self.u, n, *args, v))
        return v

    def embed_texts(self, texts):
        return self._embed(_lib.unclip_embed_texts, len(texts), _strings(texts))

    def embed_files(self, paths):
        return self._embed(_lib.unclip_embed_files, len(paths), _strings(paths))

    def embed_bytes(self, files):
        return self._embed(_lib.unclip_embed_bytes, len(files), (_char * len(files))(*files), (_size * len(files))(*map(len, files)))

    def embed_rgb(self, n, height, width, rgb):
        return self._embed(_lib.unclip_embed_rgb, n, height, width, _array(rgb))

    def embed_labels(self, labels):
        return self._embed(_lib.unclip_embed_labels, len(labels), _strings(labels))

    def cosines(self, query, rows):
        n = len(rows) // len(query)
        c = (ctypes.c_double * n)()
        self._check(_lib.unclip_cosines(self.u, len(query), query, n, rows, c))
        return list(c)

    def classify(self, vectors, labels):
        width = self.size(EMBED)
        n, k = len(vectors) // width, len(labels) // width
        p = (ctypes.c_double * (n * k))()
        self._check(_lib.unclip_classify(self.u, n, vectors, k, labels, p))
        return [list(p[i * k:i * k + k]) for i in range(n)]

    def prior(self, text, n=1):
        return self._embed(lambda u, n, v: _lib.unclip_prior(u, text.encode(), n, v), n)

    def decode(self, text, embed=None, n=1):
        side = self.size(SIDE)
        if embed is not None:
            n = len(embed) // self.size(EMBED)
        x = (ctypes.c_float * (n * 3 * side * side))()
        self._check(_lib.unclip_decode(self.u, None if text is None else text.encode(), n, embed, x))
        return x

    def upsample(self, text, image, n=1):
        side = math.isqrt(len(image) // 3 // n)
        x = (ctypes.c_float * (len(image) * self.size(RATIO) ** 2))()
        self._check(_lib.unclip_upsample(self.u, None if text is None else text.encode(), n, side, image, x))
        return x

    def records(self, path):
        """Yield the records of a file.  A record is valid until the next one."""
        s = _lib.unclip_reader_new(self.u, os.fsencode(path))
        if not s:
            raise Error(self.error())
        try:
            r = _void()
            while self._check(_lib.unclip_reader_next(s, ctypes.byref(r))):
                yield Record(self, r.value)
        finally:
            _lib.unclip_reader_free(s)

    def record(self, id):
        r = _lib.unclip_record_new(self.u, os.fsencode(id))
        if not r:
            raise Error(self.error())
        return Record(self, r)


class Record:
    def __init__(self, model, r):
        self.model, self.r = model, r

    def free(self):
        _lib.unclip_record_free(self.r)

    def _get(self, f, *args):
        p, n = _void(), _size()
        found = self.model._check(f(self.r, *args, ctypes.byref(p), ctypes.byref(n)))
        return ctypes.string_at(p, n.value) if found or not args else None

    @property
    def id(self):
        n = _size()
        return os.fsdecode(ctypes.string_at(_lib.unclip_record_id(self.r, ctypes.byref(n)), n.value))

    def text(self, field):
        s = self._get(_lib.unclip_record_text, field.encode())
        return None if s is None else os.fsdecode(s)

    def json(self, field=None):
        s = self._get(_lib.unclip_record_json, None if field is None else field.encode())
        return None if s is None else s.decode()

    def floats(self, field):
        n = _size()
        if not self.model._check(_lib.unclip_record_floats(self.r, field.encode(), 0, None, ctypes.byref(n))):
            return None
        v = (ctypes.c_float * n.value)()
        self.model._check(_lib.unclip_record_floats(self.r, field.encode(), n, v, ctypes.byref(n)))
        return v

    def set_text(self, field, text):
        self.model._check(_lib.unclip_record_set_text(self.r, field.encode(), os.fsencode(text)))

    def set_number(self, field, v):
        self.model._check(_lib.unclip_record_set_number(self.r, field.encode(), v))

    def set_floats(self, field, v, shape=None, model=None):
        shape = shape or [len(v)]
        self.model._check(_lib.unclip_record_set_floats(self.r, field.encode(), model and model.encode(), len(shape),
                                                        (_size * len(shape))(*shape), _array(v)))

    def bytes(self):
        return self._get(_lib.unclip_record_bytes)


def rgb(height, width, image):
    out = (ctypes.c_ubyte * (3 * height * width))()
    _lib.unclip_rgb(height, width, image, out)
    return out


def draw(model, text, candidates=4):
    """The picture of the candidate that is most like the text, as [3, S, S] floats."""
    side = model.size(SIDE)
    pictures = model.decode(text, model.prior(text, candidates))
    one = 3 * side * side
    small = [(ctypes.c_float * one).from_buffer(pictures, 4 * i * one) for i in range(candidates)]
    seen = model.embed_rgb(candidates, side, side, bytearray(b"".join(bytes(rgb(side, side, s)) for s in small)))
    cosines = model.cosines(model.embed_texts([text]), seen)
    best = max(range(candidates), key=cosines.__getitem__)
    model.set("sample", best)    # the noise of this candidate
    large = model.upsample(text, small[best])
    model.set("sample", None)
    return large


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: unclip_lib.py MODEL TEXT FILE.ppm")
    try:
        with Model(sys.argv[1]) as model:
            x = draw(model, sys.argv[2])
    except Error as e:
        sys.exit(f"unclip_lib.py: {e}")
    side = math.isqrt(len(x) // 3)
    with open(sys.argv[3], "wb") as f:
        f.write(b"P6\n%d %d\n255\n" % (side, side) + bytes(rgb(side, side, x)))


if __name__ == "__main__":
    main()
