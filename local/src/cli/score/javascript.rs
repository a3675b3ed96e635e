//! JSON with numbers as JavaScript writes them: `0` rather than `0.0`, `0.00001` rather than
//! `1e-5`. Output can then be compared with the platform's as text.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Appends `value` to `output`.
///
/// # Errors
/// When `value` is no JSON; its types say that it is.
pub(super) fn write_json(output: &mut Vec<u8>, value: &impl Serialize) -> io::Result<()> {
    Ok(value.serialize(&mut Serializer::with_formatter(output, JavaScript))?)
}

struct JavaScript;

impl Formatter for JavaScript {
    /// Both languages write the fewest digits that read back as the same double. JavaScript's
    /// exponents begin below 1e-6; at 1e21 they begin again, which no score reaches.
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        if value == 0.0 || value.abs() >= 1e-6 {
            write!(writer, "{value}")
        } else {
            write!(writer, "{value:e}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_numbers_as_javascript_does() {
        let mut output = Vec::new();
        let numbers = [0.0, 1.0, 0.5, 0.1 + 0.2, 1e-5, 1e-6, 1.5e-7, 1.0 / 3.0];
        assert!(write_json(&mut output, &numbers).is_ok());
        assert_eq!(
            String::from_utf8_lossy(&output),
            "[0,1,0.5,0.30000000000000004,0.00001,0.000001,1.5e-7,0.3333333333333333]"
        );
    }
}
