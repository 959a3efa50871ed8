//! What whoever runs the server does to the file as a whole: copy it while it
//! is in use, check it, begin another life of it, take a team out, write the
//! accounts anew.

use crate::open::{OpenError, connect};
use crate::schema;
use meantime_model::TeamId;
use meantime_protocol::Epoch;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, Error, TransactionBehavior};
use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

/// How often a copy tries again while somebody holds the file, and the pause between.
const TRIES: usize = 200;
const PAUSE: Duration = Duration::from_millis(50);

/// Copies a database that may be in use: one state of it, checked, in one
/// file readable for its owner only. Blocks; does not hold writers up.
///
/// # Errors
/// When `to` is there already, or either can't be used.
pub fn copy(from: &Path, to: &Path) -> Result<(), OpenError> {
    let source = there(from)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(to).map_err(|why| OpenError::io(to, why))?;
    let sqlite = |why| OpenError::of(to, why);
    let mut target = Connection::open(to).map_err(sqlite)?;
    // So that its name is on the disk too when this returns.
    target.pragma_update(None, "synchronous", "EXTRA").map_err(sqlite)?;
    pages(&source, &mut target).map_err(sqlite)?;
    // Alone it has no need of a log beside it.
    target.pragma_update(None, "journal_mode", "DELETE").map_err(sqlite)?;
    intact(&target, to, true)
}

/// Reads all of a database, and fails if anything in it is damaged; `deep`
/// compares its indexes with what they are of as well, which takes longer. The
/// file may be in use.
///
/// # Errors
/// When it is damaged, older, foreign or can't be read.
pub fn check(path: &Path, deep: bool) -> Result<(), OpenError> {
    let mut db = there(path)?;
    schema::look(&mut db, path)?;
    intact(&db, path, deep)
}

/// Begins another life of a database that nobody uses: devices find out that
/// what they saw last may not be there any more, and start over. Invites and
/// links that wait to be used are ended, for in the life before they may have
/// been used since; how many. Brings its schema up to date first.
///
/// # Errors
/// When it can't be opened.
pub fn begin_life(path: &Path, epoch: Epoch) -> Result<usize, OpenError> {
    let sqlite = |why| OpenError::of(path, why);
    let mut db = there(path)?;
    schema::upgrade(&mut db, path)?;
    let ended = anew(&mut db, epoch).map_err(sqlite)?;
    // Closed here and now, so that all of it is in the one file.
    db.close().map_err(|(_, why)| sqlite(why))?;
    Ok(ended)
}

/// Takes everything of a team out; how many rows. The file may be in use.
///
/// # Errors
/// When the database can't be used; then nothing was taken out.
pub fn erase_team(path: &Path, team: TeamId) -> Result<usize, OpenError> {
    let sqlite = |why| OpenError::of(path, why);
    let mut db = connect(path)?;
    erase(&mut db, team).map_err(sqlite)
}

/// Writes the accounts anew, so that nothing that stood in them before is left
/// in the room that is free in the file, or in its log. The file may be in use.
///
/// # Errors
/// When the database can't be used; then nothing has changed.
pub fn rewrite_accounts(path: &Path) -> Result<(), OpenError> {
    let sqlite = |why| OpenError::of(path, why);
    let mut db = there(path)?;
    rewrite(&mut db).map_err(sqlite)
}

/// A connection to a database that has to be there.
fn there(path: &Path) -> Result<Connection, OpenError> {
    if path.exists() { connect(path) } else { Err(OpenError::Missing(path.to_owned())) }
}

fn intact(db: &Connection, path: &Path, deep: bool) -> Result<(), OpenError> {
    let ask = if deep { "PRAGMA integrity_check(1)" } else { "PRAGMA quick_check(1)" };
    let said = db.query_row(ask, [], |r| r.get::<_, String>(0));
    match said.map_err(|why| OpenError::of(path, why))? {
        said if said == "ok" => Ok(()),
        said => Err(OpenError::Damaged { path: path.to_owned(), said }),
    }
}

