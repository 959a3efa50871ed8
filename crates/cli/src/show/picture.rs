//! A picture for a camera (a QR code), drawn with the blocks of a terminal.

/// Light squares around it, without which no camera finds it.
const MARGIN: usize = 4;

/// Lines of blocks, two rows of squares a line. What is drawn are the light
/// squares: most terminals write light on dark. Nothing for no picture.
pub(crate) fn draw(rows: &[String]) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let side = rows.len() + 2 * MARGIN;
    let light = |x: usize, y: usize| {
        let row = y.checked_sub(MARGIN).and_then(|y| rows.get(y));
        let square = row.zip(x.checked_sub(MARGIN)).and_then(|(row, x)| row.as_bytes().get(x));
        y < side && square != Some(&b'#')
    };
    let block = |x, y| match (light(x, y), light(x, y + 1)) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    };
    (0..side).step_by(2).map(|y| (0..side).map(|x| block(x, y)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_rows_a_line_and_a_light_margin() {
        let rows = ["##.".to_owned(), "#..".to_owned(), ".##".to_owned()];
        let drawn = draw(&rows);
        let margin = "███████████";
        // The odd row at the foot is drawn by its upper half.
        assert_eq!(drawn, [margin, margin, "████ ▄█████", "█████▄▄████", margin, "▀▀▀▀▀▀▀▀▀▀▀"]);
        assert!(draw(&[]).is_empty());
    }
}
