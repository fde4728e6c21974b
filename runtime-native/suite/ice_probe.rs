//! `IceProbe`, at servers that are not there. Those that are, are asked in the tests of `cli`.

use std::net::TcpListener;

use super::common::{run, soon};
use crate::rooms::{IceFinding, IceProbe, IceServer, Options, ServerFailure};

#[test]
fn a_server_that_takes_no_stream_is_out_of_reach() {
    run(async {
        // A port that was free a moment ago and refuses now.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = format!("turn:{address}?transport=tcp").parse().unwrap();
        let server = IceServer::new(url).with_credentials("me", "sesame");
        let options = Options { loopback: true, ..Options::default() };
        let mut probe = IceProbe::new(std::slice::from_ref(&server), &options).unwrap();
        assert!(probe.addresses().iter().any(|address| address.ip().is_loopback()));

        let found = soon(probe.recv()).await;
        let IceFinding::Failed { url, failure: ServerFailure::Unreachable(why) } = found else {
            panic!("{found:?}");
        };
        assert_eq!(url, server.url);
        assert!(why.contains("refused"), "{why}");
    });
}
