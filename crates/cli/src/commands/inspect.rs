//! `inspect`: what Meantime would show of files, for bug reports. Pure: no
//! profile, no engine, nothing is fetched.

use crate::show::{Out, show_inspection};
use crate::stop::Stop;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use meantime_platform::{Clock, SystemClock};
use meantime_source::inspect::Inspection;
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A file is at most so large, in bytes.
const LARGEST: u64 = 64 << 20;

#[derive(Args)]
pub(crate) struct InspectArgs {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Subcommand)]
enum Kind {
    /// Mails, one a file (.eml)
    Mail(Files),
    /// RSS, Atom or JSON feeds, one a file
    Feed(Files),
}

#[derive(Args)]
struct Files {
    /// The files; `-` reads stdin. With --json one line each
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// How a connector looks at a file.
type Inspect = fn(&[u8], DateTime<Utc>) -> Inspection;

pub(crate) fn run(args: &InspectArgs, out: &mut Out) -> Result<(), Stop> {
    let now = SystemClock.now();
    let (files, inspect): (_, Inspect) = match &args.kind {
        Kind::Mail(Files { files }) => (files, meantime_source_imap::inspect),
        Kind::Feed(Files { files }) => (files, |bytes, now| meantime_source_feed::inspect(bytes, None, now)),
    };
    for (index, file) in files.iter().enumerate() {
        let seen = match read(file) {
            Ok(bytes) => inspect(&bytes, now),
            Err(unread) => unread,
        };
        if out.json {
            out.json_line(&line(file, &seen)?)?;
        } else {
            if index > 0 {
                out.line("")?;
            }
            show_inspection(&file.to_string_lossy(), &seen, out)?;
        }
    }
    Ok(())
}

/// The file's name before what was seen.
fn line(file: &Path, seen: &Inspection) -> Result<Map<String, Value>, Stop> {
    let mut line = Map::new();
    line.insert("file".to_owned(), file.to_string_lossy().into());
    if let Value::Object(seen) = serde_json::to_value(seen)? {
        line.extend(seen);
    }
    Ok(line)
}

fn read(file: &Path) -> Result<Vec<u8>, Inspection> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
    };
    match read {
        Ok(read) if read as u64 <= LARGEST => Ok(bytes),
        Ok(_) => Err(Inspection::error("too_large", format!("It is larger than {} MiB.", LARGEST >> 20))),
        Err(e) => Err(Inspection::error("unreadable", format!("It can't be read: {e}."))),
    }
}
