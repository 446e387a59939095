"""What the role of a lever could do besides calling our functions, as the catalogs say; nothing is tried for real."""

from __future__ import annotations

from psycopg import sql

from adapters.api import Beyond
from adapters.postgres.door import Door

NAMED = 3
"""Things that are named as an example, of each question."""

PARTS = {
    "people": sql.SQL("pg_roles WHERE pg_has_role(current_user, oid, 'MEMBER')"),
    "relations": sql.SQL(
        "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
    ),
    "functions": sql.SQL("pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"),
    "outside": sql.SQL(
        "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname !~ '^pg_(temp|toast)'"
    ),
}
QUESTIONS = {
    "do everything, as a superuser": "SELECT rolname FROM {people} AND rolsuper",
    "make roles and give itself theirs": "SELECT rolname FROM {people} AND rolcreaterole",
    "make databases": "SELECT rolname FROM {people} AND rolcreatedb",
    "copy the whole server by replication": "SELECT rolname FROM {people} AND rolreplication",
    "pass by row level security": "SELECT rolname FROM {people} AND rolbypassrls",
    "act as another role": "SELECT rolname FROM {people} AND rolname NOT IN (current_user, 'tocsin_lever')",
    "change or drop what it owns": """
        SELECT c.oid::regclass::text FROM {relations} WHERE pg_has_role(current_user, c.relowner, 'MEMBER')
        UNION ALL SELECT nspname FROM pg_namespace n WHERE {outside} AND pg_has_role(current_user, nspowner, 'MEMBER')
        UNION ALL SELECT datname FROM pg_database WHERE pg_has_role(current_user, datdba, 'MEMBER')""",
    "read tables": """
        SELECT c.oid::regclass::text FROM {relations} WHERE {outside} AND
          (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'))""",
    "write tables": """
        SELECT c.oid::regclass::text FROM {relations} WHERE {outside} AND
          (has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
            OR has_any_column_privilege(c.oid, 'INSERT, UPDATE'))""",
    "make things in a schema": """
        SELECT nspname FROM pg_namespace n WHERE {outside} AND has_schema_privilege(n.oid, 'CREATE')
        UNION ALL SELECT datname FROM pg_database
          WHERE datname = current_database() AND has_database_privilege(oid, 'CREATE')""",
    "run functions with the rights of others": """
        SELECT p.oid::regprocedure::text FROM {functions} WHERE p.prosecdef AND {outside} AND n.nspname <> 'tocsin'
          AND has_schema_privilege(n.oid, 'USAGE') AND has_function_privilege(p.oid, 'EXECUTE')""",
    "run the functions that are for people": """
        SELECT p.oid::regprocedure::text FROM {functions} WHERE n.nspname = 'tocsin'
          AND p.proname NOT IN ('look', 'apply', 'end_sessions', 'unblock', 'undo')
          AND has_function_privilege(p.oid, 'EXECUTE')""",
}
"""What would be too much → the catalogs' rows that say so. A right of PUBLIC is the lever's too, and counts."""
COUNTED = """SELECT {what}, string_agg(x, ', ' ORDER BY x) FILTER (WHERE i <= {named}), count(*)
    FROM (SELECT x, row_number() OVER (ORDER BY x) AS i FROM ({question}) AS q(x)) AS r"""


async def beyond(door: Door) -> Beyond:
    """PostgresFault."""
    asked = sql.SQL(" UNION ALL ").join(
        sql.SQL(COUNTED).format(
            what=sql.Literal(what), named=sql.Literal(NAMED), question=sql.SQL(question).format(**PARTS)
        )
        for what, question in QUESTIONS.items()
    )
    may = []
    for what, named, many in await door.rows(asked):
        if many:
            more = f" and {many - NAMED} more" if many > NAMED else ""
            may.append(f"{what} ({str(named)[:200]}{more})")
    return Beyond(len(QUESTIONS), tuple(may))
