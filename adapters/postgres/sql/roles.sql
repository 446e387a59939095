-- Closing a role, and its password.

-- A role's row tells by its version whether somebody else changed it since; what we change ourselves is no somebody.
CREATE OR REPLACE FUNCTION tocsin._alter(role oid, clause text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE before text;
BEGIN
  SELECT xmin::text INTO before FROM pg_authid WHERE oid = role FOR UPDATE;
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
  SELECT * INTO r FROM pg_authid WHERE oid = own FOR UPDATE;
  SELECT * INTO s FROM tocsin.stood_role WHERE mandate = m.name;
  IF s.role <> own THEN
    PERFORM tocsin._no(format('%s still holds another role closed: tocsin.lift(%L) first', m.name, m.name));
  END IF;
  IF tocsin._standing(m, key) = '' OR s.held_out THEN
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
  -- Whoever has a session of the role may set its password once more: it is kept out until its sessions have ended.
  IF m.lever = 'credential' AND r.rolcanlogin THEN
    clause := 'NOLOGIN ' || clause;
  END IF;
  -- a person changed the role since: what they set is what stood before this key
  DELETE FROM tocsin.stood_role WHERE mandate = m.name;
  PERFORM tocsin._alter(own, clause);
  INSERT INTO tocsin.stood_role SELECT m.name, key, m.lever, own, r.rolcanlogin,
    m.lever = 'credential' AND r.rolcanlogin, r.rolpassword, r.rolvaliduntil, rolpassword, rolvaliduntil, xmin::text
    FROM pg_authid WHERE oid = own;
  RETURN 1;
END $$;

-- The role's sessions are gone: what one of them did to it on its way out is no word of a person.
CREATE OR REPLACE FUNCTION tocsin._settle(m tocsin.mandate) RETURNS void LANGUAGE plpgsql AS $$
DECLARE r pg_authid; s tocsin.stood_role; version text;
BEGIN
  SELECT * INTO s FROM tocsin.stood_role WHERE mandate = m.name;
  SELECT * INTO r FROM pg_authid WHERE oid = s.role FOR UPDATE;
  version := (SELECT xmin::text FROM pg_authid WHERE oid = s.role);
  IF s.lever = 'nologin' AND r.rolpassword IS DISTINCT FROM s.verifier AND version <> s.row_version THEN
    UPDATE tocsin.stood_role SET verifier = r.rolpassword, row_version = version WHERE mandate = m.name;
  ELSIF s.held_out THEN
    PERFORM tocsin._ours_again(s);
    PERFORM tocsin._let_in(m);
    UPDATE tocsin.stood_role SET settled = clock_timestamp() WHERE mandate = m.name;
  END IF;
END $$;

-- A session that begins its login before the role is let in again knows an old password: it is not the honest one, and
-- what it set is not a person's.
CREATE OR REPLACE FUNCTION tocsin._hold_out(m tocsin.mandate) RETURNS void LANGUAGE plpgsql AS $$
DECLARE s tocsin.stood_role;
BEGIN
  UPDATE tocsin.stood_role SET held_out = true, settled = NULL
   WHERE mandate = m.name AND lever = 'credential' AND settled IS NOT NULL RETURNING * INTO s;
  IF FOUND THEN
    PERFORM tocsin._alter(s.role, 'NOLOGIN');
  END IF;
  SELECT * INTO s FROM tocsin.stood_role WHERE mandate = m.name AND held_out;
  IF FOUND THEN
    PERFORM tocsin._ours_again(s);
  END IF;
END $$;

CREATE OR REPLACE FUNCTION tocsin._ours_again(s tocsin.stood_role) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT rolpassword IS DISTINCT FROM s.set_verifier FROM pg_authid WHERE oid = s.role) THEN
    PERFORM tocsin._alter(s.role, CASE WHEN s.set_verifier IS NULL THEN 'PASSWORD NULL'
      ELSE format('PASSWORD %L', s.set_verifier) END);
  END IF;
END $$;

-- Lets a role log in that was kept out while its sessions ended, unless it is to be closed by another lever now.
CREATE OR REPLACE FUNCTION tocsin._let_in(m tocsin.mandate) RETURNS void LANGUAGE plpgsql AS $$
DECLARE s tocsin.stood_role; other tocsin.mandate; key bytea;
BEGIN
  UPDATE tocsin.stood_role SET held_out = false WHERE mandate = m.name RETURNING * INTO s;
  SELECT o.* INTO other FROM tocsin.mandate o WHERE o.lever = 'nologin' AND tocsin._live(o.name)
    AND s.role = ANY (tocsin._roles(o))
    AND NOT EXISTS (SELECT FROM tocsin.stood_role x WHERE x.mandate = o.name) LIMIT 1;
  IF other.name IS NULL THEN
    PERFORM tocsin._alter(s.role, 'LOGIN');
    RETURN;
  END IF;
  SELECT d.action_key INTO key FROM tocsin.doing d WHERE d.mandate = other.name AND d.ended IS NULL
    ORDER BY d.until_ms DESC LIMIT 1;
  INSERT INTO tocsin.stood_role SELECT other.name, key, 'nologin', oid, true, false, rolpassword, rolvaliduntil,
    rolpassword, rolvaliduntil, xmin::text FROM pg_authid WHERE oid = s.role;
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
  SELECT * INTO r FROM pg_authid WHERE oid = s.role FOR UPDATE;
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
    IF r.rolpassword IS DISTINCT FROM s.set_verifier AND NOT s.held_out THEN
      told := told || format('left alone: somebody set the password of %s meanwhile', name);
    ELSIF r.rolpassword IS DISTINCT FROM s.verifier THEN
      PERFORM tocsin._alter(s.role, CASE WHEN s.verifier IS NULL THEN 'PASSWORD NULL'
        ELSE format('PASSWORD %L', s.verifier) END);
      back := 1;
    END IF;
    IF s.held_out THEN
      PERFORM tocsin._let_in(m);
      back := 1;
    END IF;
    IF r.rolvaliduntil IS DISTINCT FROM s.set_valid_until THEN
      told := told || format('left alone: somebody moved the end of the password of %s meanwhile', name);
    ELSIF s.valid_until IS DISTINCT FROM s.set_valid_until THEN
      PERFORM tocsin._alter(s.role, format('VALID UNTIL %L', coalesce(s.valid_until, 'infinity')));
      IF s.valid_until IS NULL THEN  -- no statement says "no end", and "infinity" is not what stood
        UPDATE pg_authid SET rolvaliduntil = NULL WHERE oid = s.role;
      END IF;
      back := 1;
    END IF;
  END IF;
  DELETE FROM tocsin.stood_role WHERE mandate = m.name;
END $$;
