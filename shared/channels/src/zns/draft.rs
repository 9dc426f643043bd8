//! The check of a ZNS before it is stored: its template, the texts of its parameters, the text message in its place.
//!
//! Reads the templates and brandnames of a workspace, and no tokens.

use cloud::{Error, Resources, Table};
use content::check;
use content::mail::Part;
use kernel::TenantKey;

use super::channel::class_of;
use super::template::Template;
use super::{is_oa_id, is_template_id, keys};
use crate::mail_check::names;
use crate::send::{Class, ZnsContent};
use crate::sms::template::MAX_CONTENT;
use crate::sms::{Brandname, Brandnames, Kind};

/// Longest text of a parameter, in characters. Merge fields may make a value longer or shorter.
const MAX_TEXT: usize = 500;
/// Most parameters.
const MAX_PARAMS: usize = 50;

/// Reads templates of Official Accounts; cheap to clone.
#[derive(Clone, Debug)]
pub struct Drafts {
    directory: Table,
    brandnames: Brandnames,
}

impl Drafts {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
            brandnames: Brandnames::over(resources),
        }
    }

    /// The template of a message, if the workspace has it.
    pub async fn template(
        &self,
        tenant: TenantKey,
        oa_id: &str,
        template_id: &str,
    ) -> Result<Option<Template>, Error> {
        if !is_oa_id(oa_id) || !is_template_id(template_id) {
            return Ok(None);
        }
        let key = keys::template(tenant, oa_id, template_id);
        self.directory.look_up(&key).await
    }

    /// The template of a message, and everything that is wrong with the message: JSON pointers and rules.
    pub async fn check(
        &self,
        tenant: TenantKey,
        content: &ZnsContent,
    ) -> Result<(Option<Template>, Vec<(String, String)>), Error> {
        let template = self
            .template(tenant, &content.oa_id, &content.template_id)
            .await?;
        let Some(template) = template else {
            let flaw =
                "no such template of an account of the workspace: read the templates from Zalo";
            return Ok((None, vec![("/template_id".to_owned(), flaw.to_owned())]));
        };
        let brandname = match &content.fallback {
            Some(text) => self.brandnames.get(tenant, text.brandname_id).await?,
            None => None,
        };
        let flaws = flaws(content, &template, brandname.as_ref());
        Ok((Some(template), flaws))
    }
}

/// Everything that is wrong with a message of a template.
fn flaws(
    content: &ZnsContent,
    template: &Template,
    brandname: Option<&Brandname>,
) -> Vec<(String, String)> {
    let mut flaws = Vec::new();
    if !template.is_usable() {
        let rule = "Zalo does not take this template now, or its parameters were not read yet";
        flaws.push(("/template_id".to_owned(), rule.to_owned()));
    }
    if content.params.len() > MAX_PARAMS {
        flaws.push(("/params".to_owned(), format!("at most {MAX_PARAMS}")));
        return flaws;
    }
    for (name, text) in &content.params {
        let place = format!("/params/{}", name.replace('~', "~0").replace('/', "~1"));
        match template.param(name) {
            None => {
                let known: Vec<_> = template.params.iter().map(|one| &*one.name).collect();
                let rule = format!("the template has: {}", known.join(", "));
                flaws.push((place, rule));
            }
            Some(param) => {
                let is_constant = !text.contains("{{") && !text.contains("{%");
                let rules = if is_constant {
                    param.value(text).err().map(ToString::to_string)
                } else {
                    None
                };
                let rules = rules.into_iter().chain(text_flaws(text, MAX_TEXT));
                flaws.extend(rules.map(|rule| (place.clone(), rule)));
            }
        }
    }
    for param in &template.params {
        let is_given = content.params.contains_key(&param.name);
        if param.require && !param.accept_null && !is_given {
            let rule = format!("the template needs {}", param.name);
            flaws.push(("/params".to_owned(), rule));
        }
    }
    if let Some(text) = &content.fallback {
        if class_of(template) == Class::Marketing {
            let rule = "a template of promotion has none: carriers take advertising in groups of 30 numbers";
            flaws.push(("/fallback".to_owned(), rule.to_owned()));
        }
        match brandname {
            None => flaws.push((
                "/fallback/brandname_id".to_owned(),
                "no such brandname".to_owned(),
            )),
            Some(found) if found.settings.kind != Kind::Care => {
                let rule = "the brandname is not registered for customer care";
                flaws.push(("/fallback/brandname_id".to_owned(), rule.to_owned()));
            }
            Some(_) => {}
        }
        if text.text.trim().is_empty() {
            flaws.push(("/fallback/text".to_owned(), "must not be empty".to_owned()));
        }
        let rules = text_flaws(&text.text, MAX_CONTENT);
        flaws.extend(
            rules
                .into_iter()
                .map(|rule| ("/fallback/text".to_owned(), rule)),
        );
    }
    flaws
}

/// Everything that is wrong with the source of a text: its length, its syntax and its names.
fn text_flaws(text: &str, longest: usize) -> Vec<String> {
    if text.chars().count() > longest {
        return vec![format!("must have at most {longest} characters")];
    }
    let names: Vec<_> = names().collect();
    let flaws = check::flaws(&[(Part::Text, text)], &names);
    flaws.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn template() -> Template {
        let param = |name: &str, require: bool| {
            json!({ "name": name, "require": require, "type": "STRING", "min_length": 0, "max_length": 10,
                "accept_null": false })
        };
        let template = json!({ "template_id": "1", "name": "Đơn hàng", "status": "enable", "is_detailed": true,
            "tag": "customer_care", "params": [param("ten", true), param("ma", true), param("ghi_chu", false)],
            "synced_at": "2026-03-02T08:00:00Z" });
        serde_json::from_value(template).unwrap()
    }

    fn places(params: &serde_json::Value, fallback: Option<&str>) -> Vec<String> {
        let mut content = json!({ "oa_id": "34", "template_id": "1", "params": params });
        if let Some(text) = fallback {
            content["fallback"] = json!({ "brandname_id": "brn_0123456789a", "text": text });
        }
        let content: ZnsContent = serde_json::from_value(content).unwrap();
        let flaws = flaws(&content, &template(), None);
        flaws.into_iter().map(|(place, _)| place).collect()
    }

    #[test]
    fn each_flaw_has_its_place() {
        let fine = json!({ "ten": "{{ contact.full_name }}", "ma": "DH1" });
        assert_eq!(places(&fine, None), Vec::<String>::new());
        assert_eq!(places(&json!({ "ten": "An" }), None), ["/params"]);
        let other = json!({ "ten": "An", "ma": "1", "gia": "1" });
        assert_eq!(places(&other, None), ["/params/gia"]);
        let long = json!({ "ten": "An", "ma": "12345678901" });
        assert_eq!(places(&long, None), ["/params/ma"]);
        let unknown = json!({ "ten": "{{ contact.secret }}", "ma": "1" });
        assert_eq!(places(&unknown, None), ["/params/ten"]);
        assert_eq!(places(&fine, Some("Chao")), ["/fallback/brandname_id"]);
    }
}
