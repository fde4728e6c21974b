//! Two parties on the loopback interface.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use futures_channel::mpsc;
use futures_util::StreamExt as _;

use super::message::{Heard, emit_questions, parse};
use super::*;
use crate::smol_reactor::Smol;
use crate::udp::poll_recv_from;

const NAME: &str = "3f6c1a9e-70d4-4b52-9c1e-8f2a5d7b6c30.local";
const OTHER: &str = "00000000-70d4-4b52-9c1e-8f2a5d7b6c30.local";
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// On IPv4's loopback interface alone; none where the system has no multicast on it.
fn loopback() -> Option<ListInterfaces> {
    let list = || -> std::io::Result<Vec<Interface>> {
        let all = if_addrs::get_if_addrs()?.into_iter();
        Ok(group::group(all.filter(|it| it.ip() == ADDRESS)))
    };
    let interfaces = list().unwrap();
    match group::Group::<Smol>::join(interfaces.first()?, free_port()) {
        Ok(_) => Some(Arc::new(list)),
        Err(error) => {
            eprintln!("SKIPPED: no multicast on the loopback interface: {error}");
            None
        }
    }
}

/// A port that nobody has.
fn free_port() -> u16 {
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap().local_addr().unwrap().port()
}

fn party(port: u16, interfaces: &ListInterfaces) -> (Mdns<Smol>, mpsc::Receiver<NetworkEvent>) {
    let (sender, events) = mpsc::channel(8);
    (Mdns::on(port, interfaces.clone(), sender), events)
}

fn resolved(addresses: &[IpAddr]) -> Option<NetworkEvent> {
    Some(NetworkEvent::LocalResolved { name: NAME.to_owned(), addresses: addresses.to_vec() })
}

#[test]
fn a_name_is_found_by_another_party_until_it_is_withdrawn() {
    smol::block_on(async {
        let Some(interfaces) = loopback() else { return };
        let port = free_port();
        let (mut publisher, mut done) = party(port, &interfaces);
        let (mut asker, mut events) = party(port, &interfaces);
        publisher.publish(NAME.to_uppercase(), ADDRESS);
        asker.publish(OTHER.to_owned(), ADDRESS);
        asker.resolve(NAME.to_owned());
        assert_eq!(events.next().await, resolved(&[ADDRESS]));
        publisher.withdraw(NAME.to_owned());
        // It does one thing after the other.
        publisher.resolve(OTHER.to_owned());
        done.next().await.unwrap();
        asker.resolve(NAME.to_owned());
        assert_eq!(events.next().await, resolved(&[]));
    });
}

#[test]
fn a_name_that_is_published_late_is_found_when_it_is_asked_for_again() {
    smol::block_on(async {
        let Some(interfaces) = loopback() else { return };
        let port = free_port();
        let witness = group::Group::<Smol>::join(&interfaces().unwrap()[0], port).unwrap();
        let (mut asker, mut events) = party(port, &interfaces);
        asker.resolve(NAME.to_owned());
        let mut buffer = [0; 1_500];
        poll_fn(|cx| poll_recv_from(&witness.socket, &mut buffer, cx)).await;
        let (mut publisher, _) = party(port, &interfaces);
        publisher.publish(NAME.to_owned(), ADDRESS);
        assert_eq!(events.next().await, resolved(&[ADDRESS]));
    });
}

#[test]
fn a_resolver_of_the_usual_kind_is_answered_alone() {
    smol::block_on(async {
        let Some(interfaces) = loopback() else { return };
        let port = free_port();
        let (mut publisher, _) = party(port, &interfaces);
        let (mut asker, mut events) = party(port, &interfaces);
        publisher.publish(NAME.to_owned(), ADDRESS);
        asker.resolve(NAME.to_owned());
        events.next().await.unwrap();

        let resolver = smol::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let by = Ipv4Addr::LOCALHOST;
        socket2::SockRef::from(&resolver).set_multicast_if_v4(&by).unwrap();
        let group = SocketAddr::from((Ipv4Addr::new(224, 0, 0, 251), port));
        let [question, _] = emit_questions(NAME).unwrap();
        resolver.send_to(&question, group).await.unwrap();
        let mut buffer = [0; 1_500];
        let length = resolver.recv(&mut buffer).await.unwrap();
        let expected = Heard::Answers(vec![(NAME.to_owned(), ADDRESS)]);
        assert_eq!(parse(&buffer[..length]), Some(expected));
    });
}

#[test]
fn where_no_interface_is_no_name_is_known() {
    smol::block_on(async {
        let none: ListInterfaces = Arc::new(|| Ok(Vec::new()));
        let (mut asker, mut events) = party(free_port(), &none);
        asker.resolve(NAME.to_owned());
        assert_eq!(events.next().await, resolved(&[]));
    });
}
