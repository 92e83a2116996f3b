"""Writes edges.jsonl.gz: what PostgreSQL answers to calls of functions and operators over edge values.

    pip install psycopg pylance pyarrow
    python edges.py 'host=/tmp port=5433 user=postgres dbname=scratch'

The connection names a scratch database of PostgreSQL with encoding UTF8 and locale C.UTF-8. The first
line holds the version. Each other line is a template with {} in the places of its arguments, whether
the arguments at one place are all of one type, and the calls: arguments, text of the answer or null,
and error or null. The last lines have the name of a time zone in the place of the second: their
template is asked of column X of instants.lance, which this script writes, with that session zone in
PostgreSQL and that type of column here. Calls of which PostgreSQL has no such function are left out.
Large products of values are sampled with a fixed seed.
"""

import datetime
import gzip
import itertools
import json
import os
import random
import re
import shutil
import sys

import lance
import psycopg
import pyarrow as pa

rnd = random.Random(20261201)

INT = ["0", "1", "-1", "2", "3", "7", "-7", "2147483647", "(-2147483648)", "NULL::int"]
SMALL = ["0", "1", "-1", "2", "3", "-2", "5", "(-2147483648)", "NULL::int"]
BIG = ["0::bigint", "1::bigint", "-3::bigint", "9223372036854775807", "(-9223372036854775808)", "NULL::bigint"]
NUM = ["0::numeric", "0.5", "-0.5", "1.5", "2.5", "-2.5", "123.456", "-99999999999.9999", "NULL::numeric"]
FLOAT = ["0::float8", "'-0'::float8", "0.5::float8", "-1.5::float8", "2.5::float8", "1e300::float8", "-1e300::float8", "5e-324::float8",
         "'Infinity'::float8", "'-Infinity'::float8", "'NaN'::float8", "NULL::float8"]
TEXT = ["''", "'a'", "'abc'", "'äöü€'", "'日本語x'", "' x '", "'a,b,,c'", "'AbC abc'", "'a%_b'", "'x\\y'", "E'a\\nb'", "NULL::text"]
SHORT = ["''", "'a'", "','", "'b'", "'ab'", "'é'", "' '", "'%'", "NULL::text"]
BYTES = ["''::bytea", "'abc'::bytea", "'\\x00ff'::bytea", "'\\xe282ac'::bytea", "NULL::bytea"]
DATE = ["DATE '1970-01-01'", "DATE '2024-02-29'", "DATE '0001-01-01'", "DATE '9999-12-31'", "DATE '2000-12-31'", "DATE '2021-01-03'",
        "DATE '1900-03-01'", "NULL::date"]
TS = ["TIMESTAMP '1970-01-01 00:00:00'", "TIMESTAMP '2024-02-29 12:34:56.789012'", "TIMESTAMP '1969-12-31 23:59:59.999999'",
      "TIMESTAMP '0001-01-01 00:00:00'", "TIMESTAMP '9999-12-31 23:59:59'", "TIMESTAMP '2023-12-31 23:59:59.5'", "NULL::timestamp"]
TZ = ["TIMESTAMPTZ '1970-01-01 00:00:00+00'", "TIMESTAMPTZ '2024-03-31 01:30:00+01'", "TIMESTAMPTZ '2024-10-27 02:30:00+01'", "NULL::timestamptz"]
TIME = ["TIME '00:00:00'", "TIME '23:59:59.999999'", "TIME '12:34:56.5'", "NULL::time"]
IV = ["INTERVAL '0'", "INTERVAL '1 day'", "INTERVAL '-1 month'", "INTERVAL '1 year 2 months 3 days 04:05:06.789'", "INTERVAL '1.5 months'",
      "INTERVAL '-00:00:01.5'", "INTERVAL '36:00:00'", "INTERVAL '-1 day +02:00:00'", "NULL::interval"]
INTS = ["'{}'::int[]", "ARRAY[1,2,3]", "ARRAY[NULL::int]", "ARRAY[1,NULL,3]", "ARRAY[3,3,NULL,3]", "NULL::int[]"]
TEXTS = ["'{}'::text[]", "ARRAY['a','b']", "ARRAY[NULL::text]", "ARRAY['',NULL,'x,y']", "NULL::text[]"]
BOOL = ["TRUE", "FALSE", "NULL::boolean"]
ANY_INT = INT[:7] + ["NULL::int"]

