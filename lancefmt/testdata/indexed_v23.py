"""Writes a table of storage version 2.3 with long strings in dictionaries whose items are read one by one.

    python indexed_v23.py OUT

OUT/0.lance, OUT/0.arrow and OUT/0.json are as random_tables.py writes them.
"""
import json
import os
import random
import sys

import lance
import pyarrow as pa

r, out = random.Random(5), sys.argv[1]
pool = [f"{i:05}" + "".join(r.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(900)) for i in range(150)]
word = lambda null: None if r.random() < null else r.choice(pool)
words = [word(.6) for _ in range(4000)]
lists = [None if r.random() < .1 else [word(.7) for _ in range(r.randint(0, 4))] for _ in range(3000)] + [[]] * 1000
table = pa.table({"text": words, "bytes": pa.array([w and w.encode() for w in words], pa.large_binary()), "lists": lists})
sparse = [f.with_metadata({"lance-encoding:structural-encoding": "sparse"}) for f in table.schema]
table = table.cast(pa.schema(sparse))
ds = lance.write_dataset(table, os.path.join(out, "0.lance"), data_storage_version="2.3")
assert ds.to_table().to_pylist() == table.to_pylist()
with pa.OSFile(os.path.join(out, "0.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
    writer.write_table(table.combine_chunks())
with open(os.path.join(out, "0.json"), "w") as f:
    json.dump({"version": "2.3"}, f)
