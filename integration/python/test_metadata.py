"""Catalog metadata as ADBC reads it, with its filters and patterns."""

import pyarrow as pa
import pyarrow.flight as flight
import pytest

from test_clients import varint


def objects(conn, **kwargs):
    return conn.adbc_get_objects(**kwargs).read_all().to_pylist()


def test_get_objects(sample):
    with sample.adbc() as conn:
        [catalog] = objects(conn, depth="catalogs")
        assert catalog["catalog_name"] == "lance"
        [catalog] = objects(conn, depth="db_schemas")
        assert "main" in [s["db_schema_name"] for s in catalog["catalog_db_schemas"]]
        [catalog] = objects(conn, depth="all", table_name_filter="train")
        [schema] = [s for s in catalog["catalog_db_schemas"] if s["db_schema_name"] == "main"]
        [table] = schema["db_schema_tables"]
        assert (table["table_name"], table["table_type"]) == ("train", "TABLE")
        assert [c["column_name"] for c in table["table_columns"]][:6] == ["key", "image", "image_path", "caption", "url", "NSFW"]
        assert len(table["table_columns"]) == 17


@pytest.mark.parametrize("pattern, found", [("tr%", True), ("trai_", True), ("TRAIN", True), ("TR%", True), ("", True), ("x%", False), (r"trai\_", False), (r"%\%", False)])
def test_table_name_patterns(sample, pattern, found):
    with sample.adbc() as conn:
        got = objects(conn, depth="tables", table_name_filter=pattern)
        tables = [t for c in got for s in c["catalog_db_schemas"] if s["db_schema_name"] == "main" for t in s["db_schema_tables"] or []]
        assert bool(tables) == found


@pytest.mark.parametrize("types, found", [(["TABLE"], True), (["table"], True), (["BASE TABLE"], True), (["VIEW"], False), (["system view"], True)])
def test_table_types(sample, types, found):
    with sample.adbc() as conn:
        assert conn.adbc_get_table_types() == ["SYSTEM VIEW", "TABLE"]
        got = objects(conn, depth="tables", table_types_filter=types)
        assert bool([t for c in got for s in c["catalog_db_schemas"] for t in s["db_schema_tables"] or []]) == found


def test_get_objects_lists_information_schema(sample):
    with sample.adbc() as conn:
        [catalog] = objects(conn, depth="all")
        [schema] = [s for s in catalog["catalog_db_schemas"] if s["db_schema_name"] == "information_schema"]
        views = {t["table_name"]: t for t in schema["db_schema_tables"]}
        assert {t["table_type"] for t in views.values()} == {"SYSTEM VIEW"}
        for name, view in views.items():
            assert [c["column_name"] for c in view["table_columns"]] == sample.query(f"SELECT * FROM information_schema.{name}").column_names
        listed = sample.query("SELECT table_name FROM information_schema.tables WHERE table_schema = 'information_schema'")
        assert set(listed.column(0).to_pylist()) == set(views)


def test_get_table_schema(sample):
    with sample.adbc() as conn:
        schema = conn.adbc_get_table_schema("train")
        assert schema.field("img_emb").type == pa.list_(pa.float32(), 768)
        assert schema.field("image").type == pa.large_binary()
        assert schema.field("key").metadata[b"ARROW:FLIGHT:SQL:TYPE_NAME"] == b"BIGINT"


def test_get_info(sample):
    with sample.adbc() as conn:
        info = conn.adbc_get_info()
        assert info["vendor_name"] == "lanceflight" and info["vendor_arrow_version"]


def test_information_schema(sample):
    rows = sample.query("SELECT table_catalog, table_schema, table_name FROM information_schema.tables").to_pylist()
    assert {"table_catalog": "lance", "table_schema": "main", "table_name": "train"} in rows
    columns = sample.query("SELECT column_name, ordinal_position FROM information_schema.columns WHERE table_name = 'train' ORDER BY ordinal_position").to_pylist()
    assert len(columns) == 17 and columns[0]["column_name"] == "key"


def test_result_columns_name_their_table(sample):
    field = sample.query("SELECT key FROM train LIMIT 1").schema.field("key")
    assert field.metadata.get(b"ARROW:FLIGHT:SQL:TABLE_NAME") == b"train"
    assert b"ARROW:FLIGHT:SQL:REMARKS" not in field.metadata


def test_result_columns_tell_precision_and_scale(sample):
    [field] = sample.query("SELECT CAST(key AS DECIMAL(10,2)) AS d FROM train LIMIT 1").schema
    told = {k.decode().removeprefix("ARROW:FLIGHT:SQL:"): v.decode() for k, v in field.metadata.items()}
    assert told == {"TYPE_NAME": "DECIMAL(10,2)", "PRECISION": "10", "SCALE": "2", "IS_AUTO_INCREMENT": "0",
                    "IS_CASE_SENSITIVE": "0", "IS_READ_ONLY": "1", "IS_SEARCHABLE": "1"}


def xdbc_types(server, data_type=None):
    url = b"type.googleapis.com/arrow.flight.protocol.sql.CommandGetXdbcTypeInfo"
    body = b"" if data_type is None else b"\x08" + varint(data_type & (2**64 - 1))
    command = b"\x0a" + varint(len(url)) + url + b"\x12" + varint(len(body)) + body
    client = server.flight()
    info = client.get_flight_info(flight.FlightDescriptor.for_command(command))
    return client.do_get(info.endpoints[0].ticket).read_all()


def test_xdbc_type_info(sample):
    every = xdbc_types(sample)
    assert {"BIGINT", "DOUBLE", "VARCHAR", "BLOB", "BOOLEAN", "DATE", "TIMESTAMP"} <= set(every.column("type_name").to_pylist())
    assert xdbc_types(sample, 4).column("type_name").to_pylist() == ["INTEGER"]
    assert xdbc_types(sample, -5).column("type_name").to_pylist() == ["BIGINT"]
    assert xdbc_types(sample, 999).num_rows == 0
