//! A text as a picture that a phone reads (QR code, ISO/IEC 18004).

use std::path::Path;

use qrcode::bits::Bits;
use qrcode::{Color, EcLevel, QrCode, Version};

use crate::failure::{Failure, OrFail};
use crate::output::{self, Output, Readers};
use crate::terminal;

/// Light modules around the picture, without which no reader finds it.
const QUIET: usize = 4;
/// Dots of a module in a picture of dots: enough for a printed label.
const DOTS: usize = 8;
/// How much may be dirty: 15 % of the picture, or 7 % if the text is long.
const LEVELS: [EcLevel; 2] = [EcLevel::M, EcLevel::L];
/// Says that the text is UTF-8 (AIM ECI assignment 26).
const ECI_UTF_8: u32 = 26;

/// What becomes of the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Picture {
    /// Half blocks on standard output.
    Terminal,
    /// A drawing (SVG).
    Svg(std::path::PathBuf),
    /// Dots (PNG).
    Png(std::path::PathBuf),
}

impl Picture {
    /// What `--qr` was given: `-`, or a file whose name says its kind.
    ///
    /// # Errors
    /// If it is another kind.
    pub fn of(word: std::ffi::OsString) -> Result<Self, Failure> {
        match Output::from(word) {
            Output::Standard => Ok(Self::Terminal),
            Output::File(path) => match path.extension().and_then(|end| end.to_str()) {
                Some("svg") => Ok(Self::Svg(path)),
                Some("png") => Ok(Self::Png(path)),
                _ => Err(Failure::usage("--qr takes a file that ends in .svg or .png, or - for the terminal")),
            },
        }
    }

    /// The file it goes to.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Terminal => None,
            Self::Svg(path) | Self::Png(path) => Some(path),
        }
    }

    /// Draws a text and puts it where it belongs.
    ///
    /// # Errors
    /// If the text is too long, or the file cannot be written.
    pub fn draw(&self, text: &str, may_replace: bool) -> Result<(), Failure> {
        let grid = Grid::of(text)?;
        match self {
            Self::Terminal => terminal::print(&grid.half_blocks()),
            Self::Svg(path) => output::write(path, grid.svg().as_bytes(), Readers::Owner, may_replace),
            Self::Png(path) => output::write(path, &grid.png()?, Readers::Owner, may_replace),
        }
    }
}

/// The smallest picture with what can be corrected of it as it should be, or else as it must be.
fn code(text: &str) -> Option<QrCode> {
    if text.is_ascii() {
        return LEVELS.into_iter().find_map(|level| QrCode::with_error_correction_level(text, level).ok());
    }
    // Without being told, readers take what is not ASCII for whatever they are used to.
    LEVELS.into_iter().flat_map(|level| (1..=40).map(move |size| (level, size))).find_map(|(level, size)| {
        let mut bits = Bits::new(Version::Normal(size));
        bits.push_eci_designator(ECI_UTF_8).ok()?;
        bits.push_byte_data(text.as_bytes()).ok()?;
        bits.push_terminator(level).ok()?;
        QrCode::with_bits(bits, level).ok()
    })
}

/// The modules, with light ones around.
struct Grid {
    width: usize,
    dark: Vec<bool>,
}

impl Grid {
    fn of(text: &str) -> Result<Self, Failure> {
        let code = code(text)
            .ok_or_else(|| Failure::new("the file is too long for a picture: leave out what the box knows anyway"))?;
        let (inner, width) = (code.width(), code.width() + 2 * QUIET);
        let mut dark = vec![false; width * width];
        for (place, color) in code.to_colors().into_iter().enumerate() {
            let at = (place / inner + QUIET) * width + place % inner + QUIET;
            if let Some(module) = dark.get_mut(at) {
                *module = color == Color::Dark;
            }
        }
        Ok(Self { width, dark })
    }

    fn is_dark(&self, x: usize, y: usize) -> bool {
        self.dark.get(y * self.width + x).copied().unwrap_or(false)
    }

    /// Two rows to a line. Colours are set, for a terminal may be dark or light.
    fn half_blocks(&self) -> String {
        let mut text = String::new();
        for y in (0..self.width).step_by(2) {
            text.push_str("\x1b[30;107m");
            for x in 0..self.width {
                text.push(match (self.is_dark(x, y), self.is_dark(x, y + 1)) {
                    (false, false) => ' ',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (true, true) => '█',
                });
            }
            text.push_str("\x1b[0m\n");
        }
        text
    }

    fn svg(&self) -> String {
        let width = self.width;
        let mut path = String::new();
        for y in 0..width {
            for x in (0..width).filter(|x| self.is_dark(*x, y)) {
                path.push_str(&format!("M{x} {y}h1v1h-1z"));
            }
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {width}\" width=\"{dots}\" \
             height=\"{dots}\" shape-rendering=\"crispEdges\">\n\
             <rect width=\"{width}\" height=\"{width}\" fill=\"#fff\"/>\n<path d=\"{path}\"/>\n</svg>\n",
            dots = width * DOTS,
        )
    }

    fn png(&self) -> Result<Vec<u8>, Failure> {
        let failed = || "cannot draw the picture".to_owned();
        let dots = self.width * DOTS;
        let side = u32::try_from(dots).or_fail(failed)?;
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, side, side);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().or_fail(failed)?;
        let picture: Vec<u8> = (0..dots * dots)
            .map(|dot| if self.is_dark(dot % dots / DOTS, dot / dots / DOTS) { 0 } else { 255 })
            .collect();
        writer.write_image_data(&picture).or_fail(failed)?;
        writer.finish().or_fail(failed)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b8_a_picture_has_light_around_it_and_the_finder_in_its_corner() {
        let grid = Grid::of("storebox").unwrap();
        assert!((0..grid.width).all(|x| (0..QUIET).all(|y| !grid.is_dark(x, y) && !grid.is_dark(y, x))));
        assert!((0..7).all(|step| grid.is_dark(QUIET + step, QUIET) && grid.is_dark(QUIET, QUIET + step)));
        assert!(!grid.is_dark(QUIET + 1, QUIET + 1) && grid.is_dark(QUIET + 2, QUIET + 2));
        let lines: Vec<String> = grid.half_blocks().lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), grid.width.div_ceil(2));
        assert!(lines[0].trim_matches(|c| "\x1b[30;107m".contains(c)).trim().is_empty(), "{:?}", lines[0]);
        assert!(grid.svg().starts_with("<svg ") && grid.svg().contains("M4 4h1v1h-1z"));
        assert_eq!(grid.png().unwrap()[..4], [0x89, b'P', b'N', b'G']);
    }

    #[test]
    fn b8_what_is_too_long_is_refused_in_words() {
        assert!(Grid::of(&"x".repeat(2900)).is_ok());
        assert!(Grid::of(&"ü".repeat(1400)).is_ok());
        let failure = Grid::of(&"x".repeat(3000)).err().unwrap();
        assert!(failure.to_string().contains("too long"), "{failure}");
    }

    #[test]
    fn the_name_says_what_kind_of_picture() {
        assert_eq!(Picture::of("-".into()).unwrap(), Picture::Terminal);
        assert_eq!(Picture::of("a/b.svg".into()).unwrap(), Picture::Svg("a/b.svg".into()));
        assert_eq!(Picture::of("b.png".into()).unwrap().path(), Some(Path::new("b.png")));
        assert_eq!(Picture::of("b.jpg".into()).unwrap_err().code(), crate::failure::USAGE);
    }
}
