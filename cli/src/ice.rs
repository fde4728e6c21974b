//! STUN and TURN servers, as commands name them.

use std::fmt;

use serde::Deserialize;
use tristero_tokio::{
    HostCandidates, IceConfig, IceServer, IceServerKind, IceTransportPolicy, IceUrl,
};

/// Trystero's `rtcConfig`, as far as it is about servers.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RtcConfigSpec {
    ice_servers: Option<Vec<IceServerSpec>>,
    #[serde(default)]
    ice_transport_policy: PolicySpec,
}

/// A browser's `RTCIceServer`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct IceServerSpec {
    urls: UrlsSpec,
    username: Option<String>,
    credential: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "this is a URL or a list of URLs")]
enum UrlsSpec {
    One(String),
    Many(Vec<String>),
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
enum PolicySpec {
    #[default]
    All,
    Relay,
}

/// How peers are told of the addresses of this machine. Trystero has no word for it: browsers decide
/// by themselves.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum HostCandidatesSpec {
    #[default]
    Addresses,
    Mdns,
}

impl From<HostCandidatesSpec> for HostCandidates {
    fn from(spec: HostCandidatesSpec) -> Self {
        match spec {
            HostCandidatesSpec::Addresses => HostCandidates::Addresses,
            HostCandidatesSpec::Mdns => HostCandidates::Mdns,
        }
    }
}

/// What rooms are to use: the servers of `rtcConfig`, else Trystero's, and those of `turnConfig`
/// with the latter.
pub(crate) fn ice_config(rtc: &RtcConfigSpec, turn: &[IceServerSpec]) -> Result<IceConfig, String> {
    let mut config = match &rtc.ice_servers {
        Some(servers) => IceConfig::none().with_servers(read(servers, "rtcConfig.iceServers")?),
        None => IceConfig::default().with_servers(read(turn, "turnConfig")?),
    };
    if let PolicySpec::Relay = rtc.ice_transport_policy {
        config.transport_policy = IceTransportPolicy::Relay;
    }
    Ok(config)
}

/// A server as one argument: `URL`, or `URL,USERNAME,CREDENTIAL`.
pub(crate) fn parse_server(text: &str) -> Result<IceServer, String> {
    let mut parts = text.splitn(3, ',');
    let server = server(parts.next().unwrap_or_default())?;
    match (parts.next(), parts.next()) {
        (None, _) => Ok(server),
        (Some(username), Some(credential)) => Ok(server.with_credentials(username, credential)),
        (Some(_), None) => Err("a user name comes with a password: URL,USERNAME,CREDENTIAL".into()),
    }
    .and_then(complete)
}

fn read(specs: &[IceServerSpec], place: &str) -> Result<Vec<IceServer>, String> {
    let mut servers = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        let urls = match &spec.urls {
            UrlsSpec::One(url) => std::slice::from_ref(url),
            UrlsSpec::Many(urls) => urls,
        };
        for url in urls {
            let with_credentials = |server: IceServer| match (&spec.username, &spec.credential) {
                (Some(username), Some(credential)) => server.with_credentials(username, credential),
                _ => server,
            };
            let read = server(url).map(with_credentials).and_then(complete);
            servers.push(read.map_err(|why| format!("{place}[{index}]: {why}"))?);
        }
    }
    Ok(servers)
}

fn server(url: &str) -> Result<IceServer, String> {
    let parsed: Result<IceUrl, _> = url.parse();
    parsed.map(IceServer::new).map_err(|why| format!("{url}: {why}"))
}

/// As in browsers, a TURN server without credentials is a mistake.
fn complete(server: IceServer) -> Result<IceServer, String> {
    if server.url.kind == IceServerKind::Stun || server.credentials.is_some() {
        return Ok(server);
    }
    Err(format!("{}: a TURN server needs a user name and a password", server.url))
}

impl fmt::Debug for IceServerSpec {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServerSpec").field("urls", &self.urls).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn config(rtc: Value, turn: Value) -> Result<IceConfig, String> {
        let rtc: RtcConfigSpec = serde_json::from_value(rtc).unwrap();
        let turn: Vec<IceServerSpec> = serde_json::from_value(turn).unwrap();
        ice_config(&rtc, &turn)
    }

    #[test]
    fn turn_servers_come_to_the_defaults_and_ice_servers_in_their_place() {
        let turn = json!([{"urls": "turn:a", "username": "u", "credential": "c"}]);
        let with_defaults = config(json!({}), turn.clone()).unwrap();
        assert_eq!(with_defaults.servers.len(), IceConfig::default().servers.len() + 1);
        assert!(with_defaults.has_turn());
        let instead =
            config(json!({"iceServers": [{"urls": ["stun:b", "stun:c"]}]}), turn).unwrap();
        assert_eq!(instead.servers.len(), 2);
        assert_eq!(config(json!({"iceServers": []}), json!([])), Ok(IceConfig::none()));
        let relay = config(json!({"iceTransportPolicy": "relay"}), json!([])).unwrap();
        assert_eq!(relay.transport_policy, IceTransportPolicy::Relay);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let servers = json!({"iceServers": [{"urls": "stun:a"}, {"urls": "http://b"}]});
        let expected = "rtcConfig.iceServers[1]: http://b: it begins with";
        assert!(config(servers, json!([])).unwrap_err().starts_with(expected));
        let bare = config(json!({}), json!([{"urls": "turn:a"}])).unwrap_err();
        assert_eq!(
            bare,
            "turnConfig[0]: turn:a:3478: a TURN server needs a user name and a password"
        );
    }

    #[test]
    fn an_argument_names_a_server_and_its_credentials() {
        assert!(parse_server("stun:a").unwrap().credentials.is_none());
        let turn = parse_server("turn:a,me,se,cret").unwrap();
        assert_eq!(turn.credentials.unwrap().credential, "se,cret");
        assert!(parse_server("turn:a").is_err() && parse_server("turn:a,me").is_err());
    }
}
