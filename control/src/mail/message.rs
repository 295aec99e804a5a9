//! What mails say, as text and as HTML.

use super::transport::Transport;
use crate::service::Service;
use crate::store::mail::Mail;
use askama::Template;
use lettre::Message;
use lettre::message::{Mailbox, MultiPart};
use shared::face::page::portal_path;
use shared::model::code::Code;
use shared::replica::Organization;
use std::time::{Duration, SystemTime};

/// Why a mail cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unwritable(pub(super) String);

/// What a mail says.
pub(super) struct Content {
    subject: String,
    text: String,
    html: String,
}

#[derive(Template)]
#[template(path = "code.txt")]
struct CodeText<'a> {
    organization: &'a str,
    code: &'a str,
    url: &'a str,
}

#[derive(Template)]
#[template(path = "code.html")]
struct CodeHtml<'a> {
    organization: &'a str,
    code: &'a str,
    url: &'a str,
}

#[derive(Template)]
#[template(path = "first_opening.txt")]
struct OpeningText<'a> {
    organization: &'a str,
    share: &'a str,
}

#[derive(Template)]
#[template(path = "first_opening.html")]
struct OpeningHtml<'a> {
    organization: &'a str,
    share: &'a str,
}

impl Content {
    /// A one-time code. Not in the subject, which stands in logs and on locked screens.
    pub(super) fn code(code: &Code, organization: &Organization, public_url: &str) -> Self {
        let (organization_name, code) = (organization.name.as_str(), code.shown());
        let url = format!("{public_url}{}", portal_path(&organization.slug));
        Self {
            subject: format!("Your sign-in code for {}", in_one_line(organization_name)),
            text: rendered(&CodeText { organization: organization_name, code: &code, url: &url }),
            html: rendered(&CodeHtml { organization: organization_name, code: &code, url: &url }),
        }
    }

    /// A share was opened for the first time.
    pub(super) fn first_opening(share: &str, organization: &Organization) -> Self {
        let organization = organization.name.as_str();
        Self {
            subject: format!("{} was opened", in_one_line(share)),
            text: rendered(&OpeningText { organization, share }),
            html: rendered(&OpeningHtml { organization, share }),
        }
    }
}

/// Templates write into a string and hold no fallible filter.
fn rendered(template: &impl Template) -> String {
    template.render().unwrap_or_default()
}

/// A name that people gave, as a part of a header.
fn in_one_line(name: &str) -> String {
    name.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(100).collect()
}

/// The message. A mail that is sent again, since nobody knows whether it arrived, has the same id.
pub(super) fn build(
    service: &Service,
    transport: &Transport,
    mail: &Mail,
    content: &Content,
) -> Result<Message, Unwritable> {
    let to = mail.address.as_str().parse().map_err(|_| Unwritable("no address".to_owned()))?;
    let from = transport.from();
    let since_1970 = Duration::from_millis(u64::try_from(service.clock.now().0).unwrap_or_default());
    let message = Message::builder()
        .message_id(Some(format!("<{}@{}>", mail.id, from.email.domain())))
        .date(SystemTime::UNIX_EPOCH + since_1970)
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(content.subject.clone())
        .multipart(MultiPart::alternative_plain_html(content.text.clone(), content.html.clone()))?;
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn organization(name: &str) -> Organization {
        Organization { id: Uuid::from_u128(1), slug: "acme".into(), name: name.into() }
    }

    #[test]
    fn a_code_stands_in_both_parts_and_not_in_the_subject() {
        let code = Code::parse("12345678").unwrap();
        let content = Content::code(&code, &organization("Acme"), "https://share.example.com");
        for part in [&content.text, &content.html] {
            assert!(
                part.contains("1234-5678") && part.contains("https://share.example.com/portal/acme"),
                "{part}"
            );
        }
        assert_eq!(content.subject, "Your sign-in code for Acme");
    }

    #[test]
    fn names_are_neither_markup_nor_headers() {
        let name = "Acme\r\nBcc: x@y.com<img src=x onerror=alert(1)>";
        let content =
            Content::code(&Code::parse("12345678").unwrap(), &organization(name), "https://s.example");
        assert!(!content.subject.contains(['\r', '\n']));
        assert!(!content.html.contains("<img"));
        let content = Content::first_opening("<script>\r\nBcc: x@y.com", &organization(name));
        assert!(!content.subject.contains(['\r', '\n']) && !content.html.contains("<script"));
    }
}
