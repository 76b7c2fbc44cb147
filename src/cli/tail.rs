//! `copydesk tail`: what comes out, readable or as JSON.

use std::{io::Write, process::ExitCode};

use async_nats::jetstream::consumer::{DeliverPolicy, pull::OrderedConfig};
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use super::{Settings, view};
use crate::{
    record::Record,
    service::{broker, names},
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only records on this subject
    #[arg(long)]
    subject: Option<String>,
    /// Begin with the first record that the stream holds, not with the next
    #[arg(long)]
    all: bool,
    /// End after so many records
    #[arg(long, short = 'n', value_name = "COUNT")]
    count: Option<u64>,
    /// Print the records as they are, one a line
    #[arg(long)]
    json: bool,
    /// Read dead letters instead of records
    #[arg(long)]
    dead: bool,
    /// Width in columns
    #[arg(long, default_value_t = 100)]
    width: usize,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    super::runtime()?.block_on(follow(arguments))
}

async fn follow(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = arguments.settings.load()?;
    let broker = broker::connect(&config.nats).await?;
    broker::wait_connected(&broker, &CancellationToken::new()).await;
    let name = if arguments.dead { &config.streams.dead.name } else { &config.streams.output.name };
    let stream = broker.jetstream.get_stream(name).await?;
    let consumer = stream
        .create_consumer(OrderedConfig {
            filter_subject: arguments.subject.clone().unwrap_or_default(),
            deliver_policy: if arguments.all { DeliverPolicy::All } else { DeliverPolicy::New },
            ..OrderedConfig::default()
        })
        .await?;
    let mut messages = consumer.messages().await?;
    let style = view::Style {
        width: arguments.width,
        colour: !matches!(anstream::AutoStream::choice(&std::io::stdout()), anstream::ColorChoice::Never),
    };
    let mut left = arguments.count;
    while left != Some(0) {
        let message = tokio::select! {
            message = messages.next() => message,
            _ = tokio::signal::ctrl_c() => break,
        };
        let Some(message) = message else { break };
        print(&message?.message, arguments, style)?;
        left = left.map(|left| left - 1);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(message: &async_nats::Message, arguments: &Arguments, style: view::Style) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let header = |name| message.headers.as_ref().and_then(|h| h.get(name)).map_or("-", |value| value.as_str());
    if arguments.dead {
        let (reason, detail) = (header(names::REASON), header(names::DETAIL));
        let (stream, sequence) = (header(names::STREAM), header(names::SEQUENCE));
        return match arguments.json {
            true => {
                let line = serde_json::json!({
                    "subject": message.subject.as_str(), "reason": reason, "detail": detail, "stream": stream,
                    "sequence": sequence, "id": header(names::STORY_ID), "bytes": message.payload.len(),
                });
                writeln!(out, "{line}")
            }
            false => writeln!(out, "{reason}  {stream} {sequence}  {} bytes  {detail}", message.payload.len()),
        };
    }
    match (arguments.json, serde_json::from_slice::<Record>(&message.payload)) {
        (true, _) => {
            out.write_all(&message.payload)?;
            out.write_all(b"\n")?;
        }
        (false, Ok(record)) => {
            writeln!(out, "{}  {} {}", message.subject, header(names::STREAM), header(names::SEQUENCE))?;
            writeln!(out, "{}", view::render(&record, style))?;
        }
        (false, Err(error)) => {
            writeln!(out, "{}: not a record that this version can show: {error}", message.subject)?;
        }
    }
    out.flush()
}
