-- Failed tries with a login that is somebody's are counted with their account.
-- `attempts` counts those with logins that are nobody's; in it, `until` is when
-- the last one was.
SET LOCAL search_path = meantime, pg_temp;

ALTER TABLE account ADD COLUMN failures bigint NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN failed_at timestamptz NOT NULL DEFAULT 'epoch';

-- Of the teams that have a listener in the asking process, those whose access
-- number is another than the one it knows.
CREATE FUNCTION meantime.access_moved(teams uuid[], known bigint[]) RETURNS TABLE (nth bigint, access bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = meantime, pg_temp
    AS $$ SELECT k.nth, t.access FROM unnest(teams, known) WITH ORDINALITY AS k (team_id, access, nth)
          JOIN team AS t ON t.team_id = k.team_id AND t.access <> k.access $$;
REVOKE ALL ON FUNCTION meantime.access_moved(uuid[], bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION meantime.access_moved(uuid[], bigint[]) TO meantime_app;
