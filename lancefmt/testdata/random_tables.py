"""Writes tables of random nested types, values and encodings with pylance, and what pylance reads from them.

    python random_tables.py OUT FIRST_SEED COUNT [SECONDS [VERSION]]
    LANCEFLIGHT_RANDOM=OUT go test ./lancefmt -run RandomTables

VERSION is the storage version; without it tables are of 2.0, 2.1 and 2.2.

Each seed gives OUT/{seed}.lance, OUT/{seed}.arrow (the rows), OUT/{seed}.json (what was done). The rows are those
that pylance reads, with the values of blobs; or those that were written if pylance cannot read its own table, or reads
other values: .json says so. Tables that pylance refuses to write are left out. Needs pylance and pyarrow.
"""
import json
import os
import random
import shutil
import sys
import time
import warnings

import lance
import numpy as np
import pyarrow as pa
from lance.arrow import BFloat16Type
from lance.blob import blob_array, blob_field

warnings.filterwarnings("ignore")

INTS = [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64(), pa.uint64()]
FLOATS = [pa.float16(), pa.float32(), pa.float64()]
TIMES = [pa.date32(), pa.date64(), pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"), pa.timestamp("s"), pa.timestamp("us", "UTC"),
         pa.timestamp("ns", "+08:00"), pa.timestamp("ms", "America/New_York"), pa.duration("s"), pa.duration("ms"), pa.duration("us"), pa.duration("ns")]
STRINGS = [pa.string(), pa.large_string(), pa.binary(), pa.large_binary()]


