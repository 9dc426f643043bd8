//! A compiled mail: compiled once, rendered for each contact. Pure.

use contacts::{Channel, Contact, Definitions};
use content::links::LinkSet;
use content::mail::{CompiledMail, Footer, MailContent, MailError, MailOptions, Tracking};
use content::mime::{self, Mailbox, Message};
use content::tokens::TokenKey;
use jiff::Timestamp;
use kernel::{EmailAddress, TenantKey};
use serde::Serialize;
use serde_json::Value;

use crate::channel::Recipient;
use crate::consent::email_of;
use crate::ledger::LedgerKey;
use crate::mail_store::{Sender, StoredMail};
use crate::send::{Class, Terms};

/// The settings of a workspace for its marketing mails.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Letterhead {
    /// The shop's postal address, as anti-spam law requires.
    pub postal_address: String,
    /// Why readers get these mails.
    pub permission_reminder: String,
    /// Whether a consent that is only assumed counts.
    pub takes_assumed: bool,
    /// Whether subjects begin with [`LABEL`].
    pub is_labelled: bool,
}

/// The label of advertising mail (Decree 91/2020/NĐ-CP). The decree also takes `[AD]`.
const LABEL: &str = "[QC]";

/// The key of the links in previews and test mails. No function has it, so these links change nothing.
pub(super) const NOWHERE: &str = "links of a preview lead nowhere";

/// A mail as one reader would get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = MailPreview)]
pub struct Preview {
    /// Subject, with the label of advertising mail.
    pub subject: String,
    /// Text that inboxes show beside the subject.
    pub preview_text: Option<String>,
    /// HTML part, with its footer.
    pub html: Option<String>,
    /// Text part, with its footer.
    pub text: String,
}

/// A mail ready for any number of contacts.
#[derive(Debug)]
pub struct PreparedMail {
    compiled: CompiledMail,
    sender: Sender,
    from: Mailbox,
    reply_to: Option<Mailbox>,
    terms: Terms,
}

impl PreparedMail {
    /// Compiles the mail. A marketing mail gets a footer with those of the letterhead's lines and the unsubscribe link
    /// that it does not show itself.
    pub fn compile(
        mail: &StoredMail,
        class: Class,
        letterhead: &Letterhead,
    ) -> Result<Self, MailError> {
        let content = MailContent {
            subject: subject(mail, class, letterhead),
            preview_text: mail.preview_text.clone(),
            html: mail.html.clone(),
            text: mail.text.clone(),
        };
        let options = MailOptions {
            footer: footer(&mail.sender, letterhead),
            is_marketing: class == Class::Marketing,
            tracking: Tracking {
                click: mail.track_clicks,
                open: mail.track_opens,
            },
        };
        let mailbox = |name: Option<&str>, address: &EmailAddress| Mailbox {
            name: name.map(str::to_owned),
            address: address.to_string(),
        };
        let sender = mail.sender.clone();
        Ok(Self {
            compiled: CompiledMail::compile(&content, &options)?,
            from: mailbox(Some(&sender.from_name), &sender.from_email),
            reply_to: sender
                .reply_to
                .as_ref()
                .map(|address| mailbox(None, address)),
            sender,
            terms: Terms {
                class,
                is_strict: !letterhead.takes_assumed,
            },
        })
    }

    /// The rules that it follows.
    pub fn terms(&self) -> Terms {
        self.terms
    }

    /// The sender.
    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    /// The mail as this contact would get it, made as a send makes it. Its links lead nowhere. The error is a stable name without
    /// personal data.
    pub fn preview(
        &self,
        tenant: TenantKey,
        contact: &Contact,
        fields: &Definitions,
        base_url: &str,
        now: Timestamp,
    ) -> Result<Preview, String> {
        let key = LedgerKey {
            scope: "preview".to_owned(),
            contact: contact.id,
            channel: Channel::Email,
            step: "0".to_owned(),
        };
        let recipient = Recipient {
            tenant,
            key: &key,
            contact,
            fields,
            data: &Value::Null,
            devices: &[],
            now,
        };
        let (workspace, id) = (tenant.to_string(), contact.id.to_string());
        let nowhere = TokenKey::new(NOWHERE);
        let links = LinkSet::new(base_url, &nowhere, &workspace, &key.scope, &id, &key.step);
        let links = links.map_err(|_| "links".to_owned())?;
        let (data, local) = (recipient.merge_data(), recipient.local_time());
        let failed = |_| "template".to_owned();
        let built = self.compiled.render(&data, &links, &local);
        let built = built.map_err(failed)?;
        let preview_text = self.compiled.render_preview_text(&data, &local);
        Ok(Preview {
            subject: built.subject,
            preview_text: preview_text.map_err(failed)?,
            html: built.html,
            text: built.text,
        })
    }

