//! `cargo xtask icons`: draws every size of the artwork in `icons/` from its
//! SVG sources, and packs the containers Windows and macOS want.
//!
//! The pictures are committed, so that a build needs no drawing program; this
//! one needs `rsvg-convert` (Debian: librsvg2-bin).

use anyhow::{Context, Result, bail};
use std::f64::consts::TAU;
use std::fs;
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
/// The tray: points, and twice as many pixels for dense screens.
const TRAY: [u32; 2] = [22, 44];
/// How much of a focus block is left, in per cent.
const LEFT: [u32; 5] = [0, 25, 50, 75, 100];

/// Draws everything again.
pub fn run() -> Result<ExitCode> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../icons");
    app(&folder)?;
    tray(&folder.join("tray"))?;
    println!("drawn: {}", folder.display());
    Ok(ExitCode::SUCCESS)
}

fn app(folder: &Path) -> Result<()> {
    let [large, small] = ["meantime.svg", "meantime-small.svg"].map(|name| fs::read_to_string(folder.join(name)));
    let (large, small) = (large?, small?);
    let draw = |size: u32| png(if size <= SMALL { &small } else { &large }, size);
    for size in SIZES {
        fs::write(folder.join(format!("{size}.png")), draw(size)?)?;
    }
    let pictures = ICO.map(|size| draw(size).map(|png| (size, png))).into_iter().collect::<Result<Vec<_>>>()?;
    fs::write(folder.join("meantime.ico"), ico(&pictures)?)?;
    let pictures =
        ICNS.map(|(code, size)| draw(size).map(|png| (code, png))).into_iter().collect::<Result<Vec<_>>>()?;
    fs::write(folder.join("meantime.icns"), icns(&pictures)?)?;
    Ok(())
}

/// `black` is macOS's template and for light panels, `white` for dark ones,
/// `color` for panels nobody tells the shade of.
fn tray(folder: &Path) -> Result<()> {
    for (variant, source, ink, radius) in
        [("black", "", "#000000", 5.2), ("white", "", "#f4f2ec", 5.2), ("color", "-color", "#fffdf7", 4.6)]
    {
        let read = |name: &str| {
            let path = folder.join(format!("{name}{source}.svg"));
            fs::read_to_string(&path).with_context(|| path.display().to_string())
        };
        let (idle, focus) = (read("idle")?.replace("currentColor", ink), read("focus")?.replace("currentColor", ink));
        for size in TRAY {
            let file = |name: &str| -> PathBuf { folder.join(format!("{name}-{variant}-{size}.png")) };
            fs::write(file("idle"), png(&idle, size)?)?;
            for left in LEFT {
                let svg = focus.replace("</svg>", &format!("{}</svg>", wedge(left, radius, ink)));
                fs::write(file(&format!("focus-{left}")), png(&svg, size)?)?;
            }
        }
    }
    Ok(())
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
    std::io::Write::write_all(&mut stdin, svg.as_bytes())?;
    drop(stdin);
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("rsvg-convert failed at {size} px");
    }
    Ok(output.stdout)
}

/// ICO with PNG pictures: a directory of 16-byte entries, then the pictures.
fn ico(pictures: &[(u32, Vec<u8>)]) -> Result<Vec<u8>> {
    let mut file = vec![0, 0, 1, 0];
    file.extend(u16::try_from(pictures.len())?.to_le_bytes());
    let mut at = 6 + 16 * pictures.len();
    for (size, png) in pictures {
        let side = if *size >= 256 { 0 } else { u8::try_from(*size)? };
        file.extend([side, side, 0, 0, 1, 0, 32, 0]);
        file.extend(u32::try_from(png.len())?.to_le_bytes());
        file.extend(u32::try_from(at)?.to_le_bytes());
        at += png.len();
    }
    pictures.iter().for_each(|(_, png)| file.extend(png));
    Ok(file)
}

/// ICNS: `icns`, its length, then code, length and picture of each.
fn icns(pictures: &[(&[u8; 4], Vec<u8>)]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    for (code, png) in pictures {
        body.extend_from_slice(*code);
        body.extend(u32::try_from(png.len() + 8)?.to_be_bytes());
        body.extend(png);
    }
    let mut file = b"icns".to_vec();
    file.extend(u32::try_from(body.len() + 8)?.to_be_bytes());
    file.extend(body);
    Ok(file)
}
