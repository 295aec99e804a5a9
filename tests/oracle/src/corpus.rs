//! Values that owners use, and the forms in which a stranger may try them.

use fastrand::Rng;
use serde_json::{Value, json};

/// Texts, some of which look like other things.
pub const WORDS: [&str; 12] = [
    "north",
    "North Sea",
    "caf\u{e9}",
    "istanbul",
    "\u{c5}land",
    "1",
    "1.0",
    "true",
    "null",
    "",
    "o'brien",
    "2024-02-29",
];

/// Days, in order; the first and the last that there are among them.
pub const DAYS: [&str; 9] = [
    "0001-01-01",
    "2023-12-31",
    "2024-01-01",
    "2024-02-29",
    "2024-06-30",
    "2024-12-31",
    "2025-01-01",
    "2025-02-28",
    "9999-12-31",
];

/// What is almost a day.
pub const NO_DAYS: [&str; 10] = [
    "2023-02-29",
    "2024-13-01",
    "2024-00-10",
    "0000-01-01",
    "2024-1-1",
    "2024-01-01 ",
    "2024-01-01T00:00:00Z",
    "\u{ff12}024-01-01",
    "+024-01-01",
    "yesterday",
];

/// JSON that some reader might take for a value, and ours takes as what it is or not at all.
pub const TOKENS: [&str; 24] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-0.0",
    "1",
    "1.0",
    "1e0",
    "0.1e1",
    "1.0000000000000000001",
    "1e-400",
    "5e-324",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "18446744073709551616",
    "1e308",
    "1e309",
    "01",
    "NaN",
    "\"\"",
    "[]",
    "{}",
];

/// One of a list, which must not be empty.
pub fn pick<T: Clone>(rng: &mut Rng, list: &[T]) -> T {
    list[rng.usize(0..list.len())].clone()
}

/// A number that a filter takes.
pub fn number(rng: &mut Rng) -> Value {
    let whole = [0, 1, 2, -1, 7, 1_000_000, 9_007_199_254_740_991_i64, -9_007_199_254_740_991];
    let broken = [0.5, 1.5, 0.1, -2.25, 0.1 + 0.2, 1e-7];
    match rng.u8(0..8) {
        0..4 => json!(pick(rng, &whole)),
        4..7 => json!(pick(rng, &broken)),
        _ => json!(rng.f64()),
    }
}

/// One of [`WORDS`].
pub fn word(rng: &mut Rng) -> Value {
    json!(pick(rng, &WORDS))
}

/// One of [`DAYS`].
pub fn day(rng: &mut Rng) -> &'static str {
    pick(rng, &DAYS)
}

/// Forms in which a text is another text, though it may look like the same or fold to it.
const FORMS: [fn(&str) -> String; 22] = [
    str::to_uppercase,
    |text| text.chars().rev().collect(),
    |text| {
        let mut rest = text.chars();
        rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
    },
    |text| format!("{text} "),
    |text| format!(" {text}"),
    |text| format!("{text}\n"),
    |text| format!("{text}\t"),
    |text| format!("{text}\u{a0}"),
    // The same letters, composed otherwise.
    |text| text.replace('\u{e9}', "e\u{301}").replace('\u{c5}', "A\u{30a}"),
    |text| text.replace('\u{c5}', "\u{212b}"),
    // Zero width.
    |text| format!("{text}\u{200b}"),
    |text| text.chars().flat_map(|letter| [letter, '\u{200d}']).collect(),
    |text| format!("\u{feff}{text}"),
    |text| format!("{text}\u{301}"),
    // Full width.
    |text| text.chars().map(|letter| wide(letter).unwrap_or(letter)).collect(),
    // The i of Turkish.
    |text| text.replace('i', "\u{131}"),
    |text| text.replace('i', "\u{130}"),
    // The o and a of Cyrillic.
    |text| text.replace('o', "\u{43e}").replace('a', "\u{430}"),
    |text| format!("{text}' OR '1'='1"),
    |text| format!("{text}%"),
    |text| format!("[\"{text}\"]"),
    |text| text.trim().to_owned(),
];

fn wide(letter: char) -> Option<char> {
    letter.is_ascii_graphic().then(|| char::from_u32(u32::from(letter) + 0xfee0)).flatten()
}

/// The text in another form; in some forms some texts stay as they are.
pub fn twin(rng: &mut Rng, text: &str) -> String {
    pick(rng, &FORMS)(text)
}

/// The text in every form, its own first, each once.
pub fn twins(text: &str) -> Vec<String> {
    let mut forms = vec![text.to_owned()];
    for form in FORMS {
        let twin = form(text);
        if !forms.contains(&twin) {
            forms.push(twin);
        }
    }
    forms
}
