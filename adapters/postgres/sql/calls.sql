-- What a node may call, and what people may.

CREATE OR REPLACE FUNCTION tocsin._mandate(own text) RETURNS tocsin.mandate LANGUAGE plpgsql STABLE AS $$
DECLARE m tocsin.mandate;
BEGIN
  SELECT * INTO m FROM tocsin.mandate o WHERE o.name = own AND o.held_by = session_user;
  IF NOT FOUND THEN
    PERFORM tocsin._no(format('%s holds no mandate %s here: a row of tocsin.mandate gives it', session_user, own));
  END IF;
  RETURN m;
END $$;

CREATE OR REPLACE FUNCTION tocsin._still(m tocsin.mandate, key bytea) RETURNS text[] LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN m.objects IS NULL THEN array_remove(ARRAY[tocsin._standing(m, key)], '')
    ELSE ARRAY(SELECT o FROM tocsin._open(m) o ORDER BY o LIMIT 20) END $$;

-- Those that a closed role should not have: all of them, but under a new password those alone that knew an old one.
CREATE OR REPLACE FUNCTION tocsin._sessions(m tocsin.mandate) RETURNS SETOF integer LANGUAGE sql VOLATILE AS $$
  SELECT a.pid FROM pg_stat_get_activity(NULL) a LEFT JOIN tocsin.stood_role s ON s.mandate = m.name
   WHERE m.objects IS NULL AND a.usesysid = ANY (tocsin._roles(m)) AND a.pid <> pg_backend_pid()
     AND (m.lever = 'nologin' OR s.held_out OR a.backend_start < s.settled) $$;

-- one look: whether it is closed, what is open, what would be taken, what stands under this key
CREATE OR REPLACE FUNCTION tocsin.look(own text, key bytea) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE m tocsin.mandate := tocsin._mandate(own); d tocsin.doing; still text[] := tocsin._still(m, key);
BEGIN
  IF EXISTS (SELECT FROM tocsin.stood_role WHERE mandate = own AND held_out) THEN
    still := still || 'the role is kept out, its sessions are still to be ended'::text;
  END IF;
  SELECT * INTO d FROM tocsin.doing o WHERE o.mandate = own AND o.action_key = key;
  RETURN jsonb_build_object('v', 1, 'lever', m.lever, 'open', still,
    'sessions', (SELECT count(*) FROM tocsin._sessions(m)),
    'roles', coalesce(to_jsonb(m.roles), '["everybody but the owners"]'), 'objects', to_jsonb(m.objects),
    'privileges', to_jsonb(m.privileges), 'longest_ms', (extract(epoch FROM m.longest) * 1000)::bigint,
    'ours', EXISTS (SELECT FROM tocsin.stood_acl WHERE mandate = own) OR
      EXISTS (SELECT FROM tocsin.stood_role WHERE mandate = own),
    'held_out', EXISTS (SELECT FROM tocsin.stood_role WHERE mandate = own AND held_out),
    'until_ms', coalesce(d.until_ms, 0), 'ended', d.ended IS NOT NULL, 'took', coalesce(d.took, 0),
    'by_human', coalesce(d.by_human, false));
END $$;

CREATE OR REPLACE FUNCTION tocsin.apply(own text, key bytea, until_ms bigint, by_human boolean, fresh text)
RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE m tocsin.mandate := tocsin._mandate(own); d tocsin.doing; took integer := 0; still text[]; now_ms bigint;
BEGIN
  LOCK TABLE tocsin.doing IN EXCLUSIVE MODE;
  now_ms := tocsin._now_ms();
  SELECT * INTO d FROM tocsin.doing o WHERE o.mandate = own AND o.action_key = key;
  IF d.ended IS NOT NULL THEN
    RETURN jsonb_build_object('v', 1, 'did', 'ended', 'took', 0);
  ELSIF d.until_ms >= until_ms THEN
    RETURN jsonb_build_object('v', 1, 'did', 'before', 'took', 0);
  ELSIF until_ms <= now_ms THEN
    PERFORM tocsin._no(format('its end is %s ms ago', now_ms - until_ms));
  ELSIF until_ms > now_ms + 120000 + extract(epoch FROM m.longest) * 1000 THEN
    PERFORM tocsin._no(format('asked for longer than the %s of the mandate %s: shorten it', m.longest, own));
  END IF;
  took := CASE WHEN m.objects IS NULL THEN tocsin._take_role(m, key, fresh) ELSE tocsin._take(m, key) END;
  still := tocsin._still(m, key);
  IF cardinality(still) > 0 THEN
    PERFORM tocsin._no('it would not close: ' || array_to_string(still[1:5], '; '));
  END IF;
  INSERT INTO tocsin.doing AS o VALUES (own, key, by_human, until_ms, now(), NULL, took)
    ON CONFLICT (mandate, action_key) DO UPDATE SET until_ms = excluded.until_ms, took = o.took + excluded.took;
  RETURN jsonb_build_object('v', 1, 'did', CASE WHEN took > 0 THEN 'took' ELSE 'stood' END, 'took', took);
END $$;

