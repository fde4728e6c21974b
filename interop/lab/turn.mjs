/** coturn in the internet: STUN and TURN over UDP, TCP and TLS, with long-term credentials. */
import { spawn } from 'node:child_process';
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keepUntilExit } from '../tests/processes.mjs';
import { ADDRESSES } from './internet.mjs';
import { Probe } from './probe.mjs';

const PORT = 3478;
const TLS_PORT = 5349;

export const CREDENTIALS = { username: 'lab', credential: 'trystero' };

/** What `iceServers` has for each set of servers of the theory; `at` is the server's address. */
const SERVERS = {
  'no STUN': () => [],
  STUN: (at) => [{ urls: `stun:${at}:${PORT}` }],
  'TURN/UDP': (at) => [{ urls: `turn:${at}:${PORT}?transport=udp`, ...CREDENTIALS }],
  'TURN/TCP': (at) => [{ urls: `turn:${at}:${PORT}?transport=tcp`, ...CREDENTIALS }],
  'TURN/TLS': (at) => [{ urls: `turns:${at}:${TLS_PORT}?transport=tcp`, ...CREDENTIALS }],
};

/** The `iceServers` of a host with addresses of this family. */
export const iceServers = (servers, family) => {
  const { turn } = ADDRESSES[family];
  return SERVERS[servers](family === 6 ? `[${turn}]` : turn);
};

export class TurnServer {
  #process;
  #closed;

  /** Starts it; `roots` is then the file of the certificate that its own is signed with. */
  static async start(internet) {
    const server = new TurnServer();
    const { folder } = internet.namespaces;
    const { certificate, key, roots } = await makeCertificates(internet.namespace, folder);
    server.roots = roots;
    server.log = join(folder, 'turn.log');
    const inside = internet.namespace.inside('turnserver', [
      ...LISTENING,
      ...['--cert', certificate, '--pkey', key],
      ...['--userdb', join(folder, 'turn.db'), '--pidfile', join(folder, 'turn.pid')],
    ]);
    server.#process = spawn(inside.command, inside.args, { cwd: folder });
    keepUntilExit(server.#process);
    server.#closed = new Promise((closed) => server.#process.on('close', closed));
    server.#process.on('error', () => {});
    const log = createWriteStream(server.log);
    server.#process.stdout.pipe(log, { end: false });
    server.#process.stderr.pipe(log, { end: false });
    await server.#listening(internet.namespace);
    return server;
  }

  async stop() {
    this.#process.kill('SIGKILL');
    await this.#closed;
  }

  async #listening(namespace) {
    const probe = new Probe(namespace);
    try {
      for (const family of [4, 6]) {
        await probe.connectable({ address: ADDRESSES[family].turn, port: PORT });
        await probe.connectable({ address: ADDRESSES[family].turn, port: TLS_PORT });
      }
    } catch (error) {
      throw new Error(`coturn does not start: ${error.message}\n${readFileSync(this.log, 'utf8')}`);
    } finally {
      await probe.stop();
    }
  }
}

/** The second address is for RFC 5780: what asks from there shows how a NAT filters. */
const LISTENING = [
  ...['-n', '--no-cli', '--fingerprint', '--lt-cred-mech', '--realm', 'lab'],
  ...['--user', `${CREDENTIALS.username}:${CREDENTIALS.credential}`],
  ...['--listening-port', `${PORT}`, '--tls-listening-port', `${TLS_PORT}`],
  ...[4, 6].flatMap((family) => [
    ...['--listening-ip', ADDRESSES[family].turn, '--listening-ip', ADDRESSES[family].turnOther],
    ...['--relay-ip', ADDRESSES[family].turn],
  ]),
  ...['--log-file', 'stdout', '--simple-log'],
];

/** A certificate for the server's addresses, and its root: clients refuse a root as a server's. */
const makeCertificates = async (namespace, folder) => {
  const [rootKey, roots, key, request, certificate, extensions] = [
    ...['root.key', 'root.pem', 'turn.key', 'turn.csr', 'turn.pem', 'turn.ext'],
  ].map((name) => join(folder, name));
  const newKey = (file) => [
    ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file],
  ];
  const openssl = (...args) => namespace.run('openssl', args);
  const names = [4, 6].map((family) => `IP:${ADDRESSES[family].turn}`);
  writeFileSync(extensions, `subjectAltName=${names}\nbasicConstraints=CA:FALSE\n`);
  const root = ['-out', roots, '-days', '2', '-subj', '/CN=lab'];
  await openssl('req', '-x509', ...newKey(rootKey), ...root);
  await openssl('req', '-new', ...newKey(key), '-out', request, '-subj', '/CN=turn.lab');
  await openssl(
    ...['x509', '-req', '-in', request, '-CA', roots, '-CAkey', rootKey, '-CAcreateserial'],
    ...['-out', certificate, '-days', '2', '-extfile', extensions],
  );
  return { certificate, key, roots };
};
