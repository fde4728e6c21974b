//! Whether multicast DNS works here, for programs that have to say why peers don't connect.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use futures_channel::mpsc;
use futures_util::StreamExt as _;
use tristero_proto::engine::NetworkEvent;

use super::group::{self, Group, Interface};
use super::{Mdns, PORT};
use crate::Options;
use crate::reactor::Reactor;
use crate::time::timeout;

/// Why names that end in `.local` are not found here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MdnsFailure {
    /// On no interface can the group be joined.
    #[error("multicast DNS can't be joined: {0}")]
    NotJoined(
        /// Why.
        #[from]
        io::Error,
    ),
    /// The group was joined, and what is sent to it does not arrive.
    #[error("a name that was published here is not found here")]
    Unheard,
}

/// Publishes a name, as a node does that hides its addresses, and asks for it, as one does that hears
/// of such a name. That is done within this machine, but on all its networks; it takes 3 s if it fails.
///
/// ```no_run
/// # async fn example<R: tristero_native::Reactor>() {
/// use tristero_native::{Options, check_mdns};
///
/// match check_mdns::<R>(&Options::default()).await {
///     Ok(()) => println!("names of browsers are found here"),
///     Err(error) => println!("{error}"),
/// }
/// # }
/// ```
///
/// # Errors
///
/// Fails if no interface takes part in multicast, or what is sent does not arrive.
pub async fn check_mdns<R: Reactor>(options: &Options) -> Result<(), MdnsFailure> {
    let address = joined_at::<R>(&group::interfaces(options.loopback)?)?;
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::from)?;
    let name = format!("{:032x}.local", u128::from_be_bytes(bytes));
    let (sender, mut events) = mpsc::channel(1);
    // Nobody listens to the one that asks nothing.
    let mut publisher = Mdns::<R>::new(options.loopback, mpsc::channel(1).0);
    let mut asker = Mdns::<R>::new(options.loopback, sender);
    publisher.publish(name.clone(), address);
    asker.resolve(name);
    match timeout::<R, _>(PATIENCE, events.next()).await {
        Ok(Some(NetworkEvent::LocalResolved { addresses, .. })) if addresses == [address] => Ok(()),
        _ => Err(MdnsFailure::Unheard),
    }
}

/// An address of an interface on which the group can be joined, preferably one that leads elsewhere.
fn joined_at<R: Reactor>(interfaces: &[Interface]) -> io::Result<IpAddr> {
    let mut failure = io::ErrorKind::AddrNotAvailable.into();
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        interfaces.iter().partition(|interface| interface.is_loopback());
    for interface in elsewhere.into_iter().chain(here) {
        let address = interface.addresses().next();
        match Group::<R>::join(interface, PORT).map(|_| address) {
            Ok(Some(address)) => return Ok(address),
            Ok(None) => {}
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// A little longer than a name is asked for.
const PATIENCE: Duration = Duration::from_secs(4);
