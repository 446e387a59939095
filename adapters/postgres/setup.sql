-- What a node's lever needs in a database (PostgreSQL 14 or later): run once by a superuser, in the database whose
-- things are to be closed: `psql -1 -v ON_ERROR_STOP=1 -d shop -f setup.sql`. Run again, it keeps the journal.
--
-- Then, for each node and each lever:
--   CREATE ROLE tocsin_node LOGIN PASSWORD '…';        -- no other right, and no other membership
--   GRANT tocsin_lever TO tocsin_node;                 -- it may call five functions, and nothing else
--   INSERT INTO tocsin.mandate (name, lever, held_by, roles, objects, privileges, longest) VALUES
--     ('orders',  'revoke',     'tocsin_node', '{app}', '{table app.orders,schema app}', '{INSERT,UPDATE}', '6 hours'),
--     ('app',     'nologin',    'tocsin_node', '{app}', NULL,                            NULL,              '1 hour'),
--     ('frozen',  'read_only',  'tocsin_node', NULL,    '{schema app}',                  NULL,              '6 hours'),
--     ('app-key', 'credential', 'tocsin_node', '{app}', NULL,                            NULL,              '6 hours');
--
-- The functions run as whoever runs this script, since only a superuser reads a verifier and may put a grant back for
-- the one who gave it. What a node may do is a row of tocsin.mandate and no more: its credential, stolen, pulls those
-- levers for at most `longest` and reads no data. Names in `roles` and `objects` are written as in SQL, with a schema.
--
-- For people: tocsin.lift('orders') puts back now, tocsin.forget('orders') leaves all as it is and ends our part in it,
-- tocsin.lapse() puts back what is overdue (for a scheduler, where a node may be asleep).

DO $$ BEGIN
  IF NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
    RAISE EXCEPTION 'run this as a superuser';
  END IF;
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'tocsin_lever') THEN
    CREATE ROLE tocsin_lever NOLOGIN;
  END IF;
END $$;

CREATE SCHEMA IF NOT EXISTS tocsin;

DO $$ BEGIN
  -- a schema that somebody else made first would hold their tables under our functions
  IF (SELECT nspowner::pg_catalog.regrole::text <> pg_catalog.quote_ident(current_user)
        FROM pg_catalog.pg_namespace WHERE nspname = 'tocsin') THEN
    RAISE EXCEPTION 'the schema tocsin belongs to somebody else: look at it, and drop it';
  END IF;
  IF pg_catalog.to_regtype('tocsin.item') IS NULL THEN
    CREATE TYPE tocsin.item AS (sort text, thing oid, name text, attnum int2, grantor oid, grantee oid,
      privilege text, grantable boolean, owner oid);
  END IF;
END $$;

SET LOCAL search_path = pg_catalog, pg_temp;

\ir sql/tables.sql
\ir sql/grants.sql
\ir sql/put_back.sql
\ir sql/roles.sql
\ir sql/calls.sql

REVOKE ALL ON SCHEMA tocsin FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA tocsin FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tocsin FROM PUBLIC;
GRANT USAGE ON SCHEMA tocsin TO tocsin_lever;
GRANT EXECUTE ON FUNCTION tocsin.look(text, bytea), tocsin.apply(text, bytea, bigint, boolean, text),
  tocsin.end_sessions(text, boolean), tocsin.unblock(text), tocsin.undo(text, bytea, boolean) TO tocsin_lever;
