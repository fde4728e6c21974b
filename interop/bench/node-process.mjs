/** A measured peer as a process in Node, `node-process.mjs LIBRARY`: started by `node.mjs`. */
import { Console } from 'node:console';
import { WebSocket } from 'ws';
import { loadWebrtc } from '../js/webrtc.mjs';

// Trystero looks at its globals when it is loaded.
globalThis.WebSocket = WebSocket;
globalThis.console = new Console(process.stderr, process.stderr);
// As in the agent: a library that trips over one connection must not take the others with it.
process.on('unhandledRejection', (reason) => console.error('unhandled rejection:', reason));
process.on('uncaughtException', (error) => console.error('uncaught exception:', error));
// Whoever measures is gone then.
process.on('disconnect', () => process.exit(0));

const [library] = process.argv.slice(2);
const { Peer } = await import('./peer.mjs');
const peer = new Peer(await loadWebrtc(library));

process.on('message', async ({ id, method, argument }) => {
  try {
    process.send({ id, result: await peer[method](argument) });
  } catch (error) {
    process.send({ id, error: error.message });
  }
});
process.send({ id: 'ready' });
