"""Writes statements over three small tables, and what PostgreSQL, DuckDB and DataFusion answer to them.

    pip install duckdb datafusion psycopg pylance pyarrow
    python generate.py 'host=/tmp port=5433 user=postgres dbname=scratch'

The tables r, s and u become r.lance, s.lance and u.lance beside this script, and the statements with
their answers statements.jsonl.gz. The connection names a scratch database of PostgreSQL with encoding
UTF8 and locale C.UTF-8. The statements by hand are in statements.sql; the others are generated with a
fixed seed.

A line of statements.jsonl.gz is [statement, answer of PostgreSQL, of DuckDB, of DataFusion]. An answer
is a list of rows, whose values are texts or null, or the text of an error. The answers of DuckDB and
DataFusion are "=" where they are PostgreSQL's. The first line holds the versions. Rows are in order if
the statement orders them by all of its columns, and sorted otherwise. A few statements name in a comment
in front of them what another engine is asked instead.
"""

import datetime
import decimal
import gzip
import json
import math
import os
import random
import re
import shutil
import sys

import datafusion
import duckdb
import lance
import psycopg
import pyarrow as pa

HERE = os.path.dirname(os.path.abspath(__file__))
SEED = 20261201
N = None

# name -> columns (name, PostgreSQL's type, Arrow's type), rows
TABLES = {
    "r": (
        [("a", "int4", pa.int32()), ("b", "int8", pa.int64()), ("c", "text", pa.string()), ("d", "float8", pa.float64()),
         ("f", "bool", pa.bool_()), ("t", "timestamp", pa.timestamp("us"))],
        [
            [1, 10, "x", 0.5, True, "2024-01-01 00:00:00"],
            [2, 20, "y", -1.5, False, "2024-02-29 12:30:00"],
            [2, N, "x", N, N, N],
            [3, 30, "", 2.25, True, "1969-12-31 23:59:59"],
            [N, 40, "z", 0.5, False, "2024-01-01 00:00:00"],
            [4, -10, N, 0.0, True, "2024-12-31 23:59:59"],
            [5, 10, "abc", 1e10, N, N],
            [N, N, N, N, N, N],
            [-1, 0, "ABC", -0.25, False, "2000-01-01 00:00:00"],
            [2, 20, "y", -1.5, False, "2024-02-29 12:30:00"],
            [2147483647, 9223372036854775807, "é", 3.5, True, "2024-06-30 06:00:00"],
            [-2147483648, -9223372036854775808, "a%b_c", -3.5, True, "1900-03-01 00:00:00"],
        ],
    ),
    "s": (
        [("a", "int4", pa.int32()), ("b", "int8", pa.int64()), ("e", "text", pa.string()), ("g", "numeric(10,2)", pa.decimal128(10, 2)),
         ("h", "date", pa.date32())],
        [
            [1, 10, "x", "1.50", "2024-01-01"],
            [2, 21, "y", "-2.25", "2024-02-29"],
            [3, N, N, "0.00", N],
            [3, 30, "x", N, "2024-01-01"],
            [6, 60, "w", "1.50", "1999-12-31"],
            [N, 10, "x", "99999999.99", "2024-03-01"],
            [N, N, N, N, N],
            [7, 10, "", "-0.01", "2024-01-31"],
        ],
    ),
    "u": (
        [("a", "int8", pa.int64()), ("c", "text", pa.string()), ("k", "int2", pa.int16())],
        [[1, "x", 1], [2, "x", 2], [2, "y", 3], [8, "z", N], [N, "x", 5], [5, N, 6], [3, "", -7]],
    ),
}


def value(v, t):
    if v is None or t in (pa.int32(), pa.int64(), pa.int16(), pa.string(), pa.float64(), pa.bool_()):
        return v
    if pa.types.is_decimal(t):
        return decimal.Decimal(v)
    if t == pa.date32():
        return datetime.date.fromisoformat(v)
    return datetime.datetime.fromisoformat(v)


def arrow(name):
    columns, rows = TABLES[name]
    arrays = [pa.array([value(r[i], t) for r in rows], t) for i, (_, _, t) in enumerate(columns)]
    return pa.table(arrays, schema=pa.schema([pa.field(n, t) for n, _, t in columns]))


# ---- Statements --------------------------------------------------------------------------------