CALLS = [
    # strings
    ("left({},{})", TEXT, INT), ("right({},{})", TEXT, INT), ("substr({},{})", TEXT, INT), ("substr({},{},{})", TEXT, INT, INT),
    ("substring({} from {} for {})", TEXT, SMALL, SMALL), ("substring({} for {})", TEXT, SMALL),
    ("repeat({},{})", TEXT, SMALL), ("repeat('',{})", INT), ("repeat('abc',{})", ["2147483647"]),
    ("lpad({},{})", TEXT, SMALL), ("rpad({},{})", TEXT, SMALL), ("lpad({},{},{})", TEXT, SMALL, SHORT), ("rpad({},{},{})", TEXT, SMALL, SHORT),
    ("lpad('abc',{})", ["2147483647"]), ("rpad('abc',{},'')", INT), ("lpad('abc',{},'')", INT),
    ("split_part({},{},{})", TEXT, SHORT, INT), ("strpos({},{})", TEXT, SHORT), ("position({} in {})", SHORT, TEXT),
    ("replace({},{},{})", TEXT, SHORT, SHORT), ("translate({},{},{})", TEXT, SHORT, SHORT), ("reverse({})", TEXT), ("initcap({})", TEXT),
    ("upper({})", TEXT), ("lower({})", TEXT), ("btrim({})", TEXT), ("ltrim({})", TEXT), ("rtrim({})", TEXT), ("btrim({},{})", TEXT, SHORT),
    ("ltrim({},{})", TEXT, SHORT), ("rtrim({},{})", TEXT, SHORT), ("trim(both {} from {})", SHORT, TEXT),
    ("overlay({} placing {} from {})", TEXT, SHORT, INT), ("overlay({} placing {} from {} for {})", TEXT, SHORT, INT, INT),
    ("ascii({})", TEXT), ("chr({})", ["0", "1", "65", "8364", "1114111", "1114112", "55296", "-1", "2147483647", "NULL::int"]),
    ("to_hex({})", INT), ("to_hex({})", BIG), ("md5({})", TEXT), ("concat({},{},{})", TEXT, INT, BOOL), ("concat_ws({},{},{},{})", SHORT, TEXT, INT, SHORT),
    ("starts_with({},{})", TEXT, SHORT), ("length({})", TEXT), ("char_length({})", TEXT), ("octet_length({})", TEXT), ("bit_length({})", TEXT),
    ("length({})", BYTES), ("octet_length({})", BYTES), ("bit_length({})", BYTES), ("encode({},'hex')", BYTES), ("encode({},'base64')", BYTES),
    ("encode({},'escape')", BYTES), ("decode({},'hex')", ["''", "'0aFF'", "'abc'", "'zz'", "NULL::text"]),
    ("decode({},'base64')", ["''", "'aGVsbG8='", "'aGVs bG8='", "'aGVsbG8'", "'*'", "NULL::text"]),
    ("substr({},{},{})", BYTES, INT, INT), ("substr({},{})", BYTES, INT), ("{} || {}", TEXT, TEXT), ("{} || {}", TEXT, INT), ("{} || {}", BYTES, BYTES),
    ("{} LIKE {}", TEXT, ["''", "'%'", "'_'", "'a%'", "'%c'", "'%b%'", "'a\\%\\_b'", "'___'", "NULL::text"]),
    ("{} ILIKE {}", TEXT, ["''", "'A%'", "'%C'", "'ÄÖÜ_'", "NULL::text"]),
    ("string_to_array({},{})", TEXT, SHORT), ("string_to_array({},{},{})", TEXT, SHORT, SHORT), ("array_to_string({},{})", TEXTS, SHORT),
    ("array_to_string({},{},{})", TEXTS, SHORT, SHORT), ("array_to_string({},{},{})", INTS, SHORT, SHORT),
    ("regexp_replace({},{},{})", TEXT, ["'a'", "'b*'", "'(a)(x)?'", "'^'", "'$'", "NULL::text"], ["''", "'<\\&>'", "'\\1-\\2'", "NULL::text"]),
    ("regexp_replace({},{},{},'g')", TEXT, ["'a'", "'b*'", "'(a)(x)?'", "'[^a-z]'", "NULL::text"], ["''", "'<\\&>'", "'\\1-\\2'"]),
    ("regexp_count({},{})", TEXT, ["'a'", "'b*'", "'^'", "'.'", "NULL::text"]), ("regexp_like({},{})", TEXT, ["'a'", "'^$'", "'B'", "NULL::text"]),
    ("regexp_substr({},{})", TEXT, ["'a'", "'b+'", "'x'", "NULL::text"]), ("{} ~ {}", TEXT, ["'^a'", "''", "'b|c'", "NULL::text"]),
    ("regexp_split_to_array({},{})", TEXT, ["','", "'b*'", "'[ ,]+'", "NULL::text"]), ("{} ~* {}", TEXT, ["'^A'", "'B'", "'Ö'"]),
    # lists
    ("array_append({},{})", INTS, ["7", "NULL::int", "NULL"]), ("array_prepend({},{})", ["7", "NULL::int", "NULL"], INTS),
    ("array_append({},{})", TEXTS, ["'z'", "NULL::text", "NULL"]), ("array_prepend({},{})", ["'z'", "NULL::text", "NULL"], TEXTS),
    ("array_cat({},{})", INTS, INTS), ("{} || {}", INTS, INTS), ("{} || {}", INTS, ["7", "NULL::int", "NULL"]),
    ("array_position({},{})", INTS, ["1", "3", "9", "NULL::int", "NULL"]), ("array_position({},{},{})", INTS, ["3", "NULL::int"], ["1", "2", "3", "-1", "9"]),
    ("array_position({},{})", TEXTS, ["'b'", "''", "NULL::text", "NULL"]),
    ("array_length({},{})", INTS, ["1", "2", "0", "-1", "NULL::int"]), ("cardinality({})", INTS), ("cardinality({})", TEXTS),
    ("array_length(ARRAY[[1,2,3],[4,5,6]],{})", ["1", "2", "3"]), ("cardinality(ARRAY[[1,2,3],[4,5,6]])",),
    ("{} = ANY ({})", ["1", "3", "NULL::int"], INTS), ("{} <> ALL ({})", ["1", "3", "NULL::int"], INTS), ("{} < ANY ({})", ["1", "3", "NULL::int"], INTS),
    ("{} @> {}", INTS, INTS), ("{} <@ {}", INTS, INTS), ("{} && {}", INTS, INTS), ("{} = {}", INTS, INTS), ("{} < {}", INTS, INTS),
    ("({})[{}]", INTS, INT), ("({})[{}:{}]", INTS, INT, INT), ("{} IS DISTINCT FROM {}", INTS, INTS),
    # numbers
    ("abs({})", INT), ("abs({})", BIG), ("abs({})", FLOAT), ("sign({})", FLOAT), ("- {}", INT[:8] + INT[9:]), ("- {}", BIG[:4] + BIG[5:]), ("{} + {}", INT, INT), ("{} - {}", INT, INT),
    ("{} * {}", INT, INT), ("{} / {}", INT, INT), ("{} % {}", INT, INT), ("{} + {}", BIG, BIG), ("{} - {}", BIG, BIG), ("{} * {}", BIG, BIG),
    ("{} / {}", BIG, BIG), ("{} % {}", BIG, BIG), ("{} / {}", INT, BIG), ("{} & {}", INT, INT), ("{} | {}", INT, INT),
    ("{} << {}", ["1", "-1", "7"], ["0", "1", "5", "31"]), ("{} >> {}", ["1", "-1", "1000", "(-2147483648)"], ["0", "1", "5", "31"]), ("~ {}", INT),
    ("{} << {}", ["1::bigint", "-1::bigint"], ["0", "1", "62", "63"]),
    ("gcd({},{})", INT, INT), ("lcm({},{})", INT, INT), ("gcd({},{})", BIG, BIG), ("mod({},{})", INT, INT), ("factorial({})", ["0", "1", "5", "20", "-1", "NULL::int"]),
    ("ceil({})", FLOAT), ("floor({})", FLOAT), ("round({})", FLOAT), ("trunc({})", FLOAT), ("sqrt({})", FLOAT), ("cbrt({})", FLOAT), ("exp({})", FLOAT[:6] + FLOAT[8:]),
    ("ln({})", FLOAT), ("log({})", FLOAT), ("power({},{})", FLOAT[:6] + FLOAT[8:], ["0::float8", "2::float8", "-1::float8", "0.5::float8", "'NaN'::float8"]),
    ("sin({})", FLOAT), ("tan({})", FLOAT), ("asin({})", FLOAT), ("atan({})", FLOAT), ("atan2({},{})", FLOAT, ["0::float8", "1::float8", "-1::float8", "'NaN'::float8"]),
    ("sinh({})", FLOAT), ("tanh({})", FLOAT), ("acosh({})", FLOAT), ("degrees({})", FLOAT[:5]), ("radians({})", FLOAT),
    ("round({},{})", NUM, ["0", "1", "2", "-1", "-3", "NULL::int"]), ("trunc({},{})", NUM, ["0", "1", "-1", "NULL::int"]), ("ceil({})", NUM), ("floor({})", NUM),
    ("width_bucket({},0::float8,10::float8,5)", FLOAT), ("width_bucket({},10::float8,0::float8,5)", FLOAT[:7] + FLOAT[8:]), ("greatest({},{})", FLOAT, FLOAT), ("least({},{})", FLOAT, FLOAT),
    ("greatest({},{},{})", INT[:4] + ["NULL::int"], INT[:4] + ["NULL::int"], ["5", "NULL::int"]), ("greatest({},{})", TEXT, SHORT), ("least({},{})", TEXT, SHORT),
    ("{} = {}", FLOAT, FLOAT), ("{} < {}", FLOAT, FLOAT), ("{} < {}", TEXT, TEXT), ("{} >= {}", INT, BIG), ("{} IS DISTINCT FROM {}", FLOAT, FLOAT),
    ("nullif({},{})", INT, INT), ("nullif({},{})", TEXT, SHORT), ("coalesce({},{})", TEXT, SHORT), ("coalesce({},{})", INT, BIG),
    ("{} BETWEEN {} AND {}", INT[:4] + ["NULL::int"], INT[:4] + ["NULL::int"], INT[:4] + ["NULL::int"]), ("{} IN ({},{})", INT, INT, INT),
    ("{} AND {}", BOOL, BOOL), ("{} OR {}", BOOL, BOOL), ("NOT {}", BOOL), ("{} IS NOT TRUE", BOOL), ("{} IS UNKNOWN", BOOL), ("{} = {}", BOOL, BOOL), ("{} < {}", BOOL, BOOL),
    # casts
    ("({})::int", FLOAT + NUM + BIG + BOOL), ("({})::smallint", INT + FLOAT + NUM), ("({})::bigint", FLOAT + NUM), ("({})::real", FLOAT + ["0.1", "1e39::float8"]),
    ("({})::text", INT + BIG + FLOAT + NUM + BOOL + DATE + TS + TIME + IV + BYTES + INTS + TEXTS), ("({})::boolean", INT + ["'t'", "'yes'", "'off'", "'0'", "' TRUE '", "'maybe'", "''"]),
    ("({})::text::int", ["'1'", "' 12 '", "'-0'", "'2147483648'", "'1.5'", "''", "'+7'", "'1e3'", "'0x10'"]),
    ("({})::text::float8", ["'1'", "' 1e3 '", "'-0'", "'inf'", "'Infinity'", "'nan'", "'1e400'", "'1e-400'", "''", "'abc'", "'.5'", "'5.'"]),
    ("({})::text::date", ["'2024-02-29'", "'2023-02-29'", "'20240229'", "'2024-2-3'", "'0001-01-01 BC'", "''", "'2024-13-01'", "'2024-02-29 12:00'"]),
    ("({})::text::timestamp", ["'2024-02-29'", "'2024-02-29 24:00:00'", "'2024-02-29T12:34:56.1234567'", "'2024-02-29 12:34:56+05'", "'2024-02-29 12:60'", "'2024-02-29 12:34:60'"]),
    ("({})::text::timestamptz", ["'2024-02-29'", "'2024-02-29 12:34:56+05'", "'2024-02-29 12:34:56 Europe/Berlin'", "'2024-02-29 12:34:56-03:30'", "'2024-02-29T12:34:56Z'"]),
    ("({})::text::time", ["'12:34'", "'24:00:00'", "'12:34:56.1234567'", "'1:02 PM'", "'25:00'"]),
    ("({})::date", TS + TZ), ("({})::time", TS + IV), ("({})::timestamp", DATE + TZ), ("({})::timestamptz", DATE + TS), ("({})::interval", TIME),
    # dates and times
    ("{} + {}", DATE, ["0", "1", "-1", "365", "NULL::int"]), ("{} - {}", DATE, ["0", "1", "-1", "NULL::int"]), ("{} - {}", DATE, DATE), ("{} + {}", DATE, IV),
    ("{} - {}", DATE, IV), ("{} + {}", TS, IV), ("{} - {}", TS, IV), ("{} - {}", TS, TS), ("{} + {}", TZ, IV), ("{} - {}", TZ, TZ), ("{} + {}", IV, IV), ("{} - {}", IV, IV),
    ("- {}", IV), ("{} + {}", TIME, IV), ("{} - {}", TIME, IV), ("{} - {}", TIME, TIME), ("{} + {}", DATE, TIME),
    ("{} * {}", IV, ["0::float8", "1.5::float8", "-0.1::float8", "0.333333333::float8", "3::float8", "1e10::float8", "'NaN'::float8", "NULL::float8"]), ("{} * {}", IV, ["2", "-3", "0"]),
    ("{} / {}", IV, ["0::float8", "1.5::float8", "-0.1::float8", "3::float8", "7::float8", "0.001::float8", "'Infinity'::float8", "NULL::float8"]), ("{} * {}", ["2", "0.5::float8"], IV),
    ("{} = {}", IV, IV), ("{} < {}", IV, IV), ("{} < {}", DATE, DATE), ("{} < {}", TS, TS), ("{} = {}", DATE, TS), ("{} < {}", TIME, TIME),
    ("make_date({},{},{})", ["2024", "1", "0", "-1", "9999", "NULL::int"], ["1", "2", "12", "13", "0"], ["1", "29", "31", "0"]),
    ("make_time({},{},{})", ["0", "23", "24", "-1"], ["0", "59", "60"], ["0::float8", "59.9999999::float8", "60::float8", "12.5::float8"]),
    ("make_timestamp(2024,2,29,{},{},{})", ["0", "23", "24"], ["0", "59", "60"], ["0::float8", "59.9999999::float8", "12.345678::float8"]),
    ("to_timestamp({})", ["0::float8", "1.5::float8", "-1.5::float8", "1e10::float8", "1709210096.789012::float8", "'Infinity'::float8", "'NaN'::float8", "NULL::float8"]),
    ("date_bin({},{},{})", ["INTERVAL '15 minutes'", "INTERVAL '1 day'", "INTERVAL '7 days 1 second'", "INTERVAL '1 month'", "INTERVAL '0'", "INTERVAL '-1 hour'"],
     TS, ["TIMESTAMP '2001-01-01'", "TIMESTAMP '2030-01-01 00:02:30'"]),
    ("date_bin({},{},{})", ["INTERVAL '15 minutes'", "INTERVAL '2 days'"], TZ, ["TIMESTAMPTZ '2001-01-01 00:00:00+00'"]),
]

