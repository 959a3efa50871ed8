//! `cargo xtask icons`: draws every size of the artwork in `icons/` from its
//! SVG sources, and packs the containers Windows and macOS want.
//!
//! The pictures are committed, so that a build needs no drawing program; this
//! one needs `rsvg-convert` (Debian: librsvg2-bin). `icons/drawn.txt` says what
//! each was drawn from: a test fails when that is no longer so.

use anyhow::{Context, Result, bail};
use std::f64::consts::TAU;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// The app's icon as PNG files.
const SIZES: [u32; 7] = [16, 24, 32, 64, 128, 256, 512];
/// Up to this size the simpler drawing is used.
const SMALL: u32 = 32;
/// What Windows picks from.
const ICO: [u32; 6] = [16, 24, 32, 48, 64, 256];
/// What macOS picks from: type codes with their sizes in pixels.
const ICNS: [(&[u8; 4], u32); 8] = [
    (b"icp4", 16),
    (b"ic11", 32),
    (b"ic12", 64),
    (b"ic07", 128),
    (b"ic13", 256),
    (b"ic08", 256),
    (b"ic14", 512),
    (b"ic09", 512),
];
/// The tray: 22 points on a dense screen; panels make it smaller themselves.
const TRAY: u32 = 44;
/// How much of a focus block is left, in per cent.
const LEFT: [u32; 5] = [0, 25, 50, 75, 100];
/// What each picture was drawn from, and what came of it.
const DRAWN: &str = "drawn.txt";

/// Draws everything again.
pub fn run() -> Result<ExitCode> {
    let folder = folder();
    let mut drawn = String::new();
    for picture in pictures(&folder)? {
        let bytes = picture.draw()?;
        fs::write(folder.join(&picture.file), &bytes)?;
        drawn += &picture.line(&bytes);
    }
    fs::write(folder.join(DRAWN), drawn)?;
    println!("drawn: {}", folder.display());
    Ok(ExitCode::SUCCESS)
}

/// A file that is drawn.
struct Picture {
    /// In the folder of the artwork.
    file: String,
    form: Form,
    /// The drawings in it, with their sizes; a PNG file has one.
    parts: Vec<(String, u32)>,
}

enum Form {
    Png,
    Ico,
    Icns,
}

impl Picture {
    fn png(file: String, svg: String, size: u32) -> Self {
        Self { file, form: Form::Png, parts: vec![(svg, size)] }
    }

    fn draw(&self) -> Result<Vec<u8>> {
        let drawn = self.parts.iter().map(|(svg, size)| png(svg, *size)).collect::<Result<Vec<_>>>()?;
        match self.form {
            Form::Png => Ok(drawn.concat()),
            Form::Ico => ico(&drawn),
            Form::Icns => icns(&drawn),
        }
    }

    /// Its line in [`DRAWN`], when these are its bytes.
    fn line(&self, bytes: &[u8]) -> String {
        let parts = self.parts.iter().map(|(svg, size)| format!("{size} {svg}")).collect::<String>();
        format!("{} {:016x} {:016x}\n", self.file, fnv(parts.as_bytes()), fnv(bytes))
    }
}

/// Every picture, as the sources in the folder would have it.
fn pictures(folder: &Path) -> Result<Vec<Picture>> {
    let read = |name: &str| -> Result<String> {
        let path = folder.join(name);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(text.replace("\r\n", "\n"))
    };
    let (large, small) = (read("meantime.svg")?, read("meantime-small.svg")?);
    let app = |size: u32| (if size <= SMALL { small.clone() } else { large.clone() }, size);
    let mut pictures: Vec<Picture> =
        SIZES.map(app).into_iter().map(|(svg, size)| Picture::png(format!("{size}.png"), svg, size)).collect();
    pictures.push(Picture { file: "meantime.ico".into(), form: Form::Ico, parts: ICO.map(app).into() });
    let parts = ICNS.map(|(_, size)| app(size)).into();
    pictures.push(Picture { file: "meantime.icns".into(), form: Form::Icns, parts });

    // Black is macOS's template, which it colours itself; the other is for
    // panels nobody tells the shade of.
    for (variant, source, ink, radius) in [("black", "", "#000000", 5.2), ("color", "-color", "#fffdf7", 4.6)] {
        let file = |name: &str| format!("tray/{name}-{variant}-{TRAY}.png");
        let source = |name: &str| {
            Ok::<_, anyhow::Error>(read(&format!("tray/{name}{source}.svg"))?.replace("currentColor", ink))
        };
        pictures.push(Picture::png(file("idle"), source("idle")?, TRAY));
        let focus = source("focus")?;
        for left in LEFT {
            let svg = focus.replace("</svg>", &format!("{}</svg>", wedge(left, radius, ink)));
            pictures.push(Picture::png(file(&format!("focus-{left}")), svg, TRAY));
        }
    }
    Ok(pictures)
}

