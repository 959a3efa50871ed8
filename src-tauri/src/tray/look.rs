//! What the tray shows of a focus block: words and one of six pictures.

use chrono::{DateTime, Utc};
use meantime_engine::api::FocusStatus;
use tauri::image::Image;

/// What the tray shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The menu's first line.
    pub line: String,
    /// On hovering.
    pub tooltip: String,
    /// Beside the icon, where there is room: the minutes left.
    pub minutes: Option<String>,
    /// A block runs.
    pub focusing: bool,
    /// Which picture.
    pub picture: Picture,
}

/// One of the pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// No block runs.
    Idle,
    /// A block runs; so many quarters of it are left.
    Left(u8),
}

impl Default for Look {
    fn default() -> Self {
        Self {
            line: "Not focusing".to_owned(),
            tooltip: "Meantime".to_owned(),
            minutes: None,
            focusing: false,
            picture: Picture::Idle,
        }
    }
}

impl Look {
    /// The look at an instant.
    pub fn of(status: &FocusStatus, now: DateTime<Utc>) -> Self {
        let Some(block) = &status.block else { return Self::default() };
        let held = format!("{} held", block.held);
        let Some(until) = block.until else {
            return Self {
                line: format!("Focusing, {held}"),
                tooltip: format!("Meantime: focusing, {held}"),
                minutes: None,
                focusing: true,
                picture: Picture::Left(4),
            };
        };
        let (left, whole) = ((until - now).num_seconds().max(0), (until - block.since).num_seconds().max(1));
        let minutes = format!("{} min", (left + 59) / 60);
        // The nearest quarter, but never empty before it ends.
        let quarters = ((left * 8 + whole) / (whole * 2)).clamp(i64::from(left > 0 && left * 8 >= whole), 4);
        Self {
            line: format!("{minutes} left, {held}"),
            tooltip: format!("Meantime: {minutes} of focus left, {held}"),
            minutes: Some(minutes),
            focusing: true,
            picture: Picture::Left(u8::try_from(quarters).unwrap_or(4)),
        }
    }

    /// The picture itself: a template on macOS, in colour elsewhere, because
    /// nobody tells whether the panel is light or dark.
    pub fn picture(&self) -> tauri::Result<Image<'static>> {
        macro_rules! picture {
            ($name:literal) => {
                if cfg!(target_os = "macos") {
                    &include_bytes!(concat!("../../../icons/tray/", $name, "-black-44.png"))[..]
                } else {
                    &include_bytes!(concat!("../../../icons/tray/", $name, "-color-44.png"))[..]
                }
            };
        }
        Image::from_bytes(match self.picture {
            Picture::Idle => picture!("idle"),
            Picture::Left(0) => picture!("focus-0"),
            Picture::Left(1) => picture!("focus-25"),
            Picture::Left(2) => picture!("focus-50"),
            Picture::Left(3) => picture!("focus-75"),
            Picture::Left(_) => picture!("focus-100"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use meantime_engine::api::Block;

    fn at(minutes_in: i64, until: bool) -> Look {
        let since = DateTime::UNIX_EPOCH;
        let until = until.then(|| since + TimeDelta::minutes(50));
        let id = serde_json::from_value(serde_json::json!("00000000-0000-7000-8000-000000000000")).unwrap();
        let block = Some(Block { id, since, until, held: 12, messages: 12 });
        Look::of(&FocusStatus { block, usual_minutes: 50 }, since + TimeDelta::minutes(minutes_in))
    }

    #[test]
    fn a_block_is_counted_down() {
        assert_eq!(at(0, true).line, "50 min left, 12 held");
        assert_eq!(at(26, true).tooltip, "Meantime: 24 min of focus left, 12 held");
        let pictures: Vec<Picture> =
            [0, 12, 25, 38, 48, 50, 60].iter().map(|&minutes| at(minutes, true).picture).collect();
        assert_eq!(pictures, [4, 3, 2, 1, 0, 0, 0].map(Picture::Left));
        assert_eq!(at(60, true).line, "0 min left, 12 held");
        assert_eq!(at(500, false).line, "Focusing, 12 held");
        assert_eq!(Look::of(&FocusStatus::default(), DateTime::UNIX_EPOCH), Look::default());
    }

    #[test]
    fn every_picture_can_be_read() {
        for picture in [Picture::Idle].into_iter().chain((0..=4).map(Picture::Left)) {
            let image = Look { picture, ..Look::default() }.picture().unwrap();
            assert_eq!((image.width(), image.height()), (44, 44));
        }
    }
}