FIELDS = ["year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond", "decade", "century", "millennium"]
MORE = ["dow", "isodow", "doy", "isoyear", "epoch", "julian"]
for part in FIELDS + MORE:
    CALLS += [(f"extract({part} from {{}})", DATE + TS + TZ), (f"date_part('{part}', {{}})", TS[:3])]
for part in FIELDS:
    CALLS += [(f"date_trunc('{part}', {{}})", DATE + TS + TZ), (f"extract({part} from {{}})", IV), (f"date_trunc('{part}', {{}})", IV)]
CALLS += [("extract(epoch from {})", IV + TIME)] + [(f"extract({p} from {{}})", TIME) for p in ("hour", "minute", "second", "millisecond", "microsecond")]

# TIMESTAMP(p), TIME(p), INTERVAL: precision and fractions.
for p in range(0, 7):
    CALLS += [(f"({{}})::timestamp({p})", TS + ["TIMESTAMP '2024-01-01 00:00:00.5'", "TIMESTAMP '2024-01-01 00:00:01.5'", "TIMESTAMP '2023-12-31 23:59:59.999999'",
                                              "TIMESTAMP '1969-12-31 23:59:58.5'", "TIMESTAMP '1969-12-31 23:59:59.4999'"]),
              (f"({{}})::time({p})", TIME + ["TIME '00:00:00.5'", "TIME '00:00:01.5'", "TIME '00:00:00.0000005'"]),
              (f"({{}})::timestamptz({p})", TZ + ["TIMESTAMPTZ '2024-01-01 00:00:00.123456+00'"]),
              (f"TIMESTAMP({p}) '2024-02-29 12:34:56.789551'",), (f"TIME({p}) '12:34:56.789551'",), (f"('2024-02-29 12:34:56.789551'::text)::timestamp({p})",)]