class Maker:
    def __init__(self, seed, version=None):
        self.r = random.Random(seed)
        self.np = np.random.default_rng(seed)
        self.version = self.r.choice(["2.0", "2.1", "2.1", "2.2", "2.2", "2.2"])
        self.version = version or self.version

    # Types.

    def leaf(self):
        r = self.r
        k = r.random()
        if k < .25:
            return r.choice(INTS)
        if k < .35:
            return r.choice(FLOATS)
        if k < .42:
            return pa.bool_()
        if k < .65:
            return r.choice(STRINGS)
        if k < .70:
            return pa.binary(r.choice([1, 2, 3, 4, 8, 12, 16, 33] + [0] * (self.version == "2.2")))
        if k < .75:
            return r.choice([pa.decimal128(10, 2), pa.decimal128(38, 0), pa.decimal256(60, 5)])
        if k < .83:
            return r.choice(TIMES)
        if k < .85:
            return pa.null()
        if k < .92:
            values = r.choice(STRINGS + [pa.string(), pa.bool_(), pa.int8(), pa.uint16(), pa.int32(), pa.uint64(), pa.float32(), pa.float64()])  # pyarrow garbles float16 when it joins dictionaries
            return pa.dictionary(r.choice(INTS), values)
        if k < .935:
            return pa.json_()
        if k < .945:
            return r.choice([pa.uuid(), BFloat16Type(), pa.string_view(), pa.binary_view()])
        item = r.choice(INTS + FLOATS + [pa.bool_(), pa.binary(3), pa.date32(), pa.timestamp("us"), pa.decimal128(20, 2), BFloat16Type()])
        t = pa.list_(pa.field("item", item, r.random() < .6), r.choice([1, 2, 3, 8, 17, 64]))
        if r.random() < .15:
            t = pa.list_(pa.field("item", t, r.random() < .5), r.choice([1, 2, 5]))
        return t

    def type(self, depth):
        r = self.r
        k = r.random()
        if depth <= 0 or k < .45:
            return self.leaf()
        if k < .68:
            item = self.field("item", depth - 1)
            return pa.list_(item) if r.random() < .7 else pa.large_list(item)
        if k < .9 or self.version < "2.2":
            return pa.struct([self.field(f"f{i}", depth - 1) for i in range(r.randint(1, 3))])
        if k < .97:
            key = r.choice([pa.string(), pa.int32(), pa.binary()])
            return pa.map_(key, self.field("value", depth - 1))
        return pa.list_(pa.field("item", pa.struct([self.field("x", 0), self.field("y", 0)]), r.random() < .5), r.randint(1, 4))

    def field(self, name, depth):
        if self.version == "2.2" and self.r.random() < .02:
            return blob_field(name, nullable=self.r.random() < .8, inline_size_threshold=self.r.choice([0, 20, None]), dedicated_size_threshold=self.r.choice([200, None]))
        t = self.type(depth)
        md = self.metadata(t)
        null = self.r.random() < .8 or pa.types.is_null(t)
        return pa.field(name, t, null, metadata=md or None)

    def metadata(self, t):
        r = self.r
        md = {}
        if r.random() < .4:
            return md
        def put(key, choices, p=.25):
            if r.random() < p:
                md["lance-encoding:" + key] = r.choice(choices)
        if pa.types.is_struct(t):
            fixed = all(pa.types.is_primitive(f.type) or pa.types.is_fixed_size_binary(f.type) or (self.version >= "2.2" and not pa.types.is_nested(f.type)) for f in t)
            if fixed and r.random() < .5:
                md["lance-encoding:packed"] = "true"
                put("compression", ["zstd", "lz4", "none"], .3)
                put("structural-encoding", ["miniblock", "fullzip"], .3)
            return md
        put("compression", ["zstd", "lz4", "fsst", "none"], .4)
        put("compression-level", ["1", "3"], .1)
        put("structural-encoding", ["miniblock", "fullzip"] + ["sparse"] * (self.version >= "2.3"), .35)
        put("rle-threshold", ["0.0", "0.1", "0.9", "1.0"])
        put("bss", ["off", "on", "auto"])
        put("minichunk-size", ["64", "128", "512", "4096", "32768"], .2)
        put("dict-divisor", ["1", "2", "100"])
        put("dict-size-ratio", ["0.1", "0.9", "1.0"])
        put("dict-max-size", ["4", "1000"], .1)
        put("dict-values-compression", ["none", "lz4", "zstd"])
        if pa.types.is_large_binary(t) and r.random() < .2 and self.version < "2.2":
            return {"lance-encoding:blob": "true"}
        return md

    # Values.

    def spread(self, n, distinct):
        """n numbers below distinct, in one of several orders."""
        k = self.r.randint(0, 4)
        if k == 0:
            return np.zeros(n, np.int64) + self.r.randrange(distinct)
        if k == 1:
            return np.sort(self.np.integers(0, distinct, n))
        if k == 2:
            runs = self.np.integers(0, distinct, n // 7 + 1)
            return np.repeat(runs, self.np.integers(1, 30, len(runs)))[:n] if len(runs) * 1 >= 1 and n == 0 else np.resize(np.repeat(runs, self.np.integers(1, 30, len(runs))), n)
        if k == 3:
            return np.arange(n) % distinct
        return self.np.integers(0, distinct, n)

    def mask(self, n, nullable):
        """True where NULL, or None."""
        k = self.r.random()
        if not nullable or k < .25:
            return None
        if k < .33:
            return np.ones(n, bool)
        if k < .6:
            return self.np.random(n) < self.r.choice([.01, .1, .5, .9, .99])
        if k < .8:
            return np.resize(np.repeat(self.np.random(n // 50 + 1) < .5, 50), n)
        m = np.zeros(n, bool)
        if n:
            m[self.np.integers(0, n, self.r.choice([1, 3]))] = True
        return m

    def fixed(self, n, width):
        """n values of width bytes."""
        k = self.r.randint(0, 5)
        if k <= 1:
            pool = self.np.integers(0, 256, (self.r.choice([1, 2, 5, 40, 300]), width), np.uint8)
            return pool[self.spread(n, len(pool))]
        if k == 2:
            return self.np.integers(0, 256, (n, width), np.uint8)
        if k == 3:
            base = self.spread(n, self.r.choice([3, 100, 10000, 1 << 30]))
        else:
            base = np.arange(n) * self.r.choice([1, 3, 1000]) + self.r.choice([0, 1 << 20])
        out = np.zeros((n, max(width, 8)), np.uint8)
        out[:, :8] = base.astype("<i8").view(np.uint8).reshape(n, 8)
        return np.ascontiguousarray(out[:, :width])

    def validity(self, mask):
        return None if mask is None else pa.py_buffer(np.packbits(~mask, bitorder="little").tobytes())

    def buffers(self, t, n, mask, bufs):
        return pa.Array.from_buffers(t, n, [self.validity(mask)] + [pa.py_buffer(np.ascontiguousarray(b).tobytes()) for b in bufs])

    def bytes(self, t, n, mask, distinct=None):
        kind = self.r.choice(["short", "short", "empty", "long", "fixed", "text", "mixed", "mixed"])
        lengths = {"short": (0, 12), "empty": (0, 1), "long": (200, 600), "fixed": (9, 10), "text": (10, 60), "mixed": (0, 300)}[kind]
        if n <= 200 and self.r.random() < .05:
            lengths = (0, 200000)
        count = distinct or self.r.choice([1, 2, 7, 100, max(1, n), max(1, n), max(1, n)])
        count = min(count, max(n, 1)) if not distinct else count
        text = pa.types.is_string(t) or pa.types.is_large_string(t) or kind == "text"
        words = ["alpha", "beta ", "Gamma-", "δέλτα", "http://", "\U0001f600", "x", " ", "0000"]
        pool = []
        for _ in range(count):
            size = self.r.randrange(*lengths)
            if text:
                s = ""
                if size > 5000:
                    s = self.r.choice(words) * (size // 5)
                while len(s) < size:
                    s += self.r.choice(words) if self.r.random() < .7 else chr(self.r.randrange(32, 127))
                pool.append(s.encode())
            else:
                pool.append(self.np.bytes(size))
        if distinct:
            pool = list(dict.fromkeys(pool))
            while len(pool) < distinct:
                pool.append(b"k%d" % len(pool))
        order = self.spread(n, len(pool)) if not distinct else np.arange(n)
        values = [pool[i] for i in order]
        if mask is not None:
            values = [None if m else v for v, m in zip(values, mask)]
        big = pa.types.is_large_string(t) or pa.types.is_large_binary(t)
        return pa.array(values, pa.large_binary() if big else pa.binary()).view(t)

    def document(self, depth):
        """A JSON document."""
        r = self.r
        if depth <= 0 or r.random() < .3:
            return r.choice([None, True, False, r.randint(-300, 300), r.getrandbits(64), -r.getrandbits(63), r.getrandbits(100), r.random(), r.gauss(0, 1) * 10 ** r.randint(-30, 30),
                             r.randint(0, 10 ** 6) / 100, "", "text", "\u00e9\U0001f600\"\\/\n\t\x01\x7f", "k" * r.randint(0, 300)])
        if r.random() < .4:
            return [self.document(depth - 1) for _ in range(r.choice([0, 1, 3, 20]))]
        return {r.choice(["", "a", "key", "\u00fc", "z\"z", "B", "long" * 10]) + str(r.randint(0, 20)): self.document(depth - 1) for _ in range(r.choice([0, 1, 3, 10]))}

    def array(self, f, n):
        t, r = f.type, self.r
        mask = self.mask(n, f.nullable)
        if isinstance(t, pa.BaseExtensionType) and t != pa.json_():
            if t.extension_name == "lance.blob.v2":
                return blob_array(self.bytes(pa.binary(), n, mask).to_pylist())
            return pa.ExtensionArray.from_storage(t, self.array(pa.field("s", t.storage_type, f.nullable), n))
        if t in (pa.string_view(), pa.binary_view()):
            return self.bytes(pa.string() if t == pa.string_view() else pa.binary(), n, mask).cast(t)
        if pa.types.is_null(t):
            return pa.nulls(n)
        if pa.types.is_boolean(t):
            bits = self.spread(n, 2).astype(bool)
            return self.buffers(t, n, mask, [np.packbits(bits, bitorder="little")])
        if t in STRINGS:
            return self.bytes(t, n, mask)
        if t == pa.json_():
            pool = [json.dumps(self.document(r.choice([0, 0, 1, 2, 3])), ensure_ascii=r.random() < .5, indent=r.choice([None, 1])) for _ in range(r.choice([1, 3, 100]))]
            values = [pool[i] for i in self.spread(n, len(pool))]
            return pa.array([None if mask is not None and mask[i] else v for i, v in enumerate(values)], t)
        if pa.types.is_dictionary(t):
            size = min(r.choice([1, 2, 5, 100, 1000]), 100 if t.index_type.bit_width == 8 else 1000)
            dmask = self.np.random(size) < .1 if r.random() < .3 and f.nullable else None
            if t.value_type in STRINGS:
                words = self.bytes(t.value_type, size, dmask, distinct=size)
            elif pa.types.is_boolean(t.value_type):
                size = min(size, 2)
                words = pa.array([True, False][:size], mask=None if dmask is None else dmask[:size])
            else:
                words = pa.array(np.arange(size), mask=dmask).cast(pa.float32()).cast(t.value_type, safe=False)
            idx = self.spread(n, size).astype(t.index_type.to_pandas_dtype())
            return pa.DictionaryArray.from_arrays(pa.array(idx, t.index_type, mask=mask), words)
        if pa.types.is_struct(t):
            if self.version == "2.0":
                mask = None
            if mask is not None and f.metadata and b"lance-encoding:packed" in f.metadata and r.random() < .7:
                mask = None
            arrays = [self.array(c, n) for c in t]
            return pa.StructArray.from_arrays(arrays, fields=list(t), mask=None if mask is None else pa.array(mask))
        if pa.types.is_fixed_size_list(t):
            values = self.array(t.value_field, n * t.list_size)
            return pa.FixedSizeListArray.from_arrays(values, type=t, mask=None if mask is None else pa.array(mask))
        if pa.types.is_list(t) or pa.types.is_large_list(t) or pa.types.is_map(t):
            k = r.randint(0, 5)
            top = {0: 1, 1: 2, 2: 4, 3: 4, 4: 10, 5: 3}[k]
            lengths = self.np.integers(0, top, n) if r.random() < .8 else np.full(n, r.choice([0, 1, 3]))
            if n and r.random() < .15 and n <= 2000:
                lengths[self.np.integers(0, n)] = r.choice([50, 3000, 9000])
            if mask is not None and r.random() < .8:
                lengths[mask] = 0  # else garbage behind NULLs
            elif mask is not None:
                mask = mask & (lengths == 0) if pa.types.is_map(t) else mask
            offsets = np.zeros(n + 1, np.int64 if pa.types.is_large_list(t) else np.int32)
            offsets[1:] = np.cumsum(lengths)
            total = int(offsets[-1])
            if pa.types.is_map(t):
                keys = self.array(pa.field("k", t.key_type, False), total)
                items = self.array(t.item_field, total)
                entries = pa.StructArray.from_arrays([keys, items], fields=[t.key_field, t.item_field])
                return pa.Array.from_buffers(t, n, [self.validity(mask), pa.py_buffer(offsets.tobytes())], children=[entries])
            return pa.Array.from_buffers(t, n, [self.validity(mask), pa.py_buffer(offsets.tobytes())], children=[self.array(t.value_field, total)])
        if pa.types.is_decimal(t):
            top = 10 ** min(t.precision, 18)
            low = self.fixed(n, 8).reshape(-1).view("<i8") % top
            out = np.zeros((n, t.bit_width // 64), "<i8")
            out[:, 0] = low
            if r.random() < .5 and t.precision > 20:
                out[:, 1] = self.spread(n, 3)
            return self.buffers(t, n, mask, [out])
        width = t.byte_width
        raw = self.fixed(n, width)
        if pa.types.is_time(t):  # within a day
            day = {"s": 86400, "ms": 86400000, "us": 86400000000, "ns": 86400000000000}[t.unit]
            raw = (raw.reshape(-1).view("<i%d" % width) % day)
        if pa.types.is_date64(t):
            raw = (raw.reshape(-1).view("<i8") % 100000) * 86400000
        return self.buffers(t, n, mask, [raw])

    def table(self):
        r = self.r
        n = r.choice([0, 1, 2, 3, 10, 100, 100, 1000, 1000, 1000, 1025, 3000, 3000, 5000])
        fields = [self.field(f"c{i}", r.choice([0, 0, 1, 2, 2, 3, 4])) for i in range(r.randint(1, 4))]
        if r.random() < .02:
            n, fields = r.choice([20000, 70000]), [self.field("c0", r.choice([0, 1]))]
        arrays = [self.array(f, n) for f in fields]
        t = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
        if n > 10 and r.random() < .2:  # batches, and slices of buffers
            cut = r.randrange(1, n)
            t = pa.concat_tables([t.slice(0, cut), t.slice(cut)])
        return t

    def options(self):
        r = self.r
        o = {"data_storage_version": self.version}
        if r.random() < .3:
            o["max_rows_per_file"] = r.choice([1, 7, 100, 1000]) if r.random() < .3 else r.choice([700, 1500])
        if r.random() < .3:
            o["max_rows_per_group"] = r.choice([1, 10, 1024])
        return o


def same(a, b):
    """Equality of values; NaN payloads and the like are compared by the Go side."""
    try:
        if a.equals(b):
            return True
    except Exception:
        pass
    if a.num_rows != b.num_rows or a.num_columns != b.num_columns:
        return False
    for x, y in zip(a.columns, b.columns):
        if repr([comparable(v, y.type) for v in x.to_pylist()]) != repr([comparable(v, y.type) for v in y.to_pylist()]):
            return False
    return True


def comparable(v, t):
    """A value without the text of JSON, which pylance spells in its own way, and with the bytes of blobs."""
    if v is None or "json" not in str(t) and "blob.v2" not in str(t):
        return v
    if t == pa.json_():
        return "JSON"
    if isinstance(t, pa.BaseExtensionType):  # a blob, bytes where it was read
        return v["data"] if isinstance(v, dict) else v
    if isinstance(v, dict):
        return {f.name: comparable(v[f.name], f.type) for f in t}
    if pa.types.is_map(t):
        return [(k, comparable(x, t.item_type)) for k, x in v]
    return [comparable(x, t.value_type) for x in v]


def save(path, table):
    with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks() if table.num_rows else table)


def make(out, seed, version):
    base = os.path.join(out, str(seed))
    m = Maker(seed, version)
    note = {"seed": seed, "version": m.version}
    try:
        t = m.table()
        o = m.options()
    except pa.ArrowInvalid as e:
        return {"seed": seed, "generator": str(e)}
    if o.get("max_rows_per_file", 1000) < 50:
        t = t.slice(0, 60)
    os.environ["LANCE_FILE_WRITER_MAX_PAGE_BYTES"] = str(m.r.choice([1 << 25, 1 << 25, 20000, 3000]))
    try:
        ds = lance.write_dataset(t, base + ".lance", **o)
    except BaseException as e:
        if isinstance(e, KeyboardInterrupt):
            raise
        shutil.rmtree(base + ".lance", ignore_errors=True)
        return note | {"refused": str(e)[:300], "schema": str(t.schema)}
    want = t
    try:
        if m.version == "0.1":
            ds = lance.dataset(base + ".lance")  # not the dictionaries that the writer still has in memory
        got = ds.to_table(blob_handling="all_binary")
        try:
            alike = same(got, t)
        except Exception:  # values beyond what Python has: the Go side compares with what was written
            alike, got = True, got if m.version == "0.1" else t
        if alike or m.version == "0.1":  # 0.1 has no place for most NULLs
            want = got
        else:
            note["reads_differently"] = True
    except BaseException as e:
        if isinstance(e, KeyboardInterrupt):
            raise
        note["cannot_read"] = str(e)[:300]
        if m.version == "0.1":
            return note | {"generator": "what was written may not be what is there"}
    blobs = "blob.v2" in str(t.schema)  # written as structs, read as bytes
    if want is t and (blobs or "json" in str(t.schema)):
        return note | {"generator": "what was written says nothing of blobs and JSON as they are read"}
    try:
        save(base + ".arrow", want)
    except pa.ArrowInvalid:  # dictionaries with NULLs cannot be made one
        try:
            if blobs or "json" in str(t.schema) or m.version == "0.1":
                raise pa.ArrowInvalid("not read as they were written")
            save(base + ".arrow", t)
        except pa.ArrowInvalid as e:
            return note | {"generator": str(e)}
    note["schema"] = t.schema.to_string(show_field_metadata=True)
    note["rows"] = t.num_rows
    with open(base + ".json", "w") as f:
        json.dump(note, f)
    return note


def main():
    out, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    end = time.time() + float(sys.argv[4]) if len(sys.argv) > 4 else None
    version = sys.argv[5] if len(sys.argv) > 5 else None
    os.makedirs(out, exist_ok=True)
    done = refused = wrong = 0
    for seed in range(first, first + count):
        if end and time.time() > end:
            break
        note = make(out, seed, version)
        done += 1
        refused += "refused" in note or "generator" in note
        if "reads_differently" in note or "cannot_read" in note:
            wrong += 1
        if os.environ.get("VERBOSE") and ("refused" in note or "generator" in note or "cannot_read" in note or "reads_differently" in note):
            print(json.dumps({k: v for k, v in note.items() if k != "schema"}), flush=True)
    print(f"{done} tables, {refused} refused by pylance, {wrong} read otherwise than written or not at all by pylance")


main()
