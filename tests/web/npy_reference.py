#!/usr/bin/env python3
"""Writes npy_reference.json: files of all versions, orders and types by NumPy (1.24.2, Debian's), and what they hold.

    tests/web/npy_reference.py > tests/web/npy_reference.json
"""

import base64
import io
import json

import numpy as np
from numpy.lib import format


def file_of(array, version=None):
    file = io.BytesIO()
    format.write_array(file, array, version=version)
    return base64.b64encode(file.getvalue()).decode()


def values_of(array):
    """Row by row; integers of 64 bits as text, which JSON would round."""
    is_long = array.dtype.kind in "iu" and array.dtype.itemsize == 8
    return [str(value) if is_long else value for value in array.flatten(order="C").tolist()]


CASES = [
    ("float32", np.array([[1.5, -2, 3], [4, 5, 6.25]], np.float32), None),
    ("float32", np.asfortranarray(np.arange(24, dtype=np.float32).reshape(2, 3, 4)), None),
    ("float64", np.asfortranarray(np.array([[1, 2], [3, 4], [5, 1e300]])), (2, 0)),
    ("int64", np.array([2**40 + 3, -(2**63)], ">i8"), None),
    ("uint64", np.array([2**64 - 1], np.uint64), (3, 0)),
    ("float16", np.array([0.5, -65504, 2**-24], ">f2"), None),
    ("bool", np.array([True, False, True]), None),
    ("int8", np.array([[-128], [127]], np.int8), (2, 0)),
    ("uint8", np.array(200, np.uint8), None),
    ("int16", np.array([-2, 300], ">i2"), None),
    ("uint16", np.array([65535], np.uint16), None),
    ("int32", np.asfortranarray(np.array([[1, 2, 3], [4, 5, -6]], ">i4")), None),
    ("uint32", np.array([2**32 - 1], np.uint32), None),
    ("float32", np.zeros((0, 3), np.float32), None),
]
REFUSED = {"complex": np.array([1j]), "text": np.array(["a"]), "fields": np.zeros(1, [("x", "f4")])}

read = [{"dataType": name, "shape": array.shape, "values": values_of(array), "bytes": file_of(array, version)} for name, array, version in CASES]
refused = {name: file_of(array) for name, array in REFUSED.items()}
print(json.dumps({"read": read, "refused": refused}, indent=1))
