-- Every primary key begins with the team, and every unique index has it, so
-- that the tables can be divided by it (Citus: create_distributed_table(…,
-- 'team_id')). Texts compare by their bytes. `meantime_app` stands for the
-- role that queries run as.

CREATE SCHEMA meantime;
SET LOCAL search_path = meantime, pg_temp;

-- The team that the transaction is for; none unless it says so.
CREATE FUNCTION meantime.this_team() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('meantime.team', true), '')::uuid $$;

CREATE TABLE life (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    epoch bigint NOT NULL,
    version integer NOT NULL
);

-- `access` and `audited` count; the row is updated often beside its others.
CREATE TABLE team (
    team_id uuid PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    founded_at timestamptz NOT NULL,
    access bigint NOT NULL DEFAULT 0,
    audited bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE device (
    team_id uuid NOT NULL REFERENCES team,
    device_id uuid NOT NULL,
    person_id uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    since timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    forgotten bigint,
    PRIMARY KEY (team_id, device_id)
) WITH (fillfactor = 80);
CREATE INDEX device_person ON device (team_id, person_id);

CREATE TABLE token (
    team_id uuid NOT NULL,
    device_id uuid NOT NULL,
    token bytea NOT NULL,
    issued_at timestamptz NOT NULL,
    used boolean NOT NULL,
    retired_at timestamptz,
    PRIMARY KEY (team_id, device_id, token),
    FOREIGN KEY (team_id, device_id) REFERENCES device ON DELETE CASCADE
);
-- Not unique: that would have to begin with the team, which is what is looked
-- for. They are hashes of 256 random bits.
CREATE INDEX token_itself ON token (token);

CREATE TABLE invite (
    team_id uuid NOT NULL REFERENCES team,
    secret bytea NOT NULL,
    role text COLLATE "C" NOT NULL,
    expires_at timestamptz NOT NULL,
    used boolean NOT NULL,
    by_person uuid,
    for_person uuid,
    PRIMARY KEY (team_id, secret)
);
CREATE INDEX invite_itself ON invite (secret);

CREATE TABLE account (
    team_id uuid NOT NULL REFERENCES team,
    person_id uuid NOT NULL,
    login text COLLATE "C" NOT NULL,
    password text COLLATE "C" NOT NULL,
    totp_secret bytea,
    totp_confirmed boolean NOT NULL,
    totp_step bigint NOT NULL,
    PRIMARY KEY (team_id, person_id),
    UNIQUE (team_id, login)
);

CREATE TABLE circle (
    team_id uuid NOT NULL REFERENCES team,
    circle_id uuid NOT NULL,
    person_id uuid NOT NULL,
    PRIMARY KEY (team_id, circle_id, person_id)
);
CREATE INDEX circle_person ON circle (team_id, person_id, circle_id);

CREATE TABLE attempts (
    team_id uuid NOT NULL REFERENCES team,
    slot integer NOT NULL,
    failures bigint NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (team_id, slot)
);

CREATE TABLE audit (
    team_id uuid NOT NULL REFERENCES team,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    what text COLLATE "C" NOT NULL,
    by_person uuid,
    by_device uuid,
    about uuid,
    note text COLLATE "C" NOT NULL,
    PRIMARY KEY (team_id, seq)
);

CREATE TABLE taken (
    team_id uuid NOT NULL,
    device_id uuid NOT NULL,
    n bigint NOT NULL,
    op_id uuid NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (team_id, device_id, n)
);

-- The counters: one row a feed, updated by every commit that writes to it.
CREATE TABLE scope (
    team_id uuid NOT NULL REFERENCES team,
    scope text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    min_seq bigint NOT NULL,
    PRIMARY KEY (team_id, scope)
) WITH (fillfactor = 50);

-- `fields` is JSON as text: jsonb has no place for U+0000 and would reorder.
-- A record is written only by who holds its scope's counter.
CREATE TABLE record (
    team_id uuid NOT NULL,
    scope text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    seq bigint NOT NULL,
    author uuid NOT NULL,
    deleted boolean NOT NULL,
    held boolean NOT NULL,
    visible_from timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    run_device uuid NOT NULL,
    run_base bigint NOT NULL,
    fields text COLLATE "C" NOT NULL,
    PRIMARY KEY (team_id, scope, kind, id)
);
CREATE UNIQUE INDEX record_feed ON record (team_id, scope, seq);
CREATE INDEX record_first ON record (team_id, scope, seq)
    WHERE kind IN ('agreement', 'focus', 'member', 'schedule');
CREATE INDEX record_held ON record (visible_from, team_id) WHERE held AND NOT deleted;
CREATE INDEX record_gone ON record (team_id, updated_at) WHERE deleted;

-- What the server must find without knowing the team, and no more than that.
-- They run as who owns the tables.
CREATE FUNCTION meantime.team_of_token(wanted bytea) RETURNS TABLE (team_id uuid, device_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = meantime, pg_temp
    AS $$ SELECT t.team_id, t.device_id FROM token AS t WHERE t.token = wanted $$;
CREATE FUNCTION meantime.team_of_invite(wanted bytea) RETURNS TABLE (team_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = meantime, pg_temp
    AS $$ SELECT i.team_id FROM invite AS i WHERE i.secret = wanted $$;
CREATE FUNCTION meantime.all_teams() RETURNS TABLE (team_id uuid, name text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = meantime, pg_temp
    AS $$ SELECT t.team_id, t.name FROM team AS t ORDER BY t.founded_at, t.team_id $$;
CREATE FUNCTION meantime.next_held() RETURNS TABLE (visible_from timestamptz, team_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = meantime, pg_temp
    AS $$ SELECT r.visible_from, r.team_id FROM record AS r
          WHERE r.held AND NOT r.deleted ORDER BY r.visible_from, r.team_id LIMIT 1 $$;
-- Of the feeds that have a listener in the asking process, those that moved
-- beyond what it knows.
CREATE FUNCTION meantime.newer(teams uuid[], scopes text[], seqs bigint[]) RETURNS TABLE (nth bigint, seq bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = meantime, pg_temp
    AS $$ SELECT k.nth, s.seq FROM unnest(teams, scopes, seqs) WITH ORDINALITY AS k (team_id, scope, seq, nth)
          JOIN scope AS s ON s.team_id = k.team_id AND s.scope = k.scope AND s.seq > k.seq $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA meantime FROM PUBLIC;
GRANT USAGE ON SCHEMA meantime TO meantime_app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA meantime TO meantime_app;
GRANT SELECT ON life TO meantime_app;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['team', 'device', 'token', 'invite', 'account', 'circle', 'attempts', 'audit',
                                'taken', 'scope', 'record'] LOOP
        EXECUTE format('ALTER TABLE meantime.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_team ON meantime.%I TO meantime_app
                        USING (team_id = meantime.this_team()) WITH CHECK (team_id = meantime.this_team())', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON meantime.%I TO meantime_app', name);
    END LOOP;
END
$$;
