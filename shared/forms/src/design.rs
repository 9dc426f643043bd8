//! The looks of a form: colours, font and logo. Pure.
//!
//! Every text keeps a contrast of 4.5 to 1 and every edge 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11). A design that breaks this
//! is refused. The page loads nothing but the logo.

use serde::{Deserialize, Serialize};

/// Least contrast of text.
const TEXT: f64 = 4.5;
/// Least contrast of an edge, such as that of the button.
const EDGE: f64 = 3.0;
/// Reds for faults, for light and for dark backgrounds.
const REDS: [&str; 2] = ["#b00020", "#ffb3ba"];

/// A font that visitors have; nothing is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = FormFont)]
#[serde(rename_all = "snake_case")]
pub enum Font {
    /// The font of the visitor's system.
    #[default]
    System,
    /// Arial or Helvetica.
    Arial,
    /// Verdana.
    Verdana,
    /// Tahoma.
    Tahoma,
    /// Georgia.
    Georgia,
    /// Times New Roman.
    Times,
}

impl Font {
    fn family(self) -> &'static str {
        match self {
            Self::System => "system-ui,sans-serif",
            Self::Arial => "Arial,Helvetica,sans-serif",
            Self::Verdana => "Verdana,Geneva,sans-serif",
            Self::Tahoma => "Tahoma,Verdana,sans-serif",
            Self::Georgia => "Georgia,serif",
            Self::Times => "\"Times New Roman\",Times,serif",
        }
    }
}

/// The looks of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = FormDesign)]
#[serde(deny_unknown_fields)]
pub struct Design {
    /// Colour of the page, such as `#ffffff`.
    #[serde(default = "white")]
    #[schema(max_length = 7, pattern = "^#[0-9a-fA-F]{6}$", example = "#fff8f0")]
    pub background_color: String,
    /// Colour of the text; its contrast with the page is at least 4.5 to 1.
    #[serde(default = "ink")]
    #[schema(max_length = 7, pattern = "^#[0-9a-fA-F]{6}$", example = "#1a1a1a")]
    pub text_color: String,
    /// Colour of the button; its contrast with the page is at least 3 to 1. The button's text is black or white.
    #[serde(default = "blue")]
    #[schema(max_length = 7, pattern = "^#[0-9a-fA-F]{6}$", example = "#b3261e")]
    pub button_color: String,
    /// Font.
    #[serde(default)]
    pub font: Font,
    /// Picture above the heading. It begins with https://.
    #[serde(default)]
    #[schema(max_length = 2000, example = "https://shop.example.vn/logo.png")]
    pub logo_url: Option<String>,
}

fn white() -> String {
    "#ffffff".into()
}

fn ink() -> String {
    "#1a1a1a".into()
}

fn blue() -> String {
    "#0b5cad".into()
}

impl Default for Design {
    fn default() -> Self {
        Self {
            background_color: white(),
            text_color: ink(),
            button_color: blue(),
            font: Font::default(),
            logo_url: None,
        }
    }
}

impl Design {
    /// Wrong colours, by the name of their setting.
    pub fn flaws(&self) -> Vec<(&'static str, String)> {
        let mut flaws = Vec::new();
        let colors = [
            ("background_color", &self.background_color),
            ("text_color", &self.text_color),
            ("button_color", &self.button_color),
        ];
        for (name, color) in colors {
            if luminance(color).is_none() {
                flaws.push((name, "expected a colour such as #0b5cad".to_owned()));
            }
        }
        let pairs = [
            ("text_color", &self.text_color, TEXT),
            ("button_color", &self.button_color, EDGE),
        ];
        for (name, color, least) in pairs {
            let found = contrast(color, &self.background_color);
            if let Some(found) = found.filter(|found| *found < least) {
                // Rounded down, so that 4.49 is not shown as 4.5.
                let shown = (found * 10.0).floor() / 10.0;
                let message = format!(
                    "has a contrast of {shown} to 1 with background_color; at least {least} to 1"
                );
                flaws.push((name, message));
            }
        }
        flaws
    }

