"""What is asked of PostgreSQL's catalog."""

# Schemas and tables of PostgreSQL itself and of extensions are not the user's.
RELATIONS = """
SELECT c.oid::int8, n.nspname::text AS schema, c.relname::text AS name,
    c.relkind::text AS kind, c.relispartition AS is_partition,
    c.relrowsecurity AS has_policies, obj_description(c.oid, 'pg_class') AS comment,
    EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid) AS inherits
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.objid = c.oid AND x.deptype = 'e')
ORDER BY c.oid
"""
COLUMNS = """
SELECT a.attrelid::int8 AS relation, a.attname::text AS name,
    a.atttypid::int8 AS type, a.atttypmod AS modifier, a.attnotnull AS required,
    a.attidentity::text AS identity, a.attgenerated::text AS generated,
    pg_get_expr(d.adbin, d.adrelid) AS expression,
    col_description(a.attrelid, a.attnum) AS comment
FROM pg_attribute a LEFT JOIN pg_attrdef d
    ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = ANY ($1::int8[]::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
"""
TYPES = """
SELECT t.oid::int8, n.nspname::text AS schema, t.typname::text AS name,
    t.typtype::text AS kind, t.typcategory::text AS category,
    t.typelem::int8 AS element, t.typbasetype::int8 AS base,
    t.typtypmod AS modifier, t.typnotnull AS required, t.typdefault AS expression,
    ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid
          ORDER BY e.enumsortorder) AS labels,
    ARRAY(SELECT pg_get_expr(k.conbin, 0) FROM pg_constraint k
          WHERE k.contypid = t.oid AND k.contype = 'c') AS checks
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
"""
CONSTRAINTS = """
SELECT k.conrelid::int8 AS relation, k.conname::text AS name, k.contype::text AS kind,
    k.confrelid::int8 AS target, k.confdeltype::text AS on_delete,
    k.confupdtype::text AS on_update, k.condeferrable AS is_deferrable,
    pg_get_expr(k.conbin, k.conrelid) AS expression,
    (SELECT (to_jsonb(x) ->> 'indnullsnotdistinct')::boolean
     FROM pg_index x WHERE x.indexrelid = k.conindid) AS joins_nulls,
    ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(n, i)
          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n
          ORDER BY u.i) AS columns,
    ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(n, i)
          JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n
          ORDER BY u.i) AS target_columns
FROM pg_constraint k
WHERE k.conrelid = ANY ($1::int8[]::oid[]) AND k.contype IN ('c', 'f', 'p', 'u', 'x')
AND k.conparentid = 0
ORDER BY k.conrelid, k.contype <> 'p', k.conkey, k.conname
"""
INDEXES = """
SELECT x.indrelid::int8 AS relation, c.relname::text AS name, m.amname::text AS method,
    x.indisunique AS is_unique,
    (to_jsonb(x) ->> 'indnullsnotdistinct')::boolean AS joins_nulls,
    pg_get_expr(x.indpred, x.indrelid) AS condition,
    ARRAY(SELECT a.attname::text FROM unnest(x.indkey[0:x.indnkeyatts - 1])
          WITH ORDINALITY u(n, i) LEFT JOIN pg_attribute a
          ON a.attrelid = x.indrelid AND a.attnum = u.n ORDER BY u.i) AS columns,
    ARRAY(SELECT pg_get_indexdef(x.indexrelid, i, true)
          FROM generate_series(1, x.indnkeyatts) i) AS parts
FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_am m ON m.oid = c.relam
WHERE x.indrelid = ANY ($1::int8[]::oid[]) AND x.indisvalid
AND NOT EXISTS (SELECT FROM pg_constraint k
                WHERE k.conindid = x.indexrelid AND k.contype <> 'f')
AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = x.indexrelid)
ORDER BY x.indrelid, x.indkey::text, c.relname
"""
TRIGGERS = """
SELECT g.tgrelid::int8 AS relation, g.tgname::text AS name,
    string_to_array(encode(g.tgargs, 'escape'), '\\000') AS arguments
FROM pg_trigger g WHERE g.tgrelid = ANY ($1::int8[]::oid[]) AND NOT g.tgisinternal
ORDER BY g.tgrelid, g.tgname
"""
