//! The texts of the mails, in Vietnamese and English. Plain text: nothing to render, nothing to track, and no
//! name that a stranger typed can become markup.

use accounts::privacy::notices::NoticeKind;
use cloud::OutgoingMail;
use content::mime::{self, Mailbox, Message, MimeError};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, offset};
use kernel::EmailAddress;
use kernel::hash;
use webhooks::DisabledReason;

const NAME: &str = "Tanigo";

/// A mail's words.
pub struct Letter {
    pub subject: String,
    pub text: String,
}

/// The code that proves an address. It stands apart from the link, so that a program that opens links proves nothing.
pub fn sender(email: &str, link: &str, code: &str) -> Letter {
    Letter {
        subject: "Xác nhận địa chỉ gửi thư / Confirm a sender address".to_owned(),
        text: format!(
            "Xin chào,\n\nMột cửa hàng trên Tanigo muốn gửi thư từ địa chỉ {email}. Nếu đó là bạn, hãy mở trang \
             sau và nhập mã trong vòng 72 giờ:\n\n{link}\n\nMã: {code}\n\nNếu không, hãy bỏ qua thư và không đưa \
             mã cho ai.\n\n---\n\nHello,\n\nA shop on Tanigo wants to send mails from {email}. If this is you, open \
             this page and enter the code within 72 hours:\n\n{link}\n\nCode: {code}\n\nIf not, ignore this mail and \
             give the code to nobody.\n"
        ),
    }
}

/// The link of an invitation.
pub fn invitation(account: &str, link: &str) -> Letter {
    Letter {
        subject: format!("Lời mời tham gia {account} / You are invited to {account}"),
        text: format!(
            "Xin chào,\n\nBạn được mời tham gia tài khoản {account} trên Tanigo. Mở liên kết sau trong vòng \
             72 giờ để nhận lời mời:\n\n{link}\n\nNếu bạn không chờ lời mời này, hãy bỏ qua thư.\n\n---\n\n\
             Hello,\n\nYou are invited to the account {account} on Tanigo. Open this link within 72 hours to \
             accept:\n\n{link}\n\nIf you did not expect this, ignore this mail.\n"
        ),
    }
}

/// The link of a password reset.
pub fn reset(link: &str) -> Letter {
    Letter {
        subject: "Đặt lại mật khẩu Tanigo / Reset your Tanigo password".to_owned(),
        text: format!(
            "Xin chào,\n\nMở liên kết sau trong vòng một giờ để đặt mật khẩu mới:\n\n{link}\n\nNếu bạn không \
             yêu cầu, hãy bỏ qua thư: mật khẩu vẫn như cũ.\n\n---\n\nHello,\n\nOpen this link within an hour \
             to set a new password:\n\n{link}\n\nIf you did not ask for this, ignore this mail: your \
             password stays as it is.\n"
        ),
    }
}

/// The 72 hours of a breach.
pub fn breach(workspace: &str, notify_by: Timestamp, kind: NoticeKind, link: &str) -> Letter {
    let end = notify_by.to_zoned(TimeZone::fixed(offset(7)));
    let end = end.strftime("%H:%M %d/%m/%Y").to_string();
    let (vi, en) = match kind {
        NoticeKind::Soon => ("sắp đến hạn", "is due soon"),
        NoticeKind::Over => ("đã quá hạn", "is overdue"),
    };
    Letter {
        subject: format!(
            "Thông báo vi phạm dữ liệu cá nhân {vi} / The notice of a data breach {en}"
        ),
        text: format!(
            "Xin chào,\n\nThông báo cho cơ quan chức năng về một vi phạm dữ liệu cá nhân tại {workspace} {vi}. Hạn cuối: \
             {end} (giờ Việt Nam). Xem hồ sơ:\n\n{link}\n\n---\n\nHello,\n\nThe notice to the authority about a breach of \
             personal data in {workspace} {en}. It is due by {end} (time of Viet Nam). Open the file:\n\n{link}\n"
        ),
    }
}

/// A date of a request about personal data. The mail names no person.
pub fn privacy(workspace: &str, due: Date, kind: NoticeKind, link: &str) -> Letter {
    let (day, month, year) = (due.day(), due.month(), due.year());
    let (vi, en) = match kind {
        NoticeKind::Soon => ("sắp đến hạn", "is due soon"),
        NoticeKind::Over => ("đã quá hạn", "is overdue"),
    };
    Letter {
        subject: format!(
            "Yêu cầu về dữ liệu cá nhân {vi}: {day}/{month}/{year} / A privacy request {en}"
        ),
        text: format!(
            "Xin chào,\n\nMột yêu cầu về dữ liệu cá nhân tại {workspace} {vi}. Hạn cuối theo luật: ngày \
             {day}/{month}/{year}. Xem yêu cầu:\n\n{link}\n\n---\n\nHello,\n\nA request about personal data in \
             {workspace} {en}. The last day by law is {due}. Open the request:\n\n{link}\n"
        ),
    }
}

/// The end of a webhook.
pub fn webhook(workspace: &str, reason: Option<DisabledReason>, link: &str) -> Letter {
    let (vi, en) = match reason {
        Some(DisabledReason::Gone) => ("máy chủ trả lời 410", "its server answered 410"),
        _ => (
            "mọi lần gọi trong năm ngày đều thất bại",
            "every call has failed for five days",
        ),
    };
    Letter {
        subject: format!(
            "Webhook của {workspace} đã bị tắt / A webhook of {workspace} was disabled"
        ),
        text: format!(
            "Xin chào,\n\nMột webhook của {workspace} đã bị tắt, vì {vi}. Hãy sửa máy chủ, bật lại webhook và gửi lại \
             các sự kiện:\n\n{link}\n\n---\n\nHello,\n\nA webhook of {workspace} was disabled, because {en}. Repair \
             the server, activate the webhook and send the events again:\n\n{link}\n"
        ),
    }
}

impl Letter {
    /// As a finished mail. `key` names it: the same key gives the same message id.
    pub fn address(
        self,
        from: &str,
        to: &EmailAddress,
        key: &str,
        date: Timestamp,
    ) -> Result<OutgoingMail, MimeError> {
        let domain = from.rsplit_once('@').map_or(from, |(_, domain)| domain);
        let message_id = format!("{}@{domain}", hash::name(&["account-mail", key]));
        let sender = Mailbox {
            name: Some(NAME.to_owned()),
            address: from.to_owned(),
        };
        let receiver = Mailbox {
            name: None,
            address: to.to_string(),
        };
        // A line break in an account's name would add a header.
        let subject = self.subject.replace(char::is_control, " ");
        let raw = mime::build(&Message {
            from: &sender,
            to: &receiver,
            reply_to: None,
            subject: &subject,
            message_id: &message_id,
            date,
            unsubscribe_url: None,
            html: None,
            text: &self.text,
        })?;
        Ok(OutgoingMail {
            from: from.to_owned(),
            to: to.to_string(),
            raw,
            tags: Vec::new(),
        })
    }
}
