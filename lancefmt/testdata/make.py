"""Writes the tables below this folder, which shared fixtures do not cover, and what pylance reads from
them. Written with pylance 14.0.2:

    pip install pylance==14.0.2 pyarrow
    python make.py

spilled_lineage.lance  row ids and row versions in hidden columns of data files (reader flag 1 << 11)
struct_in_two_files.lance  a struct whose children lie in two data files of a fragment
"""

import json
import os
import shutil

import lance
import pyarrow as pa

here = os.path.dirname(os.path.abspath(__file__))


def fresh(name):
    path = os.path.join(here, name + ".lance")
    shutil.rmtree(path, ignore_errors=True)
    return path


def spilled_lineage():
    path = fresh("spilled_lineage")
    t = pa.table({"key": pa.array(range(40), pa.int64())})
    ds = lance.write_dataset(t, path, enable_stable_row_ids=True, max_rows_per_file=20)
    ds.update_config({"lance.row_lineage.spill": "true", "lance.row_lineage.inline_max_bytes": "0"})
    ds.update({"key": "key + 100"}, where="key % 3 = 0")
    ds.delete("key = 5")
    ds.optimize.compact_files(target_rows_per_fragment=1000)
    ds = lance.dataset(path)
    rows = ds.scanner(
        columns=["key", "_row_created_at_version", "_row_last_updated_at_version"],
        with_row_id=True, with_row_address=True,
    ).to_table()
    order = ["key", "_rowid", "_rowaddr", "_row_created_at_version", "_row_last_updated_at_version"]
    return [list(r) for r in zip(*(rows[c].to_pylist() for c in order))]


def struct_in_two_files():
    path = fresh("struct_in_two_files")
    a = pa.table({
        "key": pa.array(range(6), pa.int64()),
        "s": pa.array([{"x": 1, "y": {"a": "p"}}, None, {"x": None, "y": None}, {"x": 4, "y": {"a": None}},
                       {"x": 5, "y": {"a": "q"}}, {"x": 6, "y": {"a": "r"}}],
                      pa.struct([("x", pa.int32()), ("y", pa.struct([("a", pa.string())]))])),
    })
    lance.write_dataset(a, path, max_rows_per_file=3)
    ds = lance.dataset(path)
    added = pa.struct([("z", pa.float64()), ("y", pa.struct([("b", pa.list_(pa.int16()))]))])
    fragments, schema = [], None
    for frag in ds.get_fragments():
        rows = range(3 * frag.fragment_id, 3 * frag.fragment_id + 3)
        part = pa.record_batch({"s": pa.array(
            [{"z": float(i) if i != 3 else None, "y": {"b": [i, i] if i % 2 else None}} for i in rows], added)})
        meta, schema = frag.merge_columns(lambda batch: part, columns=["key"])
        fragments.append(meta)
    ds = lance.LanceDataset.commit(path, lance.LanceOperation.Merge(fragments, schema), read_version=ds.version)
    return ds.to_table().to_pylist()


if __name__ == "__main__":
    out = {}
    for f in (spilled_lineage, struct_in_two_files):
        out[f.__name__] = f()
    with open(os.path.join(here, "expected.json"), "w") as w:
        json.dump(out, w, separators=(",", ":"))
        w.write("\n")
