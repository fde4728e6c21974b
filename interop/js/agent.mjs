/**
 * A peer on npm's Trystero in Node: `node js/agent.mjs --webrtc werift|node-datachannel`.
 *
 * Speaks the protocol of `tristero agent` on stdin and stdout; everything else goes to stderr.
 */
import { Console } from 'node:console';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { agentVersion, emitLine, feedLines, parseOptions, versionOf } from './stdio.mjs';
import { STRATEGIES_OPTION, loadStrategies } from './strategies.mjs';
import { loadWebrtc } from './webrtc.mjs';

const main = async () => {
  const options = parseOptions({
    webrtc: { type: 'string', default: 'werift' },
    ...STRATEGIES_OPTION,
  });
  prepareGlobals();

  // Trystero looks at its globals when it is loaded.
  const strategies = await loadStrategies(options.strategies);
  const { Agent } = await import('./agent-core.mjs');
  const agent = new Agent({
    strategies,
    host: makeHost(await loadWebrtc(options.webrtc)),
    emit: (event) => emitLine(JSON.stringify(event)),
  });
  agent.start(agentVersion(versionOf(options.webrtc)));
  await feedLines(options, (line) => agent.accept(line));
  await agent.leaveAll();
};

const prepareGlobals = () => {
  globalThis.WebSocket = WebSocket;
  // Libraries print to the console, and stdout belongs to events.
  globalThis.console = new Console(process.stderr, process.stderr);
  // A WebRTC library that trips over one connection must not take the others with it.
  process.on('unhandledRejection', (reason) => console.error('unhandled rejection:', reason));
  process.on('uncaughtException', (error) => console.error('uncaught exception:', error));
};

const makeHost = (rtcPolyfill) => ({
  rtcPolyfill,
  stats: () => {
    const { user, system } = process.cpuUsage();
    return {
      cpuUserMs: user / 1000,
      cpuSystemMs: system / 1000,
      rssBytes: process.memoryUsage.rss(),
    };
  },
  readFile: async (path) => new Uint8Array(await readFile(path)),
  saveFile: async (folder, name, bytes) => {
    const path = join(folder, name);
    await mkdir(folder, { recursive: true });
    await writeFile(path, bytes);
    return path;
  },
  exit: () => process.exit(0),
});

// WebRTC libraries keep threads and timers, so the end is always explicit.
main().then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  },
);
