/**
 * The demo page: joins a room with npm's Trystero over a WebSocket relay, shows who is there and
 * chats with them on the action `chat`.
 *
 * What to join comes from `config.json` beside the page, then from the address's query, then from
 * its fragment, the last of which no server sees: `appId`, `roomId`, `relayUrl`, `password`. When
 * something is missing the page asks for it. `config.json` may have `iceServers` too.
 */
import { getRelaySockets, joinRoom, selfId } from '../js/ws-relay.mjs';

const KEYS = ['appId', 'roomId', 'relayUrl', 'password'];
const REQUIRED = ['appId', 'roomId', 'relayUrl'];

const SOCKET_STATES = ['connecting', 'open', 'closed', 'closed'];
const RELAY_WORDS = { connecting: 'connecting…', open: 'connected', closed: 'disconnected' };

const LOOPBACK = ['127.0.0.1', '[::1]', 'localhost'];

/** Trystero replaces a relay's socket when it reconnects, so its state is looked at, not heard. */
const RELAY_LOOK_MS = 500;

/** Older lines of the chat than this many are forgotten. */
const MESSAGES_MAX = 500;

const element = (id) => document.getElementById(id);

const main = async () => {
  const config = { ...(await fetchConfig()), ...readAddress() };
  if (REQUIRED.every((key) => config[key])) {
    enter(config);
  } else {
    ask(config);
  }
};

/** The configuration that the page's server offers, if it does. */
const fetchConfig = async () => {
  try {
    const response = await fetch('config.json');
    return response.ok ? await response.json() : {};
  } catch {
    return {};
  }
};

const readAddress = () => {
  const given = new Map([
    ...new URLSearchParams(location.search),
    ...new URLSearchParams(location.hash.slice(1)),
  ]);
  return Object.fromEntries(
    KEYS.filter((key) => given.has(key)).map((key) => [key, given.get(key)]),
  );
};

const ask = (config, problem = '') => {
  const form = element('join');
  KEYS.forEach((key) => (form.elements[key].value = config[key] ?? ''));
  element('problem').textContent = problem;
  form.hidden = false;
  form.onsubmit = (event) => {
    event.preventDefault();
    form.hidden = true;
    enter({ ...config, ...Object.fromEntries(new FormData(form)) });
  };
};

const enter = (config) => {
  try {
    stay(config, join(config));
  } catch (error) {
    ask(config, error.message);
  }
};

const join = ({ appId, roomId, relayUrl, password, iceServers = iceServersFor(relayUrl) }) => {
  if (!isSecureContext) {
    throw new Error('Browsers encrypt only on pages from https:// or from this very machine.');
  }
  const config = {
    appId,
    password,
    relayConfig: { urls: [relayUrl] },
    ...(iceServers && { rtcConfig: { iceServers } }),
  };
  return joinRoom(config, roomId, {
    onJoinError: ({ peerId, error }) => addLine('trouble', `${name(peerId)}: ${error}`),
  });
};

/** None for a relay on this machine: then all peers are on it, and nobody else has to know. */
const iceServersFor = (relayUrl) =>
  LOOPBACK.includes(new URL(relayUrl).hostname) ? [] : undefined;

/** Shows the room until it is left. */
const stay = (config, room) => {
  const { appId, roomId, relayUrl } = config;
  element('room').hidden = false;
  element('room-name').textContent = roomId;
  element('app-name').textContent = appId;
  element('self').textContent = selfId;
  showRelay(relayUrl);
  const looking = setInterval(() => showRelay(relayUrl), RELAY_LOOK_MS);

  const chat = room.makeAction('chat');
  chat.onMessage = (message, { peerId }) => addMessage(name(peerId), asText(message));
  watchPeers(room);
  element('say').onsubmit = (event) => {
    event.preventDefault();
    say(chat, event.target.elements.text);
  };
  element('say').elements.text.focus();
  element('leave').onclick = async () => {
    clearInterval(looking);
    await room.leave();
    element('room').hidden = true;
    element('peers').replaceChildren();
    element('messages').replaceChildren();
    ask(config);
  };
};

const showRelay = (url) => {
  const state = SOCKET_STATES[getRelaySockets()[url]?.readyState] ?? 'connecting';
  const shown = element('relay');
  if (shown.dataset.state !== state) {
    shown.dataset.state = state;
    shown.textContent = `${url} ${RELAY_WORDS[state]}`;
  }
};

const watchPeers = (room) => {
  const items = new Map();
  const showAlone = () => (element('alone').hidden = items.size > 0);
  room.onPeerJoin = (peer) => {
    const item = document.createElement('li');
    const id = document.createElement('code');
    id.textContent = peer;
    item.append(id);
    items.set(peer, item);
    element('peers').append(item);
    addLine('note', `${name(peer)} has joined`);
    showAlone();
  };
  room.onPeerLeave = (peer) => {
    items.get(peer)?.remove();
    items.delete(peer);
    addLine('note', `${name(peer)} has left`);
    showAlone();
  };
  showAlone();
};

const say = async (chat, input) => {
  const text = input.value;
  input.value = '';
  addMessage('You', text);
  try {
    await chat.send(text);
  } catch (error) {
    addLine('trouble', `not sent: ${error.message}`);
  }
};

const addMessage = (who, text) => {
  const author = document.createElement('b');
  author.textContent = who;
  addLine('message', author, ` ${text}`);
};

const addLine = (kind, ...content) => {
  const messages = element('messages');
  // Whoever reads older lines is not torn from them.
  const isAtEnd = messages.scrollTop + messages.clientHeight >= messages.scrollHeight - 8;
  const line = document.createElement('li');
  line.className = kind;
  line.append(...content);
  messages.append(line);
  if (messages.children.length > MESSAGES_MAX) {
    messages.firstElementChild.remove();
  }
  if (isAtEnd) {
    messages.scrollTop = messages.scrollHeight;
  }
};

/** Enough of an id to tell people apart. */
const name = (peerId) => peerId.slice(0, 6);

const asText = (message) => (typeof message === 'string' ? message : JSON.stringify(message));

main();
