//! Parts of a stack: the services of a template, and the setup of each function.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use kernel::Entropy;
use lambda::{Setup, Vars};

use super::clock::VirtualClock;
use super::options::{Addresses, Options};
use super::{ACCOUNT, REGION};
use crate::aws::{self, Aws};
use crate::providers::Providers;
use crate::template::model;

/// Parts of a stack.
pub struct Parts {
    pub root: PathBuf,
    pub data_dir: Option<PathBuf>,
    pub template: model::Stack,
    pub addresses: Addresses,
    pub clock: VirtualClock,
    pub aws: Aws,
    pub cloud: cloud::Aws,
    pub entropy: Entropy,
    pub providers: Providers,
    /// Calls of functions to systems outside of AWS.
    web: cloud::Web,
}

impl Parts {
    /// Opens the services, and makes the template's resources in them.
    pub fn open(options: &Options, template: model::Stack, addresses: Addresses) -> Result<Self> {
        if let Some(dir) = &options.data_dir {
            std::fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
        }
        let clock = VirtualClock::open(options.clock.clone(), options.data_dir.as_deref())?;
        let aws = Aws::open(aws::Options {
            data_dir: options.data_dir.clone(),
            clock: clock.clock(),
            region: REGION.to_owned(),
            account: ACCOUNT.to_owned(),
        })?;
        aws.set_fault_hook(options.fault_hook.clone());
        aws.set_endpoint(&addresses.aws);
        aws.create_missing(&template)?;
        let providers = Providers::new(clock.clock());
        let (outbox, now) = (aws.clone(), clock.clock());
        providers.esms().set_sink(Arc::new(move |sms| {
            let at = now.now_ms();
            let payload = serde_json::json!({ "from": sms.brandname, "text": sms.content, "request_id": sms.request_id });
            let kept = outbox.outbox().append_message(aws::Kind::Sms, at, &sms.phone, &sms.id, payload);
            if let Err(error) = kept {
                tracing::error!(%error, "the outbox did not take a text message");
            }
        }));
        let (outbox, now) = (aws.clone(), clock.clock());
        providers.zalo().set_sink(Arc::new(move |zns| {
            let at = now.now_ms();
            let payload = serde_json::json!({ "oa_id": zns.oa_id, "template_id": zns.template_id, "template_data": zns.data,
                "tracking_id": zns.tracking_id });
            let kept = outbox.outbox().append_message(aws::Kind::Zns, at, &zns.phone, &zns.id, payload);
            if let Err(error) = kept {
                tracing::error!(%error, "the outbox did not take a message of Zalo");
            }
        }));
        providers.know(&template);
        keep_pushes(&providers, &aws, &clock.clock());
        // With servers the calls take the loopback, as a deployment's take the network.
        let web = match options.ports {
            Some(_) => cloud::Web::default(),
            None => providers.web(),
        };
        let cloud = cloud::Aws::new(aws.sdk_config(), clock.clock(), options.entropy.clone());
        let cloud = cloud.with_web(web.clone());
        Ok(Self {
            root: options.root.clone(),
            data_dir: options.data_dir.clone(),
            template,
            addresses,
            clock,
            aws,
            cloud,
            entropy: options.entropy.clone(),
            providers,
            web,
        })
    }

    /// Setup of `function`: its environment, and AWS clients with the permissions of its role.
    pub fn setup(&self, function: &model::Function) -> Setup {
        let role = self.template.rights.role(&function.handler);
        let (config, clock) = (self.aws.sdk_config_of(role), self.clock.clock());
        let cloud = cloud::Aws::new(config, clock, self.entropy.clone());
        let cloud = cloud.with_web(self.web.clone());
        Setup::new(Vars::from_map(function.environment.clone()), cloud)
    }
}

/// Notifications that browsers and apps got go to the outbox.
fn keep_pushes(providers: &Providers, aws: &Aws, clock: &kernel::Clock) {
    let keep = |to: &str, id: &str, payload: serde_json::Value, aws: &Aws, at: i64| {
        let kept = aws
            .outbox()
            .append_message(aws::Kind::Push, at, to, id, payload);
        if let Err(error) = kept {
            tracing::error!(%error, "the outbox did not take a push notification");
        }
    };
    let (outbox, now) = (aws.clone(), clock.clone());
    providers.browsers().set_sink(Arc::new(move |shown| {
        let to = format!("browser {}", shown.browser);
        keep(&to, &shown.id, shown.payload.clone(), &outbox, now.now_ms());
    }));
    let (outbox, now) = (aws.clone(), clock.clone());
    providers.fcm().set_sink(Arc::new(move |note| {
        keep(
            &note.token,
            &note.id,
            note.message.clone(),
            &outbox,
            now.now_ms(),
        );
    }));
}
