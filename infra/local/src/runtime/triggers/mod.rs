//! Event sources: the work of Lambda's pollers and EventBridge between a source and a function.

pub mod schedule;
pub mod sqs;
pub mod stream;

use std::collections::BTreeSet;

use serde_json::Value;

use super::functions::Failure;

/// Result for the items of a batch, as the answer gives it.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All done.
    Done,
    /// These were not done.
    Failed(BTreeSet<String>),
    /// The invocation failed, or its answer made no sense: nothing counts as done.
    AllFailed,
}

/// Reads a function's answer as Lambda does. Without `ReportBatchItemFailures` any answer is success. With it, an
/// empty or absent list is success. An identifier that is empty or not in this batch makes the whole batch a
/// failure.
pub fn verdict(result: &Result<Value, Failure>, ids: &[String], reports: bool) -> Verdict {
    let Ok(answer) = result else {
        return Verdict::AllFailed;
    };
    if !reports || answer.is_null() {
        return Verdict::Done;
    }
    let Value::Object(answer) = answer else {
        return Verdict::AllFailed;
    };
    let failures = match answer.get("batchItemFailures") {
        None | Some(Value::Null) => return Verdict::Done,
        Some(Value::Array(failures)) => failures,
        Some(_) => return Verdict::AllFailed,
    };
    let mut failed = BTreeSet::new();
    for failure in failures {
        let id = failure.get("itemIdentifier").and_then(Value::as_str);
        match id {
            Some(id) if ids.iter().any(|known| known == id) => failed.insert(id.to_owned()),
            _ => return Verdict::AllFailed,
        };
    }
    if failed.is_empty() {
        Verdict::Done
    } else {
        Verdict::Failed(failed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(answer: Value) -> Verdict {
        verdict(&Ok(answer), &["a".to_owned(), "b".to_owned()], true)
    }

    #[test]
    fn answers_are_read_as_lambda_reads_them() {
        let ok = [
            json!(null),
            json!({}),
            json!({"batchItemFailures": null}),
            json!({"batchItemFailures": []}),
        ];
        for answer in ok {
            assert_eq!(of(answer.clone()), Verdict::Done, "{answer}");
        }
        let wrong = [
            json!("done"),
            json!({"batchItemFailures": "a"}),
            json!({"batchItemFailures": [{"itemIdentifier": ""}]}),
            json!({"batchItemFailures": [{"itemIdentifier": null}]}),
            json!({"batchItemFailures": [{"id": "a"}]}),
            json!({"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "z"}]}),
        ];
        for answer in wrong {
            assert_eq!(of(answer.clone()), Verdict::AllFailed, "{answer}");
        }
        let one = of(json!({"batchItemFailures": [{"itemIdentifier": "b"}]}));
        assert_eq!(one, Verdict::Failed(BTreeSet::from(["b".to_owned()])));
    }

    #[test]
    fn without_reports_only_an_error_fails_the_batch() {
        let ids = ["a".to_owned()];
        let answer = Ok(json!({"batchItemFailures": [{"itemIdentifier": "a"}]}));
        assert_eq!(verdict(&answer, &ids, false), Verdict::Done);
        let failure = Failure {
            kind: "Panic".to_owned(),
            message: String::new(),
        };
        assert_eq!(verdict(&Err(failure), &ids, false), Verdict::AllFailed);
    }
}
