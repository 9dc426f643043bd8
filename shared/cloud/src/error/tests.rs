use super::*;

#[test]
fn what_a_later_attempt_can_mend_is_tried_again() {
    let cases = [
        (400, "ConditionalCheckFailedException", "Store.Conflict"),
        (400, "ThrottlingException", "Store.Throttled"),
        (
            400,
            "ProvisionedThroughputExceededException",
            "Store.Throttled",
        ),
        (400, "RequestLimitExceeded", "Store.Throttled"),
        (400, "TransactionConflictException", "Store.Throttled"),
        (403, "RequestThrottled", "Store.Throttled"),
        (429, "TooManyRequestsException", "Store.Throttled"),
        (429, "", "Store.Throttled"),
        (503, "SlowDown", "Store.Throttled"),
        (500, "InternalServerError", "Store.Unknown"),
        (500, "InternalError", "Store.Unknown"),
        (500, "InternalFailure", "Store.Unknown"),
        (503, "ServiceUnavailable", "Store.Unknown"),
        (503, "ServiceUnavailableException", "Store.Unknown"),
        (502, "", "Store.Unknown"),
        (400, "", "Store.Unknown"),
        (400, "AccessDeniedException", "Store.Misconfigured"),
        (403, "AccessDenied", "Store.Misconfigured"),
        (400, "ExpiredTokenException", "Store.Misconfigured"),
        (400, "ExpiredToken", "Store.Misconfigured"),
        (400, "UnrecognizedClientException", "Store.Misconfigured"),
        (403, "InvalidClientTokenId", "Store.Misconfigured"),
        (403, "SignatureDoesNotMatch", "Store.Misconfigured"),
        (403, "ForbiddenException", "Store.Misconfigured"),
        (400, "ResourceNotFoundException", "Store.Misconfigured"),
        (400, "QueueDoesNotExist", "Store.Misconfigured"),
        (
            400,
            "AWS.SimpleQueueService.NonExistentQueue",
            "Store.Misconfigured",
        ),
        (404, "NoSuchBucket", "Store.Misconfigured"),
        (400, "KmsDisabled", "Store.Misconfigured"),
        (400, "KMSAccessDeniedException", "Store.Misconfigured"),
        (401, "Unauthorized", "Store.Misconfigured"),
        (400, "RequestExpired", "Store.Misconfigured"),
        (400, "InvalidToken", "Store.Misconfigured"),
        (400, "NotAuthorized", "Store.Misconfigured"),
        (400, "InvalidSignatureException", "Store.Misconfigured"),
        (400, "InvalidClientTokenId", "Store.Misconfigured"),
        (400, "KMSDisabledException", "Store.Misconfigured"),
        (400, "MissingAuthenticationToken", "Store.Misconfigured"),
        (403, "OverLimit", "Store.Throttled"),
        (400, "ThrottlingError", "Store.Throttled"),
        (400, "TransactionInProgressException", "Store.Throttled"),
        (400, "ReplicatedWriteConflictException", "Store.Throttled"),
        (400, "LimitExceededException", "Store.Throttled"),
        (400, "TransactionCanceledException", "Store.Unknown"),
        (400, "InternalServerError", "Store.Unknown"),
        (400, "InternalError", "Store.Unknown"),
        (400, "InternalFailure", "Store.Unknown"),
        (400, "ServiceUnavailable", "Store.Unknown"),
        (400, "RequestTimeout", "Store.Unknown"),
        (409, "OperationAborted", "Store.Unknown"),
        (409, "ConditionalRequestConflict", "Store.Unknown"),
        (400, "ResourceInUseException", "Store.Unknown"),
    ];
    for (status, code, name) in cases {
        let error = sort(Place::new("test", "Try", "it"), status, code, "words");
        assert_eq!(error.name(), name, "{status} {code}");
        assert!(error.is_retryable(), "{status} {code}");
    }
    for (status, code) in [
        (400, "ValidationException"),
        (400, "InvalidMessageContents"),
        (400, "SerializationException"),
        (404, "NoSuchKey"),
        (413, "RequestEntityTooLarge"),
        (400, "ItemCollectionSizeLimitExceededException"),
    ] {
        let error = sort(Place::new("test", "Try", "it"), status, code, "words");
        assert_eq!(error.name(), "Store.Refused", "{status} {code}");
        assert!(!error.is_retryable(), "{status} {code}");
    }
}

