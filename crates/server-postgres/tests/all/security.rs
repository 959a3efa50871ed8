//! What keeps teams apart when a statement would not: row-level security.

use crate::tools::{name_of, noon, opened, put, row, team};
use meantime_model::{DeviceId, PersonId};
use meantime_protocol::kinds::Role;
use meantime_server_core::storage::{Account, AuditEntry, Batch, Change, Commit, Device, Invite, Token, Tried};
use meantime_server_core::{SecretHash, Storage as _, TeamScope};
use meantime_server_postgres::kit::PostgresServer;
use meantime_server_postgres::{OpenError, Postgres, Settings};

/// Runs statements as the role that the server runs them as, in one transaction.
fn as_app(database: &str, sql: &str) -> Result<String, String> {
    let sql = format!("BEGIN; SET LOCAL ROLE meantime_app; {sql}; ROLLBACK");
    let output = PostgresServer::shared().try_sql("meantime", database, &sql);
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn tables(database: &str) -> Vec<String> {
    let sql = "SELECT relname FROM pg_class WHERE relnamespace = 'meantime'::regnamespace AND relkind IN ('r', 'p')
               AND relname <> 'life' ORDER BY 1";
    PostgresServer::shared().sql(database, sql).lines().map(str::to_owned).collect()
}

/// A team with a row in every table.
async fn full_team(postgres: &Postgres) -> TeamScope {
    let team = team(postgres).await;
    put(postgres, team, vec![row(team, Default::default())]).await;
    let person = PersonId::new();
    let id = DeviceId::new();
    let device = Device { id, team: team.id(), person, name: "laptop".into(), since: noon(), seen_at: noon() };
    let token = |text: &str| SecretHash::of(&format!("{text} {}", team.id()));
    let token = Token { hash: token("token"), device: id, issued_at: noon(), used: true, retired_at: None };
    let invite = Invite {
        secret: SecretHash::of(&format!("invite {}", team.id())),
        team: team.id(),
        role: Role::Member,
        expires_at: noon(),
        used: false,
        by: Some(person),
        person: None,
    };
    let audit = AuditEntry {
        seq: 0,
        at: noon(),
        what: "joined".into(),
        by: Some(person),
        device: Some(id),
        about: None,
        note: "a \0 that PostgreSQL has no place for".into(),
    };
    let batch = Batch {
        at: noon(),
        changes: vec![
            Change::AddInvite(invite),
            Change::AddDevice(device, token),
            Change::PutAccount(Account { person, login: "ana".into(), password: "$argon2".into(), totp: None }),
            Change::Circle { circle: uuid::Uuid::now_v7(), members: vec![person] },
        ],
        audit: vec![audit],
        ..Batch::default()
    };
    assert_eq!(postgres.commit(team, batch).await.unwrap(), Commit::Done(Vec::new()));
    let batch = Batch { at: noon(), taken: vec![(id, 1, meantime_model::OpId::new())], ..Batch::default() };
    assert_eq!(postgres.commit(team, batch).await.unwrap(), Commit::Done(Vec::new()));
    assert_eq!(postgres.failed(team, Tried::Slot(7), noon(), noon()).await.unwrap(), 1);
    team
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_names_no_team_reads_and_writes_nothing() {
    let (postgres, settings) = opened().await;
    let ours = full_team(&postgres).await;
    let theirs = full_team(&postgres).await;
    let database = name_of(&settings);
    let tables = tables(database);
    assert!(tables.len() >= 11, "{tables:?}");
    for table in &tables {
        let count = |setting: &str| as_app(database, &format!("{setting} SELECT count(*) FROM meantime.{table}"));
        let all = PostgresServer::shared().sql(database, &format!("SELECT count(*) FROM meantime.{table}"));
        assert!(all.parse::<u32>().unwrap() >= 2, "{table} has {all}: fill it in `full_team`");
        assert_eq!(count("").unwrap(), "0", "{table}");
        assert_eq!(count("SET LOCAL meantime.team = '';").unwrap(), "0", "{table}");
        assert!(count("SET LOCAL meantime.team = 'x';").is_err(), "{table}");
        let own = count(&format!("SET LOCAL meantime.team = '{}';", ours.id())).unwrap();
        assert!((1..all.parse().unwrap()).contains(&own.parse::<u32>().unwrap()), "{table}: {own} of {all}");

        // Nor can a row be moved or put into another team.
        let name_ours = format!("SET LOCAL meantime.team = '{}'", ours.id());
        let moved = format!("{name_ours}; UPDATE meantime.{table} SET team_id = '{}'", theirs.id());
        let refused = as_app(database, &moved).unwrap_err();
        assert!(refused.contains("row-level security"), "{table}: {refused}");
        let others = format!("team_id = '{}'", theirs.id());
        for sql in [
            format!(
                "WITH x AS (UPDATE meantime.{table} SET team_id = team_id WHERE {others} RETURNING 1) SELECT count(*) FROM x"
            ),
            format!("WITH x AS (DELETE FROM meantime.{table} WHERE {others} RETURNING 1) SELECT count(*) FROM x"),
            format!("SELECT count(*) FROM meantime.{table} WHERE {others}"),
        ] {
            assert_eq!(as_app(database, &format!("{name_ours}; {sql}")).unwrap(), "0", "{sql}");
        }
        for sql in
            [format!("TRUNCATE meantime.{table}"), format!("ALTER TABLE meantime.{table} DISABLE ROW LEVEL SECURITY")]
        {
            assert!(as_app(database, &format!("{name_ours}; {sql}")).is_err(), "{sql}");
        }
    }
    for sql in ["UPDATE meantime.life SET epoch = 1", "CREATE TABLE meantime.x ()", "CREATE TABLE public.x ()"] {
        assert!(as_app(database, sql).is_err(), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_begins_with_the_team_and_is_guarded() {
    let (_postgres, settings) = opened().await;
    let database = name_of(&settings);
    let odd = PostgresServer::shared().sql(
        database,
        "SELECT c.relname FROM pg_class c
         LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
         LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
         WHERE c.relnamespace = 'meantime'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'life'
         AND (a.attname IS DISTINCT FROM 'team_id' OR NOT c.relrowsecurity
              OR pg_has_role('meantime_app', c.relowner, 'USAGE'))",
    );
    assert_eq!(odd, "");
    // A unique index without the team could not be divided by it.
    let odd = PostgresServer::shared().sql(
        database,
        "SELECT indexrelid::regclass FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'team_id'
         WHERE c.relnamespace = 'meantime'::regnamespace AND i.indisunique AND NOT a.attnum = ANY (i.indkey)",
    );
    assert_eq!(odd, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_looks_across_teams_tells_little() {
    let (postgres, settings) = opened().await;
    let ours = full_team(&postgres).await;
    full_team(&postgres).await;
    let database = name_of(&settings);
    let functions = PostgresServer::shared().sql(
        database,
        "SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc
         WHERE pronamespace = 'meantime'::regnamespace AND prosecdef",
    );
    assert_eq!(functions, "access_moved all_teams newer next_held team_of_invite team_of_token");
    let nobody = "SELECT has_function_privilege('public', oid, 'EXECUTE') FROM pg_proc
                  WHERE pronamespace = 'meantime'::regnamespace GROUP BY 1";
    assert_eq!(PostgresServer::shared().sql(database, nobody), "f");
    let token = "sha256('nobody has this')";
    assert_eq!(as_app(database, &format!("SELECT * FROM meantime.team_of_token({token})")).unwrap(), "");
    let newer = |seq: u32| {
        let sql = "SELECT * FROM meantime.newer(ARRAY['{0}'::uuid], ARRAY['team:{0}'], ARRAY[{1}::bigint])";
        sql.replace("{0}", &ours.id().to_string()).replace("{1}", &seq.to_string())
    };
    assert_eq!(
        (as_app(database, &newer(0)).unwrap(), as_app(database, &newer(1)).unwrap()),
        ("1|1".into(), String::new())
    );
    let access = postgres.access(ours).await.unwrap();
    let moved = |access: u64| {
        let sql = "SELECT * FROM meantime.access_moved(ARRAY['{0}'::uuid], ARRAY[{1}::bigint])";
        sql.replace("{0}", &ours.id().to_string()).replace("{1}", &access.to_string())
    };
    assert_eq!(
        (as_app(database, &moved(0)).unwrap(), as_app(database, &moved(access)).unwrap()),
        (format!("1|{access}"), String::new())
    );
    // Who finds a team by a secret gets that secret's row and no other.
    let hash = SecretHash::of(&format!("token {}", ours.id()));
    assert_eq!(postgres.bearer(hash).await.unwrap().unwrap().standing.device.team, ours.id());
    assert!(postgres.bearer(SecretHash::of("token")).await.unwrap().is_none());
    assert!(postgres.invite(SecretHash::of("invite")).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_would_see_everything_is_refused() {
    let (_postgres, settings) = opened().await;
    let server = PostgresServer::shared();
    // The owner itself, and a superuser.
    let owner = Settings { role: "meantime".to_owned(), ..settings.clone() };
    assert!(matches!(Postgres::open(&owner).await, Err(OpenError::Bypasses(_))));
    let superuser =
        Settings { role: "postgres".to_owned(), url: server.url("postgres", name_of(&settings)), ..settings.clone() };
    assert!(matches!(Postgres::open(&superuser).await, Err(OpenError::Bypasses(_))));
    // Two users, one of whom owns nothing at all.
    let guard = "DO $$ BEGIN CREATE ROLE plain LOGIN PASSWORD 'only on 127.0.0.1' IN ROLE meantime_app; \
                 EXCEPTION WHEN duplicate_object THEN NULL; END $$";
    server.sql("postgres", guard);
    let apart = Settings {
        owner_url: Some(settings.url.clone()),
        url: server.url("plain", name_of(&settings)),
        ..settings.clone()
    };
    team(&Postgres::open(&apart).await.unwrap()).await;
    let alone = Settings { owner_url: None, ..apart };
    team(&Postgres::open(&alone).await.unwrap()).await;
    server.sql(name_of(&settings), "UPDATE meantime.life SET version = 0");
    assert!(matches!(Postgres::open(&alone).await, Err(OpenError::NotOwner(_))));
}
