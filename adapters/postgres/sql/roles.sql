-- Closing a role, and its password.

-- A role's row tells by its version whether somebody else changed it since; what we change ourselves is no somebody.
CREATE OR REPLACE FUNCTION tocsin._alter(role oid, clause text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE before text := (SELECT xmin::text FROM pg_authid WHERE oid = role);
BEGIN
  EXECUTE format('ALTER ROLE %s %s', tocsin._who(role), clause);
  UPDATE tocsin.stood_role s SET row_version = (SELECT xmin::text FROM pg_authid WHERE oid = s.role)
   WHERE s.role = _alter.role AND s.row_version = before;
END $$;

-- "" where it is closed. A password that somebody set after us closes the old one for the key that acted before it, and
-- for no other: who alarms now may mean the new one.
CREATE OR REPLACE FUNCTION tocsin._standing(m tocsin.mandate, key bytea) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE r pg_authid; s tocsin.stood_role; own oid := (tocsin._roles(m))[1];
BEGIN
  SELECT * INTO r FROM pg_authid WHERE oid = own;
  SELECT * INTO s FROM tocsin.stood_role WHERE mandate = m.name AND role = own;
  IF m.lever = 'nologin' THEN
    RETURN CASE WHEN r.rolcanlogin THEN format('%s may log in', quote_ident(r.rolname)) ELSE '' END;
  ELSIF r.rolvaliduntil < clock_timestamp() OR NOT r.rolcanlogin THEN
    RETURN '';
  ELSIF s.mandate IS NULL OR r.rolpassword IS NOT DISTINCT FROM s.verifier THEN
    RETURN format('the password of %s is the one of before', quote_ident(r.rolname));
  ELSIF r.rolpassword IS DISTINCT FROM s.set_verifier AND NOT EXISTS (SELECT FROM tocsin.doing d
      WHERE d.mandate = m.name AND d.action_key = key AND d.ended IS NULL) THEN
    RETURN format('somebody set the password of %s since', quote_ident(r.rolname));
  END IF;
  RETURN '';
END $$;

CREATE OR REPLACE FUNCTION tocsin._take_role(m tocsin.mandate, key bytea, fresh text) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE r pg_authid; s tocsin.stood_role; own oid := (tocsin._roles(m))[1]; clause text;
BEGIN
  SELECT * INTO r FROM pg_authid WHERE oid = own;
  SELECT * INTO s FROM tocsin.stood_role WHERE mandate = m.name;
  IF s.role <> own THEN
    PERFORM tocsin._no(format('%s still holds another role closed: tocsin.lift(%L) first', m.name, m.name));
  END IF;
  IF tocsin._standing(m, key) = '' THEN
    RETURN 0;
  ELSIF m.lever = 'credential' AND r.rolpassword IS NULL THEN
    PERFORM tocsin._no(format('%s has no password: it comes in by something else', quote_ident(r.rolname)));
  ELSIF m.lever = 'nologin' THEN
    clause := 'NOLOGIN';
  ELSIF fresh IS NULL THEN
    clause := $c$VALID UNTIL '-infinity'$c$;
  ELSIF fresh !~ '^SCRAM-SHA-256\$[0-9]+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$' THEN
    PERFORM tocsin._no('a SCRAM verifier is expected, never a password');
  ELSE
    clause := format('PASSWORD %L', fresh);
  END IF;
  -- a person changed the role since: what they set is what stood before this key
  DELETE FROM tocsin.stood_role WHERE mandate = m.name;
  PERFORM tocsin._alter(own, clause);
  INSERT INTO tocsin.stood_role SELECT m.name, key, m.lever, own, r.rolcanlogin, r.rolpassword, r.rolvaliduntil,
    rolpassword, rolvaliduntil, xmin::text FROM pg_authid WHERE oid = own;
  RETURN 1;
END $$;

CREATE OR REPLACE FUNCTION tocsin._give_role(m tocsin.mandate, OUT back integer, OUT told text[], OUT whole boolean)
LANGUAGE plpgsql AS $$
DECLARE r pg_authid; version text; s tocsin.stood_role; other text; name text;
BEGIN
  back := 0; told := '{}'; whole := true;
  SELECT * INTO s FROM tocsin.stood_role WHERE mandate = m.name;
  IF NOT FOUND THEN RETURN; END IF;
  SELECT o.name INTO other FROM tocsin.mandate o WHERE o.name <> m.name AND o.lever = s.lever AND tocsin._live(o.name)
    AND s.role = ANY (tocsin._roles(o)) AND NOT EXISTS (SELECT FROM tocsin.stood_role x WHERE x.mandate = o.name)
    LIMIT 1;
  IF other IS NOT NULL THEN
    UPDATE tocsin.stood_role SET mandate = other WHERE mandate = m.name;
    told := ARRAY[format('it stays closed by the mandate %s', other)];
    RETURN;
  END IF;
  SELECT * INTO r FROM pg_authid WHERE oid = s.role;
  version := (SELECT xmin::text FROM pg_authid WHERE oid = s.role);
  name := quote_ident(r.rolname);
  IF r.oid IS NULL THEN
    told := ARRAY['left alone: the role was dropped meanwhile'];
  ELSIF s.lever = 'nologin' AND r.rolcanlogin THEN
    told := ARRAY[format('left alone: somebody let %s log in meanwhile', name)];
  ELSIF s.lever = 'nologin' AND version <> s.row_version THEN
    told := ARRAY[format('somebody changed the role %s meanwhile, and may want it closed: look, then by hand '
      'ALTER ROLE %s LOGIN and tocsin.forget(%L)', name, name, m.name)];
    whole := false;
    RETURN;
  ELSIF s.lever = 'nologin' THEN
    PERFORM tocsin._alter(s.role, 'LOGIN');
    back := 1;
  ELSE
    IF r.rolpassword IS DISTINCT FROM s.set_verifier THEN
      told := told || format('left alone: somebody set the password of %s meanwhile', name);
    ELSIF s.verifier IS DISTINCT FROM s.set_verifier THEN
      PERFORM tocsin._alter(s.role, CASE WHEN s.verifier IS NULL THEN 'PASSWORD NULL'
        ELSE format('PASSWORD %L', s.verifier) END);
      back := 1;
    END IF;
    IF r.rolvaliduntil IS DISTINCT FROM s.set_valid_until THEN
      told := told || format('left alone: somebody moved the end of the password of %s meanwhile', name);
    ELSIF s.valid_until IS DISTINCT FROM s.set_valid_until THEN
      PERFORM tocsin._alter(s.role, format('VALID UNTIL %L', coalesce(s.valid_until, 'infinity')));
      back := 1;
    END IF;
  END IF;
  DELETE FROM tocsin.stood_role WHERE mandate = m.name;
END $$;