#[test]
fn a_cancelled_transaction_is_what_its_reasons_say() {
    let throttled = [
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "TransactionConflict",
        "RequestLimitExceeded",
    ];
    let of = |reasons: &[&str]| cancellation(Place::new("test", "Try", "it"), reasons);
    for reason in throttled {
        let error = of(&["None", reason, "None"]);
        assert_eq!(error.name(), "Store.Throttled", "{reason}");
        assert!(error.to_string().ends_with(reason), "{error}");
        let both = of(&[reason, "ConditionalCheckFailed"]);
        assert_eq!(both.name(), "Store.Conflict");
        let never = of(&[reason, "ValidationError"]);
        assert_eq!(never.name(), "Store.Refused");
    }
    for reason in ["ValidationError", "ItemCollectionSizeLimitExceeded"] {
        let error = of(&["None", reason]);
        assert_eq!(error.name(), "Store.Refused", "{reason}");
        assert!(error.to_string().contains(reason), "{error}");
    }
    assert_eq!(of(&["AccessDenied"]).name(), "Store.Misconfigured");
    assert_eq!(of(&[]).name(), "Store.Unknown");
    assert_eq!(of(&["None", "None"]).name(), "Store.Unknown");
}

#[test]
fn words_about_stored_data_quote_none_of_it() {
    for (text, shown) in [
        ("missing field `email`", "missing field `email`"),
        (
            "invalid type: string \"an@example.vn, expected here\", expected u32",
            "invalid type, expected u32",
        ),
        (
            "unknown variant `an@example.vn`, expected `a` or `b`",
            "unknown variant, expected `a` or `b`",
        ),
        (
            "an@example.vn is no phone",
            "an attribute that this build does not read",
        ),
        ("invalid length 3", "invalid length"),
        ("Expected a Map", "expected a map"),
    ] {
        assert_eq!(without_values(text), shown);
    }
    let error = serde_json::from_str::<u32>("\n  \"an@example.vn\"").unwrap_err();
    assert_eq!(
        json_flaw(&error),
        "JSON of another shape at line 2 column 17"
    );
}

#[test]
fn a_failure_of_the_sdk_is_what_its_kind_and_its_code_say() {
    use aws_sdk_dynamodb::operation::get_item::GetItemError;
    use aws_smithy_types::{body::SdkBody, error::ErrorMetadata};
    let of = |error: SdkError<GetItemError, HttpResponse>| {
        Error::from_sdk(Place::new("dynamodb", "GetItem", "Limits"), &error)
    };
    let answer = |status: u16, code: &str| {
        let meta = ErrorMetadata::builder().code(code).message("words").build();
        let raw = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
        of(SdkError::service_error(GetItemError::generic(meta), raw)).to_string()
    };
    assert_eq!(
        answer(400, "ThrottlingException"),
        "dynamodb GetItem Limits: throttled: ThrottlingException"
    );
    assert_eq!(
        answer(503, "Odd"),
        "dynamodb GetItem Limits: no usable answer: 503 Odd words"
    );
    let built = of(SdkError::construction_failure("no region"));
    assert_eq!(built.name(), "Store.Refused");
    assert!(built.to_string().ends_with(": no region"), "{built}");
    let late = of(SdkError::timeout_error("too late"));
    assert_eq!(late.name(), "Store.Unknown");
    assert!(late.to_string().ends_with(": too late"), "{late}");
}

#[test]
fn a_flaw_of_json_names_its_kind_and_place() {
    let of = |text: &str| json_flaw(&serde_json::from_str::<u32>(text).unwrap_err());
    assert_eq!(of("x"), "not JSON at line 1 column 1");
    assert_eq!(of(""), "JSON that ends too early at line 1 column 0");
    let error = serde_json::from_value::<u32>(serde_json::Value::Null).unwrap_err();
    assert_eq!(json_flaw(&error), "JSON of another shape");
    let shape = Error::from(error).to_string();
    assert_eq!(
        shape,
        "stored data has an unexpected shape: JSON of another shape"
    );
    let error = serde_dynamo::from_item::<_, u32>(crate::item::Item::new()).unwrap_err();
    assert!(matches!(Error::from(error), Error::Shape(_)));
}
