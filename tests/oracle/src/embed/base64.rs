//! Base64 for URLs without padding: one spelling for each text of bytes.

/// The digits, by their values.
pub const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Reads it. Bits at the end that belong to no byte must be zero.
pub fn read(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.bytes() {
        let digit = DIGITS.iter().position(|digit| *digit == letter)?;
        bits = (bits << 6) | u32::try_from(digit).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count).ok()?);
            bits &= (1 << count) - 1;
        }
    }
    (count < 6 && bits == 0).then_some(bytes)
}

/// Writes it.
pub fn write(bytes: impl AsRef<[u8]>) -> String {
    let mut text = String::new();
    for three in bytes.as_ref().chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..=three.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648() {
        for (bytes, text) in
            [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE")]
        {
            assert_eq!(write(bytes), text);
            assert_eq!(read(text).as_deref(), Some(bytes.as_bytes()));
        }
        for text in ["Zg==", "Zh", "Z", "Zm9", "Zm9vY", "Zm+v", "Zm/v", "Zm9v\n", " Zm9v"] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(read("-_-_"), Some(vec![0xfb, 0xff, 0xbf]));
    }
}
