//! Tokens that must be refused, named by what is wrong with them; tokens that are rightly signed but open nothing; and good ones in
//! every spelling, so that refusing all is no answer.

use super::key::{self, Secret};
use super::{LONGEST, base64};
use serde_json::Value;
use std::fmt::{self, Display};

mod claims;
mod good;
mod header;
mod secret;
mod text;

/// What the tokens are made for.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The installation's root key.
    pub root: [u8; 32],
    /// The organization, as 32 hex digits.
    pub organization: String,
    /// Its key in force.
    pub key_generation: u64,
    /// Its dashboard.
    pub dashboard: String,
    /// The generation of the dashboard's embed.
    pub generation: u64,
    /// Seconds since 1970. Good tokens live from then on for ten minutes at least.
    pub now: u64,
    /// A filter of the dashboard, of the kind `select`.
    pub filter: &'static str,
    /// One of its values.
    pub value: &'static str,
    /// What else opens something in this installation, by name.
    pub credentials: Vec<(&'static str, String)>,
}

impl Scene {
    /// [`Self::now`] in milliseconds, as judges have it.
    pub const fn now_millis(&self) -> i64 {
        self.now.cast_signed() * 1_000
    }
}

/// What must become of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It opens the dashboard.
    Opens,
    /// It says rightly what it says, but there is no such thing: only a record can tell.
    Dead,
    /// It is forged or malformed: it is refused for itself.
    Refused,
}

/// A token.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it is an example of.
    pub class: &'static str,
    /// What it is, in a word or a fragment.
    pub detail: String,
    /// It.
    pub token: String,
    /// What must become of it.
    pub fate: Fate,
}

impl Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short: String = self.detail.chars().take(80).collect();
        write!(formatter, "{} ({short}) {:?}: {}", self.class, self.fate, self.token)
    }
}

/// All of them, each token once.
pub fn corpus(scene: &Scene) -> Vec<Case> {
    let mut forge = Forge::new(scene);
    header::cases(&mut forge);
    claims::cases(&mut forge);
    text::cases(&mut forge);
    secret::cases(&mut forge);
    good::cases(&mut forge);
    forge.cases
}

/// Fields of an object, each as it is written: names may stand there twice, and values may be no JSON.
#[derive(Debug, Clone)]
struct Fields(Vec<(String, String)>);

impl Fields {
    /// With this field, instead of one that has its name.
    fn with(&self, name: &str, raw: impl Display) -> Self {
        let mut fields = self.clone();
        match fields.0.iter_mut().find(|(own, _)| own == name) {
            Some((_, value)) => *value = raw.to_string(),
            None => fields.0.push((name.to_owned(), raw.to_string())),
        }
        fields
    }

    /// With this field before the others, whatever their names.
    fn after(&self, name: &str, raw: &str) -> Self {
        let mut fields = self.clone();
        fields.0.insert(0, (name.to_owned(), raw.to_string()));
        fields
    }

    /// With this field after the others, whatever their names.
    fn before(&self, name: &str, raw: &str) -> Self {
        let mut fields = self.clone();
        fields.0.push((name.to_owned(), raw.to_string()));
        fields
    }

    fn without(&self, name: &str) -> Self {
        Self(self.0.iter().filter(|(own, _)| own != name).cloned().collect())
    }

    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(own, _)| own == name).map_or("", |(_, raw)| raw)
    }

    fn text(&self) -> String {
        self.spaced("", "")
    }

    /// Written with something around names and values.
    fn spaced(&self, around: &str, inside: &str) -> String {
        let field =
            |(name, raw): &(String, String)| format!("{around}\"{name}\"{inside}:{inside}{raw}{around}");
        let fields: Vec<String> = self.0.iter().map(field).collect();
        format!("{{{}}}", fields.join(","))
    }
}

/// Makes the tokens.
struct Forge<'s> {
    scene: &'s Scene,
    /// The organization's key.
    key: String,
    header: Fields,
    claims: Fields,
    cases: Vec<Case>,
}

impl<'s> Forge<'s> {
    fn new(scene: &'s Scene) -> Self {
        let Scene { organization, key_generation, dashboard, generation, now, .. } = scene;
        let text = |text: &str| Value::from(text).to_string();
        let field = |name: &str, raw: String| (name.to_owned(), raw);
        let header = Fields(vec![
            field("alg", text("HS256")),
            field("typ", text("JWT")),
            field("kid", text(&format!("{organization}.{key_generation}"))),
        ]);
        let claims = Fields(vec![
            field("aud", text("postern-embed")),
            field("sub", text(dashboard)),
            field("jti", text("forged")),
            field("iat", (now - 60).to_string()),
            field("exp", (now + 3_600).to_string()),
            field("gen", generation.to_string()),
        ]);
        let key = Secret::Root(scene.root)
            .key(organization, *key_generation)
            .expect("any key comes from the root key");
        Self { scene, key, header, claims, cases: Vec::new() }
    }

    /// A token that is refused, as it is.
    fn refused(&mut self, class: &'static str, detail: impl Display, token: String) {
        self.case(Fate::Refused, class, detail, token);
    }

    /// A token of this header, rightly signed.
    fn header(&mut self, class: &'static str, header: &Fields) {
        self.header_text(class, header.text());
    }

    fn header_text(&mut self, class: &'static str, header: impl AsRef<[u8]>) {
        let token = key::token(&header, self.claims.text(), &self.key);
        self.refused(class, String::from_utf8_lossy(header.as_ref()), token);
    }