AMOUNTS = ["1.5", "0.3", "-0.3", "2.25", "0.1", "-1.75", "0.000001", "1e-3", "12345.678", "-.5", "1."]
for unit in ("millennium", "century", "decade", "years", "months", "weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds"):
    CALLS += [(f"INTERVAL '{{}} {unit}'", AMOUNTS)]
CALLS += [("'{}'::text::interval", ["1.5 months 1.5 days", "P1.5Y", "P0.5M", "P1.5D", "PT1.5H", "P1Y2M3W4DT5H6M7.8S", "-1.5 days ago", "1 day -00:00:01", "1:2:3.5", "-12:34",
                                    "1-2", "-1-2", "1.5 years 1.5 months 1.5 days", "2 mons -3 days", "@ 1 minute", "1 day 2", "1 2:03", "1 month 0.3 weeks", "", "x", "1 fortnight"]),
          ("INTERVAL '{}'", ["1.5", "1 1.5", "5 days 1", "1:30", "10:20:30.123456789"]),
          ("INTERVAL '{}' DAY", ["1", "1.5", "-2"]), ("INTERVAL '{}' YEAR", ["1", "1.9"]), ("INTERVAL '{}' MONTH", ["1", "1.9"]), ("INTERVAL '{}' HOUR", ["1", "1.9"]),
          ("INTERVAL '{}' MINUTE", ["1", "1.9"]), ("INTERVAL '{}' SECOND", ["1", "1.9"]), ("INTERVAL '1 2:03:04' DAY TO HOUR",), ("INTERVAL '1-2' YEAR TO MONTH",),
          ("INTERVAL '1 2:03:04.5' DAY TO SECOND",)]

