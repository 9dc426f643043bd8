//! Makes files of contacts, orders and products for people, a thousand rows a message.
//!
//! Trigger: queue contact-export, [`contacts::export::Step`]. Effects: the export's progress and its files; then the
//! message of the next step. A repeated message of the last finished step sends the next message again.

use campaigns::Receivers;
use cloud::Error;
use commerce::export::Exported;
use commerce::{Orders, Products};
use contacts::export::{Exports, Progress, Step};
use kernel::page::Page;
use kernel::{Cursor, TenantKey};
use lambda::sqs::{Order, Record};
use lambda::{ConfigError, Failure, Function, Setup, metrics};
use segments::{Finder, JobId};
use serde_json::Value;

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let exports = Exports::over(setup.resources());
    let shelves = Shelves {
        finder: Finder::over(setup.resources()),
        receivers: Receivers::over(setup.resources()),
        orders: Orders::over(setup.resources()),
        products: Products::over(setup.resources()),
    };
    Function::sqs(setup, Order::Any { concurrency: 1 }, move |record| {
        let (exports, shelves) = (exports.clone(), shelves.clone());
        async move { handle(&exports, &shelves, &record).await }
    })
}

/// The rows of exports.
#[derive(Clone)]
struct Shelves {
    finder: Finder,
    receivers: Receivers,
    orders: Orders,
    products: Products,
}

impl Shelves {
    /// A page of lines of orders or products.
    async fn lines(
        &self,
        tenant: TenantKey,
        asked: Value,
        cursor: Option<Cursor>,
    ) -> Result<Page<String>, Error> {
        let asked =
            serde_json::from_value(asked).map_err(|error| Error::Shape(error.to_string()))?;
        match asked {
            Exported::Orders(asked) => self.orders.lines(tenant, &asked, cursor).await,
            Exported::Products(asked) => self.products.lines(tenant, &asked, cursor).await,
        }
    }
}

async fn handle(exports: &Exports, shelves: &Shelves, record: &Record) -> Result<(), Failure> {
    let (tenant, step) = record.open::<Step>()?;
    let finder = &shelves.finder;
    let stepped = exports.step(
        tenant,
        &step,
        |asked| shelves.receivers.find(finder, asked),
        |asked, cursor| shelves.lines(tenant, asked, cursor),
    );
    match stepped.await? {
        Progress::Done => metrics::count("ExportSteps", 1),
        Progress::Over(id, choice) => {
            metrics::count("ExportSteps", 1);
            finder.release(tenant, JobId::Export(id), choice).await?;
        }
        Progress::Missing => {
            return Err(Failure::reject("Export.Missing", "there is no such export"));
        }
    }
    Ok(())
}
