/**
 * Network namespaces of one run, and that none of them outlives it.
 *
 * Their names begin with the id of this process. What a run that was killed has left behind is
 * removed by the next.
 */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'tristero-lab';

/** Every tool here answers at once; one that hangs must not hold up the run. */
const TOOL_MS = 20_000;

/** Signals that end a run; each has its exit status. */
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

/** The namespaces of this process, and a folder for what its programs write. */
export class Namespaces {
  #open = new Map();
  #close = () => this.close();

  constructor() {
    removeStale();
    this.folder = mkdtempSync(join(tmpdir(), `${PREFIX}-${process.pid}-`));
    process.on('exit', this.#close);
    Object.entries(SIGNALS).forEach(([signal, status]) =>
      process.once(signal, () => process.exit(status)),
    );
  }

  /** A new namespace, of which only the loopback interface is up. */
  async add(role) {
    const name = `${PREFIX}-${process.pid}-${role}`;
    const namespace = new Namespace(name, () => this.#open.delete(name));
    this.#open.set(name, namespace);
    await run('ip', ['netns', 'add', name]);
    await namespace.sysctl({
      'net.ipv4.conf.all.rp_filter': 0,
      'net.ipv4.conf.default.rp_filter': 0,
      'net.ipv6.conf.all.accept_dad': 0,
      'net.ipv6.conf.default.accept_dad': 0,
    });
    await namespace.ip('link set lo up');
    return namespace;
  }

  /** Removes all, with what runs in them, at once and without fail. */
  close() {
    process.off('exit', this.#close);
    this.#open.forEach(({ name }) => removeAnyhow(name));
    this.#open.clear();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** One namespace. Its interfaces go with it. */
class Namespace {
  #onRemoved;

  constructor(name, onRemoved) {
    this.name = name;
    this.#onRemoved = onRemoved;
  }

  /** Runs commands of `ip` in it, one a line. */
  async ip(...lines) {
    await run('ip', ['-n', this.name, '-batch', '-'], lines.join('\n'));
  }

  /** Loads a ruleset. */
  async nft(ruleset) {
    await this.run('nft', ['-f', '-'], ruleset);
  }

  async sysctl(values) {
    await this.run('sysctl', [
      '-qw',
      ...Object.entries(values).map(([key, value]) => `${key}=${value}`),
    ]);
  }

  /** Runs a program in it to its end and returns what it printed. */
  run(command, args, input) {
    const inside = this.inside(command, args);
    return run(inside.command, inside.args, input);
  }

  /** The same program, to be started in it. */
  inside(command, args = []) {
    return { command: 'ip', args: ['netns', 'exec', this.name, command, ...args] };
  }

  async remove() {
    await run('ip', ['netns', 'del', this.name]);
    this.#onRemoved();
  }
}

/** Why there can be no lab here, or nothing if there can. */
export const whyNotPermitted = () => {
  const name = `${PREFIX}-${process.pid}-permitted`;
  if (process.platform !== 'linux') {
    return 'network namespaces need Linux';
  }
  if (process.getuid() !== 0) {
    return 'network namespaces need root';
  }
  try {
    const options = { stdio: 'pipe', timeout: TOOL_MS };
    execFileSync('ip', ['netns', 'add', name], options);
    execFileSync('ip', ['-n', name, 'link', 'add', 'trial0', 'type', 'veth'], options);
    const nft = ['netns', 'exec', name, 'nft', '-f', '-'];
    execFileSync('ip', nft, { ...options, input: TRIAL_RULESET });
    return undefined;
  } catch (error) {
    return `network namespaces are not permitted here: ${error.message.trim()}`;
  } finally {
    removeAnyhow(name);
  }
};

const TRIAL_RULESET = `table ip trial {
  chain out {
    type nat hook postrouting priority srcnat;
    masquerade fully-random
  }
}`;

const run = (command, args, input = '') =>
  new Promise((resolve, reject) => {
    const child = execFile(command, args, { timeout: TOOL_MS }, (error, stdout, stderr) =>
      error
        ? reject(new Error(`${command} ${args.join(' ')}: ${stderr || error.message}\n${input}`))
        : resolve(stdout),
    );
    // A program that ends before it has read its input says why itself.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });

/** Removes a namespace with what runs in it, whether it is there or not. */
const removeAnyhow = (name) => {
  const options = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: TOOL_MS };
  try {
    const pids = execFileSync('ip', ['netns', 'pids', name], options).split('\n').filter(Boolean);
    pids.forEach((pid) => killAnyhow(Number(pid)));
    execFileSync('ip', ['netns', 'del', name], options);
  } catch {
    // It was not made, or is gone.
  }
};

const killAnyhow = (pid) => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile.
  }
};

/** Removes what is left of runs that are no more. */
const removeStale = () => {
  const isStale = (name) => {
    const [, pid] = name.match(`^${PREFIX}-(\\d+)-`) ?? [];
    return pid && !existsSync(`/proc/${pid}`);
  };
  const list = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8', timeout: TOOL_MS });
  const names = list.split('\n').map((line) => line.split(' ')[0]);
  names.filter(isStale).forEach(removeAnyhow);
  readdirSync(tmpdir())
    .filter(isStale)
    .forEach((name) => rmSync(join(tmpdir(), name), { recursive: true, force: true }));
};
