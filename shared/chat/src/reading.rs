//! Reading lists of conversations and the messages of one.
//!
//! Messages can be stored a little later than their time (a queue's retry). So a reader gets a cursor that is a few
//! minutes behind the newest messages. The reader receives those messages again and drops the ids that it already
//! has.

use cloud::{Error, Query};
use kernel::{ConversationId, Cursor, InboxId, Limit, TenantKey, page::Page};
use serde::Serialize;

use crate::keys::{self, MESSAGES, MESSAGES_END, Position};
use crate::model::{Conversation, Message, Status};
use crate::store::{Chat, SETTLED};

/// Messages that one page reads at most, also those that its reader may not see.
const MAX_READ: u32 = 500;
/// How many index pages a filtered list may read for one page of its result.
const FILTER_PAGES: u32 = 5;

/// How much one page may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Portion {
    /// Texts of 2 MB, well below Lambda's answer of 6 MB.
    Large,
    /// Texts of 64 KB and at most five messages more: at most 120 read units for the longest texts (80 KB each),
    /// seven for 25 usual ones. For unauthenticated readers.
    Small,
}

impl Portion {
    /// A page ends after this many bytes of text.
    fn bytes(self) -> usize {
        match self {
            Self::Large => 2_000_000,
            Self::Small => 64_000,
        }
    }

    /// Messages that one query reads. Every read message is paid for, also if it is not returned.
    fn at_once(self, wanted: u32) -> u32 {
        match self {
            Self::Large => wanted,
            Self::Small => wanted.min(5),
        }
    }
}

/// The conversations of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Their status.
    pub status: Status,
    /// Their inbox.
    pub inbox: Option<InboxId>,
    /// Their assignee; [`crate::model::NOBODY`] for those without one.
    pub assignee: Option<String>,
}

/// Messages, and the place to continue from.
#[derive(Debug, Clone, Serialize)]
pub struct MessagePage<T> {
    /// The messages.
    pub data: Vec<T>,
    /// The place to continue from; absent at the end. A page of long texts may be shorter than its limit.
    pub next: Option<Position>,
    /// The place to read forward from later: at the end of a way forward, and on the first page of a way back.
    pub sync: Option<Position>,
}

struct Walked<T> {
    data: Vec<T>,
    last: Option<Position>,
    stopped_early: bool,
}

impl Chat {
    /// A page of conversations, newest activity first.
    pub async fn conversations(
        &self,
        tenant: TenantKey,
        filter: &Filter,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Conversation>, Error> {
        let sort = &["last_activity"];
        let query = match (&filter.assignee, filter.inbox) {
            (Some(assignee), _) => Query::index("ByAssignee", sort)
                .with("tenant", tenant.to_string())
                .with("assignee", assignee),
            (None, Some(inbox)) => Query::index("ByInbox", sort)
                .with("tenant", tenant.to_string())
                .with("inbox", inbox.to_string()),
            (None, None) => Query::index("ByStatus", sort).with("tenant", tenant.to_string()),
        };
        let query = query.with("status", filter.status.name()).descending();
        let mut data: Vec<Conversation> = Vec::new();
        let mut next = cursor;
        for _ in 0..FILTER_PAGES {
            let wanted = limit.get() - data.len() as u32;
            let page = query.clone().limit(wanted).cursor(next);
            let page = self.table.query::<Conversation>(page).await?;
            let fits =
                |header: &Conversation| filter.inbox.is_none_or(|inbox| header.inbox == inbox);
            data.extend(page.data.into_iter().filter(fits));
            next = page.next;
            if next.is_none() || data.len() as u32 == limit.get() {
                break;
            }
        }
        Ok(Page { data, next })
    }

    /// A conversation's messages backward in time, from the newest or from the end of a page.
    pub async fn history(
        &self,
        tenant: TenantKey,
        conversation: ConversationId,
        limit: Limit,
        from: Option<Position>,
    ) -> Result<MessagePage<Message>, Error> {
        let high = from.as_ref().map_or(MESSAGES_END, Position::high);
        // Computed before anything is read, as below.
        let sync = from.is_none().then(|| self.settled());
        let query = Query::partition(keys::partition(tenant, conversation))
            .between(MESSAGES, high)
            .descending();
        // The place names the last message of the previous page, which the range includes.
        let fresh = |message: Message| {
            let place = Position::after(message.at, message.id);
            let is_known = from
                .as_ref()
                .is_some_and(|from| from.high() == place.high());
            (!is_known).then_some(message)
        };
        let walked = self.walk(query, limit, Portion::Large, fresh).await?;
        Ok(MessagePage {
            data: walked.data,
            next: walked.last.filter(|_| walked.stopped_early),
            sync,
        })
    }

    /// A conversation's messages forward from a place; `keep` selects the messages that the reader may see. At the
    /// end `sync` goes back to the settled place, even if that is before `after`. So the reader may get a message twice,
    /// and misses none.
    pub async fn follow<T>(
        &self,
        tenant: TenantKey,
        conversation: ConversationId,
        limit: Limit,
        after: Position,
        portion: Portion,
        keep: impl Fn(Message) -> Option<T>,
    ) -> Result<MessagePage<T>, Error> {
        // Computed before anything is read: a message that is stored in between is not before it.
        let settled = after.settled().unwrap_or_else(|| self.settled());
        let query = Query::partition(keys::partition(tenant, conversation))
            .between(after.low(), MESSAGES_END);
        let walked = self.walk(query, limit, portion, keep).await?;
        let last = walked.last.unwrap_or(after);
        let (next, sync) = if walked.stopped_early {
            (Some(last.with_settled(&settled)), None)
        } else {
            (None, Some(last.min(settled)))
        };
        Ok(MessagePage {
            data: walked.data,
            next,
            sync,
        })
    }

    /// No message can still appear before this place.
    fn settled(&self) -> Position {
        Position::before(self.table.clock().now() - SETTLED)
    }

    /// Reads messages until `limit` of them are kept, or enough bytes or rows are read, or there are no more. A reader
    /// who may see few of many messages gets short pages.
    async fn walk<T>(
        &self,
        query: Query,
        limit: Limit,
        portion: Portion,
        keep: impl Fn(Message) -> Option<T>,
    ) -> Result<Walked<T>, Error> {
        let mut walked = Walked {
            data: Vec::new(),
            last: None,
            stopped_early: false,
        };
        let (mut bytes, mut read) = (0, 0);
        let mut cursor = None;
        loop {
            // One message more than wanted shows whether there are more.
            let wanted = limit.get() + 1 - walked.data.len() as u32;
            let page = query.clone().limit(portion.at_once(wanted)).cursor(cursor);
            let page = self.table.query::<Message>(page).await?;
            for message in page.data {
                let is_full = walked.data.len() as u32 == limit.get();
                if is_full || bytes > portion.bytes() || read == MAX_READ {
                    walked.stopped_early = true;
                    return Ok(walked);
                }
                let place = Position::after(message.at, message.id);
                bytes += message.content.len();
                read += 1;
                if let Some(kept) = keep(message) {
                    walked.data.push(kept);
                }
                walked.last = Some(place);
            }
            if page.next.is_none() {
                return Ok(walked);
            }
            cursor = page.next;
        }
    }
}