INTS = ["0", "1", "2", "3", "-1", "5", "10", "20", "NULL"]
TEXTS = ["'x'", "'y'", "''", "'abc'", "'é'", "NULL"]
NUMS = ["0.5", "-1.5", "1.50", "0", "2.25"]


class Gen:
    """Makes statements whose columns have a kind: i (whole numbers), n (other numbers), t (text), b (bool)."""

    def __init__(self, rnd):
        self.r = rnd

    def pick(self, xs):
        return xs[self.r.randrange(len(xs))]

    def chance(self, p):
        return self.r.random() < p

    KINDS = {"a": "i", "b": "i", "c": "t", "d": "n", "f": "b", "t": "ts", "e": "t", "g": "n", "h": "d", "k": "i"}

    def cols(self, name, alias):
        return [(f"{alias}.{n}", self.KINDS[n]) for n, _, _ in TABLES[name][0]]

    def of(self, scope, kind):
        return [c for c, k in scope if k == kind]

    def int(self, scope, depth=2):
        cols = self.of(scope, "i")
        x = self.r.random()
        if depth == 0 or x < 0.45:
            return self.pick(cols) if cols and x < 0.85 else self.pick(INTS[:-1])
        a = self.int(scope, depth - 1)
        return self.pick([
            lambda: f"coalesce({a}, {self.int(scope, depth - 1)})",
            lambda: f"nullif({a}, {self.int(scope, depth - 1)})",
            lambda: f"({a} % 7)",
            lambda: f"({a} / 2)",
            lambda: f"(({a}) % 1000 + {self.pick(['1', '-3', '100'])})",
            lambda: f"CASE WHEN {self.cond(scope, depth - 1)} THEN {a} ELSE {self.int(scope, depth - 1)} END",
            lambda: f"CASE {a} WHEN 1 THEN 10 WHEN 2 THEN 20 END",
            lambda: f"greatest({a}, {self.int(scope, 0)})",
            lambda: f"length({self.text(scope, depth - 1)})",
        ])()

    def text(self, scope, depth=1):
        cols = self.of(scope, "t")
        x = self.r.random()
        if depth == 0 or x < 0.5:
            return self.pick(cols) if cols and x < 0.9 else self.pick(TEXTS[:-1])
        a = self.text(scope, depth - 1)
        return self.pick([f"upper({a})", f"lower({a})", f"({a} || {self.text(scope, depth - 1)})", f"substr({a}, 1, 2)",
                          f"coalesce({a}, 'none')", f"replace({a}, 'b', 'q')", f"trim({a})"])

    def num(self, scope):
        cols = self.of(scope, "n")
        return self.pick(cols) if cols and self.chance(0.8) else self.pick(NUMS)

    def cond(self, scope, depth=2):
        x = self.r.random()
        if depth > 0 and x < 0.3:
            a, b = self.cond(scope, depth - 1), self.cond(scope, depth - 1)
            return self.pick([f"({a} AND {b})", f"({a} OR {b})", f"NOT ({a})", f"(({a}) IS NOT TRUE)"])
        kinds = [lambda: f"{self.int(scope, 1)} {self.op()} {self.int(scope, 1)}",
                 lambda: f"{self.int(scope, 1)} {self.op()} {self.pick(INTS)}",
                 lambda: f"{self.int(scope, 1)} IS {self.pick(['', 'NOT '])}NULL",
                 lambda: f"{self.int(scope, 0)} {self.pick(['', 'NOT '])}IN ({', '.join(self.pick(INTS) for _ in range(self.r.randrange(1, 4)))})",
                 lambda: f"{self.int(scope, 0)} {self.pick(['', 'NOT '])}BETWEEN {self.int(scope, 0)} AND {self.int(scope, 0)}",
                 lambda: f"{self.int(scope, 0)} IS {self.pick(['', 'NOT '])}DISTINCT FROM {self.int(scope, 0)}"]
        if self.of(scope, "t"):
            kinds += [lambda: f"{self.text(scope)} {self.op()} {self.text(scope)}",
                      lambda: f"{self.text(scope)} {self.pick(['', 'NOT '])}LIKE {self.pick(['%s', '_'.join(['']*2), 'x%', '%b%', 'a%c', '%', '', '_', '__%']) !r}".replace("'%s'", "'%'"),
                      lambda: f"{self.text(scope)} IN ('x', 'y', {self.pick(TEXTS)})"]
        if self.of(scope, "n"):
            kinds += [lambda: f"{self.num(scope)} {self.op()} {self.num(scope)}"]
        if self.of(scope, "b"):
            kinds += [lambda: self.pick(self.of(scope, "b")), lambda: f"{self.pick(self.of(scope, 'b'))} IS {self.pick(['TRUE', 'NOT FALSE', 'NULL'])}"]
        if self.of(scope, "ts"):
            kinds += [lambda: f"{self.pick(self.of(scope, 'ts'))} {self.op()} TIMESTAMP '2024-01-01 00:00:00'"]
        if self.of(scope, "d"):
            kinds += [lambda: f"{self.pick(self.of(scope, 'd'))} {self.op()} DATE '2024-01-31'"]
        return self.pick(kinds)()

    def op(self):
        return self.pick(["=", "=", "<>", "<", "<=", ">", ">="])

    def any(self, scope):
        kind = self.pick(["i", "i", "t", "b", "col"])
        if kind == "i":
            return self.int(scope)
        if kind == "t":
            return self.text(scope)
        if kind == "b":
            return f"({self.cond(scope, 1)})"
        return self.pick(scope)[0]

    # FROM clauses: text, scope (columns that have a name without doubt)
    def table(self, alias):
        name = self.pick(["r", "s", "u"])
        x = self.r.random()
        if x < 0.1:
            cols = self.cols(name, alias)
            inner = [(c.replace(alias + ".", "i."), k) for c, k in cols]
            where = f" WHERE {self.cond(inner, 1)}" if self.chance(0.6) else ""
            return f"(SELECT * FROM {name} i{where}) {alias}", cols
        if x < 0.15:
            n = self.r.randrange(1, 4)
            rows = ", ".join(f"({self.pick(INTS[:-1])}, {self.pick(TEXTS)})" for _ in range(n))
            return f"(VALUES {rows}, (1, 'x')) AS {alias}(a, c)", [(f"{alias}.a", "i"), (f"{alias}.c", "t")]
        return f"{name} {alias}", self.cols(name, alias)

    def source(self):
        x = self.r.random()
        left, scope = self.table("p")
        if x < 0.4:
            return left, scope, None
        aliases = ["q"] if x < 0.85 else ["q", "v"]
        for alias in aliases:
            right, cols = self.table(alias)
            kind = self.pick(["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"])
            if kind == "CROSS JOIN":
                left = f"{left} CROSS JOIN {right}"
            else:
                la, ra = self.of(scope, "i"), self.of(cols, "i")
                on = f"{self.pick(la)} = {self.pick(ra)}"
                if kind != "FULL JOIN" and self.chance(0.3):
                    on += f" AND {self.cond(scope + cols, 1)}"
                left = f"{left} {kind} {right} ON {on}"
            scope = scope + cols
        return left, scope, None

    def using(self):
        """SELECT over joins with USING and NATURAL, by names that only the tables with those columns have."""
        have = {n: {c for c, _, _ in TABLES[n][0]} for n in TABLES}
        names = [self.pick(["r", "s", "u"]) for _ in range(self.r.choice([2, 2, 3]))]
        aliases = ["p", "q", "v"][: len(names)]
        text, visible = f"{names[0]} p", [c for c, _, _ in TABLES[names[0]][0]]
        merged = set()
        for n, alias in zip(names[1:], aliases[1:]):
            kind = self.pick(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
            mine = [c for c, _, _ in TABLES[n][0]]
            common = [c for c in mine if visible.count(c) == 1]
            if self.chance(0.15) and all(visible.count(c) <= 1 for c in mine):
                text += f" NATURAL {kind} {n} {alias}"
                using = [c for c in visible if c in mine]
            elif common:
                using = self.r.sample(common, self.r.randrange(1, min(3, len(common) + 1)))
                text += f" {kind} {n} {alias} USING ({', '.join(using)})"
            else:
                text += f" CROSS JOIN {n} {alias}"
                using = []
            visible = using + [c for c in visible if c not in using] + [c for c in mine if c not in using]
            merged |= set(using)
        sole = [c for c in visible if visible.count(c) == 1]
        x = self.r.random()
        if x < 0.5 or not sole:
            items = "*"
        elif x < 0.6:
            items = self.pick(aliases) + ".*"
        else:
            items = ", ".join(self.r.sample(sole, self.r.randrange(1, len(sole) + 1)))
            for n, alias in zip(names, aliases):
                if self.chance(0.4):
                    items += f", {alias}.{self.pick(sorted(have[n]))} AS x{alias}"
        where = ""
        key = [c for c in sole if self.KINDS[c] == "i"]
        if key and self.chance(0.4):
            where = f" WHERE {self.pick(key)} {self.op()} {self.pick(INTS[:-1])}"
        if key and self.chance(0.2):
            k = self.pick(key)
            having = f" HAVING {k} {self.op()} 2" if self.chance(0.4) else ""
            return f"SELECT {k}, count(*) AS n, count({aliases[-1]}.a) AS m FROM {text}{where} GROUP BY {k}{having}"
        sql = f"SELECT {items} FROM {text}{where}"
        if items == "*" and sole and self.chance(0.3):
            sql += f" ORDER BY {self.pick(sole)}"
        return sql

    def aggregate(self, scope):
        x, filt = self.r.random(), ""
        if self.chance(0.25):
            filt = f" FILTER (WHERE {self.cond(scope, 1)})"
        distinct = "DISTINCT " if self.chance(0.25) else ""
        if x < 0.2:
            return f"count(*){filt}"
        if x < 0.35:
            return f"count({distinct}{self.any(scope)}){filt}"
        if x < 0.6:
            return f"sum({distinct}{self.int(scope, 1)} % 100){filt}"
        if x < 0.8:
            return f"{self.pick(['min', 'max'])}({self.pick([self.int(scope, 1), self.text(scope)])}){filt}"
        if x < 0.9:
            return f"avg({distinct}{self.int(scope, 0)} % 100){filt}"
        return f"{self.pick(['bool_and', 'bool_or'])}({self.cond(scope, 1)}){filt}"

    def simple(self):
        src, scope, _ = self.source()
        n = self.r.randrange(1, 4)
        items = [self.any(scope) for _ in range(n)]
        select = ", ".join(f"{e} AS o{i}" for i, e in enumerate(items))
        distinct = "DISTINCT " if self.chance(0.2) else ""
        where = f" WHERE {self.cond(scope)}" if self.chance(0.6) else ""
        sql = f"SELECT {distinct}{select} FROM {src}{where}"
        if self.chance(0.4):
            sql += self.order(n)
        return sql

    def order(self, n):
        keys = list(range(1, n + 1))
        self.r.shuffle(keys)
        text = " ORDER BY " + ", ".join(
            f"{self.pick([f'o{k - 1}', str(k)])}{self.pick(['', ' DESC', ' ASC'])}{self.pick(['', ' NULLS FIRST', ' NULLS LAST'])}" for k in keys)
        if self.chance(0.5):
            text += f" LIMIT {self.r.randrange(0, 6)}"
            if self.chance(0.5):
                text += f" OFFSET {self.r.randrange(0, 4)}"
        return text

    def grouped(self):
        src, scope, _ = self.source()
        where = f" WHERE {self.cond(scope)}" if self.chance(0.4) else ""
        aggs = [self.aggregate(scope) for _ in range(self.r.randrange(1, 4))]
        if self.chance(0.25):
            having = f" HAVING {self.pick(aggs)} IS NOT NULL" if self.chance(0.3) else ""
            return "SELECT " + ", ".join(f"{e} AS o{i}" for i, e in enumerate(aggs)) + f" FROM {src}{where}{having}"
        keys = [self.any(scope) for _ in range(self.r.randrange(1, 3))]
        items = keys + aggs
        select = ", ".join(f"{e} AS o{i}" for i, e in enumerate(items))
        by = ", ".join(self.pick([f"o{i}", str(i + 1)]) for i in range(len(keys)))
        having = f" HAVING count(*) {self.op()} {self.r.randrange(1, 4)}" if self.chance(0.3) else ""
        sql = f"SELECT {select} FROM {src}{where} GROUP BY {by}{having}"
        if self.chance(0.4):
            sql += self.order(len(items))
        return sql

    def term(self, n):
        src, scope, _ = self.source() if self.chance(0.3) else (*self.table("p"), None)
        items = [self.int(scope, 1) for _ in range(n - 1)] + [self.text(scope) if self.of(scope, "t") else "'x'"]
        where = f" WHERE {self.cond(scope, 1)}" if self.chance(0.5) else ""
        return "SELECT " + ", ".join(f"{e} AS o{i}" for i, e in enumerate(items)) + f" FROM {src}{where}"

    def setop(self):
        n = self.r.randrange(1, 4)
        sql = self.term(n)
        for _ in range(self.r.randrange(1, 3)):
            op = self.pick(["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "UNION ALL"])
            sql = f"{sql} {op} {self.term(n)}" if self.chance(0.7) else f"({sql}) {op} ({self.term(n)})"
        if self.chance(0.4):
            sql += self.order(n)
        return sql

    def subquery(self):
        src, scope = self.table("p")
        inner, cols = self.table("w")
        x = self.r.random()
        col, icol = self.pick(self.of(scope, "i")), self.pick(self.of(cols, "i"))
        iwhere = f" WHERE {self.cond(cols, 1)}" if self.chance(0.5) else ""
        if x < 0.3:
            cond = f"{col} {self.pick(['IN', 'NOT IN'])} (SELECT {icol} FROM {inner}{iwhere})"
        elif x < 0.6:
            more = f" AND {self.cond(cols, 1)}" if self.chance(0.5) else ""
            cond = f"{self.pick(['EXISTS', 'NOT EXISTS'])} (SELECT 1 FROM {inner} WHERE {icol} = {col}{more})"
        elif x < 0.8:
            cond = f"{col} {self.op()} (SELECT {self.pick(['max', 'min', 'count'])}({icol}) FROM {inner}{iwhere})"
        else:
            return (f"SELECT {col} AS o0, (SELECT {self.pick(['max', 'min', 'sum', 'count'])}({icol} % 100) FROM {inner}{iwhere}) AS o1 "
                    f"FROM {src}" + (f" WHERE {self.cond(scope, 1)}" if self.chance(0.5) else ""))
        if self.chance(0.4):
            cond = f"{cond} AND {self.cond(scope, 1)}"
        items = [self.any(scope) for _ in range(2)]
        return "SELECT " + ", ".join(f"{e} AS o{i}" for i, e in enumerate(items)) + f" FROM {src} WHERE {cond}"

    def cte(self):
        src, scope = self.table("p")
        items = [self.int(scope, 1), self.text(scope) if self.of(scope, "t") else "'x'"]
        where = f" WHERE {self.cond(scope, 1)}" if self.chance(0.5) else ""
        body = f"SELECT {items[0]} AS m, {items[1]} AS n FROM {src}{where}"
        names = "w(m, n)" if self.chance(0.3) else "w"
        inner = [("w.m", "i"), ("w.n", "t")]
        x = self.r.random()
        if x < 0.3:
            return f"WITH {names} AS ({body}) SELECT w.m AS o0, count(*) AS o1, {self.aggregate(inner)} AS o2 FROM w GROUP BY w.m"
        if x < 0.6:
            other, cols = self.table("q")
            on = f"w.m = {self.pick(self.of(cols, 'i'))}"
            return (f"WITH {names} AS ({body}) SELECT {self.any(inner + cols)} AS o0, w.n AS o1 FROM w "
                    f"{self.pick(['JOIN', 'LEFT JOIN', 'FULL JOIN'])} {other} ON {on}")
        if x < 0.8:
            return f"WITH {names} AS ({body}), x AS (SELECT m + 1 AS m FROM w WHERE m < 1000) SELECT x.m AS o0, w.n AS o1 FROM x JOIN w ON x.m = w.m"
        return f"WITH {names} AS ({body}) SELECT DISTINCT {self.any(inner)} AS o0 FROM w WHERE {self.cond(inner)}" + (self.order(1) if self.chance(0.5) else "")

    def statement(self):
        return self.pick([self.simple, self.simple, self.grouped, self.grouped, self.using, self.setop, self.subquery, self.cte])()


def by_hand():
    text = open(os.path.join(HERE, "statements.sql"), encoding="utf-8").read()
    for block in re.split(r";\s*\n", text):
        sql = "\n".join(l for l in block.split("\n") if not l.startswith("-- ")).strip()
        if sql:
            yield " ".join(sql.split("\n"))


# ---- Answers ------------------------------------------------------------------------------------


def text(v):
    """One text for a value, whichever engine it comes from."""
    if v is None:
        return None
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, float):
        if math.isnan(v):
            return "NaN"
        if math.isinf(v):
            return "Infinity" if v > 0 else "-Infinity"
        return repr(int(v)) if v == int(v) and abs(v) < 1e15 else "%.12g" % v
    if isinstance(v, decimal.Decimal):
        if not v.is_finite():
            return str(v)
        v = v.normalize()
        return "%d" % v if v == v.to_integral_value() else "%.12g" % v
    if isinstance(v, datetime.datetime):
        return v.replace(tzinfo=None).isoformat(sep=" ")
    if isinstance(v, (list, tuple)):
        return "[" + ",".join(str(text(x)) for x in v) + "]"
    return str(v)


def ordered(sql):
    """Whether ORDER BY decides the order of all rows: the generator orders by all columns, or by none."""
    return bool(re.search(r"ORDER BY (o\d|\d)", sql)) and not re.search(r"ORDER BY [^()]*\)", sql)


def rows(sql, got):
    got = [[text(v) for v in row] for row in got]
    return got if ordered(sql) else sorted(got, key=lambda r: [(v is not None, v or "") for v in r])


def short(e):
    return str(e).strip().split("\n")[0][:100]


def main(dsn):
    pg = psycopg.connect(dsn, autocommit=True)
    pg.execute("SET TimeZone = 'UTC'")
    duck = duckdb.connect()
    duck.execute("SET default_null_order='postgres'; SET TimeZone='UTC'; SET threads=1; SET integer_division=true")
    fusion = datafusion.SessionContext()
    for name, (columns, data) in TABLES.items():
        pg.execute(f"DROP TABLE IF EXISTS {name}")
        pg.execute(f"CREATE TABLE {name} (" + ", ".join(f"{n} {t}" for n, t, _ in columns) + ")")
        for row in data:
            pg.execute(f"INSERT INTO {name} VALUES (" + ", ".join(["%s"] * len(row)) + ")", row)
        table = arrow(name)
        duck.register(name, table)
        fusion.from_arrow(table, name=name)
        path = os.path.join(HERE, name + ".lance")
        shutil.rmtree(path, ignore_errors=True)
        # Two fragments, so that scans and aggregates have something to put together.
        half = len(data) // 2
        lance.write_dataset(table.slice(0, half), path, data_storage_version="2.1")
        lance.write_dataset(table.slice(half), path, mode="append")
    gen = Gen(random.Random(SEED))
    statements = list(by_hand())
    seen = set(statements)
    want = 3000
    refused = 0
    out = []

    def ask_pg(sql):
        cur = pg.execute(sql)
        return [d.name for d in cur.description], cur.fetchall()

    def ask_fusion(sql):
        table = fusion.sql(sql).to_arrow_table()
        return list(zip(*[c.to_pylist() for c in table.columns])) if table.num_columns else []

    def answers(sql, must):
        try:
            names, got = ask_pg(sql)
            first = [names] + rows(sql, got)
        except Exception as e:
            if must:
                return None
            first = short(e)
        line = [sql, first]
        for ask in (lambda q: duck.execute(q).fetchall(), ask_fusion):
            try:
                got = rows(sql, ask(sql))
                line.append("=" if isinstance(first, list) and got == first[1:] else got)
            except BaseException as e:  # a panic of DataFusion is a BaseException
                if isinstance(e, KeyboardInterrupt):
                    raise
                line.append(short(e))
        return line

    for sql in statements:
        out.append(answers(sql, False))
    while len(out) < want:
        sql = gen.statement()
        if sql in seen or len(sql) > 600:
            continue
        seen.add(sql)
        # Generated statements that PostgreSQL refuses prove little, and are few.
        line = answers(sql, True)
        if line is None:
            refused += 1
            continue
        if len(line[1]) > 60:
            continue
        out.append(line)
    versions = {"postgresql": pg.execute("SHOW server_version").fetchone()[0], "duckdb": duckdb.__version__,
                "datafusion": datafusion.__version__, "pylance": lance.__version__}
    with gzip.GzipFile(os.path.join(HERE, "statements.jsonl.gz"), "wb", mtime=0) as f:
        for line in [versions] + out:
            f.write((json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n").encode())
    for i, who in ((2, "DuckDB"), (3, "DataFusion")):
        print(who, "agrees:", sum(l[i] == "=" for l in out), "errors:", sum(isinstance(l[i], str) and l[i] != "=" for l in out))
    print(len(out), "statements,", sum(isinstance(l[1], str) for l in out), "errors; generated and refused by PostgreSQL:", refused)


if __name__ == "__main__":
    main(sys.argv[1])
