//! Lambda entry point; all behaviour is in the library.

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    lambda::run(api_channels::function).await
}
