"""Writes the rows of every version of a table, with their row ids, as this pylance reads them:
python read.py NAME.lance OUT makes OUT/VERSION.arrow. Versions that it cannot read are left out.
"""
import os
import sys

import lance
import pyarrow as pa

path, out = sys.argv[1:]
for version in range(1, 100):
    try:
        rows = lance.dataset(path, version=version).to_table(with_row_id=True)
    except BaseException as e:  # panics are BaseExceptions
        print(f"version {version}: {type(e).__name__}: {str(e)[:200]}")
        continue
    rows = rows.unify_dictionaries().combine_chunks()
    with pa.OSFile(os.path.join(out, f"{version}.arrow"), "wb") as f, pa.ipc.new_file(f, rows.schema) as w:
        w.write_table(rows)
