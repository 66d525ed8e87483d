#!/usr/bin/env python3
"""Read a stream of unclip records with Python's msgpack and no code of unclip.

    unclip_read.py <photos.clip

Each record is a dict: {"unclip": 1, "id": str or bytes, "data": {field: value}}; vectors and pictures
are numpy arrays.  msgpack_numpy decodes them; if it is not installed, the function below does.
"""
import sys

import msgpack
import numpy

try:
    from msgpack_numpy import decode
except ImportError:
    def decode(obj):
        if b"nd" not in obj:
            return obj
        array = numpy.frombuffer(obj[b"data"], numpy.dtype(obj[b"type"]))
        return array.reshape(obj[b"shape"]) if obj[b"nd"] else array[0]


def records(stream):
    return msgpack.Unpacker(stream, object_hook=decode, strict_map_key=False, max_buffer_size=2**31 - 1)


def show(value):
    if isinstance(value, numpy.ndarray):
        return f"{value.dtype.str}{list(value.shape)} sum {value.sum(dtype=numpy.float64):.6g}"
    return repr(value)


if __name__ == "__main__":
    for record in records(sys.stdin.buffer):
        print(record["id"])
        for field, value in record["data"].items():
            print(f"    {field}: {show(value)}")
