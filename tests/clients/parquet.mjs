// Reads the Parquet file at FILE, as somebody's own program would, and prints what its columns are and its rows.

import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";

const file = await asyncBufferFromFile(process.env.FILE);
const metadata = await parquetMetadataAsync(file);
const columns = metadata.schema.slice(1).map(({ name, type, logical_type: logical }) => [name, logical?.type ?? type]);
const rows = await parquetReadObjects({ file, metadata });
console.log(JSON.stringify({ columns, rows }, (_, value) => (typeof value === "bigint" ? `${value}` : value)));
