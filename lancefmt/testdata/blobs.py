"""Writes tables of blobs of the extension type lance.blob.v2, and the bytes that pylance reads from them.

    python blobs.py OUT

Each table is OUT/{name}.lance, its rows OUT/{name}.arrow. Blobs lie in the data file, in packed and dedicated files beside
it, in OUT/outside and below the base path OUT/base. Needs pylance and pyarrow.
"""
import os
import random
import sys

import lance
import pyarrow as pa
from lance.blob import Blob, blob_array, blob_field

out = sys.argv[1]
r = random.Random(3)
for name, size in [("outside/0", 5000), ("outside/1", 10000), ("base/sub/2", 3000)]:
    os.makedirs(os.path.dirname(f"{out}/{name}"), exist_ok=True)
    with open(f"{out}/{name}", "wb") as f:
        f.write(r.randbytes(size))


def value():
    k = r.random()
    if k < .15:
        return None
    if k < .25:
        return Blob.empty()
    if k < .5:
        return r.randbytes(r.randint(1, 90))
    if k < .65:
        return r.randbytes(r.randint(500, 5000))
    if k < .7:
        return r.randbytes(30000)
    if k < .8:
        return Blob.from_uri(f"file://{out}/outside/{r.randint(0, 1)}")
    if k < .9:
        return Blob.from_uri(f"file://{out}/outside/{r.randint(0, 1)}", position=r.randint(0, 2000), size=r.randint(1, 3000))
    return Blob.from_uri(f"file://{out}/base/sub/2", position=5, size=r.randint(1, 100))


def write(name, field, values, **options):
    table = pa.Table.from_arrays([values], schema=pa.schema([field]))
    dataset = lance.write_dataset(table, f"{out}/{name}.lance", data_storage_version="2.2", allow_external_blob_outside_bases=True, **options)
    rows = dataset.to_table(blob_handling="all_binary")
    with pa.OSFile(f"{out}/{name}.arrow", "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(rows.combine_chunks())


b = blob_field("b", inline_size_threshold=100, dedicated_size_threshold=20000)
blobs = blob_array([value() for _ in range(100)])
ends = pa.array([0] + sorted(r.randint(0, 100) for _ in range(30)) + [100], pa.int32())
struct = pa.StructArray.from_arrays([pa.array(range(100)), blobs], fields=[pa.field("x", pa.int64()), b], mask=pa.array([i % 7 == 0 for i in range(100)]))
write("flat", b, blobs)
write("bases", b, blobs, max_rows_per_file=30, initial_bases=[lance.DatasetBasePath(f"{out}/base", "base", is_dataset_root=False)])
write("struct", pa.field("s", struct.type), struct)
for name, items, item in [("list", blobs, b), ("structs", struct, pa.field("item", struct.type))]:
    write(name, pa.field("l", pa.list_(item)), pa.ListArray.from_arrays(ends, items, type=pa.list_(item)))
write("nulls", b, blob_array([None] * 50))
write("none", b, blob_array([]))
write("empty", b, blob_array([Blob.empty()] * 50))
write("same", b, blob_array([b"same"] * 50))
