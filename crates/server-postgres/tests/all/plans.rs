//! What is kept and how it is found.

use crate::tools::{name_of, noon, opened, put, row, team};
use meantime_model::PersonId;
use meantime_protocol::{Kind, Scope};
use meantime_server_core::pokes::Moved;
use meantime_server_core::storage::{Batch, Changes, Commit, Limit};
use meantime_server_core::{Key, Storage as _, row::FIRST};
use meantime_server_postgres::kit::PostgresServer;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_json_comes_back_as_it_was() {
    let (postgres, _settings) = opened().await;
    let team = team(&postgres).await;
    let fields = json!({
        "zero \u{0}": "a\u{0}b", "order": 1, "before": 2, "a": -0.0, "big": 1e300, "u64": u64::MAX,
        "nested": {"b": [null, true, {"": "\u{1f600} \u{7f} \\ \" '"}], "a": {}},
    });
    let mut written = row(team, fields.as_object().unwrap().clone());
    written.record.visible_from = Some(noon() + chrono::TimeDelta::milliseconds(123));
    put(&postgres, team, vec![written.clone()]).await;
    let kept = postgres.get(team, &[written.key()]).await.unwrap().remove(0).unwrap();
    written.record.seq = 1;
    assert_eq!(kept, written);
    let text = |row: &meantime_server_core::Row| serde_json::to_string(&row.record.fields).unwrap();
    assert_eq!(text(&kept), text(&written), "in its order, too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_postgres_has_no_place_for_is_not_there() {
    let (postgres, _settings) = opened().await;
    let team = team(&postgres).await;
    let scope = Scope::Team(team.id());
    let odd = Key { scope, kind: Kind::new("thre\0ad"), id: uuid::Uuid::now_v7() };
    assert_eq!(postgres.get(team, std::slice::from_ref(&odd)).await.unwrap(), [None]);
    assert!(postgres.rows(team, scope, &odd.kind, None, 9).await.unwrap().is_empty());
    assert_eq!(postgres.account_named(team, "ana\0").await.unwrap().map(|a| a.login), None);
    let batch = Batch { expects: vec![(odd, 0)], writes: vec![row(team, Default::default())], ..Batch::default() };
    assert_eq!(postgres.commit(team, batch).await.unwrap(), Commit::Done(vec![1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_of_many_feeds_is_one() {
    // More statements than fit one round trip of anything that counts to 30.
    let (postgres, _settings) = opened().await;
    let team = team(&postgres).await;
    let mut writes = Vec::new();
    for _ in 0..100 {
        let mut row = row(team, Default::default());
        row.record.scope = Scope::User(PersonId::new());
        writes.push(row);
    }
    let expects: Vec<_> = writes.iter().map(|row| (row.key(), 0)).collect();
    let scopes: Vec<_> = writes.iter().map(|row| row.record.scope).collect();
    let batch = Batch { expects, writes, ..Batch::default() };
    assert_eq!(postgres.commit(team, batch.clone()).await.unwrap(), Commit::Done(vec![1; 100]));
    assert_eq!(postgres.commit(team, batch).await.unwrap(), Commit::Stale);
    assert_eq!(postgres.upto(team, &scopes).await.unwrap(), [1; 100]);
    let feed = |team, scope: &Scope, seq| Moved { team, scope: *scope, seq };
    let known: Vec<_> = scopes.iter().zip(0..).map(|(scope, i)| feed(team.id(), scope, i % 2)).collect();
    let newer = postgres.newer(&known).await.unwrap();
    assert_eq!(newer.len(), 50);
    assert!(newer.iter().all(|moved| moved.seq == 1 && known.contains(&Moved { seq: 0, ..*moved })));
    let theirs = feed(meantime_model::TeamId::new(), &scopes[0], 0);
    assert_eq!(postgres.newer(&[theirs]).await.unwrap(), [], "another team's is another feed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_feed_and_the_first_page_use_their_indexes() {
    let (postgres, settings) = opened().await;
    let team = team(&postgres).await;
    put(&postgres, team, vec![row(team, Default::default())]).await;
    let plan = |sql: &str| {
        let sql = format!(
            "BEGIN; SET LOCAL ROLE meantime_app; SET LOCAL meantime.team = '{}'; SET LOCAL enable_seqscan = off; \
             SET LOCAL enable_bitmapscan = off; SET LOCAL search_path = meantime; EXPLAIN {sql}; ROLLBACK",
            team.id()
        );
        let output = PostgresServer::shared().try_sql("meantime", name_of(&settings), &sql);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let of = format!("FROM record AS r WHERE r.team_id = '{0}' AND r.scope = 'team:{0}'", team.id());
    let changes = plan(&format!(
        "SELECT fields {of} AND r.seq > 7 AND (NOT held OR author = '{}') ORDER BY r.seq LIMIT 9",
        PersonId::new()
    ));
    assert!(changes.contains("record_feed") && !changes.contains("Sort"), "{changes}");
    let kinds = FIRST.map(|kind| format!("'{kind}'")).join(", ");
    let first = plan(&format!(
        "SELECT fields {of} AND r.seq < 7 AND kind IN ({kinds}) AND NOT deleted ORDER BY r.seq DESC LIMIT 9"
    ));
    assert!(first.contains("record_first") && !first.contains("Sort"), "{first}");
    // A page that is cut in the database still adds up.
    let mut big = Vec::new();
    for _ in 0..5 {
        big.push(row(team, json!({"text": "x".repeat(1000)}).as_object().unwrap().clone()));
    }
    put(&postgres, team, big).await;
    let page = |bytes, rows| {
        let limit = Limit { rows, bytes };
        let from = Changes { scope: Scope::Team(team.id()), reader: PersonId::new(), guest: false, after: 1, limit };
        let postgres = &postgres;
        async move {
            let page = postgres.changes(team, &from).await.unwrap();
            (page.rows.len(), page.more, page.upto)
        }
    };
    assert_eq!(page(0, 9).await, (1, true, 6));
    // 1011 bytes of text and a value.
    assert_eq!(page(1042, 9).await, (1, true, 6));
    assert_eq!(page(1043, 9).await, (2, true, 6));
    assert_eq!(page(1 << 20, 4).await, (4, true, 6));
    assert_eq!(page(1 << 20, 5).await, (5, false, 6));
    assert_eq!(page(4 * 1043 - 1, 9).await, (4, true, 6));
    assert_eq!(page(4 * 1043, 9).await, (5, false, 6));
}
