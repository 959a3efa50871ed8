//! Opening the file: a new one, one to migrate, one that is damaged.

use crate::schema::{self, APPLICATION_ID, migrate, remove};
use crate::store::{Store, beside, connect, quick_check, suspect_path};
use crate::{Result, StoreError};
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// WAL-reset corruption is fixed from here on.
const OLDEST_SQLITE: i32 = 3_051_003;
/// Files up to this size are looked at in full on every start (some 20 ms).
const FULL_CHECK_BYTES: u64 = 8 << 20;
/// What can't be read again from anywhere else, in the order of import.
const SALVAGED: &[&str] = &["account", "setting", "draft", "outbox", "focus", "notice"];

/// An open database.
pub struct Opened {
    /// The handle.
    pub store: Store,
    /// The file was damaged and had to be put aside: tell the person.
    pub recovered: Option<Recovered>,
}

/// What became of a damaged file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Where the damaged file is now.
    pub quarantined: PathBuf,
    /// What was wrong with it.
    pub found: String,
    /// Tables of what is nowhere else that could not be read in full.
    pub unreadable: Vec<&'static str>,
    /// Unsent changes that were saved.
    pub outbox: u32,
    /// Drafts that were saved.
    pub drafts: u32,
}

impl Store {
    /// Opens the database, making it where there is none. A damaged file is
    /// put aside and reported in [`Opened::recovered`]; accounts, settings,
    /// drafts, unsent changes, focus blocks and notices are carried over as far
    /// as they can be read, everything else is read again from where it came.
    ///
    /// `now` names the file put aside.
    ///
    /// # Errors
    /// The file can't be used, is another program's, or is a newer Meantime's;
    /// in each case it is left as it is.
    pub fn open(path: &Path, now: DateTime<Utc>) -> Result<Opened> {
        if rusqlite::version_number() < OLDEST_SQLITE {
            return Err(StoreError::OldSqlite(rusqlite::version()));
        }
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let there = path.try_exists().map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
        let (found, recovered) = if there {
            match open_checked(path) {
                Ok(conn) => return Ok(Opened { store: Store::over(path.to_owned(), conn), recovered: None }),
                Err(StoreError::Damaged(found)) => (found, true),
                Err(other) => return Err(other),
            }
        } else if beside(path, "-wal").metadata().is_ok_and(|wal| wal.len() > 0) {
            ("the database file is gone, its log is still there".to_owned(), true)
        } else {
            (String::new(), false)
        };
        let recovered = recovered.then(|| replace(path, found, now)).transpose()?;
        if recovered.is_none() {
            create(path)?;
        }
        Ok(Opened { store: Store::over(path.to_owned(), open_checked(path)?), recovered })
    }
}

/// Makes a database under another name and moves it into place when it is
/// whole: an empty file under the real name is always damage.
fn create(path: &Path) -> Result<()> {
    let new = beside(path, ".new");
    prepare(&new)?;
    let conn = open_for_writing(&new)?;
    close_into_place(conn, &new, path)
}

fn prepare(new: &Path) -> Result<()> {
    for ending in ["", "-wal", "-shm", "-journal"] {
        remove(&beside(new, ending))?;
    }
    make_private(new)
}

fn close_into_place(conn: Connection, new: &Path, path: &Path) -> Result<()> {
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    conn.close().map_err(|(_, e)| e)?;
    let io = |source| StoreError::Io { path: path.to_owned(), source };
    File::open(new).and_then(|f| f.sync_all()).map_err(io)?;
    fs::rename(new, path).map_err(io)?;
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        File::open(folder).and_then(|f| f.sync_all()).map_err(io)?;
    }
    Ok(())
}

