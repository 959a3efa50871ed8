//! `attachment`: files of messages, saved where one wants them; and the files
//! that go with what is written.

use super::times;
use crate::reach::Reached;
use crate::show::{Out, clean};
use crate::stop::Stop;
use clap::{Args, Subcommand};
use meantime_engine::api::{Attach, AttachedFile, FailureCode, FileToAttach, ItemRef, SaveAttachment};
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(crate) struct AttachmentArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Fetch a file of a conversation and save it under a name that is free
    Save {
        /// The conversation: its id, or the end of it, as the lists show it
        id: String,
        /// Which file, as `show` numbers them
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        number: u32,
        /// A folder, or a file that is not there yet [default: the folder for downloads]
        #[arg(long, value_name = "PATH")]
        to: Option<PathBuf>,
    },
    /// The files of a conversation, with their numbers
    List {
        /// The conversation: its id, or the end of it, as the lists show it
        id: String,
    },
}

pub(crate) async fn run(engine: &Reached, args: AttachmentArgs, out: &mut Out) -> Result<(), Stop> {
    let (id, number, to) = match args.what {
        What::Save { id, number, to } => (id, number, to),
        What::List { id } => {
            let open = engine.open(ItemRef { id }).await?;
            let files: Vec<_> = open.messages.into_iter().flat_map(|message| message.attachments).collect();
            return Ok(out.reply(&files, &times(engine, out).await?)?);
        }
    };
    let to = to.map(|to| whole_path(&to)).transpose()?;
    let open = engine.open(ItemRef { id: id.clone() }).await?;
    let mut before = number.saturating_sub(1);
    for message in open.messages {
        let here = u32::try_from(message.attachments.len()).unwrap_or(u32::MAX);
        if before < here {
            let save = SaveAttachment { item: id, message: message.id, index: before, to };
            let saved = engine.save_attachment(save).await?;
            return Ok(out.sentence(&saved, format!("Saved: {}", clean(&saved.path)))?);
        }
        before -= here;
    }
    let message = format!("there is no file {number}; `meantime attachment list {id}` shows which there are");
    Err(Stop::new(FailureCode::NotFound, message))
}

/// Copies files to go with a message; answers them as it wants them named.
pub(super) async fn attach(engine: &Reached, item: Option<&str>, paths: &[PathBuf]) -> Result<Vec<AttachedFile>, Stop> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let file = |path: &PathBuf| Ok(FileToAttach { path: whole_path(path)?, name: None });
    let files = paths.iter().map(file).collect::<Result<_, Stop>>()?;
    Ok(engine.attach(Attach { item: item.map(str::to_owned), files }).await?.added)
}

/// The engine may run elsewhere, in another folder.
fn whole_path(path: &Path) -> Result<String, Stop> {
    let whole = std::path::absolute(path)?;
    let unsaid = || Stop::usage(format!("{} is not UTF-8: give it another name first", whole.display()));
    whole.to_str().map(str::to_owned).ok_or_else(unsaid)
}