# Decimals in lists convert as a scalar would.
CALLS += [("(ARRAY[{}]::float8[])[1]", ["5.6", "0.1", "-1e10", "123456789.123456789", "16777217", "NULL", "1e308"]), ("(ARRAY[{}]::int[])[1]", ["5.6", "2.5", "-0.5", "'7'"]),
          ("(ARRAY[{},1]::bigint[])[1]", ["9007199254740993", "9223372036854775807"]), ("(ARRAY[{}, NULL]::text[])[1]", ["5.60", "0.1", "7"]),
          ("(ARRAY[{}, 2.25]::numeric(20,5)[])[1]", ["5.6", "0.000015", "12345678901.12345"]), ("(ARRAY[{}, 0.5]::real[])[1]", ["5.6", "0.1"])]


def similar():
    """Patterns of SIMILAR TO over a small alphabet, with texts that they may match."""
    def piece(depth):
        x = rnd.random()
        if depth == 0 or x < 0.45:
            return rnd.choice(["a", "b", "c", "ab", "%", "_", "\\%", "\\_", "\\|", ".", "^", "$", "é", "\\\\", " ", "#"])
        if x < 0.6:
            return rnd.choice(["[ab]", "[^a]", "[a-c]", "[^b-c]", "[%_]", "[.]", "[[:alpha:]]", "[b%]", "[a|b]", "[\\^]", "[]a]", "[^]]"])
        if x < 0.75:
            return "(" + pattern(depth - 1) + ")"
        return piece(depth - 1).replace("ab", "a") + rnd.choice(["*", "+", "?", "{1}", "{2}", "{1,}", "{0,2}", "{1,2}"])

    def pattern(depth):
        s = "".join(piece(depth) for _ in range(rnd.randrange(0, 4)))
        return s + ("|" + pattern(depth - 1) if depth > 0 and rnd.random() < 0.25 else "")

    texts = ["", "a", "b", "ab", "abc", "aab", "abab", "xabcx", "a%b", "_", "a_c", "a.c", "^a", "a$", "é", "aé", "a|b", "\\", "a b", "#", "cc", "]", "a]b", "bbb", "AB", "a\nb"]
    for p in ["abc", "b", "ab|cd", "a|b", "%", "", "_", "a.c", "^a", "a$", "(ab)+", "a{2}", "%b%", "a%|%c", "[abc]+", "a||b", "(a|)b", "|", "()"]:
        for t in texts:
            yield t, p, None
    for _ in range(700):
        p = pattern(2)
        for t in rnd.sample(texts, 4):
            yield t, p, None
    for _ in range(150):
        p = pattern(2).replace("\\", rnd.choice(["#", "\\", "!"]))
        for t in rnd.sample(texts, 3):
            yield t, p, rnd.choice(["#", "!", "", "a", "%", "\\", "|"])


