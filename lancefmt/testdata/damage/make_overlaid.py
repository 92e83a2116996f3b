"""Writes the small tables with overlays, of damage_test.go (2.1) and of package check. The ones here are of pylance 14.0.2:

    pip install pylance==14.0.2 pyarrow && python make_overlaid.py

Version 1 has the rows, version 2 an overlay of rows 1 and 3, version 3 one with other rows for each column and one that
hides a value of version 2's.
"""
import os
import shutil

os.environ["LANCE_ENABLE_UNSTABLE_DATA_OVERLAY_FILES"] = "1"

import lance
import pyarrow as pa
from lance.file import LanceFileWriter
from lance.fragment import DataFile

HERE = os.path.dirname(os.path.abspath(__file__))
CHECK = os.path.join(HERE, "..", "..", "..", "check", "testdata")


def main(version):
    name = f"overlaid_v{version.replace('.', '_')}"
    path = os.path.join(HERE if version == "2.1" else CHECK, name + ".lance")
    shutil.rmtree(path, ignore_errors=True)
    schema = pa.schema([("key", pa.int32()), ("text", pa.string()), ("pair", pa.struct([("a", pa.int32()), ("b", pa.string())])), ("list", pa.list_(pa.int32()))])
    rows = [{"key": i, "text": f"base {i}", "pair": {"a": i, "b": f"b{i}"}, "list": [i] * (i % 3)} for i in range(6)]
    ds = lance.write_dataset(pa.Table.from_pylist(rows, schema), path, data_storage_version=version, max_rows_per_file=4)
    major, minor = (int(x) for x in version.split("."))

    def ids(*names):
        """The fields that a file of these columns has columns for."""
        out = []

        def walk(f):
            if version == "2.0" or not f.children():
                out.append(f.id())
            for c in f.children():
                walk(c)

        for f in ds.lance_schema.fields():
            if f.name() in names:
                walk(f)
        return out

    def overlay(file, rows, fields, offsets):
        full = os.path.join(path, "data", file)
        with LanceFileWriter(full, rows.schema, version=version) as w:
            w.write_batch(rows)
        return lance.LanceOperation.DataOverlayFile(DataFile(file, fields, list(range(len(fields))), major, minor, os.path.getsize(full)), offsets)

    def commit(*overlays):
        group = lance.LanceOperation.DataOverlayGroup(0, list(overlays))
        return lance.LanceDataset.commit(ds, lance.LanceOperation.DataOverlay([group]), read_version=ds.version)

    ds = commit(overlay("first.lance", pa.table({"text": ["new 1", "new 3"]}), ids("text"), [1, 3]))
    pairs = pa.table({"pair": pa.array([{"a": 100, "b": "x"}, {"a": None, "b": "y"}], schema.field("pair").type), "list": pa.array([[7, 8, 9], None], schema.field("list").type)})
    fields = ids("pair", "list")
    of_list = len(ids("list"))
    ds = commit(overlay("second.lance", pairs, fields, [[0, 2]] * (len(fields) - of_list) + [[1, 2]] * of_list),
                overlay("third.lance", pa.table({"text": pa.array([None], pa.string())}), ids("text"), [3]))
    print(version, ds.to_table().to_pylist())
    shutil.rmtree(os.path.join(path, "_transactions"))  # nothing reads them


for version in ["2.0", "2.1", "2.2"]:
    main(version)
