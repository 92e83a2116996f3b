"""Writes namespaces.zip: a directory of tables as LanceDB's directory namespaces write it.

    pip install lancedb pylance pyarrow
    python namespaces.py

Of the tables, a was created, dropped and created again, so that the list of objects has deleted rows, and
declared has no data.
"""

import pathlib
import shutil
import tempfile

import lancedb
import pyarrow as pa
from lance_namespace import DeclareTableRequest

root = pathlib.Path(tempfile.mkdtemp()) / "db"
ns = lancedb.connect_namespace("dir", {"root": str(root)})
for path in (["team"], ["team", "sub"], ["empty"]):
    ns.create_namespace(path)


def create(name, rows, path=()):
    ns.create_table(name, pa.table({"a": range(rows)}), namespace_path=list(path))


create("a", 1)
ns.drop_table("a")
create("a", 2)
create("a", 3, ["team"])
create("inner", 4, ["team"])
create("deep", 5, ["team", "sub"])
ns.namespace_client().declare_table(DeclareTableRequest(id=["team", "declared"]))
here = pathlib.Path(__file__).parent
shutil.make_archive(str(here / "namespaces"), "zip", root)

# hostile.zip: the same, with a list of objects that LanceDB would not write.
import lance  # noqa: E402

manifest = lance.dataset(str(root / "__manifest"))
good = manifest.to_table().to_pylist()
outside = ["../outside", "/etc", "file:///etc", "s3://bucket/x", "a.lance/../../x", "a.lance/./", "", "..", ".", "a\\b", "//", None]
bad = [{"object_id": f"bad${i}", "object_type": "table", "location": location} for i, location in enumerate(outside)]
bad += [{"object_id": "information_schema$tables", "object_type": "table", "location": "a.lance"},
        {"object_id": "$", "object_type": "table", "location": "a.lance"},
        {"object_id": "x$$y", "object_type": "table", "location": "a.lance"},
        {"object_id": "a", "object_type": "view", "location": "a.lance"},
        {"object_id": "lance$a", "object_type": "table", "location": "a.lance"},
        {"object_id": "main$a", "object_type": "table", "location": "a.lance"}]
shutil.rmtree(root / "__manifest")
lance.write_dataset(pa.Table.from_pylist(good + bad, schema=manifest.schema), str(root / "__manifest"))
shutil.make_archive(str(here / "hostile"), "zip", root)
