//! One compiled condition. Pure.

use contacts::{Channel, Contact, places};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use kernel::{EmailAddress, ListId, Phone, SegmentId, person};

use super::days::{Answer, Moment, number};
use super::test::{Of, Test, many, tag_key, with_tag_key};
use crate::facts::{Facts, KEPT_DAYS, Tick, product_hash};
use crate::language::{self, Condition, Field, Happened, How, Many, Times};
use crate::subject::Subject;
use crate::tracked::Tracked;

/// A compiled condition.
#[derive(Debug, Clone)]
pub(super) enum Leaf {
    Field(Field, Test),
    Person(person::Field, Test),
    /// The codes of provinces of today, or the text.
    Province(Vec<&'static str>, Test, bool),
    /// The tags in the form that is compared, sorted.
    Tags(Many, Vec<String>),
    HasTags(bool),
    Lists(bool, Vec<ListId>),
    Segments(bool, Vec<SegmentId>),
    Consent(Channel, Test),
    /// The products as hashes.
    Products(Many, Vec<u32>),
    HasProducts(bool),
    Happened(Counted),
}

/// A compiled condition on how often an event happened.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    event: u32,
    times: Times,
    /// Days of the window; an event leaves it after so many days.
    days: i32,
    /// First and last day.
    between: (i32, i32),
    tracks: bool,
}

impl Leaf {
    pub(super) fn compile(condition: &Condition, zone: &TimeZone) -> Self {
        match condition {
            Condition::Field { field, test } => {
                let test = match field {
                    Field::Phone => phones(test),
                    _ => test.clone(),
                };
                let test = Test::compile(&test, zone);
                let own = match field {
                    Field::Person(name) => person::field(name),
                    _ => None,
                };
                match own {
                    Some(own) if own.name() == "province" => province(*own, test, condition, zone),
                    Some(own) => Self::Person(*own, test),
                    None => Self::Field(field.clone(), test),
                }
            }
            Condition::Tags(language::Test::Many { how, values }) => {
                let mut keys: Vec<String> = values.iter().map(|tag| tag_key(tag)).collect();
                keys.sort_unstable();
                keys.dedup();
                Self::Tags(*how, keys)
            }
            Condition::Tags(test) => Self::HasTags(matches!(test, language::Test::IsSet(true))),
            Condition::Lists { inside, lists } => Self::Lists(*inside, lists.clone()),
            Condition::Segments { inside, segments } => Self::Segments(*inside, segments.clone()),
            Condition::Consent { channel, test } => {
                Self::Consent(*channel, Test::compile(&asked(test), zone))
            }
            Condition::Products(language::Test::Many { how, values }) => {
                let mut hashes: Vec<u32> = values.iter().map(|id| product_hash(id)).collect();
                hashes.sort_unstable();
                hashes.dedup();
                Self::Products(*how, hashes)
            }
            Condition::Products(test) => {
                Self::HasProducts(matches!(test, language::Test::IsSet(true)))
            }
            Condition::Happened(happened) => Self::Happened(Counted::compile(happened)),
        }
    }

    /// The relative cost of a check.
    pub(super) fn cost(&self) -> u32 {
        match self {
            Self::Segments(..)
            | Self::HasProducts(_)
            | Self::HasTags(_)
            | Self::Consent(..)
            | Self::Field(_, Test::IsSet(_) | Test::Number(_)) => 1,
            Self::Lists(..) | Self::Products(..) => 2,
            Self::Field(_, Test::Date(_) | Test::Boolean(_)) => 3,
            Self::Happened(_) => 4,
            Self::Field(..) | Self::Person(..) | Self::Province(..) => 6,
            Self::Tags(..) => 8,
        }
    }