def quoted(s):
    return "'" + s.replace("'", "''") + "'"


ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia", "UTC", "Africa/Casablanca", "Europe/Dublin"]
WALLS = ["2024-03-31 01:59:59", "2024-03-31 02:00:00", "2024-03-31 02:30:00", "2024-03-31 03:00:00", "2024-10-27 01:59:59", "2024-10-27 02:00:00", "2024-10-27 02:30:00",
         "2024-10-27 02:59:59.5", "2024-10-27 03:00:00", "2024-03-10 02:30:00", "2024-11-03 01:30:00", "2024-04-07 01:45:00", "2024-10-06 02:15:00", "2011-12-30 12:00:00",
         "1900-01-01 00:00:00", "1950-06-15 12:00:00", "2024-07-01 12:00:00", "2100-07-01 12:00:00", "2024-04-14 02:30:00", "2024-03-10 02:30:30"]
INSTANTS = ["2024-03-31 00:59:59.5+00", "2024-03-31 01:00:00+00", "2024-03-31 01:30:00+00", "2024-10-27 00:15:30+00", "2024-10-27 00:59:59+00", "2024-10-27 01:15:30+00",
            "2024-10-27 01:59:59+00", "2024-11-03 05:15:00+00", "2024-11-03 06:15:00+00", "2024-04-06 14:45:00+00", "2024-04-06 15:15:00+00", "2024-10-05 15:45:00+00",
            "2024-03-10 07:15:00+00", "2011-12-30 09:59:00+00", "2011-12-30 10:01:00+00", "1890-01-01 00:00:00+00", "2024-07-01 12:34:56.789+00", "2024-12-31 23:30:00+00"]


