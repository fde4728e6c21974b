//! The examples of the help, and what has to be known beside.

pub(super) const EXAMPLES: &str = "\
Begin with:
  tristero demo

Exit status:
  0 all well, 1 a failure on the way, 2 wrong usage, 3 no relay was reachable in time

Each command has its own help: tristero chat --help";

pub(super) const DEMO_EXAMPLES: &str = "\
Everything runs in this one process and talks over real sockets of this machine; nothing leaves
it, and no network is needed.

Examples:
  tristero demo
  tristero demo --web              and open the address that it prints
  tristero demo --web --port 8000";

pub(super) const CHAT_EXAMPLES: &str = "\
A line goes to everyone who is in the room when it is entered; there is no history. A line that
begins with / is a command: /ping, /who, /relays, /send FILE, /accept, /help, /quit. A file is sent
only to who accepts it, and never replaces one that is there.

What is said and asked for goes to stdout, notes to stderr. Ctrl-C or the end of input leaves the
room.

Peers with different passwords don't meet, and possibly only one of the two is told.

Strategies are ws, nostr, mqtt, torrent, supabase, firebase and ipfs. Those that have relays of
their own choose some by the application's name; for supabase and firebase that name is the URL of
the project. ws and ipfs have none, so they need --relay, and ipfs needs a build with --features
ipfs. Several strategies may be used at once: everyone who is there by one of them is met, once.

Examples:
  tristero relay                   in one terminal, then in two others:
  tristero chat lobby --app my-app --relay ws://127.0.0.1:8080 --name Oedipa

  TRISTERO_PASSWORD=secret tristero chat lobby --app my-app --relay wss://relay.example
  tristero chat lobby --app my-app --relay wss://relay.example --ask-password

  tristero chat lobby --app my-app --strategy nostr
  tristero chat lobby --app my-app --strategy nostr --strategy mqtt=wss://broker.example/mqtt

Exit status: 3 if no relay was reachable within --wait seconds.";

pub(super) const RECORD_EXAMPLES: &str = "\
Each track becomes a file: .ivf of VP8, VP9, AV1 and H264, .opus, .g722, .ul and .al; with --webm a
stream becomes one file, but for the tracks that WebM can't hold. Nothing is encoded anew. A file
begins at a key frame, and where frames are missing video is left out up to the next one; how much
is told at the end. No file is ever replaced: they are called PEER-NUMBER-KIND-TRACK, and a track that
goes on in another codec goes on in another file. Raw sound has no header: ffplay -f mulaw -ar 8000,
-f alaw -ar 8000, or -f g722.

The paths of the files go to stdout as they begin, notes to stderr, and on a terminal a line of how
much was written so far. Ctrl-C ends all files and
leaves the room.

Examples:
  tristero record lobby --app my-app --relay ws://127.0.0.1:8080 --out recordings
  tristero record lobby --app my-app --strategy nostr --out . --webm --for 60

Exit status: 1 if a file can't be written, 3 if no relay was reachable within --wait seconds.";

pub(super) const PLAY_EXAMPLES: &str = "\
All files together are one stream, which begins when the first peer takes it, whoever that is, another
that plays or chats too, and goes to everyone who is in the room then or comes later. Files are IVF,
WebM (or .mkv with the same codecs, of which others are left out), Ogg Opus, .g722, .ul and .al; a pipe
is none, for files are gone back in. Sound has two channels at most. Nothing is encoded anew, so peers have to take the codecs:
browsers take VP8, VP9, AV1, H264, Opus, G722 and PCM. For those who come later the picture begins at
the file's next key frame.

Examples:
  tristero play lobby bars.ivf sine.opus --app my-app --relay ws://127.0.0.1:8080
  tristero play lobby film.webm --loop --app my-app --strategy nostr

  ffmpeg -i film.mp4 -c:v libvpx -b:v 1M -g 60 -deadline realtime -c:a libopus -ac 2 film.webm

Exit status: 1 if a file can't be read, 3 if no relay was reachable within --wait seconds.";

pub(super) const AGENT_EXAMPLES: &str = "\
One JSON object a line: commands on stdin, events on stdout. The first event is `ready`. A command
with an \"id\" is answered by a `reply` with that id; one with \"wait\":true holds up those after
it until it is done. The agent leaves its rooms and ends at the end of stdin. All commands and
events are described in docs/agent.md.

Example, with a relay on port 8080:
  tristero agent --linger 60 \\
    --cmd '{\"cmd\":\"join\",\"appId\":\"a\",\"roomId\":\"r\",\"relayUrls\":[\"ws://127.0.0.1:8080\"]}' \\
    --cmd '{\"cmd\":\"register\",\"action\":\"chat\"}' </dev/null";

pub(super) const RELAY_EXAMPLES: &str = "\
The first line on stdout tells where the relay listens. It forwards signaling, which is encrypted
between peers, and keeps nothing. GET /health and /metrics answer on the same port. Ctrl-C or SIGTERM ends it
after all clients were told.

Examples:
  tristero relay
  tristero relay --listen 127.0.0.1:0
  tristero relay --listen 0.0.0.0:443 --tls-cert chain.pem --tls-key key.pem";

pub(super) const RELAYS_EXAMPLES: &str = "\
Without --strategy and --relay it is about all strategies that have relays of their own. Each relay
is asked by opening it and listening there, which nobody notices. It answers once it lets us listen;
ws, nostr and torrent don't confirm that, so there it is the link that counts. Its time is that of
all this, TLS included. Those that --app would use are marked by *.

Examples:
  tristero relays
  tristero relays --strategy nostr --app my-app
  tristero relays --relay wss://relay.example --json

With --json it is one object: {\"relays\":[{\"strategy\",\"url\",\"chosen\",\"answers\",\"ms\",\"error\"}]}.

Exit status: 0 if one of them answered, 1 if none did.";

pub(super) const DOCTOR_EXAMPLES: &str = "\
Checks at once which relays answer; where each STUN server sees this machine; whether each TURN
server gives an address, over UDP, TCP or TLS as its URL says, and if not, its code; how the NAT
maps and filters; whether there is IPv6 and multicast; and whether two peers in this process meet
through the first relay that answers: directly, with STUN, and over each TURN server alone, with a
message there and back. Without --strategy and --relay it is about Nostr's relays.

How a NAT filters is known if a STUN server has two addresses (RFC 5780; coturn with two
--listening-ip has); how it maps, also if there are two servers. Root certificates beside those of
the system, for turns: and wss:, are read from SSL_CERT_FILE.

Examples:
  tristero doctor
  tristero doctor --relay wss://relay.example --ice-server turns:turn.example,USERNAME,PASSWORD
  tristero doctor --strategy nostr --app my-app --json

With --json it is one object: {\"verdict\":{\"prospect\",\"text\"},\"relays\",\"stun\",\"turn\",\"notAsked\",
\"nat\",\"ipv6\",\"mdns\",\"joins\"}; times are in milliseconds.

Exit status: 0 if all is well, 1 if peers connect with restrictions, such as only within the same
network, or if a server that was named does not work; 3 if nobody can be met.";
