//! The features of the product: what users do with each, and what each promises. A new feature is one file here and one
//! line in [`all`].

mod agents;
mod campaigns;
mod chat;
mod closings;
mod contacts;
mod forms;
mod goods;
mod hooks;
mod jobs;
mod lives;
mod orders;
mod providers;
mod pushes;
mod readers;
mod requests;
mod segments;
mod signups;
mod texts;
mod trials;
mod undo;
mod visits;
mod workflows;
mod zalo;

use std::rc::Rc;

use async_trait::async_trait;
use tanigo_local::aws::OutboxMessage;

use crate::sim::Sim;

/// The actions of users on one part of the product, and its promises.
#[async_trait(?Send)]
pub trait Feature {
    /// Names of actions with their weights. A usual action has the weight 4; a delivery of a queue has 60.
    fn actions(&self) -> &'static [(&'static str, u32)];

    /// Makes the feature's things, without faults, at the same time in each shop.
    async fn prepare(&self, _sim: &Sim) {}

    /// Makes one action, with faults. It remembers each definite answer.
    async fn act(&self, sim: &Sim, action: &'static str);

    /// Ends what users left paused; after this no more faults occur.
    async fn calm(&self, _sim: &Sim) {}

    /// Compares the state with the promises; [`Sim::broken`] notes a difference.
    async fn check(&self, sim: &Sim);
}

/// All features.
pub fn all() -> Vec<Rc<dyn Feature>> {
    let forms = Rc::new(forms::Forms::default());
    let segments = Rc::new(segments::Segments::default());
    let chat = Rc::new(chat::Chat::default());
    vec![
        // First: what is left paused is resumed in an open workspace.
        Rc::new(closings::Closings::default()),
        forms.clone(),
        Rc::new(workflows::Workflows::new(forms)),
        segments.clone(),
        Rc::new(campaigns::Campaigns::new(segments)),
        Rc::new(trials::Trials::default()),
        chat.clone(),
        Rc::new(agents::Agents::new(chat)),
        Rc::new(texts::Texts::default()),
        Rc::new(readers::Readers::default()),
        Rc::new(contacts::Contacts::default()),
        Rc::new(signups::Signups::default()),
        Rc::new(lives::Lives::default()),
        Rc::new(undo::Undo::default()),
        Rc::new(jobs::Jobs::default()),
        Rc::new(orders::Orders::default()),
        Rc::new(goods::Goods::default()),
        Rc::new(visits::Visits::default()),
        Rc::new(hooks::Hooks::default()),
        Rc::new(zalo::Zalo::default()),
        Rc::new(pushes::Pushes::default()),
        // Last: days pass in its calm.
        Rc::new(providers::Providers::default()),
    ]
}

/// The value of a mail's tag.
fn tag(mail: &OutboxMessage, wanted: &str) -> String {
    let found = mail.tags.iter().find(|(name, _)| name == wanted);
    found.map(|(_, value)| value.clone()).unwrap_or_default()
}
