/** coturn, STUN and TURN, on this machine: with long-term credentials, over UDP, TCP and TLS. */
import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { once } from 'node:events';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { keepUntilExit } from '../tests/processes.mjs';

const CREDENTIALS = { username: 'me', credential: 'open sesame' };

/**
 * Where it listens and relays: at an address of this machine at which browsers have candidates, who
 * have none on loopback. What is sent there does not leave the machine.
 */
const ADDRESS =
  Object.values(networkInterfaces())
    .flat()
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';

/** How often it is looked whether it listens, and for how long. */
const LOOK_MS = 50;
const START_MS = 10_000;

/** Why it can't run here, or nothing if it can. */
export const whyMissing = () => {
  const { error } = spawnSync('turnserver', ['--version']);
  return error && `turnserver (coturn) does not start: ${error.message}`;
};

export class Coturn {
  #process;
  #closed;
  #folder = mkdtempSync(join(tmpdir(), 'tristero-coturn-'));
  #ports;
  log = '';

  static async start() {
    const server = new Coturn();
    await server.#start();
    return server;
  }

  /** What a room's `iceServers` names it by: over `udp`, `tcp` or `tls`. */
  servers(transport, credentials = CREDENTIALS) {
    const { plain, tls } = this.#ports;
    const urls = {
      udp: `turn:${ADDRESS}:${plain}`,
      tcp: `turn:${ADDRESS}:${plain}?transport=tcp`,
      tls: `turns:${ADDRESS}:${tls}`,
    }[transport];
    return [{ urls, ...credentials }];
  }

  /** The file of the certificate that its own is signed with. */
  get roots() {
    return join(this.#folder, 'cert.pem');
  }

  async stop() {
    this.#process.kill('SIGKILL');
    await this.#closed;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #start() {
    this.#certify();
    const [plain, tls] = await Promise.all([freePort(), freePort()]);
    this.#ports = { plain, tls };
    this.#process = spawn('turnserver', [
      ...['-n', '--no-cli', '--lt-cred-mech', '--realm', 'tristero', '--allow-loopback-peers'],
      ...['--user', `${CREDENTIALS.username}:${CREDENTIALS.credential}`],
      ...['--listening-ip', ADDRESS, '--relay-ip', ADDRESS],
      ...['--listening-port', `${plain}`, '--tls-listening-port', `${tls}`],
      ...['--cert', this.roots, '--pkey', join(this.#folder, 'key.pem')],
      ...['--userdb', join(this.#folder, 'db'), '--pidfile', join(this.#folder, 'pid')],
      ...['--log-file', 'stdout', '--simple-log'],
    ]);
    keepUntilExit(this.#process);
    this.#closed = once(this.#process, 'close');
    for (const output of [this.#process.stdout, this.#process.stderr]) {
      output.setEncoding('utf8').on('data', (text) => (this.log += text));
    }
    await this.#listens(plain);
    await this.#listens(tls);
  }

  async #listens(port) {
    const end = Date.now() + START_MS;
    while (!(await isOpen(port))) {
      if (Date.now() > end || this.#process.exitCode !== null) {
        throw new Error(`coturn does not start:\n${this.log}`);
      }
      await pause(LOOK_MS);
    }
  }

  /** One that is its own root, and no authority for others. */
  #certify() {
    const { status, stderr } = spawnSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
        ...['-keyout', 'key.pem', '-out', 'cert.pem', '-days', '2', '-subj', '/CN=turn.test'],
        ...['-addext', `subjectAltName=IP:${ADDRESS}`],
        ...['-addext', 'basicConstraints=critical,CA:FALSE'],
      ],
      { cwd: this.#folder, encoding: 'utf8' },
    );
    if (status !== 0) {
      throw new Error(`openssl makes no certificate: ${stderr}`);
    }
  }
}

/** One that is free for TCP and for UDP: peers of other tests have sockets on many. */
const freePort = async () => {
  const server = createServer().listen(0, ADDRESS);
  await once(server, 'listening');
  const { port } = server.address();
  const isFree = await isFreeForDatagrams(port);
  server.close();
  await once(server, 'close');
  return isFree ? port : freePort();
};

const isFreeForDatagrams = async (port) => {
  const socket = createSocket('udp4');
  try {
    socket.bind(port, ADDRESS);
    await once(socket, 'listening');
    return true;
  } catch (error) {
    if (error.code === 'EADDRINUSE') {
      return false;
    }
    throw error;
  } finally {
    socket.close();
  }
};

const isOpen = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, ADDRESS);
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
