//! Promises that concern all features: the rows and messages of a tenant show nothing of another tenant.

use tanigo_local::aws::Kind;

use crate::sim::Sim;

impl Sim {
    /// Looks at every row and at every mail.
    pub async fn check_whole(&self) {
        for table in &self.world.model.tables {
            for row in self.world.dump(&table.logical_id).await {
                let key = row["pk"].as_str().unwrap_or_default().to_owned();
                let text = row.to_string();
                let owner = self
                    .shops
                    .iter()
                    .find(|shop| key.starts_with(&shop.tenant.to_string()));
                if let Some(owner) = owner
                    && let Some(other) = self.foreign(owner.n, &text)
                {
                    self.broken(
                        "tenant",
                        format!("{} {key} mentions {other}: {text}", table.logical_id),
                    );
                }
            }
        }
        let queues = self.sources().into_iter();
        for source in queues {
            let left = self.world.aws.sqs().depth(&source.queue).total();
            if left > 0 {
                self.broken(
                    "rest",
                    format!("{left} messages are left on {}", source.queue),
                );
            }
        }
        for mail in self.world.aws.outbox().all(Kind::Mail) {
            let tenant = mail.tags.iter().find(|(name, _)| name == "tenant");
            let tenant = tenant.map(|(_, value)| value.clone()).unwrap_or_default();
            let owner = self
                .shops
                .iter()
                .find(|shop| shop.tenant.to_string() == tenant);
            let text = format!("{} {}", mail.subject, mail.from);
            match owner {
                None => self.broken("tenant", format!("a mail of the unknown tenant {tenant}")),
                Some(owner) => {
                    if let Some(other) = self.foreign(owner.n, &text) {
                        self.broken(
                            "tenant",
                            format!("a mail of {tenant} mentions {other}: {text}"),
                        );
                    }
                }
            }
        }
    }

    /// A mark or id of another shop in this text of shop `n`.
    pub fn foreign(&self, n: usize, text: &str) -> Option<String> {
        let others = self.shops.iter().filter(|shop| shop.n != n);
        let mut marks = others.flat_map(|shop| [shop.mark(""), shop.tenant.to_string()]);
        marks.find(|mark| text.contains(mark.as_str()))
    }
}
