//! Share contexts, their members, and who opened what: what owners send and get. Rows 1.6, 1.7.

use crate::model::address::Invited;
use crate::model::context::{MAX_BULK_MEMBERS, MAX_DESCRIPTION_CHARS};
use crate::model::share::check_name;
use crate::time::Millis;
use crate::{Error, Result, error::Flaw};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Body of `POST /api/v1/share-contexts`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContextIn {
    /// 1 to 200 characters; members see it.
    pub name: String,
    /// At most 2,000 characters; for owners alone.
    #[serde(default)]
    pub description: Option<String>,
}

/// Body of `PUT /api/v1/share-contexts/:id`; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContextPatchIn {
    /// 1 to 200 characters.
    #[serde(default)]
    pub name: Option<String>,
    /// At most 2,000 characters; an empty text removes it.
    #[serde(default)]
    pub description: Option<String>,
}

impl ContextIn {
    /// Name and description, checked.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the field.
    pub fn check(self) -> Result<(String, String)> {
        check_name(&self.name)?;
        let description = self.description.unwrap_or_default();
        check_description(&description)?;
        Ok((self.name, description))
    }
}

impl ContextPatchIn {
    /// Name and description, checked, as far as they change.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the field, or when nothing changes.
    pub fn check(self) -> Result<(Option<String>, Option<String>)> {
        if self == Self::default() {
            return Err(Error::invalid("", "changes nothing: give name or description"));
        }
        self.name.as_deref().map(check_name).transpose()?;
        self.description.as_deref().map(check_description).transpose()?;
        Ok((self.name, self.description))
    }
}

fn check_description(description: &str) -> Result<()> {
    let is_plain = |letter: char| !letter.is_control() || letter == '\n';
    if description.chars().count() > MAX_DESCRIPTION_CHARS || !description.chars().all(is_plain) {
        let message = "must have at most 2,000 characters and no control characters but line breaks";
        return Err(Error::invalid("/description", message));
    }
    Ok(())
}

/// A context, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContextOut {
    /// Its id: the `share_context_id` of shares, and `context_id` in the portal.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its description, maybe empty.
    pub description: String,
    /// How many members it has.
    pub member_count: u64,
    /// How many shares in force are bound to it.
    pub share_count: u64,
    /// `live` when the edge knows the last change, `pending` while it has yet to learn it.
    pub effective: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// Answer of `DELETE /api/v1/share-contexts/:id`; the same when it is called again, with `deleted: false`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContextDeletedOut {
    /// Was there one?
    pub deleted: bool,
    /// The context.
    pub id: Uuid,
    /// `live` when nobody is in any more, `pending` while the edge has yet to learn it.
    pub effective: String,
}

/// Body of `POST /api/v1/share-contexts/:id/members`: a person or a whole domain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "member_type", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum MemberIn {
    /// One person.
    ExternalEmail {
        /// ASCII, in any case.
        email: String,
    },
    /// Whoever has an address at exactly this domain.
    EmailDomain {
        /// ASCII, in any case.
        domain: String,
    },
}

impl MemberIn {
    /// Who is meant; `pointer` is where it stands in the body.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn check(&self, pointer: &str) -> Result<Invited> {
        match self {
            Self::ExternalEmail { email } => Invited::person(email, &format!("{pointer}/email")),
            Self::EmailDomain { domain } => Invited::domain(domain, &format!("{pointer}/domain")),
        }
    }
}

/// Body of `POST /api/v1/share-contexts/:id/members/bulk`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MembersIn {
    /// 1 to 1,000; who is a member already stays one.
    pub members: Vec<MemberIn>,
}

impl MembersIn {
    /// Who is meant, each once.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming every mistake: nobody is added then.
    pub fn check(&self) -> Result<Vec<Invited>> {
        if !(1..=MAX_BULK_MEMBERS).contains(&self.members.len()) {
            return Err(Error::invalid("/members", "must have 1 to 1,000 entries"));
        }
        let mut flaws: Vec<Flaw> = Vec::new();
        let mut invited = Vec::new();
        for (place, member) in self.members.iter().enumerate() {
            match member.check(&format!("/members/{place}")) {
                Ok(who) => invited.push(who),
                Err(Error::Invalid(own)) => flaws.extend(own),
                Err(error) => return Err(error),
            }
        }
        if !flaws.is_empty() {
            return Err(Error::Invalid(flaws));
        }
        invited.sort();
        invited.dedup();
        Ok(invited)
    }
}

