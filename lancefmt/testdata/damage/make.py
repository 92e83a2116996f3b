"""Writes the small tables of damage_test.go: every kind of page that a few rows can have, two
fragments, a deletion file, a tag. The ones here are of pylance 14.0.2:

    pip install pylance==14.0.2 pyarrow numpy && python make.py
"""
import os
import shutil

import lance
import numpy as np
import pyarrow as pa

HERE = os.path.dirname(os.path.abspath(__file__))


def column(name, array, nullable=True, **meta):
    meta = {f"lance-encoding:{k.replace('_', '-')}": v for k, v in meta.items()}
    return pa.field(name, array.type, nullable, metadata=meta or None), array


def wide(n):
    """Some rows of many types."""
    every = lambda k, v: [None if i % k == 0 else v(i) for i in range(n)]
    yield column("key", pa.array(range(n), pa.int64()), nullable=False)
    yield column("small", pa.array(every(5, lambda i: i % 7), pa.int16()))
    yield column("real", pa.array([i / 3 for i in range(n)], pa.float64()))
    yield column("flag", pa.array(every(4, lambda i: i % 3 == 0), pa.bool_()))
    yield column("text", pa.array(every(6, lambda i: f"word {i}" * (i % 3)), pa.string()))
    yield column("blob", pa.array([bytes([i]) * (300 + i) for i in range(n)], pa.binary()))
    yield column("list", pa.array(every(7, lambda i: list(range(i % 4))), pa.list_(pa.int32())))
    yield column("vec", pa.FixedSizeListArray.from_arrays(pa.array(np.arange(4 * n, dtype=np.float32)), 4))
    yield column("pair", pa.StructArray.from_arrays([pa.array(range(n), pa.int32()), pa.array([str(i) for i in range(n)])], ["a", "b"]))
    yield column("kind", pa.array([["x", "y", "z"][i % 3] for i in range(n)]).dictionary_encode())
    yield column("same", pa.array(["always"] * n))
    yield column("none", pa.nulls(n, pa.float32()))


def packed(n):
    """Enough rows for the codecs to start."""
    yield column("key", pa.array(range(n), pa.int32()), nullable=False)
    yield column("runs", pa.array([i // 100 for i in range(n)], pa.int32()), rle_threshold="1.0")
    yield column("bits", pa.array([None if i % 50 == 0 else i % 5 for i in range(n)], pa.uint8()))
    yield column("lz4", pa.array([f"text {i % 9}" for i in range(n)]), compression="lz4", dict_divisor="100000")
    yield column("zstd", pa.array([i // 9 for i in range(n)], pa.int64()), compression="zstd")
    yield column("few", pa.array([["red", "green", "blue"][i % 3] for i in range(n)]))
    yield column("many", pa.array([[i] * (i % 3) for i in range(n)], pa.list_(pa.int16())))


def write(version, name, rows, n, cut):
    path = os.path.join(HERE, f"{name}_v{version.replace('.', '_')}.lance")
    shutil.rmtree(path, ignore_errors=True)
    fields, arrays = zip(*rows(n))
    if version == "0.1":
        keep = [i for i, f in enumerate(fields) if f.name not in ("none",)]
        fields, arrays = [fields[i] for i in keep], [arrays[i] for i in keep]
    table = pa.Table.from_arrays(list(arrays), schema=pa.schema(list(fields)))
    ds = lance.write_dataset(table.slice(0, cut), path, data_storage_version=version)
    if cut < n:
        ds = lance.write_dataset(table.slice(cut), path, mode="append")
    ds.delete("key % 5 = 2")
    ds.tags.create("kept", ds.version)
    shutil.rmtree(os.path.join(path, "_transactions"))  # nothing reads them


for version in ["0.1", "2.0", "2.1", "2.2", "2.3"]:
    write(version, "wide", wide, 12, 8)
    n = 200 if version < "2.1" else 1100  # mini-block chunks hold 1,024 values and more
    write(version, "packed", packed, n, n)
