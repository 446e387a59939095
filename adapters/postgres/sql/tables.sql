-- What a node may close, what it did under which key, and what stood before.

CREATE TABLE IF NOT EXISTS tocsin.mandate (
  name text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,31}$'),
  lever text NOT NULL CHECK (lever IN ('revoke', 'nologin', 'read_only', 'credential')),
  held_by name NOT NULL,
  roles text[] CHECK (cardinality(roles) > 0),
  objects text[] CHECK (cardinality(objects) > 0),
  privileges text[] CHECK (cardinality(privileges) > 0),
  longest interval NOT NULL CHECK (longest > '0' AND longest <= '24 hours'),
  CHECK ((lever = 'revoke') = (privileges IS NOT NULL)),
  CHECK ((lever IN ('revoke', 'read_only')) = (objects IS NOT NULL)),
  CHECK (lever = 'read_only' OR roles IS NOT NULL),
  CHECK (lever NOT IN ('nologin', 'credential') OR cardinality(roles) = 1)
);
COMMENT ON TABLE tocsin.mandate IS 'what each node may close; written by people alone';

CREATE TABLE IF NOT EXISTS tocsin.doing (
  mandate text NOT NULL REFERENCES tocsin.mandate,
  action_key bytea NOT NULL CHECK (octet_length(action_key) = 32),
  by_human boolean NOT NULL,
  until_ms bigint NOT NULL,
  begun timestamptz NOT NULL DEFAULT now(),
  ended timestamptz,
  took integer NOT NULL,
  PRIMARY KEY (mandate, action_key)
);
COMMENT ON TABLE tocsin.doing IS 'every action under its key, for good: a key never acts twice';

CREATE TABLE IF NOT EXISTS tocsin.stood_acl (
  mandate text NOT NULL REFERENCES tocsin.mandate,
  action_key bytea NOT NULL,
  sort text NOT NULL,
  thing oid NOT NULL,
  name text NOT NULL,
  attnum int2 NOT NULL,
  grantor oid NOT NULL,
  grantee oid NOT NULL,
  privilege text NOT NULL,
  grantable boolean NOT NULL,
  by_owner boolean NOT NULL,
  PRIMARY KEY (sort, thing, attnum, grantor, grantee, privilege)
);
COMMENT ON TABLE tocsin.stood_acl IS 'grants that we took and will put back; one is in one hand only';

CREATE TABLE IF NOT EXISTS tocsin.stood_role (
  mandate text PRIMARY KEY REFERENCES tocsin.mandate,
  action_key bytea NOT NULL,
  lever text NOT NULL,
  role oid NOT NULL,
  can_login boolean NOT NULL,
  held_out boolean NOT NULL,
  verifier text,
  valid_until timestamptz,
  set_verifier text,
  set_valid_until timestamptz,
  row_version text NOT NULL,
  settled timestamptz
);
COMMENT ON TABLE tocsin.stood_role IS 'what a role was before us, its verifier too: nobody else may read this';


CREATE OR REPLACE FUNCTION tocsin._now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS $$
  SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

CREATE OR REPLACE FUNCTION tocsin._live(own text) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM tocsin.doing WHERE mandate = own AND ended IS NULL AND until_ms > tocsin._now_ms()) $$;
