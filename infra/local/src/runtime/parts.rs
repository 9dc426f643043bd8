//! Parts of a stack: the services of a template, and the setup of each function.

use std::path::PathBuf;

use anyhow::{Context, Result};
use kernel::Entropy;
use lambda::{Setup, Vars};

use super::clock::VirtualClock;
use super::options::{Addresses, Options};
use super::{ACCOUNT, REGION, kept};
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
        providers.know(&template);
        kept::keep(&providers, &aws, &clock.clock());
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
