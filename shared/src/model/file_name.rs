//! Names of files that browsers save.

/// Longest name, in bytes without its ending.
const MAX_BYTES: usize = 64;

/// A name for what people call `title`: its letters and digits alone, with dashes between them, so that no system, shell or header
/// reads anything else in it.
pub fn harmless(title: &str, ending: &str) -> String {
    let mut name = String::new();
    for letter in title.chars().flat_map(char::to_lowercase) {
        if letter.is_ascii_alphanumeric() {
            name.push(letter);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
        if name.len() == MAX_BYTES {
            break;
        }
    }
    let name = name.trim_end_matches('-');
    format!("{}.{ending}", if name.is_empty() { "data" } else { name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_harmless() {
        for (name, file) in [
            ("Daily weather, Seattle & New York", "daily-weather-seattle-new-york.csv"),
            ("../../etc/passwd", "etc-passwd.csv"),
            ("\"; filename=evil.exe\r\nX: y", "filename-evil-exe-x-y.csv"),
            ("天気", "data.csv"),
            ("CON.", "con.csv"),
        ] {
            assert_eq!(harmless(name, "csv"), file);
        }
        assert_eq!(harmless(&"x".repeat(200), "jsonl").len(), 64 + ".jsonl".len());
    }
}
