-- Which grants a mandate takes, and taking them.

CREATE OR REPLACE FUNCTION tocsin._no(says text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION USING ERRCODE = 'TOC01', MESSAGE = says; END $$;

CREATE OR REPLACE FUNCTION tocsin._who(role oid) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN role = 0 THEN 'PUBLIC' ELSE coalesce((SELECT quote_ident(rolname) FROM pg_roles WHERE oid = role),
    'a role that is gone') END $$;

CREATE OR REPLACE FUNCTION tocsin._roles(m tocsin.mandate) RETURNS oid[] LANGUAGE plpgsql STABLE AS $$
DECLARE word text; one record; ids oid[] := '{}';
BEGIN
  FOREACH word IN ARRAY coalesce(m.roles, '{}') LOOP
    IF word = 'public' AND m.objects IS NOT NULL THEN
      ids := ids || 0::oid;
      CONTINUE;
    END IF;
    SELECT oid, rolsuper, rolname INTO one FROM pg_roles WHERE oid = to_regrole(word);
    IF NOT FOUND THEN
      PERFORM tocsin._no(format('role %s is not there', word));
    ELSIF one.rolsuper THEN
      PERFORM tocsin._no(format('%s is a superuser, whom nothing binds', word));
    ELSIF one.rolname = session_user THEN
      PERFORM tocsin._no(format('%s is the role of this lever itself', word));
    END IF;
    ids := ids || one.oid;
  END LOOP;
  RETURN ids;
END $$;

CREATE OR REPLACE FUNCTION tocsin._things(m tocsin.mandate) RETURNS TABLE (sort text, thing oid, name text)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE word text; kind text; whole text; at oid; relation "char";
BEGIN
  FOREACH word IN ARRAY coalesce(m.objects, '{}') LOOP
    kind := split_part(word, ' ', 1);
    whole := substr(word, length(kind) + 2);
    IF kind = 'schema' THEN
      at := to_regnamespace(whole);
    ELSIF kind IN ('table', 'sequence') AND m.lever = 'revoke' THEN
      at := to_regclass(whole);
      SELECT relkind INTO relation FROM pg_class WHERE oid = at;
      at := CASE WHEN (kind = 'sequence') = (relation = 'S') AND relation IN ('r', 'p', 'v', 'm', 'f', 'S') THEN at END;
    ELSE
      at := NULL;
    END IF;
    IF at IS NULL THEN
      PERFORM tocsin._no(format('%s is not there; things are named like "table app.orders" or "schema app"', word));
    END IF;
    RETURN QUERY SELECT kind, at, CASE kind WHEN 'schema' THEN at::regnamespace::text ELSE at::regclass::text END;
    IF m.lever = 'read_only' THEN
      RETURN QUERY SELECT CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, oid, oid::regclass::text
        FROM pg_class WHERE relnamespace = at AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S');
    END IF;
  END LOOP;
END $$;

-- a trigger runs with the rights of who writes, so that making one is writing
CREATE OR REPLACE FUNCTION tocsin._privileges(m tocsin.mandate, sort text) RETURNS SETOF text LANGUAGE sql STABLE AS $$
  SELECT unnest(CASE sort WHEN 'schema' THEN '{CREATE,USAGE}'::text[] WHEN 'sequence' THEN '{USAGE,SELECT,UPDATE}'
    ELSE '{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}' END)
  INTERSECT SELECT unnest(CASE WHEN m.lever = 'revoke' THEN m.privileges WHEN sort = 'schema' THEN '{CREATE}'
    WHEN sort = 'sequence' THEN '{USAGE,UPDATE}' ELSE '{INSERT,UPDATE,DELETE,TRUNCATE,TRIGGER}' END) $$;

-- without grants of its own a thing has its owner's alone, which are never taken
CREATE OR REPLACE FUNCTION tocsin._acl(sort text, thing oid, name text) RETURNS SETOF tocsin.item
LANGUAGE sql STABLE AS $$
  SELECT sort, thing, name, 0::int2, x.grantor, x.grantee, x.privilege_type, x.is_grantable, c.relowner
    FROM pg_class c, aclexplode(c.relacl) x WHERE sort <> 'schema' AND c.oid = thing
  UNION ALL
  SELECT sort, thing, name, a.attnum, x.grantor, x.grantee, x.privilege_type, x.is_grantable, c.relowner
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid, aclexplode(a.attacl) x
   WHERE sort <> 'schema' AND a.attrelid = thing AND NOT a.attisdropped
  UNION ALL
  SELECT sort, thing, name, 0::int2, x.grantor, x.grantee, x.privilege_type, x.is_grantable, n.nspowner
    FROM pg_namespace n, aclexplode(n.nspacl) x WHERE sort = 'schema' AND n.oid = thing $$;

CREATE OR REPLACE FUNCTION tocsin._all(m tocsin.mandate) RETURNS SETOF tocsin.item LANGUAGE sql STABLE AS $$
  SELECT a.* FROM tocsin._things(m) t, LATERAL tocsin._acl(t.sort, t.thing, t.name) a $$;

CREATE OR REPLACE FUNCTION tocsin._chosen(m tocsin.mandate) RETURNS SETOF tocsin.item LANGUAGE sql STABLE AS $$
  WITH meant AS MATERIALIZED (SELECT tocsin._roles(m) AS ids),
    wanted AS MATERIALIZED (SELECT s AS sort, tocsin._privileges(m, s) AS privilege
      FROM unnest('{table,sequence,schema}'::text[]) s)
  SELECT a.* FROM meant, tocsin._all(m) a JOIN wanted w ON (w.sort, w.privilege) = (a.sort, a.privilege)
   WHERE a.grantee <> a.owner AND (m.roles IS NULL OR a.grantee = ANY (meant.ids)) $$;

-- whether that role itself, not by another one, may do it
CREATE OR REPLACE FUNCTION tocsin._has(role oid, sort text, thing oid, privilege text) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT CASE sort WHEN 'schema' THEN has_schema_privilege(role, thing, privilege)
    WHEN 'sequence' THEN has_sequence_privilege(role, thing, privilege)
    ELSE has_table_privilege(role, thing, privilege) OR (privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
      AND has_any_column_privilege(role, thing, privilege)) END $$;

-- what is not closed in effect: by a grant, by PUBLIC, or by a role that it may become
CREATE OR REPLACE FUNCTION tocsin._open(m tocsin.mandate) RETURNS SETOF text LANGUAGE sql STABLE AS $$
  WITH become AS MATERIALIZED (SELECT r, g.oid AS g, g.rolname FROM unnest(tocsin._roles(m)) r, pg_roles g
    WHERE r <> 0 AND pg_has_role(r, g.oid, 'MEMBER'))
  SELECT format('%s still may %s on %s', tocsin._who(a.grantee), a.privilege, a.name) FROM tocsin._chosen(m) a
  UNION
  SELECT format('%s still may %s on %s (%s)', tocsin._who(r), p, t.name,
      CASE WHEN g = r THEN 'by PUBLIC, or as its owner' ELSE 'as a member of ' || quote_ident(rolname) END)
    FROM tocsin._things(m) t, LATERAL tocsin._privileges(m, t.sort) p, become
   WHERE tocsin._has(g, t.sort, t.thing, p)
  UNION
  SELECT format('%s makes roles, and may give itself any', quote_ident(rolname)) FROM pg_roles
   WHERE rolcreaterole AND oid = ANY (tocsin._roles(m)) AND m.objects IS NOT NULL $$;

-- A grant bears the name of who gave it, and nobody but they can give or take it: not even a superuser, who acts as the
-- owner. So the one statement is run by a function of theirs that nobody else ever sees.
CREATE OR REPLACE FUNCTION tocsin._as(who oid, owner oid, statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF who = owner THEN
    EXECUTE statement;
    RETURN;
  END IF;
  EXECUTE format('CREATE FUNCTION tocsin._step() RETURNS void LANGUAGE plpgsql SECURITY DEFINER '
    'SET search_path = pg_catalog, pg_temp AS %L', 'BEGIN ' || statement || '; END');
  EXECUTE format('ALTER FUNCTION tocsin._step() OWNER TO %s', tocsin._who(who));
  EXECUTE 'SELECT tocsin._step()';
  DROP FUNCTION tocsin._step();
END $$;

CREATE OR REPLACE FUNCTION tocsin._clause(sort text, thing oid, name text, attnum int2, privilege text) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT format('%s%s ON %s %s', privilege, coalesce((SELECT format(' (%I)', attname) FROM pg_attribute a
    WHERE a.attrelid = thing AND a.attnum = _clause.attnum AND _clause.attnum > 0), ''), upper(sort), name) $$;

-- Of two who change one row of a catalog at once, the second fails: an attacker who grants and revokes in a loop would
-- win for ever. Who has locked the row first waits for them, and is not failed.
CREATE OR REPLACE FUNCTION tocsin._lock(things oid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM pg_namespace n WHERE n.oid = ANY (things) ORDER BY n.oid FOR UPDATE;
  PERFORM FROM pg_class c WHERE c.oid = ANY (things) ORDER BY c.oid FOR UPDATE;
  PERFORM FROM pg_attribute a WHERE a.attrelid = ANY (things) AND a.attnum > 0 ORDER BY a.attrelid, a.attnum FOR UPDATE;
END $$;

-- What hangs on grants that are taken: whoever passed a right on could else keep it. The server takes most of it along,
-- but not what was passed on of single columns.
CREATE OR REPLACE FUNCTION tocsin._hanging(taken tocsin.item[], every tocsin.item[]) RETURNS SETOF tocsin.item
LANGUAGE sql STABLE AS $$
  WITH t AS MATERIALIZED (SELECT * FROM unnest(taken)),
    kept AS MATERIALIZED (SELECT * FROM unnest(every) EXCEPT SELECT * FROM t)
  SELECT i.* FROM kept i WHERE i.grantor <> i.owner
     AND EXISTS (SELECT FROM t j
       WHERE (j.sort, j.thing, j.privilege, j.grantee) = (i.sort, i.thing, i.privilege, i.grantor)
       AND j.grantable AND j.attnum IN (0, i.attnum))
     AND NOT EXISTS (SELECT FROM kept j
       WHERE (j.sort, j.thing, j.privilege, j.grantee) = (i.sort, i.thing, i.privilege, i.grantor)
       AND j.grantable AND j.attnum IN (0, i.attnum)) $$;

CREATE OR REPLACE FUNCTION tocsin._take(m tocsin.mandate, key bytea) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE before tocsin.item[]; taken tocsin.item[]; more tocsin.item[]; one tocsin.item; took integer;
BEGIN
  PERFORM tocsin._lock(ARRAY(SELECT t.thing FROM tocsin._things(m) t));
  before := ARRAY(SELECT a FROM tocsin._all(m) a);
  taken := ARRAY(SELECT c FROM tocsin._chosen(m) c);
  LOOP
    more := ARRAY(SELECT h FROM tocsin._hanging(taken, before) h);
    EXIT WHEN cardinality(more) = 0;
    taken := taken || more;
  END LOOP;
  -- who gave a right on a column can take it only while they have it themselves, and names a thing only while they may
  FOR one IN SELECT * FROM unnest(taken) t ORDER BY t.sort = 'schema', t.attnum = 0, t.grantor LOOP
    IF EXISTS (SELECT FROM tocsin._acl(one.sort, one.thing, one.name) a WHERE a = one) THEN
      BEGIN
        PERFORM tocsin._as(one.grantor, one.owner, format('REVOKE %s FROM %s CASCADE',
          tocsin._clause(one.sort, one.thing, one.name, one.attnum, one.privilege), tocsin._who(one.grantee)));
      EXCEPTION WHEN insufficient_privilege THEN
        NULL;  -- what it leaves open is found and named by whoever called us
      END;
    END IF;
  END LOOP;
  INSERT INTO tocsin.stood_acl SELECT m.name, key, b.sort, b.thing, b.name, b.attnum, b.grantor, b.grantee, b.privilege,
      b.grantable, b.grantor = b.owner
    FROM (SELECT * FROM unnest(before) EXCEPT SELECT * FROM tocsin._all(m)) b
    ON CONFLICT (sort, thing, attnum, grantor, grantee, privilege) DO UPDATE SET grantable = excluded.grantable;
  GET DIAGNOSTICS took = ROW_COUNT;
  RETURN took;
END $$;