    /// The rules of the style sheet that follow the design.
    pub fn style(&self) -> String {
        let (page, text, button) = (&self.background_color, &self.text_color, &self.button_color);
        let on_button = readable(button, &["#ffffff", "#000000"]);
        let [red, pale] = REDS;
        let fault = readable(page, &[red, pale, text]);
        format!(
            "body{{font-family:{};color:{text};background:{page}}}.help{{color:{text}}}\
             button{{color:{on_button};background:{button}}}.error{{color:{fault}}}.summary{{border-color:{fault}}}\
             a{{color:{text}}}fieldset{{border-color:{text}}}:focus-visible{{outline-color:{text}}}",
            self.font.family()
        )
    }
}

/// The first colour that can be read on `page`; the last one if none can.
fn readable<'a>(page: &str, colors: &[&'a str]) -> &'a str {
    let is_fine = |color: &&&str| contrast(color, page).is_some_and(|found| found >= TEXT);
    let last = colors.last().copied().unwrap_or("#000000");
    colors.iter().find(is_fine).copied().unwrap_or(last)
}

/// The contrast of two colours, 1 to 21, by WCAG 2.2; `None`: one is no colour.
fn contrast(one: &str, other: &str) -> Option<f64> {
    let (one, other) = (luminance(one)?, luminance(other)?);
    Some((one.max(other) + 0.05) / (one.min(other) + 0.05))
}

/// The relative luminance of `#rrggbb`, 0 to 1.
///
/// <https://www.w3.org/TR/WCAG22/#dfn-relative-luminance>
fn luminance(color: &str) -> Option<f64> {
    let digits = color.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let part = |at: usize| {
        let byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
        let part = f64::from(byte) / 255.0;
        Some(if part <= 0.040_45 {
            part / 12.92
        } else {
            ((part + 0.055) / 1.055).powf(2.4)
        })
    };
    Some(0.2126 * part(0)? + 0.7152 * part(2)? + 0.0722 * part(4)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn design(page: &str, text: &str, button: &str) -> Design {
        Design {
            background_color: page.into(),
            text_color: text.into(),
            button_color: button.into(),
            ..Design::default()
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        let round = |one, other| contrast(one, other).map(|found| (found * 100.0).round());
        assert_eq!(round("#000000", "#ffffff"), Some(2100.0));
        assert_eq!(round("#777777", "#FFFFFF"), Some(448.0));
        for bad in ["red", "#fff", "#12345g", "#1234567", "", "#é2345"] {
            assert_eq!(contrast(bad, "#ffffff"), None, "{bad}");
        }
    }

    #[test]
    fn only_a_design_that_can_be_read_is_taken() {
        assert!(Design::default().flaws().is_empty());
        assert!(design("#101010", "#eeeeee", "#ffd54f").flaws().is_empty());
        let names = |design: Design| -> Vec<&str> {
            design.flaws().into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(
            names(design("#ffffff", "#777777", "#dddddd")),
            ["text_color", "button_color"]
        );
        assert_eq!(
            names(design("white", "#000000", "#000000")),
            ["background_color"]
        );
        let styles = design("#fff", "red;}body{display:none", "#000000");
        assert_eq!(names(styles), ["background_color", "text_color"]);
    }

    #[test]
    fn words_on_any_button_and_faults_on_any_page_can_be_read() {
        for red in (0..=255).step_by(51) {
            for green in (0..=255).step_by(51) {
                for blue in (0..=255).step_by(51) {
                    let color = format!("#{red:02x}{green:02x}{blue:02x}");
                    let word = readable(&color, &["#ffffff", "#000000"]);
                    assert!(contrast(word, &color).unwrap() >= TEXT, "{color}");
                    let fault = readable(&color, &[REDS[0], REDS[1], word]);
                    assert!(contrast(fault, &color).unwrap() >= TEXT, "{color}");
                }
            }
        }
    }
}