    /// A token of these claims, rightly signed.
    fn claims(&mut self, class: &'static str, claims: &Fields) {
        self.claims_text(class, claims.text());
    }

    fn claims_text(&mut self, class: &'static str, claims: impl AsRef<[u8]>) {
        let token = key::token(self.header.text(), &claims, &self.key);
        self.refused(class, String::from_utf8_lossy(claims.as_ref()), token);
    }

    /// Lines of a text: the class that was named last, a field's name, and what it says.
    fn read(&self, text: &'static str) -> Vec<(&'static str, &'static str, String)> {
        let mut class = "";
        let mut read = Vec::new();
        for line in text.lines() {
            match line.split_once("\": ") {
                Some((name, raw)) => read.push((class, name.trim_start_matches('"'), self.fill(raw))),
                None => class = line.strip_prefix("# ").unwrap_or(class),
            }
        }
        read
    }

    /// Puts what is meant where a text says `<dashboard>`, or `<65 x>` for as many of these.
    fn fill(&self, text: &str) -> String {
        let Scene { organization, key_generation, dashboard, filter, .. } = self.scene;
        let mut filled = String::new();
        for (at, part) in text.split('<').enumerate() {
            let named = part.split_once('>').filter(|_| at > 0);
            let meant = named.and_then(|(name, rest)| {
                let meant = match (name, name.split_once(' ')) {
                    (_, Some((count, letter))) => letter.repeat(count.parse().ok()?),
                    ("organization", _) => organization.clone(),
                    ("ORGANIZATION", _) => organization.to_uppercase(),
                    ("hyphens", _) => hyphens(organization),
                    ("kid", _) => format!("{organization}.{key_generation}"),
                    ("dashboard", _) => dashboard.clone(),
                    ("simple", _) => dashboard.replace('-', ""),
                    ("filter", _) => (*filter).to_owned(),
                    _ => return None,
                };
                Some(meant + rest)
            });
            filled += &meant.unwrap_or_else(|| if at == 0 { part.to_owned() } else { format!("<{part}") });
        }
        filled
    }

    /// The good header and claims, signed by another key.
    fn signed_by(&mut self, class: &'static str, detail: impl Display, key: &[u8]) {
        let token = sign(&base64::write(self.header.text()), &base64::write(self.claims.text()), key);
        self.refused(class, detail, token);
    }

    fn case(&mut self, fate: Fate, class: &'static str, detail: impl Display, token: String) {
        // Two ways may lead to one token, such as cutting at its end and cutting its signature.
        if self.cases.iter().all(|case| case.token != token) {
            self.cases.push(Case { class, detail: detail.to_string(), token, fate });
        }
    }

    /// The longest token with these claims, which has spaces in it, and the one after it.
    fn longest(&self) -> (String, String) {
        let padded = |length: usize| {
            let claims = self.claims.text().replacen('{', &format!("{{{}", " ".repeat(length)), 1);
            key::token(self.header.text(), claims, &self.key)
        };
        let too_long = (5_000..LONGEST).find(|length| padded(*length).len() > LONGEST).unwrap_or_default();
        (padded(too_long - 1), padded(too_long))
    }

    /// A good token.
    fn token(&self) -> String {
        key::token(self.header.text(), self.claims.text(), &self.key)
    }
}

/// A token of two parts that are encoded already, signed as they are.
fn sign(header: &str, payload: &str, key: &[u8]) -> String {
    let signed = format!("{header}.{payload}");
    let signature = key::hs256(key, signed.as_bytes());
    format!("{signed}.{}", base64::write(signature))
}

/// What is almost an object of JSON.
fn shapes(text: &str) -> Vec<Vec<u8>> {
    let inner = text.trim_matches(['{', '}']);
    let mut shapes: Vec<Vec<u8>> = [
        String::new(),
        format!("[{text}]"),
        format!("[{text},{text}]"),
        format!("\"{}\"", text.replace('"', "\\\"")),
        format!("{text}{text}"),
        format!("{{{inner},}}"),
        format!("{{,{inner}}}"),
        format!("{{{inner}"),
        format!("{inner}}}"),
        format!("{{\"header\":{text}}}"),
        text.replace('"', "'"),
        text.replacen('"', "", 2),
        text.replace(':', "="),
        text.replace(',', ";"),
        text.replacen('S', "\n", 1).replacen('p', "\t", 1),
    ]
    .map(String::into_bytes)
    .into();
    shapes.extend([" ", "{}", "[]", "null", "1", "\"\"", inner].map(|other| other.as_bytes().to_vec()));
    for end in ["{}", " {}", ",", " null", "x", "\0", "\u{feff}", "//x", "}", "]"] {
        shapes.push(format!("{text}{end}").into_bytes());
    }
    for begin in ["\u{feff}", "/**/", "#\n", "\u{a0}", "\u{b}", "\u{2028}", ")]}'\n", "{"] {
        shapes.push(format!("{begin}{text}").into_bytes());
    }
    shapes.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
    shapes.push(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    shapes.push([text.as_bytes(), b"\xff"].concat());
    shapes
}

/// The other spelling of an id of 32 hex digits.
fn hyphens(id: &str) -> String {
    format!("{}-{}-{}-{}-{}", &id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..])
}

/// JSON of so many items.
fn many(count: usize, item: impl Fn(usize) -> Value) -> String {
    Value::Array((0..count).map(item).collect()).to_string()
}