fn folder() -> PathBuf {
    crate::paths::root().join("icons")
}

/// What is left of the block, as a clock's face empties: it ends at twelve.
fn wedge(left: u32, radius: f64, ink: &str) -> String {
    match left {
        0 => format!("<circle cx='11' cy='11' r='1.5' fill='{ink}'/>"),
        100 => format!("<circle cx='11' cy='11' r='{radius}' fill='{ink}'/>"),
        _ => {
            let angle = TAU * (1.0 - f64::from(left) / 100.0);
            let (x, y) = (11.0 + radius * angle.sin(), 11.0 - radius * angle.cos());
            let large = u32::from(left > 50);
            let top = 11.0 - radius;
            format!("<path d='M11 11L{x:.3} {y:.3}A{radius} {radius} 0 {large} 1 11 {top:.3}Z' fill='{ink}'/>")
        }
    }
}

fn png(svg: &str, size: u32) -> Result<Vec<u8>> {
    let size = size.to_string();
    let mut child = Command::new("rsvg-convert")
        .args(["--width", &size, "--height", &size])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("rsvg-convert draws the icons; install it (Debian: librsvg2-bin)")?;
    let mut stdin = child.stdin.take().context("its input")?;
    stdin.write_all(svg.as_bytes())?;
    drop(stdin);
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("rsvg-convert failed at {size} px");
    }
    Ok(output.stdout)
}

/// ICO with PNG pictures: a directory of 16-byte entries, then the pictures.
fn ico(pictures: &[Vec<u8>]) -> Result<Vec<u8>> {
    let mut file = vec![0, 0, 1, 0];
    file.extend(u16::try_from(pictures.len())?.to_le_bytes());
    let mut at = 6 + 16 * pictures.len();
    for (size, png) in ICO.iter().zip(pictures) {
        let side = if *size >= 256 { 0 } else { u8::try_from(*size)? };
        file.extend([side, side, 0, 0, 1, 0, 32, 0]);
        file.extend(u32::try_from(png.len())?.to_le_bytes());
        file.extend(u32::try_from(at)?.to_le_bytes());
        at += png.len();
    }
    pictures.iter().for_each(|png| file.extend(png));
    Ok(file)
}

/// ICNS: `icns`, its length, then code, length and picture of each.
fn icns(pictures: &[Vec<u8>]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    for ((code, _), png) in ICNS.iter().zip(pictures) {
        body.extend_from_slice(*code);
        body.extend(u32::try_from(png.len() + 8)?.to_be_bytes());
        body.extend(png);
    }
    let mut file = b"icns".to_vec();
    file.extend(u32::try_from(body.len() + 8)?.to_be_bytes());
    file.extend(body);
    Ok(file)
}

/// FNV-1a, which gives the same number on every machine and in every year.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pictures_are_of_these_sources_and_no_others_are_there() {
        let folder = folder();
        let pictures = pictures(&folder).unwrap();
        let drawn = fs::read_to_string(folder.join(DRAWN)).unwrap();
        let now = pictures.iter().map(|picture| picture.line(&fs::read(folder.join(&picture.file)).unwrap()));
        assert_eq!(
            drawn.lines().collect::<Vec<_>>(),
            now.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>(),
            "cargo xtask icons"
        );

        let mut files = Vec::new();
        for below in ["", "tray/"] {
            for entry in fs::read_dir(folder.join(below)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                files.extend(
                    [".png", ".ico", ".icns"].iter().any(|end| name.ends_with(end)).then(|| format!("{below}{name}")),
                );
            }
        }
        let mut named: Vec<&str> = pictures.iter().map(|picture| picture.file.as_str()).collect();
        files.sort();
        named.sort_unstable();
        assert_eq!(files, named);
    }
}
