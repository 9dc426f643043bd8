//! The words of the page, in Vietnamese and English.

use contacts::Definitions;
use kernel::person;

use crate::model::{Field, Language};
use crate::submit::Rule;

/// The words of a page that are not the shop's.
pub struct Words {
    pub send: &'static str,
    pub done: &'static str,
    pub done_title: &'static str,
    pub check_mail: &'static str,
    pub confirm_title: &'static str,
    pub confirm: &'static str,
    pub confirm_button: &'static str,
    pub confirmed: &'static str,
    pub link_title: &'static str,
    pub link_ended: &'static str,
    pub faults: &'static str,
    pub required: &'static str,
    pub choose: &'static str,
    pub consent: &'static str,
    pub honeypot: &'static str,
    pub challenge_title: &'static str,
    pub challenge: &'static str,
    pub needs_script: &'static str,
    pub close: &'static str,
    pub closed: &'static str,
    pub closed_title: &'static str,
    pub busy: &'static str,
    pub busy_title: &'static str,
    pub refused: &'static str,
    pub refused_title: &'static str,
    missing: &'static str,
    email: &'static str,
    phone: &'static str,
    other: &'static str,
}

const VI: Words = Words {
    send: "Gửi",
    done: "Chúng tôi đã nhận được thông tin của bạn.",
    done_title: "Cảm ơn bạn",
    check_mail: "Nếu bạn đã chọn nhận email, hãy mở thư chúng tôi vừa gửi và bấm xác nhận.",
    confirm_title: "Xác nhận đăng ký",
    confirm: "Bấm nút để xác nhận rằng bạn muốn nhận email.",
    confirm_button: "Xác nhận",
    confirmed: "Chúng tôi đã nhận được xác nhận của bạn.",
    link_title: "Liên kết đã hết hạn",
    link_ended: "Liên kết không đúng hoặc đã hết hạn. Vui lòng đăng ký lại.",
    faults: "Vui lòng sửa các mục sau",
    required: "bắt buộc",
    choose: "Chọn…",
    consent: "Nhận tin tiếp thị (không bắt buộc)",
    honeypot: "Để trống ô này",
    challenge_title: "Kiểm tra an toàn",
    challenge: "Vui lòng hoàn tất bước kiểm tra này một lần nữa.",
    needs_script: "Bước kiểm tra an toàn cần JavaScript. Vui lòng bật JavaScript rồi tải lại trang.",
    close: "Đóng",
    closed: "Biểu mẫu này hiện không nhận đăng ký.",
    closed_title: "Biểu mẫu đã đóng",
    busy: "Có quá nhiều lượt gửi. Vui lòng thử lại sau ít giây; thông tin bạn nhập chưa được gửi.",
    busy_title: "Vui lòng thử lại",
    refused: "Không gửi được biểu mẫu từ trang này.",
    refused_title: "Không gửi được",
    missing: "Vui lòng điền mục này.",
    email: "Nhập một địa chỉ email, ví dụ ten@example.vn.",
    phone: "Nhập một số di động Việt Nam, ví dụ 0912345678.",
    other: "Giá trị không hợp lệ.",
};

const EN: Words = Words {
    send: "Send",
    done: "We have received your answers.",
    done_title: "Thank you",
    check_mail: "If you chose to get mails, please open the mail that we have sent and confirm.",
    confirm_title: "Confirm your subscription",
    confirm: "Press the button to confirm that you want our mails.",
    confirm_button: "Confirm",
    confirmed: "We have received your confirmation.",
    link_title: "The link has ended",
    link_ended: "The link is not valid or has ended. Please sign up again.",
    faults: "Please correct these answers",
    required: "required",
    choose: "Choose…",
    consent: "Marketing messages (optional)",
    honeypot: "Leave this box empty",
    challenge_title: "Security check",
    challenge: "Please complete this check once more.",
    needs_script: "The security check needs JavaScript. Please switch JavaScript on and load the page again.",
    close: "Close",
    closed: "This form takes no answers now.",
    closed_title: "The form is closed",
    busy: "Too many answers at a time. Please try again in a few seconds; yours were not sent.",
    busy_title: "Please try again",
    refused: "This form cannot be sent from this page.",
    refused_title: "Not sent",
    missing: "Please answer this question.",
    email: "Enter an email address such as name@example.vn.",
    phone: "Enter a Vietnamese mobile number such as 0912345678.",
    other: "This value is not valid.",
};

impl Language {
    /// The language of a page's address; another text is none.
    pub fn of(text: &str) -> Option<Self> {
        match text {
            "vi" => Some(Self::Vi),
            "en" => Some(Self::En),
            _ => None,
        }
    }

    pub(crate) fn words(self) -> &'static Words {
        match self {
            Self::Vi => &VI,
            Self::En => &EN,
        }
    }
}

impl Rule {
    /// The rule in the words of the visitor.
    pub fn text(&self, language: Language) -> String {
        let words = language.words();
        match (self, language) {
            (Self::Missing, _) => words.missing.to_owned(),
            (Self::Email, _) => words.email.to_owned(),
            (Self::Phone, _) => words.phone.to_owned(),
            (Self::Challenge, _) => words.challenge.to_owned(),
            (Self::Honeypot, _) => words.honeypot.to_owned(),
            (Self::Other(rule), Language::En) => format!("{} ({rule})", words.other),
            (Self::Other(_), Language::Vi) => words.other.to_owned(),
        }
    }
}

/// The question of a field: the form's own words, or the field's label.
pub fn label(field: &Field, definitions: &Definitions, language: Language) -> String {
    let own = match language {
        Language::Vi => field.label_vi.as_ref().or(field.label_en.as_ref()),
        Language::En => field.label_en.as_ref().or(field.label_vi.as_ref()),
    };
    if let Some(own) = own {
        return own.clone();
    }
    if let Some(custom) = field.custom() {
        let definition = definitions.get(custom);
        return definition.map_or_else(|| custom.to_owned(), |one| one.label.clone());
    }
    let mut known = person::known();
    let known = known.find(|known| known.name == field.key);
    known.map_or_else(
        || field.key.clone(),
        |known| match language {
            Language::Vi => known.label_vi.to_owned(),
            Language::En => known.label_en.to_owned(),
        },
    )
}
