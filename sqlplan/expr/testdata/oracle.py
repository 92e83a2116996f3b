"""Writes golden.jsonl: what PostgreSQL and DuckDB answer to some hundred expressions over table t.

    python oracle.py > golden.jsonl

PostgreSQL (psql on PATH; PGHOST and PGPORT name a scratch server whose database has encoding UTF8 and
locale C.UTF-8) is asked wherever it has the expression: it is what the SQL surface follows. DuckDB is
asked for the functions that only it has. Each line is one expression with one text per row of t, or
"error"; the first line holds the versions. Rows of t are in oracle_table.json, which the Go test loads too.
"""

import itertools
import json
import subprocess
import sys

import duckdb

# name, PostgreSQL type, DuckDB type, Arrow type for the test
COLUMNS = [
    ("id", "integer", "INTEGER", "int32"),
    ("i16", "smallint", "SMALLINT", "int16"),
    ("i32", "integer", "INTEGER", "int32"),
    ("i64", "bigint", "BIGINT", "int64"),
    ("a", "integer", "INTEGER", "int32"),
    ("b", "bigint", "BIGINT", "int64"),
    ("f32", "real", "FLOAT", "float32"),
    ("f64", "double precision", "DOUBLE", "float64"),
    ("g", "double precision", "DOUBLE", "float64"),
    ("d", "decimal(10,2)", "DECIMAL(10,2)", "decimal(10,2)"),
    ("e", "decimal(20,5)", "DECIMAL(20,5)", "decimal(20,5)"),
    ("s", "text", "VARCHAR", "utf8"),
    ("s2", "text", "VARCHAR", "utf8"),
    ("p", "boolean", "BOOLEAN", "bool"),
    ("q", "boolean", "BOOLEAN", "bool"),
    ("dt", "date", "DATE", "date32"),
    ("ts", "timestamp", "TIMESTAMP", "timestamp"),
    ("tz", "timestamptz", "TIMESTAMPTZ", "timestamptz"),
    ("iv", "interval", "INTERVAL", "interval"),
    ("bin", "bytea", "BLOB", "binary"),
    ("l", "integer[]", "INTEGER[]", "list<int32>"),
]

N = None
ROWS = [
    [1, 0, 0, 0, 0, 0, "0", "0", "0", "0", "0", "", "", False, False, "1970-01-01", "1970-01-01 00:00:00", "1970-01-01 00:00:00+00", "0", "", "{}"],
    [2, 1, 1, 1, 1, 2, "0.5", "0.5", "0.25", "1.50", "1.00001", "abc", "b", True, True, "2024-02-29", "2024-02-29 12:34:56.789", "2024-02-29 12:34:56.789+00", "1 day", "abc", "{1,2,3}"],
    [3, -1, -1, -1, -1, -3, "-1.5", "-2.5", "3", "-1.50", "-2.5", "ABC", "abc", True, False, "1999-12-31", "1999-12-31 23:59:59.999999", "1999-12-31 23:59:59.999999+00", "-1 mon", "\\x00ff", "{3,1}"],
    [4, 32767, 2147483647, 9223372036854775807, 7, 3, "3.4e38", "1.7976931348623157e308", "2", "99999999.99", "123456789012345.12345", "äöü€", "ö", False, True, "2000-01-01", "2000-06-15 08:00:00", "2000-06-15 08:00:00+02", "1 year 2 mons 3 days 04:05:06", "hello world", "{NULL,1}"],
    [5, -32768, -2147483648, -9223372036854775808, -7, 3, "-3.4e38", "-1.7976931348623157e308", "-2", "-99999999.99", "-0.00001", "Ab%c_d", "%", N, True, "0001-01-01", "1582-10-15 00:00:00", "1582-10-15 00:00:00+00", "-00:00:01.5", "\\x5c27", "{5,5,5,5}"],
    [6, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N],
    [7, 42, 42, 42, 42, N, "NaN", "NaN", "1", "42", "42", "the quick brown fox", "quick", N, N, "2023-03-26", "2023-03-26 02:30:00", "2023-03-26 01:30:00+00", "36:00:00", "x", "{42}"],
    [8, 42, 43, 44, N, 5, "Infinity", "Infinity", "NaN", "0.01", "0.5", "  padded  ", " ", False, N, "2024-12-30", "2024-12-30 00:00:00.000001", "2024-12-30 00:00:00.000001+00", "2 days 12:00:00", "y", "{1,NULL,3}"],
    [9, 100, 1000, 1000000, 13, -4, "-Infinity", "-Infinity", "NaN", "-0.01", "-0.5", "naïve café 日本語", "日", N, False, "2021-01-03", "2021-01-03 06:07:08", "2021-01-03 06:07:08+00", "-1 day +02:00:00", "é", "{0,0}"],
    [10, 5, 5, 5, 5, 10, "2.5", "2.5", "2.5", "2.50", "2.50000", "a\\b", "\\", True, True, "2024-07-01", "2024-07-01 15:00:00", "2024-07-01 15:00:00+00", "100 years", "aaa", "{2,2}"],
    [11, 5, 5, 5, -5, -2, "1e-10", "1e-300", "-0.5", "3.50", "3.50000", "1,2,3", ",", True, False, "1900-01-01", "1900-01-01 00:00:01", "1900-01-01 00:00:01+00", "3 mons", "bbb", "{9,8,7,6}"],
    [12, 7, 77, 777, 100, 7, "16777216", "9007199254740993", "0.1", "12345.67", "0.33333", "42", "7", False, False, "2262-04-11", "2262-04-11 23:47:16", "2262-04-11 23:47:16+00", "00:00:00.000001", "ccc", "{1}"],
]