    /// The recipient's address and the message's bytes. The message id follows from `name`. The error is a stable
    /// name without personal data.
    pub(super) fn compose(
        &self,
        to: &Recipient<'_>,
        links: &LinkSet<'_>,
        name: &[(&str, &str)],
    ) -> Result<(String, Vec<u8>), String> {
        let (contact, now) = (to.contact, to.now);
        let address = email_of(contact).ok_or("no_address")?;
        let built = self
            .compiled
            .render(&to.merge_data(), links, &to.local_time());
        let built = built.map_err(|_| "template".to_owned())?;
        let parts: Vec<&str> = name.iter().map(|(_, value)| *value).collect();
        let message_id = format!(
            "{}@{}",
            kernel::hash::name(&parts),
            self.sender.from_email.domain()
        );
        let unsubscribe = links.unsubscribe_url();
        // RFC 8058 allows https only. A local stack without TLS keeps the link in the footer.
        let one_click = self.terms.class == Class::Marketing && unsubscribe.starts_with("https://");
        let message = Message {
            from: &self.from,
            to: &Mailbox {
                name: contact.person.full_name.as_deref().map(printable),
                address: address.to_string(),
            },
            reply_to: self.reply_to.as_ref(),
            subject: &built.subject,
            message_id: &message_id,
            date: now,
            unsubscribe_url: one_click.then_some(unsubscribe.as_str()),
            html: built.html.as_deref(),
            text: &built.text,
        };
        let raw = mime::build(&message).map_err(|_| "message".to_owned())?;
        Ok((address.to_string(), raw))
    }
}

/// A name in the form that a header can hold. Contacts come from forms and files, so a name can hold any character.
fn printable(name: &str) -> String {
    let plain = name.replace(mime::breaks_header, " ");
    plain.trim().chars().take(100).collect()
}

fn footer(sender: &Sender, letterhead: &Letterhead) -> Footer {
    let name = &sender.from_name;
    let said = letterhead.permission_reminder.trim();
    Footer {
        company: name.clone(),
        postal_address: letterhead.postal_address.trim().to_owned(),
        permission_reminder: if said.is_empty() {
            format!("Bạn nhận được email này vì đã đồng ý nhận tin từ {name}.")
        } else {
            said.to_owned()
        },
    }
}

/// The subject's template, with the label of advertising mail unless the author wrote one.
fn subject(mail: &StoredMail, class: Class, letterhead: &Letterhead) -> String {
    let written = mail.subject.trim_start().get(..LABEL.len());
    let has_label = written.is_some_and(|start| {
        [LABEL, "[AD]"]
            .iter()
            .any(|label| start.eq_ignore_ascii_case(label))
    });
    if class != Class::Marketing || !letterhead.is_labelled || has_label {
        return mail.subject.clone();
    }
    format!("{LABEL} {}", mail.subject)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn mail(subject: &str) -> StoredMail {
        StoredMail {
            sender: Sender {
                from_name: "Cửa hàng".into(),
                from_email: "shop@example.vn".parse().unwrap(),
                reply_to: None,
            },
            subject: subject.into(),
            preview_text: None,
            html: Some("<p>Chào</p>".into()),
            text: None,
            track_opens: true,
            track_clicks: true,
        }
    }

    #[test]
    fn a_name_cannot_break_a_header() {
        assert_eq!(
            printable("An\r\nBcc: b@example.com"),
            "An  Bcc: b@example.com"
        );
        assert_eq!(printable(&"x".repeat(300)).len(), 100);
    }

    #[test]
    fn a_marketing_mail_cannot_be_without_its_way_out() {
        let mail = mail("Chào {{ contact.first_name }}");
        let key = content::tokens::TokenKey::new("0123456789abcdef");
        let links = LinkSet::new("https://t.example.vn", &key, "w", "s", "c", "0").unwrap();
        let data = serde_json::json!({"contact": {"first_name": "An"}});
        let letterhead = Letterhead {
            postal_address: "1 Đường Mẫu".into(),
            permission_reminder: String::new(),
            ..Letterhead::default()
        };
        for (class, has) in [(Class::Marketing, true), (Class::Transactional, false)] {
            let prepared = PreparedMail::compile(&mail, class, &letterhead).unwrap();
            let now = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
            let built = prepared.compiled.render(&data, &links, &now).unwrap();
            let (html, text) = (built.html.unwrap(), built.text);
            assert_eq!(html.contains("https://t.example.vn/u/"), has);
            assert_eq!(text.contains("https://t.example.vn/u/"), has);
            assert_eq!(text.contains("1 Đường Mẫu"), has);
        }
    }
    #[test]
    fn advertising_mail_has_its_label_once() {
        let labelled = Letterhead {
            is_labelled: true,
            ..Letterhead::default()
        };
        for (written, class, letterhead, expected) in [
            ("Tết", Class::Marketing, &labelled, "[QC] Tết"),
            ("[QC] Tết", Class::Marketing, &labelled, "[QC] Tết"),
            (" [ad] Tết", Class::Marketing, &labelled, " [ad] Tết"),
            ("Đơn hàng", Class::Transactional, &labelled, "Đơn hàng"),
            ("Tết", Class::Marketing, &Letterhead::default(), "Tết"),
        ] {
            assert_eq!(subject(&mail(written), class, letterhead), expected);
        }
    }
}
