//! A peer that chats with Trystero in the visitor's browser.

use serde_json::json;
use tristero_tokio::{Config, Options};

use super::screen::Screen;
use super::site::{Site, listen};
use super::{APP_ID, start_relay};
use crate::args::DemoArguments;
use crate::chat::{Conversation, OnEnd};
use crate::exit::Failure;
use crate::node;
use crate::signals::StopSignals;

const ROOM_ID: &str = "lobby";
const GREETING: &str = "Hello from Rust! What you write appears in my terminal.";

/// Serves the page and chats, until the program is asked to stop.
pub(crate) async fn run(arguments: &DemoArguments) -> Result<(), Failure> {
    // First, for without it there is nothing to do.
    let mut site = Site::read(&arguments.web_dir).map_err(Failure::running)?;
    let mut signals = StopSignals::listen()?;
    let mut screen = Screen::new("A peer in Rust and Trystero in your browser.")?;

    let (relay, relay_url) = screen
        .step("relay", async {
            let (relay, url) = start_relay().await?;
            let told = format!("a relay listens on {url}");
            Ok(((relay, url), told))
        })
        .await?;
    let config = json!({"appId": APP_ID, "roomId": ROOM_ID, "relayUrl": relay_url});
    site.add("/config.json", config.to_string());
    let address = screen
        .step("page", async {
            let (listener, address) = listen(arguments.port).await.map_err(|error| {
                let port = arguments.port;
                Failure::running(format!("the page can't be served on port {port}: {error}"))
            })?;
            tokio::spawn(site.serve(listener));
            Ok((address, "the page is served to this machine".to_owned()))
        })
        .await?;
    let (node, room) = screen
        .step("join", async {
            let node = node::start(Options { loopback: true, ..Options::default() })?;
            let config = Config::new(APP_ID).relay(&relay_url);
            let room = node.join(&config, ROOM_ID).map_err(Failure::running)?;
            let told = format!("I am {}", room.self_id());
            Ok(((node, room), told))
        })
        .await?;
    screen.say(format_args!(
        "\nOpen http://{address}/ in a browser, or in two, and write here too. Ctrl-C ends it.\n"
    ))?;

    let mut events = room.events();
    let talk = Conversation::new(&room, OnEnd::Stay, ".".into())?.greet_with(GREETING);
    let outcome = tokio::select! {
        outcome = talk.run(&mut events) => outcome,
        () = signals.next() => Ok(()),
    };
    room.leave().await;
    node.shut_down().await;
    relay.shutdown();
    relay.stopped().await;
    outcome
}