OPS = ["=", "<>", "<", "<=", ">", ">="]


def comparisons():
    pairs = [
        ("i16", "5"), ("i16", "40000"), ("i32", "5"), ("i32", "0.5"), ("i32", "5.0"), ("i32", "1e0"), ("i32", "3000000000"), ("i64", "1000000"),
        ("i64", "5.5"), ("f32", "0.5"), ("f32", "0.1"), ("f32", "'NaN'"), ("f64", "2.5"), ("f64", "'NaN'"), ("f64", "'Infinity'"), ("f64", "1"),
        ("d", "1.5"), ("d", "1.505"), ("d", "2"), ("s", "'abc'"), ("s", "''"), ("s", "'naïve'"), ("dt", "'2024-02-29'"), ("dt", "DATE '2000-01-01'"),
        ("ts", "'2024-02-29 12:34:56.789'"), ("ts", "DATE '2000-01-01'"), ("tz", "'2000-06-15 06:00:00+00'"), ("iv", "INTERVAL '1 day'"),
        ("i16", "i32"), ("i32", "i64"), ("i32", "f64"), ("f32", "f64"), ("f64", "g"), ("d", "e"), ("d", "i32"), ("d", "f64"), ("s", "s2"), ("p", "q"),
        ("dt", "ts"), ("ts", "dt"), ("bin", "'abc'"), ("i32", "'5'"), ("p", "TRUE"), ("5", "i32"), ("0.5", "f64"), ("'abc'", "s"), ("i64", "i16"), ("iv", "iv"),
    ]
    for (x, y), op in itertools.product(pairs, OPS):
        yield f"{x} {op} {y}"
    for x, y in [("i32", "5"), ("f64", "g"), ("s", "s2"), ("p", "q"), ("i32", "NULL"), ("f64", "'NaN'"), ("d", "e")]:
        yield f"{x} IS DISTINCT FROM {y}"
        yield f"{x} IS NOT DISTINCT FROM {y}"


