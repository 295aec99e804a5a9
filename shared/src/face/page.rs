//! The pages that a person sees, as server-rendered shells; scripts fill them over the API.
//! Everything is escaped by the templates. The not-found page has no variable: it is the same bytes
//! for whatever is dead (API.md 0.j).

use super::{Answer, HTML};
use crate::model::dashboard::View;
use crate::model::data_product;
use crate::model::item::Item;
use crate::model::protection::Need;
use crate::replica::{Live, TargetView};
use askama::Template;

#[derive(Template)]
#[template(path = "share.html")]
struct SharePage<'a> {
    title: &'a str,
    description: Option<&'a str>,
    organization: &'a str,
    /// Where sites ask for the page's frame, if they may.
    oembed: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "map.html")]
struct MapPage<'a> {
    title: &'a str,
    organization: &'a str,
    /// Never empty but for an empty collection.
    items: &'a [Item],
}

#[derive(Template)]
#[template(path = "product.html")]
struct ProductPage<'a> {
    name: &'a str,
    description: Option<&'a str>,
    organization: &'a str,
}

#[derive(Template)]
#[template(path = "unlock.html")]
struct UnlockPage {
    password: bool,
}

#[derive(Template)]
#[template(path = "embed.html")]
struct EmbedPage;

#[derive(Template)]
#[template(path = "portal.html")]
struct PortalPage;

#[derive(Template)]
#[template(path = "not_found.html")]
struct NotFoundPage;

#[derive(Template)]
#[template(path = "unavailable.html")]
struct UnavailablePage;

/// The page of a share at this URL. One that nothing protects names its oEmbed provider; sites may be given its URL alone.
pub fn share(live: &Live, url: &str) -> Answer {
    match &live.target {
        TargetView::Dashboard(view) => dashboard(live, view, url),
        TargetView::Item(item) => map(live, &item.name, std::slice::from_ref(item)),
        TargetView::Collection(collection) => map(live, &collection.name, &collection.items),
        TargetView::DataProduct(view) => product(live, view),
        // The access decision lets nobody come here by a link.
        TargetView::Context(_) => not_found(),
    }
}

fn dashboard(live: &Live, view: &View, url: &str) -> Answer {
    let oembed = live.protection.need().is_none().then(|| oembed_url(url)).flatten();
    page(
        200,
        &SharePage {
            title: &view.title,
            description: view.description.as_deref(),
            organization: &live.organization.name,
            oembed: oembed.as_deref(),
        },
    )
}

fn map(live: &Live, title: &str, items: &[Item]) -> Answer {
    page(200, &MapPage { title, organization: &live.organization.name, items })
}

fn product(live: &Live, view: &data_product::View) -> Answer {
    let (name, description) = (view.name.as_str(), view.description.as_deref());
    page(200, &ProductPage { name, description, organization: &live.organization.name })
}

/// What stands in a title bar.
pub(super) fn framed_title(live: &Live) -> String {
    format!("{} · {}", live.target.title(), live.organization.name)
}

fn oembed_url(url: &str) -> Option<String> {
    let (origin, _) = url.split_once("/share/")?;
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("url", url).finish();
    Some(format!("{origin}{}?format=json&{query}", super::oembed::PATH))
}

/// What stands at a link until the visitor has done what it needs. Tells nothing of what it opens.
pub fn unlock(need: Need) -> Answer {
    page(200, &UnlockPage { password: need == Need::Password })
}

/// Where people sign in at the portal of a company, on the edge's host.
pub fn portal_path(company_slug: &str) -> String {
    format!("/portal/{company_slug}")
}

/// Sends whoever opened the link of a share that is for invited people to where they sign in.
pub fn to_portal(company_slug: &str) -> Answer {
    page(303, &NotFoundPage).with("location", portal_path(company_slug))
}

/// The page for frames. It holds no data: its script asks for what its token opens.
pub fn embed() -> Answer {
    page(200, &EmbedPage)
}

/// Where invited people sign in. It holds no data and names no company: its script asks for what they may see.
pub fn portal() -> Answer {
    page(200, &PortalPage)
}

/// What stands at a link that opens nothing, and at every path that is no page.
pub fn not_found() -> Answer {
    page(404, &NotFoundPage)
}

/// What stands at a link that cannot be checked right now.
pub fn unavailable() -> Answer {
    page(503, &UnavailablePage).with("retry-after", "2")
}

fn page(status: u16, template: &impl Template) -> Answer {
    // Templates write into a string and hold no fallible filter.
    let body = template.render().unwrap_or_default().into_bytes();
    Answer { status, content_type: HTML, headers: Vec::new(), body }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::tests::live_record;

    const URL: &str = "https://share.example/share/shr_1";

    #[test]
    fn only_a_page_that_nothing_protects_names_its_provider() {
        let mut live = live_record(1).live.unwrap();
        let names = |live: &Live| {
            let html = String::from_utf8(share(live, URL).body).unwrap();
            html.contains("https://share.example/oembed?format=json&#38;url=https%3A%2F%2Fshare.example%2Fshare%2Fshr_1")
        };
        assert!(names(&live));
        live.protection.max_access_count = Some(1);
        assert!(!names(&live));
    }

    #[test]
    fn titles_are_escaped() {
        let mut live = live_record(1).live.unwrap();
        let TargetView::Dashboard(view) = &mut live.target else { panic!("no dashboard") };
        view.title = "</title><script>alert(1)</script>".into();
        view.description = Some("\"><img src=x onerror=alert(1)>".into());
        live.organization.name = "<b>&'".into();
        let html = String::from_utf8(share(&live, URL).body).unwrap();
        for raw in ["<script>alert", "<img src=x", "<b>&"] {
            assert!(!html.contains(raw), "{raw}");
        }
    }

    #[test]
    fn a_data_product_has_a_page_of_its_own() {
        let mut live = live_record(1).live.unwrap();
        let view = data_product::tests::view();
        live.target = TargetView::DataProduct(data_product::View { name: "<b>Prices</b>".into(), ..view });
        let html = String::from_utf8(share(&live, URL).body).unwrap();
        assert!(html.contains("/assets/product.js") && !html.contains("/assets/share.js"));
        assert!(html.contains("&#60;b&#62;Prices") && !html.contains("<b>"), "{html}");
        assert!(!html.contains("<style") && !html.contains(" style="));
    }

    #[test]
    fn the_pages_need_no_inline_script_or_style() {
        let forms = [unlock(Need::Password), unlock(Need::Opening)];
        for answer in forms.into_iter().chain([
            share(&live_record(1).live.unwrap(), URL),
            embed(),
            portal(),
            not_found(),
            unavailable(),
        ]) {
            let html = String::from_utf8(answer.body).unwrap();
            assert!(
                !html.contains("<style") && !html.contains(" style=") && !html.contains("javascript:"),
                "{html}"
            );
            assert_eq!(
                html.matches("<script").count(),
                html.matches("<script type=\"module\" src=\"/assets/").count()
            );
        }
    }
}
