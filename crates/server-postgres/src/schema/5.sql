SET LOCAL search_path = meantime, pg_temp;

-- Every transaction begins with it: a process that knew another life of the
-- data, from before a restore, carries nothing out in this one.
CREATE FUNCTION meantime.in_life(known bigint) RETURNS void LANGUAGE plpgsql STABLE
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM meantime.life WHERE epoch = known) THEN
        RAISE EXCEPTION 'the data is of another life' USING ERRCODE = 'MT001';
    END IF;
END
$$;
REVOKE ALL ON FUNCTION meantime.in_life(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION meantime.in_life(bigint) TO meantime_app;

-- Whose streams each move of a team's access number concerns: a device that
-- was ended, a circle whose people changed. At least one row for each number,
-- with neither where it concerns nobody's; only the newest numbers are kept.
CREATE TABLE concerned (
    team_id uuid NOT NULL REFERENCES team,
    access bigint NOT NULL,
    nth bigint NOT NULL,
    device_id uuid,
    circle_id uuid,
    PRIMARY KEY (team_id, access, nth)
);
ALTER TABLE concerned ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_team ON concerned TO meantime_app
    USING (team_id = meantime.this_team()) WITH CHECK (team_id = meantime.this_team());
GRANT SELECT, INSERT, UPDATE, DELETE ON concerned TO meantime_app;