LOGIC = """
p AND q
p OR q
NOT p
NOT (p AND q)
NOT (p OR NOT q)
p AND q AND i32 > 0
p OR q OR i32 > 0
(p OR q) AND (i32 > 0 OR s = 'abc')
p IS TRUE
p IS NOT TRUE
p IS FALSE
p IS NOT FALSE
p IS UNKNOWN
p IS NOT UNKNOWN
(i32 > 0) IS TRUE
p AND NULL
p OR NULL
i32 IS NULL
i32 IS NOT NULL
(i32 + 0) IS NULL OR s IS NULL
s IS NOT NULL AND s <> ''
i32 > 0 AND f64 > 0 AND s > 'a'
NOT (i32 > 0 AND f64 > 0)
NOT (i32 > 0 OR s LIKE 'a%')
i32 > 0 OR s LIKE 'a%' OR p
i32 BETWEEN 0 AND 42
i32 NOT BETWEEN 0 AND 42
f64 BETWEEN -1 AND 2.5
f64 NOT BETWEEN g AND 2.5
i32 + 1 BETWEEN 1 AND 43
i16 BETWEEN -1 AND i32
s BETWEEN 'a' AND 'n'
dt BETWEEN '2000-01-01' AND '2024-02-29'
i32 IN (1, 5, 42)
i32 IN (1, 5, NULL)
i32 NOT IN (1, 5, 42)
i32 NOT IN (1, 5, NULL)
i32 IN (1, 3000000000, 5)
i32 IN (a, 5)
i64 IN (0, 9223372036854775807, -9223372036854775808)
i64 IN (1, 2, 3, 5, 1000000, 777, 44, 900000000000, 12, 13, 14)
i16 IN (100000)
f64 IN (0.5, 2.5, 'NaN')
s IN ('abc', 'ABC', '42')
s IN ('abc')
s NOT IN ('abc', NULL)
s IN (s2, 'abc')
p IN (TRUE)
dt IN ('2024-02-29', '1999-12-31')
d IN (1.5, 42)
5 IN (i32, i64)
NULL IN (1, 2)
(i32 > 0) IN (TRUE, FALSE)
CASE WHEN i32 > 0 THEN 'pos' WHEN i32 < 0 THEN 'neg' ELSE 'zero' END
CASE WHEN i32 > 0 THEN 'pos' WHEN i32 < 0 THEN 'neg' END
CASE WHEN p THEN i32 WHEN q THEN i64 ELSE i16 END
CASE WHEN p THEN d ELSE e END
CASE WHEN p THEN i32 ELSE f64 END
CASE WHEN p THEN NULL ELSE s END
CASE i32 WHEN 0 THEN 'zero' WHEN 1 THEN 'one' ELSE s END
CASE s WHEN 'abc' THEN 1 WHEN 'ABC' THEN 2 END
CASE WHEN a <> 0 THEN 100 / a ELSE -1 END
CASE WHEN a = 0 THEN 0 WHEN 100 / a > 10 THEN 1 ELSE 2 END
CASE WHEN p THEN dt ELSE DATE '2020-02-02' END
CASE WHEN p THEN bin ELSE s2::bytea END
a <> 0 AND 100 / a > 5
a = 0 OR 100 / a > 5
CASE WHEN p THEN l END
coalesce(i32, i64, 7)
coalesce(s, s2, 'none')
coalesce(a, b)
coalesce(a, b, 1000)
coalesce(NULL, s)
coalesce(p, q, TRUE)
nullif(i32, 5)
nullif(s, 'abc')
nullif(f64, 'NaN')
greatest(i32, a, 3)
least(i32, a, 3)
greatest(f64, g)
least(f64, g)
greatest(s, s2)
least(s, s2, 'b')
greatest(dt, DATE '2000-01-01')
greatest(d, e)
"""

ARITH = """
a + b
a - b
a * b
a + 1
1 - a
a * 2 + b
-a
+a
- i16 + 0
a / nullif(b, 0)
a % nullif(b, 0)
-7 / 2
-7 % 2
7 / -2
7 % -2
i16 + i16 * 0
i32::bigint + i64 * 0
i32::bigint * i32
f64 + g
f64 - g
f64 * g
g / 2
f32 + 1
f32 * 2::real
f32 + g
a + g
a * 0.5
a / 2.0
d + e
d - e
d * e
d * d
d + 1
d * 2
d - a
d % 1
d % 0.7
d / nullif(a, 0)
-d
d + f64
a ^ 2
2 ^ a
abs(g) ^ 0.5
g ^ 2
0.1 + 0.2
0.1 + 0.2 = 0.3
1 / 3.0
1.0 / 3
10 / 4
10 % 4
2147483647 + 0
2147483648 + 1
9223372036854775807 - 1
-9223372036854775808
1e10
1.5e-3 + 0
123456789.123456789 * 1000
s || s2
s || a
a || s
s || NULL
s || '-' || s2 || '-' || a
bin || bin
l || l
l || 4
4 || l
abs(a)
abs(g)
abs(d)
sign(a)
sign(g)
sign(d)
ceil(g)
ceiling(d)
floor(g)
floor(d)
round(g)
round(d)
round(d, 1)
round(e, 3)
round(e, -2)
round(123.456, 2)
round(-2.5)
round(2.5)
round(2.5::double precision)
round(3.5::double precision)
round(-0.5::double precision)
trunc(g)
trunc(d)
trunc(e, 2)
trunc(e, -3)
trunc(-123.456, 1)
sqrt(abs(g))
cbrt(g)
exp(g)
ln(abs(a) + 1)
log(abs(a) + 1)
log(2, 8)
log10(1000)
power(g, 2)
power(2, 10)
pow(a, 2)
mod(a, 5)
mod(d, 0.7)
div(a, 2)
div(7.5, 2)
degrees(g)
radians(g)
sin(g)
cos(g)
tan(g)
cot(0.5)
asin(0.5)
acos(0.5)
atan(g)
atan2(g, 2)
sinh(0.5)
cosh(0.5)
tanh(0.5)
asinh(0.5)
acosh(1.5)
atanh(0.5)
pi()
gcd(a, 21)
lcm(a, 6)
gcd(0, 0)
factorial(5)
width_bucket(a, 0, 50, 5)
width_bucket(g, 2, -2, 4)
"""

