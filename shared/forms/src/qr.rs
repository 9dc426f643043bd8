//! The QR code of a form's page, as a picture in SVG. Pure.

use std::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc};

/// Light modules around the code (ISO/IEC 18004).
const MARGIN: i32 = 4;

/// The code of an address. It survives the loss of 15 % of its modules, such as a stain. `None`: the address is too long.
pub fn svg(url: &str) -> Option<String> {
    let code = QrCode::encode_text(url, QrCodeEcc::Medium).ok()?;
    let size = code.size() + 2 * MARGIN;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            let _ = write!(path, "M{},{}h1v1h-1z", x + MARGIN, y + MARGIN);
        }
    }
    let url = kernel::text::html(url);
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {size} {size}\" role=\"img\" \
         shape-rendering=\"crispEdges\"><title>{url}</title><rect width=\"{size}\" height=\"{size}\" fill=\"#fff\"/>\
         <path d=\"{path}\" fill=\"#000\"/></svg>\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_holds_the_corners_of_a_code_and_no_foreign_mark() {
        let svg = svg("https://api.example.vn/f/frm_0123456789a?a=\"<b>").unwrap();
        // The top left corner is dark after the margin.
        assert!(svg.contains("M4,4h1v1h-1z") && !svg.contains("M3,3h1"));
        assert!(svg.contains("&quot;&lt;b&gt;") && !svg.contains("<b>"));
        assert!(super::svg(&"a".repeat(5_000)).is_none());
    }
}
