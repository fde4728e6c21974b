//! `tristero relay`: the self-hosted relay as a program.

use std::io::Write;

use tristero_relay::{Config, Handle, Limits, Relay, Tls};

use crate::args::RelayArguments;
use crate::exit::Failure;
use crate::files;
use crate::signals::StopSignals;

/// Serves until the program is asked to stop. A second request ends it at once.
pub(crate) async fn run(arguments: RelayArguments) -> Result<(), Failure> {
    let mut signals = StopSignals::listen()?;
    let config = config(&arguments)?;
    raise_file_limit(&config.limits);
    let relay = Relay::bind(config).await.map_err(Failure::running)?;
    let url = relay.url();
    let handle = relay.spawn();
    // Scripts read the port from the first line. One that reads no more is no reason to stop.
    let _ = writeln!(std::io::stdout(), "listening on {url}");

    signals.next().await;
    handle.shutdown();
    tokio::select! {
        () = handle.stopped() => {}
        () = signals.next() => return Err(Failure::running("stopped before all had hung up")),
    }
    report(&handle);
    Ok(())
}

fn config(arguments: &RelayArguments) -> Result<Config, Failure> {
    let mut config = Config::new(arguments.listen);
    if let (Some(certificates), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) {
        config.tls = Some(Tls::from_pem_files(certificates, key).map_err(Failure::usage)?);
    }
    let limits = &mut config.limits;
    let chosen = [
        (&mut limits.connections_max, arguments.max_connections),
        (&mut limits.topics_max, arguments.max_topics),
        (&mut limits.connection_topics_max, arguments.max_topics_per_connection),
        (&mut limits.message_bytes_max, arguments.max_message_bytes),
        (&mut limits.outbox_bytes_max, arguments.max_outbox_bytes),
    ];
    for (limit, chosen) in chosen {
        *limit = chosen.unwrap_or(*limit);
    }
    Ok(config)
}

/// A relay needs a file for each client, and what a shell allows is often a thousand.
fn raise_file_limit(limits: &Limits) {
    let Some(files) = files::raise_limit() else { return };
    tracing::debug!(files, "the relay may have so many files open");
    let clients = limits.connections_max.saturating_add(limits.handshakes_max);
    let needed = (clients as u64).saturating_add(FILES_BESIDE);
    if files < needed {
        tracing::warn!(files, needed, "the system allows fewer open files than clients may come");
    }
}

fn report(handle: &Handle) {
    let counters = handle.stats().counters;
    tracing::info!(
        opened = counters.opened,
        published = counters.published,
        delivered = counters.delivered,
        "the relay has stopped"
    );
}

/// Those of the program itself.
const FILES_BESIDE: u64 = 64;