TEXT = """
s LIKE 'a%'
s LIKE '%c'
s LIKE '%b%'
s LIKE 'abc'
s LIKE '_b_'
s LIKE '%'
s LIKE ''
s LIKE '_'
s LIKE '%é%'
s LIKE '_öü€'
s LIKE 'a%c%d'
s LIKE '%\\%%'
s LIKE '%\\_%'
s LIKE '%!%%' ESCAPE '!'
s LIKE 'Ab\\%c\\_d'
s LIKE 'a\\\\b'
s LIKE 'a\\b' ESCAPE ''
s LIKE '%a%a%'
s LIKE '%quick%fox'
s LIKE 'the%fox'
s LIKE 'the%k%n%fox'
s LIKE '_h_ q%'
s LIKE '%_日__'
s LIKE '%_x'
s NOT LIKE 'a%'
s LIKE s2
s LIKE '%' || replace(s2, '\\', '') || '%'
s LIKE NULL
s ILIKE 'A%'
s ILIKE '%BC'
s ILIKE 'ÄÖÜ€'
s ILIKE '%CAFÉ%'
s NOT ILIKE '%B%'
s SIMILAR TO 'abc'
s SIMILAR TO '(a|A)%'
s SIMILAR TO '%[0-9]+%'
s SIMILAR TO '[0-9,]+'
s SIMILAR TO '_bc'
s SIMILAR TO 'a.c'
s NOT SIMILAR TO 'a%'
s ~ '^a'
s ~ 'b|q'
s ~* 'B'
s !~ '^[a-z]+$'
s !~* 'ABC'
s ~ '[0-9]'
s ~ s2
length(s)
char_length(s)
octet_length(s)
bit_length(s)
octet_length(bin)
length(bin)
lower(s)
upper(s)
initcap(s)
reverse(s)
trim(s)
ltrim(s)
rtrim(s)
btrim(s, 'a ')
trim(both 'a' from s)
trim(leading 'a' from s)
trim(trailing 'c' from s)
substring(s, 2)
substring(s, 2, 3)
substring(s from 3 for 2)
substring(s, -1, 3)
substring(s, 0, 2)
substring(s, 100)
substring(s, 1, 0)
substr(s, 2, 2)
substring(bin, 2, 2)
substring(s from 'b.')
substring(s from '(q)u')
left(s, 2)
left(s, -2)
right(s, 2)
right(s, -2)
left(s, 0)
replace(s, 'a', 'XX')
replace(s, '', 'XX')
replace(s, 'b', '')
replace(s, s2, '*')
repeat(s, 2)
repeat(s, 0)
repeat(s, -1)
lpad(s, 5)
lpad(s, 5, '*')
lpad(s, 5, 'xyz')
rpad(s, 5, 'xyz')
rpad(s, 2)
lpad(s, 8, '日本')
lpad(s, 5, '')
concat(s, s2)
concat(s, NULL, a, p)
concat_ws('-', s, s2, a)
concat_ws(s2, 'a', NULL, 'b')
concat_ws(NULL, 'a', 'b')
position('b' in s)
position('' in s)
position(s2 in s)
strpos(s, 'c')
starts_with(s, 'a')
split_part(s, ' ', 2)
split_part(s, ',', 3)
split_part(s, ',', 9)
split_part(s, ',', -1)
split_part(s, ',', -3)
split_part(s, s2, 1)
ascii(s)
ascii('€')
chr(65)
chr(8364)
md5(s)
md5(bin)
encode(bin, 'hex')
encode(bin, 'base64')
encode(bin, 'escape')
decode('0aff', 'hex')
decode('aGVsbG8=', 'base64')
decode('a\\\\b\\001', 'escape')
to_hex(255)
to_hex(b)
translate(s, 'abc', 'xy')
translate(s, 'aé', 'äe')
overlay(s placing 'ZZ' from 2)
overlay(s placing 'ZZ' from 2 for 1)
overlay(s placing '' from 2 for 2)
regexp_replace(s, 'b.', 'X')
regexp_replace(s, '[a-c]', '<\\&>', 'g')
regexp_replace(s, '(a)(b)', '\\2\\1', 'gi')
regexp_replace(s, 'B', 'x', 'i')
regexp_count(s, '[a-z]+')
regexp_like(s, '^A', 'i')
regexp_substr(s, '[a-c]+')
string_to_array(s, ',')
l && ARRAY[1, 9]
l && ARRAY[9, NULL]
l && '{1,2}'
l && ARRAY[]::integer[]
l && ARRAY[a, i32]
l @> ARRAY[3, 1]
l @> ARRAY[1, NULL]
l @> ARRAY[]::integer[]
l @> '{5}'
l @> ARRAY[a, i32]
l <@ ARRAY[1, 2, 3]
l <@ ARRAY[1, 2, 3, NULL]
ARRAY[1] <@ l
l @> l
NOT l && ARRAY[1]
a = ANY (l)
a <> ANY (l)
a < ANY (l)
a >= ANY (l)
a = ALL (l)
a <> ALL (l)
a <= ALL (l)
a > ALL (l)
1 = ANY (l)
NOT 1 = ANY (l)
1 = SOME (l)
NULL = ANY (l)
g = ANY (ARRAY[f64, f32, 'NaN'])
s = ANY ('{abc,42}')
i32 = ANY (ARRAY[1, 2, NULL])
array_to_string(l, ',')
array_to_string(l, ',', '*')
array_length(l, 1)
cardinality(l)
array_position(l, 3)
array_append(l, 9)
array_prepend(9, l)
array_cat(l, l)
l[1]
l[2]
l[9]
l[1:2]
l[2:9]
ARRAY[a, 1, NULL]
l = l
l = ARRAY[1,2,3]
l < ARRAY[3]
quote_nothing(s)
"""

