"""Tables with random histories, and the rows that pylance reads of every version.

    random_history.py DIR FIRST COUNT

Seed N makes DIR/N/*.lance and DIR/N.json: a list of what to read ({uri, branch, version, file, ...}), where file is
an Arrow IPC file with all rows and their meta columns, or error is why pylance cannot read the version.
"""

import json
import os
import random
import shutil
import sys
import traceback
import uuid

os.environ["LANCE_ENABLE_UNSTABLE_DATA_OVERLAY_FILES"] = "1"

import lance
import pyarrow as pa
from lance.file import LanceFileWriter
from lance.fragment import DataFile

META = ["_rowid", "_rowaddr", "_row_created_at_version", "_row_last_updated_at_version"]
VERBOSE = os.environ.get("VERBOSE")


def value(rng, t, nulls=True):
    if rng.random() < 0.15 and (nulls or not pa.types.is_struct(t)):
        return None
    if pa.types.is_boolean(t):
        return rng.random() < 0.5
    if pa.types.is_integer(t):
        return rng.randrange(0, 100)
    if pa.types.is_floating(t):
        return rng.randrange(0, 1000) / 8
    if pa.types.is_string(t) or pa.types.is_large_string(t):
        return "".join(rng.choice("abcde") for _ in range(rng.randrange(0, 8)))
    if pa.types.is_fixed_size_list(t):
        return [rng.randrange(0, 100) / 4 for _ in range(t.list_size)]
    if pa.types.is_list(t) or pa.types.is_large_list(t):
        return [value(rng, t.value_type, nulls) for _ in range(rng.randrange(0, 4))]
    if pa.types.is_struct(t):
        return {f.name: value(rng, f.type, nulls) for f in t}
    return None


