"""Dumps every 2.0, 2.1 and 2.2 file below a folder as pylance's file reader reads it.

    python dump_columns.py FIXTURES OUT && LANCEFLIGHT_DUMP=OUT go test ./lancefmt/file -run AgainstPylance

Needs pylance 14.0.2 (or newer) and pyarrow. Each file becomes OUT/{path with '/' as '__'}.arrow.
"""
import os
import sys

import pyarrow as pa
from lance.file import LanceFileReader

root, out = sys.argv[1:3]
os.makedirs(out, exist_ok=True)
for folder, _, names in os.walk(root):
    for name in names:
        if not name.endswith((".lance", ".idx")):
            continue
        path = os.path.join(folder, name)
        target = os.path.join(out, os.path.relpath(path, root).replace("/", "__") + ".arrow")
        try:
            reader = LanceFileReader(path)
            meta = reader.metadata()
            if (meta.major_version, meta.minor_version) not in ((0, 3), (2, 1), (2, 2)):
                continue
            table = reader.read_all().to_table()
        except Exception as error:
            print(path, error)
            continue
        with pa.OSFile(target, "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