    pub(super) fn check(&self, subject: &Subject<'_>, moment: &Moment<'_>) -> Answer {
        let (contact, facts) = (subject.contact, subject.facts);
        match self {
            Self::Field(Field::Score, test) => score(subject, test, moment),
            Self::Field(field, test) => test.check(value(field, subject), moment),
            Self::Person(field, test) => {
                let value = field.of(&contact.person).map_or(Of::Nothing, Of::Text);
                test.check(value, moment)
            }
            Self::Province(codes, test, not) => {
                let code = contact.province_code.as_deref();
                let has = code.is_some_and(|code| codes.contains(&code));
                let text = contact.person.province.as_deref();
                let value = text.map_or(Of::Nothing, Of::Text);
                Answer::fixed((has || test.check(value, moment).holds) != *not)
            }
            Self::Tags(how, keys) => Answer::fixed(many(*how, keys, with_tag_key, &mut |each| {
                contact.tags.iter().for_each(|tag| each(tag));
            })),
            Self::HasTags(has) => Answer::fixed(*has != contact.tags.is_empty()),
            Self::Lists(inside, lists) => {
                let is_on = lists.iter().any(|list| contact.lists.contains(list));
                Answer::fixed(is_on == *inside)
            }
            Self::Segments(inside, segments) => {
                let mut own = segments.iter();
                let is_in = own.any(|segment| facts.inside.contains_key(segment));
                Answer::fixed(is_in == *inside)
            }
            Self::Consent(channel, test) => test.check(status(*channel, contact), moment),
            Self::Products(how, hashes) => Answer::fixed(products(*how, hashes, facts)),
            Self::HasProducts(has) => Answer::fixed(*has != facts.orders.products.is_empty()),
            Self::Happened(counted) => counted.check(subject, moment),
        }
    }
}

/// Steps of a score that fades that are tried for one answer.
const STEPS: u32 = 1_000;

/// A score, which may fade: the answer changes at the first step to a score with another one.
fn score(subject: &Subject<'_>, test: &Test, moment: &Moment<'_>) -> Answer {
    let Some(fading) = &subject.contact.fading else {
        return test.check(value(&Field::Score, subject), moment);
    };
    let holds = |score: i64| test.check(Of::Number(score as f64), moment).holds;
    let (now, mut next) = fading.at(moment.now);
    let holds_now = holds(now);
    for _ in 0..STEPS {
        let Some(at) = next else {
            return Answer::fixed(holds_now);
        };
        let (then, later) = fading.at(at);
        if holds(then) != holds_now {
            return Answer {
                holds: holds_now,
                until: Some(at),
            };
        }
        next = later;
    }
    Answer {
        holds: holds_now,
        until: next,
    }
}

/// A contact that was never asked has the status `none`, and so no status that is set.
fn asked(test: &language::Test) -> language::Test {
    match test {
        language::Test::IsSet(is) => language::Test::Text {
            how: How::Is,
            values: vec!["none".into()],
            not: *is,
        },
        _ => test.clone(),
    }
}

/// A province of today stands also for the names that ended in 2025 and are part of it now. Such a former name stands
/// for itself.
fn province(field: person::Field, test: Test, condition: &Condition, zone: &TimeZone) -> Leaf {
    let Condition::Field {
        test:
            language::Test::Text {
                how: How::Is,
                values,
                not,
            },
        ..
    } = condition
    else {
        return Leaf::Person(field, test);
    };
    let named = values.iter().filter_map(|value| places::province(value));
    let today = named.filter(|named| !named.is_former);
    let codes = today.map(|named| named.province.code).collect();
    let text = language::Test::Text {
        how: How::Is,
        values: values.clone(),
        not: false,
    };
    Leaf::Province(codes, Test::compile(&text, zone), *not)
}

/// Phone numbers as people write them become the stored form.
fn phones(test: &language::Test) -> language::Test {
    let language::Test::Text { how, values, not } = test else {
        return test.clone();
    };
    let stored = |text: &String| match how {
        How::Is => text
            .parse()
            .map_or_else(|_| text.clone(), |phone: Phone| phone.e164().to_owned()),
        How::StartsWith => match text.strip_prefix('0') {
            Some(rest) => format!("+84{rest}"),
            None => text.clone(),
        },
        How::Contains | How::EndsWith | How::Pattern => text.clone(),
    };
    language::Test::Text {
        how: *how,
        values: values.iter().map(stored).collect(),
        not: *not,
    }
}

