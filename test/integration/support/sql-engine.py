"""Tables as InfluxDB 3 has them, and SQL over them: JSON lines in, JSON lines out."""

import json
import sys

import pyarrow as pa
from datafusion import SessionContext

# A tag is a dictionary of texts, the time is in nanoseconds and has no zone.
TYPES = {
    "tag": pa.dictionary(pa.int32(), pa.utf8()),
    "time": pa.timestamp("ns"),
    "integer": pa.int64(),
    "float": pa.float64(),
    "string": pa.utf8(),
}


def array(kind, values):
    # JSON has no integers of 64 bits.
    if kind in ("integer", "time"):
        values = [None if value is None else int(value) for value in values]
    if kind == "tag":
        return pa.array(values, pa.utf8()).dictionary_encode()
    return pa.array(values, TYPES[kind])


def cell(value):
    if isinstance(value, pa.TimestampScalar):
        return None if value.value is None else value.value // 1_000_000
    return value.as_py()


context = SessionContext()
for line in sys.stdin:
    request = json.loads(line)
    try:
        if "table" in request:
            columns = {name: array(kind, values) for name, (kind, values) in request["columns"].items()}
            batch = pa.record_batch(list(columns.values()), names=list(columns))
            context.register_record_batches(request["table"], [[batch]])
            answer = {}
        else:
            table = context.sql(request["sql"]).to_arrow_table()
            rows = [[cell(value) for value in column] for column in table.columns]
            answer = {
                "types": {field.name: str(field.type) for field in table.schema},
                "rows": [dict(zip(table.column_names, row)) for row in zip(*rows)],
            }
    except Exception as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
