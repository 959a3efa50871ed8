//! A text as a picture that a camera reads (a QR code, ISO/IEC 18004): which
//! of its squares are dark. Drawing them is for the window and the terminal.

use qrcode::{Color, EcLevel, QrCode};

/// Squares along a side at most: of smaller ones on a screen no camera makes
/// much.
const WIDEST: usize = 97;

/// The rows from the top, `#` for a dark square and `.` for a light one,
/// without the light margin around them; none for a text that is too long.
pub(crate) fn rows(text: &str) -> Vec<String> {
    // Nothing smudges a screen: the least correction has the largest squares.
    let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::L) else { return Vec::new() };
    if code.width() > WIDEST {
        return Vec::new();
    }
    let square = |colour: &Color| colour.select('#', '.');
    code.to_colors().chunks(code.width()).map(|row| row.iter().map(square).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a camera reads of it, four pixels a square.
    fn read(rows: &[String]) -> String {
        const MARGIN: usize = 4;
        const PIXELS: usize = 4;
        let side = (rows.len() + 2 * MARGIN) * PIXELS;
        let dark = |x: usize, y: usize| {
            let row = (y / PIXELS).checked_sub(MARGIN).and_then(|row| rows.get(row));
            let square = row.zip((x / PIXELS).checked_sub(MARGIN)).and_then(|(row, at)| row.as_bytes().get(at));
            square == Some(&b'#')
        };
        let mut image =
            rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| if dark(x, y) { 0 } else { 255 });
        let found = image.detect_grids();
        found.first().unwrap().decode().unwrap().1
    }

    #[test]
    fn a_camera_reads_what_was_written() {
        let secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
        for team in ["Blue%20Team".to_owned(), "S%C3%B6hne%20%26%20Co".to_owned(), "%E5%BE%85".repeat(30)] {
            let uri = format!("otpauth://totp/{team}:ana@example.org?secret={secret}&issuer={team}");
            let rows = rows(&uri);
            assert!(rows.iter().all(|row| row.len() == rows.len()), "it is a square");
            assert_eq!(read(&rows), uri);
        }
    }

    #[test]
    fn what_no_camera_could_read_is_no_picture() {
        assert!(rows(&"x".repeat(1_000)).is_empty(), "its squares would be too small");
        assert!(rows(&"x".repeat(10_000)).is_empty(), "there is no code of that size");
    }
}
