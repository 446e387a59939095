-- Putting grants back, each as who gave it; what somebody changed meanwhile is left alone and told.

-- another mandate that stands now and would have taken this too: it goes into that hand, and stays closed
CREATE OR REPLACE FUNCTION tocsin._other(own text, s tocsin.stood_acl) RETURNS text LANGUAGE plpgsql AS $$
DECLARE m tocsin.mandate; owner oid; held text;
BEGIN
  owner := CASE s.sort WHEN 'schema' THEN (SELECT nspowner FROM pg_namespace WHERE oid = s.thing)
    ELSE (SELECT relowner FROM pg_class WHERE oid = s.thing) END;
  FOR m IN SELECT * FROM tocsin.mandate o WHERE o.name <> own AND o.objects IS NOT NULL AND tocsin._live(o.name)
      ORDER BY o.name LOOP
    IF s.privilege IN (SELECT tocsin._privileges(m, s.sort)) AND s.grantee <> owner
        AND (m.roles IS NULL OR s.grantee = ANY (tocsin._roles(m)))
        AND EXISTS (SELECT FROM tocsin._things(m) t WHERE (t.sort, t.thing) = (s.sort, s.thing)) THEN
      RETURN m.name;
    END IF;
  END LOOP;
  -- what was passed on cannot stand while that on which it hangs is in another hand
  SELECT o.mandate INTO held FROM tocsin.stood_acl o WHERE o.mandate <> own AND (o.sort, o.thing) = (s.sort, s.thing)
    AND o.privilege = s.privilege AND o.grantee = s.grantor AND o.grantable LIMIT 1;
  RETURN held;
END $$;

-- "" where it stands again as it was, else why it does not; what starts with "left alone" is at its end, the rest waits
CREATE OR REPLACE FUNCTION tocsin._give(s tocsin.stood_acl) RETURNS text LANGUAGE plpgsql AS $$
DECLARE owner oid; what text; giver oid;
BEGIN
  what := format('%s on %s for %s', s.privilege, s.name, tocsin._who(s.grantee));
  owner := CASE s.sort WHEN 'schema' THEN (SELECT nspowner FROM pg_namespace WHERE oid = s.thing)
    ELSE (SELECT relowner FROM pg_class WHERE oid = s.thing) END;
  IF owner IS NULL OR (s.attnum > 0 AND NOT EXISTS (SELECT FROM pg_attribute a
      WHERE a.attrelid = s.thing AND a.attnum = s.attnum AND NOT a.attisdropped)) THEN
    RETURN format('left alone: %s was dropped meanwhile', s.name);
  ELSIF s.grantee <> 0 AND NOT EXISTS (SELECT FROM pg_roles WHERE oid = s.grantee) THEN
    RETURN format('left alone: who had %s on %s was dropped meanwhile', s.privilege, s.name);
  END IF;
  s.name := CASE s.sort WHEN 'schema' THEN s.thing::regnamespace::text ELSE s.thing::regclass::text END;
  giver := CASE WHEN s.by_owner THEN owner ELSE s.grantor END;
  IF EXISTS (SELECT FROM tocsin._acl(s.sort, s.thing, s.name) a
      WHERE (a.attnum, a.grantor, a.grantee, a.privilege) = (s.attnum, giver, s.grantee, s.privilege)) THEN
    RETURN format('left alone: somebody granted %s meanwhile', what);
  END IF;
  BEGIN
    PERFORM tocsin._as(giver, owner, format('GRANT %s TO %s%s', tocsin._clause(s.sort, s.thing, s.name, s.attnum,
      s.privilege), tocsin._who(s.grantee), CASE WHEN s.grantable THEN ' WITH GRANT OPTION' ELSE '' END));
  EXCEPTION WHEN lock_not_available OR query_canceled OR deadlock_detected OR serialization_failure THEN RAISE;
    WHEN OTHERS THEN
      RETURN format('%s is not back, as %s gave it: %s', what, tocsin._who(giver), SQLERRM);
  END;
  IF NOT EXISTS (SELECT FROM tocsin._acl(s.sort, s.thing, s.name) a WHERE (a.attnum, a.grantor, a.grantee, a.privilege,
      a.grantable) = (s.attnum, giver, s.grantee, s.privilege, s.grantable)) THEN
    RETURN format('%s is not back as %s gave it', what, tocsin._who(giver));
  END IF;
  RETURN CASE WHEN giver <> s.grantor THEN format('left alone: %s has another owner now, who gives %s', s.name, what)
    ELSE '' END;
END $$;

CREATE OR REPLACE FUNCTION tocsin._give_back(m tocsin.mandate, OUT back integer, OUT told text[], OUT whole boolean)
LANGUAGE plpgsql AS $$
DECLARE s tocsin.stood_acl; other text; said text; moved boolean := true;
BEGIN
  back := 0; told := '{}';
  PERFORM tocsin._lock(ARRAY(SELECT thing FROM tocsin.stood_acl WHERE mandate = m.name));
  WHILE moved LOOP  -- a grant that hangs on another one comes after it
    moved := false;
    FOR s IN SELECT * FROM tocsin.stood_acl WHERE mandate = m.name
        ORDER BY sort <> 'schema', NOT by_owner, attnum, grantor, grantee, privilege LOOP
      other := tocsin._other(m.name, s);
      said := CASE WHEN other IS NULL THEN tocsin._give(s) ELSE '' END;
      CONTINUE WHEN said <> '' AND said NOT LIKE 'left alone%';
      moved := true;
      IF other IS NOT NULL THEN
        UPDATE tocsin.stood_acl o SET mandate = other WHERE o = s;
        told := told || format('%s on %s stays closed by the mandate %s', s.privilege, s.name, other);
      ELSE
        DELETE FROM tocsin.stood_acl o WHERE o = s;
        back := back + (said = '')::int;
        told := told || CASE WHEN said = '' THEN '{}'::text[] ELSE ARRAY[said] END;
      END IF;
    END LOOP;
  END LOOP;
  told := told || ARRAY(SELECT tocsin._give(o) FROM tocsin.stood_acl o WHERE o.mandate = m.name LIMIT 5);
  whole := NOT EXISTS (SELECT FROM tocsin.stood_acl WHERE mandate = m.name);
END $$;