PARTS = ("second", "minute", "hour", "day", "week", "month", "quarter", "year", "decade")


def templates():
    """Pairs of a template and its calls."""
    for template, *values in CALLS:
        product = list(itertools.product(*values))
        yield template, rnd.sample(product, 160) if len(product) > 160 else product
    tests = list(similar())
    yield "{} SIMILAR TO {}", [(quoted(t), quoted(p)) for t, p, e in tests if e is None]
    yield "{} SIMILAR TO {} ESCAPE {}", [(quoted(t), quoted(p), quoted(e)) for t, p, e in tests if e is not None]
    walls = list(itertools.product([f"TIMESTAMP '{w}'" for w in WALLS], map(quoted, ZONES)))
    instants = list(itertools.product([f"TIMESTAMPTZ '{i}'" for i in INSTANTS], map(quoted, ZONES)))
    yield "{} AT TIME ZONE {}", walls
    yield "timezone({1},{0})", walls
    yield "{} AT TIME ZONE {}", instants
    for suffix in ("Z", "+03:30", ""):
        yield "{} AT TIME ZONE {}", list(itertools.product([f"'{w}{suffix}'" for w in WALLS], map(quoted, ZONES)))
    for part in PARTS:
        yield f"date_trunc('{part}', {{}}, {{}})", instants


