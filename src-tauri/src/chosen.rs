//! Files that the person chose in the window: it has their bytes from the
//! person, and hands them over; where they lay it never learns.

use crate::backend::Backend;
use meantime_engine::api::{Attach, Failure, FailureCode, FileToAttach};
use serde_json::Value;
use std::io::Write as _;
use std::path::Path;
use tauri::ipc::{InvokeBody, Request};
use url::form_urlencoded;

/// Which file it is, and where it belongs: as in the query of a link.
const ABOUT: &str = "meantime-file";

/// A file as the window hands it over.
pub struct Chosen {
    name: String,
    item: Option<String>,
    bytes: Vec<u8>,
}

impl Chosen {
    /// What a request of the window holds.
    pub fn read(request: &Request<'_>) -> Result<Self, Failure> {
        let about = request.headers().get(ABOUT).and_then(|about| about.to_str().ok()).unwrap_or_default();
        Self::of(about, request.body())
    }

    fn of(about: &str, body: &InvokeBody) -> Result<Self, Failure> {
        let field = |wanted: &str| {
            form_urlencoded::parse(about.as_bytes())
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.into_owned())
        };
        let invalid = || Failure::new(FailureCode::Invalid, "that is no file");
        let bytes = match body {
            InvokeBody::Raw(bytes) => bytes.clone(),
            // Where a web view can't send bytes they come as numbers; a
            // request without any has no body.
            InvokeBody::Json(Value::Array(numbers)) => {
                let byte = |number: &Value| number.as_u64().and_then(|number| u8::try_from(number).ok());
                numbers.iter().map(byte).collect::<Option<_>>().ok_or_else(invalid)?
            }
            InvokeBody::Json(_) => Vec::new(),
        };
        let size = field("bytes").and_then(|bytes| bytes.parse().ok());
        let name = field("name").filter(|_| size == Some(bytes.len())).ok_or_else(invalid)?;
        Ok(Self { name, item: field("item"), bytes })
    }

    /// Lays it down where the engine can take it from, which may be another
    /// process, and gives it to it.
    pub async fn attach(self, backend: &Backend, folder: &Path) -> Result<Value, Failure> {
        let internal = |what: String| Failure::new(FailureCode::Internal, what);
        let Self { name, item, bytes } = self;
        let folder = folder.to_owned();
        let laid = tokio::task::spawn_blocking(move || {
            let mut file = tempfile::Builder::new().prefix("chosen-").tempfile_in(folder)?;
            file.write_all(&bytes)?;
            file.flush()?;
            Ok::<_, std::io::Error>(file.into_temp_path())
        });
        let laid = laid.await.map_err(|e| internal(e.to_string()))?;
        let laid = laid.map_err(|e| match e.kind() {
            std::io::ErrorKind::StorageFull => {
                let message = format!("there is no room on this disk for {name}: free some, then try again");
                Failure::new(FailureCode::NotPossible, message)
            }
            _ => internal(format!("{name} can't be copied: {e}")),
        })?;
        let path = laid.to_str().ok_or_else(|| internal("the profile's folder is not named in UTF-8".to_owned()))?;
        let attach = Attach { item, files: vec![FileToAttach { path: path.to_owned(), name: Some(name) }] };
        let attach = serde_json::to_value(attach).map_err(|e| internal(e.to_string()))?;
        backend.call("attach", attach).await
    }
}

/// Whether a command would read or write a file that whoever asks names.
pub fn names_a_path(command: &str, args: &Value) -> bool {
    match command {
        "attach" => true,
        "save_attachment" => args.get("to").is_some_and(|to| !to.is_null()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_file_is_its_name_and_its_bytes() {
        let about = "name=a+b%26%C3%BC.pdf&item=0190&bytes=3";
        for body in [InvokeBody::Raw(vec![1, 2, 255]), InvokeBody::Json(json!([1, 2, 255]))] {
            let chosen = Chosen::of(about, &body).unwrap();
            assert_eq!((chosen.name.as_str(), chosen.item.as_deref()), ("a b&ü.pdf", Some("0190")));
            assert_eq!(chosen.bytes, [1, 2, 255]);
        }
        let empty = Chosen::of("name=a&bytes=0", &InvokeBody::Json(json!({}))).unwrap();
        assert_eq!((empty.bytes.len(), empty.item), (0, None));
        for (about, body) in [
            ("", InvokeBody::Raw(vec![1])),
            ("name=a", InvokeBody::Raw(vec![1])),
            ("name=a&bytes=2", InvokeBody::Raw(vec![1])),
            ("name=a&bytes=1", InvokeBody::Json(json!([256]))),
            ("name=a&bytes=1", InvokeBody::Json(json!({ "path": "/etc/passwd" }))),
        ] {
            assert!(Chosen::of(about, &body).is_err(), "{about}");
        }
    }

    #[test]
    fn the_window_names_no_paths() {
        assert!(names_a_path("attach", &json!({ "files": [{ "path": "/etc/passwd" }] })));
        assert!(names_a_path("save_attachment", &json!({ "to": "/home/ana/.bashrc" })));
        assert!(!names_a_path("save_attachment", &json!({ "to": null })));
        assert!(!names_a_path("open", &json!({ "id": "x" })));
    }
}
