//! oEmbed 1.0 for pages of public links: what a site needs that is given the link alone (<https://oembed.com>).

use super::page::framed_title;
use super::{Answer, JSON};
use crate::replica::Live;
use crate::{Error, Result};
use askama::Template;
use serde::Serialize;

/// Path of the provider.
pub const PATH: &str = "/oembed";
/// Size of the frame unless the site wants less, in pixels.
const WIDTH: u32 = 960;
const HEIGHT: u32 = 720;
/// How long a site may keep the answer, in seconds: a link may die at any time, and its page tells.
const CACHE_AGE: u32 = 300;

/// What a site asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The token of the link.
    pub token: String,
    width: u32,
    height: u32,
}

/// A format that we do not have; 501 by the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherFormat;

impl Asked {
    /// Reads a query. `origin` is that of the pages.
    ///
    /// # Errors
    /// [`Error::NotFound`] when `url` is no link's page, [`Error::Invalid`] for sizes that are none.
    pub fn read<'a>(
        query: impl Iterator<Item = (&'a str, &'a str)>,
        origin: &str,
    ) -> Result<Result<Self, OtherFormat>> {
        let (mut token, mut width, mut height) = (None, WIDTH, HEIGHT);
        for (name, value) in query {
            match name {
                "url" if token.is_none() => token = Some(token_of(value, origin)?),
                "maxwidth" => width = width.min(size("/maxwidth", value)?),
                "maxheight" => height = height.min(size("/maxheight", value)?),
                "format" if value != "json" => return Ok(Err(OtherFormat)),
                "url" => return Err(Error::invalid("/url", "is given twice")),
                _ => {}
            }
        }
        let token = token.ok_or_else(|| Error::invalid("/url", "is needed"))?.to_owned();
        Ok(Ok(Self { token, width, height }))
    }
}

fn token_of<'a>(url: &'a str, origin: &str) -> Result<&'a str> {
    let path = url.strip_prefix(origin).and_then(|path| path.strip_prefix("/share/"));
    let token = path.and_then(|path| path.split(['?', '#']).next()).unwrap_or_default();
    if token.is_empty() { Err(Error::NotFound("link")) } else { Ok(token) }
}

fn size(pointer: &str, value: &str) -> Result<u32> {
    let size = value.parse::<u32>().ok().filter(|size| *size > 0);
    size.ok_or_else(|| Error::invalid(pointer, "must be a number of pixels"))
}

#[derive(Serialize)]
struct OembedOut<'a> {
    version: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'a str,
    author_name: &'a str,
    provider_name: &'static str,
    provider_url: &'a str,
    cache_age: u32,
    #[serde(flatten)]
    frame: Option<FrameOut>,
}

#[derive(Serialize)]
struct FrameOut {
    html: String,
    width: u32,
    height: u32,
}

#[derive(Template)]
#[template(path = "oembed_frame.html")]
struct Frame<'a> {
    url: &'a str,
    title: &'a str,
    width: u32,
    height: u32,
}

/// The answer for a link that nothing protects: a frame if some site may frame it (`rich`), else its title (`link`).
pub fn answer(live: &Live, asked: &Asked, origin: &str) -> Answer {
    let Asked { token, width, height } = asked;
    let frame = (!live.share.frame_origins.is_empty()).then(|| {
        let url = format!("{origin}/share/{token}");
        let (width, height) = (*width, *height);
        let html = Frame { url: &url, title: live.target.title(), width, height };
        // Templates write into a string and hold no fallible filter.
        FrameOut { html: html.render().unwrap_or_default(), width, height }
    });
    Answer::json(
        200,
        &OembedOut {
            version: "1.0",
            kind: if frame.is_some() { "rich" } else { "link" },
            title: &framed_title(live),
            author_name: &live.organization.name,
            provider_name: "Postern",
            provider_url: origin,
            cache_age: CACHE_AGE,
            frame,
        },
    )
}

/// The answer to whoever wants XML.
pub fn other_format() -> Answer {
    Answer {
        status: 501,
        content_type: JSON,
        headers: Vec::new(),
        body: br#"{"error":"Only format=json is there."}"#.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::origin::Origin;
    use crate::replica::{TargetView, tests::live_record};
    use serde_json::{Value, json};

    const ORIGIN: &str = "https://share.example";

    fn asked(query: &[(&str, &str)]) -> Result<Result<Asked, OtherFormat>> {
        Asked::read(query.iter().copied(), ORIGIN)
    }

    #[test]
    fn only_our_own_links_are_told_of() {
        let url = |url: &str| asked(&[("url", url)]);
        let token = |url: &str| self::asked(&[("url", url)]).unwrap().unwrap().token;
        assert_eq!(token("https://share.example/share/shr_1"), "shr_1");
        assert_eq!(token("https://share.example/share/shr_1?location=Seattle#x"), "shr_1");
        for foreign in [
            "",
            "shr_1",
            "https://evil.example/share/shr_1",
            "https://share.example.evil.example/share/shr_1",
            "http://share.example/share/shr_1",
            "https://share.example/embed/d/x",
            "https://share.example/share/",
            "//share.example/share/shr_1",
        ] {
            assert_eq!(url(foreign), Err(Error::NotFound("link")), "{foreign}");
        }
        assert!(matches!(asked(&[]), Err(Error::Invalid(_))));
    }

    #[test]
    fn sizes_are_upper_bounds() {
        let link = ("url", "https://share.example/share/shr_1");
        let sizes = |query: &[(&str, &str)]| {
            asked(&[&[link], query].concat())
                .map(|asked| asked.map(|Asked { width, height, .. }| (width, height)))
        };
        assert_eq!(sizes(&[]), Ok(Ok((960, 720))));
        assert_eq!(
            sizes(&[("maxwidth", "400"), ("maxheight", "5000"), ("format", "json")]),
            Ok(Ok((400, 720)))
        );
        assert_eq!(sizes(&[("maxwidth", "1")]), Ok(Ok((1, 720))));
        assert_eq!(sizes(&[("format", "xml")]), Ok(Err(OtherFormat)));
        for bad in ["0", "-1", "1.5", "wide", "99999999999"] {
            assert!(matches!(sizes(&[("maxwidth", bad)]), Err(Error::Invalid(_))), "{bad}");
        }
    }

    #[test]
    fn a_link_that_sites_may_frame_is_rich() {
        let asked = asked(&[("url", "https://share.example/share/shr_1")]).unwrap().unwrap();
        let mut live = live_record(1).live.unwrap();
        let read = |live: &Live| serde_json::from_slice::<Value>(&answer(live, &asked, ORIGIN).body).unwrap();
        assert_eq!(
            read(&live),
            json!({"version": "1.0", "type": "link", "title": "Sales · Acme", "author_name": "Acme",
                "provider_name": "Postern", "provider_url": ORIGIN, "cache_age": 300})
        );
        live.share.frame_origins = vec![Origin::parse("https://a.com").unwrap()];
        let TargetView::Dashboard(view) = &mut live.target else { panic!("no dashboard") };
        view.title = "\"><script>".into();
        let rich = read(&live);
        assert_eq!(
            (&rich["type"], &rich["width"], &rich["height"]),
            (&json!("rich"), &json!(960), &json!(720))
        );
        let html = rich["html"].as_str().unwrap();
        assert!(html.starts_with("<iframe src=\"https://share.example/share/shr_1\""), "{html}");
        assert!(!html.contains("<script>"), "{html}");
    }
}
