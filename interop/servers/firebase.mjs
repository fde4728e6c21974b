/**
 * The Firebase Realtime Database as far as Trystero needs it, with what npm's `firebase-server`
 * leaves out: what is to happen when a client goes, refusals, redirects, and messages in several
 * frames.
 *
 * Like Google's it tells listeners of what has changed and not of all there is. Not here: queries,
 * priorities, hashes, transactions, and users.
 */
import { isMergeable, isStorable, isWithin, parsePath, Tree } from './firebase-tree.mjs';
import { Server } from './service.mjs';

const PROTOCOL = '5';

/** Longer messages are split, as Google's server and its clients do. */
const FRAME_CHARACTERS = 16_384;

/** Its URL, with the name of a database, is what Trystero takes as the app's id. */
export const start = (options) => {
  // It keeps its data when it is restarted; what clients left behind goes with their links.
  const databases = new Map();
  const serverOptions = { scheme: 'http', path: '/?ns=interop', ...options };
  return Server.start(() => new Firebase(databases), serverOptions);
};

class Firebase {
  #databases;
  #denied = [];
  #redirect;

  constructor(databases) {
    this.#databases = databases;
  }

  /** Refuses what clients want at `path` and below, from now on: to `read` there, or to `write`. */
  deny(path, { read = false, write = false }) {
    this.#denied.push({ path: parsePath(path), read, write });
  }

  /** Sends whoever connects to another `host`, until it is called with nothing. */
  redirect(host) {
    this.#redirect = host;
  }

  refuse({ url }) {
    const { pathname, searchParams } = new URL(url, 'ws://localhost');
    if (pathname !== '/.ws' || !searchParams.get('ns')) {
      return 404;
    }
    return searchParams.get('v') === PROTOCOL ? undefined : 400;
  }

  connect(socket, { url, headers }) {
    const name = new URL(url, 'ws://localhost').searchParams.get('ns');
    if (!this.#databases.has(name)) {
      this.#databases.set(name, { tree: new Tree(), connections: new Set() });
    }
    const allows = (right, path) =>
      !this.#denied.some((denied) => denied[right] && isWithin(denied.path, path));
    const connection = new Connection(socket, this.#databases.get(name), allows);
    connection.greet(this.#redirect ? { r: this.#redirect } : { h: hello(headers.host) });
  }
}

const hello = (host) => ({ ts: Date.now(), v: PROTOCOL, h: host, s: 'interop' });

class Connection {
  #socket;
  #database;
  #allows;
  #listens = new Map();
  #onDisconnect = new Map();
  #segments = { missing: 0, text: '' };

  constructor(socket, database, allows) {
    this.#socket = socket;
    this.#database = database;
    this.#allows = allows;
    database.connections.add(this);
    socket.on('message', (data) => this.#onFrame(String(data)));
    socket.on('close', () => this.#onClose());
  }

  /** Says `h`ello or where to `r`edirect, which is all that a redirected client is told. */
  greet(greeting) {
    const [[kind, details]] = Object.entries(greeting);
    this.#send({ t: 'c', d: { t: kind, d: details } });
    if (kind === 'r') {
      this.#socket.close();
    }
  }

  /** Tells of a change at `path`, if that is listened to, or what is above or below it. */
  tell(path, value, kind = 'd') {
    for (const root of this.#listens.values()) {
      if (isWithin(root, path)) {
        this.#push(kind, path, value);
        return;
      }
      if (isWithin(path, root)) {
        this.#push('d', root, this.#database.tree.get(root));
      }
    }
  }

  #onFrame(frame) {
    const { missing, text } = this.#segments;
    if (missing > 1) {
      this.#segments = { missing: missing - 1, text: text + frame };
      return;
    }
    if (missing === 0 && /^\d{1,6}$/.test(frame)) {
      // That no frame follows is how clients keep a connection alive.
      this.#segments = { missing: Number(frame), text: '' };
      return;
    }
    this.#segments = { missing: 0, text: '' };
    try {
      this.#onMessage(JSON.parse(text + frame));
    } catch {
      this.#socket.close();
    }
  }

  #onMessage({ t, d }) {
    if (t === 'c' && d.t === 'p') {
      this.#send({ t: 'c', d: { t: 'o', d: null } });
    } else if (t === 'd') {
      const { s, d: details } = this.#perform(d.a, d.b);
      this.#send({ t: 'd', d: { r: d.r, b: { s, d: details } } });
    }
  }

  #perform(action, { p, d }) {
    switch (action) {
      case 's':
      case 'unauth':
        return { s: 'ok', d: '' };
      case 'g':
        return this.#at(p, 'read', (path) => this.#database.tree.get(path));
      case 'q':
        return this.#at(p, 'read', (path) => this.#listen(path));
      case 'n':
        return this.#at(p, undefined, (path) => this.#unlisten(path));
      case 'p':
        return this.#at(p, 'write', (path) => this.#put(path, d), d);
      case 'm':
        return this.#at(p, 'write', (path) => this.#merge(path, d), d, isMergeable);
      case 'o':
        return this.#at(p, 'write', (path) => this.#leaveBehind(path, () => this.#put(path, d)), d);
      case 'om':
        return this.#at(
          p,
          'write',
          (path) => this.#leaveBehind(path, () => this.#merge(path, d)),
          d,
          isMergeable,
        );
      case 'oc':
        return this.#at(p, undefined, (path) => this.#leaveNothing(path));
      default:
        return { s: 'error', d: `Unknown action ${JSON.stringify(action)}` };
    }
  }

  #at(text, right, act, value = null, isValid = isStorable) {
    const path = parsePath(text);
    if (!path || !isValid(value)) {
      return { s: 'error', d: 'Invalid path or data' };
    }
    if (right && !this.#allows(right, path)) {
      return { s: 'permission_denied', d: 'Permission denied' };
    }
    return { s: 'ok', d: act(path) ?? '' };
  }

  #listen(path) {
    this.#listens.set(path.join('/'), path);
    this.#push('d', path, this.#database.tree.get(path));
  }

  #unlisten(path) {
    this.#listens.delete(path.join('/'));
  }

  #put(path, value) {
    this.#database.tree.set(path, value);
    this.#database.connections.forEach((connection) => connection.tell(path, value));
  }

  #merge(path, children) {
    const { tree, connections } = this.#database;
    const entries = Object.entries(children);
    entries.forEach(([key, child]) => tree.set([...path, ...parsePath(key)], child));
    connections.forEach((connection) => connection.tell(path, children, 'm'));
  }

  #leaveBehind(path, act) {
    this.#onDisconnect.set(path.join('/'), { path, act });
  }

  #leaveNothing(root) {
    this.#onDisconnect.forEach(({ path }, key) => {
      if (isWithin(root, path)) {
        this.#onDisconnect.delete(key);
      }
    });
  }

  #onClose() {
    this.#database.connections.delete(this);
    this.#onDisconnect.forEach(({ act }) => act());
  }

  #push(kind, path, value) {
    this.#send({ t: 'd', d: { a: kind, b: { p: path.join('/'), d: value } } });
  }

  #send(message) {
    const text = JSON.stringify(message);
    const frames = text.match(new RegExp(`.{1,${FRAME_CHARACTERS}}`, 'gsu'));
    if (frames.length > 1) {
      this.#socket.send(String(frames.length));
    }
    frames.forEach((frame) => this.#socket.send(frame));
  }
}