TIME = """
dt + 1
dt - 1
1 + dt
dt - DATE '2000-01-01'
dt + INTERVAL '1 month'
dt - INTERVAL '1 day'
dt + INTERVAL '1 year 2 months 3 days 04:05:06.789'
dt + TIME '12:00'
ts + INTERVAL '1 month'
ts - INTERVAL '1 month'
ts + iv
ts - iv
tz + INTERVAL '1 day'
tz - INTERVAL '25 hours'
ts - TIMESTAMP '2000-01-01'
ts - dt
dt - ts
iv + INTERVAL '1 hour'
iv - INTERVAL '1 month'
iv * 2
iv * 0.5
iv / 2
iv / 3
2 * iv
-iv
INTERVAL '1 month' * 1.5
INTERVAL '1.5 days'
INTERVAL '1.5 months'
INTERVAL '2.25 years'
INTERVAL '1 week'
INTERVAL '-1 day 2 hours'
INTERVAL '1 day ago'
INTERVAL 'P1Y2M3DT4H5M6.7S'
INTERVAL '1-2'
INTERVAL '1' DAY
INTERVAL '90' MINUTE
INTERVAL '1 12:30:00'
TIME '10:30' + INTERVAL '15 hours'
TIME '10:30' - TIME '09:15'
TIME '10:30' - INTERVAL '11 hours'
extract(year from dt)
extract(month from dt)
extract(day from dt)
extract(quarter from dt)
extract(week from dt)
extract(isoyear from dt)
extract(dow from dt)
extract(isodow from dt)
extract(doy from dt)
extract(decade from dt)
extract(century from dt)
extract(millennium from dt)
extract(epoch from dt)
extract(julian from dt)
extract(year from ts)
extract(hour from ts)
extract(minute from ts)
extract(second from ts)
extract(milliseconds from ts)
extract(microseconds from ts)
extract(epoch from ts)
extract(julian from ts)
extract(hour from tz)
extract(epoch from tz)
extract(timezone from tz)
extract(hour from TIME '10:30:15.5')
extract(second from TIME '10:30:15.5')
extract(day from iv)
extract(hour from iv)
extract(month from iv)
extract(year from iv)
extract(epoch from iv)
extract(second from iv)
date_part('year', ts)
date_trunc('year', ts)
date_trunc('quarter', ts)
date_trunc('month', ts)
date_trunc('week', ts)
date_trunc('day', ts)
date_trunc('hour', ts)
date_trunc('minute', ts)
date_trunc('second', ts)
date_trunc('milliseconds', ts)
date_trunc('decade', ts)
date_trunc('century', ts)
date_trunc('millennium', ts)
date_trunc('month', tz)
date_trunc('hour', iv)
date_trunc('month', iv)
make_date(2024, 2, 29)
make_timestamp(2024, 2, 29, 12, 30, 15.5)
make_time(12, 30, 15.5)
to_timestamp(1700000000.5)
to_timestamp(g)
ts AT TIME ZONE 'Europe/Berlin'
tz AT TIME ZONE 'Europe/Berlin'
tz AT TIME ZONE 'America/New_York'
ts AT TIME ZONE '+05:30'
TIMESTAMP '2023-03-26 02:30:00' AT TIME ZONE 'Europe/Berlin'
TIMESTAMP '2023-10-29 02:30:00' AT TIME ZONE 'Europe/Berlin'
CAST(ts AS DATE)
CAST(ts AS TIME)
CAST(dt AS TIMESTAMP)
CAST(tz AS TIMESTAMP)
CAST(ts AS TIMESTAMPTZ)
CAST(tz AS DATE)
CAST(ts AS TIMESTAMP(0))
CAST(ts AS TIMESTAMP(3))
CAST(dt AS TEXT)
CAST(ts AS TEXT)
CAST(tz AS TEXT)
CAST(iv AS TEXT)
CAST('2024-02-29' AS DATE)
CAST('20240229' AS DATE)
CAST(' 2024-2-9 ' AS DATE)
CAST('2024-02-29 12:34' AS TIMESTAMP)
CAST('2024-02-29T12:34:56.123456' AS TIMESTAMP)
CAST('2024-02-29 12:34:56+05:30' AS TIMESTAMP)
CAST('2024-02-29 12:34:56+05:30' AS TIMESTAMPTZ)
CAST('2024-02-29 12:34:56 Europe/Berlin' AS TIMESTAMPTZ)
CAST('2024-02-29 12:34:56.7891239 PM' AS TIMESTAMP)
CAST('2024-02-29 11:34 PM' AS TIMESTAMP)
CAST('0044-03-15 BC' AS DATE)
CAST('12:34:56.5' AS TIME)
CAST('1 day 2 hours' AS INTERVAL)
"""

