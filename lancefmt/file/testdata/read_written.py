"""read.py FILE OUT: reads a Lance file with pylance and writes an Arrow file. The schema's metadata, and the global buffers as
hex, are in the schema's metadata."""
import sys

import lance
import pyarrow as pa
from lance.file import LanceFileReader

reader = LanceFileReader(sys.argv[1])
table = reader.read_all().to_table()
meta = reader.metadata()
assert (meta.major_version, meta.minor_version) == (0, 3), (meta.major_version, meta.minor_version)
extra = dict(meta.schema.metadata or {})
for i in range(1, len(meta.global_buffers)):
    extra[b"global %d" % i] = bytes(reader.read_global_buffer(i)).hex().encode()
fields = [pa.field(f.name, t.type, f.nullable) for f, t in zip(meta.schema, table.schema)]
table = table.cast(pa.schema(fields)).replace_schema_metadata(extra)
with pa.ipc.new_file(sys.argv[2], table.schema) as out:
    out.write_table(table.combine_chunks())
