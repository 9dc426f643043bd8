//! Lambda entry point; all behaviour is in the library.

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    lambda::run(campaign_sender_zns::function).await
}
