//! SES v2, one attempt for each call.
//!
//! SES has no idempotency key, so the SDK's own retry would be a hidden source of duplicates: it is off here. A call
//! without an answer is [`SendError::Unknown`], never "not sent".

use std::error::Error;

use aws_config::retry::RetryConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::Builder;
use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{Destination, EmailContent, MessageTag, RawMessage};
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::Aws;

/// Tag with the trace id of the send. An event about the mail continues under this id.
pub const TRACE_TAG: &str = "trace";

/// A finished message.
#[derive(Debug, Clone)]
pub struct OutgoingMail {
    /// Envelope sender, a verified identity.
    pub from: String,
    /// The one recipient. A complaint names all recipients at a domain, so each mail has one recipient.
    pub to: String,
    /// RFC 5322 bytes.
    pub raw: Vec<u8>,
    /// Name and value; SES returns them with every event about this mail.
    pub tags: Vec<(String, String)>,
}

/// Why a mail was not accepted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SendError {
    /// SES refused this mail. The refusal is final.
    #[error("ses SendEmail: refused: {code}: {message}")]
    Refused {
        /// SES error code.
        code: String,
        /// SES's message.
        message: String,
    },
    /// SES throttled the call, or could not be reached: nothing was sent.
    #[error("ses SendEmail: throttled: {code}")]
    Throttled {
        /// SES error code.
        code: String,
    },
    /// The account, the identity or our role may not send: every mail would fail in the same way.
    #[error("ses SendEmail: sending is stopped: {code}: {message}")]
    Stopped {
        /// SES error code.
        code: String,
        /// SES's message.
        message: String,
    },
    /// No answer: the mail may have been sent.
    #[error("ses SendEmail: no answer: {0}")]
    Unknown(String),
}

/// The mail client.
#[derive(Clone, Debug)]
pub struct Mailer {
    client: Client,
    configuration_set: String,
}

impl Mailer {
    /// Sends through this configuration set, whose events go to `delivery-status`.
    pub(crate) fn new(aws: &Aws, configuration_set: &str) -> Self {
        let config = Builder::from(aws.config())
            .retry_config(RetryConfig::disabled())
            .build();
        Self {
            client: Client::from_conf(config),
            configuration_set: configuration_set.to_owned(),
        }
    }

    /// Makes one call; returns SES's message id.
    pub async fn send(&self, mail: OutgoingMail) -> Result<String, SendError> {
        let refuse = |message: String| SendError::Refused {
            code: "Malformed".into(),
            message,
        };
        let raw = RawMessage::builder()
            .data(Blob::new(mail.raw))
            .build()
            .map_err(|error| refuse(error.to_string()))?;
        let mut tags = Vec::with_capacity(mail.tags.len() + 1);
        let trace = crate::trace::current().filter(|trace| is_tag(trace));
        let trace = trace.map(|trace| (TRACE_TAG.to_owned(), trace));
        for (name, value) in mail.tags.into_iter().chain(trace) {
            let tag = MessageTag::builder().name(name).value(value).build();
            tags.push(tag.map_err(|error| refuse(error.to_string()))?);
        }
        let answer = self
            .client
            .send_email()
            .from_email_address(mail.from)
            .destination(Destination::builder().to_addresses(mail.to).build())
            .content(EmailContent::builder().raw(raw).build())
            .configuration_set_name(&self.configuration_set)
            .set_email_tags(Some(tags))
            .send()
            .await;
        match answer {
            Ok(answer) => answer
                .message_id
                .ok_or_else(|| SendError::Unknown("no message id".into())),
            Err(SdkError::ServiceError(context)) => Err(sort(
                context.err().code().unwrap_or_default(),
                context.err().message().unwrap_or_default(),
                context.raw().status().as_u16(),
            )),
            Err(SdkError::ConstructionFailure(error)) => Err(refuse(format!("{error:?}"))),
            Err(SdkError::DispatchFailure(failure))
                if failure.as_connector_error().is_some_and(never_connected) =>
            {
                Err(SendError::Throttled {
                    code: "Connect".into(),
                })
            }
            Err(error) => Err(SendError::Unknown(error.to_string())),
        }
    }
}

