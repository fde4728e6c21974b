//! The API of a runtime, given its reactor.

/// Makes a runtime crate's API of a [`Reactor`](crate::Reactor): all of `tristero`, and what is here,
/// without a type to be named. Attributes, such as what else is to be documented, go to what has to be
/// called where the reactor is.
///
/// ```text
/// mod reactor;
/// // `join`, `node`, `send_file`, `save`, `IceProbe`, `WebSockets`, and `tristero::*`
/// tristero_native::runtime_api!(reactor::Mine);
/// ```
#[macro_export]
macro_rules! runtime_api {
    ($(#[$attribute:meta])* $reactor:ty) => {
        pub use $crate::{
            Error, ExtraRoots, IceFinding, InvalidRoot, MdnsFailure, Options, Proxies,
        };
        pub use $crate::tristero::*;

        /// Joins a room with a node of its own, which has the default [`Options`]. With others it is
        /// `node(options)?.join(config, room_id)`.
        ///
        /// # Errors
        ///
        /// Fails if [`node`] does, or the room can't be joined so.
        $(#[$attribute])*
        pub fn join(config: &Config, room_id: &str) -> ::core::result::Result<Room, Error> {
            $crate::join::<$reactor>(config, room_id)
        }

        /// Starts a node, driven by a task of its own until its last handle is gone.
        ///
        /// # Errors
        ///
        /// Fails if no UDP socket can be bound, or the operating system has no random numbers.
        $(#[$attribute])*
        pub fn node(options: Options) -> ::std::io::Result<NodeHandle> {
            $crate::node::<$reactor>(options)
        }

        /// Sends a file: see [`tristero_native::send_file`]($crate::send_file).
        pub fn send_file(
            files: &TransferAction,
            path: impl ::core::convert::Into<::std::path::PathBuf>,
        ) -> SendFile {
            $crate::send_file(files, path)
        }

        /// Saves a transfer as a file: see [`tristero_native::save`]($crate::save).
        ///
        /// # Errors
        ///
        /// Fails if the file can't be written, or the transfer does not get complete.
        pub async fn save(
            incoming: Incoming,
            path: impl ::core::convert::AsRef<::std::path::Path>,
        ) -> ::std::io::Result<u64> {
            $crate::save::<$reactor>(incoming, path).await
        }

        /// Whether multicast DNS works here: see [`tristero_native::check_mdns`]($crate::check_mdns).
        ///
        /// # Errors
        ///
        /// Fails if no interface takes part in multicast, or what is sent does not arrive.
        $(#[$attribute])*
        pub async fn check_mdns(
            options: &Options,
        ) -> ::core::result::Result<(), MdnsFailure> {
            $crate::check_mdns::<$reactor>(options).await
        }

        /// A file that is to be sent: see [`tristero_native::SendFile`]($crate::SendFile).
        pub type SendFile = $crate::SendFile<$reactor>;

        /// Asks STUN and TURN servers: see [`tristero_native::IceProbe`]($crate::IceProbe).
        $(#[$attribute])*
        pub type IceProbe = $crate::IceProbe<$reactor>;

        /// Opens WebSockets for a [`Dialer`] of your own: see
        /// [`tristero_native::WebSockets`]($crate::WebSockets).
        pub type WebSockets = $crate::WebSockets<$reactor>;
    };
}