/// A member, as the owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MemberOut {
    /// Its id.
    pub id: Uuid,
    /// `external_email` or `email_domain`.
    pub member_type: String,
    /// Of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Of a domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// RFC 3339.
    pub created_at: String,
}

impl MemberOut {
    /// Renders a member.
    pub fn new(id: Uuid, invited: &Invited, created_at: Millis) -> Self {
        let (member_type, email, domain) = match invited {
            Invited::Person(address) => ("external_email", Some(address.as_str().to_owned()), None),
            Invited::Domain(domain) => ("email_domain", None, Some(domain.as_str().to_owned())),
        };
        Self { id, member_type: member_type.to_owned(), email, domain, created_at: created_at.to_rfc3339() }
    }
}

/// Answer of `POST /api/v1/share-contexts/:id/members/bulk`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MembersAddedOut {
    /// Who was no member before.
    pub added: u64,
    /// Who was one already, or was named twice.
    pub unchanged: u64,
}

/// Answer of `DELETE /api/v1/share-contexts/:id/members/:member_id`; the same when it is called again, with `removed: false`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MemberRemovedOut {
    /// Was it a member?
    pub removed: bool,
    /// The member.
    pub id: Uuid,
    /// `live` when they are out, `pending` while the edge has yet to learn it.
    pub effective: String,
}

/// That somebody opened a share, as its owner reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccessOut {
    /// Its id.
    pub id: Uuid,
    /// RFC 3339.
    pub at: String,
    /// Whose address.
    pub email: String,
    /// Through which member they were in: a person, or a domain.
    pub member_id: Uuid,
    /// Through which context.
    pub share_context_id: Uuid,
    /// `open`: they looked at the dashboard; `execute`: they asked for its figures; `options`: for the options of a filter.
    pub action: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::JSON;
    use crate::face::dashboard::manage::parse;

    fn members(body: &str) -> Result<Vec<Invited>> {
        parse::<MembersIn>(Some(JSON), body.as_bytes())?.check()
    }

    fn pointers(body: &str) -> Vec<String> {
        match members(body) {
            Err(Error::Invalid(flaws)) => flaws.into_iter().map(|flaw| flaw.pointer).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn people_and_domains_are_told_apart() {
        let body = r#"{"members":[{"member_type":"external_email","email":"A@b.com"},{"member_type":"email_domain","domain":"B.com"},
            {"member_type":"external_email","email":"a@B.com"}]}"#;
        let invited = members(body).unwrap();
        assert_eq!(invited.iter().map(Invited::as_str).collect::<Vec<_>>(), ["a@b.com", "b.com"]);
    }

    #[test]
    fn every_mistake_is_named() {
        let body = r#"{"members":[{"member_type":"external_email","email":"a"},{"member_type":"external_email","email":"a@b.com"},
            {"member_type":"email_domain","domain":"b"}]}"#;
        assert_eq!(pointers(body), ["/members/0/email", "/members/2/domain"]);
        assert_eq!(pointers(r#"{"members":[]}"#), ["/members"]);
        let many = vec![r#"{"member_type":"external_email","email":"a@b.com"}"#; 1_001].join(",");
        assert_eq!(pointers(&format!(r#"{{"members":[{many}]}}"#)), ["/members"]);
        for body in [
            r#"{"members":[{"member_type":"group","email":"a@b.com"}]}"#,
            r#"{"members":[{"member_type":"external_email","domain":"b.com"}]}"#,
            r#"{"members":[{"member_type":"external_email","email":"a@b.com","role":"x"}]}"#,
            r#"{"members":[{"email":"a@b.com"}]}"#,
        ] {
            assert!(matches!(members(body), Err(Error::Invalid(_))), "{body}");
        }
    }

    #[test]
    fn descriptions_are_bounded() {
        let check = |description: &str| {
            ContextIn { name: "Customers".into(), description: Some(description.into()) }.check().is_ok()
        };
        assert!(check(&"x\n".repeat(1_000)));
        assert!(!check(&"x".repeat(2_001)));
        assert!(!check("a\0b"));
        assert!(ContextPatchIn::default().check().is_err());
    }
}
