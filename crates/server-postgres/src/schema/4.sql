-- Whoever listens to a team that was taken out hears of it as well: it stands
-- at none of the numbers that were known.
CREATE OR REPLACE FUNCTION meantime.access_moved(teams uuid[], known bigint[]) RETURNS TABLE (nth bigint, access bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = meantime, pg_temp
    AS $$ SELECT k.nth, coalesce(t.access, 0) FROM unnest(teams, known) WITH ORDINALITY AS k (team_id, access, nth)
          LEFT JOIN team AS t ON t.team_id = k.team_id WHERE coalesce(t.access, 0) <> k.access $$;