CASTS = """
CAST(i32 AS BIGINT)
CAST(i32 AS TEXT)
CAST(i64 AS DOUBLE PRECISION)
CAST(i32 AS REAL)
CAST(a AS DECIMAL(10,2))
CAST(a AS SMALLINT)
CAST(a AS BOOLEAN)
CAST(p AS INTEGER)
CAST(p AS TEXT)
CAST(g AS TEXT)
CAST(f32 AS TEXT)
CAST(f64 AS TEXT)
CAST(f32 AS DOUBLE PRECISION)
CAST(d AS INTEGER)
CAST(e AS DECIMAL(20,2))
CAST(d AS DOUBLE PRECISION)
CAST(d AS TEXT)
CAST(e AS BIGINT)
CAST(0.5::double precision AS INTEGER)
CAST(1.5::double precision AS INTEGER)
CAST(2.5::double precision AS INTEGER)
CAST(-2.5::double precision AS INTEGER)
CAST(2.5 AS INTEGER)
CAST(-2.5 AS INTEGER)
CAST(1e18::double precision AS BIGINT)
CAST(0.1::double precision AS DECIMAL(5,3))
CAST(0.15::double precision AS DECIMAL(5,1))
CAST(1.005::double precision AS DECIMAL(5,2))
CAST('  42 ' AS INTEGER)
CAST('+42' AS INTEGER)
CAST('-42' AS BIGINT)
CAST('1e3' AS DOUBLE PRECISION)
CAST('inf' AS DOUBLE PRECISION)
CAST('-Infinity' AS DOUBLE PRECISION)
CAST('nan' AS DOUBLE PRECISION)
CAST('.5' AS DOUBLE PRECISION)
CAST('5.' AS DOUBLE PRECISION)
CAST('1.005' AS DECIMAL(5,2))
CAST('1e2' AS DECIMAL(5,2))
CAST('t' AS BOOLEAN)
CAST('yes' AS BOOLEAN)
CAST('off' AS BOOLEAN)
CAST('FALSE' AS BOOLEAN)
CAST('1' AS BOOLEAN)
CAST(s AS BYTEA)
CAST(bin AS TEXT)
CAST('{1,2,3}' AS INTEGER[])
CAST('{"a b",c,NULL}' AS TEXT[])
CAST(l AS BIGINT[])
CAST(l AS TEXT[])
CAST(l AS DOUBLE PRECISION[])
i32::text || 'x'
(a + 1)::text
0.1::real::double precision
0.1::real
1e20::double precision
1e15::double precision
123456789012345::double precision
1e-5::double precision
0.0001::double precision
100000::real
1000000::real
1e-7::real
"""

