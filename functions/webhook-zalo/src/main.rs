//! Lambda entry point; all behaviour is in the library.

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    lambda::run(webhook_zalo::function).await
}