/// Whether no connection was made (no such name, refused, too slow, no TLS), so that no byte of the request was
/// sent. The SDK's own error kinds do not show this: a connection that broke after the request was written is `io`
/// as well.
fn never_connected(error: &ConnectorError) -> bool {
    let first: &(dyn Error + 'static) = error;
    std::iter::successors(Some(first), |error| (**error).source())
        .filter_map(|error| error.downcast_ref::<hyper_util::client::legacy::Error>())
        .any(hyper_util::client::legacy::Error::is_connect)
}

/// A value that SES accepts for a tag. An external id may be longer or hold other characters; the mail is then sent
/// without the tag.
fn is_tag(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.@".contains(&byte);
    (1..=256).contains(&text.len()) && text.bytes().all(fits)
}

fn sort(code: &str, message: &str, status: u16) -> SendError {
    let (code, message) = (code.to_owned(), message.to_owned());
    match code.as_str() {
        // This throttle lasts for hours, unlike the others.
        _ if message.contains("Daily message quota") => SendError::Stopped { code, message },
        "TooManyRequestsException" | "LimitExceededException" | "ThrottlingException" => {
            SendError::Throttled { code }
        }
        _ if status >= 500 => SendError::Unknown(format!("{status} {code}")),
        // Usually the content is at fault. But SES also uses this code for a sender that is not verified.
        "MessageRejected" | "BadRequestException" if !message.contains("not verified") => {
            SendError::Refused { code, message }
        }
        // Suspended, paused, no rights, expired keys, no configuration set: the next mail would fail in the same
        // way.
        _ => SendError::Stopped { code, message },
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Sends a mail to an SES at this port, over the HTTP client of the functions.
    async fn send_to(port: u16) -> Result<String, SendError> {
        let credentials = Credentials::new("key", "secret", None, None, "test");
        let config = aws_types::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::v2026_01_12())
            .region(aws_config::Region::new("ap-southeast-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(format!("http://127.0.0.1:{port}"))
            .build();
        let aws = Aws::new(config, kernel::Clock::system(), kernel::Entropy::system());
        let mail = OutgoingMail {
            from: "tin@example.vn".into(),
            to: "an@example.com".into(),
            raw: b"Subject: An\r\n\r\nAn".to_vec(),
            tags: Vec::new(),
        };
        Mailer::new(&aws, "events").send(mail).await
    }

    #[tokio::test]
    async fn what_never_reached_ses_was_not_sent_and_a_lost_answer_may_have_been() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = async {
            // One request is read and never answered; the other gets a failure.
            for answer in ["", "HTTP/1.1 503 Unavailable\r\ncontent-length: 0\r\n\r\n"] {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                assert!(socket.read(&mut request).await.unwrap() > 0);
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        };
        let client = async { (send_to(port).await, send_to(port).await) };
        let ((lost, failed), ()) = tokio::join!(client, server);
        assert!(matches!(lost, Err(SendError::Unknown(_))), "{lost:?}");
        assert!(matches!(failed, Err(SendError::Unknown(_))), "{failed:?}");

        drop(listener);
        let refused = send_to(port).await;
        let is_free = matches!(&refused, Err(SendError::Throttled { code }) if code == "Connect");
        assert!(is_free, "{refused:?}");
    }

    #[test]
    fn only_what_is_said_of_the_mail_itself_is_its_end() {
        let unverified = "Email address is not verified. The following identities failed the check";
        for (code, message, status, kind) in [
            ("MessageRejected", "Email contains a virus", 400, "refused"),
            ("BadRequestException", "Illegal address", 400, "refused"),
            ("MessageRejected", unverified, 400, "sending is stopped"),
            (
                "MailFromDomainNotVerifiedException",
                "",
                400,
                "sending is stopped",
            ),
            ("AccountSuspendedException", "", 400, "sending is stopped"),
            ("SendingPausedException", "", 400, "sending is stopped"),
            (
                "NotFoundException",
                "no configuration set",
                404,
                "sending is stopped",
            ),
            ("AccessDeniedException", "", 403, "sending is stopped"),
            ("ExpiredTokenException", "", 403, "sending is stopped"),
            ("", "", 413, "sending is stopped"),
            ("TooManyRequestsException", "", 429, "throttled"),
            (
                "ThrottlingException",
                "Daily message quota exceeded",
                400,
                "sending is stopped",
            ),
            ("LimitExceededException", "", 400, "throttled"),
            ("InternalServiceErrorException", "", 500, "no answer"),
        ] {
            let error = sort(code, message, status).to_string();
            let wanted = format!("ses SendEmail: {kind}");
            assert!(error.starts_with(&wanted), "{code}: {error}");
        }
    }
}
