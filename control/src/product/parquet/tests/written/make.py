"""Writes the Parquet files beside this one, by other programs than ours: three rows, of values, of other values and of none.

pip install pyarrow==26.0.1 duckdb==2.0.0 polars==2.1.0 fastparquet==2026.9.0 && python make.py
"""

import datetime as dt
from decimal import Decimal

import duckdb
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as pq

NONE = None
moments = [dt.datetime(2024, 2, 29, 23, 59, 59, 250000), dt.datetime(1969, 12, 31, 23, 59, 59), NONE]
days = [dt.date(2024, 2, 29), dt.date(1, 1, 1), NONE]
times = [dt.time(23, 59, 59, 250000), dt.time(0, 0, 0), NONE]

plain = {
    "int8": pa.array([-128, 127, NONE], pa.int8()),
    "uint16": pa.array([0, 65_535, NONE], pa.uint16()),
    "int32": pa.array([-(2**30), 2**30 - 1, NONE], pa.int32()),
    "int64": pa.array([-(2**63), 2**63 - 1, NONE], pa.int64()),
    "uint64": pa.array([0, 2**64 - 1, NONE], pa.uint64()),
    "float": pa.array([0.1, float("nan"), NONE], pa.float32()),
    "double": pa.array([-1.5, float("inf"), NONE], pa.float64()),
    "boolean": pa.array([True, False, NONE]),
    "text": pa.array(["Zürich 🗺", "", NONE]),
    "binary": pa.array([b"text", b"\x00\xff", NONE]),
    "date": pa.array(days, pa.date32()),
    "millis": pa.array(moments, pa.timestamp("ms")),
    "micros": pa.array(moments, pa.timestamp("us")),
    "nanos": pa.array(moments, pa.timestamp("ns")),
    "zoned": pa.array(moments, pa.timestamp("us", "Europe/Zurich")),
    "time": pa.array(times, pa.time64("us")),
    "decimal": pa.array([Decimal("-0.05"), Decimal("1234567.89"), NONE], pa.decimal128(9, 2)),
    "list": pa.array([[1, NONE], [], NONE], pa.list_(pa.int32())),
    "group": pa.array([{"b": 0.1, "a": days[0]}, {"b": NONE, "a": NONE}, NONE], pa.struct([("b", pa.float32()), ("a", pa.date32())])),
}
members = pa.StructArray.from_arrays(
    [pa.array([1, 0], pa.timestamp("ns", "UTC")), pa.array([bytes(range(16))] * 2, pa.uuid())],
    ["at", "id"],
    mask=pa.array([False, True]),
)
arrow = plain | {
    "uint32": pa.array([0, 2**32 - 1, NONE], pa.uint32()),
    "half": pa.array([0.5, -2.0, NONE], pa.float16()),
    "fixed": pa.array([b"abcd", b"\x00\x01\x02\x03", NONE], pa.binary(4)),
    "uuid": pa.array([bytes(range(16)), b"\xff" * 16, NONE], pa.uuid()),
    "seconds": pa.array(moments, pa.timestamp("s")),
    "millitime": pa.array(times, pa.time32("ms")),
    "nanotime": pa.array([1, 0, NONE], pa.time64("ns")),
    "long": pa.array([Decimal(10) ** 60, Decimal("-0.0001"), NONE], pa.decimal256(70, 4)),
    "lists": pa.array([[[1], [], NONE], [[moments[0].second]], NONE], pa.list_(pa.list_(pa.int64()))),
    "moments": pa.array([moments, [], NONE], pa.list_(pa.timestamp("us"))),
    "map": pa.array([[("k", True)], [], NONE], pa.map_(pa.string(), pa.bool_())),
    "numbers": pa.array([[(7, b"\x07")], [], NONE], pa.map_(pa.int32(), pa.binary())),
    "ids": pa.array([[2**62 + 1], [], NONE], pa.list_(pa.int64())),
    "whole": pa.array([Decimal(-5), Decimal(10) ** 17, NONE], pa.decimal128(18, 0)),
    "bounds": pa.array([dt.datetime(9999, 12, 31, 23, 59, 59), dt.datetime(1, 1, 1), NONE], pa.timestamp("us")),
    "before": pa.array([-1, -1_000_000_100, NONE], pa.timestamp("ns")),
    "members": pa.ListArray.from_arrays(pa.array([0, 2, 2, 2]), members, mask=pa.array([False, False, True])),
    "instants": pa.array([[(moments[1], moments[1])], [], NONE], pa.map_(pa.timestamp("ms", "UTC"), pa.timestamp("ms", "UTC"))),
    "clocks": pa.array([{"only": [("a", [1])]}, {"only": NONE}, NONE], pa.struct([("only", pa.map_(pa.string(), pa.list_(pa.time64("ns"))))])),
    "category": pa.array(["one", "two", NONE]).dictionary_encode(),
    "nothing": pa.nulls(3),
}

table = pa.table(arrow)
pq.write_table(table, "pyarrow.parquet")
pq.write_table(table, "pyarrow-brotli.parquet", compression="brotli", data_page_version="2.0", use_dictionary=False)
pq.write_table(table, "pyarrow-int96.parquet", use_deprecated_int96_timestamps=True, store_schema=False)
polars.from_arrow(pa.table(plain)).write_parquet("polars.parquet")

database = duckdb.connect()
database.register("rows", pa.table(plain))
for version in ["V1", "V2"]:
    database.execute(f"COPY (FROM rows) TO 'duckdb-{version.lower()}.parquet' (FORMAT parquet, PARQUET_VERSION {version})")
database.execute("COPY (SELECT INTERVAL 3 DAY AS later) TO 'duckdb-interval.parquet' (FORMAT parquet)")
database.execute("SET force_mbedtls_unsafe = 'true'")
database.execute("PRAGMA add_parquet_key('key', '0123456789abcdef')")
database.execute("COPY (SELECT 1 AS one) TO 'duckdb-encrypted.parquet' (FORMAT parquet, ENCRYPTION_CONFIG {footer_key: 'key'})")

few = pandas.DataFrame({"number": [1, 2, 3], "text": ["a", "Zürich", ""], "moment": pandas.to_datetime(moments[:2] * 2)[:3]})
few.to_parquet("fastparquet.parquet", engine="fastparquet", object_encoding="utf8")
# As programs did that did not tell texts from bytes.
old = pa.table({"text": pa.array([b"Z\xc3\xbcrich", b"plain", b"\x00\xff"])})
pq.write_table(old, "old.parquet", store_schema=False)
