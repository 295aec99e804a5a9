//! Sites that may frame an embed: `http(s)://host[:port]`, or `https://*.example.com`. No IPv6 address.

/// The one spelling of an origin: without the port that its scheme has anyway. `None` when it is none.
pub fn read(text: &str) -> Option<String> {
    let (scheme, rest, own_port) = match text.strip_prefix("https://") {
        Some(rest) => ("https", rest, "443"),
        None => ("http", text.strip_prefix("http://")?, "80"),
    };
    let (host, port) = rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
    let host = name(host)?;
    match port {
        Some(port) if !is_port(port) => None,
        Some(port) if port != own_port => Some(format!("{scheme}://{host}:{port}")),
        _ => Some(format!("{scheme}://{host}")),
    }
}

/// A host's name, of 253 characters at most, or four numbers. `*` stands for the whole first label only, before two others.
fn name(host: &str) -> Option<&str> {
    let below = host.strip_prefix("*.");
    let labels: Vec<&str> = below.unwrap_or(host).split('.').collect();
    let digits = |label: &&str| label.starts_with("0x") || label.bytes().all(|byte| byte.is_ascii_digit());
    let is_address = labels.len() == 4 && labels.iter().all(|label| is_number(label, 255));
    let fits = host.len() <= 253
        && labels.iter().all(|label| is_label(label))
        && (below.is_none() || labels.len() >= 2)
        // Browsers take a name that ends with a number for an address.
        && (!labels.last().is_some_and(digits) || (below.is_none() && is_address));
    fits.then_some(host)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_port(port: &str) -> bool {
    port != "0" && is_number(port, 65_535)
}

fn is_number(text: &str, most: u32) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain && text.parse::<u32>().is_ok_and(|number| number <= most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::model::origin::Origin;

    #[test]
    fn origins_are_those_of_the_product() {
        for text in [
            "https://a.com",
            "https://a.com:443",
            "http://a.com:80",
            "http://a.com:443",
            "https://localhost",
            "http://localhost:3000",
            "http://127.0.0.1",
            "http://1.2.3",
            "http://1.2.3.256",
            "http://01.2.3.4",
            "http://[::1]:8080",
            "http://[::1",
            "http://[0:0:0:0:0:0:0:1]",
            "http://[::1]x",
            "http://[::1]:",
            "http://[::ffff:1.2.3.4]",
            "https://*.a.com",
            "https://*.com",
            "https://*",
            "https://*.*.a.com",
            "https://*a.com",
            "https://a.*.com",
            "https://*.1.2.3.4",
            "https://a.com:",
            "https://a.com:0",
            "https://a.com:00",
            "https://a.com:65535",
            "https://a.com:65536",
            "https://a.com:080",
            "https://a.com:8:8",
            "https://a..com",
            "https://.a.com",
            "https://a.com.",
            "https://-a.com",
            "https://a-.com",
            "https://a_b.com",
            "https://A.com",
            "HTTPS://a.com",
            "ftp://a.com",
            "https:/a.com",
            "https://",
            "",
            "*",
            "null",
            "https://a.com/",
            "https://a.com?x",
            "https://a.com#x",
            "https://u@a.com",
            "https://a b.com",
            "https://\u{e9}.com",
            "https://1.com",
            "https://a.1",
            "https://a.1b",
            "https://a.0x1",
            "https://0xa.com",
            "https://a.com:+1",
            "https://[::1]:80",
            "https://[::1%25a]",
        ] {
            let product = Origin::parse(text).ok().map(String::from);
            assert_eq!(read(text), product, "{text:?}");
        }
        let long = |label: usize| format!("https://{}.{}.com", "a".repeat(label), "b.".repeat(90) + "b");
        for label in [1, 62, 63, 64] {
            assert_eq!(read(&long(label)), Origin::parse(&long(label)).ok().map(String::from), "{label}");
        }
    }
}
