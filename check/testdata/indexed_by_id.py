"""Writes indexed_by_id.lance, of check_test.go: stable row ids, and a BITMAP index that names rows by them, after an update, a
deletion and an append. The one here is of pylance 14.0.2:

    pip install pylance==14.0.2 pyarrow && python indexed_by_id.py
"""
import os
import shutil

import lance
import pyarrow as pa

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "indexed_by_id.lance")
shutil.rmtree(path, ignore_errors=True)
ds = lance.write_dataset(pa.table({"key": range(8), "kind": [["x", "y", None, "z"][i % 4] for i in range(8)]}), path, enable_stable_row_ids=True, max_rows_per_file=6)
ds.create_scalar_index("kind", "BITMAP")
ds.update({"kind": "'w'"}, where="key = 1 OR key = 7")
ds.delete("key = 4")
ds.insert(pa.table({"key": [8, 9], "kind": ["x", None]}))
