-- What readings.parquet holds; DuckDB 1.5.6 wrote it: COPY (…) TO 'readings.parquet' (COMPRESSION zstd).
SELECT
  DATE '2024-02-28' + r::INTEGER AS day,
  TIMESTAMP '2024-02-28 06:30:00.250' + INTERVAL (r) HOUR AS time,
  'station ' || (r % 2) AS station,
  CASE WHEN r = 1 THEN NULL ELSE r / 4 - 0.1 END AS level,
  (r * 1.25)::DECIMAL(6, 2) AS price,
  9007199254740990 + r % 2 AS visits,
  9007199254740991 + r AS id,
  r = 2 AS open,
  [r, 2 * r] AS pair
FROM range(3) AS readings(r)
ORDER BY r
