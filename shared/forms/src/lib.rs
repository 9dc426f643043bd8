//! Signup forms: their definitions, the hosted page, and the reading of a submission.
//!
//! This crate may use `kernel`, `cloud`, `contacts` and `sources`, and calls Cloudflare Turnstile. It writes the definitions of forms, in the table
//! Directory, and the requests that wait for a confirmation, in the table Contacts. A submission becomes a [`sources::FormSubmission`]; `ingest` writes the contact.
//!
//! | module | holds |
//! |---|---|
//! | `model` | the settings of a form |
//! | `check` | the rules that settings must follow |
//! | `store` | the stored forms, for the API and for the public door |
//! | `submit` | a visitor's answers, judged |
//! | `opt_in` | requests that wait for a confirmation |
//! | `link` | the signed link of a confirmation mail |
//! | `turnstile` | the check that a person filled in the form |
//! | `report` | counts of views and submissions |
//! | `design` | colours, font and logo |
//! | `qr` | the QR code of the page |
//! | `page` | the page, the snippet and the script |

mod check;
mod design;
mod keys;
mod link;
mod model;
mod opt_in;
pub mod page;
pub mod qr;
pub mod report;
mod store;
mod submit;
mod turnstile;
mod words;

pub use check::Flaw;
pub use design::{Design, Font};
pub use link::{Link, LinkKey};
pub use model::{
    CUSTOM, Device, DoubleOptIn, Field, Form, Frequency, Guard, Kind, Language, MAX_FORMS, Popup,
    Question, Settings, Status, Visitors,
};
pub use opt_in::{OptIn, OptIns};
pub use report::{Deed, Report, Tallies};
pub use store::{Created, Forms, OpenForm, OpenForms};
pub use submit::{Fault, Given, HONEYPOT, MAX_PAIRS, Rule, TOKEN, Visit, mark_unverified, read};
pub use turnstile::{RESPONSE, Turnstile, Verdict};