class History:
    def __init__(self, seed, dir):
        self.rng = random.Random(seed)
        self.dir = dir
        self.next_id = 0
        self.names = 0
        self.log = []
        rng = self.rng
        self.stable = rng.random() < 0.6
        self.version = rng.choice(["2.0", "2.1", "2.2"])
        self.uri = os.path.join(dir, "t.lance")
        self.ds = lance.write_dataset(
            self.rows(self.first_schema(), rng.randrange(1, 60)), self.uri,
            data_storage_version=self.version, enable_stable_row_ids=self.stable,
            max_rows_per_file=rng.choice([7, 20, 1000]), enable_v2_manifest_paths=rng.random() < 0.7,
        )
        self.branch = None
        self.known = [(self.uri, None)]  # tables and branches

    def first_schema(self):
        rng = self.rng
        fields = [pa.field("id", pa.int64())]
        more = [
            pa.field("a", pa.int32()), pa.field("s", pa.string()), pa.field("f", pa.float32()),
            pa.field("st", pa.struct([pa.field("x", pa.int32()), pa.field("y", pa.string()),
                                      pa.field("in", pa.struct([pa.field("p", pa.int64()), pa.field("q", pa.string())]))])),
            pa.field("l", pa.list_(pa.int32())), pa.field("v", pa.list_(pa.float32(), 4)),
            pa.field("ls", pa.list_(pa.struct([pa.field("m", pa.int32()), pa.field("n", pa.string())]))),
            pa.field("b", pa.bool_()),
        ]
        rng.shuffle(more)
        return pa.schema(fields + more[: rng.randrange(1, 6)])

    def rows(self, schema, n, ids=None):
        cols = []
        for f in schema:
            if f.name == "id":
                if ids is None:
                    ids = list(range(self.next_id, self.next_id + n))
                    self.next_id += n
                cols.append(pa.array(ids, pa.int64()))
            else:
                cols.append(pa.array([value(self.rng, f.type, self.version != "2.0") for _ in range(n)], f.type))
        return pa.table(cols, schema=schema)

    def name(self, prefix):
        self.names += 1
        return f"{prefix}{self.names}"

    def where(self):
        rng = self.rng
        k = rng.randrange(2, 9)
        lo = rng.randrange(0, self.next_id + 1)
        return rng.choice([f"id % {k} = {rng.randrange(k)}", f"id >= {lo} AND id < {lo + rng.randrange(1, 30)}", f"id = {lo}"])

    def column(self, *kinds):
        names = [f.name for f in self.ds.schema if f.name != "id" and (not kinds or any(k(f.type) for k in kinds))]
        return self.rng.choice(names) if names else None

    # -- operations

    def append(self):
        schema = self.ds.schema
        self.ds.insert(self.rows(schema, self.rng.randrange(1, 40)), mode="append", max_rows_per_file=self.rng.choice([5, 1000]))

    def delete(self):
        self.ds.delete(self.where())

    def update(self):
        rng = self.rng
        c = self.column(pa.types.is_integer, pa.types.is_string, pa.types.is_floating)
        if c is None:
            return
        t = self.ds.schema.field(c).type
        e = {True: "'upd'", False: "7"}[pa.types.is_string(t)]
        self.ds.update({c: e}, where=self.where())

    def merge_insert(self):
        rng = self.rng
        n = rng.randrange(1, 20)
        ids = rng.sample(range(self.next_id + 15), min(n, self.next_id + 15))
        self.next_id = max(self.next_id, max(ids) + 1)
        m = self.ds.merge_insert("id").when_matched_update_all()
        schema = self.ds.schema
        if rng.random() < 0.4 and len(schema) > 2:  # some columns only
            keep = [f for f in schema if f.name == "id"] + rng.sample([f for f in schema if f.name != "id"], rng.randrange(1, len(schema) - 1))
            schema = pa.schema(keep)
            rows = self.rows(schema, len(ids), ids)
            return m.execute(rows)
        if rng.random() < 0.8:
            m = m.when_not_matched_insert_all()
        if rng.random() < 0.2:
            m = m.when_not_matched_by_source_delete(f"id % 5 = {rng.randrange(5)}")
        m.execute(self.rows(schema, len(ids), ids))

    def add_columns(self):
        kind = self.rng.randrange(4)
        n = self.name("c")
        if kind == 0:
            self.ds.add_columns({n: "id * 2"})
        elif kind == 1:
            self.ds.add_columns(pa.field(n, self.rng.choice([pa.int32(), pa.string(), pa.struct([pa.field("k", pa.int32())]), pa.list_(pa.int16())])))
        elif kind == 2:
            @lance.batch_udf(output_schema=pa.schema([pa.field(n, pa.string())]))
            def f(b):
                return pa.record_batch([pa.array([None if i % 3 == 0 else f"u{i}" for i in b["id"].to_pylist()], pa.string())], [n])
            self.ds.add_columns(f, read_columns=["id"])
        else:
            self.ds.merge(pa.table({"id": pa.array(range(0, self.next_id, 2), pa.int64()), n: pa.array(range(0, self.next_id, 2), pa.int32())}), "id")

    def add_nested(self):
        c = self.column(pa.types.is_struct)
        if c:
            t = self.ds.schema.field(c).type
            k = self.name("k")
            self.ds.add_columns(pa.schema([pa.field(c, pa.struct([pa.field(k, pa.int32())]))]))

    def drop(self):
        if len(self.ds.schema) <= 2:
            return
        c = self.column()
        t = self.ds.schema.field(c).type
        if pa.types.is_struct(t) and t.num_fields > 1 and self.rng.random() < 0.6:
            c = f"{c}.{self.rng.choice([f.name for f in t])}"
        self.ds.drop_columns([c])

    def rename(self):
        c = self.column()
        t = self.ds.schema.field(c).type
        if pa.types.is_struct(t) and self.rng.random() < 0.6:
            c = f"{c}.{self.rng.choice([f.name for f in t])}"
        self.ds.alter_columns({"path": c, "name": self.name("r")})

    def cast(self):
        c = self.column(pa.types.is_int32, pa.types.is_string, pa.types.is_float32, pa.types.is_fixed_size_list)
        if not c:
            return
        t = self.ds.schema.field(c).type
        to = {pa.int32(): pa.int64(), pa.string(): pa.large_string(), pa.float32(): pa.float64()}.get(t, pa.list_(pa.float16(), 4))
        self.ds.alter_columns({"path": c, "data_type": to})

    def compact(self):
        self.ds.optimize.compact_files(
            target_rows_per_fragment=self.rng.choice([30, 100, 10000]),
            materialize_deletions_threshold=self.rng.choice([0.0, 0.1, 0.5]),
            defer_index_remap=not self.stable and self.rng.random() < 0.5)

    def index(self):
        self.ds.create_scalar_index("id", "BTREE")

    def optimize(self):
        self.ds.optimize.optimize_indices()

    def restore(self):
        v = self.rng.choice(self.ds.versions())["version"]
        self.ds.checkout_version(v).restore()
        self.ds.checkout_latest()

    def overwrite(self):
        schema = self.first_schema() if self.rng.random() < 0.5 else self.ds.schema
        n = self.rng.randrange(0, 40)
        lance.write_dataset(self.rows(schema, n), self.ds, mode="overwrite", max_rows_per_file=self.rng.choice([7, 1000]))

    def truncate(self):
        self.ds.truncate_table()

    def tag(self):
        v = self.rng.choice(self.ds.versions())["version"]
        self.ds.tags.create(self.name("tag"), (self.branch, v) if self.branch else v)

    def config(self):
        self.ds.update_config({self.name("k"): "v"})

    def metadata(self):
        rng = self.rng
        if rng.random() < 0.5:
            self.ds.update_metadata({self.name("k"): "m"})
        else:
            self.ds.update_schema_metadata({self.name("k"): "sm"})

    def make_branch(self):
        v = self.rng.choice(self.ds.versions())["version"]
        n = self.rng.choice(["", "dir/"]) + self.name("br")
        ds = self.ds.create_branch(n, (self.branch, v) if self.branch else v)
        self.known.append((self.uri, n))
        if self.rng.random() < 0.7:
            self.ds, self.branch = ds, n

    def switch(self):
        self.uri, self.branch = self.rng.choice(self.known)
        self.ds = lance.dataset(self.uri)
        if self.branch:
            self.ds = self.ds.checkout_version((self.branch, None))

    def clone(self):
        v = self.rng.choice(self.ds.versions())["version"]
        uri = os.path.join(self.dir, self.name("clone") + ".lance")
        ds = self.ds.shallow_clone(uri, (self.branch, v) if self.branch else v)
        self.known.append((uri, None))
        if self.rng.random() < 0.7:
            self.uri, self.branch, self.ds = uri, None, ds

    def migrate(self):
        self.ds.migrate_manifest_paths_v2()

    def replacement(self):
        """New values of a column, fragment by fragment."""
        c = self.column(pa.types.is_int32, pa.types.is_string)
        frags = self.ds.get_fragments()
        if not c or not frags:
            return
        f = self.rng.choice(frags)
        rows = f.to_table(columns=["id"])
        ids = [i for i in rows["id"].to_pylist() if i is not None and self.rng.random() < 0.5]
        if not ids:
            return
        new = self.rows(pa.schema([pa.field("id", pa.int64()), self.ds.schema.field(c)]), len(ids), ids)
        meta, fields = f.update_columns(new, left_on="id", right_on="id")
        op = lance.LanceOperation.Update(removed_fragment_ids=[], updated_fragments=[meta], new_fragments=[], fields_modified=fields)
        self.ds = lance.LanceDataset.commit(self.ds, op, read_version=self.ds.version)

    def overlay(self):
        """New values of some cells, laid over the files."""
        rng, groups = self.rng, []
        version = self.ds.data_storage_version
        for frag in rng.sample(self.ds.get_fragments(), min(len(self.ds.get_fragments()), rng.randrange(1, 3))):
            overlays = []
            for _ in range(rng.randrange(1, 3)):
                top = rng.sample([f for f in self.ds.lance_schema.fields() if f.name() != "id"], rng.randrange(1, 3))
                n = rng.randrange(1, 1 + max(1, frag.physical_rows // rng.choice([1, 2, 8])))
                dense = sorted(rng.sample(range(frag.physical_rows), n))
                fields, ids, offsets = [], [], []
                for f in top:
                    path, t = [f], self.ds.schema.field(f.name())
                    while pa.types.is_struct(t.type):
                        c = rng.choice(path[-1].children())
                        t = t.type.field(c.name())
                        path.append(c)
                    for p in reversed(path[:-1]):
                        t = pa.field(p.name(), pa.struct([t]))
                    fields.append(t)
                    below, mine = [], sorted(rng.sample(range(frag.physical_rows), n))

                    def walk(x):
                        if not x.children() or version == "2.0":
                            below.append(x.id())
                        for c in x.children():
                            walk(c)

                    if version == "2.0":
                        below += [p.id() for p in path[:-1]]
                    walk(path[-1])
                    ids += below
                    offsets += [mine] * len(below)
                name = uuid.UUID(int=rng.getrandbits(128)).hex + ".lance"
                schema = pa.schema(fields)
                full = os.path.join(self.ds.uri.removeprefix("file://"), "data", name)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                w = LanceFileWriter(full, schema, version=version)
                w.write_batch(self.rows(schema, n))
                w.close()
                major, minor = (int(x) for x in version.split("."))
                file = DataFile(name, ids, list(range(len(ids))), major, minor, os.path.getsize(full))
                overlays.append(lance.LanceOperation.DataOverlayFile(file, dense if rng.random() < 0.5 else offsets))
            groups.append(lance.LanceOperation.DataOverlayGroup(frag.fragment_id, overlays))
        self.ds = lance.LanceDataset.commit(self.ds, lance.LanceOperation.DataOverlay(groups), read_version=self.ds.version)

    OPS = dict(append=12, delete=10, update=10, merge_insert=10, add_columns=6, add_nested=2, drop=3, rename=4, cast=4,
               compact=10, index=2, optimize=2, restore=3, overwrite=2, truncate=1, tag=2, config=1, metadata=2, make_branch=3, switch=3,
               clone=2, migrate=1, replacement=4, overlay=4)

    def run(self, steps):
        ops, weights = list(self.OPS), list(self.OPS.values())
        for _ in range(steps):
            op = self.rng.choices(ops, weights)[0]
            try:
                getattr(self, op)()
                if not self.branch:
                    self.ds.checkout_latest()
                self.log.append(f"{op} -> {self.ds.version}")
            except BaseException as e:  # what pylance refuses is no part of the history; its panics are no Exception
                self.log.append(f"{op}: {str(e)[:150]}")
                if VERBOSE:
                    traceback.print_exc()
                try:
                    self.ds = lance.dataset(self.uri)
                    if self.branch:
                        self.ds = self.ds.checkout_version((self.branch, None))
                except BaseException as e:
                    self.log.append(f"lost: {e}")
                    return

    def dump(self, base):
        out = []
        for uri, branch in self.known:
            ds = lance.dataset(uri)
            if branch:
                ds = ds.checkout_version((branch, None))
            for v in [v["version"] for v in ds.versions()]:
                entry = dict(uri=uri, branch=branch or "", version=v)
                out.append(entry)
                try:
                    d = ds.checkout_version((branch, v) if branch else v)
                    t = d.to_table(columns=d.schema.names + META)
                    entry["config"] = d.config()
                    entry["metadata"] = d.metadata
                    entry["rows"] = d.count_rows()
                except BaseException as e:
                    entry["error"] = str(e)[:300]
                    continue
                entry["file"] = f"{base}-{len(out)}.arrow"
                with pa.ipc.new_file(entry["file"], t.schema) as w:
                    w.write_table(t)
            if branch is None:
                for name, tag in ds.tags.list().items():
                    out.append(dict(uri=uri, tag=name, branch=tag["branch"] or "", version=tag["version"]))
        with open(base + ".json", "w") as f:
            json.dump(dict(log=self.log, stable=self.stable, storage=self.version, reads=out), f)


def main(dir, first, count):
    for seed in range(int(first), int(first) + int(count)):
        d = os.path.join(dir, str(seed))
        shutil.rmtree(d, ignore_errors=True)
        os.makedirs(d)
        h = History(seed, d)
        h.run(h.rng.randrange(4, 16))
        h.dump(os.path.join(dir, str(seed)))


main(*sys.argv[1:])