fn pages(source: &Connection, target: &mut Connection) -> Result<(), Error> {
    let backup = Backup::new(source, target)?;
    // All at once: page by page, each change by another connection would
    // make it begin again.
    for _ in 0..TRIES {
        match backup.step(-1)? {
            StepResult::Done => return Ok(()),
            _ => std::thread::sleep(PAUSE),
        }
    }
    Err(Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None))
}

fn anew(db: &mut Connection, epoch: Epoch) -> Result<usize, Error> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute("UPDATE life SET epoch = ?1", [epoch.0.cast_signed()])?;
    let ended = tx.execute("DELETE FROM invite WHERE used = 0", [])?;
    tx.commit()?;
    Ok(ended)
}

fn rewrite(db: &mut Connection) -> Result<(), Error> {
    // What is deleted is overwritten: all pages of the table, as they all are.
    db.pragma_update(None, "secure_delete", true)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(
        "CREATE TEMP TABLE kept AS SELECT * FROM account;
         DELETE FROM account;
         INSERT INTO account SELECT * FROM kept;
         DROP TABLE kept;",
    )?;
    tx.commit()?;
    // The log may have them as they were.
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

fn erase(db: &mut Connection, team: TeamId) -> Result<usize, Error> {
    // What is deleted is overwritten, not only forgotten.
    db.pragma_update(None, "secure_delete", true)?;
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.pragma_update(None, "defer_foreign_keys", true)?;
    // Whatever table has a team's rows names the team, later ones too.
    let sql = "SELECT t.name FROM pragma_table_list AS t
               WHERE t.type = 'table' AND t.schema = 'main'
               AND EXISTS (SELECT 1 FROM pragma_table_info(t.name) AS c WHERE c.name = 'team_id')";
    let tables: Vec<String> = tx.prepare(sql)?.query_map([], |r| r.get(0))?.collect::<Result<_, _>>()?;
    let mut gone = 0;
    for table in tables {
        gone += tx.execute(&format!("DELETE FROM \"{table}\" WHERE team_id = ?1"), [team.0.as_bytes()])?;
    }
    tx.commit()?;
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sqlite;
    use meantime_model::PersonId;
    use meantime_protocol::Kind;
    use meantime_protocol::kinds::Role;
    use meantime_server_core::storage::{Account, Batch, Change, Totp};
    use meantime_server_core::suite::World;
    use meantime_server_core::{Storage as _, TeamScope};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_copy_is_one_state_while_others_write() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("a.db"), dir.path().join("b.db"));
        let world = Arc::new(World::new(Sqlite::create(&from, Epoch(1)).unwrap()).await);
        let ana = world.someone("Ana", Role::Owner).await;
        let thread = world.thread(&ana, "Busy").await;
        let stop = Arc::new(AtomicBool::new(false));
        let (writer, stopped) = (Arc::clone(&world), Arc::clone(&stop));
        let writing = tokio::spawn(async move {
            // Once at least, however late it begins.
            loop {
                let last = writer.put(&ana, ana.message(&writer.scope(), thread, "more")).await;
                if stopped.load(Ordering::SeqCst) {
                    return last;
                }
            }
        });
        let target = to.clone();
        let source = from.clone();
        tokio::task::spawn_blocking(move || copy(&source, &target)).await.unwrap().unwrap();
        stop.store(true, Ordering::SeqCst);
        let last = writing.await.unwrap();
        assert!(matches!(copy(&from, &to), Err(OpenError::Io { .. })), "a copy is never written over");
        assert!(!to.with_extension("db-wal").exists());

        begin_life(&to, Epoch(2)).unwrap();
        let copied = Sqlite::open(&to).unwrap();
        assert_eq!(copied.epoch().await.unwrap(), Epoch(2));
        let team = TeamScope::operator(world.team);
        let upto = copied.upto(team, &[world.scope()]).await.unwrap()[0];
        assert!(upto <= last, "{upto} {last}");
        let db = connect(&to).unwrap();
        let rows: i64 = db.query_row("SELECT count(*) FROM record", [], |r| r.get(0)).unwrap();
        assert_eq!(rows.unsigned_abs(), upto, "every row up to the counter is there");
    }

    #[tokio::test]
    async fn a_team_goes_whole_and_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let world = World::new(Sqlite::create(&path, Epoch(1)).unwrap()).await;
        let ana = world.someone("Ana", Role::Owner).await;
        world.thread(&ana, "Ours").await;
        let other = world.core.found("Red Team").await.unwrap();
        world.someone_in(other, "Mallory", Role::Owner).await;
        assert!(erase_team(&path, world.team).unwrap() > 4);
        assert_eq!(erase_team(&path, world.team).unwrap(), 0);
        assert_eq!(world.core.storage().teams().await.unwrap().len(), 1);
        assert!(world.core.authenticate(&ana.token).await.is_err());
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(4).any(|w| w == b"Ours"), "not in the pages that are free now either");
        let db = connect(&path).unwrap();
        let kinds: i64 =
            db.query_row("SELECT count(*) FROM record WHERE kind = ?1", [Kind::MEMBER.as_str()], |r| r.get(0)).unwrap();
        assert_eq!(kinds, 1);
        check(&path, true).unwrap();
    }

    #[tokio::test]
    async fn nothing_is_left_of_what_stood_in_an_account() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let sqlite = Sqlite::create(&path, Epoch(1)).unwrap();
        let team = TeamScope::operator(TeamId::new());
        let at = meantime_server_core::suite::noon();
        sqlite.found(team, "Blue Team", at).await.unwrap();
        // So many that pages are divided as they become longer.
        let mut people: Vec<PersonId> = (0..300).map(|_| PersonId::new()).collect();
        people.sort();
        let put = async |secret: &[u8]| {
            for person in &people {
                let totp = Some(Totp { secret: secret.to_vec(), confirmed: true, last_step: 7 });
                let account = Account { person: *person, login: person.to_string(), password: "x".into(), totp };
                let batch = Batch { at, changes: vec![Change::PutAccount(account)], ..Batch::default() };
                sqlite.commit(team, batch).await.unwrap();
            }
        };
        let left = || {
            let name = |end: &str| dir.path().join(format!("a.db{end}"));
            let all = ["", "-wal"].map(|end| std::fs::read(name(end)).unwrap_or_default()).concat();
            all.windows(20).filter(|part| *part == b"a secret in the open").count()
        };
        put(b"a secret in the open").await;
        put(&[9; 69]).await;
        assert!(left() > 0, "nothing was looked for");
        rewrite_accounts(&path).unwrap();
        assert_eq!(left(), 0);
        let kept = sqlite.authenticators(team).await.unwrap();
        let good = |account: &Account| account.totp.as_ref().is_some_and(|t| t.secret == [9; 69] && t.last_step == 7);
        assert_eq!(kept.iter().map(|account| account.person).collect::<Vec<_>>(), people);
        assert!(kept.iter().all(good));
        check(&path, true).unwrap();
    }

    #[test]
    fn damage_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        drop(Sqlite::create(&path, Epoch(1)).unwrap());
        let whole = std::fs::read(&path).unwrap();
        for deep in [false, true] {
            std::fs::write(&path, &whole).unwrap();
            check(&path, deep).unwrap();
            let mut bytes = whole.clone();
            let middle = bytes.len() / 2;
            bytes[middle..].fill(0x55);
            std::fs::write(&path, bytes).unwrap();
            let found = check(&path, deep).unwrap_err();
            assert!(matches!(found, OpenError::Damaged { .. }), "{found}");
            std::fs::write(&path, "").unwrap();
            assert!(matches!(check(&path, deep), Err(OpenError::Foreign(_))));
            assert!(matches!(check(&dir.path().join("none"), deep), Err(OpenError::Missing(_))));
        }
    }
}