ZONED = [f"date_trunc('{p}', X)" for p in PARTS] + [
    f"extract({p} from X)" for p in ("hour", "minute", "day", "dow", "week", "epoch", "timezone", "timezone_hour", "timezone_minute", "julian")] + [
    "X::date", "X::time", "X::timestamp", "X + INTERVAL '1 day'", "X + INTERVAL '24 hours'", "X - INTERVAL '1 month'", "X",
    "date_bin(INTERVAL '1 hour', X, TIMESTAMPTZ '2001-01-01 00:00:00+00')"]


def fill(template, args):
    rest = iter(args)
    return re.sub(r"\{(\d?)\}", lambda m: args[int(m[1])] if m[1] else next(rest), template)


def kind(v):
    """The type of a value as written."""
    if m := re.search(r"::(\w+(\[\])?)$", v):
        return {"int": "number"}.get(m[1], m[1])
    if m := re.match(r"(TIMESTAMPTZ|TIMESTAMP|DATE|TIME|INTERVAL|ARRAY) ?[\[']", v):
        return m[1].lower()
    return "text" if v[0] in "'E" else "boolean" if v in ("TRUE", "FALSE") else "number"


def uniform(template, calls):
    """Whether the arguments can be columns of VALUES."""
    if "'{}" in template or not calls or not calls[0] or any("NULL" in args for args in calls):
        return False
    if template.startswith("{} AT TIME") and kind(calls[0][0]) == "text":
        return False  # a literal becomes an instant, and a column of texts does not
    names = {"int[]": "array", "text[]": "array", "number": "number", "bigint": "bigint"}
    columns = [{names.get(kind(v), kind(v)) for v in column if v != "NULL"} for column in zip(*calls)]
    if any(c == {"number", "bigint"} or c == {"number", "numeric"} for c in columns):
        return not template.startswith("(") and all(len(c - {"number"}) <= 1 for c in columns)
    return all(len(c) <= 1 for c in columns)


def main(dsn):
    con = psycopg.connect(dsn, autocommit=True)
    con.execute("SET IntervalStyle = 'postgres'; SET DateStyle = 'ISO'; SET TimeZone = 'UTC'")
    here = os.path.dirname(os.path.abspath(__file__))
    lines, n, errors, skipped = [], 0, 0, 0
    for template, calls in templates():
        asked = []
        for args in dict.fromkeys(calls):
            row, err, sql = None, None, fill(template, args)
            try:
                row = con.execute(f"SELECT ({sql})::text").fetchone()[0]
            except psycopg.Error as e:
                err = str(e).strip().split("\n")[0][:60]
                if isinstance(e, (psycopg.errors.UndefinedFunction, psycopg.errors.AmbiguousFunction, psycopg.errors.IndeterminateDatatype,
                                  psycopg.errors.CannotCoerce, psycopg.errors.DatatypeMismatch, psycopg.errors.SyntaxError)):
                    skipped += 1
                    continue
                errors += 1
            n += 1
            asked.append([list(args), row] + ([err] if err else []))
        if asked:
            lines.append([template, uniform(template, [tuple(a[0]) for a in asked]), asked])
    for zone in ZONES:
        con.execute(f"SET TimeZone = '{zone}'")
        for template in ZONED:
            rows = [con.execute(f"SELECT ({template.replace('X', repr(i) + '::timestamptz')})::text").fetchone()[0] for i in INSTANTS]
            n += len(rows)
            lines.append([template, zone, rows])
    at = pa.array([datetime.datetime.fromisoformat(i) for i in INSTANTS], pa.timestamp("us", "UTC"))
    table = pa.table({"key": pa.array(range(len(INSTANTS)), pa.int32()), **{z: at.cast(pa.timestamp("us", z)) for z in ZONES}})
    path = os.path.join(here, "instants.lance")
    shutil.rmtree(path, ignore_errors=True)
    lance.write_dataset(table, path, data_storage_version="2.1")
    version = con.execute("SHOW server_version").fetchone()[0]
    with gzip.GzipFile(os.path.join(here, "edges.jsonl.gz"), "wb", mtime=0) as f:
        for line in [{"postgresql": version}] + lines:
            f.write((json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n").encode())
    print(len(lines), "templates,", n, "calls,", errors, "errors,", skipped, "left out;", sum(l[1] is True for l in lines), "with columns")


if __name__ == "__main__":
    main(sys.argv[1])