-- Ends the role's sessions while our restriction stands, and says how many there were. `settle` comes after looks that
-- found none, since a login may have been under way: where there is none, a role that was kept out is let in again.
CREATE OR REPLACE FUNCTION tocsin.end_sessions(own text, settle boolean) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE m tocsin.mandate := tocsin._mandate(own); those integer[];
BEGIN
  LOCK TABLE tocsin.doing IN EXCLUSIVE MODE;
  those := ARRAY(SELECT tocsin._sessions(m));
  IF m.objects IS NOT NULL OR NOT tocsin._live(own)
      OR (m.lever = 'nologin' AND cardinality(tocsin._still(m, NULL)) > 0) THEN
    RETURN 0;
  END IF;
  -- ended first: one of them may hold the role's row in an open transaction
  PERFORM pg_terminate_backend(pid) FROM unnest(those) pid;
  IF cardinality(those) > 0 OR NOT settle THEN
    PERFORM tocsin._hold_out(m) WHERE cardinality(those) > 0 OR EXISTS (SELECT FROM tocsin.stood_role
      WHERE mandate = own AND held_out);
  ELSE
    PERFORM tocsin._settle(m);
  END IF;
  RETURN cardinality(those);
END $$;

-- Whoever holds an open transaction on what is to be changed makes it wait: any role can, by setting its own password.
-- They are ended where the mandate closes them; an owner, a superuser and another lever are waited for.
CREATE OR REPLACE FUNCTION tocsin.unblock(own text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE m tocsin.mandate := tocsin._mandate(own); roles oid[] := tocsin._roles(m); owners oid[]; those integer[];
BEGIN
  owners := ARRAY(SELECT DISTINCT owner FROM tocsin._all(m));
  those := ARRAY(SELECT DISTINCT unnest(pg_blocking_pids(a.pid)) FROM pg_stat_get_activity(NULL) a
    WHERE a.usesysid = (SELECT oid FROM pg_roles WHERE rolname = session_user) AND a.wait_event_type = 'Lock');
  -- who is ended is settled first: a condition that ends somebody may be asked before the others
  those := ARRAY(SELECT h.pid FROM pg_stat_get_activity(NULL) h JOIN pg_roles r ON r.oid = h.usesysid
    WHERE h.pid = ANY (those) AND NOT r.rolsuper AND NOT pg_has_role(r.oid, 'tocsin_lever', 'MEMBER')
      AND CASE WHEN m.objects IS NULL THEN r.oid = ANY (roles)
        ELSE NOT EXISTS (SELECT FROM unnest(owners) o WHERE pg_has_role(r.oid, o, 'MEMBER')) END);
  PERFORM pg_terminate_backend(pid) FROM unnest(those) pid;
  RETURN cardinality(those);
END $$;

CREATE OR REPLACE FUNCTION tocsin._undo(m tocsin.mandate) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE back integer; told text[]; whole boolean;
BEGIN
  IF m.objects IS NULL THEN
    SELECT * INTO back, told, whole FROM tocsin._give_role(m);
  ELSE
    SELECT * INTO back, told, whole FROM tocsin._give_back(m);
  END IF;
  UPDATE tocsin.doing SET ended = now() WHERE mandate = m.name AND ended IS NULL;
  RETURN jsonb_build_object('v', 1, 'back', back, 'told', to_jsonb(told[1:20]), 'whole', whole);
END $$;

-- Ended under this key for good, also where an apply that was given up for lost comes only now.
CREATE OR REPLACE FUNCTION tocsin.undo(own text, key bytea, by_human boolean) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE m tocsin.mandate := tocsin._mandate(own);
BEGIN
  LOCK TABLE tocsin.doing IN EXCLUSIVE MODE;
  INSERT INTO tocsin.doing VALUES (own, key, by_human, 0, now(), now(), 0) ON CONFLICT DO NOTHING;
  RETURN tocsin._undo(m);
END $$;

CREATE OR REPLACE FUNCTION tocsin.lift(own text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE m tocsin.mandate;
BEGIN
  LOCK TABLE tocsin.doing IN EXCLUSIVE MODE;
  SELECT * INTO STRICT m FROM tocsin.mandate WHERE name = own;
  RETURN tocsin._undo(m);
END $$;

CREATE OR REPLACE FUNCTION tocsin.forget(own text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  LOCK TABLE tocsin.doing IN EXCLUSIVE MODE;
  DELETE FROM tocsin.stood_acl WHERE mandate = own;
  DELETE FROM tocsin.stood_role WHERE mandate = own;
  UPDATE tocsin.doing SET ended = now() WHERE mandate = own AND ended IS NULL;
END $$;

CREATE OR REPLACE FUNCTION tocsin.lapse() RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE m tocsin.mandate; told jsonb := '{}';
BEGIN
  LOCK TABLE tocsin.doing IN EXCLUSIVE MODE;
  FOR m IN SELECT * FROM tocsin.mandate o WHERE NOT tocsin._live(o.name)
      AND EXISTS (SELECT FROM tocsin.doing d WHERE d.mandate = o.name AND d.ended IS NULL) LOOP
    told := told || jsonb_build_object(m.name, tocsin._undo(m));
  END LOOP;
  RETURN told;
END $$;
