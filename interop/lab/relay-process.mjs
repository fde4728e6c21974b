/** The relay of `servers/ws.mjs`, at all addresses: it listens at loopback alone. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { start } from '../servers/ws.mjs';

const relay = await start();
const { port } = new URL(relay.url);

const front = createServer((socket) => {
  const onwards = connect(Number(port), '127.0.0.1');
  socket.on('error', () => onwards.destroy());
  onwards.on('error', () => socket.destroy());
  socket.pipe(onwards).pipe(socket);
});
front.listen(0, '::');
await once(front, 'listening');
process.stdout.write(`listening on ws://[::]:${front.address().port}\n`);

// It ends with whoever started it.
process.stdin.resume().on('end', () => process.exit(0));