/// Opens an existing file, checks and migrates it.
fn open_checked(path: &Path) -> Result<Connection> {
    let io = |source| StoreError::Io { path: path.to_owned(), source };
    let mut head = [0_u8; 100];
    let length = File::open(path).and_then(|mut f| f.read(&mut head)).map_err(io)?;
    if length < head.len() || !head.starts_with(b"SQLite format 3\0") {
        return Err(StoreError::Damaged("this is not a database file".into()));
    }
    // Bytes 68 to 71 of the header (SQLite file format, 1.3.20).
    if head.get(68..72) != Some(&APPLICATION_ID.to_be_bytes()) {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    let conn = open_for_writing(path)?;
    let suspect = suspect_path(path);
    let size = fs::metadata(path).map_err(io)?.len();
    if size <= FULL_CHECK_BYTES || suspect.exists() {
        quick_check(&conn).map_err(no_longer_ours)?;
        remove(&suspect)?;
    } else {
        touch_tables(&conn).map_err(no_longer_ours)?;
    }
    Ok(conn)
}

/// SQL that SQLite does not understand where ours stood: the text of the
/// schema itself is damaged.
fn no_longer_ours(error: StoreError) -> StoreError {
    match error {
        StoreError::Sqlite(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::Unknown) => {
            StoreError::Damaged(error.to_string())
        }
        other => other,
    }
}

fn open_for_writing(path: &Path) -> Result<Connection> {
    let mut conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let found = schema::version(&conn)?;
    if found > schema::VERSION {
        return Err(StoreError::Newer { found, known: schema::VERSION });
    }
    conn.pragma_update(None, "journal_mode", "WAL")?;
    migrate(&mut conn, path)?;
    Ok(conn)
}

/// Looks at the first and last row of each table: finds a file that was cut
/// off or overwritten without reading all of it.
fn touch_tables(conn: &Connection) -> Result<()> {
    let mut q = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%STRICT'")?;
    let tables = q.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    for table in tables {
        for order in ["ASC", "DESC"] {
            let sql = match table.as_str() {
                "hold" => format!("SELECT * FROM hold ORDER BY block_id {order}, item_id {order} LIMIT 1"),
                _ => format!("SELECT * FROM \"{table}\" ORDER BY rowid {order} LIMIT 1"),
            };
            conn.prepare(&sql)?.query([])?.next()?;
        }
    }
    Ok(())
}

/// Puts the damaged file aside and a new one in its place, with what could be
/// saved. Killed halfway, it begins again from the file still in place.
fn replace(path: &Path, found: String, now: DateTime<Utc>) -> Result<Recovered> {
    let aside = beside(path, &format!(".damaged-{}", now.format("%Y%m%dT%H%M%S%3f")));
    let new = beside(path, ".new");
    prepare(&new)?;
    let mut conn = open_for_writing(&new)?;
    let mut unreadable = Vec::new();
    // Its log belongs to it: read it where it lies, with what the log holds.
    match connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE) {
        Ok(old) => {
            for table in SALVAGED {
                if !copy_table(&old, &mut conn, table)? {
                    unreadable.push(*table);
                }
            }
        }
        Err(_) => unreadable.extend(SALVAGED),
    }
    let count = |table: &str| conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, u32>(0));
    let (outbox, drafts) = (count("outbox")?, count("draft")?);
    // A copy first, the original replaced in one step: at no time is there
    // neither the old file nor the new one.
    let io = |source| StoreError::Io { path: aside.clone(), source };
    for ending in ["", "-wal"] {
        if beside(path, ending).exists() {
            let to = beside(&aside, ending);
            make_private(&to)?;
            fs::copy(beside(path, ending), to).map_err(io)?;
        }
    }
    for ending in ["-wal", "-shm", ".suspect"] {
        remove(&beside(path, ending))?;
    }
    close_into_place(conn, &new, path)?;
    tracing::warn!(%found, outbox, drafts, "a damaged database was put aside");
    Ok(Recovered { quarantined: aside, found, unreadable, outbox, drafts })
}

/// Copies the rows that can be read, from either end; false if not all could.
fn copy_table(old: &Connection, new: &mut Connection, table: &str) -> Result<bool> {
    let known = columns(new, table)?;
    // An older file may lack some; one that can't even name them is read as a new one.
    let there = columns(old, table).unwrap_or_default();
    let lacks = |name: &String| !there.is_empty() && !there.contains(name);
    let columns: Vec<String> = known.into_iter().filter(|name| !lacks(name)).collect();
    let names = columns.join(", ");
    let marks = vec!["?"; columns.len()].join(", ");
    let tx = new.transaction()?;
    let mut whole = true;
    {
        let mut put = tx.prepare(&format!("INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})"))?;
        for order in ["ASC", "DESC"] {
            let Ok(mut q) = old.prepare(&format!("SELECT {names} FROM {table} ORDER BY rowid {order}")) else {
                whole = false;
                break;
            };
            let Ok(mut rows) = q.query([]) else {
                whole = false;
                break;
            };
            whole = loop {
                match rows.next() {
                    Ok(Some(row)) => {
                        let values = (0..columns.len()).map(|i| row.get::<_, rusqlite::types::Value>(i));
                        let Ok(values) = values.collect::<Result<Vec<_>, _>>() else { continue };
                        // A row that is no longer what its table wants is left behind.
                        let _ = put.execute(rusqlite::params_from_iter(values));
                    }
                    Ok(None) => break true,
                    Err(_) => break false,
                }
            };
            if whole {
                break;
            }
        }
    }
    tx.commit()?;
    Ok(whole)
}

fn columns(conn: &Connection, table: &str) -> Result<Vec<String>> {
    let mut q = conn.prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))?;
    let names = q.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(names)
}

fn make_folder(folder: &Path) -> Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|source| StoreError::Io { path: folder.to_owned(), source })
}

/// An empty file that only its owner can read; SQLite gives its log the same mode.
fn make_private(path: &Path) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|source| StoreError::Io { path: path.to_owned(), source })
}