fn value<'a>(field: &Field, subject: &Subject<'a>) -> Of<'a> {
    let text = |text: Option<&'a str>| text.map_or(Of::Nothing, Of::Text);
    let at = |at: Option<Timestamp>| at.map_or(Of::Nothing, Of::Instant);
    let (contact, facts) = (subject.contact, subject.facts);
    let (last, orders) = (&facts.last, &facts.orders);
    match field {
        Field::Email => text(contact.email.as_ref().map(EmailAddress::as_str)),
        Field::Phone => text(contact.phone.as_ref().map(Phone::e164)),
        Field::ExternalId => text(contact.external_id.as_deref()),
        Field::Source => Of::Text(contact.source.name()),
        Field::OwnerId => contact.owner.map_or(Of::Nothing, Of::Id),
        Field::CreatedAt => Of::Instant(contact.created_at),
        Field::UpdatedAt => Of::Instant(contact.updated_at),
        // A person's field is compiled to a leaf of its own.
        Field::Person(_) => Of::Nothing,
        Field::Custom(name) => contact.custom.get(name).map_or(Of::Nothing, Of::Json),
        Field::LastSeenAt => at(last.seen),
        Field::LastOpenedAt => at(last.opened),
        Field::LastClickedAt => at(last.clicked),
        Field::LastSentAt => at(last.sent),
        Field::LastActivityAt => {
            let acts = [last.seen, last.opened, last.clicked, orders.last];
            at(acts.into_iter().flatten().max())
        }
        Field::Score => subject
            .score
            .map_or(Of::Nothing, |score| Of::Number(score as f64)),
        Field::OrdersCount => Of::Number(f64::from(orders.count)),
        Field::OrdersTotal => Of::Number(orders.sum.amount() as f64),
        Field::OrdersAverage if orders.count == 0 => Of::Nothing,
        Field::OrdersAverage => Of::Number(orders.sum.amount() as f64 / f64::from(orders.count)),
        Field::FirstOrderAt => at(orders.first),
        Field::LastOrderAt => at(orders.last),
    }
}

/// The status of a channel as a text.
fn status(channel: Channel, contact: &Contact) -> Of<'static> {
    use contacts::ChannelStatus as Status;
    let status = match channel {
        Channel::Email => contact.email_status,
        Channel::Sms => contact.sms_status,
        Channel::Zalo => contact.zalo_status,
        Channel::Push => contact.push_status,
    };
    Of::Text(match status {
        Status::None => "none",
        Status::Pending => "pending",
        Status::Subscribed => "subscribed",
        Status::Unsubscribed => "unsubscribed",
        Status::Bounced => "bounced",
        Status::Complained => "complained",
        Status::Suppressed => "suppressed",
    })
}

fn products(how: Many, hashes: &[u32], facts: &Facts) -> bool {
    let has = |hash: &u32| facts.orders.products.contains(hash);
    match how {
        Many::Any => hashes.iter().any(has),
        Many::All => hashes.iter().all(has),
        Many::None => !hashes.iter().any(has),
    }
}

impl Counted {
    fn compile(happened: &Happened) -> Self {
        let within = happened.within;
        let last = within.last_days.map_or(KEPT_DAYS, i32::from);
        Self {
            event: Tracked::of(happened).hash,
            times: happened.times,
            days: last.min(KEPT_DAYS),
            between: (
                within.from.map_or(i32::MIN, number),
                within.to.map_or(i32::MAX, number),
            ),
            tracks: happened.tracks,
        }
    }

    fn check(&self, subject: &Subject<'_>, moment: &Moment<'_>) -> Answer {
        if self.tracks && !subject.may_track {
            return Answer::fixed(false);
        }
        let oldest = moment.today() - self.days;
        let counts = |tick: &&Tick| {
            let day = i32::from(tick.day);
            day > oldest && (self.between.0..=self.between.1).contains(&day)
        };
        let ticks = subject.facts.ring.of(self.event);
        let mut count: u32 = ticks
            .iter()
            .filter(counts)
            .map(|tick| u32::from(tick.count))
            .sum();
        let holds = self.holds(count);
        // Days leave the window one after the other, the oldest first.
        for tick in ticks.iter().filter(counts) {
            count -= u32::from(tick.count);
            if self.holds(count) != holds {
                let until = moment.start(i32::from(tick.day) + self.days);
                return Answer { holds, until };
            }
        }
        Answer::fixed(holds)
    }

    fn holds(&self, count: u32) -> bool {
        match self.times {
            Times::AtLeast(times) => count >= u32::from(times),
            Times::AtMost(times) => count <= u32::from(times),
            Times::Exactly(times) => count == u32::from(times),
        }
    }
}