ERRORS = """
1 / 0
1 % 0
1.0 / 0
1.5 % 0
2147483647::integer + 1::integer
-2147483648::integer - 1::integer
65536::integer * 65536::integer
9223372036854775807 + 1::bigint
-9223372036854775807 - 2::bigint
3037000500 * 3037000500
4611686018427387904 * -3
32767::smallint + 1::smallint
- (-32768)::smallint
abs((-2147483648)::integer)
CAST('abc' AS INTEGER)
CAST('' AS INTEGER)
CAST('1.5' AS INTEGER)
CAST('3000000000' AS INTEGER)
CAST(3000000000 AS INTEGER)
CAST(1e10::double precision AS INTEGER)
CAST('NaN'::double precision AS INTEGER)
CAST(1e300::double precision AS REAL)
CAST(1000 AS DECIMAL(4,2))
CAST('2023-02-29' AS DATE)
CAST('2023-13-01' AS DATE)
CAST('hello' AS DATE)
CAST('25:00' AS TIME)
CAST('maybe' AS BOOLEAN)
CAST('[1,2' AS INTEGER[])
CAST('x' AS INTERVAL)
CAST('\\xzz' AS BYTEA)
sqrt(-1)
ln(0)
ln(-1)
log(0)
0 ^ -1
(-8) ^ 0.5
asin(2)
acosh(0.5)
substring('abc', 1, -1)
chr(0)
split_part('a', ',', 0)
'abc' LIKE 'abc\\'
'abc' ~ '('
decode('zz', 'hex')
encode('abc', 'nothing')
make_date(2023, 2, 29)
make_time(25, 0, 0)
date_trunc('nothing', ts)
extract(hour from dt + 0) + nothing
'abc' + 1
1 AND 2
TRUE + 1
s + 1
i32 AND p
s = 1
dt = 1
p < 5
dt + dt
upper(5)
length(5)
coalesce(1, 'abc')
CASE WHEN p THEN 1 ELSE 'x' END
NOT 5
abs('a')
unknown_function(1)
l = 5
'2024-01-01'::date + ts
"""

DUCK = """
ifnull(a, 5)
if(p, 1, 2)
len(s)
strlen(s)
log2(8)
isnan(f64)
isinf(f64)
isfinite(f64)
suffix(s, 'c')
prefix(s, 'a')
ends_with(s, 'c')
contains(s, 'b')
sha256(s)
sha1(s)
instr(s, 'c')
lcase(s)
ucase(s)
regexp_matches(s, 'b')
regexp_full_match(s, '[a-z]+')
regexp_extract(s, '[a-c]+')
regexp_extract(s, '(a)(b)', 2)
regexp_extract_all(s, '[a-z]+')
string_split(s, ',')
str_split(s, ' ')
levenshtein(s, s2)
unicode(s)
chr(66)
to_base64(bin)
from_base64('aGVsbG8=')
hex('abc')
unhex('616263')
bit_count(7)
list_contains(l, 1)
list_contains(l, NULL)
list_has_any(l, [1, 9])
list_has_any(l, [9, NULL])
list_has_any(l, [NULL]::INTEGER[])
list_has_any(l, []::INTEGER[])
list_has_any(l, [a, i32])
list_has_any(l, l)
list_has_all(l, [3, 1])
list_has_all(l, [1, NULL])
list_has_all(l, [NULL]::INTEGER[])
list_has_all(l, []::INTEGER[])
list_has_all(l, [a, i32])
list_has_all(l, l)
array_has_any([s, s2], ['abc', 'b', 'ö'])
array_has_all([s, s2, 'x'], ['abc', 'b'])
list_has_any([g, f64], ['NaN', 0.1])
list_has_all([dt], [DATE '2024-02-29'])
list_has_any(l, NULL::INTEGER[])
list_position(l, 3)
list_extract(l, 1)
list_extract(l, -1)
list_extract(l, 0)
list_slice(l, 1, 2)
list_slice(l, -2, -1)
list_value(1, a, 3)
list_concat(l, l)
list_append(l, 4)
list_prepend(4, l)
list_sum(l)
list_avg(l)
list_min(l)
list_max(l)
len(l)
array_to_string(['a', 'b'], '-')
year(ts)
month(dt)
day(dt)
quarter(dt)
week(dt)
dayofweek(dt)
isodow(dt)
dayofyear(dt)
hour(ts)
minute(ts)
epoch_ms(ts)
epoch_ms(1700000000123)
date_diff('day', DATE '2024-01-01', dt)
date_diff('month', dt, DATE '2024-01-01')
date_diff('year', ts, TIMESTAMP '2024-01-01 00:00:00')
date_diff('week', TIMESTAMP '2024-01-01 00:00:00', ts)
date_diff('hour', TIMESTAMP '2024-01-01 00:30:00', ts)
date_diff('quarter', dt, DATE '2024-01-01')
date_diff('decade', dt, DATE '2024-01-01')
strftime(ts, '%Y-%m-%d %H:%M:%S')
strftime(ts, '%a %A %b %B %d %j %p %I')
strftime(dt, '%y %U %W %w %u %V %G %%')
strftime(ts, '%f %g %-m/%-d')
strptime('2024-02-29 12:34:56', '%Y-%m-%d %H:%M:%S')
strptime('29 Feb 2024', '%d %b %Y')
strptime('2/9/24 5:06 PM', '%m/%d/%y %I:%M %p')
last_day(dt)
monthname(dt)
dayname(dt)
list_distance([1.0, 2.0, 3.0], [4.0, 6.0, 3.0])
array_distance([1.0, 2.0, 3.0]::FLOAT[3], [4.0, 6.0, 3.0]::FLOAT[3])
array_cosine_distance([1.0, 2.0, 3.0]::FLOAT[3], [4.0, 6.0, 3.0]::FLOAT[3])
array_cosine_similarity([1.0, 2.0, 3.0]::FLOAT[3], [4.0, 6.0, 3.0]::FLOAT[3])
array_inner_product([1.0, 2.0, 3.0]::FLOAT[3], [4.0, 6.0, 3.0]::FLOAT[3])
array_negative_inner_product([1.0, 2.0, 3.0]::FLOAT[3], [4.0, 6.0, 3.0]::FLOAT[3])
array_dot_product([1.0, 2.0]::FLOAT[2], [a, 1.0]::FLOAT[2])
TRY_CAST(s AS INTEGER)
TRY_CAST(s AS DOUBLE)
TRY_CAST(i32 AS TINYINT)
TRY_CAST(s AS DATE)
TRY_CAST(f64 AS INTEGER)
TRY_CAST('[1,x]' AS INTEGER[])
CAST(a AS UTINYINT) + 1
CAST(l AS VARCHAR)
['a', 'b, c', NULL]::VARCHAR
"""


