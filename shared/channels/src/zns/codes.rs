//! The error codes of Zalo's APIs, and what follows from each. Pure.
//!
//! Sources: the tables of <https://zalo.cloud/zns/guidelines/handle-error-code> and of the OA documents. Zalo answers with HTTP
//! status 200 and `error != 0`; a code says that nothing was sent.

use crate::channel::Answer;

/// What follows from a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The access token ended: renew it, and call once more.
    Token,
    /// The account's package does not have the API.
    Package,
    /// The app, the account, its money or the template: no message can be sent until a person acts.
    Stopped,
    /// More calls than the account may make.
    Busy,
    /// Zalo sends nothing by night: 22:00 to 06:00.
    Night,
    /// The day's messages of the account are used up.
    DayOfAccount,
    /// The day's messages of the template are used up.
    DayOfTemplate,
    /// This person cannot be reached by ZNS; a text message may.
    Recipient,
    /// This message is refused.
    Message,
    /// Zalo does not say whether it was sent.
    Unknown,
}

/// The meaning of a code.
pub fn meaning(code: i64) -> Meaning {
    match code {
        -124 | -216 | -220 => Meaning::Token,
        -224 => Meaning::Package,
        -32 | -211 => Meaning::Busy,
        -133 | -234 => Meaning::Night,
        -144 => Meaning::DayOfAccount,
        -147 => Meaning::DayOfTemplate,
        -108 | -110 | -114 | -118 | -119 | -139 | -140 | -141 => Meaning::Recipient,
        -100 => Meaning::Unknown,
        // The app and the account.
        -106..=-101 | -117 | -120 | -1201 | -1202 | -125 | -135 | -1351 | -136 | -138 | -1381
        | -145 | -1241 | -204 | -205 | -209 | -212 | -219 | -221 | -223 | -235 | -240 | -242
        | -320 | -321
        // Money.
        | -115 | -126 | -137 | -1441
        // The template: every message of it is refused.
        | -109 | -113 | -1131 | -116 | -127 | -131 | -146 | -160 | -161 | -162 => Meaning::Stopped,
        _ => Meaning::Message,
    }
}

/// The answer to a send that got a code. `wait` is the time until the hour at which Zalo sends again, in seconds.
pub fn answer(code: i64, wait: u16) -> Answer {
    let text = code.to_string();
    match meaning(code) {
        Meaning::Token | Meaning::Package | Meaning::Stopped => Answer::Stopped { code: text },
        Meaning::Busy => Answer::Throttled,
        Meaning::Night | Meaning::DayOfAccount | Meaning::DayOfTemplate => Answer::Later(wait),
        Meaning::Recipient | Meaning::Message => Answer::Refused { code: text },
        Meaning::Unknown => Answer::NoAnswer,
    }
}

/// Whether a text message takes the place of a ZNS that was refused for this reason.
pub fn falls_back(reason: &str) -> bool {
    let code = reason.parse::<i64>();
    code.is_ok_and(|code| meaning(code) == Meaning::Recipient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_of_codes_has_its_answer() {
        let stopped = |code: i64| Answer::Stopped {
            code: code.to_string(),
        };
        let refused = |code: i64| Answer::Refused {
            code: code.to_string(),
        };
        for code in [-101, -104, -115, -124, -131, -135, -136, -146, -224, -321] {
            assert_eq!(answer(code, 60), stopped(code));
        }
        for code in [-108, -118, -141] {
            assert_eq!(answer(code, 60), refused(code));
            assert!(falls_back(&code.to_string()));
        }
        for code in [-111, -1121, -1122, -132, -1471, -1472, -99_999] {
            assert_eq!(answer(code, 60), refused(code));
            assert!(!falls_back(&code.to_string()));
        }
        for code in [-133, -144, -147] {
            assert_eq!(answer(code, 60), Answer::Later(60));
        }
        assert_eq!(answer(-32, 60), Answer::Throttled);
        assert_eq!(answer(-100, 60), Answer::NoAnswer);
        assert!(!falls_back("template"));
    }
}