def lines(text):
    return [x for x in text.strip("\n").split("\n") if x]


def literal(v, typ):
    if v is None:
        return "NULL"
    if isinstance(v, bool):
        return str(v).upper()
    return "'" + str(v).replace("'", "''") + "'::" + typ


MARK = "@@@@"


def postgres(exprs):
    script = [
        "SET client_min_messages TO error; SET TimeZone TO 'UTC'; SET client_encoding TO 'UTF8'; DROP TABLE IF EXISTS t;",
        "CREATE TABLE t (" + ", ".join(f"{n} {p}" for n, p, _, _ in COLUMNS) + ");",
    ]
    for row in ROWS:
        vals = ", ".join(literal(v, c[1]) for v, c in zip(row, COLUMNS))
        script.append(f"INSERT INTO t VALUES ({vals});")
    for i, e in enumerate(exprs):
        script.append(f"\\echo {MARK}{i}")
        script.append(f"SELECT json_build_array(({e})::text) FROM t ORDER BY id;")
    out = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-d", "postgres"], input="\n".join(script), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout
    head, *parts = out.split(MARK)
    if head.strip():
        sys.exit(head)
    for e, part in zip(exprs, parts):
        got = part.split("\n")[1:-1]
        if any(x.startswith("ERROR") for x in got):
            yield {"sql": e, "engine": "postgres", "error": next(x for x in got if x.startswith("ERROR"))}
        else:
            yield {"sql": e, "engine": "postgres", "rows": [json.loads(x)[0] for x in got]}


def duck(exprs):
    db = duckdb.connect()
    db.execute("SET TimeZone='UTC'")
    db.execute("CREATE TABLE t (" + ", ".join(f"{n} {d}" for n, _, d, _ in COLUMNS) + ")")
    for row in ROWS:
        vals = []
        for v, c in zip(row, COLUMNS):
            if c[0] == "l" and v is not None:
                v = v.replace("{", "[").replace("}", "]")
            if c[0] == "bin" and v is not None and v.startswith("\\x"):
                v = "".join("\\x" + v[i : i + 2] for i in range(2, len(v), 2))
            if c[0] == "bin" and v is not None and not v.startswith("\\x"):
                v = "".join(f"\\x{b:02x}" for b in v.encode())
            if c[0] == "iv" and v == "0":
                v = "0 days"
            if c[0] == "iv" and v is not None:
                v = v.replace("+", "")
            vals.append(literal(v, c[2]))
        db.execute(f"INSERT INTO t VALUES ({', '.join(vals)})")
    for e in exprs:
        try:
            got = db.execute(f"SELECT CAST({e} AS VARCHAR) FROM t ORDER BY id").fetchall()
            yield {"sql": e, "engine": "duckdb", "rows": [r[0] for r in got]}
        except Exception as x:
            yield {"sql": e, "engine": "duckdb", "error": str(x).split("\n")[0]}


def main():
    with open("oracle_table.json", "w") as f:
        json.dump({"columns": [{"name": n, "type": a} for n, _, _, a in COLUMNS], "rows": ROWS}, f, ensure_ascii=False, indent=0)
    version = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-d", "postgres", "-c", "SELECT version()"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    print(json.dumps({"postgres": version, "duckdb": duckdb.__version__}))
    exprs = list(comparisons())
    for group in (LOGIC, ARITH, TEXT, TIME, CASTS, ERRORS):
        exprs += lines(group)
    for r in itertools.chain(postgres(exprs), duck(lines(DUCK))):
        print(json.dumps(r, ensure_ascii=False))


main()
